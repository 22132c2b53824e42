"""F by label before and after an update, on the old gold and on the new, beside the naive update and the new labels alone."""

import math
from collections import Counter
from pathlib import Path
from typing import Any

from rich.table import Table
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from scripts import plots
from scripts.entities.prediction import predict
from scripts.entities.scores import score
from scripts.scores import console, percent
from scripts.update.pipeline import labels

TRAINED = {
    "updated": ".",
    "naive": "naive",
    "alone": "alone",
}  # system -> folder in training/update
TITLES = {
    "before": "before",
    "updated": "updated",
    "naive": "naive update",
    "alone": "new examples alone",
}
CHANGES = {
    "change": "updated",
    "naive_change": "naive",
}  # key -> system that is compared with the one before
MOST_DRAWN = 6  # rows in the chart
MOST_LOST = 0.02  # F, as a share of 1, that a label may lose


def predict_known(nlp: Language, gold: list[Doc]) -> list[Example]:
    """What a pipeline makes of the texts of gold Docs, of the labels that the gold has.

    A gold file says nothing about labels that it does not have, so they are neither right nor wrong.
    """
    known = {ent.label_ for doc in gold for ent in doc.ents}
    examples = predict(nlp, gold)
    for example in examples:
        example.predicted.ents = [ent for ent in example.predicted.ents if ent.label_ in known]
    return examples


def evaluate(systems: dict[str, Language], golds: dict[str, list[Doc]]) -> dict[str, Any]:
    """Metrics of all systems on all golds.

    Args:
        systems: before, updated, naive, alone.
        golds: "old gold" and "new gold", each a list of Docs, which may be empty.

    Returns:
        spaCy's keys for the updated pipeline on the new gold, and beside them `golds` (gold -> system -> spaCy's keys),
        `rows` (a line of the table for each gold and label), `dropped` (rows that lost more than MOST_LOST), and the labels.

    Raises:
        ValueError: "new gold holds no labelled text ...".
    """
    if not any(doc.ents for doc in golds["new gold"]):
        raise ValueError("the new gold holds no labelled text: give some by vars.update.test")
    known = {name: labels(nlp) for name, nlp in systems.items()}
    scores = {
        gold: {name: score(predict_known(nlp, docs)) for name, nlp in systems.items()}
        for gold, docs in golds.items()
        if docs
    }
    rows = [
        row
        for gold, docs in golds.items()
        if docs
        for row in _rows(gold, docs, scores[gold], known)
    ]
    return {
        **scores["new gold"]["updated"],
        "rows": rows,
        "dropped": [
            row for row in rows if row["change"] is not None and row["change"] < -MOST_LOST
        ],
        "labels": known["updated"],
        "old_labels": known["before"],
        "golds": scores,
    }


def _rows(
    gold: str, docs: list[Doc], scores: dict[str, Any], known: dict[str, list[str]]
) -> list[dict[str, Any]]:
    rows = []
    for label, n in sorted(Counter(ent.label_ for doc in docs for ent in doc.ents).items()):
        f = {
            name: scores[name]["ents_per_type"].get(label, {"f": 0.0})["f"]
            if label in known[name]
            else None
            for name in scores
        }
        changes = {
            key: None if f["before"] is None or f[name] is None else f[name] - f["before"]
            for key, name in CHANGES.items()
        }
        rows.append(
            {"gold": gold, "texts": len(docs), "label": label, "entities": n, **f, **changes}
        )
    return rows


def print_table(metrics: dict[str, Any]) -> None:
    """Print F by gold and label of each system, and say which label lost more than it may."""
    table = Table(title="F by label", title_justify="left")
    for column in (
        "gold",
        "label",
        "entities",
        "before",
        "updated",
        "change",
        "naive",
        "change",
        "alone",
    ):
        table.add_column(column, justify="left" if column in ("gold", "label") else "right")
    for row in metrics["rows"]:
        values = [percent(row["before"]), percent(row["updated"]), _points(row["change"])]
        values += [percent(row["naive"]), _points(row["naive_change"]), percent(row["alone"])]
        table.add_row(row["gold"], row["label"], str(row["entities"]), *values)
    out = console()
    out.print(table)
    for row in metrics["dropped"]:
        out.print(
            f"{row['label']} lost {-100 * row['change']:.1f} points of F on the {row['gold']}: more than {100 * MOST_LOST:.0f}"
        )
    if not metrics["dropped"]:
        out.print(
            f"No label that the pipeline knew lost more than {100 * MOST_LOST:.0f} points of F."
        )


def _points(value: float | None) -> str:
    return "" if value is None else f"{100 * value:+.1f}"


def draw(metrics: dict[str, Any], path: Path) -> None:
    """Save the table as a bar chart: a group for each label and gold, a bar for each system that knows the label.

    Of many rows those that changed most are drawn.
    """
    rows = sorted(metrics["rows"], key=lambda row: -abs(row["change"] or 0))[:MOST_DRAWN]
    rows = [row for row in metrics["rows"] if row in rows]
    groups = {
        title: {
            f"{row['label']}, {row['gold']}": math.nan if row[name] is None else 100 * row[name]
            for row in rows
        }
        for name, title in TITLES.items()
    }
    plots.save(plots.bars(groups, "F by label, before and after the update", "F, %"), path)
