"""Can the labels of two kinds of mentions be told apart by what stands around them? A classifier that never sees the mention says."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.feature_extraction import FeatureHasher
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from spacy.tokens import Doc

By = Literal["label", "id", "kb_id"]
Matrix = NDArray[np.float64]

NEAR, WIDE = 3, 10  # tokens on either side that count with their place, and without it
FOLDS, REPEATS, RESAMPLES = 5, 3, 500
HASHED = 2**18
MASK = "[MENTION]"


@dataclass(frozen=True)
class Mention:
    """A mention as the classifier sees it."""

    label: str
    text: int  # number of the text: mentions of one text are never in training and test at once
    features: tuple[str, ...]


def mentions(docs: Iterable[Doc], by: By) -> list[Mention]:
    """All labelled mentions with their contexts, in which each entity of the text is masked.

    Args:
        docs: with entities.
        by: what is compared: the label, or the entity's id or kb_id; entities without one are left out.
    """
    found = []
    for number, doc in enumerate(docs):
        words: list[str] = []
        places = []
        inside = {token.i: ent for ent in doc.ents for token in ent}
        for token in doc:
            ent = inside.get(token.i)
            if ent is None:
                words += [] if token.is_space else [re.sub(r"\d", "0", token.lower_)]
            elif token.i == ent.start:
                places.append((len(words), {"label": ent.label_, "id": ent.ent_id_, "kb_id": ent.kb_id_}[by]))
                words.append(MASK)
        found += [Mention(label, number, tuple(_features(words, place))) for place, label in places if label]
    return found


def _features(words: Sequence[str], place: int) -> Iterable[str]:
    for side, near in (("before", list(reversed(words[max(0, place - WIDE) : place]))), ("after", words[place + 1 : place + 1 + WIDE])):
        near = list(near)
        yield from (f"{side} {distance} {word}" for distance, word in enumerate(near[:NEAR], start=1))
        yield from (f"{side} {word}" for word in near)
        yield from (f"around {word}" for word in near)
        if len(near) < WIDE:
            yield f"{side} {len(near)} end"


def compare(first: Sequence[Mention], second: Sequence[Mention], seed: int) -> dict[str, Any]:
    """How well contexts tell two labels apart.

    Returns:
        auc: the chance that, of a mention of either label, the classifier gives the first a higher score when its text was not in
        training (0.5: guessing); interval: the middle 95% of it over texts drawn again.
    """
    both = [*first, *second]
    inputs = FeatureHasher(HASHED, input_type="string", alternate_sign=False).transform(mention.features for mention in both)
    inputs = inputs[:, np.unique(inputs.indices)]  # of a quarter million columns a few thousand are in use
    is_first = np.array([True] * len(first) + [False] * len(second))
    texts = np.unique([mention.text for mention in both], return_inverse=True)[1]
    rng = np.random.default_rng(seed)
    n_texts = texts.max() + 1
    weights = np.concatenate([np.ones((1, n_texts)), rng.multinomial(n_texts, np.full(n_texts, 1 / n_texts), RESAMPLES)])[:, texts]
    right = np.zeros(len(weights))
    pairs = np.zeros(len(weights))
    for repeat in range(REPEATS):
        for test, scores in _held_out(inputs, is_first, texts, seed + repeat):
            a, b = is_first[test], ~is_first[test]
            wins = (np.sign(scores[a][:, None] - scores[b][None]) + 1) / 2
            right += ((weights[:, test[a]] @ wins) * weights[:, test[b]]).sum(axis=1)
            pairs += weights[:, test[a]].sum(axis=1) * weights[:, test[b]].sum(axis=1)
    aucs = right / np.maximum(pairs, 1)
    return {"auc": float(aucs[0]), "interval": [float(value) for value in np.percentile(aucs[1:], [2.5, 97.5])]}


def _held_out(inputs: csr_matrix, is_first: NDArray[np.bool_], texts: NDArray[np.int64], seed: int) -> Iterable[tuple[Any, Matrix]]:
    """(rows, scores) of each fold: scores of different folds are not compared, for they come from different classifiers."""
    folds = min(FOLDS, *(len(np.unique(texts[part])) for part in (is_first, ~is_first)))
    for train, test in StratifiedGroupKFold(folds, shuffle=True, random_state=seed).split(inputs, is_first, texts):
        if len(np.unique(is_first[train])) == 2:
            model = make_pipeline(TfidfTransformer(sublinear_tf=True), LogisticRegression(C=10, class_weight="balanced", max_iter=300))
            yield test, model.fit(inputs[train], is_first[train]).decision_function(inputs[test])
