"""Score the sentiment of entities: with given borders and end to end, beside the sentence alone, the whole text and the commonest label."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example

from scripts import plots
from scripts.components.opinions import SentenceSentiment
from scripts.entities.prediction import predict
from scripts.entities.scores import interval, score
from scripts.opinions.build import NAME
from scripts.opinions.count import decide
from scripts.reading import Skipped, read_gold, read_jsonl
from scripts.scores import RESAMPLES, console, middle, percent

TITLES = {"commonest_label": "commonest label", "text": "whole text", "sentence": "sentence alone"}
SHIPPED = "passage (shipped)"
ANY = "ENTITY"

Way = Callable[[Iterable[Doc]], list[Doc]]


def read_gold_opinions(
    path: Path, nlp: Language, labels: Sequence[str], rejected: Skipped
) -> list[Doc]:
    """Gold Docs whose entities have their sentiment as label.

    Args:
        path: Prodigy JSONL; each span has a "sentiment" beside its "label".
        nlp: its tokenizer cuts the texts.
        labels: of the sentiment pipeline.
        rejected: takes note of spans that do not fit the tokens.

    Raises:
        ValueError: "FILE:LINE: a span has no sentiment ..." or "FILE:LINE: ... is not among the labels ...".
    """
    said: dict[tuple[str, int, int], str] = {}
    for number, record in read_jsonl(path):
        for span in record.get("spans") or []:
            sentiment = span.get("sentiment") if isinstance(span, dict) else None
            if not isinstance(sentiment, str):
                raise ValueError(
                    f'{path}:{number}: a span has no sentiment: each needs a "sentiment" beside its "label"'
                )
            if sentiment not in labels:
                raise ValueError(
                    f"{path}:{number}: {sentiment!r} is not among the labels of the sentiment pipeline ({', '.join(labels)})"
                )
            said[record.get("text", ""), span.get("start", -1), span.get("end", -1)] = sentiment
    docs = list(read_gold(path, nlp, rejected))
    for doc in docs:
        doc.set_ents(
            [
                Span(doc, ent.start, ent.end, said[doc.text, ent.start_char, ent.end_char])
                for ent in doc.ents
            ]
        )
    return docs


def evaluate(nlp: Language, gold: Sequence[Doc], threshold: float, neutral: str) -> dict[str, Any]:
    """Metrics of the joined pipeline.

    Args:
        nlp: the joined pipeline.
        gold: Docs with entities whose labels are sentiments.
        threshold: least score of a label; below it the sentiment is `neutral`.
        neutral: what stands for neither praise nor complaint.

    Returns:
        spaCy's keys for entities with the right borders and sentiment, whatever their label, end to end; the same for the peers
        (commonest_label, text, sentence);
        given_borders with accuracy, macro_f, their 95% intervals and f by label, for the peers and for "passage"; borders, the F of
        the entities without regard to sentiment.
    """
    component: SentenceSentiment = nlp.get_pipe(NAME)  # type: ignore[assignment]
    examples = predict(nlp, gold)
    found, bordered = (
        [example.predicted for example in examples],
        [_with_borders(example) for example in examples],
    )
    ways = _ways(component, gold, threshold, neutral)
    end_to_end = {
        name: score([Example(doc, reference) for doc, reference in zip(way(found), gold)])
        for name, way in ways.items()
    }
    by_borders = {name: accuracy(zip(way(bordered), gold)) for name, way in ways.items()}
    anything = [
        Example(
            *(_label(doc.copy(), repeat(ANY)) for doc in (example.predicted, example.reference))
        )
        for example in examples
    ]
    n_mentions = sum(len(doc.ents) for doc in gold)
    shipped = end_to_end.pop("passage")
    return {
        **shipped,
        **end_to_end,
        "given_borders": by_borders,
        "borders": score(anything),
        "test_texts": len(gold),
        "test_mentions": n_mentions,
    }


def _ways(
    component: SentenceSentiment, gold: Sequence[Doc], threshold: float, neutral: str
) -> dict[str, Way]:
    """Functions that give the entities of copies of Docs a sentiment as their label: the peers, and what is shipped as `passage`."""
    (commonest, _), *_ = Counter(
        sorted(ent.label_ for doc in gold for ent in doc.ents)
    ).most_common(1)

    def by_component(docs: Iterable[Doc], follow: int) -> list[Doc]:
        copies = [doc.copy() for doc in docs]
        for doc in copies:
            doc.user_data = {}
        component.follow, before = follow, component.follow
        judged = list(component.pipe(copies))
        component.follow = before
        return [
            _label(doc, [decide(ent._.sentiment, threshold, neutral) for ent in doc.ents])
            for doc in judged
        ]

    def by_text(docs: Iterable[Doc]) -> list[Doc]:
        assert component.sentiment is not None
        copies = [doc.copy() for doc in docs]
        judged = component.sentiment.pipe(doc.text for doc in copies)
        return [
            _label(doc, repeat(decide(whole.cats, threshold, neutral)))
            for doc, whole in zip(copies, judged)
        ]

    return {
        "commonest_label": lambda docs: [_label(doc.copy(), repeat(commonest)) for doc in docs],
        "text": by_text,
        "sentence": lambda docs: by_component(docs, 0),
        "passage": lambda docs: by_component(docs, component.follow),
    }


def _label(doc: Doc, labels: Iterable[str]) -> Doc:
    doc.set_ents([Span(doc, ent.start, ent.end, label) for ent, label in zip(doc.ents, labels)])
    return doc


def _with_borders(example: Example) -> Doc:
    """The predicted Doc with the gold entities."""
    doc = example.predicted.copy()
    spans = [
        doc.char_span(ent.start_char, ent.end_char, label=ANY) for ent in example.reference.ents
    ]
    doc.set_ents([span for span in spans if span is not None])
    return doc


def accuracy(pairs: Iterable[tuple[Doc, Doc]]) -> dict[str, Any]:
    """Accuracy and macro F over (predicted, gold) Docs with the same entities, with 95% intervals (bootstrap over texts)."""
    both = []
    for predicted, gold in pairs:
        labels_of = {ent.start_char: ent.label_ for ent in gold.ents}
        both.append([(ent.label_, labels_of[ent.start_char]) for ent in predicted.ents])
    labels = sorted({label for found in both for pair in found for label in pair})
    confusion = np.zeros((len(both), len(labels), len(labels)))
    for number, found in enumerate(both):
        for predicted_label, gold_label in found:
            confusion[number, labels.index(gold_label), labels.index(predicted_label)] += 1
    wanted = (
        confusion.sum(axis=(0, 2)) > 0
    )  # a label that gold does not have counts as an error, not as one more F
    draws = np.random.default_rng(0).integers(0, len(both), (RESAMPLES, len(both)))
    (right, f), (rights, fs) = (
        _shares(counts) for counts in (confusion.sum(axis=0)[None], confusion[draws].sum(axis=1))
    )
    return {
        "accuracy": float(right[0]),
        "accuracy_interval": middle(rights),
        "macro_f": float(f[0, wanted].mean()),
        "macro_f_interval": middle(fs[:, wanted].mean(axis=1)),
        "f_per_label": {
            label: float(value) for label, value, used in zip(labels, f[0], wanted) if used
        },
    }


def _shares(confusion: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Accuracy (n,) and F by label (n, n_labels) of confusion matrices (n, n_labels, n_labels), gold by predicted."""
    hits = np.einsum("nii->ni", confusion)
    f = 2 * hits / np.maximum(confusion.sum(axis=1) + confusion.sum(axis=2), 1)
    return hits.sum(axis=1) / np.maximum(confusion.sum(axis=(1, 2)), 1), f


def rows(metrics: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """(title, scores end to end, scores with given borders) of each way, the shipped one last."""
    for name, title in {**TITLES, "passage": SHIPPED}.items():
        yield title, metrics.get(name, metrics), metrics["given_borders"][name]


def print_tables(metrics: dict[str, Any]) -> None:
    """Print accuracy and macro F with given borders, and F end to end."""
    table = Table(
        title=f"{metrics['test_texts']} test texts, {metrics['test_mentions']} mentions",
        title_justify="left",
    )
    for column in (
        "sentiment of an entity",
        "accuracy",
        "95% interval",
        "macro F",
        "95% interval",
        "F end to end",
        "95% interval",
    ):
        table.add_column(column, justify="left" if column == "sentiment of an entity" else "right")
    for title, scores, given in rows(metrics):
        cells = [
            part
            for key in ("accuracy", "macro_f")
            for part in (percent(given[key]), " - ".join(map(percent, given[f"{key}_interval"])))
        ]
        table.add_row(title, *cells, percent(scores["ents_f"]), interval(scores))
    borders = metrics["borders"]
    table.add_row(
        "if each were right",
        "100.0",
        "",
        "100.0",
        "",
        percent(borders["ents_f"]),
        interval(borders),
        style="dim",
    )
    console().print(table)


def draw(metrics: dict[str, Any], path: Path) -> None:
    """Save the ways as a bar chart."""
    groups = {
        title: {
            "accuracy, borders given": 100 * given["accuracy"],
            "macro F, borders given": 100 * given["macro_f"],
            "F end to end": 100 * (scores["ents_f"] or 0),
        }
        for title, scores, given in rows(metrics)
    }
    plots.save(
        plots.bars(
            groups,
            f"Sentiment of {metrics['test_mentions']} entities in {metrics['test_texts']} texts",
            "%",
        ),
        path,
    )
