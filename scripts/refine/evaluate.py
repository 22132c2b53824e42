"""Score the specific labels: end to end, and with the borders of the mentions given.

The table is compared with the commonest label and with its rows that need no context.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example

from scripts.components.refine import LabelRefiner, generic_labels
from scripts.entities.prediction import predict
from scripts.entities.scores import interval, score
from scripts.refine.build import NAME
from scripts.scores import console, percent

CONDITIONS = ("text", "mention", "context")
TITLES = {
    "commonest_label": "commonest label",
    "names_alone": "names, no contexts",
    "whole_table": "whole table (shipped)",
}
COLUMNS = ("", "label right, borders given", "95% interval", "F end to end", "95% interval")


def kind_of(row: dict[str, Any]) -> str:
    """The conditions of a row: text, mention, context, several with a + between, or default."""
    return "+".join(key for key in CONDITIONS if key in row) or "default"


def evaluate_refiner(nlp: Language, gold: Sequence[Doc]) -> dict[str, Any]:
    """Metrics of a pipeline with a refiner.

    Args:
        nlp: the pipeline.
        gold: Docs with specific labels.

    Returns:
        spaCy's keys for the whole table, end to end; the same under names_alone (rows without
        contexts and defaults), commonest_label (each entity gets the label that is commonest in
        gold) and ceiling (each label counts as right); given_borders with the first three if the
        borders of the mentions are taken from gold; by_kind: how many mentions rows of each kind
        decided, and how many of them rightly, with given borders.

    Raises:
        ValueError: "the test texts have the labels ...", when the table gives none of them.
    """
    refiner: LabelRefiner = nlp.get_pipe(NAME)  # type: ignore[assignment]
    generic = generic_by_specific(refiner)
    labels = _count_labels(gold)
    if not set(labels) & set(generic):
        raise ValueError(
            f"the test texts have the labels {sorted(labels)}, the table gives {sorted(generic)}: "
            "give texts with specific labels by vars.refine.test"
        )
    with nlp.select_pipes(disable=[NAME]):
        examples = predict(nlp, gold)
    bordered = [Example(_with_gold_borders(one, generic), one.reference) for one in examples]
    end_to_end, given_borders = {}, {}
    for name, system in refiners(nlp, refiner, labels).items():
        given_borders[name] = score(_refine(bordered, system))
        end_to_end[name] = score(_refine(examples, system))
    return {
        **end_to_end.pop("whole_table"),
        **end_to_end,
        "ceiling": score(_with_generic_gold(examples, generic)),
        "given_borders": given_borders,
        "by_kind": _count_by_kind(_refine(bordered, refiner), refiner),
        "test_texts": len(gold),
        "test_mentions": sum(labels.values()),
    }


def _count_labels(docs: Iterable[Doc]) -> "Counter[str]":
    counts: Counter[str] = Counter()
    for doc in docs:
        counts.update(ent.label_ for ent in doc.ents)
    return counts


def generic_by_specific(refiner: LabelRefiner) -> dict[str, str]:
    """{specific label: the generic label that the first row for it refines}."""
    generic: dict[str, str] = {}
    for row in refiner.rows:
        generic.setdefault(row["label"], generic_labels(row)[0])
    return generic


def refiners(
    nlp: Language, refiner: LabelRefiner, labels: "Counter[str]"
) -> dict[str, LabelRefiner]:
    """Refiners to compare: commonest_label, names_alone, and the pipeline's own as whole_table."""
    names = [row for row in refiner.rows if "context" not in row and kind_of(row) != "default"]
    tables = {"commonest_label": _commonest_rows(refiner, labels), "names_alone": names}
    systems: dict[str, LabelRefiner] = {}
    for name, rows in tables.items():
        systems[name] = LabelRefiner(nlp, NAME, window=refiner.window)
        systems[name].add_rows(rows)
    return {**systems, "whole_table": refiner}


def _commonest_rows(refiner: LabelRefiner, labels: "Counter[str]") -> list[dict[str, Any]]:
    """A row for each generic label, which always gives the commonest specific label."""
    generic = generic_by_specific(refiner)
    commonest: dict[str, str] = {}  # generic label -> specific label
    for label, _ in sorted(labels.items(), key=lambda item: (-item[1], item[0])):
        if label in generic:
            commonest.setdefault(generic[label], label)
    return [{"from": label, "label": specific} for label, specific in commonest.items()]


def _refine(examples: Iterable[Example], refiner: LabelRefiner) -> list[Example]:
    return [Example(refiner(example.predicted.copy()), example.reference) for example in examples]


def _with_gold_borders(example: Example, generic: dict[str, str]) -> Doc:
    """The predicted Doc with the gold mentions as its entities, under their generic labels."""
    doc = example.predicted.copy()
    spans = []
    for ent in example.reference.ents:
        label = generic.get(ent.label_, ent.label_)
        spans.append(doc.char_span(ent.start_char, ent.end_char, label=label))
    doc.set_ents([span for span in spans if span is not None])
    return doc


def _with_generic_gold(examples: Iterable[Example], generic: dict[str, str]) -> list[Example]:
    """The examples with generic gold labels, as the predicted ones are before the refiner."""
    with_generic = []
    for example in examples:
        doc = example.reference.copy()
        spans = []
        for ent in doc.ents:
            label = generic.get(ent.label_, ent.label_)
            spans.append(Span(doc, ent.start, ent.end, label=label))
        doc.set_ents(spans)
        with_generic.append(Example(example.predicted, doc))
    return with_generic


def _count_by_kind(examples: Iterable[Example], refiner: LabelRefiner) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = {}
    for example in examples:
        gold = {(ent.start_char, ent.end_char): ent.label_ for ent in example.reference.ents}
        for ent in example.predicted.ents:
            row = ent._.refined_by
            kind = "no row" if row is None else kind_of(refiner.rows[row])
            count = counts.setdefault(kind, {"mentions": 0, "correct": 0})
            count["mentions"] += 1
            count["correct"] += gold.get((ent.start_char, ent.end_char)) == ent.label_
    return dict(sorted(counts.items(), key=lambda item: -item[1]["mentions"]))


def system_scores(metrics: dict[str, Any]) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """(title, scores end to end, scores with given borders) of each system, shipped one last."""
    return [
        (title, metrics.get(name, metrics), metrics["given_borders"][name])
        for name, title in TITLES.items()
    ]


def print_tables(metrics: dict[str, Any]) -> None:
    """Print how often the label is right, the F end to end, and which rows decided."""
    title = f"{metrics['test_texts']} test texts, {metrics['test_mentions']} mentions"
    table = Table(title=title, title_justify="left")
    for column in COLUMNS:
        table.add_column(column, justify="right" if column else "left")
    for name, scores, bordered in system_scores(metrics):
        right, f_score = percent(bordered["ents_r"]), percent(scores["ents_f"])
        table.add_row(name, right, interval(bordered), f_score, interval(scores))
    ceiling = metrics["ceiling"]
    f_score = percent(ceiling["ents_f"])
    table.add_row("if each label were right", "100.0", "", f_score, interval(ceiling), style="dim")
    out = console()
    out.print(table)
    out.print(_kinds_table(metrics["by_kind"]))


def _kinds_table(by_kind: dict[str, dict[str, int]]) -> Table:
    table = Table(title="rows that decided, borders given", title_justify="left")
    for column in ("kind of row", "mentions", "label right"):
        table.add_column(column, justify="left" if column == "kind of row" else "right")
    for kind, count in by_kind.items():
        right = percent(count["correct"] / count["mentions"])
        table.add_row(kind, str(count["mentions"]), right)
    return table


def draw(metrics: dict[str, Any], path: Path) -> None:
    """Save the scores of the systems as a bar chart."""
    from scripts import plots

    groups = {}
    for name, scores, bordered in system_scores(metrics):
        groups[name] = {
            "label right, borders given": 100 * (bordered["ents_r"] or 0),
            "F end to end": 100 * (scores["ents_f"] or 0),
        }
    counts = f"{metrics['test_mentions']} mentions in {metrics['test_texts']} texts"
    plots.save(plots.bars(groups, f"Specific labels of {counts}", "%"), path)
