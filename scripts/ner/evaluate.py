"""Score the pipeline that gets packaged beside the patterns alone, and print the one table that says which is better."""

from pathlib import Path
from typing import Any

import spacy
from rich.table import Table
from spacy.training import Example

from scripts import plots
from scripts.entities.prediction import predict
from scripts.entities.scores import entity_texts, interval, score
from scripts.ner.annotate import Annotator
from scripts.ner.pipeline import predict_by_patterns
from scripts.reading import read_docs
from scripts.scores import console, percent

PRF = ("ents_p", "ents_r", "ents_f")


def evaluate(
    folder: Path, corpus: Path, annotator: Annotator | None, split: dict[str, Any]
) -> tuple[dict[str, Any], list[Example]]:
    """Metrics of a trained pipeline on the test split, and its predictions.

    Args:
        folder: training folder with `pipeline` and `model-best`.
        corpus: the folder that ner-split filled.
        annotator: the patterns; None where the labels are by hand.
        split: what ner-split told of the corpus.

    Returns:
        spaCy's keys for the pipeline, the same under model_alone and patterns_alone (None without patterns), and the
        examples with the pipeline's predictions.
    """
    nlp = spacy.load(folder / "pipeline")
    test = list(read_docs(corpus / "test.spacy", nlp))
    seen = entity_texts(read_docs(corpus / "train", nlp))
    examples = predict(nlp, test)
    metrics: dict[str, Any] = score(examples, seen)
    metrics["patterns_alone"] = (
        score(predict_by_patterns(annotator, test), seen) if annotator else None
    )
    model = spacy.load(folder / "model-best")
    rulers = [name for name in nlp.pipe_names if name.endswith("_ruler")]
    metrics["model_alone"] = score(predict(model, test), seen) if rulers else None
    metrics |= {"rulers": rulers, "test_is_gold": split["test_is_gold"], "test_texts": len(test)}
    metrics["labels"] = sorted(nlp.get_pipe("ner").labels)  # type: ignore[attr-defined]
    return metrics, examples


def rows(metrics: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """(name, scores) of each system in the metrics, the shipped pipeline last."""
    named = [("patterns alone", metrics["patterns_alone"]), ("model alone", metrics["model_alone"])]
    added = {"entity_ruler": "patterns + ", "term_ruler": "terms + "}
    shipped = "".join(added.get(name, "") for name in metrics["rulers"]) + "model (shipped)"
    return [(name, scores) for name, scores in [*named, (shipped, metrics)] if scores]


def print_table(metrics: dict[str, Any]) -> None:
    """Print precision, recall and F of each system, their difference, and F by whether training had shown the entity."""
    source = (
        "hand labels"
        if metrics["test_is_gold"]
        else "SILVER labels (no gold file was given, so the patterns score 100 by definition)"
    )
    table = Table(
        title=f"{metrics['test_texts']} test texts, scored against {source}", title_justify="left"
    )
    for column in ("", "P", "R", "F", "F, 95% interval", "F seen", "F unseen"):
        table.add_column(column, justify="left" if not column else "right")
    systems = rows(metrics)
    for name, scores in systems:
        table.add_row(
            name,
            *(percent(scores[key]) for key in PRF),
            interval(scores),
            *(percent(scores[part]["ents_f"]) for part in ("seen", "unseen")),
        )
    if metrics["patterns_alone"]:
        first, last = systems[0][1], systems[-1][1]
        pairs = (
            [(last[key], first[key]) for key in PRF]
            + [None]
            + [(last[part]["ents_f"], first[part]["ents_f"]) for part in ("seen", "unseen")]
        )
        table.add_row("difference", *(_difference(pair) for pair in pairs), style="bold")
    out = console()
    out.print(table)
    n_seen, n_unseen = metrics["seen"]["entities"], metrics["unseen"]["entities"]
    out.print(
        f"seen: {n_seen} entities whose text the patterns or hand labels had shown; unseen: {n_unseen} that they had not"
    )


def _difference(pair: tuple[float | None, float | None] | None) -> str:
    if pair is None or pair[0] is None or pair[1] is None:
        return ""
    return f"{100 * (pair[0] - pair[1]):+.1f}"


def draw(metrics: dict[str, Any], path: Path) -> None:
    """Save the table as a bar chart."""
    groups = {
        name: {
            title: 100 * (scores[key] or 0) for key, title in zip(PRF, ("precision", "recall", "F"))
        }
        for name, scores in rows(metrics)
    }
    plots.save(plots.bars(groups, f"Entities in {metrics['test_texts']} test texts", "%"), path)
