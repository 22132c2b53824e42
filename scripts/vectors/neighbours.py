"""Look words up in a spaCy vectors folder, and find their nearest neighbours: exactly, in blocks, or fast, with an index."""

import difflib
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import srsly
from spacy.strings import get_string_id

from scripts.files import need, new_folder, progress_bar
from scripts.nearest import BLOCK, normalised, top_k
from scripts.vectors.sources import Floats2d

Ints2d = npt.NDArray[np.int64]
TRAINING_ROWS = 50  # rows for each cell of the index that its centre is found from
PROBED, LEAST_PROBED = 16, 8  # one of so many cells is searched, but no fewer than so many
ALONE = 10  # queries that the exact search gets one by one
LOOKED_OVER = 50_000  # words that are searched for one that was misspelt


@dataclass
class WordVectors:
    """Word vectors on disk: the table is mapped, not read."""

    path: Path
    table: Floats2d  # (n_rows, width)
    words: list[str]  # for each row the word that is its own, the most frequent first
    key2row: dict[int, int] = field(repr=False)  # hashes of all words
    strings: dict[int, str] = field(repr=False)  # what they are hashes of, and other strings
    lower: bool  # the words are lower-cased
    checksum: int  # of the table and its words; 0 if it was made by others

    def row(self, word: str) -> int | None:
        """The row of a word, also with underscores for its spaces, in lower case, or with a capital; None if there is none."""
        joined = word.replace(" ", "_")
        for form in dict.fromkeys(
            (word, joined, word.lower(), joined.lower(), word.title(), joined.title())
        ):
            if (row := self.key2row.get(get_string_id(form))) is not None:
                return row
        return None

    def rows(self, words: Iterable[str]) -> list[int]:
        """The rows of words.

        Raises:
            ValueError: "no vector for ...", with words that are spelt alike.
        """
        found = []
        for word in words:
            if (row := self.row(word)) is None:
                alike = difflib.get_close_matches(word, self.words[:LOOKED_OVER], n=3)
                raise ValueError(
                    f"no vector for {word!r} in {self.path}"
                    + (f": did you mean {' or '.join(alike)}?" if alike else "")
                )
            found.append(row)
        return found

    def vectors(self, words: Sequence[str]) -> Floats2d:
        """Vectors of length 1 of words, (n_words, width). Raises as `rows` does."""
        return normalised(self.table[self.rows(words)])


def read_folder(path: Path) -> WordVectors:
    """Open a spaCy vectors folder, or the folder of a pipeline that has static vectors.

    Raises:
        ValueError: "no vectors in ...".
    """
    try:
        table = np.load(path / "vocab" / "vectors", mmap_mode="r")
        key2row: dict[int, int] = srsly.read_msgpack(path / "vocab" / "key2row")
        strings = {
            get_string_id(word): word for word in srsly.read_json(path / "vocab" / "strings.json")
        }
    except (OSError, ValueError) as error:
        raise ValueError(
            f"no vectors in {path}: make them with vectors-train or vectors-convert ({error})"
        ) from error
    if not len(table) or not key2row:
        raise ValueError(f"no vectors in {path}: the table is empty")
    words = [""] * len(table)
    for key, row in key2row.items():
        words[row] = words[row] or strings[key]
    lower = not any(word != word.lower() for word in words[:LOOKED_OVER])
    meta = path / "meta.json"
    checksum = srsly.read_json(meta).get("vectors", {}).get("crc32", 0) if meta.exists() else 0
    return WordVectors(path, table, words, key2row, strings, lower, checksum)


def split_words(text: str) -> list[str]:
    """Words or phrases that are apart by commas."""
    return [word.strip() for word in text.split(",")]


def combine(
    vectors: WordVectors, positive: Sequence[Sequence[str]], negative: Sequence[Sequence[str]] = ()
) -> tuple[Floats2d, set[int]]:
    """One direction, (1, width), out of groups of words, each group the mean of its unit vectors, and the rows that are these words' own.

    This is 3CosAdd (Mikolov et al. 2013, "Linguistic regularities in continuous space word representations").
    """
    total = np.zeros((1, vectors.table.shape[1]), "f4")
    own: set[int] = (
        set()
    )  # in a pruned table a word may stand on the row of another, which is then an answer
    for sign, groups in ((1, positive), (-1, negative)):
        for group in groups:
            rows = vectors.rows(group)
            total += sign * normalised(vectors.table[rows]).mean(axis=0)
            own |= {
                row for row, word in zip(rows, group) if _plain(vectors.words[row]) == _plain(word)
            }
    return total, own


def _plain(word: str) -> str:
    return word.lower().replace("_", " ")


def nearest(
    vectors: WordVectors,
    positive: Sequence[Sequence[str]],
    negative: Sequence[Sequence[str]] = (),
    k: int = 10,
    index: "Index | None" = None,
) -> list[tuple[str, float]]:
    """The words nearest to a combination of words, none of which is among them, with their cosines."""
    query, used = combine(vectors, positive, negative)
    wanted = min(k + len(used), len(vectors.table))
    rows, cosines = (
        index.top_k(vectors.table, query, wanted) if index else top_k(vectors.table, query, wanted)
    )
    found = [
        (vectors.words[row], float(cosine))
        for row, cosine in zip(rows[0], cosines[0])
        if row not in used and row >= 0
    ]
    return found[:k]


class Index:
    """An approximate index: faiss's IVF over 8-bit vectors finds candidates, the table itself puts them in order."""

    def __init__(self, cells: Any) -> None:
        self.cells = cells

    @classmethod
    def build(cls, table: Floats2d, seed: int = 0) -> "Index":
        """Index a table, (n_rows, width), in blocks; of it, memory holds a sample and one byte a number."""
        faiss = need("faiss", "vectors")
        n_cells = max(
            1, min(2 ** round(np.log2(4 * np.sqrt(len(table)))), len(table) // TRAINING_ROWS)
        )
        cells = faiss.index_factory(table.shape[1], f"IVF{n_cells},SQ8", faiss.METRIC_INNER_PRODUCT)
        cells.cp.seed = seed
        cells.cp.max_points_per_centroid = TRAINING_ROWS
        cells.cp.min_points_per_centroid = 1
        sample = np.sort(
            np.random.default_rng(seed).choice(
                len(table), min(len(table), n_cells * TRAINING_ROWS), replace=False
            )
        )
        cells.train(normalised(table[sample]))
        with progress_bar("index", len(table), "row") as bar:
            for start in range(0, len(table), BLOCK):
                cells.add(normalised(table[start : start + BLOCK]))
                bar.update(min(BLOCK, len(table) - start))
        cells.nprobe = min(n_cells, max(LEAST_PROBED, n_cells // PROBED))
        return cls(cells)

    def top_k(self, table: Floats2d, queries: Floats2d, k: int) -> tuple[Ints2d, Floats2d]:
        """As `top_k`, nearly; -1 where fewer were found."""
        _, candidates = self.cells.search(normalised(queries), min(4 * k, len(table)))
        rows, cosines = (
            np.full((len(queries), k), -1, "i8"),
            np.full((len(queries), k), -np.inf, "f4"),
        )
        for place, (query, found) in enumerate(zip(normalised(queries), candidates)):
            found = np.sort(found[found >= 0])
            values = normalised(table[found]) @ query
            order = np.argsort(-values, kind="stable")[:k]
            rows[place, : len(order)], cosines[place, : len(order)] = found[order], values[order]
        return rows, cosines

    def write(self, path: Path, vectors: WordVectors) -> None:
        """Write the index of a table into a folder, whole or not at all."""
        with new_folder(path, "index.faiss") as part:
            srsly.write_json(part / "table.json", _identity(vectors))
            need("faiss", "vectors").write_index(self.cells, str(part / "index.faiss"))

    @classmethod
    def read(cls, path: Path, vectors: WordVectors) -> "Index":
        """Read what `write` wrote.

        Raises:
            ValueError: "no index in ...", or "... is the index of another table ...".
        """
        if (path / "table.json").exists() and srsly.read_json(path / "table.json") != _identity(
            vectors
        ):
            raise ValueError(
                f"{path} is the index of another table: make it again with python -m weasel run vectors-neighbours"
            )
        try:
            return cls(need("faiss", "vectors").read_index(str(path / "index.faiss")))
        except RuntimeError:
            raise ValueError(
                f"no index in {path}: make it with python -m weasel run vectors-neighbours"
            ) from None


def _identity(vectors: WordVectors) -> dict[str, int]:
    return {"rows": len(vectors.table), "width": vectors.table.shape[1], "crc32": vectors.checksum}


def compare(table: Floats2d, index: Index, k: int, n_queries: int, seed: int) -> dict[str, float]:
    """Recall of an index beside the exact search on random rows of the table, and milliseconds a query of both."""
    rows = np.random.default_rng(seed).choice(len(table), min(n_queries, len(table)), replace=False)
    queries, k = np.asarray(table[rows]), min(k, len(table))
    start = time.perf_counter()
    exact, _ = top_k(table, queries, k)
    batch = time.perf_counter()
    for query in queries[:ALONE]:
        top_k(table, query[None], k)
    alone = time.perf_counter()
    near = [index.top_k(table, query[None], k)[0][0] for query in queries]
    end = time.perf_counter()
    recall = float(np.mean([len(set(a) & set(b)) / k for a, b in zip(exact.tolist(), near)]))
    times = {"index_ms": end - alone, "batch_ms": batch - start}
    per_query = {name: 1_000 * seconds / len(queries) for name, seconds in times.items()}
    return {
        "recall": recall,
        **per_query,
        "exact_ms": 1_000 * (alone - batch) / min(ALONE, len(queries)),
        "k": k,
    }
