"""Score one variant on the test texts: how right, how well calibrated, how fast, how large."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from rich.table import Table
from spacy.language import Language
from spacy.tokens import Doc

from scripts import plots
from scripts.plots import subplots
from scripts.scores import console, percent
from scripts.textcat import scores as scoring
from scripts.textcat.scores import Gold, Scores

TIMED = 2.0  # seconds for which the speed is measured, at least
Predict = Callable[[Sequence[str]], Scores]


@dataclass(frozen=True)
class Part:
    """Texts with gold labels as arrays."""

    texts: list[str]
    gold: Gold  # (n_texts, n_labels)
    known: Gold  # (n_texts, n_labels): whether gold says anything


def to_part(docs: Sequence[Doc], labels: Sequence[str]) -> Part:
    """Docs with cats as arrays."""
    gold = np.asarray(
        [[doc.cats.get(label, 0.0) >= 0.5 for label in labels] for doc in docs], dtype=bool
    )
    known = np.asarray([[label in doc.cats for label in labels] for doc in docs], dtype=bool)
    return Part(
        [doc.text for doc in docs], gold.reshape(-1, len(labels)), known.reshape(-1, len(labels))
    )


def predictor(nlp: Language, labels: Sequence[str]) -> Predict:
    """What gives the scores of texts, (n_texts, n_labels), by a pipeline.

    Raises:
        ValueError: "the pipeline gives no scores for ...", when it was trained on other labels.
    """
    missing = sorted(
        set(labels) - {label for name in nlp.pipe_names for label in nlp.pipe_labels.get(name, [])}
    )
    if missing:
        raise ValueError(
            f"the pipeline gives no scores for {', '.join(missing)}: train it on this corpus"
        )

    def predict(texts: Sequence[str]) -> Scores:
        found = [[doc.cats[label] for label in labels] for doc in nlp.pipe(texts)]
        return np.asarray(found).reshape(-1, len(labels))

    return predict


def speed(predict: Predict, texts: Sequence[str]) -> float:
    """Texts a second, from raw text to scores, once everything is warm."""
    n_texts, start = 0, time.perf_counter()
    while (seconds := time.perf_counter() - start) < TIMED:
        predict(texts)
        n_texts += len(texts)
    return n_texts / seconds


def evaluate(
    predict: Predict, dev: Part, test: Part, labels: Sequence[str], exclusive: bool, wanted: float
) -> dict[str, Any]:
    """Metrics of one variant.

    Args:
        predict: texts -> scores (n_texts, n_labels).
        dev: to choose thresholds by.
        test: to score by.
        labels: of the columns.
        exclusive: whether a text has just one label.
        wanted: the share of accepted texts that must be right, for the threshold (labels that exclude each other).

    Returns:
        spaCy's keys (see `scores.score`), and dev_cats_macro_f, calibration, thresholds, texts_per_second, test_texts, labels.
    """
    found = {"dev": predict(dev.texts), "test": predict(test.texts)}
    of_dev = scoring.score(dev.gold, found["dev"], labels, exclusive, dev.known)
    return {
        **scoring.score(test.gold, found["test"], labels, exclusive, test.known),
        "dev_cats_macro_f": of_dev["cats_macro_f"],
        "calibration": scoring.calibration(test.gold, found["test"], exclusive),
        "thresholds": _thresholds(dev, test, found, labels, exclusive, wanted),
        "curve": _curve(test, found["test"], exclusive),
        "texts_per_second": round(speed(predict, test.texts), 1),
        "test_texts": len(test.texts),
        "labels": list(labels),
        "exclusive": exclusive,
    }


def _thresholds(
    dev: Part,
    test: Part,
    found: dict[str, Scores],
    labels: Sequence[str],
    exclusive: bool,
    wanted: float,
) -> Any:
    """One threshold on the highest score, or one for each label; chosen on dev, with what it does on test."""
    if exclusive:
        threshold = scoring.least_threshold(dev.gold, found["dev"], wanted)
        told = {"wanted": wanted, "threshold": threshold}
        return (
            told
            if threshold is None
            else {**told, "test": scoring.above(test.gold, found["test"], threshold)}
        )
    chosen = scoring.best_thresholds(dev.gold, found["dev"])
    shifted = found["test"] >= np.asarray(chosen)
    by_label = scoring.score(test.gold, shifted.astype(float), labels, False, test.known)
    per_type = {
        label: {"threshold": value, **by_label["cats_f_per_type"][label]}
        for label, value in zip(labels, chosen)
    }
    return {"per_label": per_type, "cats_macro_f": by_label["cats_macro_f"]}


def _curve(test: Part, found: Scores, exclusive: bool) -> list[dict[str, float]]:
    """Points of the right-hand picture: what thresholds from 0 to 0.95 do."""
    grid = [step / 20 for step in range(20)]
    if exclusive:
        return [{"threshold": value, **scoring.above(test.gold, found, value)} for value in grid]  # type: ignore[dict-item]
    predicted = {value: scoring.decide(found, False, value) & test.known for value in grid}
    hits = {value: (made & test.gold).sum() for value, made in predicted.items()}
    return [
        {
            "threshold": value,
            "p": hits[value] / max(made.sum(), 1),
            "r": hits[value] / max(test.gold.sum(), 1),
        }
        for value, made in predicted.items()
    ]


def folder_size(path: Path) -> int:
    """Bytes of all files in a folder."""
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def print_report(name: str, metrics: dict[str, Any]) -> None:
    """Print scores by label, the calibration and the threshold."""
    out = console()
    table = Table(title=f"{name}: {metrics['test_texts']} test texts", title_justify="left")
    for column in ("label", "precision", "recall", "F"):
        table.add_column(column, justify="left" if column == "label" else "right")
    for label, values in metrics["cats_f_per_type"].items():
        table.add_row(label, *(percent(values[key]) for key in "prf"))
    table.add_row("macro", *(percent(metrics[f"cats_macro_{key}"]) for key in "prf"))
    out.print(table)
    low, high = metrics["accuracy_interval"]
    out.print(
        f"accuracy {percent(metrics['accuracy'])} (95% interval {percent(low)} - {percent(high)})"
    )
    told = metrics["calibration"]
    out.print(
        f"calibration: a score is off by {percent(told['ece'])} points on average (ECE); Brier {told['brier']:.3f}"
    )
    chosen = metrics["thresholds"]
    if not metrics["exclusive"]:
        values = ", ".join(
            f"{label} {row['threshold']:.2f}" for label, row in chosen["per_label"].items()
        )
        out.print(
            f"thresholds with the best F on dev: {values}; with them macro F {percent(chosen['cats_macro_f'])}"
        )
    elif chosen["threshold"] is None:
        out.print(
            f"no threshold makes {percent(chosen['wanted'])}% of the accepted dev texts right"
        )
    else:
        got = chosen["test"]
        out.print(
            f"threshold {chosen['threshold']:.2f}: on dev {percent(chosen['wanted'])}% of the texts above it are right; "
            f"on test {percent(got['accuracy'])}% of the {percent(got['coverage'])}% above it"
        )


def draw(metrics: dict[str, Any], title: str) -> Figure:
    """How often a score is right, and what a threshold does."""
    figure, (left, right) = subplots(1, 2, figsize=(10, 3.8), layout="constrained")
    bins = metrics["calibration"]["bins"]
    left.plot(
        [0, 1], [0, 1], color=plots.COLOURS[0], linewidth=1, linestyle="--", label="as it should be"
    )
    most = max(row["decisions"] for row in bins)
    sizes = [20 + 180 * row["decisions"] / most for row in bins]
    left.scatter(
        [row["score"] for row in bins],
        [row["right"] for row in bins],
        sizes,
        plots.COLOURS[1],
        label="larger: more texts",
    )
    left.set(xlabel="score", ylabel="share that is right", xlim=(0, 1.03), ylim=(0, 1.05))
    left.set_title(
        f"{title}: calibration (ECE {percent(metrics['calibration']['ece'])})",
        loc="left",
        fontsize=11,
    )
    left.legend(frameon=False, loc="upper left")
    keys = ("coverage", "accuracy") if metrics["exclusive"] else ("p", "r")
    names = {
        "coverage": "texts above it",
        "accuracy": "of those right",
        "p": "precision",
        "r": "recall",
    }
    rows = metrics["curve"]
    for key, colour in zip(keys, plots.COLOURS[1:]):
        values = [np.nan if row[key] is None else 100 * row[key] for row in rows]
        right.plot(
            [row["threshold"] for row in rows], values, color=colour, label=f"{names[key]}, %"
        )
    right.set(xlabel="threshold on the score", ylim=(0, 105))
    right.set_title("what a threshold does", loc="left", fontsize=11)
    right.legend(frameon=False, loc="lower left")
    return figure
