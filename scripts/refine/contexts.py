"""Measure how well the contexts of mentions tell two labels apart.

The classifier never sees the mention itself.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from spacy.tokens import Doc, Span

from scripts.refine.options import By

Array1d = NDArray[np.float64]
Array2d = NDArray[np.float64]
Ints1d = NDArray[np.int64]

NEAR, WIDE = 3, 10  # tokens on either side that count with their distance, and without it
N_FOLDS, N_REPEATS, N_SHUFFLES = 5, 3, 100
RIDGE = 1.0  # the inputs are rows of length 1
N_HASHED = 2**18  # columns of the hashed features
MASK = "[MENTION]"


@dataclass(frozen=True)
class Mention:
    """A mention as the classifier sees it.

    Args:
        label: what is compared.
        text: number of the text; mentions of one text are never both in training and in test.
        features: of the context.
    """

    label: str
    text: int
    features: tuple[str, ...]


def mentions(docs: Iterable[Doc], by: By) -> list[Mention]:
    """All labelled mentions with their contexts, in which all entities of the text are masked.

    Args:
        docs: with entities.
        by: what is compared: the label, or the entity's id or kb_id; entities without one are left
            out.
    """
    found: list[Mention] = []
    for number, doc in enumerate(docs):
        words, places = _masked_words(doc)
        for ent, place in places:
            if label := _label(ent, by):
                found.append(Mention(label, number, tuple(_features(words, place))))
    return found


def _label(ent: Span, by: By) -> str:
    return {"label": ent.label_, "id": ent.ent_id_, "kb_id": ent.kb_id_}[by]


def _masked_words(doc: Doc) -> tuple[list[str], list[tuple[Span, int]]]:
    """The words of a text with a mask for each entity, and (entity, index of its mask)."""
    words: list[str] = []
    places = []
    starts = {ent.start: ent for ent in doc.ents}
    inside: set[int] = set()
    for ent in doc.ents:
        inside.update(range(ent.start, ent.end))
    for token in doc:
        if token.i in starts:
            places.append((starts[token.i], len(words)))
            words.append(MASK)
        elif token.i not in inside and not token.is_space:
            words.append(re.sub(r"\d", "0", token.lower_))
    return words, places


def _features(words: Sequence[str], place: int) -> Iterator[str]:
    before = list(reversed(words[max(0, place - WIDE) : place]))
    after = words[place + 1 : place + 1 + WIDE]
    for side, context in (("before", before), ("after", after)):
        for distance, word in enumerate(context[:NEAR], start=1):
            yield f"{side} {distance} {word}"
        yield from (f"{side} {word}" for word in context)
        yield from (f"around {word}" for word in context)
        if len(context) < WIDE:
            yield f"{side} {len(context)} end"


def compare(first: Sequence[Mention], second: Sequence[Mention], seed: int) -> dict[str, Any]:
    """How well contexts tell two labels apart.

    Args:
        first: the mentions of one label.
        second: those of the other.
        seed: for folds and shuffles.

    Returns:
        auc: the chance that the classifier puts two mentions, one of each label, in the right
        order, if their texts were not in its training data (0.5: guessing).
        interval: the AUC plus and minus 1.96 times the standard deviation of the AUC over shuffled
        labels. A bootstrap of the scores alone would be too narrow, because it does not know that
        other texts would have trained another classifier.
    """
    both = sorted([*first, *second], key=lambda mention: mention.text)
    labels = np.array([mention.label == first[0].label for mention in both], dtype=float)
    texts = np.unique([mention.text for mention in both], return_inverse=True)[1]
    rng = np.random.default_rng(seed)
    labellings = np.stack([labels, *_shuffled(labels, texts, rng)], axis=1)
    aucs = _held_out_aucs(_similarities(both), labellings, texts, rng)
    auc, reach = float(aucs[0]), 1.96 * float(aucs[1:].std())
    return {"auc": auc, "interval": [max(0.0, auc - reach), min(1.0, auc + reach)]}


def _similarities(mentions: Sequence[Mention]) -> Array2d:
    """The products of the mentions' TF-IDF rows, (n, n)."""
    from sklearn.feature_extraction import FeatureHasher
    from sklearn.feature_extraction.text import TfidfTransformer

    hasher = FeatureHasher(N_HASHED, input_type="string", alternate_sign=False)
    hashed = hasher.transform(mention.features for mention in mentions)
    inputs = TfidfTransformer(sublinear_tf=True).fit_transform(hashed)
    similarities: Array2d = (inputs @ inputs.T).toarray()
    return similarities


def _shuffled(labels: Array1d, texts: Ints1d, rng: np.random.Generator) -> list[Array1d]:
    """Shuffled labels, text by text, because mentions of one text tend to have the same label.

    Args:
        labels: (n,), 0 or 1.
        texts: (n,), the number of the text of each mention, in order.
        rng: draws the shuffles.
    """
    blocks = np.split(labels, np.flatnonzero(np.diff(texts)) + 1)
    shuffled = []
    for _ in range(N_SHUFFLES):
        order = rng.permutation(len(blocks))
        shuffled.append(np.concatenate([blocks[i] for i in order]))
    return shuffled


def _held_out_aucs(
    similarities: Array2d, labels: Array2d, texts: Ints1d, rng: np.random.Generator
) -> Array1d:
    """The AUC of each of some labellings by ridge regression, cross-validated by text.

    Scores of different folds are not compared, because they come from different classifiers.

    Args:
        similarities: (n, n), the products of the inputs.
        labels: (n, n_labellings), 0 or 1. The training equations are solved once for all of them.
        texts: (n,), the number of the text of each mention.
        rng: draws the folds.

    Returns:
        (n_labellings,)
    """
    n_right, n_pairs = np.zeros((2, labels.shape[1]))
    for _ in range(N_REPEATS):
        fold = rng.permutation(np.arange(texts.max() + 1) % N_FOLDS)[texts]
        for held_out in range(N_FOLDS):
            train, test = np.flatnonzero(fold != held_out), np.flatnonzero(fold == held_out)
            if len(train) and len(test):
                scores = _ridge_scores(similarities, labels, train, test)
                right, pairs = _ordered_pairs(scores, labels[test])
                n_right += right
                n_pairs += pairs
    return np.divide(n_right, n_pairs, out=np.full_like(n_right, 0.5), where=n_pairs > 0)


def _ridge_scores(similarities: Array2d, labels: Array2d, train: Ints1d, test: Ints1d) -> Array2d:
    """The scores of test mentions for each labelling, (n_test, n_labellings)."""
    centred = labels[train] - labels[train].mean(axis=0)
    equations = similarities[np.ix_(train, train)] + RIDGE * np.eye(len(train))
    scores: Array2d = similarities[np.ix_(test, train)] @ np.linalg.solve(equations, centred)
    return scores


def _ordered_pairs(scores: Array2d, labels: Array2d) -> tuple[Array1d, Array1d]:
    """Pairs in the right order (Mann and Whitney's U) and all pairs, both (n_labellings,)."""
    from scipy.stats import rankdata

    n_ones = labels.sum(axis=0)
    rank_sums = (rankdata(scores, axis=0) * labels).sum(axis=0)
    return rank_sums - n_ones * (n_ones + 1) / 2, n_ones * (len(labels) - n_ones)
