"""Read the log of a training: spaCy's JSONL, that of `textgen`, a Keras history (JSON) or what Keras' CSVLogger writes."""

import csv
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from scripts.doctor.case import Curve

BETTER_IF_HIGHER = (
    "acc",
    "auc",
    "f1",
    "fscore",
    "precision",
    "recall",
)  # parts of the names of Keras' metrics
NOT_A_LOG = "not a training log: give spaCy's JSONL, a Keras history as JSON, or the CSV of Keras' CSVLogger"


def read_log(path: Path) -> Curve:
    """The log of a training, by what is in it. Where it ends within a line, the lines before count.

    Raises:
        ValueError: "... does not exist ...", "... is empty ...", "... not a training log ...", "FILE:LINE: broken ...".
    """
    if not path.is_file():
        raise ValueError(f"{path} does not exist: give the log of a training by --log")
    text = path.read_bytes().decode("utf-8-sig", "replace")
    if not text.strip():
        raise ValueError(
            f"{path} is empty: the training wrote no evaluation, look at what it printed"
        )
    notes: list[str] = []
    try:
        if path.suffix == ".csv":
            curve = _keras(_csv_lines(text, notes), notes)
        elif path.suffix == ".json":
            curve = _keras(_history_lines(json.loads(text)), notes)
        else:
            lines = _json_lines(path, text, notes)
            curve = _spacy(lines, notes) if "losses" in lines[0] else _keras(lines, notes)
    except (
        KeyError,
        TypeError,
        AttributeError,
        IndexError,
        ValueError,
        OverflowError,
        RecursionError,
    ) as error:
        told = str(error)
        raise ValueError(
            told
            if told.startswith(str(path))
            else f"{path}: {NOT_A_LOG} ({type(error).__name__}: {told[:80]})"
        ) from None
    if not curve.steps or not curve.losses:
        raise ValueError(f"{path}: {NOT_A_LOG}")
    return curve


def _json_lines(path: Path, text: str, notes: list[str]) -> list[dict[str, Any]]:
    lines = [
        (number, line) for number, line in enumerate(text.splitlines(), start=1) if line.strip()
    ]
    found: list[dict[str, Any]] = []
    for number, line in lines:
        try:
            record = json.loads(line)  # srsly's reader does not know NaN
        except json.JSONDecodeError:
            if number < lines[-1][0]:
                raise ValueError(
                    f"{path}:{number}: broken JSON in the middle of the log: {NOT_A_LOG}"
                ) from None
            notes.append(
                f"the log ends within line {number}: the {len(found)} lines before it count"
            )
            continue
        if not isinstance(record, dict):
            raise ValueError(f"{path}:{number}: {NOT_A_LOG}")
        found.append(record)
    if not found:
        raise ValueError(f"{path}: {NOT_A_LOG}")
    return found


def _csv_lines(text: str, notes: list[str]) -> list[dict[str, Any]]:
    lines = text.splitlines()
    if not text.endswith("\n"):  # CSVLogger ends each line, so that the last number may be cut
        notes.append(
            f"the log ends within line {len(lines)}: the {max(len(lines) - 2, 0)} epochs before it count"
        )
        lines.pop()
    try:
        return [
            {name: float(value) for name, value in row.items()} for row in csv.DictReader(lines)
        ]
    except ValueError as error:
        raise TypeError(error) from None


def _history_lines(history: Any) -> list[dict[str, Any]]:
    """The lines of `History.history`, or of a whole History with its epochs."""
    history = history.get("history", history)
    epochs = history.get("epoch", range(len(history["loss"])))
    return [
        {"epoch": epoch, **{name: values[i] for name, values in history.items() if name != "epoch"}}
        for i, epoch in enumerate(epochs)
    ]


def _number(value: Any) -> float:
    """A number of a log; null is what JSON writers make of NaN."""
    if isinstance(value, str):
        raise TypeError(f"{value[:20]!r} is no number")
    return float("nan") if value is None else float(value)


def _spacy(lines: list[dict[str, Any]], notes: list[str]) -> Curve:
    return Curve(
        unit="step",
        steps=[int(line["step"]) for line in lines],
        losses=_columns((line["losses"] for line in lines), lines[0]["losses"]),
        # percent but for what is no share, which nothing here looks at
        scores={
            key: [value / 100 for value in values]
            for key, values in _columns(line["scores"] for line in lines).items()
        },
        score=[_number(line["score"]) for line in lines],
        notes=notes,
        first=1,
    )


def _columns(rows: Iterable[dict[str, Any]], keys: Iterable[str] = ()) -> dict[str, list[float]]:
    rows = list(rows)
    return {key: [_number(row[key]) for row in rows] for key in keys or rows[0]}


def _keras(lines: list[dict[str, Any]], notes: list[str]) -> Curve:
    numbers = (
        [key for key, value in lines[0].items() if value is None or isinstance(value, (int, float))]
        if lines
        else []
    )
    columns = _columns(lines, numbers) if numbers else {}
    scores = {
        name: values
        for name, values in columns.items()
        if name.startswith("val_") and any(key in name for key in BETTER_IF_HIGHER)
    }
    loss, dev_loss = ("train_bits", "dev_bits") if "train_bits" in columns else ("loss", "val_loss")
    unit: Literal["step", "epoch"] = "step" if "step" in columns else "epoch"
    return Curve(
        unit=unit,
        steps=[int(step) for step in columns.get(unit, range(len(lines)))],
        losses={loss: columns[loss]} if lines else {},
        dev_losses=columns.get(dev_loss, []),
        scores=scores,
        score=next(
            (values for name, values in scores.items() if "top" not in name),
            next(iter(scores.values()), []),
        ),
        notes=notes,
    )
