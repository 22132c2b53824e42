"""The spaCy vectors folder: write it row by row, read it back, and keep what spaCy forgets of it."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from zlib import crc32

import numpy as np
import srsly
from spacy.attrs import IDS
from spacy.strings import get_string_id

from scripts.files import new_folder
from scripts.nearest import normalised
from scripts.pipelines import load_nlp
from scripts.vectors.sources import Block, Floats2d

Attr = Literal["ORTH", "LOWER"]
PRUNE_ROWS, PRUNE_KEPT = (
    2_048,
    2_000,
)  # rows compared at once: their products, 16 MB, fit into the cache


@dataclass
class Written:
    """What became of the rows of a source."""

    words: int = 0
    rows: int = 0
    width: int = 0
    with_spaces: int = 0
    left_out: Counter[str] = field(default_factory=Counter)


def write_folder(
    path: Path,
    blocks: Iterable[Block],
    width: int,
    *,
    lang: str = "en",
    attr: Attr = "ORTH",
    limit: int = 0,
    prune: int = 0,
) -> Written:
    """Write a folder that `spacy train --initialize.vectors` takes, in the order of the source. Of the table, memory holds a block.

    It is what `spacy init vectors` writes, with three differences: rows that are alike stay apart and in their order (there they make the
    table sorted by value, and pruning arbitrary), a word that comes twice keeps its first vector, and `attr` is written down.

    Args:
        path: the folder, which appears whole or not at all.
        blocks: words and their vectors, (n_words, width), the most frequent first.
        width: of the vectors.
        lang: language code of the folder's pipeline.
        attr: what a token looks its vector up by; for LOWER the words are lower-cased, and of those that become alike the first stays.
        limit: keep the first words only; 0 for all.
        prune: rows to keep; each other word shares the row that is nearest by cosine. 0 for all.

    Raises:
        ValueError: "no vector is left ...", and whatever reading `blocks` raises.
    """
    if limit < 0 or prune < 0:
        raise ValueError(f"limit {limit} and prune {prune} must not be negative: 0 keeps all")
    written = Written(width=width)
    words: list[str] = []
    key2row: dict[int, int] = {}
    kept: list[Floats2d] = []
    directions: Floats2d | None = None
    checksum = 0  # weasel looks at meta.json to see that a table is another: reading gigabytes each time would take long
    with new_folder(path, "vocab/vectors") as part:
        nlp = load_nlp(lang)
        nlp.to_disk(part)
        with (part / "vocab" / "vectors").open("wb") as file:
            _write_header(file, 0, width)
            for new_words, keys, rows in _cleaned(blocks, attr, limit, key2row, written):
                words += new_words
                n_kept = min(len(rows), prune - written.rows) if prune else len(rows)
                stored = np.ascontiguousarray(rows[:n_kept]).data
                file.write(stored)
                checksum = crc32(stored, checksum)
                if prune and n_kept:
                    kept.append(rows[:n_kept])
                key2row.update(zip(keys, range(written.rows, written.rows + n_kept)))
                written.rows += n_kept
                if n_kept < len(rows):
                    directions = (
                        normalised(np.concatenate(kept)) if directions is None else directions
                    )
                    kept.clear()
                    key2row.update(zip(keys[n_kept:], nearest_rows(rows[n_kept:], directions)))
            _write_header(file, written.rows, width)
        if not words:
            raise ValueError(
                f"no vector is left: the source holds no word of use, {dict(written.left_out)}"
            )
        srsly.write_msgpack(part / "vocab" / "key2row", key2row)
        checksum = crc32((part / "vocab" / "key2row").read_bytes(), checksum)
        srsly.write_json(part / "vocab" / "strings.json", sorted({*nlp.vocab.strings, *words}))
        if attr != "ORTH":
            srsly.write_json(part / "vocab" / "vectors.cfg", {"mode": "default", "attr": IDS[attr]})
        shape = {
            "width": width,
            "vectors": written.rows,
            "keys": len(words),
            "name": f"{lang}_{path.name}",
            "mode": "default",
            "attr": attr,
            "crc32": checksum,
        }
        srsly.write_json(part / "meta.json", {**nlp.meta, "vectors": shape})
    written.words = len(words)
    return written


def _write_header(file: Any, rows: int, width: int) -> None:
    """Write numpy's header at the start of a file; it has the same length for any number of rows."""
    file.seek(0)
    np.lib.format.write_array_header_1_0(
        file, {"descr": "<f4", "fortran_order": False, "shape": (rows, width)}
    )


def _cleaned(
    blocks: Iterable[Block], attr: Attr, limit: int, taken: Mapping[int, int], written: Written
) -> Iterator[tuple[list[str], list[int], Floats2d]]:
    """Words, their keys and their rows that are of use; `written` counts the others and why."""
    left = limit or sys.maxsize
    for raw, rows in blocks:
        words = [_decoded(word) for word in raw]
        if attr == "LOWER":
            words = [word and word.lower() for word in words]
        keys = [get_string_id(word) if word else 0 for word in words]
        new = set(keys)
        if (
            len(new) < len(keys)
            or 0 in new
            or not taken.keys().isdisjoint(new)
            or not np.isfinite(rows @ np.ones(rows.shape[1], "f4")).all()
        ):
            finite = np.asarray(np.isfinite(rows).all(axis=1))
            places = list(_useful(words, keys, finite.tolist(), taken, written))
            words, keys, rows = (
                [words[place] for place in places],
                [keys[place] for place in places],
                rows[places],
            )
        words, keys, rows = words[:left], keys[:left], rows[:left]
        left -= len(words)
        written.with_spaces += sum(" " in word for word in words if word)
        if words:
            yield words, keys, rows  # type: ignore[misc]  # None is among those left out
        if not left:
            return


def _decoded(word: bytes) -> str | None:
    try:
        return word.decode("utf8")
    except UnicodeDecodeError:
        return None


def _useful(
    words: list[str | None],
    keys: list[int],
    finite: list[bool],
    taken: Mapping[int, int],
    written: Written,
) -> Iterator[int]:
    """The places of words that are of use; `written` counts the others and why."""
    seen: set[int] = set()
    for place, (word, key) in enumerate(zip(words, keys)):
        if word is None:
            written.left_out["word is not UTF-8"] += 1
        elif not word:
            written.left_out["word is empty"] += 1
        elif not finite[place]:
            written.left_out["vector has NaN or infinity"] += 1
        elif key in taken or key in seen:
            written.left_out["word came before"] += 1
        else:
            seen.add(key)
            yield place


def nearest_rows(rows: Floats2d, directions: Floats2d) -> list[int]:
    """For each row, (n, width), the number of the nearest by cosine among normalised rows, (n_kept, width).

    Of those equally near it is the first. A block of products stays in the processor's cache until its best are found.
    """
    found = np.zeros(len(rows), "i8")
    buffer = np.empty(PRUNE_ROWS * PRUNE_KEPT, "f4")
    for start in range(0, len(rows), PRUNE_ROWS):
        some = rows[start : start + PRUNE_ROWS]
        place, best = np.arange(len(some)), np.full(len(some), -np.inf, "f4")
        for first in range(0, len(directions), PRUNE_KEPT):
            kept = directions[first : first + PRUNE_KEPT]
            products = np.matmul(
                some, kept.T, out=buffer[: len(some) * len(kept)].reshape(len(some), len(kept))
            )
            at = products.argmax(axis=1)  # a row's own length changes no order
            better = products[place, at] > best
            best[better] = products[place, at][better]
            found[start + place[better]] = first + at[better]
    return found.tolist()
