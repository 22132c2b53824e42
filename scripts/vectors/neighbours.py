"""Find the words nearest to others, exactly or with an index, and measure the index."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import srsly

from scripts.files import new_folder
from scripts.nearest import FaissIndex, normalised, top_k
from scripts.vectors.sources import Floats2d
from scripts.vectors.word_vectors import WordVectors

Results = TypeVar("Results")
TRAINING_ROWS = 50  # rows for each cell of the index that its centre is learned from
CELLS_PER_PROBE = 16  # one of so many cells is searched,
MIN_PROBED = 8  # but at least so many
SINGLE_QUERIES = 10  # queries that the exact search gets one by one
MAKE_INDEX = "make it with python -m weasel run vectors-neighbours"


def combine(
    vectors: WordVectors, positive: Sequence[Sequence[str]], negative: Sequence[Sequence[str]] = ()
) -> tuple[Floats2d, set[int]]:
    """One direction made of groups of words: each group counts as the mean of its unit vectors.

    This is 3CosAdd (Mikolov et al. 2013, "Linguistic regularities in continuous space word
    representations").

    Returns:
        The direction, (1, width), and the rows whose own words are among the words given. (In a
        pruned table a word may share the row of another word, which can then be an answer.)
    """
    total = np.zeros((1, vectors.table.shape[1]), "f4")
    own: set[int] = set()
    for sign, groups in ((1, positive), (-1, negative)):
        for group in groups:
            rows = vectors.rows(group)
            total += sign * normalised(vectors.table[rows]).mean(axis=0)
            pairs = zip(rows, group)
            own |= {row for row, word in pairs if _plain(vectors.words[row]) == _plain(word)}
    return total, own


def _plain(word: str) -> str:
    return word.lower().replace("_", " ")


def nearest_words(
    vectors: WordVectors,
    positive: Sequence[Sequence[str]],
    negative: Sequence[Sequence[str]] = (),
    k: int = 10,
    index: FaissIndex | None = None,
) -> list[tuple[str, float]]:
    """The words nearest to a combination of words, and their cosines, without the words given."""
    query, own = combine(vectors, positive, negative)
    n_rows = min(k + len(own), len(vectors.table))
    if index:
        rows, cosines = index.top_k(vectors.table, query[0], n_rows)
    else:
        rows, cosines = (results[0] for results in top_k(vectors.table, query, n_rows))
    pairs = zip(rows.tolist(), cosines.tolist())
    return [(vectors.words[row], cosine) for row, cosine in pairs if row not in own][:k]


class CellIndex(FaissIndex):
    """An IVF index over 8-bit vectors: only the cells nearest to a query are searched."""

    extra = "vectors"

    @classmethod
    def build(cls, table: Floats2d, seed: int = 0) -> "CellIndex":
        """Index a table, (n_rows, width). Memory holds a sample, and a byte for each number."""
        cells_wanted = int(2 ** round(np.log2(4 * np.sqrt(len(table)))))
        n_cells = max(1, min(cells_wanted, len(table) // TRAINING_ROWS))
        index = cls.create(table.shape[1], f"IVF{n_cells},SQ8")
        index.index.cp.seed = seed
        index.index.cp.max_points_per_centroid = TRAINING_ROWS
        index.index.cp.min_points_per_centroid = 1
        n_sample = min(len(table), n_cells * TRAINING_ROWS)
        sample = np.random.default_rng(seed).choice(len(table), n_sample, replace=False)
        index.fill(table, np.sort(sample), title="index")
        index.index.nprobe = min(n_cells, max(MIN_PROBED, n_cells // CELLS_PER_PROBE))
        return index


def write_index(index: CellIndex, folder: Path, vectors: WordVectors) -> None:
    """Write the index of a table into a folder, whole or not at all."""
    with new_folder(folder, "index.faiss") as part:
        srsly.write_json(part / "table.json", _identity(vectors))
        index.write(part / "index.faiss")


def read_index(folder: Path, vectors: WordVectors) -> CellIndex:
    """Read what `write_index` wrote.

    Raises:
        ValueError: "no index in ...", "... is the index of another table ...", and what
            `FaissIndex.read` raises.
    """
    if not (folder / "index.faiss").is_file():
        raise ValueError(f"no index in {folder}: {MAKE_INDEX}")
    table = folder / "table.json"
    if table.exists() and srsly.read_json(table) != _identity(vectors):
        raise ValueError(f"{folder} is the index of another table: {MAKE_INDEX}")
    return CellIndex.read(folder / "index.faiss")


def _identity(vectors: WordVectors) -> dict[str, int]:
    return {"rows": len(vectors.table), "width": vectors.table.shape[1], "crc32": vectors.checksum}


def compare(
    table: Floats2d, index: FaissIndex, k: int, n_queries: int, seed: int
) -> dict[str, float]:
    """Compare an index with the exact search, on random rows of the table.

    Returns:
        "recall": the share of the k nearest rows that the index finds; and milliseconds a query:
        "index_ms", "batch_ms" (exact, all queries at once), "exact_ms" (exact, one by one).
    """
    rows = np.random.default_rng(seed).choice(len(table), min(n_queries, len(table)), replace=False)
    queries, k = np.asarray(table[rows]), min(k, len(table))
    exact, batch_ms = _timed(lambda: top_k(table, queries, k)[0], len(queries))
    few = queries[:SINGLE_QUERIES]
    _, exact_ms = _timed(lambda: [top_k(table, query[None], k) for query in few], len(few))
    near, index_ms = _timed(
        lambda: [index.top_k(table, query, k)[0] for query in queries], len(queries)
    )
    recall = float(np.mean([len(set(a) & set(b)) / k for a, b in zip(exact.tolist(), near)]))
    times = {"index_ms": index_ms, "batch_ms": batch_ms, "exact_ms": exact_ms}
    return {"recall": recall, **times, "k": k}


def _timed(search: Callable[[], Results], n_queries: int) -> tuple[Results, float]:
    """The results of a search, and milliseconds a query."""
    start = time.perf_counter()
    results = search()
    return results, 1_000 * (time.perf_counter() - start) / n_queries
