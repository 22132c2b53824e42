"""The nearest of a million vectors in milliseconds: codes of four bits are scanned first, and the best candidates compared exactly.

Product quantization with tables in the processor's registers (André et al. 2015, "Cache locality is not enough"; faiss IndexPQFastScan):
two numbers of a vector become four bits, a sixteenth of the memory to read, which is what takes the time.
"""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from scripts.files import need

Floats1d = npt.NDArray[np.float32]
Floats2d = npt.NDArray[np.float32]
Ints1d = npt.NDArray[np.int64]
BITS, PAIR = 4, 2  # bits for so many numbers of a vector
TRAINING_ROWS = 20_000
CANDIDATES = 2_000  # rows that are compared exactly


def top_k(scores: Floats1d, k: int) -> Ints1d:
    """The places of the k highest of some scores, (n,), highest first, of equals the first; all of them where k is more."""
    k = min(k, len(scores))
    least = np.partition(scores, len(scores) - k)[len(scores) - k]
    found = np.flatnonzero(scores >= least)
    return found[np.argsort(-scores[found], kind="stable")[:k]]


class Scan:
    """Codes of unit vectors, and the candidates that they give."""

    def __init__(self, codes: Any) -> None:
        self.codes = codes

    @classmethod
    def build(cls, vectors: Floats2d, seed: int = 0) -> "Scan":
        """The codes of vectors, (n, width); an odd width is no hindrance."""
        faiss = need("faiss", "questions")
        width = vectors.shape[1] + vectors.shape[1] % PAIR
        codes = faiss.IndexPQFastScan(width, width // PAIR, BITS, faiss.METRIC_INNER_PRODUCT)
        codes.pq.cp.seed = seed
        rows = np.random.default_rng(seed).permutation(len(vectors))[:TRAINING_ROWS]
        codes.train(_even(vectors[np.sort(rows)]))
        for start in range(0, len(vectors), TRAINING_ROWS):
            codes.add(_even(vectors[start : start + TRAINING_ROWS]))
        return cls(codes)

    def candidates(self, query: Floats1d, n: int = CANDIDATES) -> Ints1d:
        """The places of n vectors that are probably the nearest to a query, (width,), in ascending order."""
        found = self.codes.search(_even(query[None]), min(n, self.codes.ntotal))[1][0]
        return np.sort(found[found >= 0])

    def top_k(self, vectors: Floats2d, query: Floats1d, k: int) -> tuple[Ints1d, Floats1d]:
        """The places of the k nearest, and their products with the query, which are exact: nearest first."""
        places = self.candidates(query, max(CANDIDATES, 10 * k))
        scores = vectors[places] @ query
        best = top_k(scores, k)
        return places[best], scores[best]

    def write(self, path: Path) -> None:
        """Write the codes into a file."""
        need("faiss", "questions").write_index(self.codes, str(path))

    @classmethod
    def read(cls, path: Path) -> "Scan":
        """Read what `write` wrote.

        Raises:
            ValueError: for anything else.
        """
        try:
            return cls(need("faiss", "questions").read_index(str(path)))
        except RuntimeError as error:  # faiss raises it for whatever is wrong with a file
            raise ValueError(f"{path} can't be read: {error}") from error


def _even(vectors: Floats2d) -> Floats2d:
    """Vectors with a zero behind them where their width is odd."""
    return np.ascontiguousarray(np.pad(vectors, ((0, 0), (0, vectors.shape[1] % PAIR))), "f4")
