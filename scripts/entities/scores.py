"""Entity scores: spaCy's keys, and the same for entities that training had or had not labelled."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from spacy.scorer import PRFScore, get_ner_prf
from spacy.tokens import Doc, Span
from spacy.training import Example

from scripts.scores import RESAMPLES, middle, percent

PRF = ("ents_p", "ents_r", "ents_f")
Entity = tuple[str, int, int]  # label, first token, token after the last
Entities = dict[Entity, str]  # the entities of a text, with the key of each one's text


def entity_key(span: Span) -> str:
    """What makes two mentions the same entity text: the text without case and extra white space."""
    return " ".join(span.text.casefold().split())


def entity_texts(docs: Iterable[Doc]) -> set[str]:
    """The texts of all entities in some Docs, as `entity_key` gives them."""
    texts: set[str] = set()
    for doc in docs:
        texts.update(entity_key(ent) for ent in doc.ents)
    return texts


def score(examples: Sequence[Example], seen: set[str] | None = None) -> dict[str, Any]:
    """Precision, recall and F of entities, also by label, from 0 to 1: keys of `spacy evaluate`.

    Args:
        examples: predicted and gold Docs.
        seen: entity texts of the training data. If given, "seen" and "unseen" hold the scores of
            the entities with and without such a text.

    Returns:
        ents_p, ents_r, ents_f (None if there is no gold entity), ents_per_type, ents_f_interval
        (95%, bootstrap over texts), and seen and unseen if asked for.
    """
    scores: dict[str, Any] = get_ner_prf(examples)
    scores["ents_per_type"] = dict(sorted((scores["ents_per_type"] or {}).items()))
    pairs = [_entities(example) for example in examples]
    scores["ents_f_interval"] = _interval(pairs)
    if seen is not None:
        scores["seen"] = _partial_score(pairs, seen, True)
        scores["unseen"] = _partial_score(pairs, seen, False)
    return scores


def _entities(example: Example) -> tuple[Entities, Entities]:
    """The predicted and the gold entities of an example, in the tokens of the gold Doc."""
    aligned = example.get_aligned_spans_x2y(example.predicted.ents)
    return _by_position(aligned), _by_position(example.reference.ents)


def _by_position(spans: Iterable[Span]) -> Entities:
    return {(span.label_, span.start, span.end): entity_key(span) for span in spans}


def _partial_score(
    pairs: Sequence[tuple[Entities, Entities]], seen: set[str], wanted: bool
) -> dict[str, Any]:
    """The scores of the entities whose text is among the seen ones (wanted), or is not."""
    prf = PRFScore()
    for predicted, gold in pairs:
        prf.score_set(_with_text(predicted, seen, wanted), _with_text(gold, seen, wanted))
    n_gold = prf.tp + prf.fn
    values = (prf.precision, prf.recall, prf.fscore) if n_gold else (None, None, None)
    return {**dict(zip(PRF, values)), "entities": n_gold}


def _with_text(entities: Entities, seen: set[str], wanted: bool) -> set[Entity]:
    return {entity for entity, key in entities.items() if (key in seen) == wanted}


def _interval(pairs: Sequence[tuple[Entities, Entities]]) -> list[float] | None:
    """The middle 95% of F over texts drawn again with replacement."""
    counts = np.zeros((len(pairs), 3))
    for row, (predicted, gold) in enumerate(pairs):
        counts[row] = len(predicted.keys() & gold.keys()), len(predicted), len(gold)
    if not len(pairs) or not counts[:, 2].any():
        return None
    draws = np.random.default_rng(0).integers(0, len(pairs), (RESAMPLES, len(pairs)))
    hits, n_predicted, n_gold = counts[draws].sum(axis=1).T
    f = 2 * hits / np.maximum(n_predicted + n_gold, 1)
    return middle(f)


def interval(scores: dict[str, Any]) -> str:
    """The interval of F as a table shows it."""
    return " - ".join(percent(value) for value in scores["ents_f_interval"] or (None, None))


def errors(example: Example) -> dict[str, list[Span]]:
    """The spans of one text that went wrong, by kind.

    Returns:
        missed (gold spans that no predicted span overlaps), spurious (predicted spans that no gold
        span overlaps), boundary (predicted spans that overlap a gold one and have other borders)
        and label (same borders, another label).
    """
    predicted = example.get_aligned_spans_x2y(example.predicted.ents)
    gold = example.reference.ents
    wrong: dict[str, list[Span]] = {"missed": [], "spurious": [], "boundary": [], "label": []}
    for span in predicted:
        kind = _error_kind(span, _overlapping(span, gold))
        if kind:
            wrong[kind].append(span)
    wrong["missed"] = [span for span in gold if not _overlapping(span, predicted)]
    return wrong


def _overlapping(span: Span, others: Iterable[Span]) -> list[Span]:
    return [other for other in others if other.start < span.end and span.start < other.end]


def _error_kind(span: Span, rivals: Sequence[Span]) -> str:
    """What is wrong with a predicted span, given the gold spans that it overlaps; "" if nothing."""
    if not rivals:
        return "spurious"
    if all((ent.start, ent.end) != (span.start, span.end) for ent in rivals):
        return "boundary"
    return "label" if all(ent.label != span.label for ent in rivals) else ""
