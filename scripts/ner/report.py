"""One self-contained page about a training: scores, curve, errors as displaCy draws them, pattern statistics."""

from pathlib import Path
from typing import Any

import spacy
import srsly
from spacy import displacy
from spacy.tokens import Doc, Span
from spacy.training import Example

from scripts import pages, plots
from scripts.entities.scores import errors
from scripts.ner.evaluate import rows
from scripts.reading import read_docs

COLOURS = {
    "right": "#c9e8c9",
    "missed": "#f9b4ab",
    "spurious": "#ffd27f",
    "boundary": "#b8d4f5",
    "label": "#d9c2f0",
}
MEANING = {
    "missed": "hand label that the pipeline did not find",
    "spurious": "found, but no hand label is there",
    "boundary": "found with other borders",
    "label": "found under another label",
}
MOST_ERRORS = 100


def render(folder: Path, corpus: Path, stats: dict[str, Any], title: str) -> str:
    """The page as HTML; the training curve is saved beside it as curve.png too.

    Args:
        folder: training folder with metrics.json, log.jsonl and predictions.spacy.
        corpus: the folder that ner-split filled.
        stats: what ner-annotate found.
        title: heading of the page.
    """
    metrics = srsly.read_json(folder / "metrics.json")
    log = list(srsly.read_jsonl(folder / "log.jsonl"))
    nlp = spacy.blank("xx")
    pairs = zip(read_docs(folder / "predictions.spacy", nlp), read_docs(corpus / "test.spacy", nlp))
    examples = [Example(predicted, reference) for predicted, reference in pairs]
    wrong = [(example, kinds) for example in examples if any((kinds := errors(example)).values())]
    counts = {kind: sum(len(kinds[kind]) for _, kinds in wrong) for kind in MEANING}
    figure = plots.training_curve(log, "ner", ("ents_p", "ents_r", "ents_f"))
    plots.save(figure, folder / "curve.png")
    return pages.render(
        Path(__file__).with_name("report.html.jinja"),
        title=title,
        metrics=metrics,
        systems=rows(metrics),
        split=srsly.read_json(corpus / "split.json"),
        stats=stats,
        curve=pages.embed(folder / "curve.png"),
        bars=pages.embed(folder / "scores.png"),
        errors=[
            (_draw_predicted(example, kinds), _draw_gold(example, kinds))
            for example, kinds in wrong[:MOST_ERRORS]
        ],
        n_wrong=len(wrong),
        n_shown=min(len(wrong), MOST_ERRORS),
        counts=counts,
        colours=COLOURS,
        meaning=MEANING,
    )


def _draw_predicted(example: Example, kinds: dict[str, list[Span]]) -> str:
    wrong = {
        (span.start, span.end): kind
        for kind in ("spurious", "boundary", "label")
        for span in kinds[kind]
    }
    spans = example.get_aligned_spans_x2y(example.predicted.ents)
    return _draw(
        example.reference, [(span, wrong.get((span.start, span.end), "right")) for span in spans]
    )


def _draw_gold(example: Example, kinds: dict[str, list[Span]]) -> str:
    missed = {(span.start, span.end) for span in kinds["missed"]}
    return _draw(
        example.reference,
        [
            (span, "missed" if (span.start, span.end) in missed else "right")
            for span in example.reference.ents
        ],
    )


def _draw(doc: Doc, spans: list[tuple[Span, str]]) -> str:
    several = len({span.label_ for span, _ in spans}) > 1
    ents = []
    for span, kind in spans:
        label = f"{span.label_} {kind}" if several or kind == "label" else kind
        ents.append({"start": span.start_char, "end": span.end_char, "label": label})
    colours = {ent["label"]: COLOURS[str(ent["label"]).split()[-1]] for ent in ents}
    return displacy.render(
        {"text": doc.text, "ents": ents, "title": None},
        style="ent",
        manual=True,
        jupyter=False,
        options={"colors": colours},
    )
