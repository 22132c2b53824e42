"""Score the specific labels: end to end and with given borders, beside what one would do without contexts or without a table."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example

from scripts import plots
from scripts.components.refine import LabelRefiner
from scripts.entities.prediction import predict
from scripts.entities.scores import interval, score
from scripts.refine.build import NAME
from scripts.scores import console, percent

KINDS = ("text", "mention", "context")


def kind_of(row: dict[str, Any]) -> str:
    """What decides in a row: text, mention, context, two or three of them with a + between, or default."""
    return "+".join(kind for kind in KINDS if kind in row) or "default"


def evaluate(nlp: Language, gold: Sequence[Doc]) -> dict[str, Any]:
    """Metrics of a pipeline with a refiner.

    Args:
        nlp: the pipeline.
        gold: Docs with specific labels.

    Returns:
        spaCy's keys for the whole table, end to end; the same under names_alone (rows without contexts and defaults), commonest_label
        (each entity gets the label that is commonest in gold) and ceiling (each label taken as right); given_borders with the
        first three where gold says where the mentions are; by_kind: mentions that rows of a kind decided, and how many rightly,
        with given borders.

    Raises:
        ValueError: "the gold texts have the labels ...", when the table makes none of them.
    """
    refiner: LabelRefiner = nlp.get_pipe(NAME)  # type: ignore[assignment]
    generic = generic_of(refiner)
    labels = Counter(ent.label_ for doc in gold for ent in doc.ents)
    if not set(labels) & set(generic):
        raise ValueError(
            f"the gold texts have the labels {sorted(labels)}, the table makes {sorted(generic)}: give gold texts with specific labels "
            "by vars.refine.test"
        )
    with nlp.select_pipes(disable=[NAME]):
        examples = predict(nlp, gold)
    given = [Example(_with_borders(example, generic), example.reference) for example in examples]
    metrics: dict[str, Any] = {}
    borders: dict[str, Any] = {}
    for name, system in systems(nlp, refiner, labels).items():
        borders[name] = score(refined := _refine(given, system))
        metrics[name] = score(_refine(examples, system))
        by_kind = _by_kind(refined, refiner)  # the whole table comes last
    whole = {**metrics.pop("whole_table"), **metrics, "ceiling": score(_generic(examples, generic))}
    return {
        **whole,
        "given_borders": borders,
        "by_kind": by_kind,
        "test_texts": len(gold),
        "test_mentions": sum(labels.values()),
    }


def generic_of(refiner: LabelRefiner) -> dict[str, str]:
    """{specific label: the generic one that the first row for it refines}."""
    found: dict[str, str] = {}
    for row in refiner.rows:
        found.setdefault(
            row["label"], row["from"] if isinstance(row["from"], str) else row["from"][0]
        )
    return found


def systems(
    nlp: Language, refiner: LabelRefiner, labels: "Counter[str]"
) -> dict[str, LabelRefiner]:
    """Refiners to compare: commonest_label, names_alone, and the given one as whole_table."""
    generic = generic_of(refiner)
    commonest: list[dict[str, Any]] = []
    for label, _ in sorted(labels.items(), key=lambda item: (-item[1], item[0])):
        if label in generic and generic[label] not in [row["from"] for row in commonest]:
            commonest.append({"from": generic[label], "label": label})
    names = [row for row in refiner.rows if "context" not in row and kind_of(row) != "default"]
    others = {"commonest_label": commonest, "names_alone": names}
    made: dict[str, LabelRefiner] = {}
    for name, rows in others.items():
        made[name] = LabelRefiner(nlp, NAME, window=refiner.window)
        made[name].add_rows(rows)
    return {**made, "whole_table": refiner}


def _refine(examples: Iterable[Example], refiner: LabelRefiner) -> list[Example]:
    return [Example(refiner(example.predicted.copy()), example.reference) for example in examples]


def _with_borders(example: Example, generic: dict[str, str]) -> Doc:
    """The predicted Doc with the gold mentions as its entities, under their generic labels."""
    doc = example.predicted.copy()
    spans = [
        doc.char_span(ent.start_char, ent.end_char, label=generic.get(ent.label_, ent.label_))
        for ent in example.reference.ents
    ]
    doc.set_ents([span for span in spans if span is not None])
    return doc


def _generic(examples: Iterable[Example], generic: dict[str, str]) -> list[Example]:
    """Examples whose gold labels are generic, as the predicted ones are before the refiner."""
    made = []
    for example in examples:
        doc = example.reference.copy()
        doc.set_ents(
            [
                Span(doc, ent.start, ent.end, label=generic.get(ent.label_, ent.label_))
                for ent in doc.ents
            ]
        )
        made.append(Example(example.predicted, doc))
    return made


def _by_kind(examples: Iterable[Example], refiner: LabelRefiner) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = {}
    for example in examples:
        gold = {(ent.start_char, ent.end_char): ent.label_ for ent in example.reference.ents}
        for ent in example.predicted.ents:
            kind = "no row" if ent._.refined_by is None else kind_of(refiner.rows[ent._.refined_by])
            count = counts.setdefault(kind, {"mentions": 0, "correct": 0})
            count["mentions"] += 1
            count["correct"] += gold.get((ent.start_char, ent.end_char)) == ent.label_
    return dict(sorted(counts.items(), key=lambda item: -item[1]["mentions"]))


TITLES = {
    "commonest_label": "commonest label",
    "names_alone": "names, no contexts",
    "whole_table": "whole table (shipped)",
}


def rows(metrics: dict[str, Any]) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """(title, scores end to end, scores with given borders) of each system, the shipped one last."""
    return [
        (title, metrics.get(name, metrics), metrics["given_borders"][name])
        for name, title in TITLES.items()
    ]


def print_tables(metrics: dict[str, Any]) -> None:
    """Print how often the label is right with given borders, F end to end, and which rows decided."""
    out = console()
    title = f"{metrics['test_texts']} test texts, {metrics['test_mentions']} mentions"
    table = Table(title=title, title_justify="left")
    for column in (
        "",
        "label right, borders given",
        "95% interval",
        "F end to end",
        "95% interval",
    ):
        table.add_column(column, justify="left" if not column else "right")
    for title, scores, given in rows(metrics):
        table.add_row(
            title,
            percent(given["ents_r"]),
            interval(given),
            percent(scores["ents_f"]),
            interval(scores),
        )
    table.add_row(
        "if each label were right",
        "100.0",
        "",
        percent(metrics["ceiling"]["ents_f"]),
        interval(metrics["ceiling"]),
        style="dim",
    )
    out.print(table)
    kinds = Table(title="rows that decided, borders given", title_justify="left")
    for column in ("kind of row", "mentions", "label right"):
        kinds.add_column(column, justify="left" if column == "kind of row" else "right")
    for kind, count in metrics["by_kind"].items():
        kinds.add_row(kind, str(count["mentions"]), percent(count["correct"] / count["mentions"]))
    out.print(kinds)


def draw(metrics: dict[str, Any], path: Path) -> None:
    """Save the systems as a bar chart."""
    groups = {
        title: {
            "label right, borders given": 100 * (given["ents_r"] or 0),
            "F end to end": 100 * (scores["ents_f"] or 0),
        }
        for title, scores, given in rows(metrics)
    }
    plots.save(
        plots.bars(
            groups,
            f"Specific labels of {metrics['test_mentions']} mentions in {metrics['test_texts']} texts",
            "%",
        ),
        path,
    )
