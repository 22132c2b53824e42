"""Nearest rows by cosine: exact, in blocks."""

import numpy as np
import numpy.typing as npt

from scripts.files import progress_bar

Floats2d = npt.NDArray[np.float32]
Ints2d = npt.NDArray[np.int64]
BLOCK = 2**14  # rows compared at once: 20 MB at a width of 300
QUERIES = 1_024  # queries compared at once


def normalised(rows: Floats2d) -> Floats2d:
    """Rows of length 1, (n, width); a row of zeros stays one."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(norms == 0, 1, norms), "f4")


def top_k(table: Floats2d, queries: Floats2d, k: int, title: str = "") -> tuple[Ints2d, Floats2d]:
    """The k rows of a table that are nearest to each query by cosine: exact, block after block, so that no table is too large.

    Args:
        table: (n_rows, width), in memory or mapped.
        queries: (n_queries, width), of any length.
        k: how many; no more than there are rows.
        title: of the progress bar; "" for none.

    Returns:
        Rows, (n_queries, k), nearest first and the first of those equally near, and their cosines, (n_queries, k).
    """
    if not 0 < k <= len(table):
        raise ValueError(f"can't find {k} neighbours in a table of {len(table)} rows")
    best_rows = np.full((len(queries), k), -1, "i8")
    best = np.full((len(queries), k), -np.inf, "f4")
    bar = progress_bar(title, len(table) * len(queries), "pair") if title else None
    for first in range(0, len(queries), QUERIES):
        some = slice(first, first + QUERIES)
        directions = np.ascontiguousarray(normalised(queries[some]))
        for start in range(0, len(table), BLOCK):
            part = np.ascontiguousarray(table[start : start + BLOCK])
            lengths = np.sqrt(np.einsum("ij,ij->i", part, part))
            cosines = directions @ part.T
            cosines /= np.where(lengths == 0, np.inf, lengths)
            _merge(best_rows[some], best[some], cosines, start)
            if bar is not None:
                bar.update(cosines.size)
    if bar is not None:
        bar.close()
    return best_rows, best


def _merge(best_rows: Ints2d, best: Floats2d, cosines: Floats2d, start: int) -> None:
    """Put the cosines of a block, (n_queries, n_block), among the best, (n_queries, k) each, where they belong."""
    k = best.shape[1]
    for place in np.flatnonzero((cosines > best[:, -1:]).any(axis=1)):
        line = cosines[place]
        new = np.flatnonzero(line > best[place, -1])
        if len(new) > 4 * k:
            new = new[line[new] >= np.partition(line[new], -k)[-k]]
        rows = np.concatenate([best_rows[place], new + start])
        values = np.concatenate([best[place], line[new]])
        order = np.argsort(-values, kind="stable")[:k]
        best_rows[place], best[place] = rows[order], values[order]
