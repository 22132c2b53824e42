"""Read raw texts, texts with labelled spans, and DocBins.

Every reader names the file and the line of what it cannot read.
"""

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
    """What was left out, as records that can be written to a file, and counts by reason.

    Args:
        records: a record for each line, span or text that was left out.
        strict: stop at the first bad line instead.
        var: the var that decides this ("vars.NOUN.bad_lines"), for the error message.
    """

    records: list[dict[str, Any]] = field(default_factory=list)
    strict: bool = False
    var: str = ""

    def add(self, reason: str, file: str, line: int, **details: Any) -> None:
        self.records.append({"reason": reason, "file": file, "line": line, **details})

    def counts(self) -> dict[str, int]:
        return dict(sorted(Counter(record["reason"] for record in self.records).items()))


def text_key(text: str) -> bytes:
    """A hash (8 bytes) that is equal for two texts that differ only in case and white space.

    All white space is removed: CoNLL files hold words, and "nice , really" is "nice, really".
    """
    letters = "".join(text.casefold().split())
    return hashlib.blake2b(letters.encode("utf8", "surrogatepass"), digest_size=8).digest()


def source_files(path: Path, suffixes: tuple[str, ...] = TEXT_SUFFIXES) -> list[Path]:
    """The files behind a path: the file itself, or the files of a folder, sorted by name.

    Args:
        path: a file, or a folder, which is searched for files with the suffixes.
        suffixes: of the files that can be read.

    Raises:
        ValueError: "... does not exist", "no file to read in ..." or "don't know how to read ...".
    """
    if not path.exists():
        remedy = "check the path (relative paths start in the project's folder)"
        raise ValueError(f"{path} does not exist: {remedy}")
    kinds = ", ".join(suffixes)
    if path.is_dir():
        visible = (file for file in path.rglob("*") if not file.name.startswith("."))
        files = sorted(file for file in visible if file.name.endswith(suffixes))
        if not files:
            raise ValueError(f"no file to read in {path}: it should hold {kinds}")
        return files
    if not path.name.endswith(suffixes):
        raise ValueError(f"don't know how to read {path}: give one of {kinds}, or a folder of them")
    return [path]


@contextmanager
def _open(path: Path) -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """(the bytes of a file, decompressed if it is gzipped; the raw file, to measure progress)."""
    with path.open("rb") as raw:
        if path.suffix == ".gz":
            with gzip.GzipFile(fileobj=raw) as unpacked:
                yield unpacked, raw  # type: ignore[misc]
        else:
            yield raw, raw


def _with_progress(stream: BinaryIO, raw: BinaryIO, bar: Any) -> Iterator[bytes]:
    """The lines of a stream; the bar follows the position in the raw file."""
    position = 0
    for line in stream:
        if raw.tell() != position:
            bar.update(raw.tell() - position)
            position = raw.tell()
        yield line


def read_lines(
    path: Path, skipped: Skipped | None = None, bar: Any = None
) -> Iterator[tuple[int, str]]:
    """(line number, line) of a UTF-8 text file, gzipped or not, with or without a byte order mark.

    Args:
        path: the file.
        skipped: collects bad lines; None to stop at the first.
        bar: a progress bar over bytes.

    Raises:
        ValueError: "FILE:LINE: not UTF-8 ...", for a bad line that is not skipped;
            "FILE: ends early ...".
    """
    number = 0
    with _open(path) as (stream, raw):
        lines = stream if bar is None else _with_progress(stream, raw, bar)
        try:
            for number, line in enumerate(lines, start=1):
                try:
                    text = line.decode("utf-8-sig" if number == 1 else "utf8")
                except UnicodeDecodeError:
                    remedy = "convert the file (iconv -f latin1 -t utf8)"
                    reject_line("not UTF-8", remedy, path, number, skipped)
                    continue
                yield number, text.rstrip("\r\n")
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            reason = f"ends early or is damaged after line {number} ({error})"
            raise ValueError(f"{path}: {reason}: fetch or copy it again") from error


def reject_line(reason: str, remedy: str, path: Path, line: int, skipped: Skipped | None) -> None:
    """Count a bad line as skipped, or raise an error if lines may not be skipped."""
    if skipped is None:
        raise ValueError(f"{path}:{line}: {reason}: {remedy}")
    if skipped.strict:
        raise ValueError(f"{path}:{line}: {reason}: {remedy}, or set {skipped.var} to skip-bad")
    skipped.add(reason, str(path), line)


def read_jsonl(
    path: Path, skipped: Skipped | None = None, bar: Any = None
) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line number, object) of a JSONL file; empty lines are ignored. Arguments as `read_lines`.

    Raises:
        ValueError: "FILE:LINE: broken JSON ...", "FILE:LINE: not an object ..." for a bad line
            that is not skipped.
    """
    for number, line in read_lines(path, skipped, bar):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            reject_line("broken JSON", "fix the line", path, number, skipped)
            continue
        if isinstance(record, dict):
            yield number, record
        else:
            remedy = 'each line should look like {"text": "..."}'
            reject_line("not an object", remedy, path, number, skipped)


def read_texts(path: Path, skipped: Skipped | None = None, bar: Any = None) -> Iterator[Text]:
    """Raw texts of a file or a folder, one at a time.

    Args:
        path: .jsonl, .jsonl.gz, .txt (one text per line), .txt.gz, .spacy, or a folder of them.
        skipped: collects bad lines; None to stop at the first.
        bar: a progress bar over bytes.

    Raises:
        ValueError: "FILE:LINE: ...", for a bad line that is not skipped.
    """
    for file in source_files(path):
        if file.name.endswith(".spacy"):
            for number, doc in enumerate(read_docs(file, spacy.blank("xx")), start=1):
                yield Text(doc.text, str(file), number)
        elif file.name.endswith((".txt", ".txt.gz")):
            for number, line in read_lines(file, skipped, bar):
                if line.strip():
                    yield Text(line, str(file), number)
        else:
            yield from _read_jsonl_texts(file, skipped, bar)


def _read_jsonl_texts(path: Path, skipped: Skipped | None, bar: Any) -> Iterator[Text]:
    for number, record in read_jsonl(path, skipped, bar):
        if isinstance(record.get("text"), str):
            yield Text(record["text"], str(path), number)
        else:
            remedy = 'each line needs a "text" that is a string'
            reject_line('no "text"', remedy, path, number, skipped)


def read_docs(path: Path, nlp: Language) -> Iterator[Doc]:
    """Docs of a .spacy file, or of all in a folder.

    Raises:
        ValueError: "FILE: not a DocBin ...", if it is damaged.
    """
    for file in source_files(path, (".spacy",)):
        try:
            docs = DocBin().from_disk(file)
        # zlib, msgpack and numpy each raise their own exception on damaged bytes
        except Exception as error:
            reason = f"not a DocBin, or a damaged one: make it again ({type(error).__name__})"
            raise ValueError(f"{file}: {reason}") from error
        yield from docs.get_docs(nlp.vocab)


def write_docs(path: Path, docs: Iterable[Doc]) -> int:
    """Write Docs to a .spacy file in one step. Returns how many."""
    docbin = DocBin(attrs=DOC_ATTRS, docs=docs)
    write_bytes(path, docbin.to_bytes())
    return len(docbin)


def read_annotated(path: Path, nlp: Language, rejected: Skipped) -> Iterator[Doc]:
    """Docs with hand-labelled entities: Prodigy JSONL, .spacy, or CoNLL/IOB (.conll, .iob, .tsv).

    Args:
        path: the file, or a folder.
        nlp: its tokenizer splits the texts; tokens of .spacy and CoNLL files are kept.
        rejected: collects each span that does not fit the tokens, with its text and offsets.

    Raises:
        ValueError: "FILE:LINE: ...", for a line that is not an annotated text.
    """
    for file in source_files(path, (".jsonl", ".jsonl.gz", ".spacy", *CONLL_SUFFIXES)):
        if file.name.endswith(".spacy"):
            yield from read_docs(file, nlp)
        elif file.name.endswith(CONLL_SUFFIXES):
            yield from _read_conll(file, nlp)
        else:
            yield from _read_prodigy(file, nlp, rejected)


def _read_conll(path: Path, nlp: Language) -> Iterator[Doc]:
    for lines in filter(None, _conll_sentences(path)):
        for doc in conll_ner_to_docs("\n".join(lines) + "\n\n", n_sents=0, no_print=True):
            yield _with_vocab(doc, nlp)


def _conll_sentences(path: Path) -> list[list[str]]:
    """The sentences of a CoNLL or IOB file, each as lines "word tag"; some are empty."""
    sentences: list[list[str]] = [[]]
    for number, line in read_lines(path):
        columns = line.split()
        inline = [match.groups() for match in map(_INLINE.fullmatch, columns) if match]
        if not columns or line.startswith("-DOCSTART-"):
            sentences.append([])
        elif len(inline) == len(columns):  # spaCy's .iob: one sentence per line, word|pos|tag
            sentences += [[f"{word} {tag}" for word, tag in inline], []]
        elif len(columns) > 1 and _TAG.fullmatch(columns[-1]):
            sentences[-1].append(f"{columns[0]} {columns[-1]}")
        else:
            remedy = "each line should be a word, white space and a tag such as B-ORG or O"
            raise ValueError(f"{path}:{number}: not CoNLL: {remedy}")
    return sentences


def _with_vocab(doc: Doc, nlp: Language) -> Doc:
    """A copy of a Doc's words, white space and entities with the vocab of a pipeline."""
    words = [token.text for token in doc]
    copy = Doc(nlp.vocab, words=words, spaces=[bool(token.whitespace_) for token in doc])
    copy.set_ents([Span(copy, ent.start, ent.end, label=ent.label_) for ent in doc.ents])
    return copy


def _read_prodigy(path: Path, nlp: Language, rejected: Skipped) -> Iterator[Doc]:
    for number, record in read_jsonl(path):
        text, spans = record.get("text"), record.get("spans", [])
        if not isinstance(text, str) or not isinstance(spans, list):
            remedy = 'each line needs a "text" and a list of "spans"'
            raise ValueError(f"{path}:{number}: not an annotated text: {remedy}")
        if record.get("answer", "accept") != "accept":
            rejected.add(f"answer is {record['answer']}", str(path), number)
        elif why_unreadable(text, nlp):
            rejected.add("text can't be processed", str(path), number)
        else:
            yield _with_spans(nlp.make_doc(text), spans, path, number, rejected)


def _with_spans(doc: Doc, records: list[Any], path: Path, line: int, rejected: Skipped) -> Doc:
    """The Doc with the spans of a Prodigy record as its entities, as far as they fit."""
    spans: list[Span] = []
    for record in records:
        _check_span(record, path, line)
        span, reason = _char_span(doc, record)
        if span is None or reason:
            start, end = record["start"], record["end"]
            details = {"start": start, "end": end, "label": record["label"]}
            details["span"] = doc.text[max(start, 0) : max(end, 0)]
            rejected.add(reason, str(path), line, **details, text=doc.text)
        else:
            spans.append(span)
    kept = filter_spans(spans)
    for span in spans:
        if span not in kept:
            details = {"start": span.start_char, "end": span.end_char, "label": span.label_}
            rejected.add("span overlaps another", str(path), line, **details, span=span.text)
    doc.set_ents(kept)
    return doc


def _check_span(record: Any, path: Path, line: int) -> None:
    kinds = {"start": int, "end": int, "label": str}
    if not isinstance(record, dict) or not all(
        isinstance(record.get(key), kind) for key, kind in kinds.items()
    ):
        needs = 'a span needs a "start", an "end" (characters) and a "label"'
        raise ValueError(f"{path}:{line}: {needs}: {record}")


def _char_span(doc: Doc, record: dict[str, Any]) -> tuple[Span | None, str]:
    """(the span of a Prodigy record, why it is to be rejected or "")."""
    start, end = record["start"], record["end"]
    inside = 0 <= start < end <= len(doc.text)
    span = doc.char_span(start, end, label=record["label"]) if inside else None
    if span is None:
        return None, "span does not fit the tokens"
    if span[0].is_space or span[-1].is_space:
        return span, "span begins or ends with white space"
    if record.get("text", span.text) != span.text:
        return span, "span's offsets and text differ"
    return span, ""


def has_half_pair(text: str) -> bool:
    """Whether a string cannot be encoded: JSON may hold half of a surrogate pair."""
    try:
        text.encode("utf8")
    except UnicodeEncodeError:
        return True
    return False


def why_unreadable(text: str, nlp: Language) -> str | None:
    """The reason why a pipeline cannot process a text, or None."""
    if not text.strip():
        return "empty"
    if len(text) > nlp.max_length:
        return f"longer than {nlp.max_length} characters"
    return HALF_PAIR if has_half_pair(text) else None
