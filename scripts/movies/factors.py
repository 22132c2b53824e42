"""Score links by a product of two tables, rank them, and measure recall and reciprocal rank."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from scripts.movies.pairs import Floats1d, Floats2d, Ints1d
from scripts.scores import RESAMPLES, middle

TOP = 10
MAX_SCORES = 2**24  # scores in memory at once
MAX_SAMPLE = 2_000  # items that are enough to choose a setting or an epoch by
BLOCK = 2**18  # pairs scored at once


@dataclass(frozen=True)
class Factors:
    """Tables that score each link for each item: items @ links.T + bias."""

    items: Floats2d  # (n_items, width)
    links: Floats2d  # (n_links, width)
    bias: Floats1d  # (n_links,)

    def scores(self, rows: Ints1d) -> Floats2d:
        """Scores of all links for some items, (n_rows, n_links)."""
        scores: Floats2d = self.items[rows] @ self.links.T
        scores += self.bias
        return scores

    def scores_of(self, rows: Ints1d, columns: Ints1d) -> Floats1d:
        """Scores of pairs of an item and a link, (n_pairs,)."""
        scores = [np.zeros(0, "f4")]
        for start in range(0, len(rows), BLOCK):
            items = self.items[rows[start : start + BLOCK]]
            links = columns[start : start + BLOCK]
            scores.append(np.einsum("ij,ij->i", items, self.links[links]) + self.bias[links])
        return np.concatenate(scores)


def sample(held_out: sparse.csr_matrix, seed: int) -> Ints1d:
    """Some of the items that have held-out links, (n_rows,): all of them would take long."""
    rows = np.flatnonzero(np.diff(held_out.indptr))
    return np.sort(np.random.default_rng(seed).permutation(rows)[:MAX_SAMPLE])


def ranks(
    factors: Factors,
    known: sparse.csr_matrix,
    held_out: sparse.csr_matrix,
    rows: Ints1d | None = None,
) -> tuple[Ints1d, Floats1d]:
    """The rank of each held-out link among all links that the item is not known to have.

    Links with the same score share the middle of their ranks, so that a method that can't tell
    them apart gains nothing by it.

    Args:
        factors: they score the links.
        known: (n_items, n_links), the training pairs, which are not ranked.
        held_out: (n_items, n_links), the pairs to rank.
        rows: the items to look at; None for all.

    Returns:
        The item of each held-out pair, (n_pairs,), and the pair's rank, (n_pairs,), 1 for the best.
    """
    rows = np.arange(held_out.shape[0]) if rows is None else rows
    rows = rows[np.diff(held_out.indptr)[rows] > 0]
    items, link_ranks = [np.zeros(0, "i8")], [np.zeros(0, "f8")]
    for block in _blocks(held_out, rows):
        scores = factors.scores(block)
        scores[known[block].nonzero()] = -np.inf
        positions, columns = held_out[block].nonzero()
        own = scores[positions, columns][:, None]
        better = np.count_nonzero(scores[positions] > own, axis=1)
        same = np.count_nonzero(scores[positions] == own, axis=1) - 1
        items.append(block[positions])
        link_ranks.append(1 + better + same / 2)
    return np.concatenate(items), np.concatenate(link_ranks)


def _blocks(held_out: sparse.csr_matrix, rows: Ints1d) -> list[Ints1d]:
    """Items in blocks so small that their scores, once for each held-out link, fit into memory."""
    if not len(rows):
        return []
    per_item = np.diff(held_out.indptr)[rows] + 1
    block = np.cumsum(per_item) * held_out.shape[1] // MAX_SCORES
    return np.split(rows, np.flatnonzero(np.diff(block)) + 1)


def measure(
    items: Ints1d, link_ranks: Floats1d, seed: int = 0, n_resamples: int = RESAMPLES
) -> dict[str, Any]:
    """Recall@10 and mean reciprocal rank with their intervals. Each item has the same weight.

    Args:
        items: (n_pairs,), the item of each held-out pair.
        link_ranks: (n_pairs,), its rank.
        seed: for the resamples.
        n_resamples: for the intervals; 0 for none.

    Returns:
        recall (share of the held-out links that are among the first ten) and mrr (mean of
        1 / rank), each a mean over items of the mean over its links; recall_interval and
        mrr_interval (95%, percentile bootstrap over items, Efron 1979); items and pairs (how many).
    """
    _, group = np.unique(items, return_inverse=True)
    n_items = int(group.max()) + 1
    n_links = np.bincount(group)
    recall = np.bincount(group, link_ranks <= TOP) / n_links
    reciprocal = np.bincount(group, 1 / link_ranks) / n_links
    per_item = np.stack([recall, reciprocal])
    random = np.random.default_rng(seed)
    means = []
    for _ in range(n_resamples):
        means.append(per_item[:, random.integers(0, n_items, n_items)].mean(axis=1))
    recall_interval, mrr_interval = middle(means or [per_item.mean(axis=1)])
    return {
        "recall": float(recall.mean()),
        "mrr": float(reciprocal.mean()),
        "recall_interval": recall_interval,
        "mrr_interval": mrr_interval,
        "items": n_items,
        "pairs": len(link_ranks),
    }
