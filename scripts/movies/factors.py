"""Where links rank for an item: recall and mean reciprocal rank of any method that scores by a product of two tables."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from scripts.movies.pairs import Floats1d, Floats2d, Ints1d
from scripts.scores import RESAMPLES, middle

TOP = 10
CELLS = 2**24  # scores that are in memory at once
SOME_ITEMS = 2_000  # items to choose by


@dataclass(frozen=True)
class Factors:
    """What scores each link for each item: items @ links.T + bias."""

    items: Floats2d  # (n_items, width)
    links: Floats2d  # (n_links, width)
    bias: Floats1d  # (n_links,)

    def scores(self, rows: Ints1d) -> Floats2d:
        """(n_rows, n_links): scores of all links for some items."""
        found: Floats2d = self.items[rows] @ self.links.T
        found += self.bias
        return found

    def scores_of(self, rows: Ints1d, columns: Ints1d) -> Floats1d:
        """(n_pairs,): scores of pairs of an item and a link."""
        parts = [slice(start, start + 2**18) for start in range(0, len(rows), 2**18)]
        found = [
            np.einsum("ij,ij->i", self.items[rows[part]], self.links[columns[part]])
            + self.bias[columns[part]]
            for part in parts
        ]
        return np.concatenate(found) if found else np.zeros(0, "f4")


def _blocks(held_out: sparse.csr_matrix, rows: Ints1d) -> Iterator[Ints1d]:
    """Items in blocks whose scores, and those of links to compare them with, fit into memory."""
    per_item = np.diff(held_out.indptr)[rows] + 1
    block = np.cumsum(per_item) * held_out.shape[1] // CELLS
    return iter(np.split(rows, np.flatnonzero(np.diff(block)) + 1))


def sample(held_out: sparse.csr_matrix, seed: int) -> Ints1d:
    """(n_rows,): some of the items that have held-out links, to choose by where all would take long."""
    found: Ints1d = np.sort(
        np.random.default_rng(seed).permutation(np.flatnonzero(np.diff(held_out.indptr)))[
            :SOME_ITEMS
        ]
    )
    return found


def ranks(
    factors: Factors,
    known: sparse.csr_matrix,
    held_out: sparse.csr_matrix,
    rows: Ints1d | None = None,
) -> tuple[Ints1d, Floats1d]:
    """The rank of each held-out link among all links that the item is not known to have.

    Links with the same score share the middle of their ranks, so that a method that can't tell them apart gains nothing by it.

    Args:
        factors: what scores them.
        known: (n_items, n_links), pairs that are left out of the ranking: those of the training.
        held_out: (n_items, n_links), pairs to rank.
        rows: items to look at; None for all.

    Returns:
        (n_pairs,) the item of each held-out pair, and (n_pairs,) its rank, 1 for the best.
    """
    rows = np.arange(held_out.shape[0]) if rows is None else rows
    rows = rows[np.diff(held_out.indptr)[rows] > 0]
    of_item, found = [np.zeros(0, "i8")], [np.zeros(0, "f8")]
    for block in _blocks(held_out, rows) if len(rows) else ():
        scores = factors.scores(block)
        scores[known[block].nonzero()] = -np.inf
        places, columns = held_out[block].nonzero()
        own = scores[places, columns][:, None]
        better = np.count_nonzero(scores[places] > own, axis=1)
        same = np.count_nonzero(scores[places] == own, axis=1) - 1
        of_item.append(block[places])
        found.append(1 + better + same / 2)
    return np.concatenate(of_item), np.concatenate(found)


def measure(
    of_item: Ints1d, found: Floats1d, seed: int = 0, n_resamples: int = RESAMPLES
) -> dict[str, Any]:
    """Recall@10 and mean reciprocal rank, each item counting as much as another, with their intervals.

    Args:
        of_item: (n_pairs,), the item of each held-out pair.
        found: (n_pairs,), its rank.
        seed: for the draws.
        n_resamples: draws for the intervals; 0 for none.

    Returns:
        recall (share of the held-out links that are among the first ten) and mrr (mean of one by the rank), each a mean over
        items of the mean over its links; the interval of each (95%, percentile bootstrap over items, Efron 1979);
        items and pairs: how many.
    """
    _, group = np.unique(of_item, return_inverse=True)
    n_items = int(group.max()) + 1
    per_link = {"recall": found <= TOP, "mrr": 1 / found}
    per_item = np.stack(
        [np.bincount(group, value) / np.bincount(group) for value in per_link.values()]
    )
    random = np.random.default_rng(seed)
    means = [
        per_item[:, random.integers(0, n_items, n_items)].mean(axis=1) for _ in range(n_resamples)
    ]
    if not means:
        means = [per_item.mean(axis=1)]
    intervals = {
        f"{name}_interval": ends for name, ends in zip(per_link, middle(means), strict=True)
    }
    told = {name: float(per_item[number].mean()) for number, name in enumerate(per_link)}
    return {**told, **intervals, "items": n_items, "pairs": len(found)}
