"""Write a spaCy vectors folder row by row: memory never holds the whole table."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO
from zlib import crc32

import numpy as np
import srsly
from spacy.attrs import IDS
from spacy.language import Language
from spacy.strings import get_string_id

from scripts.files import new_folder
from scripts.nearest import normalised
from scripts.pipelines import load_nlp
from scripts.vectors.options import Attr
from scripts.vectors.sources import Block, Floats2d

# rows compared at once: their products, 16 MB, fit into the processor's cache
PRUNED_BLOCK, KEPT_BLOCK = 2_048, 2_000


@dataclass
class Summary:
    """What a folder holds, and which words of the source were left out."""

    words: int = 0
    rows: int = 0
    width: int = 0
    with_spaces: int = 0
    left_out: Counter[str] = field(default_factory=Counter)  # by reason

    def describe(self, folder: Path) -> str:
        """The summary as lines to print."""
        shared = f" in {self.rows:,} rows" if self.rows < self.words else ""
        lines = [f"{folder}: {self.words:,} words{shared}, width {self.width}"]
        if self.with_spaces:
            lines.append(f"{self.with_spaces:,} words have spaces in them: no spaCy token matches")
        lines += [f"left out: {count:,}, {reason}" for reason, count in self.left_out.most_common()]
        return "\n".join(lines)


def write_folder(
    path: Path,
    blocks: Iterable[Block],
    width: int,
    *,
    lang: str = "en",
    attr: Attr = "ORTH",
    limit: int = 0,
    prune: int = 0,
) -> Summary:
    """Write a folder that `spacy train --initialize.vectors` takes, in the order of the source.

    It is what `spacy init vectors` writes, with three differences: equal rows stay separate and in
    their order (spaCy sorts the table by value then, so that pruning keeps arbitrary words), a
    repeated word keeps its first vector, and `attr` is written down.

    Args:
        path: the folder, which appears whole or not at all.
        blocks: words and their vectors, (n_words, width), the most frequent first.
        width: of the vectors.
        lang: language code of the folder's pipeline.
        attr: what a token's vector is looked up by. For LOWER the words are lower-cased, and of
            words that become equal the first is kept.
        limit: keep the first words only; 0 for all.
        prune: rows to keep; each other word shares the nearest of them by cosine. 0 for all.

    Raises:
        ValueError: "no vector is left ...", and whatever reading `blocks` raises.
    """
    if limit < 0 or prune < 0:
        raise ValueError(f"limit {limit} and prune {prune} must not be negative: 0 keeps all")
    summary = Summary(width=width)
    with new_folder(path, "vocab/vectors") as part:
        nlp = load_nlp(lang)
        nlp.to_disk(part)
        with (part / "vocab" / "vectors").open("wb") as file:
            table = _TableWriter(file, width, prune)
            for words, keys, rows in _usable(blocks, attr, limit, table.key2row, summary):
                table.add(words, keys, rows)
            table.write_header()
        if not table.words:
            reasons = dict(summary.left_out)
            raise ValueError(f"no vector is left: the source holds no usable word, {reasons}")
        _write_vocab(part, nlp, table, attr, name=f"{lang}_{path.name}")
    summary.words, summary.rows = len(table.words), table.n_rows
    return summary


class _TableWriter:
    """Writes the rows of the table into a file, and knows the row of each word."""

    def __init__(self, file: BinaryIO, width: int, prune: int) -> None:
        self.file, self.width, self.prune = file, width, prune
        self.words: list[str] = []
        self.key2row: dict[int, int] = {}
        self.n_rows = 0
        self.checksum = 0
        self._kept: list[Floats2d] = []  # the rows written, if pruning will compare with them
        self.write_header()

    def write_header(self) -> None:
        """Write numpy's header at the start; it has the same length for any number of rows."""
        self.file.seek(0)
        shape = (self.n_rows, self.width)
        header = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self.file, header)

    def add(self, words: list[str], keys: list[int], rows: Floats2d) -> None:
        """Add words, their keys and their vectors, (n_words, width)."""
        start = self.n_rows
        n_kept = min(len(rows), self.prune - start) if self.prune else len(rows)
        self._write(rows[:n_kept])
        self.words += words
        self.key2row.update(zip(keys, range(start, start + n_kept)))
        if n_kept < len(rows):
            shared = nearest_rows(rows[n_kept:], self._directions)
            self.key2row.update(zip(keys[n_kept:], shared))

    def _write(self, rows: Floats2d) -> None:
        stored = np.ascontiguousarray(rows).data
        self.file.write(stored)
        self.checksum = crc32(stored, self.checksum)
        self.n_rows += len(rows)
        if self.prune and len(rows):
            self._kept.append(rows)

    @cached_property
    def _directions(self) -> Floats2d:
        """The rows of the full table at length 1, (prune, width)."""
        directions = normalised(np.concatenate(self._kept))
        self._kept.clear()
        return directions


def _write_vocab(part: Path, nlp: Language, table: _TableWriter, attr: Attr, name: str) -> None:
    """Write what belongs to the table: its keys, its words, the attribute and the meta data."""
    vocab = part / "vocab"
    srsly.write_msgpack(vocab / "key2row", table.key2row)
    srsly.write_json(vocab / "strings.json", sorted({*nlp.vocab.strings, *table.words}))
    if attr != "ORTH":
        srsly.write_json(vocab / "vectors.cfg", {"mode": "default", "attr": IDS[attr]})
    vectors = {
        "width": table.width,
        "vectors": table.n_rows,
        "keys": len(table.words),
        "name": name,
        "mode": "default",
        "attr": attr,
        # weasel looks at meta.json to see whether the table changed: reading gigabytes is slow
        "crc32": crc32((vocab / "key2row").read_bytes(), table.checksum),
    }
    srsly.write_json(part / "meta.json", {**nlp.meta, "vectors": vectors})


def _usable(
    blocks: Iterable[Block], attr: Attr, limit: int, known: Mapping[int, int], summary: Summary
) -> Iterator[tuple[list[str], list[int], Floats2d]]:
    """The usable words, their keys and their rows; `summary` counts the others by reason."""
    left = limit or sys.maxsize
    for raw_words, rows in blocks:
        decoded = [_decoded(word) for word in raw_words]
        if attr == "LOWER":
            decoded = [word and word.lower() for word in decoded]
        keys = [get_string_id(word) if word else 0 for word in decoded]
        if not _all_usable(keys, rows, known):
            positions = list(_usable_positions(decoded, keys, rows, known, summary))
            decoded = [decoded[position] for position in positions]
            keys = [keys[position] for position in positions]
            rows = rows[positions]
        words: list[str] = decoded[:left]  # type: ignore[assignment]  # no None is left
        left -= len(words)
        summary.with_spaces += sum(" " in word for word in words)
        if words:
            yield words, keys[: len(words)], rows[: len(words)]
        if not left:
            return


def _decoded(word: bytes) -> str | None:
    try:
        return word.decode("utf8")
    except UnicodeDecodeError:
        return None


def _all_usable(keys: list[int], rows: Floats2d, known: Mapping[int, int]) -> bool:
    """Whether no word of a block must be left out: a fast check, because most blocks pass it."""
    new = set(keys)
    distinct = len(new) == len(keys) and 0 not in new and known.keys().isdisjoint(new)
    return distinct and bool(np.isfinite(rows @ np.ones(rows.shape[1], "f4")).all())


def _usable_positions(
    words: list[str | None],
    keys: list[int],
    rows: Floats2d,
    known: Mapping[int, int],
    summary: Summary,
) -> Iterator[int]:
    """The positions of usable words; `summary` counts the others by reason."""
    finite = np.asarray(np.isfinite(rows).all(axis=1)).tolist()
    seen: set[int] = set()
    for position, (word, key) in enumerate(zip(words, keys)):
        if word is None:
            summary.left_out["word is not UTF-8"] += 1
        elif not word:
            summary.left_out["word is empty"] += 1
        elif not finite[position]:
            summary.left_out["vector has NaN or infinity"] += 1
        elif key in known or key in seen:
            summary.left_out["word came before"] += 1
        else:
            seen.add(key)
            yield position


def nearest_rows(rows: Floats2d, directions: Floats2d) -> list[int]:
    """The nearest of some directions by cosine, for each row; if equally near, the first.

    Args:
        rows: (n, width), of any length.
        directions: (n_kept, width), of length 1.

    Returns:
        For each row the position of a direction.
    """
    nearest = np.zeros(len(rows), "i8")
    buffer = np.empty(PRUNED_BLOCK * KEPT_BLOCK, "f4")
    for start in range(0, len(rows), PRUNED_BLOCK):
        block = rows[start : start + PRUNED_BLOCK]
        nearest[start : start + len(block)] = _nearest_of_block(block, directions, buffer)
    return nearest.tolist()


def _nearest_of_block(rows: Floats2d, directions: Floats2d, buffer: Any) -> Any:
    """As `nearest_rows`, for one block: its products stay in the processor's cache."""
    nearest = np.zeros(len(rows), "i8")
    each, best = np.arange(len(rows)), np.full(len(rows), -np.inf, "f4")
    for first in range(0, len(directions), KEPT_BLOCK):
        kept = directions[first : first + KEPT_BLOCK]
        shape = (len(rows), len(kept))
        products = np.matmul(rows, kept.T, out=buffer[: len(rows) * len(kept)].reshape(shape))
        highest = products.argmax(axis=1)  # a row's own length changes no order
        better = products[each, highest] > best
        best[better] = products[each, highest][better]
        nearest[better] = first + highest[better]
    return nearest
