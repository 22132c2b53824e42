"""Scores of a classifier: spaCy's keys, accuracy, intervals, calibration and thresholds, from labels and scores as arrays."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_curve, roc_auc_score

from scripts.scores import RESAMPLES, middle

Gold = NDArray[np.bool_]
Scores = NDArray[np.floating[Any]]
N_BINS = 10


def decide(scores: Scores, exclusive: bool, threshold: float = 0.5) -> Gold:
    """Labels from scores.

    Args:
        scores: (n_texts, n_labels), each from 0 to 1.
        exclusive: the highest score wins; else each label holds whose score reaches the threshold.
        threshold: for labels that do not exclude each other.

    Returns:
        (n_texts, n_labels).
    """
    if exclusive:
        return np.eye(scores.shape[1], dtype=bool)[scores.argmax(axis=1)]
    return scores >= threshold


def _rates(
    hits: NDArray[Any], predicted: NDArray[Any], gold: NDArray[Any]
) -> dict[str, NDArray[Any]]:
    return {
        "p": hits / np.maximum(predicted, 1),
        "r": hits / np.maximum(gold, 1),
        "f": 2 * hits / np.maximum(predicted + gold, 1),
    }


def score(
    gold: Gold, scores: Scores, labels: Sequence[str], exclusive: bool, known: Gold | None = None
) -> dict[str, Any]:
    """Precision, recall, F and AUC by label and as a macro mean, accuracy, and how far they may be off.

    Args:
        gold: (n_texts, n_labels).
        scores: (n_texts, n_labels), each from 0 to 1.
        labels: of the columns.
        exclusive: whether a text has just one label.
        known: (n_texts, n_labels), where gold says whether the label holds; None for everywhere.

    Returns:
        the keys of spaCy's `Scorer.score_cats`, and accuracy (share of texts with all labels right), and
        cats_macro_f_interval and accuracy_interval (95%, percentile bootstrap over texts, Efron 1979).
    """
    known = np.ones_like(gold) if known is None else known
    predicted = decide(scores, exclusive) & known
    right = (predicted == gold).all(axis=1)
    counts = (predicted & gold, predicted, gold)
    by_label = _rates(*(part.sum(axis=0) for part in counts))
    micro = _rates(*(np.asarray([part.sum()]) for part in counts))
    draws = np.random.default_rng(0).multinomial(
        len(gold), np.full(len(gold), 1 / len(gold)), RESAMPLES
    )
    macro_draws = _rates(*(draws @ part for part in counts))["f"].mean(axis=1)
    auc = [_auc(gold[known[:, i], i], scores[known[:, i], i]) for i in range(len(labels))]
    macro_auc = float(np.mean([value for value in auc if value is not None] or [0.0]))
    return {
        "cats_score": float(by_label["f"].mean()) if exclusive else macro_auc,
        "cats_score_desc": "macro F" if exclusive else "macro AUC",
        **{f"cats_micro_{key}": float(micro[key][0]) for key in "prf"},
        **{f"cats_macro_{key}": float(by_label[key].mean()) for key in "prf"},
        "cats_macro_auc": macro_auc,
        "cats_f_per_type": {
            label: {key: float(by_label[key][i]) for key in "prf"} for i, label in enumerate(labels)
        },
        "cats_auc_per_type": dict(zip(labels, auc)),
        "cats_macro_f_interval": middle(macro_draws),
        "accuracy": float(right.mean()),
        "accuracy_interval": middle(draws @ right / len(gold)),
    }


def _auc(gold: Gold, scores: Scores) -> float | None:
    return float(roc_auc_score(gold, scores)) if 0 < gold.sum() < len(gold) else None


def calibration(gold: Gold, scores: Scores, exclusive: bool) -> dict[str, Any]:
    """How far scores can be read as probabilities.

    Args:
        gold: (n_texts, n_labels).
        scores: (n_texts, n_labels), each from 0 to 1.
        exclusive: looks at the label that wins in each text; else at each label in each text.

    Returns:
        ece (expected calibration error over ten bins of equal width, Guo et al. 2017), brier (mean squared error of all
        scores, summed over labels that exclude each other, Brier 1950), and bins: for each the number of decisions, their mean
        score and the share that is right.
    """
    if exclusive:
        confidence, right = scores.max(axis=1), gold[np.arange(len(gold)), scores.argmax(axis=1)]
    else:
        confidence, right = scores.ravel(), gold.ravel()
    bins, gap = [], 0.0
    places = np.minimum((confidence * N_BINS).astype(int), N_BINS - 1)
    for place in np.unique(places):
        within = places == place
        mean, share = float(confidence[within].mean()), float(right[within].mean())
        bins.append({"decisions": int(within.sum()), "score": mean, "right": share})
        gap += within.mean() * abs(mean - share)
    squares = (scores - gold) ** 2
    return {
        "ece": float(gap),
        "brier": float(squares.sum(axis=1).mean() if exclusive else squares.mean()),
        "bins": bins,
    }


def coverage(gold: Gold, scores: Scores) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """What a threshold on the highest score does, for labels that exclude each other.

    Returns:
        thresholds (n,), rising; the share of texts that reach each (n,); the share of those that are right (n,).
    """
    confidence, right = scores.max(axis=1), gold[np.arange(len(gold)), scores.argmax(axis=1)]
    order = np.argsort(-confidence, kind="stable")
    n_taken = np.arange(1, len(order) + 1)
    last = np.append(
        np.diff(confidence[order]) != 0, True
    )  # texts with the same score are taken together
    steps = [confidence[order], n_taken / len(order), np.cumsum(right[order]) / n_taken]
    thresholds, shares, accuracies = (values[last][::-1] for values in steps)
    return thresholds, shares, accuracies


def least_threshold(gold: Gold, scores: Scores, wanted: float) -> float | None:
    """The lowest threshold on the highest score above which the wanted share is right, or None if none does."""
    thresholds, _, accuracies = coverage(gold, scores)
    reached = np.flatnonzero(accuracies >= wanted)
    return float(thresholds[reached[0]]) if len(reached) else None


def above(gold: Gold, scores: Scores, threshold: float) -> dict[str, float | None]:
    """Share of texts whose highest score reaches a threshold, and the share of those that are right."""
    taken = scores.max(axis=1) >= threshold
    right = gold[np.arange(len(gold)), scores.argmax(axis=1)]
    return {
        "coverage": float(taken.mean()),
        "accuracy": float(right[taken].mean()) if taken.any() else None,
    }


def best_thresholds(gold: Gold, scores: Scores) -> list[float]:
    """The threshold of each label with the best F, for labels that do not exclude each other; 0.5 where a label never holds."""
    found = []
    for column in range(gold.shape[1]):
        if not gold[:, column].any():
            found.append(0.5)
            continue
        precision, recall, thresholds = precision_recall_curve(gold[:, column], scores[:, column])
        f = 2 * precision * recall / np.maximum(precision + recall, 1e-9)
        found.append(float(thresholds[f[:-1].argmax()]))
    return found
