"""Pairs of texts with a score: read, scaled to 0..1, checked, and split so that no text is on two sides."""

import csv
import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from scripts.reading import has_half_pair, read_jsonl, read_lines, source_files, text_key

COLUMNS = ("text1", "text2", "score")
MOST = 0.5  # share of the pairs that hang together by their texts, above which they are cut apart


@dataclass(frozen=True)
class Pair:
    """Two texts and how alike they are."""

    text1: str
    text2: str
    score: float

    @property
    def keys(self) -> tuple[bytes, bytes]:
        """What makes the two texts the same as others."""
        return text_key(self.text1), text_key(self.text2)


def read_pairs(path: Path) -> list[Pair]:
    """Pairs of a JSONL file, or of a CSV or TSV file with a header, each with "text1", "text2" and "score", as they stand there.

    Raises:
        ValueError: "FILE:LINE: a pair needs two texts ...", "... the score is missing ..." or "... no number ...",
            "FILE: the columns ... are missing ...", and whatever reading the file raises.
    """
    return [
        _pair(record, f"{file}:{number}")
        for file in source_files(path, (".jsonl", ".jsonl.gz", ".csv", ".tsv"))
        for number, record in (
            _read_table(file) if file.suffix in (".csv", ".tsv") else read_jsonl(file)
        )
    ]


def _read_table(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line number, record) of a table; the number is that of the record's last line."""
    lines = (line + "\n" for _, line in read_lines(path))
    table = csv.DictReader(lines, delimiter="\t" if path.suffix == ".tsv" else ",", strict=True)
    try:
        missing = [name for name in COLUMNS if name not in (table.fieldnames or [])]
        if missing:
            raise ValueError(
                f"{path}: the columns {', '.join(missing)} are missing: the first line should be text1, text2, score"
            )
        for record in table:
            if None in record:
                raise ValueError(
                    f'{path}:{table.line_num}: more fields than columns: put texts with separators in quotes, "like, this"'
                )
            yield table.line_num, record
    except csv.Error as error:
        raise ValueError(
            f"{path}:{table.line_num}: can't be read as a table ({error}): mend the quotes"
        ) from None


def _pair(record: dict[str, Any], where: str) -> Pair:
    texts, score = [record.get(name) for name in COLUMNS[:2]], record.get("score")
    for name, text in zip(COLUMNS, texts):
        if not isinstance(text, str) or not text.strip():
            raise ValueError(
                f'{where}: a pair needs two texts, "{name}" is missing or empty: complete or delete the line'
            )
        if has_half_pair(text):
            raise ValueError(
                f'{where}: "{name}" has half of a surrogate pair: mend or delete the line'
            )
    if score is None or score == "":
        raise ValueError(f"{where}: the score is missing: give each pair one")
    try:
        number = math.nan if isinstance(score, bool) else float(score)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{where}: the score is no number: {score!r}")
    return Pair(record["text1"], record["text2"], number)


def scale(pairs: Sequence[Pair], low: float, high: float) -> list[Pair]:
    """Pairs with their scores on 0..1, where `low` and `high` were.

    Raises:
        ValueError: "the score ... is outside ...".
    """
    for pair in pairs:
        if not low <= pair.score <= high:
            raise ValueError(
                f"the score {pair.score:g} is outside {low:g} to {high:g}: give the right range by vars.similarity.range"
            )
    return [replace(pair, score=(pair.score - low) / (high - low)) for pair in pairs]


def score_range(pairs: Iterable[Pair], given: str) -> tuple[float, float]:
    """The lowest and the highest score: as given ("0-5"), or as found (given is "found").

    Raises:
        ValueError: "... is no range ...", or "all scores are the same ...".
    """
    scores = [pair.score for pair in pairs]
    if len(set(scores)) == 1:
        raise ValueError(
            f"all scores are the same ({scores[0]:g}): there is nothing to learn from them, give pairs that differ"
        )
    if given == "found":
        return min(scores), max(scores)
    try:
        low, high = (float(value) for value in given.split(":"))
        if not low < high:
            raise ValueError
    except ValueError:
        raise ValueError(
            f"vars.similarity.range is {given!r}, which is no range: give lowest:highest, such as 0:5, or found"
        ) from None
    return low, high


def distinct(pairs: Iterable[Pair]) -> tuple[list[Pair], int]:
    """Each pair of texts once, in either order, and how many were left out. The first one's score holds."""
    pairs = list(pairs)
    kept: dict[frozenset[bytes], Pair] = {}
    for pair in pairs:
        kept.setdefault(frozenset(pair.keys), pair)
    return list(kept.values()), len(pairs) - len(kept)


def without(pairs: Iterable[Pair], taken: Iterable[Pair]) -> list[Pair]:
    """The pairs none of whose texts is in the taken ones."""
    keys = {key for pair in taken for key in pair.keys}
    return [pair for pair in pairs if not keys & set(pair.keys)]


def components(pairs: Sequence[Pair]) -> dict[bytes, bytes]:
    """For each text's key that of the text that stands for all texts that hang together with it by pairs (union-find)."""
    parents: dict[bytes, bytes] = {}

    def root(key: bytes) -> bytes:
        while parents.setdefault(key, key) != key:
            parents[key] = parents[parents[key]]
            key = parents[key]
        return key

    for pair in pairs:
        a, b = map(root, pair.keys)
        parents[max(a, b)] = min(a, b)
    return {key: root(key) for key in list(parents)}


def split(
    pairs: Sequence[Pair], share: float, seed: int
) -> tuple[list[Pair], list[Pair], list[Pair]]:
    """Pairs to train on, pairs held out, and pairs with a text on either side. No text is in both of the first two.

    Texts that hang together by pairs stay together. Where more than half of all pairs hang together, as where each text is paired with
    each other one, the texts themselves are drawn; else there is no pair between the sides.

    Args:
        pairs: all of them.
        share: of the texts, to hold out: as many as reach it.
        seed: for the draw, which depends on no order.
    """
    together = components(pairs)
    counts = Counter(together[pair.keys[0]] for pair in pairs)
    dense = {group for group, count in counts.items() if count > MOST * len(pairs)}
    units = {key: key if group in dense else group for key, group in together.items()}
    sizes = Counter(units.values())
    held_out: set[bytes] = set()
    for unit in sorted(
        sizes,
        key=lambda unit: hashlib.blake2b(unit, digest_size=8, salt=str(seed).encode()).digest(),
    ):
        if sum(sizes[other] for other in held_out) >= share * len(together):
            break
        held_out.add(unit)
    parts: dict[tuple[bool, bool], list[Pair]] = defaultdict(list)
    for pair in pairs:
        a, b = (units[key] in held_out for key in pair.keys)
        parts[a, b].append(pair)
    return parts[False, False], parts[True, True], parts[True, False] + parts[False, True]
