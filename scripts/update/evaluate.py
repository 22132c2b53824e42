"""F-score by label before and after an update, on the old and on the new test texts.

The updated pipeline is compared with the naive update and with the new examples alone.
"""

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.table import Table
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from scripts.entities.prediction import predict
from scripts.entities.scores import score
from scripts.scores import console, percent
from scripts.update.pipeline import ner_labels

TRAINED = {"updated": ".", "naive": "naive", "alone": "alone"}  # system -> its training folder
TITLES = {
    "before": "before",
    "updated": "updated",
    "naive": "naive update",
    "alone": "new examples alone",
}
CHANGES = {"change": "updated", "naive_change": "naive"}  # key -> system compared with "before"
OLD, NEW = "old gold", "new gold"  # the two test sets, as metrics.json names them
TEST_TITLES = {OLD: "old test", NEW: "new test"}
COLUMNS = (
    "test",
    "label",
    "entities",
    "before",
    "updated",
    "change",
    "naive",
    "change",
    "alone",
)
MAX_DRAWN = 6  # rows in the chart
MAX_LOSS = 0.02  # F-score, as a share of 1, that a label may lose


def predict_labelled(nlp: Language, gold: list[Doc]) -> list[Example]:
    """The predictions of a pipeline on the texts of gold Docs, of labels that occur in gold.

    A test file says nothing about labels that it does not have, so they are neither right nor
    wrong.
    """
    labels = _count_labels(gold)
    examples = predict(nlp, gold)
    for example in examples:
        example.predicted.ents = [ent for ent in example.predicted.ents if ent.label_ in labels]
    return examples


def evaluate_systems(systems: dict[str, Language], tests: dict[str, list[Doc]]) -> dict[str, Any]:
    """Metrics of all systems on all tests.

    Args:
        systems: before, updated, naive, alone.
        tests: OLD and NEW, each a list of Docs, which may be empty.

    Returns:
        spaCy's keys for the updated pipeline on the new test, and `golds` (test -> system ->
        spaCy's keys), `rows` (a row of the table for each test and label), `dropped` (rows that
        lost more than MAX_LOSS), and the labels.

    Raises:
        ValueError: "the new test texts have no label ...".
    """
    if not any(doc.ents for doc in tests[NEW]):
        raise ValueError("the new test texts have no label: give others by vars.update.test")
    labels = {name: ner_labels(nlp) for name, nlp in systems.items()}
    scores: dict[str, Any] = {}
    rows: list[dict[str, Any]] = []
    for test, docs in tests.items():
        if docs:
            scores[test] = _score_systems(systems, docs)
            rows += _rows(test, docs, scores[test], labels)
    return {
        **scores[NEW]["updated"],
        "rows": rows,
        "dropped": [row for row in rows if (row["change"] or 0) < -MAX_LOSS],
        "labels": labels["updated"],
        "old_labels": labels["before"],
        "golds": scores,
    }


def _score_systems(systems: dict[str, Language], gold: list[Doc]) -> dict[str, Any]:
    return {name: score(predict_labelled(nlp, gold)) for name, nlp in systems.items()}


def _count_labels(docs: Sequence[Doc]) -> "Counter[str]":
    counts: Counter[str] = Counter()
    for doc in docs:
        counts.update(ent.label_ for ent in doc.ents)
    return counts


def _rows(
    test: str, docs: list[Doc], scores: dict[str, Any], labels: dict[str, list[str]]
) -> list[dict[str, Any]]:
    """A row for each label of a test: the F-score of each system that knows it, and the changes."""
    rows = []
    for label, count in sorted(_count_labels(docs).items()):
        f_scores = {}
        for name, values in scores.items():
            f_score = values["ents_per_type"].get(label, {"f": 0.0})["f"]
            f_scores[name] = f_score if label in labels[name] else None
        changes = {key: _change(f_scores, system) for key, system in CHANGES.items()}
        row = {"gold": test, "texts": len(docs), "label": label, "entities": count}
        rows.append({**row, **f_scores, **changes})
    return rows


def _change(f_scores: dict[str, float | None], system: str) -> float | None:
    """The F-score of a system minus that before; None if one of the two does not know the label."""
    before, after = f_scores["before"], f_scores[system]
    return None if before is None or after is None else after - before


def print_table(metrics: dict[str, Any]) -> None:
    """Print the F-score by test and label of each system, and name labels that lost too much."""
    table = Table(title="F by label", title_justify="left")
    for column in COLUMNS:
        table.add_column(column, justify="left" if column in ("test", "label") else "right")
    for row in metrics["rows"]:
        values = [percent(row["before"]), percent(row["updated"]), _points(row["change"])]
        values += [percent(row["naive"]), _points(row["naive_change"]), percent(row["alone"])]
        table.add_row(TEST_TITLES[row["gold"]], row["label"], str(row["entities"]), *values)
    out = console()
    out.print(table)
    limit = f"{100 * MAX_LOSS:.0f} points of F"
    for row in metrics["dropped"]:
        where = f"the {TEST_TITLES[row['gold']]}"
        loss = f"{-100 * row['change']:.1f} points"
        out.print(f"{row['label']} lost {loss} on {where}: more than {limit}")
    if not metrics["dropped"]:
        out.print(f"No label that the pipeline knew lost more than {limit}.")


def _points(value: float | None) -> str:
    return "" if value is None else f"{100 * value:+.1f}"


def draw(metrics: dict[str, Any], path: Path) -> None:
    """Save the table as a bar chart.

    There is a group for each label and test, with a bar for each system that knows the label. Only
    the rows that changed most are drawn.
    """
    from scripts import plots

    most_changed = sorted(metrics["rows"], key=lambda row: -abs(row["change"] or 0))[:MAX_DRAWN]
    rows = [row for row in metrics["rows"] if row in most_changed]
    groups = {title: _bars(rows, system) for system, title in TITLES.items()}
    plots.save(plots.bars(groups, "F by label, before and after the update", "F, %"), path)


def _bars(rows: Sequence[dict[str, Any]], system: str) -> dict[str, float]:
    """The F-scores of a system in percent, by row; NaN where it does not know the label."""
    bars = {}
    for row in rows:
        f_score = row[system]
        title = f"{row['label']}, {TEST_TITLES[row['gold']]}"
        bars[title] = math.nan if f_score is None else 100 * f_score
    return bars
