"""Pairs of texts with a score: read, checked, scaled to 0..1, and split so that no text leaks."""

import csv
import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from scripts.reading import has_half_pair, read_jsonl, read_lines, source_files, text_key

COLUMNS = ("text1", "text2", "score")
TABLES = (".csv", ".tsv")
MAX_GROUP_SHARE = 0.5  # of the pairs: the texts of a larger group are drawn one by one


@dataclass(frozen=True)
class Pair:
    """Two texts and how similar they are."""

    text1: str
    text2: str
    score: float

    @property
    def keys(self) -> tuple[bytes, bytes]:
        """A key of each text: texts that differ in case and white space alone have the same."""
        return text_key(self.text1), text_key(self.text2)


def texts_of(pairs: Iterable[Pair]) -> list[str]:
    """All texts, each once, in alphabetical order."""
    return sorted(set(chain.from_iterable((pair.text1, pair.text2) for pair in pairs)))


def text_keys(pairs: Iterable[Pair]) -> set[bytes]:
    """The keys of all texts."""
    return set(chain.from_iterable(pair.keys for pair in pairs))


def read_pairs(path: Path) -> list[Pair]:
    """Pairs of a JSONL file, or of a CSV or TSV file with a header, with their scores as they are.

    Each has "text1", "text2" and "score".

    Raises:
        ValueError: "FILE:LINE: a pair needs two texts ...", "... the score is missing ..." or
            "... is not a number ...", "FILE: the columns ... are missing ...", and whatever
            reading the file raises.
    """
    pairs = []
    for file in source_files(path, (".jsonl", ".jsonl.gz", *TABLES)):
        for number, record in _read_table(file) if file.suffix in TABLES else read_jsonl(file):
            pairs.append(_pair(record, f"{file}:{number}"))
    return pairs


def _read_table(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line number, record) of a table; the number is that of the record's last line."""
    lines = (line + "\n" for _, line in read_lines(path))
    table = csv.DictReader(lines, delimiter="\t" if path.suffix == ".tsv" else ",", strict=True)
    try:
        missing = [name for name in COLUMNS if name not in (table.fieldnames or [])]
        if missing:
            remedy = "the first line should be text1, text2, score"
            raise ValueError(f"{path}: the columns {', '.join(missing)} are missing: {remedy}")
        for record in table:
            if None in record:
                remedy = 'put texts with separators in quotes, "like, this"'
                raise ValueError(f"{path}:{table.line_num}: more fields than columns: {remedy}")
            yield table.line_num, record
    except csv.Error as error:
        place, problem = f"{path}:{table.line_num}", f"can't be read as a table ({error})"
        raise ValueError(f"{place}: {problem}: fix the quotes") from None


def _pair(record: dict[str, Any], place: str) -> Pair:
    text1, text2, score = (record.get(name) for name in COLUMNS)
    for name, text in (("text1", text1), ("text2", text2)):
        _check_text(name, text, place)
    return Pair(text1, text2, _score(score, place))  # type: ignore[arg-type]  # both are checked


def _check_text(name: str, text: Any, place: str) -> None:
    if not isinstance(text, str) or not text.strip():
        problem = f'a pair needs two texts, "{name}" is missing or empty'
        raise ValueError(f"{place}: {problem}: complete or delete the line")
    if has_half_pair(text):
        raise ValueError(f'{place}: "{name}" has half of a surrogate pair: fix or delete the line')


def _score(score: Any, place: str) -> float:
    if score is None or score == "":
        raise ValueError(f"{place}: the score is missing: give each pair one")
    try:
        number = math.nan if isinstance(score, bool) else float(score)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{place}: the score is not a number: {score!r}")
    return number


def scale(pairs: Sequence[Pair], low: float, high: float) -> list[Pair]:
    """Pairs with their scores mapped from low..high to 0..1.

    Raises:
        ValueError: "the score ... is outside ...".
    """
    for pair in pairs:
        if not low <= pair.score <= high:
            problem = f"the score {pair.score:g} is outside {low:g} to {high:g}"
            raise ValueError(f"{problem}: give the right range by vars.similarity.range")
    return [replace(pair, score=(pair.score - low) / (high - low)) for pair in pairs]


def score_range(pairs: Iterable[Pair], range_option: str) -> tuple[float, float]:
    """The lowest and the highest score.

    Args:
        pairs: with scores.
        range_option: the range, such as "0:5", or "found" for the scores that occur.

    Raises:
        ValueError: "... is not a range ...", or "all scores are the same ...".
    """
    scores = [pair.score for pair in pairs]
    if len(set(scores)) == 1:
        raise ValueError(
            f"all scores are the same ({scores[0]:g}), so there is nothing to learn from them: "
            "give pairs that differ"
        )
    if range_option == "found":
        return min(scores), max(scores)
    try:
        low, high = (float(value) for value in range_option.split(":"))
        if not low < high:
            raise ValueError
    except ValueError:
        raise ValueError(
            f"vars.similarity.range is {range_option!r}, which is not a range: "
            "give lowest:highest, such as 0:5, or found"
        ) from None
    return low, high


def distinct(pairs: Iterable[Pair]) -> tuple[list[Pair], int]:
    """Each pair of texts once, in either order, with its first score; and how many were dropped."""
    pairs = list(pairs)
    kept: dict[frozenset[bytes], Pair] = {}
    for pair in pairs:
        kept.setdefault(frozenset(pair.keys), pair)
    return list(kept.values()), len(pairs) - len(kept)


def without(pairs: Iterable[Pair], others: Iterable[Pair]) -> list[Pair]:
    """The pairs that share no text with the others."""
    keys = text_keys(others)
    return [pair for pair in pairs if keys.isdisjoint(pair.keys)]


def groups(pairs: Sequence[Pair]) -> dict[bytes, bytes]:
    """The group of each text: texts that are linked by pairs, directly or not, are in one group.

    Returns:
        For the key of each text the lowest key of its group.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    keys = sorted(text_keys(pairs))
    if not keys:
        return {}
    position = {key: number for number, key in enumerate(keys)}
    first = [position[pair.keys[0]] for pair in pairs]
    second = [position[pair.keys[1]] for pair in pairs]
    links = coo_array(([True] * len(pairs), (first, second)), shape=(len(keys), len(keys)))
    labels = connected_components(links, directed=False)[1].tolist()
    lowest: dict[int, bytes] = {}
    return {key: lowest.setdefault(label, key) for key, label in zip(keys, labels)}


def split(
    pairs: Sequence[Pair], share: float, seed: int
) -> tuple[list[Pair], list[Pair], list[Pair]]:
    """Split pairs in two so that no text is on both sides.

    Texts that are linked by pairs stay together. If more than half of all pairs are in one group
    (for instance if each text is paired with each other text), its texts are drawn one by one;
    else no pair has a text on each side.

    Args:
        pairs: to split.
        share: of the texts, to hold out; slightly more, until it is reached.
        seed: for the draw, which does not depend on the order.

    Returns:
        Training pairs, held-out pairs, and pairs with one text on each side.
    """
    group_of = groups(pairs)
    counts = Counter(group_of[pair.keys[0]] for pair in pairs)
    dense = {group for group, n_pairs in counts.items() if n_pairs > MAX_GROUP_SHARE * len(pairs)}
    unit_of = {key: key if group in dense else group for key, group in group_of.items()}
    held_out = _draw(Counter(unit_of.values()), share * len(unit_of), seed)
    sides: dict[tuple[bool, bool], list[Pair]] = defaultdict(list)
    for pair in pairs:
        first, second = (unit_of[key] in held_out for key in pair.keys)
        sides[first, second].append(pair)
    return sides[False, False], sides[True, True], sides[True, False] + sides[False, True]


def _draw(sizes: Counter[bytes], n_texts: float, seed: int) -> set[bytes]:
    """Draw units of texts until they have so many texts together."""
    salt = str(seed).encode()

    def order(unit: bytes) -> bytes:
        return hashlib.blake2b(unit, digest_size=8, salt=salt).digest()

    drawn: set[bytes] = set()
    n_drawn = 0
    for unit in sorted(sizes, key=order):
        if n_drawn >= n_texts:
            break
        drawn.add(unit)
        n_drawn += sizes[unit]
    return drawn
