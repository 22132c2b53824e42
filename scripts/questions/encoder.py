"""A trained tower as plain arrays: what the Keras model computes, without Keras."""

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
FORMAT = 1  # of the files; other ones are refused
MADE_BY = "run python -m weasel run questions-train"


@dataclass(frozen=True)
class Encoder:
    """A tower as plain arrays: what the Keras model computes, without Keras."""

    words: list[str]  # the vocabulary, without what is reserved
    table: Floats2d  # (n_words, width): embeddings times weights
    longest: int  # words of a text that count

    def encode(self, texts: Iterable[str]) -> Floats2d:
        """Unit vectors of texts, (n, width); zeros where no word is known."""
        places = self.places
        rows = []
        for text in texts:
            known = [places[word] for word in words(text)[: self.longest] if word in places]
            rows.append(self.table[known].sum(axis=0))
        sums = np.array(rows, "f4").reshape(-1, self.table.shape[1])
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        return np.asarray(sums / np.where(lengths == 0, 1, lengths), "f4")

    @cached_property
    def places(self) -> dict[str, int]:
        """The row of each word."""
        return {word: place for place, word in enumerate(self.words)}


def read_encoders(folder: Path) -> tuple[Encoder, Encoder]:
    """The towers of titles and of texts as arrays, which are mapped; Keras is not needed.

    Raises:
        ValueError: "no model in ...", or "... was made by another version ...".
    """
    if not (folder / "words.json").exists():
        raise ValueError(f"no model in {folder}: {MADE_BY}")
    try:
        about: Any = srsly.read_json(folder / "words.json")
        if about["format"] != FORMAT:
            raise ValueError
        tables = [
            np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
            for name in ("titles", "texts")
        ]
        if any(len(table) != len(about["words"]) for table in tables):
            raise ValueError
    except (OSError, ValueError, KeyError, TypeError):
        raise ValueError(
            f"the model in {folder} was made by another version or is damaged: {MADE_BY} again"
        ) from None
    return Encoder(about["words"], tables[0], about["titles"]), Encoder(
        about["words"], tables[1], about["texts"]
    )
