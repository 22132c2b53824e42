"""Read texts to learn from: books without their frame, and source code without prose."""

import ast
import io
import re
import sysconfig
import token
import tokenize
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

from scripts.files import progress_bar
from scripts.reading import HALF_PAIR, has_half_pair, read_lines, read_texts, source_files

STDLIB = "stdlib"
SUFFIXES = (".txt", ".txt.gz", ".jsonl", ".jsonl.gz", ".py")
PLACEHOLDER = "MSG"
NOT_LIBRARY = {
    "test",
    "tests",
    "idle_test",
    "site-packages",
    "dist-packages",
    "lib2to3",
    "pydoc_data",
    "__pycache__",
    "encodings",
}
MAX_PLAIN = 20  # characters of a string that is not prose: a key, a mode, a format
_PLAIN = re.compile(rf"[rRbBuU]{{0,2}}(['\"])[^\s'\"]{{0,{MAX_PLAIN}}}\1")
_BEGIN = re.compile(
    r"^\s*\*\*\* ?START OF (?:THE|THIS) PROJECT GUTENBERG EBOOK.*$", re.MULTILINE | re.IGNORECASE
)
_END = re.compile(
    r"^\s*(?:\*\*\* ?END OF (?:THE|THIS) PROJECT GUTENBERG EBOOK"
    r"|End of (?:the )?Project Gutenberg).*",
    re.MULTILINE | re.IGNORECASE,
)
# Tokens since Python 3.12.
_FSTRING_START = getattr(token, "FSTRING_START", None)
_FSTRING_END = getattr(token, "FSTRING_END", None)

Place = tuple[int, int]  # line from 1, column
Edit = tuple[Place, Place, str]  # begin, end, the text that takes their place


def files_of(source: str) -> list[Path]:
    """The files of a path, or of "stdlib": the standard library of this Python, without tests.

    Raises:
        ValueError: "... does not exist", "no file to read in ...", "don't know how to read ...".
    """
    if not source:
        raise ValueError(
            "vars.textgen.texts is empty: set it to stdlib, or to a file or folder of texts"
        )
    if source != STDLIB:
        return source_files(Path(source), SUFFIXES)
    library = Path(sysconfig.get_paths()["stdlib"])
    return sorted(
        file
        for file in library.rglob("*.py")
        if not NOT_LIBRARY & set(file.relative_to(library).parts)
    )


def read_files(files: Sequence[Path], skip_bad: bool) -> list[str]:
    """The texts of some files, without those that cannot be read if `skip_bad`.

    Raises:
        ValueError: as `read` does, with the var that skips such files.
    """
    texts = []
    with progress_bar("files", len(files), "file") as bar:
        for file in files:
            try:
                texts.append(read(file))
            except ValueError as error:
                if not skip_bad:
                    raise ValueError(
                        f"{error}, or set vars.textgen.bad_files to skip-bad"
                    ) from error
            bar.update()
    return texts


def read(file: Path) -> str:
    """The text of a file: .py without comments and prose, a book without its frame.

    Of .jsonl it is the texts of all lines.

    Raises:
        ValueError: "FILE:LINE: not UTF-8 ...", "FILE:LINE: broken JSON ...",
            "FILE: not Python ...".
    """
    if file.suffix == ".py":
        return without_prose(file)
    if ".jsonl" in file.suffixes:
        return "\n".join(_read_jsonl(file))
    return without_frame("\n".join(line for _, line in read_lines(file)) + "\n")


def _read_jsonl(file: Path) -> Iterator[str]:
    for text in read_texts(file):
        if has_half_pair(text.text):
            raise ValueError(
                f"{file}:{text.line}: {HALF_PAIR} (\\ud800 to \\udfff): fix or leave out the line"
            )
        yield text.text


def without_frame(text: str) -> str:
    """A text of Project Gutenberg without licence and notes; any other text as it is."""
    begin = _BEGIN.search(text)
    if not begin:
        return text
    end = _END.search(text, begin.end())
    return text[begin.end() : end.start() if end else None].strip() + "\n"


def without_prose(file: Path) -> str:
    """Python source without comments, with MSG in place of prose, and no two empty lines in a row.

    The Deep Learning Cookbook (Osinga 2018, chapter 5) prepares it like this. Strings of one word
    of up to 20 characters stay: they are names more often than prose.

    Raises:
        ValueError: "... not Python ...", for what Python can't parse.
    """
    try:
        with tokenize.open(file) as stream:
            source = stream.read().expandtabs(8)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(source)  # the tokenizer alone accepts much that is not Python
        # io.StringIO splits lines as the tokenizer does: not at a form feed.
        return _apply_edits(io.StringIO(source).readlines(), _edits(source))
    except (
        tokenize.TokenError,
        SyntaxError,
        ValueError,
        LookupError,
        RecursionError,
        MemoryError,
    ) as error:
        raise ValueError(
            f"{file}: not Python, or of another version: leave it out ({error})"
        ) from error


def _edits(source: str) -> Iterator[Edit]:
    """The edits that remove comments and replace prose, in order."""
    depth, begin = 0, (0, 0)  # of f-strings: how many are open, where the outermost begins
    for kind, string, start, end, _ in tokenize.generate_tokens(io.StringIO(source).readline):
        if kind == _FSTRING_START:
            begin = start if depth == 0 else begin
            depth += 1
        elif kind == _FSTRING_END:
            depth -= 1
            if depth == 0:
                yield begin, end, f"'{PLACEHOLDER}'"
        elif depth:
            continue
        elif kind == token.COMMENT:
            yield start, end, ""
        elif kind == token.STRING and not _PLAIN.fullmatch(string):
            is_bytes = "b" in string[: string.index(string[-1])].lower()
            yield start, end, f"{'b' if is_bytes else ''}'{PLACEHOLDER}'"


def _apply_edits(lines: list[str], edits: Iterator[Edit]) -> str:
    """The text of some lines after edits, without empty lines in a row and spaces at line ends."""
    starts = [0]  # of lines, in the text
    for line in lines:
        starts.append(starts[-1] + len(line))
    text, parts, at = "".join(lines), list[str](), 0
    for (begin, begin_column), (end, end_column), replacement in edits:
        parts += [text[at : starts[begin - 1] + begin_column], replacement]
        at = starts[end - 1] + end_column
    edited = "".join([*parts, text[at:]])
    stripped = "\n".join(line.rstrip() for line in edited.split("\n"))
    return re.sub(r"\n{2,}", "\n\n", stripped).strip("\n") + "\n"
