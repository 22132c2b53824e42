"""Similar questions: an index of all titles, and one function that searches it.

Neither TensorFlow nor scikit-learn is needed.

>>> from scripts.questions.serve import load
>>> match = load("training/questions")
>>> match("my espresso is sour", k=5)
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt
import srsly

from scripts.questions import lexical
from scripts.questions.encoder import Encoder, read_encoders
from scripts.questions.nearest import CANDIDATES, Scan, top_k
from scripts.questions.options import MatchSettings

Floats1d = npt.NDArray[np.float32]
Ints1d = npt.NDArray[np.int64]
Floats2d = npt.NDArray[np.float32]
FORMAT = 1  # of the files; others are refused
MIN_SCAN_TITLES = 100_000  # with so many titles, codes of the vectors are scanned first
MADE_BY = "run python -m weasel run questions-index"


@dataclass
class Matcher:
    """An index of titles. Call it with a question."""

    ids: Ints1d  # (n,): of the questions
    titles: list[str]
    settings: MatchSettings
    encoder: Encoder
    vectors: Floats2d  # (n, width): unit vectors of the titles
    bm25: lexical.Index
    letters: lexical.Index
    scan: Scan | None  # codes of the vectors, if the index is large

    def __call__(self, question: str, k: int = 10) -> list[dict[str, Any]]:
        """The questions whose titles are most similar to a question.

        Args:
            question: a title, or any question.
            k: how many; all of them if k is larger.

        Returns:
            Dicts with `id`, `title`, and `score` (0 to 1, highest first).

        Raises:
            ValueError: "... is empty ...", "no word of ... is known ...", "k ... must be at least
                1".
        """
        if k < 1:
            raise ValueError(f"k is {k}: it must be at least 1")
        if not question.strip():
            raise ValueError("the question is empty: give some words")
        rows, scores = self._scores(question, k)
        if not scores.any():
            raise ValueError(f"no word of {question!r} is known in the titles: use other words")
        best = top_k(scores, k)
        return [self._result(row, score) for row, score in zip(rows[best], scores[best].tolist())]

    def _result(self, row: np.int64, score: float) -> dict[str, Any]:
        return {"id": int(self.ids[row]), "title": self.titles[row], "score": round(score, 4)}

    def _scores(self, question: str, k: int) -> tuple[Ints1d, Floats1d]:
        """Titles, and how similar each is to a question.

        These are all titles; in a large index those that words, letters or the tower propose.
        """
        scores = np.zeros(len(self.titles), "f4")
        if self.settings.bm25:
            scores += self.settings.bm25 * self.bm25.scores(question)
        if self.settings.letters:
            scores += self.settings.letters * self.letters.scores(question)
        query = self.encoder.encode([question])[0]
        if not self.scan:
            rows = np.arange(len(scores))
            return rows, scores + self.settings.tower * (self.vectors @ query)
        n = max(CANDIDATES, 10 * k)
        rows = np.union1d(top_k(scores, n), self.scan.candidates(query, n))
        return rows, scores[rows] + self.settings.tower * (self.vectors[rows] @ query)


def write_index(
    folder: Path,
    ids: Sequence[int],
    titles: Sequence[str],
    encoder: Encoder,
    settings: MatchSettings,
    stop: frozenset[str] = frozenset(),
) -> None:
    """Write the index of titles into a folder: arrays as .npy, the rest as JSON.

    Args:
        folder: exists.
        ids: of the questions, (n,).
        titles: of the questions, (n,).
        encoder: the title tower.
        settings: how to match.
        stop: the stop words, for settings that leave them out.
    """
    np.save(folder / "ids.npy", np.array(ids, "i8"), allow_pickle=False)
    vectors = encoder.encode(titles)
    np.save(folder / "vectors.npy", vectors, allow_pickle=False)
    if len(titles) >= MIN_SCAN_TITLES:
        Scan.build(vectors).write(folder / "vectors.faiss")
    left_out = stop if settings.stop else frozenset()
    lexical.bm25(titles, settings.k1, settings.b, left_out).write(folder / "bm25")
    lexical.tf_idf(titles, "letters").write(folder / "letters")
    content = {"format": FORMAT, "tower": _checksum(encoder), "setting": asdict(settings)}
    srsly.write_json(folder / "index.json", {**content, "titles": titles})


def _checksum(encoder: Encoder) -> int:
    """A checksum of a tower, to check that an index was made with it."""
    of_words = crc32("\n".join(encoder.words).encode("utf8"))
    return crc32(np.ascontiguousarray(encoder.table).data, of_words)


def load(folder: str | Path) -> Matcher:
    """Read what `questions-train` and `questions-index` wrote. Arrays are memory-mapped.

    Args:
        folder: training/questions.

    Raises:
        ValueError: "no model in ...", "no index in ...", "... was made ...", with the command to
            run.
    """
    folder = Path(folder)
    encoder, _ = read_encoders(folder / "model")
    index = folder / "index"
    if not (index / "index.json").exists():
        raise ValueError(f"no index in {index}: {MADE_BY}")
    try:
        matcher, checksum = _read_index(index, encoder)
    except (OSError, EOFError, ValueError, KeyError, TypeError):
        reason = "was made by another version or is damaged"
        raise ValueError(f"the index in {index} {reason}: {MADE_BY} again") from None
    if checksum != _checksum(encoder):
        reason = f"was made with another model than that in {folder / 'model'}"
        raise ValueError(f"the index in {index} {reason}: {MADE_BY} again")
    return matcher


def _read_index(folder: Path, encoder: Encoder) -> tuple[Matcher, int]:
    """(the index, the checksum of the tower that it was made with).

    Raises:
        OSError, EOFError, ValueError, KeyError, TypeError: if files are missing or damaged.
    """
    content: Any = srsly.read_json(folder / "index.json")
    if content["format"] != FORMAT:
        raise ValueError
    ids = np.load(folder / "ids.npy", mmap_mode="r", allow_pickle=False)
    vectors = np.load(folder / "vectors.npy", mmap_mode="r", allow_pickle=False)
    bm25, letters = (lexical.Index.read(folder / name) for name in ("bm25", "letters"))
    scan = Scan.read(folder / "vectors.faiss") if len(ids) >= MIN_SCAN_TITLES else None
    settings = MatchSettings(**content["setting"])
    matcher = Matcher(ids, content["titles"], settings, encoder, vectors, bm25, letters, scan)
    return matcher, content["tower"]
