"""Pairs of an item and a link as sparse arrays, and the pairs that are held out of training."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from scripts.movies.items import Item

Ints1d = npt.NDArray[np.int64]
Floats1d = npt.NDArray[np.float32]
Floats2d = npt.NDArray[np.float32]
PARTS = ("train", "dev", "test")
FEWEST = 10  # held-out pairs of a part; fewer say nothing


@dataclass
class Pairs:
    """Which item links where."""

    titles: list[str]
    links: list[str]  # the most frequent first
    train: sparse.csr_matrix  # (n_items, n_links) of ones
    dev: sparse.csr_matrix  # held out, to stop and choose by
    test: sparse.csr_matrix  # held out, to score by

    def n_pairs(self) -> dict[str, int]:
        """How many pairs each part holds."""
        return {part: int(getattr(self, part).nnz) for part in PARTS}


def to_matrix(
    items: Sequence[Item], min_count: int, counts: Counter[str]
) -> tuple[list[str], list[str], sparse.csr_matrix]:
    """(titles, links, (n_items, n_links) of ones) of the items that have links which at least `min_count` items have.

    Raises:
        ValueError: "no link is on ... items ...", "... links to just one ...".
    """
    found = Counter(link for item in items for link in item.links)
    links = [
        link
        for link, n_items in sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))
        if n_items >= min_count
    ]
    counts["links left out, on fewer items than min_count"] = len(found) - len(links)
    if not links:
        raise ValueError(
            f"no link is on {min_count} items or more: give more items, or lower vars.movies.min_count"
        )
    column = {link: number for number, link in enumerate(links)}
    columns = [[column[link] for link in item.links if link in column] for item in items]
    kept = [number for number, own in enumerate(columns) if own]
    counts["items left out, all their links were"] = len(items) - len(kept)
    lengths = np.asarray([len(columns[number]) for number in kept])
    indices = np.concatenate([np.sort(columns[number]) for number in kept])
    shape = (len(kept), len(links))
    matrix = sparse.csr_matrix(
        (np.ones(len(indices), "f4"), indices, np.concatenate([[0], np.cumsum(lengths)])),
        shape=shape,
    )
    if len(kept) < 2 or len(links) < 2:
        raise ValueError(
            f"{len(kept)} item and {len(links)} link to learn from: nothing to compare; give more items, or lower vars.movies.min_count"
        )
    return [items[number].title for number in kept], links, matrix


def split(
    titles: list[str], links: list[str], matrix: sparse.csr_matrix, share: float, seed: int
) -> Pairs:
    """Hold out pairs by chance: each item and each link keeps at least one pair to train on.

    Args:
        titles: of the items.
        links: their names.
        matrix: (n_items, n_links) of ones.
        share: of the pairs for dev, and for test.
        seed: for the draw.

    Raises:
        ValueError: "... pairs can be held out ...", where there are too few.
    """
    pairs = matrix.tocoo()
    random = np.random.default_rng(seed)
    order = random.permutation(matrix.nnz)
    rows, columns = pairs.row[order], pairs.col[order]
    stays = np.zeros(matrix.nnz, bool)
    for of_pair in (rows, columns):
        stays[np.unique(of_pair, return_index=True)[1]] = True
    free = random.permutation(
        np.flatnonzero(~stays)
    )  # their order so far has the pairs of frequent links first
    size = min(round(share * matrix.nnz), len(free) // 2)
    if size < FEWEST:
        raise ValueError(
            f"{len(free)} of {matrix.nnz} pairs of an item and a link can be held out, which are too few: "
            "give more items, lower vars.movies.min_count, or raise vars.movies.share"
        )
    part = np.zeros(matrix.nnz, "i8")
    part[free[:size]], part[free[size : 2 * size]] = 1, 2

    def of(number: int) -> sparse.csr_matrix:
        mine = part == number
        return sparse.csr_matrix(
            (np.ones(mine.sum(), "f4"), (rows[mine], columns[mine])), shape=matrix.shape
        )

    return Pairs(titles, links, of(0), of(1), of(2))
