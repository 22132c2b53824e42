"""Score the pipeline that gets packaged, compared with the patterns alone."""

from pathlib import Path
from typing import Any

import srsly
from spacy.training import Example

from scripts.entities.prediction import predict
from scripts.entities.scores import PRF, entity_texts, interval, score
from scripts.ner.annotate import Annotator
from scripts.ner.pipeline import predict_by_patterns
from scripts.pipelines import load_pipeline
from scripts.reading import read_docs
from scripts.scores import console, percent

COLUMNS = ("", "P", "R", "F", "F, 95% interval", "F seen", "F unseen")


def evaluate_pipeline(
    folder: Path, corpus: Path, annotator: Annotator | None
) -> tuple[dict[str, Any], list[Example]]:
    """Metrics of a trained pipeline on the test split, and its predictions.

    Args:
        folder: training folder with `pipeline`.
        corpus: the folder that ner-split wrote.
        annotator: the patterns; None if only hand labels were trained.

    Returns:
        spaCy's keys for the pipeline, the same under model_alone and patterns_alone (None without
        rulers or patterns), and the examples with the pipeline's predictions.
    """
    nlp = load_pipeline(str(folder / "pipeline"), "run the training first")
    test = list(read_docs(corpus / "test.spacy", nlp))
    seen = entity_texts(read_docs(corpus / "train", nlp))
    examples = predict(nlp, test)
    rulers = [name for name in nlp.pipe_names if name.endswith("_ruler")]
    metrics: dict[str, Any] = score(examples, seen)
    metrics["patterns_alone"] = (
        score(predict_by_patterns(annotator, test), seen) if annotator else None
    )
    with nlp.select_pipes(disable=rulers):
        metrics["model_alone"] = score(predict(nlp, test), seen) if rulers else None
    is_gold = srsly.read_json(corpus / "split.json")["test_is_gold"]
    metrics |= {"rulers": rulers, "test_is_gold": is_gold, "test_texts": len(test)}
    metrics["labels"] = sorted(nlp.get_pipe("ner").labels)  # type: ignore[attr-defined]
    return metrics, examples


def systems(metrics: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """(name, scores) of each system in the metrics, the shipped pipeline last."""
    added = {"entity_ruler": "patterns + ", "term_ruler": "terms + "}
    shipped = "".join(added.get(name, "") for name in metrics["rulers"]) + "model (shipped)"
    scores = {
        "patterns alone": metrics["patterns_alone"],
        "model alone": metrics["model_alone"],
        shipped: metrics,
    }
    return [(name, values) for name, values in scores.items() if values]


def print_table(metrics: dict[str, Any]) -> None:
    """Print precision, recall and F of each system, also for seen and unseen entities."""
    from rich.table import Table

    source = (
        "hand labels"
        if metrics["test_is_gold"]
        else "SILVER labels (vars.ner.test has no texts, so the patterns score 100 by definition)"
    )
    title = f"{metrics['test_texts']} test texts, scored against {source}"
    table = Table(title=title, title_justify="left")
    for column in COLUMNS:
        table.add_column(column, justify="right" if column else "left")
    for name, scores in systems(metrics):
        p, r, f, seen, unseen = map(percent, _values(scores))
        table.add_row(name, p, r, f, interval(scores), seen, unseen)
    if metrics["patterns_alone"]:
        p, r, f, seen, unseen = _differences(metrics, metrics["patterns_alone"])
        table.add_row("difference", p, r, f, "", seen, unseen, style="bold")
    out = console()
    out.print(table)
    out.print(
        f"seen: {metrics['seen']['entities']} entities whose text the patterns or hand labels had "
        f"shown; unseen: {metrics['unseen']['entities']} that they had not"
    )


def _values(scores: dict[str, Any]) -> list[float | None]:
    """Precision, recall, F, F seen and F unseen."""
    parts = [scores[part]["ents_f"] for part in ("seen", "unseen")]
    return [scores[key] for key in PRF] + parts


def _differences(scores: dict[str, Any], baseline: dict[str, Any]) -> list[str]:
    """The scores minus those of the baseline, as the table shows them."""
    pairs = zip(_values(scores), _values(baseline))
    return ["" if a is None or b is None else f"{100 * (a - b):+.1f}" for a, b in pairs]


def draw(metrics: dict[str, Any], path: Path) -> None:
    """Save precision, recall and F of each system as a bar chart."""
    from scripts import plots

    groups = {name: _bars(scores) for name, scores in systems(metrics)}
    title = f"Entities in {metrics['test_texts']} test texts"
    plots.save(plots.bars(groups, title, "%"), path)


def _bars(scores: dict[str, Any]) -> dict[str, float]:
    titles = ("precision", "recall", "F")
    return {title: 100 * (scores[key] or 0) for key, title in zip(PRF, titles)}
