"""Read labelled texts: JSONL, CSV, TSV, DocBin, or a folder or a file for each class."""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import spacy

from scripts.reading import Skipped, read_docs, read_jsonl, reject_line, source_files

TABLE_SUFFIXES = (".csv", ".tsv")
SUFFIXES = (".jsonl", ".jsonl.gz", ".spacy", *TABLE_SUFFIXES)
MAX_FIELD = 2**24  # characters of a field in a CSV file


@dataclass(frozen=True)
class Labelled:
    """A text with its labels, and where it came from.

    Args:
        text: the text.
        cats: for each label whether the text has it.
        whole: whether the text has no other labels; if False, nothing is known about those.
        file: where the text was read.
        line: its number, from 1.
    """

    text: str
    cats: dict[str, bool]
    whole: bool
    file: str
    line: int

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that the text has, sorted."""
        return tuple(sorted(label for label, holds in self.cats.items() if holds))


class UnusableError(Exception):
    """A line that is not a labelled text, or bytes that are not text.

    Args:
        reason: what is wrong.
        remedy: what to do about it.
        line: where in the file, if the reader of the file does not know.
    """

    def __init__(self, reason: str, remedy: str, line: int = 0) -> None:
        super().__init__(reason)
        self.reason, self.remedy, self.line = reason, remedy, line


def read_labelled(
    path: Path,
    skipped: Skipped | None = None,
    *,
    text_field: str = "text",
    label_field: str = "label",
    encoding: str = "utf8",
) -> Iterator[Labelled]:
    """Labelled texts of a file or a folder, one at a time.

    Args:
        path: .jsonl, .jsonl.gz, .csv, .tsv, .spacy or a folder of them; a folder with a folder for
            each class, whose files are texts; or a folder with a file for each class, whose lines
            are texts, called LABEL.txt or NAME.LABEL (rt-polarity.pos).
        skipped: takes note of bad lines, which are then left out.
        text_field: the key or column of the text.
        label_field: the key or column of the label, a string or a list of strings. JSON lines
            without it may have "cats": {label: 0 or 1}.
        encoding: of .csv and .tsv files, and of folders and files for each class.

    Raises:
        ValueError: "FILE:LINE: ...", for a bad line without `skipped`; "FILE: no column ...";
            "no labelled text in ..."; "... does not exist".
    """
    if path.is_dir() and not any(file.name.endswith(SUFFIXES) for file in path.rglob("*")):
        yield from _read_classes(path, skipped, encoding)
        return
    for file in source_files(path, SUFFIXES):
        if file.suffix == ".spacy":
            yield from _read_docbin(file)
        elif file.suffix in TABLE_SUFFIXES:
            rows = _read_table(file, (text_field, label_field), encoding)
            yield from _to_texts(rows, file, text_field, label_field, skipped)
        else:
            lines = read_jsonl(file, skipped)
            yield from _to_texts(lines, file, text_field, label_field, skipped)


def _read_docbin(file: Path) -> Iterator[Labelled]:
    for number, doc in enumerate(read_docs(file, spacy.blank("xx")), start=1):
        cats = {label: value >= 0.5 for label, value in doc.cats.items()}
        yield Labelled(doc.text, cats, False, str(file), number)


def _to_texts(
    rows: Iterator[tuple[int, dict[str, Any]]],
    file: Path,
    text_field: str,
    label_field: str,
    skipped: Skipped | None,
) -> Iterator[Labelled]:
    """The texts of a file's rows; bad rows are noted or raise."""
    for number, row in rows:
        try:
            text = _text_of(row, text_field)
            cats, whole = _cats_of(row, label_field)
        except UnusableError as error:
            reject_line(error.reason, error.remedy, file, number, skipped)
            continue
        yield Labelled(text, cats, whole, str(file), number)


def _text_of(row: Mapping[str, Any], text_field: str) -> str:
    text = row.get(text_field)
    if not isinstance(text, str):
        raise UnusableError(f'no "{text_field}"', "each line needs one that is a string")
    return text


def _cats_of(row: Mapping[str, Any], label_field: str) -> tuple[dict[str, bool], bool]:
    """(whether the text has each label, whether it has no others)."""
    label, cats = row.get(label_field), row.get("cats")
    if isinstance(cats, dict) and cats and label is None:
        if not all(value in (0, 1) for value in cats.values()):
            reason = '"cats" with another value than 0 and 1'
            raise UnusableError(reason, "give 1 to the labels that the text has, 0 to the others")
        return {name: bool(value) for name, value in cats.items()}, False
    labels = label if isinstance(label, list) else [label]
    if not all(isinstance(name, str) and name.strip() for name in labels):
        remedy = f'each line needs a "{label_field}" (a string or a list of strings) or "cats"'
        raise UnusableError("no label", remedy)
    return dict.fromkeys(labels, True), True


def _decode(data: bytes, encoding: str) -> str:
    """Bytes of a file as text.

    Raises:
        ValueError: "no encoding called ...".
        UnusableError: "not ENCODING", if the bytes are in another encoding.
    """
    is_utf8 = encoding.lower() in ("utf8", "utf-8")
    try:
        return data.decode("utf-8-sig" if is_utf8 else encoding)
    except LookupError:
        remedy = "set vars.textcat.encoding to one such as utf8 or latin-1"
        raise ValueError(f"no encoding called {encoding!r}: {remedy}") from None
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        remedy = "give its encoding by vars.textcat.encoding (latin-1?)"
        raise UnusableError(f"not {encoding}", remedy, line) from None


def _read_text(file: Path, encoding: str) -> str:
    """The text of a file.

    Raises:
        ValueError: "FILE:LINE: not ENCODING ...".
    """
    try:
        return _decode(file.read_bytes(), encoding)
    except UnusableError as error:
        raise ValueError(f"{file}:{error.line}: {error.reason}: {error.remedy}") from None


def _read_table(
    file: Path, fields: tuple[str, str], encoding: str
) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line number, row) of a CSV or TSV file."""
    csv.field_size_limit(MAX_FIELD)
    stream = io.StringIO(_read_text(file, encoding), newline="")
    dialect = "excel-tab" if file.suffix == ".tsv" else "excel"
    reader = csv.DictReader(stream, dialect=dialect, strict=True)
    try:
        _check_columns(file, reader.fieldnames or [], fields)
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise ValueError(f"{file}:{reader.line_num}: not a table: {error}") from None


def _check_columns(file: Path, columns: Any, fields: tuple[str, str]) -> None:
    for field in fields:
        if field not in columns:
            present = ", ".join(columns) or "none"
            raise ValueError(
                f"{file}: no column {field!r} (there is {present}): "
                "set vars.textcat.text_field and vars.textcat.label_field to columns of the file"
            )


def _read_classes(path: Path, skipped: Skipped | None, encoding: str) -> Iterator[Labelled]:
    """The texts of a folder with a folder or a file for each class."""
    entries = [entry for entry in sorted(path.iterdir()) if not entry.name.startswith(".")]
    folders = [entry for entry in entries if entry.is_dir()]
    files = [entry for entry in entries if entry.is_file() and entry.suffix]
    if folders:
        texts = _read_class_folders(folders, skipped, encoding)
    else:
        texts = _read_class_files(files, encoding)
    first = next(texts, None)
    if first is None:
        kinds = f"{', '.join(SUFFIXES)}, or a folder or a file for each class"
        raise ValueError(f"no labelled text in {path}: it should hold {kinds}")
    yield first
    yield from texts


def _read_class_folders(
    folders: list[Path], skipped: Skipped | None, encoding: str
) -> Iterator[Labelled]:
    """Each file is a text; its label is the name of the folder."""
    for folder in folders:
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            try:
                text = _decode(file.read_bytes(), encoding)
            except UnusableError as error:
                reject_line(error.reason, error.remedy, file, error.line, skipped)
                continue
            yield Labelled(text, {folder.name: True}, True, str(file), 1)


def _read_class_files(files: list[Path], encoding: str) -> Iterator[Labelled]:
    """Each line is a text; its label is the name of the file."""
    for file in files:
        label = file.stem if file.suffix == ".txt" else file.suffix[1:]
        for number, line in enumerate(_read_text(file, encoding).split("\n"), start=1):
            if line.strip():
                yield Labelled(line.strip(), {label: True}, True, str(file), number)
