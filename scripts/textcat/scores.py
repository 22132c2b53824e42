"""Scores of a classifier: spaCy's keys, accuracy, intervals, calibration and thresholds."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_curve, roc_auc_score

from scripts.scores import RESAMPLES, middle
from scripts.textcat.corpus import Gold

Scores = NDArray[np.floating[Any]]
Rates = dict[str, NDArray[Any]]
N_BINS = 10


def decide(scores: Scores, exclusive: bool, threshold: float = 0.5) -> Gold:
    """Labels from scores.

    Args:
        scores: (n_texts, n_labels), each from 0 to 1.
        exclusive: the label with the highest score wins; else each label wins whose score reaches
            the threshold.
        threshold: used if labels are not exclusive.

    Returns:
        (n_texts, n_labels).
    """
    if exclusive:
        return np.eye(scores.shape[1], dtype=bool)[scores.argmax(axis=1)]
    return scores >= threshold


def score(
    gold: Gold, scores: Scores, labels: Sequence[str], exclusive: bool, known: Gold | None = None
) -> dict[str, Any]:
    """Precision, recall, F and AUC per label and as macro mean, accuracy, and intervals of both.

    Args:
        gold: (n_texts, n_labels).
        scores: (n_texts, n_labels), each from 0 to 1.
        labels: of the columns.
        exclusive: whether a text has just one label.
        known: (n_texts, n_labels), where gold says whether the text has the label; None for
            everywhere.

    Returns:
        the keys of spaCy's `Scorer.score_cats`; accuracy (share of texts with all labels right);
        cats_macro_f_interval and accuracy_interval (95%, percentile bootstrap over texts,
        Efron 1979).
    """
    known = np.ones_like(gold) if known is None else known
    predicted = decide(scores, exclusive) & known
    right = (predicted == gold).all(axis=1)
    hits = predicted & gold
    per_label = _rates(hits.sum(axis=0), predicted.sum(axis=0), gold.sum(axis=0))
    micro = _rates(hits.sum(), predicted.sum(), gold.sum())
    draws = _bootstrap_counts(len(gold))
    macro_draws = _rates(draws @ hits, draws @ predicted, draws @ gold)["f"].mean(axis=1)
    auc = [_auc(gold[known[:, i], i], scores[known[:, i], i]) for i in range(len(labels))]
    macro_auc = float(np.mean([value for value in auc if value is not None] or [0.0]))
    return {
        "cats_score": float(per_label["f"].mean()) if exclusive else macro_auc,
        "cats_score_desc": "macro F" if exclusive else "macro AUC",
        **{f"cats_micro_{key}": float(micro[key]) for key in "prf"},
        **{f"cats_macro_{key}": float(per_label[key].mean()) for key in "prf"},
        "cats_macro_auc": macro_auc,
        "cats_f_per_type": _by_label(per_label, labels),
        "cats_auc_per_type": dict(zip(labels, auc)),
        "cats_macro_f_interval": middle(macro_draws),
        "accuracy": float(right.mean()),
        "accuracy_interval": middle(draws @ right / len(gold)),
    }


def _rates(hits: Any, predicted: Any, gold: Any) -> Rates:
    """Precision, recall and F from counts of any one shape."""
    return {
        "p": hits / np.maximum(predicted, 1),
        "r": hits / np.maximum(gold, 1),
        "f": 2 * hits / np.maximum(predicted + gold, 1),
    }


def _by_label(rates: Rates, labels: Sequence[str]) -> dict[str, dict[str, float]]:
    rows = zip(labels, rates["p"], rates["r"], rates["f"])
    return {label: {"p": float(p), "r": float(r), "f": float(f)} for label, p, r, f in rows}


def _bootstrap_counts(n_texts: int) -> NDArray[np.int64]:
    """(RESAMPLES, n_texts): how often each text is in each resample."""
    shares = np.full(n_texts, 1 / n_texts)
    return np.random.default_rng(0).multinomial(n_texts, shares, RESAMPLES)


def _auc(gold: Gold, scores: Scores) -> float | None:
    """Area under the ROC curve of one label; None if all texts or none have the label."""
    return float(roc_auc_score(gold, scores)) if 0 < gold.sum() < len(gold) else None


def calibration(gold: Gold, scores: Scores, exclusive: bool) -> dict[str, Any]:
    """Whether scores can be read as probabilities.

    Args:
        gold: (n_texts, n_labels).
        scores: (n_texts, n_labels), each from 0 to 1.
        exclusive: looks at the label that wins in each text; else at each label in each text.

    Returns:
        ece (expected calibration error over ten bins of equal width, Guo et al. 2017), brier (mean
        squared error of all scores, summed over exclusive labels, Brier 1950), and bins: for each
        the number of decisions, their mean score and the share that is right.
    """
    confidence, right = scores.ravel(), gold.ravel()
    squares = (scores - gold) ** 2
    brier = squares.mean()
    if exclusive:
        confidence, right = _winners(gold, scores)
        brier = squares.sum(axis=1).mean()
    bins = _bins(confidence, right)
    gaps = [row["decisions"] / len(right) * abs(row["score"] - row["right"]) for row in bins]
    return {"ece": float(sum(gaps)), "brier": float(brier), "bins": bins}


def _winners(gold: Gold, scores: Scores) -> tuple[Scores, Gold]:
    """The highest score of each text (n_texts,), and whether its label is right (n_texts,)."""
    return scores.max(axis=1), gold[np.arange(len(gold)), scores.argmax(axis=1)]


def _bins(confidence: Scores, right: Gold) -> list[dict[str, Any]]:
    """Decisions by score, in N_BINS bins of equal width; empty bins are left out."""
    bins = []
    places = np.minimum((confidence * N_BINS).astype(int), N_BINS - 1)
    for place in np.unique(places):
        inside = places == place
        mean, share = float(confidence[inside].mean()), float(right[inside].mean())
        bins.append({"decisions": int(inside.sum()), "score": mean, "right": share})
    return bins


def coverage(gold: Gold, scores: Scores) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """What each threshold on the highest score does, for exclusive labels.

    Returns:
        thresholds (n,), rising; the share of texts that reach each (n,); the share of those that
        are right (n,).
    """
    confidence, right = _winners(gold, scores)
    order = np.argsort(-confidence, kind="stable")
    n_accepted = np.arange(1, len(order) + 1)
    # texts with the same score are accepted together
    last = np.append(np.diff(confidence[order]) != 0, True)
    accuracies = np.cumsum(right[order]) / n_accepted
    columns = (confidence[order], n_accepted / len(order), accuracies)
    thresholds, shares, accuracies = (values[last][::-1] for values in columns)
    return thresholds, shares, accuracies


def lowest_threshold(gold: Gold, scores: Scores, min_accuracy: float) -> float | None:
    """The lowest threshold on the highest score that makes this share of accepted texts right.

    None if no threshold does.
    """
    thresholds, _, accuracies = coverage(gold, scores)
    reached = np.flatnonzero(accuracies >= min_accuracy)
    return float(thresholds[reached[0]]) if len(reached) else None


def above(gold: Gold, scores: Scores, threshold: float) -> dict[str, float | None]:
    """Share of texts whose highest score reaches a threshold, and the share of those right."""
    confidence, right = _winners(gold, scores)
    accepted = confidence >= threshold
    accuracy = float(right[accepted].mean()) if accepted.any() else None
    return {"coverage": float(accepted.mean()), "accuracy": accuracy}


def best_thresholds(gold: Gold, scores: Scores) -> list[float]:
    """The threshold of each label with the best F, if labels are not exclusive.

    0.5 for a label that no text has.
    """
    return [_best_threshold(gold[:, i], scores[:, i]) for i in range(gold.shape[1])]


def _best_threshold(gold: Gold, scores: Scores) -> float:
    if not gold.any():
        return 0.5
    precision, recall, thresholds = precision_recall_curve(gold, scores)
    f = 2 * precision * recall / np.maximum(precision + recall, 1e-9)
    return float(thresholds[f[:-1].argmax()])
