"""Score the sentiment of entities: end to end, and with the borders of the entities given.

The passage is compared with the sentence alone, the whole text and the commonest label.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example

from scripts.components.opinions import SentenceSentiment
from scripts.entities.prediction import predict
from scripts.entities.scores import interval, score
from scripts.opinions.joined import decide, sentiment_component
from scripts.reading import Skipped, read_annotated, read_jsonl
from scripts.scores import RESAMPLES, console, middle, percent

Array1d = NDArray[np.float64]
Array2d = NDArray[np.float64]
Array3d = NDArray[np.float64]
Judge = Callable[[Iterable[Doc]], list[Doc]]
Pairs = list[tuple[str, str]]  # (predicted label, gold label) of each entity of a text

TITLES = {
    "commonest_label": "commonest label",
    "text": "whole text",
    "sentence": "sentence alone",
    "passage": "passage (shipped)",
}
COLUMNS = (
    "sentiment of an entity",
    "accuracy",
    "95% interval",
    "macro F",
    "95% interval",
    "F end to end",
    "95% interval",
)
ANY = "ENTITY"


def read_gold_opinions(
    path: Path, nlp: Language, labels: Sequence[str], rejected: Skipped
) -> list[Doc]:
    """Gold Docs whose entities have their sentiment as label.

    Args:
        path: Prodigy JSONL; each span has a "sentiment" in addition to its "label".
        nlp: its tokenizer cuts the texts.
        labels: of the sentiment pipeline.
        rejected: records spans that do not fit the tokens.

    Raises:
        ValueError: "FILE:LINE: a span has no sentiment ..." or "FILE:LINE: ... is not among the
            labels ...".
    """
    sentiments = _read_sentiments(path, labels)
    docs = list(read_annotated(path, nlp, rejected))
    for doc in docs:
        _label(doc, [sentiments[doc.text, ent.start_char, ent.end_char] for ent in doc.ents])
    return docs


def _read_sentiments(path: Path, labels: Sequence[str]) -> dict[tuple[str, int, int], str]:
    """{(text, start, end): sentiment} of all spans of a file."""
    sentiments: dict[tuple[str, int, int], str] = {}
    for number, record in read_jsonl(path):
        for span in record.get("spans") or []:
            sentiment = span.get("sentiment") if isinstance(span, dict) else None
            if not isinstance(sentiment, str):
                raise ValueError(
                    f"{path}:{number}: a span has no sentiment: "
                    'each needs a "sentiment" in addition to its "label"'
                )
            if sentiment not in labels:
                raise ValueError(
                    f"{path}:{number}: {sentiment!r} is not among the labels of the sentiment "
                    f"pipeline ({', '.join(labels)}): correct it"
                )
            key = (record.get("text", ""), span.get("start", -1), span.get("end", -1))
            sentiments[key] = sentiment
    return sentiments


def evaluate_opinions(
    nlp: Language, gold: Sequence[Doc], threshold: float, neutral: str
) -> dict[str, Any]:
    """Metrics of the joined pipeline.

    Args:
        nlp: the joined pipeline.
        gold: Docs with entities whose labels are sentiments.
        threshold: minimum score of a label; below it the sentiment is `neutral`.
        neutral: the label for neither praise nor complaint.

    Returns:
        spaCy's keys for entities with the right borders and sentiment, whatever their label, end to
        end; the same for the baselines (commonest_label, text, sentence); given_borders with
        accuracy, macro_f, their 95% intervals and f by label, for the baselines and for "passage";
        borders, the scores of the entities whatever their sentiment.
    """
    examples = predict(nlp, gold)
    predicted = [example.predicted for example in examples]
    bordered = [_with_gold_borders(example) for example in examples]
    end_to_end, given_borders = {}, {}
    for name, judge in _judges(nlp, gold, threshold, neutral).items():
        end_to_end[name] = score(_examples(judge(predicted), gold))
        given_borders[name] = accuracy(zip(judge(bordered), gold))
    return {
        **end_to_end.pop("passage"),
        **end_to_end,
        "given_borders": given_borders,
        "borders": score([_without_sentiment(example) for example in examples]),
        "test_texts": len(gold),
        "test_mentions": sum(len(doc.ents) for doc in gold),
    }


def _examples(predicted: Iterable[Doc], gold: Iterable[Doc]) -> list[Example]:
    return [Example(doc, reference) for doc, reference in zip(predicted, gold)]


def _judges(nlp: Language, gold: Iterable[Doc], threshold: float, neutral: str) -> dict[str, Judge]:
    """Functions that copy Docs and label the entities with a sentiment.

    They are the baselines, and what is shipped as `passage`.
    """
    component = sentiment_component(nlp)
    decide_label = partial(decide, threshold=threshold, neutral=neutral)
    assert component.sentiment is not None
    return {
        "commonest_label": partial(_label_all, label=_commonest_label(gold)),
        "text": partial(_by_text, sentiment=component.sentiment, decide_label=decide_label),
        "sentence": partial(_by_passage, component, 0, decide_label),
        "passage": partial(_by_passage, component, component.follow, decide_label),
    }


def _commonest_label(docs: Iterable[Doc]) -> str:
    """The commonest label of entities; of equally common ones the first in the alphabet."""
    labels: list[str] = []
    for doc in docs:
        labels += [ent.label_ for ent in doc.ents]
    return Counter(sorted(labels)).most_common(1)[0][0]


def _label_all(docs: Iterable[Doc], label: str) -> list[Doc]:
    return [_label(doc.copy(), repeat(label)) for doc in docs]


def _by_text(
    docs: Iterable[Doc], sentiment: Language, decide_label: Callable[[dict[str, float]], str]
) -> list[Doc]:
    """The sentiment of the whole text."""
    copies = [doc.copy() for doc in docs]
    judged = sentiment.pipe(doc.text for doc in copies)
    labels = [decide_label(doc.cats) for doc in judged]
    return [_label(doc, repeat(label)) for doc, label in zip(copies, labels)]


def _by_passage(
    component: SentenceSentiment,
    follow: int,
    decide_label: Callable[[dict[str, float]], str],
    docs: Iterable[Doc],
) -> list[Doc]:
    """The sentiment of the sentence, with at most `follow` sentences after it."""
    copies = [doc.copy() for doc in docs]
    for doc in copies:
        doc.user_data = {}
    for doc in component.pipe(copies, follow=follow):
        _label(doc, [decide_label(ent._.sentiment) for ent in doc.ents])
    return copies


def _label(doc: Doc, labels: Iterable[str]) -> Doc:
    doc.set_ents([Span(doc, ent.start, ent.end, label) for ent, label in zip(doc.ents, labels)])
    return doc


def _with_gold_borders(example: Example) -> Doc:
    """The predicted Doc with the gold entities."""
    doc = example.predicted.copy()
    spans = [
        doc.char_span(ent.start_char, ent.end_char, label=ANY) for ent in example.reference.ents
    ]
    doc.set_ents([span for span in spans if span is not None])
    return doc


def _without_sentiment(example: Example) -> Example:
    """The example with the same label on all entities."""
    predicted, gold = _label_all((example.predicted, example.reference), ANY)
    return Example(predicted, gold)


def accuracy(pairs: Iterable[tuple[Doc, Doc]]) -> dict[str, Any]:
    """Accuracy and macro F, with 95% intervals (bootstrap over texts).

    Args:
        pairs: (predicted, gold) Docs with the same entities, labelled with sentiments.

    Returns:
        accuracy, macro_f, an interval of each, and f_per_label, as shares of 1.
    """
    texts = [_label_pairs(predicted, gold) for predicted, gold in pairs]
    labels, confusion = _confusion(texts)
    in_gold = confusion.sum(axis=(0, 2)) > 0  # any other label is an error, not one more F-score
    draws = np.random.default_rng(0).integers(0, len(texts), (RESAMPLES, len(texts)))
    (share,), (f_scores,) = _scores(confusion.sum(axis=0)[None])
    shares, drawn_f_scores = _scores(confusion[draws].sum(axis=1))
    per_label = zip(labels, f_scores, in_gold)
    return {
        "accuracy": float(share),
        "accuracy_interval": middle(shares),
        "macro_f": float(f_scores[in_gold].mean()),
        "macro_f_interval": middle(drawn_f_scores[:, in_gold].mean(axis=1)),
        "f_per_label": {label: float(f_score) for label, f_score, used in per_label if used},
    }


def _label_pairs(predicted: Doc, gold: Doc) -> Pairs:
    gold_labels = {ent.start_char: ent.label_ for ent in gold.ents}
    return [(ent.label_, gold_labels[ent.start_char]) for ent in predicted.ents]


def _confusion(texts: Sequence[Pairs]) -> tuple[list[str], Array3d]:
    """The labels, and the confusion matrix of each text, (n_texts, n_labels, n_labels).

    Rows are gold labels, columns predicted ones.
    """
    all_pairs = chain.from_iterable(texts)
    labels = sorted(set(chain.from_iterable(all_pairs)))
    confusion = np.zeros((len(texts), len(labels), len(labels)))
    for number, pairs in enumerate(texts):
        for predicted, gold in pairs:
            confusion[number, labels.index(gold), labels.index(predicted)] += 1
    return labels, confusion


def _scores(confusion: Array3d) -> tuple[Array1d, Array2d]:
    """Accuracy (n,) and F by label (n, n_labels) of confusion matrices (n, n_labels, n_labels)."""
    hits = np.einsum("nii->ni", confusion)
    f_scores = 2 * hits / np.maximum(confusion.sum(axis=1) + confusion.sum(axis=2), 1)
    return hits.sum(axis=1) / np.maximum(confusion.sum(axis=(1, 2)), 1), f_scores


def system_scores(
    metrics: dict[str, Any],
) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """(title, scores end to end, scores with given borders) of each system, shipped one last."""
    for name, title in TITLES.items():
        yield title, metrics.get(name, metrics), metrics["given_borders"][name]


def print_tables(metrics: dict[str, Any]) -> None:
    """Print accuracy and macro F with given borders, and the F end to end."""
    title = f"{metrics['test_texts']} test texts, {metrics['test_mentions']} mentions"
    table = Table(title=title, title_justify="left")
    for column in COLUMNS:
        table.add_column(column, justify="left" if column == COLUMNS[0] else "right")
    for name, scores, bordered in system_scores(metrics):
        cells = []
        for key in ("accuracy", "macro_f"):
            low, high = bordered[f"{key}_interval"]
            cells += [percent(bordered[key]), f"{percent(low)} - {percent(high)}"]
        table.add_row(name, *cells, percent(scores["ents_f"]), interval(scores))
    borders = metrics["borders"]
    cells = ["100.0", "", "100.0", "", percent(borders["ents_f"]), interval(borders)]
    table.add_row("if each were right", *cells, style="dim")
    console().print(table)


def draw(metrics: dict[str, Any], path: Path) -> None:
    """Save the scores of the systems as a bar chart."""
    from scripts import plots

    groups = {}
    for name, scores, bordered in system_scores(metrics):
        groups[name] = {
            "accuracy, borders given": 100 * bordered["accuracy"],
            "macro F, borders given": 100 * bordered["macro_f"],
            "F end to end": 100 * (scores["ents_f"] or 0),
        }
    counts = f"{metrics['test_mentions']} entities in {metrics['test_texts']} texts"
    plots.save(plots.bars(groups, f"Sentiment of {counts}", "%"), path)
