"""Find the nearest rows of a table of vectors: exactly, in blocks, or approximately, with faiss."""

from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
import numpy.typing as npt

from scripts.files import need, progress_bar

Floats1d = npt.NDArray[np.float32]
Floats2d = npt.NDArray[np.float32]
Ints1d = npt.NDArray[np.int64]
Ints2d = npt.NDArray[np.int64]
Index = TypeVar("Index", bound="FaissIndex")
BLOCK = 2**14  # rows compared at once: 20 MB at a width of 300
QUERIES = 1_024  # queries compared at once


def normalised(rows: Floats2d) -> Floats2d:
    """Rows of length 1, (n, width); a row of zeros stays as it is."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(norms == 0, 1, norms), "f4")


def top_k(table: Floats2d, queries: Floats2d, k: int, title: str = "") -> tuple[Ints2d, Floats2d]:
    """The k rows of a table that are nearest to each query by cosine. Exact.

    Blocks of the table are compared one after the other, so that no table is too large.

    Args:
        table: (n_rows, width), in memory or mapped.
        queries: (n_queries, width), of any length.
        k: how many; at most as many as there are rows.
        title: of the progress bar; "" for no bar.

    Returns:
        Rows, (n_queries, k), nearest first (if equally near, the first row first), and their
        cosines, (n_queries, k).

    Raises:
        ValueError: "can't find K neighbours ...".
    """
    if not 0 < k <= len(table):
        raise ValueError(f"can't find {k} neighbours in a table of {len(table)} rows")
    best_rows = np.full((len(queries), k), -1, "i8")
    best = np.full((len(queries), k), -np.inf, "f4")
    bar = progress_bar(title, len(table) * len(queries), "pair") if title else None
    for first in range(0, len(queries), QUERIES):
        chunk = slice(first, first + QUERIES)
        directions = np.ascontiguousarray(normalised(queries[chunk]))
        for start in range(0, len(table), BLOCK):
            cosines = _cosines(directions, np.ascontiguousarray(table[start : start + BLOCK]))
            _merge(best_rows[chunk], best[chunk], cosines, start)
            if bar is not None:
                bar.update(cosines.size)
    if bar is not None:
        bar.close()
    return best_rows, best


def _cosines(directions: Floats2d, block: Floats2d) -> Floats2d:
    """Cosines of unit vectors, (n, width), with rows, (n_block, width): (n, n_block)."""
    lengths = np.sqrt(np.einsum("ij,ij->i", block, block))
    cosines: Floats2d = directions @ block.T
    cosines /= np.where(lengths == 0, np.inf, lengths)
    return cosines


def _merge(best_rows: Ints2d, best: Floats2d, cosines: Floats2d, start: int) -> None:
    """Merge the cosines of a block, (n_queries, n_block), into the best, (n_queries, k) each."""
    k = best.shape[1]
    for query in np.flatnonzero((cosines > best[:, -1:]).any(axis=1)):
        line = cosines[query]
        new = np.flatnonzero(line > best[query, -1])
        if len(new) > 4 * k:
            new = new[line[new] >= np.partition(line[new], -k)[-k]]
        rows = np.concatenate([best_rows[query], new + start])
        values = np.concatenate([best[query], line[new]])
        order = np.argsort(-values, kind="stable")[:k]
        best_rows[query], best[query] = rows[order], values[order]


def highest(scores: Floats1d, k: int) -> Ints1d:
    """The positions of the k highest of some scores, (n,), highest first; all of them if k > n.

    Of equal scores the first comes first.
    """
    k = min(k, len(scores))
    if not k:
        return np.zeros(0, "i8")
    threshold = np.partition(scores, len(scores) - k)[len(scores) - k]
    positions = np.flatnonzero(scores >= threshold)
    return positions[np.argsort(-scores[positions], kind="stable")[:k]]


class FaissIndex:
    """An approximate index of a table: faiss proposes candidates, the table itself orders them.

    A subclass says which kind of index `build` makes, and sets these:

    Attributes:
        extra: faiss is in requirements-EXTRA.txt, for the error when it is missing.
        cosine: compare by cosine; without it by inner product, for vectors that have length 1.
    """

    extra: ClassVar[str]
    cosine: ClassVar[bool] = True

    def __init__(self, index: Any) -> None:
        self.index = index

    @classmethod
    def create(cls: type[Index], width: int, kind: str) -> Index:
        """An empty index for vectors of this width. `kind` is for faiss, such as "IVF64,SQ8"."""
        faiss = need("faiss", cls.extra)
        return cls(faiss.index_factory(width, kind, faiss.METRIC_INNER_PRODUCT))

    def fill(self, table: Floats2d, sample: Ints1d, title: str) -> None:
        """Train the index on some rows, and add all rows in blocks.

        Args:
            table: (n_rows, width), in memory or mapped. Memory holds the sample and a block of it.
            sample: the training rows, (n_sample,).
            title: of the progress bar.
        """
        self.index.train(self._prepared(table[sample]))
        with progress_bar(title, len(table), "row") as bar:
            for start in range(0, len(table), BLOCK):
                block = table[start : start + BLOCK]
                self.index.add(self._prepared(block))
                bar.update(len(block))

    def _prepared(self, rows: Floats2d) -> Floats2d:
        """Rows as faiss gets them: (n, width of the index), with zeros behind narrower ones."""
        rows = normalised(rows) if self.cosine else rows
        padding = self.index.d - rows.shape[1]
        return np.ascontiguousarray(np.pad(rows, ((0, 0), (0, padding))), "f4")

    def n_candidates(self, k: int) -> int:
        """How many rows are compared exactly to find the nearest k."""
        return 4 * k

    def candidates(self, query: Floats1d, n: int) -> Ints1d:
        """At most n rows that are probably the nearest to a query, (width,), in ascending order."""
        rows = self.index.search(self._prepared(query[None]), min(n, self.index.ntotal))[1][0]
        return np.sort(rows[rows >= 0])  # faiss fills up with -1

    def top_k(self, table: Floats2d, query: Floats1d, k: int) -> tuple[Ints1d, Floats1d]:
        """The rows of the table that are nearest to a query, (width,), with exact scores.

        Returns:
            At most k rows, nearest first, and their cosines (or inner products) with the query.
        """
        rows = self.candidates(query, self.n_candidates(k))
        if self.cosine:
            scores = normalised(table[rows]) @ normalised(query[None])[0]
        else:
            scores = table[rows] @ query
        best = highest(scores, k)
        return rows[best], scores[best]

    def write(self, path: Path) -> None:
        """Write the index into a file."""
        need("faiss", self.extra).write_index(self.index, str(path))

    @classmethod
    def read(cls: type[Index], path: Path) -> Index:
        """Read what `write` wrote.

        Raises:
            ValueError: "... can't be read ...", for anything else.
        """
        faiss = need("faiss", cls.extra)
        try:
            return cls(faiss.read_index(str(path)))
        except RuntimeError as error:  # faiss raises it for whatever is wrong with a file
            raise ValueError(f"{path} can't be read, build it again: {error}") from error
