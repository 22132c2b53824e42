"""Read the log of a training: JSONL (spaCy's, or one with bits), or a Keras history (JSON, CSV)."""

import csv
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

from scripts.doctor.training_run import Curve

Row: TypeAlias = dict[str, Any]  # the values of one evaluation by their names

# parts of the names of Keras' metrics
HIGHER_IS_BETTER = ("acc", "auc", "f1", "fscore", "precision", "recall")
KINDS = "spaCy's JSONL, a Keras history as JSON, or the CSV of Keras' CSVLogger"
NOT_A_LOG = f"not a training log: give {KINDS}"
# the names of the losses on train and dev; the first pair that a log has counts
LOSS_NAMES = (("train_bits", "dev_bits"), ("loss", "val_loss"))
WRONG_CONTENT = (
    *(KeyError, TypeError, AttributeError, IndexError),
    *(ValueError, OverflowError, RecursionError),
)


class BadLineError(Exception):
    """A line of a log cannot be read.

    Args:
        number: of the line.
        reason: what is wrong with it.
    """

    def __init__(self, number: int, reason: str) -> None:
        super().__init__(number, reason)
        self.number = number
        self.reason = reason


def read_log(path: Path) -> Curve:
    """The log of a training; its content decides the format. An incomplete last line is ignored.

    Raises:
        ValueError: "... does not exist ...", "... is empty ...", "... not a training log ...",
            "FILE:LINE: ...".
    """
    if not path.is_file():
        raise ValueError(f"{path} does not exist: give the log of a training by --log")
    text = path.read_bytes().decode("utf-8-sig", "replace")
    if not text.strip():
        reason = "the training wrote no evaluation, look at what it printed"
        raise ValueError(f"{path} is empty: {reason}")
    try:
        curve = _to_curve(text, path.suffix)
    except BadLineError as error:
        raise ValueError(f"{path}:{error.number}: {error.reason}") from None
    except WRONG_CONTENT as error:
        detail = f"{type(error).__name__}: {str(error)[:80]}"
        raise ValueError(f"{path}: {NOT_A_LOG} ({detail})") from None
    if not curve.steps or not curve.losses:
        raise ValueError(f"{path}: {NOT_A_LOG}")
    return curve


def _to_curve(text: str, suffix: str) -> Curve:
    notes: list[str] = []
    if suffix == ".csv":
        return _from_keras(_csv_rows(text, notes), notes)
    if suffix == ".json":
        return _from_keras(_history_rows(json.loads(text)), notes)
    rows = _json_rows(text, notes)
    if not rows:
        return Curve("step", [], {})
    return _from_spacy(rows, notes) if "losses" in rows[0] else _from_keras(rows, notes)


def _json_rows(text: str, notes: list[str]) -> list[Row]:
    lines = [line for line in enumerate(text.splitlines(), start=1) if line[1].strip()]
    last, _ = lines[-1]
    rows: list[Row] = []
    for number, line in lines:
        try:
            row = json.loads(line)  # srsly's reader does not know NaN
        except json.JSONDecodeError:
            if number < last:
                reason = f"broken JSON in the middle of the log: {NOT_A_LOG}"
                raise BadLineError(number, reason) from None
            notes.append(f"line {number} is incomplete: only the {len(rows)} lines before it count")
            continue
        if not isinstance(row, dict):
            raise BadLineError(number, NOT_A_LOG)
        rows.append(row)
    return rows


def _csv_rows(text: str, notes: list[str]) -> list[Row]:
    lines = text.splitlines()
    if not text.endswith("\n"):  # CSVLogger ends each line: the last number may be incomplete
        n_epochs = max(len(lines) - 2, 0)
        note = f"line {len(lines)} is incomplete: only the {n_epochs} epochs before it count"
        notes.append(note)
        lines.pop()
    rows: list[Row] = []
    for row in csv.DictReader(lines):
        rows.append({name: float(value) for name, value in row.items()})
    return rows


def _history_rows(history: Any) -> list[Row]:
    """The epochs of `History.history`, or of a whole History with its epochs."""
    history = history.get("history", history)
    epochs = history.get("epoch", range(len(history["loss"])))
    rows: list[Row] = []
    for i, epoch in enumerate(epochs):
        values = {name: column[i] for name, column in history.items() if name != "epoch"}
        rows.append({"epoch": epoch, **values})
    return rows


def _number(value: Any) -> float:
    """A number of a log; JSON writers turn NaN into null."""
    if isinstance(value, str):
        raise TypeError(f"{value[:20]!r} is not a number")
    return float("nan") if value is None else float(value)


def _columns(rows: Sequence[Row], names: Iterable[str]) -> dict[str, list[float]]:
    columns: dict[str, list[float]] = {}
    for name in names:
        columns[name] = [_number(row[name]) for row in rows]
    return columns


def _from_spacy(rows: list[Row], notes: list[str]) -> Curve:
    losses = [row["losses"] for row in rows]
    scores = [row["scores"] for row in rows]
    percents = _columns(scores, scores[0])
    return Curve(
        unit="step",
        steps=[int(row["step"]) for row in rows],
        losses=_columns(losses, losses[0]),
        # in percent, except for what is not a share, which no check uses
        scores={name: _shares(values) for name, values in percents.items()},
        score=[_number(row["score"]) for row in rows],
        notes=notes,
        first=1,
    )


def _shares(percents: Iterable[float]) -> list[float]:
    return [value / 100 for value in percents]


def _from_keras(rows: list[Row], notes: list[str]) -> Curve:
    first = rows[0] if rows else {}
    names = [name for name, value in first.items() if _is_number(value)]
    columns = _columns(rows, names)
    scores = {name: values for name, values in columns.items() if _is_dev_score(name)}
    main = [values for name, values in scores.items() if "top" not in name]
    unit: Literal["step", "epoch"] = "step" if "step" in columns else "epoch"
    loss, dev_loss = next((pair for pair in LOSS_NAMES if pair[0] in columns), LOSS_NAMES[-1])
    return Curve(
        unit=unit,
        steps=[int(step) for step in columns.get(unit, range(len(rows)))],
        losses={loss: columns[loss]} if rows else {},
        dev_losses=columns.get(dev_loss, []),
        scores=scores,
        score=next(iter([*main, *scores.values()]), []),
        notes=notes,
    )


def _is_number(value: Any) -> bool:
    return value is None or isinstance(value, (int, float))


def _is_dev_score(name: str) -> bool:
    return name.startswith("val_") and any(part in name for part in HIGHER_IS_BETTER)
