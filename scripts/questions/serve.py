"""Questions like this one: an index over all titles, and one function that searches it. Neither TensorFlow nor scikit-learn is needed.

from scripts.questions.serve import load

match = load("training/questions")
match("my espresso is sour", k=5)
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

Floats1d = npt.NDArray[np.float32]
Floats2d = npt.NDArray[np.float32]
FORMAT = 1  # of the files; other ones are refused
MADE_BY = "run python -m weasel run questions-index"


def top_k(scores: Floats1d, k: int) -> npt.NDArray[np.int64]:
    """The places of the k highest of some scores, (n,), highest first, of equals the first; all of them where k is more."""
    k = min(k, len(scores))
    least = np.partition(scores, len(scores) - k)[len(scores) - k]
    found = np.flatnonzero(scores >= least)
    return found[np.argsort(-scores[found], kind="stable")[:k]]


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
        scores = self.scores(question)
        if not scores.any():
            raise ValueError(f"no word of {question!r} is known: no title has one like it; use other words")
        return [{"id": int(self.ids[i]), "title": self.titles[i], "score": round(float(scores[i]), 4)} for i in top_k(scores, k).tolist()]

    def scores(self, question: str) -> Floats1d:
        """How well each title fits, (n,)."""
        found = np.zeros(len(self.titles), "f4")
        if self.setting.bm25:
            found += self.setting.bm25 * self.bm25.scores(question)
        if self.setting.letters:
            found += self.setting.letters * self.letters.scores(question)
        if self.setting.tower:
            found += self.setting.tower * (self.vectors @ self.encoder.encode([question])[0])
        return found


def _identity(encoder: Encoder) -> int:
    """A checksum of a tower, to tell whether an index was made with it."""
    return crc32(np.ascontiguousarray(encoder.table).data, crc32("\n".join(encoder.words).encode("utf8")))


def write_index(
    folder: Path, ids: Sequence[int], titles: Sequence[str], encoder: Encoder, setting: Setting, stop: frozenset[str] = frozenset()
) -> None:
    """Write the index of titles into a folder: arrays as .npy, the rest as JSON."""
    np.save(folder / "ids.npy", np.array(ids, "i8"), allow_pickle=False)
    np.save(folder / "vectors.npy", encoder.encode(titles), allow_pickle=False)
    lexical.bm25(titles, setting.k1, setting.b, stop if setting.stop else frozenset()).write(folder / "bm25")
    lexical.tf_idf(titles, "letters").write(folder / "letters")
    about = {"format": FORMAT, "tower": _identity(encoder), "setting": asdict(setting), "titles": titles}
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
    try:
        about: Any = srsly.read_json(index / "index.json")
        if about["format"] != FORMAT:
            raise ValueError
        ids, vectors = (np.load(index / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in ("ids", "vectors"))
        found = [lexical.Index.read(index / name) for name in ("bm25", "letters")]
        setting, made_with = Setting(**about["setting"]), about["tower"]
    except FileNotFoundError:
        raise ValueError(f"no index in {index}: {MADE_BY}") from None
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"the index in {index} was made by another version or is damaged: {MADE_BY} again") from None
    if made_with != _identity(encoder):
        raise ValueError(f"the index in {index} was made with another model than that in {folder / 'model'}: {MADE_BY} again")
    return Matcher(ids, about["titles"], setting, encoder, vectors, *found)
