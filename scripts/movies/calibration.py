"""Turn scores into a probability that an item has a link."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from scripts.movies.factors import Factors
from scripts.movies.pairs import Floats1d, Ints1d, Pairs

NEGATIVES_PER_PAIR = 50
MAX_NEGATIVES = 1_000_000
Bools1d = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class LabelledPairs:
    """Pairs of an item and a link, true ones and others. All arrays are (n_pairs,)."""

    items: Ints1d
    links: Ints1d
    labels: Bools1d  # whether the item has the link
    weights: Floats1d  # how many pairs each stands for


def calibrate(factors: Factors, pairs: Pairs, seed: int) -> dict[str, Any]:
    """Fit the probability that an item has a link, given that the pair is not in train.

    The slope and offset of Platt (1999) are fitted on the dev pairs and on random pairs that are
    not true, each with the weight of what it stands for. The threshold is the one with the best F
    on these. The scores are those on test.

    Returns:
        slope, offset, threshold (of the probability) with its precision, recall and f, auc (of the
        score), and for the cosine alone, without the bias of the link: auc_cosine,
        threshold_cosine and f_cosine.
    """
    known = (pairs.train + pairs.dev + pairs.test).tocsr()
    dev, test = _draw(known, pairs.dev, seed), _draw(known, pairs.test, seed + 1)
    dev_scores = factors.scores_of(dev.items, dev.links)
    test_scores = factors.scores_of(test.items, test.links)
    slope, offset = _fit_logistic(dev, dev_scores)
    threshold = _best_threshold(dev, dev_scores)
    scale = float(np.linalg.norm(factors.items[0]))
    cosines = Factors(factors.items / scale, factors.links, np.zeros_like(factors.bias))
    threshold_cosine = _best_threshold(dev, cosines.scores_of(dev.items, dev.links))
    test_cosines = cosines.scores_of(test.items, test.links)
    return {
        "slope": slope,
        "offset": offset,
        "threshold": float(1 / (1 + np.exp(-(slope * threshold + offset)))),
        **_precision_recall_f(test, test_scores >= threshold),
        "auc": _auc(test, test_scores),
        "auc_cosine": _auc(test, test_cosines),
        "threshold_cosine": threshold_cosine,
        "f_cosine": _precision_recall_f(test, test_cosines >= threshold_cosine)["f"],
    }


def _draw(known: sparse.csr_matrix, held_out: sparse.csr_matrix, seed: int) -> LabelledPairs:
    """The held-out pairs, and random pairs that are not true."""
    items, links = held_out.nonzero()
    n_items, n_links = known.shape
    n_cells = n_items * n_links
    size = min(NEGATIVES_PER_PAIR * len(items), MAX_NEGATIVES)
    cells = np.random.default_rng(seed).integers(0, n_cells, size)
    true = known.tocoo()
    cells = cells[~np.isin(cells, true.row.astype("i8") * n_links + true.col)]
    labels = np.concatenate([np.ones(len(items), bool), np.zeros(len(cells), bool)])
    return LabelledPairs(
        items=np.concatenate([items, cells // n_links]),
        links=np.concatenate([links, cells % n_links]),
        labels=labels,
        weights=np.where(labels, 1.0, (n_cells - known.nnz) / max(len(cells), 1)),
    )


def _fit_logistic(pairs: LabelledPairs, scores: Floats1d) -> tuple[float, float]:
    """(slope, offset) of a logistic regression on scores, (n_pairs,)."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=1e6)
    model.fit(scores[:, None], pairs.labels, sample_weight=pairs.weights)
    return float(model.coef_[0, 0]), float(model.intercept_[0])


def _auc(pairs: LabelledPairs, scores: Floats1d) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(pairs.labels, scores, sample_weight=pairs.weights))


def _best_threshold(pairs: LabelledPairs, scores: Floats1d) -> float:
    """The threshold of the score with the best F."""
    from sklearn.metrics import precision_recall_curve

    curve = precision_recall_curve(pairs.labels, scores, sample_weight=pairs.weights)
    precision, recall, thresholds = curve
    f = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    return float(thresholds[f[:-1].argmax()])


def _precision_recall_f(pairs: LabelledPairs, predicted: Bools1d) -> dict[str, float]:
    hits = float(pairs.weights[pairs.labels & predicted].sum())
    precision = hits / max(float(pairs.weights[predicted].sum()), 1e-12)
    recall = hits / float(pairs.weights[pairs.labels].sum())
    f = 2 * precision * recall / max(precision + recall, 1e-12)
    return {"precision": precision, "recall": recall, "f": f}
