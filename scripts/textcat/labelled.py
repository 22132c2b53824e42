"""Read labelled texts: JSONL, CSV, TSV, DocBin, or a folder for each class."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import spacy

from scripts.reading import Skipped, read_docs, read_jsonl, source_files

TABLES = (".csv", ".tsv")
RECORDS = (".jsonl", ".jsonl.gz", ".spacy", *TABLES)
LONGEST_FIELD = 2**24  # characters of a field in a CSV file


@dataclass(frozen=True)
class Labelled:
    """A text with what is known of its labels, and where it came from."""

    text: str
    cats: dict[
        str, bool
    ]  # label -> whether it holds; a label that is not there is unknown where `whole` is False
    whole: bool  # whether labels that are not there do not hold
    file: str
    line: int

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that hold, sorted."""
        return tuple(sorted(label for label, holds in self.cats.items() if holds))


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
        path: .jsonl, .jsonl.gz, .csv, .tsv, .spacy or a folder of them; a folder with a folder for each class (a text a file); or
            a folder with a file for each class (a text a line), called LABEL.txt or NAME.LABEL as in rt-polarity.pos.
        skipped: takes note of bad lines, which are then left out.
        text_field: the key or column of the text.
        label_field: the key or column of the label: a string, or a list of strings; "cats" ({label: 0 or 1}) is read too.
        encoding: of .csv, .tsv and the files of a folder for each class.

    Raises:
        ValueError: "FILE:LINE: ...", for a bad line without `skipped`; "FILE: no column ..."; "... does not exist".
    """
    if path.is_dir() and not any(file.name.endswith(RECORDS) for file in path.rglob("*")):
        yield from _read_classes(path, skipped, encoding)
        return
    for file in source_files(path, RECORDS):
        if file.suffix == ".spacy":
            for number, doc in enumerate(read_docs(file, spacy.blank("xx")), start=1):
                yield Labelled(
                    doc.text,
                    {label: value >= 0.5 for label, value in doc.cats.items()},
                    False,
                    str(file),
                    number,
                )
        else:
            rows = (
                _read_table(file, text_field, label_field, encoding)
                if file.suffix in TABLES
                else read_jsonl(file, skipped)
            )
            for number, row in rows:
                try:
                    yield _labelled(row, text_field, label_field, str(file), number)
                except ValueError as error:
                    _skip_or_raise(str(error), file, number, skipped)


def _skip_or_raise(reason: str, file: Path, line: int, skipped: Skipped | None) -> None:
    if skipped is None:
        raise ValueError(f"{file}:{line}: {reason}, or pass --skip-bad")
    skipped.add(reason.split(":")[0], str(file), line)


def _labelled(
    row: dict[str, Any], text_field: str, label_field: str, file: str, line: int
) -> Labelled:
    text, label, cats = row.get(text_field), row.get(label_field), row.get("cats")
    if not isinstance(text, str):
        raise ValueError(f'no "{text_field}": each line needs one that is a string')
    if isinstance(cats, dict) and cats and label is None:
        if not all(value in (0, 1) for value in cats.values()):
            raise ValueError(
                '"cats" with another value than 0 and 1: say of each label whether it holds'
            )
        return Labelled(
            text, {name: bool(value) for name, value in cats.items()}, False, file, line
        )
    labels = [label] if isinstance(label, str) else label
    if not isinstance(labels, list) or not all(
        isinstance(name, str) and name.strip() for name in labels
    ):
        raise ValueError(
            f'no label: each line needs a "{label_field}" (a string or a list of strings) or "cats"'
        )
    return Labelled(text, dict.fromkeys(labels, True), True, file, line)


def _decode(data: bytes, file: Path, encoding: str) -> str:
    try:
        return data.decode("utf-8-sig" if encoding.lower() in ("utf8", "utf-8") else encoding)
    except LookupError:
        raise ValueError(
            f"no encoding called {encoding!r}: vars.textcat.encoding is one such as utf8 or latin-1"
        ) from None
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"{file}:{line}: not {encoding}: give its encoding by vars.textcat.encoding (latin-1?)"
        ) from None


def _read_table(
    file: Path, text_field: str, label_field: str, encoding: str
) -> Iterator[tuple[int, dict[str, Any]]]:
    csv.field_size_limit(LONGEST_FIELD)
    stream = io.StringIO(_decode(file.read_bytes(), file, encoding), newline="")
    reader = csv.DictReader(
        stream, dialect="excel-tab" if file.suffix == ".tsv" else "excel", strict=True
    )
    try:
        for field in (text_field, label_field):
            if field not in (reader.fieldnames or []):
                there = ", ".join(reader.fieldnames or []) or "none"
                raise ValueError(
                    f"{file}: no column {field!r} (there is {there}): name it by vars.textcat.text_field or label_field"
                )
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise ValueError(f"{file}:{reader.line_num}: not a table: {error}") from None


def _read_classes(path: Path, skipped: Skipped | None, encoding: str) -> Iterator[Labelled]:
    folders = sorted(
        folder for folder in path.iterdir() if folder.is_dir() and not folder.name.startswith(".")
    )
    found = False
    for file in sorted(file for folder in folders for file in folder.rglob("*") if file.is_file()):
        try:
            text = _decode(file.read_bytes(), file, encoding)
        except ValueError as error:
            if skipped is None:
                raise
            skipped.add(str(error).rpartition(": give")[0].rpartition(": ")[2], str(file), 1)
            continue
        found = True
        yield Labelled(text, {file.relative_to(path).parts[0]: True}, True, str(file), 1)
    for file in (
        [] if folders else sorted(file for file in path.iterdir() if file.is_file() and file.suffix)
    ):
        label = file.stem if file.suffix == ".txt" else file.suffix[1:]
        for number, line in enumerate(
            _decode(file.read_bytes(), file, encoding).split("\n"), start=1
        ):
            if line.strip():
                found = True
                yield Labelled(line.strip(), {label: True}, True, str(file), number)
    if not found:
        raise ValueError(
            f"no labelled text in {path}: it should hold {', '.join(RECORDS)}, or a folder or a file for each class"
        )
