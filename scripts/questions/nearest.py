"""The nearest of a million unit vectors in milliseconds.

Codes of four bits are scanned first, and the best candidates are compared exactly. This is product
quantization with tables in the processor's registers (André et al. 2015, "Cache locality is not
enough"; faiss IndexPQFastScan): two numbers of a vector become four bits, so that a scan reads a
sixteenth of the memory, and reading memory is what takes the time.
"""

import numpy as np

from scripts.nearest import FaissIndex, Floats1d, Floats2d, Ints1d
from scripts.nearest import highest as top_k

__all__ = ["CANDIDATES", "Scan", "top_k"]

BITS, PAIR = 4, 2  # bits for so many numbers of a vector
TRAINING_ROWS = 20_000
CANDIDATES = 2_000  # rows that are compared exactly


class Scan(FaissIndex):
    """Codes of unit vectors, and the candidates that they give."""

    extra = "questions"
    cosine = False

    @classmethod
    def build(cls, vectors: Floats2d, seed: int = 0) -> "Scan":
        """Make the codes of unit vectors, (n, width); the width may be odd."""
        n_codes = (vectors.shape[1] + 1) // PAIR
        scan = cls.create(n_codes * PAIR, f"PQ{n_codes}x{BITS}fs")
        scan.index.pq.cp.seed = seed
        sample = np.random.default_rng(seed).permutation(len(vectors))[:TRAINING_ROWS]
        scan.fill(vectors, np.sort(sample), title="codes")
        return scan

    def n_candidates(self, k: int) -> int:
        return max(CANDIDATES, 10 * k)

    def candidates(self, query: Floats1d, n: int = CANDIDATES) -> Ints1d:
        return super().candidates(query, n)
