"""A trained tower as plain arrays: it computes what the Keras model computes, without Keras."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import srsly

from scripts.questions.text import words

Floats2d = npt.NDArray[np.float32]
FORMAT = 1  # of the files; others are refused
MADE_BY = "run python -m weasel run questions-train"


@dataclass(frozen=True)
class Encoder:
    """A tower: the vector of a text is the sum of the vectors of its words, scaled to length 1."""

    words: list[str]  # the vocabulary, without the reserved rows
    table: Floats2d  # (n_words, width): embeddings times weights
    max_words: int  # only so many words of a text are used

    def encode(self, texts: Iterable[str]) -> Floats2d:
        """Unit vectors of texts, (n, width); zeros for a text without a known word."""
        sums = np.array([self._sum(text) for text in texts], "f4").reshape(-1, self.table.shape[1])
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        return np.asarray(sums / np.where(lengths == 0, 1, lengths), "f4")

    def _sum(self, text: str) -> npt.NDArray[np.float32]:
        """The sum of the vectors of a text's words, (width,)."""
        first = words(text)[: self.max_words]
        rows = [self.rows[word] for word in first if word in self.rows]
        return np.asarray(self.table[rows].sum(axis=0))

    @cached_property
    def rows(self) -> dict[str, int]:
        """The row of each word."""
        return {word: row for row, word in enumerate(self.words)}


def read_encoders(folder: Path) -> tuple[Encoder, Encoder]:
    """The towers of titles and of texts as memory-mapped arrays; Keras is not needed.

    Raises:
        ValueError: "no model in ...", or "... was made by another version ...".
    """
    if not (folder / "words.json").exists():
        raise ValueError(f"no model in {folder}: {MADE_BY}")
    try:
        content: Any = srsly.read_json(folder / "words.json")
        if content["format"] != FORMAT:
            raise ValueError
        vocabulary = content["words"]
        titles, texts = (_read_table(folder, name, vocabulary) for name in ("titles", "texts"))
        max_words = content["titles"], content["texts"]
    except (OSError, ValueError, KeyError, TypeError):
        reason = "was made by another version or is damaged"
        raise ValueError(f"the model in {folder} {reason}: {MADE_BY} again") from None
    return Encoder(vocabulary, titles, max_words[0]), Encoder(vocabulary, texts, max_words[1])


def _read_table(folder: Path, name: str, vocabulary: list[str]) -> Floats2d:
    """The vectors of a tower, (n_words, width).

    Raises:
        ValueError: if there is not a row for each word.
    """
    table: Floats2d = np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
    if len(table) != len(vocabulary):
        raise ValueError
    return table
