"""Texts to learn from: books without the frame that Project Gutenberg puts around them, and source code without prose."""

import ast
import io
import re
import sysconfig
import token
import tokenize
import warnings
from collections.abc import Iterator
from pathlib import Path

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
LONGEST_PLAIN = 20  # characters of a string that is no prose: a key, a mode, a format
_PLAIN = re.compile(rf"[rRbBuU]{{0,2}}(['\"])[^\s'\"]{{0,{LONGEST_PLAIN}}}\1")
_BEGIN = re.compile(
    r"^\s*\*\*\* ?START OF (?:THE|THIS) PROJECT GUTENBERG EBOOK.*$", re.MULTILINE | re.IGNORECASE
)
_END = re.compile(
    r"^\s*(?:\*\*\* ?END OF (?:THE|THIS) PROJECT GUTENBERG EBOOK|End of (?:the )?Project Gutenberg).*",
    re.MULTILINE | re.IGNORECASE,
)
_FSTRING_START, _FSTRING_END = (
    getattr(token, f"FSTRING_{name}", None) for name in ("START", "END")
)  # since Python 3.12


def files_of(given: str) -> list[Path]:
    """The files behind a path, or behind "stdlib": the source of the running Python's standard library, without its tests.

    Raises:
        ValueError: "... does not exist", "no file to read in ...", "don't know how to read ...".
    """
    if not given:
        raise ValueError("vars.textgen.texts is empty: give stdlib, or a file or folder of texts")
    if given != STDLIB:
        return source_files(Path(given), SUFFIXES)
    library = Path(sysconfig.get_paths()["stdlib"])
    return sorted(
        file
        for file in library.rglob("*.py")
        if not NOT_LIBRARY & set(file.relative_to(library).parts)
    )


def read(file: Path) -> str:
    """The text of a file as it is learned from: .py without comments and prose, books without their frame, the texts of .jsonl.

    Raises:
        ValueError: "FILE:LINE: not UTF-8 ...", "FILE:LINE: broken JSON ...", "FILE: not Python ...".
    """
    if file.suffix == ".py":
        return without_prose(file)
    if ".jsonl" in file.suffixes:
        return "\n".join(_texts(file))
    return without_frame("\n".join(line for _, line in read_lines(file)) + "\n")


def _texts(file: Path) -> Iterator[str]:
    for text in read_texts(file):
        if has_half_pair(text.text):
            raise ValueError(
                f"{file}:{text.line}: {HALF_PAIR} (\\ud800 to \\udfff): mend or leave out the line"
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
    """Python source without comments, with MSG in place of prose in strings, and no two empty lines in a row.

    That is how the Deep Learning Cookbook (Osinga 2018, chapter 5) prepares it. Strings of one word of up to 20 characters stay:
    they are names more often than prose.

    Raises:
        ValueError: "... not Python ...", for what Python can't parse.
    """
    try:
        with tokenize.open(file) as stream:
            source = stream.read().expandtabs(8)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(source)  # the tokenizer alone takes a good deal that is no Python
        return _join(
            io.StringIO(source).readlines(), list(_edits(source))
        )  # form feeds end no line
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


Place = tuple[int, int]  # line from 1, column


def _edits(source: str) -> Iterator[tuple[Place, Place, str]]:
    """(begin, end, what stands there instead), in order."""
    depth, begin = 0, (0, 0)
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


def _join(lines: list[str], edits: list[tuple[Place, Place, str]]) -> str:
    parts, line, column = [], 1, 0
    for (begin, begin_column), (end, end_column), instead in edits:
        parts += (
            [lines[line - 1][column:], *lines[line : begin - 1], lines[begin - 1][:begin_column]]
            if begin > line
            else []
        )
        parts += [lines[line - 1][column:begin_column]] if begin == line else []
        parts.append(instead)
        line, column = end, end_column
    parts += [lines[line - 1][column:], *lines[line:]] if lines else []
    kept = [text.rstrip() for text in "".join(parts).split("\n")]
    return re.sub(r"\n{2,}", "\n\n", "\n".join(kept)).strip("\n") + "\n"
