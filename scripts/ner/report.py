"""One self-contained page about a training: scores, curve, errors, pattern statistics."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import spacy
import srsly
from spacy import displacy
from spacy.tokens import Doc, Span
from spacy.training import Example

from scripts import pages
from scripts.entities.scores import PRF, errors
from scripts.ner.evaluate import systems
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
    "spurious": "found, but there is no hand label",
    "boundary": "found with other borders",
    "label": "found under another label",
}
MAX_ERRORS = 100  # texts with errors on the page
Errors = dict[str, list[Span]]  # by kind


def render(folder: Path, corpus: Path, stats: dict[str, Any], title: str) -> str:
    """The page as HTML. The training curve is also saved as curve.png.

    Args:
        folder: training folder with metrics.json, log.jsonl, scores.png and predictions.spacy.
        corpus: the folder that ner-split wrote.
        stats: the statistics that ner-annotate wrote.
        title: heading of the page.
    """
    metrics = srsly.read_json(folder / "metrics.json")
    draw_curve(folder / "log.jsonl", folder / "curve.png")
    wrong = _texts_with_errors(folder / "predictions.spacy", corpus / "test.spacy")
    shown = wrong[:MAX_ERRORS]
    return pages.render(
        Path(__file__).with_name("report.html.jinja"),
        title=title,
        metrics=metrics,
        systems=systems(metrics),
        split=srsly.read_json(corpus / "split.json"),
        stats=stats,
        curve=pages.embed(folder / "curve.png"),
        bars=pages.embed(folder / "scores.png"),
        errors=[(_draw_predicted(*pair), _draw_gold(*pair)) for pair in shown],
        n_wrong=len(wrong),
        n_shown=len(shown),
        counts=_counts(wrong),
        colours=COLOURS,
        meaning=MEANING,
    )


def draw_curve(log: Path, path: Path) -> None:
    """Save the training curve of a log of `spacy train`."""
    from scripts import plots

    plots.save(plots.training_curve(list(srsly.read_jsonl(log)), "ner", PRF), path)


def _texts_with_errors(predictions: Path, test: Path) -> list[tuple[Example, Errors]]:
    nlp = spacy.blank("xx")
    wrong = []
    for predicted, reference in zip(read_docs(predictions, nlp), read_docs(test, nlp)):
        example = Example(predicted, reference)
        kinds = errors(example)
        if any(kinds.values()):
            wrong.append((example, kinds))
    return wrong


def _counts(wrong: Iterable[tuple[Example, Errors]]) -> dict[str, int]:
    """The number of errors of each kind."""
    counts = dict.fromkeys(MEANING, 0)
    for _, kinds in wrong:
        for kind in counts:
            counts[kind] += len(kinds[kind])
    return counts


def _draw_predicted(example: Example, kinds: Errors) -> str:
    spans = example.get_aligned_spans_x2y(example.predicted.ents)
    return _draw(example.reference, spans, kinds, ("spurious", "boundary", "label"))


def _draw_gold(example: Example, kinds: Errors) -> str:
    return _draw(example.reference, example.reference.ents, kinds, ("missed",))


def _draw(doc: Doc, spans: Iterable[Span], kinds: Errors, shown: Iterable[str]) -> str:
    """A text with spans, each in the colour of its kind of error.

    Args:
        doc: the text.
        spans: the entities to draw.
        kinds: the wrong ones, by kind.
        shown: the kinds that are shown; all else is right.
    """
    spans = list(spans)
    wrong: dict[tuple[int, int], str] = {}
    for kind in shown:
        wrong.update({(span.start, span.end): kind for span in kinds[kind]})
    several = len({span.label_ for span in spans}) > 1
    ents: list[dict[str, Any]] = []
    colours: dict[str, str] = {}
    for span in spans:
        kind = wrong.get((span.start, span.end), "right")
        label = f"{span.label_} {kind}" if several or kind == "label" else kind
        ents.append({"start": span.start_char, "end": span.end_char, "label": label})
        colours[label] = COLOURS[kind]
    return displacy.render(
        {"text": doc.text, "ents": ents, "title": None},
        style="ent",
        manual=True,
        jupyter=False,
        options={"colors": colours},
    )
