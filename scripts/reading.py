"""Read raw texts, gold spans and DocBins. Every reader names the file and the line of what it can't read."""

import gzip
import hashlib
import json
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import spacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span
from spacy.training.converters import conll_ner_to_docs
from spacy.util import filter_spans

from scripts.files import write_bytes

TEXT_SUFFIXES = (".jsonl", ".jsonl.gz", ".txt", ".txt.gz", ".spacy")
_TAG = re.compile(r"O|[BILU]-\S+")
_INLINE = re.compile(r"([^|]+)\|(?:[^|]+\|)?(O|[BILU]-[^|]+)")
CONLL_SUFFIXES = (".conll", ".iob", ".tsv")
DOC_ATTRS = ("ENT_IOB", "ENT_TYPE", "ENT_ID", "ENT_KB_ID")
HALF_PAIR = "half of a surrogate pair"


@dataclass(frozen=True)
class Text:
    """A raw text and where it came from."""

    text: str
    file: str
    line: int


@dataclass
class Skipped:
    """What was left out, as lines that can be written to a file, and how often for which reason.

    Args:
        records: a line for each.
        strict: stop at the first bad line instead.
        var: the var that says skip-bad or no-skip-bad, for the error.
    """

    records: list[dict[str, Any]] = field(default_factory=list)
    strict: bool = False
    var: str = ""

    def add(self, reason: str, file: str, line: int, **details: Any) -> None:
        self.records.append({"reason": reason, "file": file, "line": line, **details})

    def counts(self) -> dict[str, int]:
        return dict(sorted(Counter(record["reason"] for record in self.records).items()))


def text_key(text: str) -> bytes:
    """What makes two texts the same one: 8 bytes of a hash over the text without case and white space.

    White space goes altogether: CoNLL files hold words, and "nice , really" is the text "nice, really".
    """
    return hashlib.blake2b(
        "".join(text.casefold().split()).encode("utf8", "surrogatepass"), digest_size=8
    ).digest()


def source_files(path: Path, suffixes: tuple[str, ...] = TEXT_SUFFIXES) -> list[Path]:
    """The files behind a path: itself, or all files of the known kinds in a folder, sorted by name.

    Raises:
        ValueError: "... does not exist", "no file to read in ..." or "don't know how to read ...".
    """
    if not path.exists():
        raise ValueError(
            f"{path} does not exist: check the path (it is read from the project's folder)"
        )
    if path.is_dir():
        files = sorted(
            file
            for file in path.rglob("*")
            if file.name.endswith(suffixes) and not file.name.startswith(".")
        )
        if not files:
            raise ValueError(f"no file to read in {path}: it should hold {', '.join(suffixes)}")
        return files
    if not path.name.endswith(suffixes):
        raise ValueError(
            f"don't know how to read {path}: give one of {', '.join(suffixes)}, or a folder of them"
        )
    return [path]


@contextmanager
def _open(path: Path) -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """The bytes of a file, unpacked where it is gzipped, and the raw file whose position tells the progress."""
    with path.open("rb") as raw:
        if path.suffix == ".gz":
            with gzip.GzipFile(fileobj=raw) as unpacked:
                yield unpacked, raw  # type: ignore[misc]
        else:
            yield raw, raw


def read_lines(
    path: Path, skipped: Skipped | None = None, bar: Any = None
) -> Iterator[tuple[int, str]]:
    """(line number, line) of a UTF-8 text file, gzipped or not, with or without a byte order mark.

    Raises:
        ValueError: "FILE:LINE: not UTF-8 ...", unless `skipped` takes note of it; "FILE: ends early ..." always.
    """
    number = 0
    with _open(path) as (stream, raw):
        position = 0
        try:
            for number, line in enumerate(stream, start=1):
                if bar is not None and raw.tell() != position:
                    bar.update(raw.tell() - position)
                    position = raw.tell()
                try:
                    yield number, line.decode("utf-8-sig" if number == 1 else "utf8").rstrip("\r\n")
                except UnicodeDecodeError:
                    skip_or_raise(
                        "not UTF-8",
                        "convert the file (iconv -f latin1 -t utf8)",
                        path,
                        number,
                        skipped,
                    )
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(
                f"{path}: ends early or is damaged after line {number} ({error}): fetch or copy it again"
            ) from error


def skip_or_raise(
    reason: str, remedy: str, path: Path, line: int, skipped: Skipped | None
) -> None:
    """Note a bad line in `skipped`; without it, or if it is strict, raise a ValueError."""
    if skipped is None:
        raise ValueError(f"{path}:{line}: {reason}: {remedy}")
    if skipped.strict:
        raise ValueError(f"{path}:{line}: {reason}: {remedy}, or set {skipped.var} to skip-bad")
    skipped.add(reason, str(path), line)


def read_jsonl(
    path: Path, skipped: Skipped | None = None, bar: Any = None
) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line number, object) of a JSONL file; empty lines don't count.

    Raises:
        ValueError: "FILE:LINE: broken JSON ...", "FILE:LINE: not an object ..." unless `skipped` takes note.
    """
    for number, line in read_lines(path, skipped, bar):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            skip_or_raise("broken JSON", "fix the line", path, number, skipped)
            continue
        if isinstance(record, dict):
            yield number, record
        else:
            skip_or_raise(
                "not an object", 'each line should look like {"text": "..."}', path, number, skipped
            )


def read_texts(path: Path, skipped: Skipped | None = None, bar: Any = None) -> Iterator[Text]:
    """Raw texts of a file or a folder, one at a time.

    Args:
        path: .jsonl, .jsonl.gz, .txt (a text a line), .txt.gz, .spacy, or a folder of them.
        skipped: takes note of bad lines, which are then left out.
        bar: a progress bar over bytes.

    Raises:
        ValueError: "FILE:LINE: ...", for a bad line without `skipped`.
    """
    for file in source_files(path):
        name = str(file)
        if name.endswith(".spacy"):
            for number, doc in enumerate(read_docs(file, spacy.blank("xx")), start=1):
                yield Text(doc.text, name, number)
        elif name.endswith((".txt", ".txt.gz")):
            for number, line in read_lines(file, skipped, bar):
                if line.strip():
                    yield Text(line, name, number)
        else:
            for number, record in read_jsonl(file, skipped, bar):
                if isinstance(record.get("text"), str):
                    yield Text(record["text"], name, number)
                else:
                    skip_or_raise(
                        'no "text"',
                        'each line needs a "text" that is a string',
                        file,
                        number,
                        skipped,
                    )


def read_docs(path: Path, nlp: Language) -> Iterator[Doc]:
    """Docs of a .spacy file, or of all in a folder.

    Raises:
        ValueError: "FILE: not a DocBin ...", when it is damaged.
    """
    for file in source_files(path, (".spacy",)):
        try:
            docs = DocBin().from_disk(file)
        except Exception as error:  # zlib, msgpack and numpy each raise their own on damaged bytes
            raise ValueError(
                f"{file}: not a DocBin, or a damaged one: make it again ({type(error).__name__})"
            ) from error
        yield from docs.get_docs(nlp.vocab)


def write_docs(path: Path, docs: Iterable[Doc]) -> int:
    """Write Docs to a .spacy file in one step. Returns how many."""
    docbin = DocBin(attrs=DOC_ATTRS, docs=docs)
    write_bytes(path, docbin.to_bytes())
    return len(docbin)


def read_annotated(path: Path, nlp: Language, rejected: Skipped) -> Iterator[Doc]:
    """Docs with gold entities, from Prodigy JSONL, .spacy, or CoNLL/IOB (.conll, .iob, .tsv).

    Args:
        path: the file, or a folder.
        nlp: its tokenizer cuts the texts; tokens of .spacy and CoNLL files are kept.
        rejected: takes note of each span that does not fit the tokens, with its text and offsets.

    Raises:
        ValueError: "FILE:LINE: ...", for a line that is no gold text.
    """
    for file in source_files(path, (".jsonl", ".jsonl.gz", ".spacy", *CONLL_SUFFIXES)):
        if file.name.endswith(".spacy"):
            yield from read_docs(file, nlp)
        elif file.name.endswith(CONLL_SUFFIXES):
            yield from _read_conll(file, nlp)
        else:
            yield from _read_prodigy(file, nlp, rejected)


def _read_conll(path: Path, nlp: Language) -> Iterator[Doc]:
    sentences: list[list[str]] = [[]]
    for number, line in read_lines(path):
        if not line.strip() or line.startswith("-DOCSTART-"):
            sentences.append([])
            continue
        columns = line.split()
        inline = [found.groups() for found in map(_INLINE.fullmatch, columns) if found]
        if len(inline) == len(columns):  # spaCy's .iob: a sentence a line, word|tag or word|pos|tag
            sentences += [[f"{word} {tag}" for word, tag in inline], []]
            continue
        if len(columns) < 2 or not _TAG.fullmatch(columns[-1]):
            raise ValueError(
                f"{path}:{number}: not CoNLL: each line should be a word, white space and a tag such as B-ORG or O"
            )
        sentences[-1].append(f"{columns[0]} {columns[-1]}")
    for lines in filter(None, sentences):
        for doc in conll_ner_to_docs("\n".join(lines) + "\n\n", n_sents=0, no_print=True):
            words = [token.text for token in doc]
            known = Doc(nlp.vocab, words=words, spaces=[bool(token.whitespace_) for token in doc])
            known.set_ents([Span(known, ent.start, ent.end, label=ent.label_) for ent in doc.ents])
            yield known


def _read_prodigy(path: Path, nlp: Language, rejected: Skipped) -> Iterator[Doc]:
    for number, record in read_jsonl(path):
        text, spans = record.get("text"), record.get("spans", [])
        if not isinstance(text, str) or not isinstance(spans, list):
            raise ValueError(
                f'{path}:{number}: no gold text: each line needs a "text" and a list of "spans"'
            )
        if record.get("answer", "accept") != "accept":
            rejected.add(f"answer is {record['answer']}", str(path), number)
        elif why_unreadable(text, nlp):
            rejected.add("text can't be processed", str(path), number)
        else:
            yield _with_spans(nlp.make_doc(text), spans, path, number, rejected)


def _with_spans(
    doc: Doc, spans: list[dict[str, Any]], path: Path, line: int, rejected: Skipped
) -> Doc:
    found: list[Span] = []
    for span in spans:
        if not isinstance(span, dict) or not all(
            isinstance(span.get(key), kind)
            for key, kind in (("start", int), ("end", int), ("label", str))
        ):
            raise ValueError(
                f'{path}:{line}: a span needs a "start", an "end" (characters) and a "label": {span}'
            )
        start, end, label = span["start"], span["end"], span["label"]
        piece = (
            doc.char_span(start, end, label=label) if 0 <= start < end <= len(doc.text) else None
        )
        details = {
            "start": start,
            "end": end,
            "label": label,
            "span": doc.text[max(start, 0) : max(end, 0)],
            "text": doc.text,
        }
        if piece is None:
            rejected.add("span does not fit the tokens", str(path), line, **details)
        elif piece[0].is_space or piece[-1].is_space:
            rejected.add("span begins or ends with white space", str(path), line, **details)
        elif span.get("text", piece.text) != piece.text:
            rejected.add("span's offsets and text differ", str(path), line, **details)
        else:
            found.append(piece)
    kept = filter_spans(found)
    for piece in found:
        if piece not in kept:
            rejected.add(
                "span overlaps another",
                str(path),
                line,
                start=piece.start_char,
                end=piece.end_char,
                label=piece.label_,
                span=piece.text,
            )
    doc.set_ents(kept)
    return doc


def has_half_pair(text: str) -> bool:
    """Whether a string can't be written: JSON may spell half of a surrogate pair."""
    try:
        text.encode("utf8")
    except UnicodeEncodeError:
        return True
    return False


def why_unreadable(text: str, nlp: Language) -> str | None:
    """The reason to set a text aside, or None."""
    if not text.strip():
        return "empty"
    if len(text) > nlp.max_length:
        return f"longer than {nlp.max_length} characters"
    return HALF_PAIR if has_half_pair(text) else None
