"""Entity scores: spaCy's own keys, and apart from them the entities that training had shown and those that it had not."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from spacy.scorer import PRFScore, get_ner_prf
from spacy.tokens import Doc, Span
from spacy.training import Example

from scripts.scores import RESAMPLES, middle, percent


def entity_key(span: Span) -> str:
    """What makes two mentions the same entity text: the text, with case and white space evened out."""
    return " ".join(span.text.casefold().split())


def entity_texts(docs: Iterable[Doc]) -> set[str]:
    """The texts of all entities in some Docs, as `entity_key` gives them."""
    return {entity_key(ent) for doc in docs for ent in doc.ents}


def score(examples: Sequence[Example], seen: set[str] | None = None) -> dict[str, Any]:
    """Precision, recall and F of entities, by label too: the keys of `spacy evaluate`, as shares of 1.

    Args:
        examples: predicted and gold Docs.
        seen: entity texts of the training data; with it, "seen" and "unseen" hold the scores of either kind.

    Returns:
        ents_p, ents_r, ents_f (None where there is no gold entity), ents_per_type, ents_f_interval (95%, bootstrap
        over texts), and seen and unseen where asked for.
    """
    scores: dict[str, Any] = get_ner_prf(examples)
    scores["ents_per_type"] = dict(sorted((scores["ents_per_type"] or {}).items()))
    scores["ents_f_interval"] = _interval(examples)
    if seen is not None:
        for name, wanted in (("seen", True), ("unseen", False)):
            part = PRFScore()
            for example in examples:
                predicted, gold = _spans(example)
                part.score_set(
                    *(
                        {span[:3] for span in spans if (span[3] in seen) == wanted}
                        for spans in (predicted, gold)
                    )
                )
            n_gold = part.tp + part.fn
            values = (part.precision, part.recall, part.fscore) if n_gold else (None, None, None)
            scores[name] = {**dict(zip(("ents_p", "ents_r", "ents_f"), values)), "entities": n_gold}
    return scores


def _spans(example: Example) -> tuple[set[tuple[Any, ...]], set[tuple[Any, ...]]]:
    """(predicted, gold) spans of an example in gold tokens: (label, start, end, text)."""
    aligned = example.get_aligned_spans_x2y(example.predicted.ents)
    return tuple(
        {(ent.label_, ent.start, ent.end, entity_key(ent)) for ent in ents}
        for ents in (aligned, example.reference.ents)
    )  # type: ignore[return-value]


def _interval(examples: Sequence[Example]) -> list[float] | None:
    """The middle 95% of F over texts drawn again with replacement."""
    counts = np.zeros((len(examples), 3))
    for row, example in enumerate(examples):
        predicted, gold = _spans(example)
        counts[row] = len(predicted & gold), len(predicted), len(gold)
    if not len(examples) or not counts[:, 2].any():
        return None
    draws = np.random.default_rng(0).integers(0, len(examples), (RESAMPLES, len(examples)))
    hits, n_predicted, n_gold = counts[draws].sum(axis=1).T
    f = 2 * hits / np.maximum(n_predicted + n_gold, 1)
    return middle(f)


def interval(scores: dict[str, Any]) -> str:
    """The interval of F as a table shows it."""
    return " - ".join(percent(value) for value in scores["ents_f_interval"] or (None, None))


def errors(example: Example) -> dict[str, list[Span]]:
    """The spans of one text that went wrong, by kind.

    Returns:
        missed (gold spans with nothing predicted on them), spurious (predicted spans with nothing gold on them), boundary
        (predicted spans that overlap gold with other borders) and label (same borders, other label).
    """
    predicted = example.get_aligned_spans_x2y(example.predicted.ents)
    gold = example.reference.ents
    found: dict[str, list[Span]] = {"missed": [], "spurious": [], "boundary": [], "label": []}
    for span in predicted:
        rivals = [ent for ent in gold if ent.start < span.end and span.start < ent.end]
        if not rivals:
            found["spurious"].append(span)
        elif all((ent.start, ent.end) != (span.start, span.end) for ent in rivals):
            found["boundary"].append(span)
        elif all(ent.label != span.label for ent in rivals):
            found["label"].append(span)
    for ent in gold:
        if not any(ent.start < span.end and span.start < ent.end for span in predicted):
            found["missed"].append(ent)
    return found
