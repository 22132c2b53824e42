"""Questions like this one: an index over all titles, and one function that searches it. Neither TensorFlow nor scikit-learn is needed.

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
from scripts.questions.lexical import Setting
from scripts.questions.nearest import CANDIDATES, Scan, top_k

Floats1d = npt.NDArray[np.float32]
Ints1d = npt.NDArray[np.int64]
Floats2d = npt.NDArray[np.float32]
FORMAT = 1  # of the files; other ones are refused
LARGE = 100_000  # titles from which on the vectors are scanned as codes first
MADE_BY = "run python -m weasel run questions-index"


@dataclass
class Matcher:
    """An index over titles. Call it with a question."""

    ids: npt.NDArray[np.int64]  # (n,): of the questions
    titles: list[str]
    setting: Setting
    encoder: Encoder
    vectors: Floats2d  # (n, width): unit vectors of the titles
    bm25: lexical.Index
    letters: lexical.Index
    scan: Scan | None  # codes of the vectors, of large indexes

    def __call__(self, question: str, k: int = 10) -> list[dict[str, Any]]:
        """The questions whose titles are most like a question.

        Args:
            question: a title, or what someone asks.
            k: how many; all where there are fewer.

        Returns:
            Dicts with `id`, `title`, and `score` (0 to 1, highest first).

        Raises:
            ValueError: "... is empty ...", "no word of ... is known ...", "k ... must be 1 or more".
        """
        if k < 1:
            raise ValueError(f"k is {k}: it must be 1 or more")
        if not question.strip():
            raise ValueError("the question is empty: give some words")
        places, scores = self._scores(question, k)
        if not scores.any():
            raise ValueError(
                f"no word of {question!r} is known: no title has one like it; use other words"
            )
        best = top_k(scores, k)
        pairs = zip(places[best].tolist(), scores[best].tolist())
        return [
            {"id": int(self.ids[place]), "title": self.titles[place], "score": round(score, 4)}
            for place, score in pairs
        ]

    def _scores(self, question: str, k: int) -> tuple[Ints1d, Floats1d]:
        """Places of titles, all or (of large indexes) those that words, letters or the tower put forward, and how well each fits."""
        found = np.zeros(len(self.titles), "f4")
        for weight, index in ((self.setting.bm25, self.bm25), (self.setting.letters, self.letters)):
            if weight:
                found += weight * index.scores(question)
        query = self.encoder.encode([question])[0]
        if not self.scan:
            return np.arange(len(found)), found + self.setting.tower * (self.vectors @ query)
        n = max(CANDIDATES, 10 * k)
        places = np.union1d(top_k(found, n), self.scan.candidates(query, n))
        return places, found[places] + self.setting.tower * (self.vectors[places] @ query)


def _identity(encoder: Encoder) -> int:
    """A checksum of a tower, to tell whether an index was made with it."""
    return crc32(
        np.ascontiguousarray(encoder.table).data, crc32("\n".join(encoder.words).encode("utf8"))
    )


def write_index(
    folder: Path,
    ids: Sequence[int],
    titles: Sequence[str],
    encoder: Encoder,
    setting: Setting,
    stop: frozenset[str] = frozenset(),
) -> None:
    """Write the index of titles into a folder: arrays as .npy, the rest as JSON."""
    np.save(folder / "ids.npy", np.array(ids, "i8"), allow_pickle=False)
    vectors = encoder.encode(titles)
    np.save(folder / "vectors.npy", vectors, allow_pickle=False)
    if len(titles) >= LARGE:
        Scan.build(vectors).write(folder / "vectors.faiss")
    lexical.bm25(titles, setting.k1, setting.b, stop if setting.stop else frozenset()).write(
        folder / "bm25"
    )
    lexical.tf_idf(titles, "letters").write(folder / "letters")
    about = {
        "format": FORMAT,
        "tower": _identity(encoder),
        "setting": asdict(setting),
        "titles": titles,
    }
    srsly.write_json(folder / "index.json", about)


def load(folder: str | Path) -> Matcher:
    """What `questions-train`, `questions-evaluate` and `questions-index` left in a folder, ready to match. Arrays are mapped, not read.

    Args:
        folder: training/questions.

    Raises:
        ValueError: "no model in ...", "no index in ...", "... was made ..." with the command to run.
    """
    folder = Path(folder)
    encoder, _ = read_encoders(folder / "model")
    index = folder / "index"
    if not (index / "index.json").exists():
        raise ValueError(f"no index in {index}: {MADE_BY}")
    try:
        about: Any = srsly.read_json(index / "index.json")
        if about["format"] != FORMAT:
            raise ValueError
        ids, vectors = (
            np.load(index / f"{name}.npy", mmap_mode="r", allow_pickle=False)
            for name in ("ids", "vectors")
        )
        bm25, letters = (lexical.Index.read(index / name) for name in ("bm25", "letters"))
        scan = Scan.read(index / "vectors.faiss") if len(ids) >= LARGE else None
        setting, made_with = Setting(**about["setting"]), about["tower"]
    except (OSError, EOFError, ValueError, KeyError, TypeError):
        raise ValueError(
            f"the index in {index} was made by another version or is damaged: {MADE_BY} again"
        ) from None
    if made_with != _identity(encoder):
        raise ValueError(
            f"the index in {index} was made with another model than that in {folder / 'model'}: {MADE_BY} again"
        )
    return Matcher(ids, about["titles"], setting, encoder, vectors, bm25, letters, scan)
