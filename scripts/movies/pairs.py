"""Pairs of an item and a link as sparse arrays, split into train, dev and test."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt
from scipy import sparse

from scripts.movies.items import Item

Ints1d = npt.NDArray[np.int64]
Floats1d = npt.NDArray[np.float32]
Floats2d = npt.NDArray[np.float32]
PARTS = ("train", "dev", "test")
MIN_PAIRS = 10  # in dev and in test; scores of fewer mean nothing
MAX_SHARE = 0.4
FEW_ITEMS = "give more items, or lower vars.movies.min_count"


@dataclass
class Pairs:
    """Which items have which links."""

    titles: list[str]
    links: list[str]  # the most frequent first
    train: sparse.csr_matrix  # (n_items, n_links) of ones, as are dev and test
    dev: sparse.csr_matrix
    test: sparse.csr_matrix

    def n_pairs(self) -> dict[str, int]:
        """The number of pairs of each part."""
        return {part: int(getattr(self, part).nnz) for part in PARTS}


def check_share(share: float) -> None:
    """Check the share of the pairs for dev and for test.

    Raises:
        ValueError: "vars.movies.share is ...".
    """
    if not 0 < share < MAX_SHARE:
        raise ValueError(f"vars.movies.share is {share}: it must lie between 0 and {MAX_SHARE}")


def to_matrix(
    items: Sequence[Item], min_count: int, counts: Counter[str]
) -> tuple[list[str], list[str], sparse.csr_matrix]:
    """Titles, links, and which item has which link, (n_items, n_links) of ones.

    Args:
        items: with their links.
        min_count: links on fewer items are left out, and then items that have no other link.
        counts: counts the links and items that are left out.

    Raises:
        ValueError: "no link is on ... items ...", "... to learn from ...".
    """
    links = _frequent_links(items, min_count, counts)
    column_of = {link: column for column, link in enumerate(links)}
    titles: list[str] = []
    rows: list[list[int]] = []
    for item in items:
        columns = sorted(column_of[link] for link in item.links if link in column_of)
        if columns:
            titles.append(item.title)
            rows.append(columns)
    counts["items left out, all their links were"] = len(items) - len(titles)
    if len(titles) < 2 or len(links) < 2:
        size = f"{len(titles)} item and {len(links)} link to learn from"
        raise ValueError(f"{size}: nothing to compare; {FEW_ITEMS}")
    indices = np.fromiter(chain.from_iterable(rows), "i8")
    indptr = np.cumsum([0, *map(len, rows)])
    shape = (len(titles), len(links))
    matrix = sparse.csr_matrix((np.ones(len(indices), "f4"), indices, indptr), shape=shape)
    return titles, links, matrix


def _frequent_links(items: Sequence[Item], min_count: int, counts: Counter[str]) -> list[str]:
    """The links on at least `min_count` items, the most frequent first."""
    n_items = Counter(chain.from_iterable(item.links for item in items))
    ranked = sorted(n_items, key=lambda link: (-n_items[link], link))
    links = [link for link in ranked if n_items[link] >= min_count]
    counts["links left out, on fewer items than min_count"] = len(n_items) - len(links)
    if not links:
        raise ValueError(f"no link is on {min_count} items or more: {FEW_ITEMS}")
    return links


def split(
    titles: list[str], links: list[str], matrix: sparse.csr_matrix, share: float, seed: int
) -> Pairs:
    """Hold out pairs at random, so that each item and each link keeps a pair in train.

    Args:
        titles: of the items.
        links: their names.
        matrix: (n_items, n_links) of ones.
        share: of the pairs for dev, and the same for test.
        seed: for the draw.

    Raises:
        ValueError: "... pairs can be held out ...", if there are too few.
    """
    pairs = matrix.tocoo()
    random = np.random.default_rng(seed)
    order = random.permutation(matrix.nnz)
    rows, columns = pairs.row[order], pairs.col[order]
    # drawn again, because pairs of frequent links come first in it
    free = random.permutation(_removable(rows, columns))
    size = min(round(share * matrix.nnz), len(free) // 2)
    if size < MIN_PAIRS:
        reason = f"{len(free)} of {matrix.nnz} pairs of an item and a link can be held out"
        remedy = f"{FEW_ITEMS}, or raise vars.movies.share"
        raise ValueError(f"{reason}, which are too few: {remedy}")
    part_of_pair = np.zeros(matrix.nnz, "i8")
    part_of_pair[free[:size]] = 1
    part_of_pair[free[size : 2 * size]] = 2
    parts = {}
    for number, name in enumerate(PARTS):
        own = np.flatnonzero(part_of_pair == number)
        cells = (np.ones(len(own), "f4"), (rows[own], columns[own]))
        parts[name] = sparse.csr_matrix(cells, shape=matrix.shape)
    return Pairs(titles, links, **parts)


def _removable(rows: Ints1d, columns: Ints1d) -> Ints1d:
    """The pairs, (n,), that are neither the first of their item nor the first of their link."""
    stays = np.zeros(len(rows), bool)
    for side in (rows, columns):
        stays[np.unique(side, return_index=True)[1]] = True
    return np.flatnonzero(~stays)
