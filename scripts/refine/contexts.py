"""Can the labels of two kinds of mentions be told apart by what stands around them? A classifier that never sees the mention says."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.feature_extraction import FeatureHasher
from sklearn.feature_extraction.text import TfidfTransformer
from spacy.tokens import Doc

By = Literal["label", "id", "kb_id"]
Matrix = NDArray[np.float64]

NEAR, WIDE = 3, 10  # tokens on either side that count with their place, and without it
FOLDS, REPEATS, SHUFFLES = 5, 3, 100
RIDGE = 1.0  # rows of the inputs have length 1
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
                places.append(
                    (len(words), {"label": ent.label_, "id": ent.ent_id_, "kb_id": ent.kb_id_}[by])
                )
                words.append(MASK)
        found += [
            Mention(label, number, tuple(_features(words, place)))
            for place, label in places
            if label
        ]
    return found


def _features(words: Sequence[str], place: int) -> Iterable[str]:
    for side, near in (
        ("before", list(reversed(words[max(0, place - WIDE) : place]))),
        ("after", words[place + 1 : place + 1 + WIDE]),
    ):
        near = list(near)
        yield from (
            f"{side} {distance} {word}" for distance, word in enumerate(near[:NEAR], start=1)
        )
        yield from (f"{side} {word}" for word in near)
        yield from (f"around {word}" for word in near)
        if len(near) < WIDE:
            yield f"{side} {len(near)} end"


def compare(first: Sequence[Mention], second: Sequence[Mention], seed: int) -> dict[str, Any]:
    """How well contexts tell two labels apart.

    Returns:
        auc: the chance that the classifier puts two mentions, one of each label, in the right order, where their texts were not in
        training (0.5: guessing); interval: 1.96 times the spread of the AUC over shuffled labels to either side of it. A bootstrap
        of the scores alone would be too narrow, for it does not know that other texts would have trained another classifier.
    """
    both = sorted([*first, *second], key=lambda mention: mention.text)
    hashed = FeatureHasher(HASHED, input_type="string", alternate_sign=False).transform(
        mention.features for mention in both
    )
    inputs = TfidfTransformer(sublinear_tf=True).fit_transform(hashed)
    label = np.array([mention.label == first[0].label for mention in both], dtype=float)
    texts = np.unique([mention.text for mention in both], return_inverse=True)[1]
    rng = np.random.default_rng(seed)
    blocks = np.split(
        label, np.flatnonzero(np.diff(texts)) + 1
    )  # shuffled text by text: mentions of one text tend to be of one label
    shuffled = [
        np.concatenate([blocks[i] for i in rng.permutation(len(blocks))]) for _ in range(SHUFFLES)
    ]
    aucs = _held_out_aucs(
        (inputs @ inputs.T).toarray(), np.stack([label, *shuffled], axis=1), texts, rng
    )
    auc, reach = float(aucs[0]), 1.96 * float(aucs[1:].std())
    return {"auc": auc, "interval": [max(0.0, auc - reach), min(1.0, auc + reach)]}


def _held_out_aucs(
    gram: Matrix, labels: Matrix, texts: NDArray[np.int64], rng: np.random.Generator
) -> Matrix:
    """The AUC of each of some labellings by ridge regression, cross-validated by text.

    Scores of different folds are not compared, for they come from different classifiers.

    Args:
        gram: (n, n), the products of the inputs.
        labels: (n, n_labellings), 0 or 1. One solution of the training equations serves all of them.
        texts: (n,), the number of the text of each mention.
        rng: draws the folds.
    """
    right, pairs = np.zeros((2, labels.shape[1]))
    for _ in range(REPEATS):
        fold = rng.permutation(np.arange(texts.max() + 1) % FOLDS)[texts]
        for held_out in range(FOLDS):
            train, test = np.flatnonzero(fold != held_out), np.flatnonzero(fold == held_out)
            if not len(train) or not len(test):
                continue
            centred = labels[train] - labels[train].mean(axis=0)
            scores = gram[np.ix_(test, train)] @ np.linalg.solve(
                gram[np.ix_(train, train)] + RIDGE * np.eye(len(train)), centred
            )
            ones = labels[test].sum(axis=0)
            right += (rankdata(scores, axis=0) * labels[test]).sum(axis=0) - ones * (
                ones + 1
            ) / 2  # Mann and Whitney's U
            pairs += ones * (len(test) - ones)
    return np.divide(right, pairs, out=np.full_like(right, 0.5), where=pairs > 0)
