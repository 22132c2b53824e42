"""Look words up in a spaCy vectors folder."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import srsly
from spacy.strings import get_string_id

from scripts.nearest import normalised
from scripts.vectors.sources import Floats2d

MAX_SEARCHED = 50_000  # words that are searched for the right spelling of a misspelt one


@dataclass
class WordVectors:
    """Word vectors on disk: the table is mapped, not read."""

    path: Path
    table: Floats2d  # (n_rows, width)
    words: list[str]  # for each row its own word, the most frequent first
    key2row: dict[int, int] = field(repr=False)  # by the hash of each word
    strings: dict[int, str] = field(repr=False)  # by hash: the words, and other strings
    lower: bool  # the words are lower-cased
    checksum: int  # of the table and its words; 0 if another tool made it

    def row(self, word: str) -> int | None:
        """The row of a word; None if there is none.

        Its spaces may be underscores in the table, and it may be in lower case or capitalised.
        """
        joined = word.replace(" ", "_")
        forms = (word, joined, word.lower(), joined.lower(), word.title(), joined.title())
        for form in dict.fromkeys(forms):
            if (row := self.key2row.get(get_string_id(form))) is not None:
                return row
        return None

    def rows(self, words: Iterable[str]) -> list[int]:
        """The rows of words.

        Raises:
            ValueError: "no vector for ...", with words of similar spelling.
        """
        rows = []
        for word in words:
            if (row := self.row(word)) is None:
                similar = difflib.get_close_matches(word, self.words[:MAX_SEARCHED], n=3)
                advice = f"did you mean {' or '.join(similar)}?" if similar else "try another word"
                raise ValueError(f"no vector for {word!r} in {self.path}: {advice}")
            rows.append(row)
        return rows

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
        strings = srsly.read_json(path / "vocab" / "strings.json")
    except (OSError, ValueError) as error:
        remedy = "train or convert some first, see docs/vectors.md"
        raise ValueError(f"no vectors in {path}: {remedy} ({error})") from error
    if not len(table) or not key2row:
        raise ValueError(f"no vectors in {path}: the table is empty")
    by_hash = {get_string_id(word): word for word in strings}
    words = [""] * len(table)
    for key, row in key2row.items():
        words[row] = words[row] or by_hash[key]
    lower = all(word == word.lower() for word in words[:MAX_SEARCHED])
    meta = path / "meta.json"
    checksum = srsly.read_json(meta).get("vectors", {}).get("crc32", 0) if meta.exists() else 0
    return WordVectors(path, table, words, key2row, by_hash, lower, checksum)


def split_words(text: str) -> list[str]:
    """Comma-separated words or phrases."""
    return [word.strip() for word in text.split(",")]
