"""Read items and their links: JSONL with a title and a list of links on each line."""

import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.files import progress_bar
from scripts.reading import Skipped, has_half_pair, read_jsonl, reject_line

# with commas for thousands, or plain
NUMBER = re.compile(r"-?\d{1,3}(?:,\d{3})+(?:\.\d+)?|-?\d+(?:\.\d+)?")


@dataclass(frozen=True)
class Item:
    """A page: a film, a book."""

    title: str
    links: tuple[str, ...]  # each once
    record: dict[str, Any]  # everything on its line


def read_items(
    path: Path, skipped: Skipped | None = None, counts: Counter[str] | None = None
) -> list[Item]:
    """The items of a JSONL file; if a title is there twice, the first of them.

    Args:
        path: the file, gzipped or not.
        skipped: collects bad lines; None to stop at the first.
        counts: counts items that are left out although their lines are valid.

    Raises:
        ValueError: "... is not a file ...", "FILE:LINE: no "title" ...",
            "FILE:LINE: no list of "links" ...", "FILE: no item ...".
    """
    if not path.is_file():
        remedy = "name a JSONL file with titles and links by vars.movies.items"
        raise ValueError(f"{path} is not a file: {remedy}")
    counts = Counter() if counts is None else counts
    items: dict[str, Item] = {}
    with progress_bar("items", path.stat().st_size, "B") as bar:
        for item in _valid_items(path, skipped, bar):
            if not item.title:
                counts["items left out, the title is empty"] += 1
            elif item.title in items:
                counts["items left out, the title was there before"] += 1
            elif not item.links:
                counts["items left out, no links"] += 1
            else:
                items[item.title] = item
    if not items:
        raise ValueError(f"{path}: no item with a title and links in it")
    return list(items.values())


def _valid_items(path: Path, skipped: Skipped | None, bar: Any) -> Iterator[Item]:
    for number, record in read_jsonl(path, skipped, bar):
        title, links = record.get("title"), record.get("links")
        if not isinstance(title, str) or has_half_pair(title):
            remedy = "each line needs a title, a string"
            reject_line('no "title"', remedy, path, number, skipped)
        elif not isinstance(links, list) or not all(map(_is_text, links)):
            remedy = "each line needs links, a list of strings"
            reject_line('no list of "links"', remedy, path, number, skipped)
        else:
            stripped = filter(None, map(str.strip, links))
            yield Item(title.strip(), tuple(dict.fromkeys(stripped)), record)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and not has_half_pair(value)


def value_of(record: dict[str, Any], name: str) -> Any:
    """The value at a dotted path such as `properties.genre`; None if there is none."""
    value: Any = record
    for key in name.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def values_of(items: Iterable[Item], titles: Sequence[str], name: str) -> list[Any]:
    """The value at a dotted path for each title; None if there is none."""
    values = {item.title: value_of(item.record, name) for item in items}
    return [values.get(title) for title in titles]


def number_of(value: Any) -> float | None:
    """The number itself, or the first one in a string ("207 minutes") or in a list of these.

    None if it is not finite, or not there.
    """
    if isinstance(value, list):
        numbers = (number_of(part) for part in value if not isinstance(part, list))
        return next((number for number in numbers if number is not None), None)
    if isinstance(value, str) and (match := NUMBER.search(value)):
        value = float(match[0].replace(",", ""))
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) <= sys.float_info.max else None


def words_of(value: Any) -> list[str]:
    """A string, a number or a list of them as a list of strings; [] for anything else."""
    parts = value if isinstance(value, list) else [value]
    return [str(part) for part in parts if _is_word(part)]


def _is_word(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return False
    return bool(str(value).strip())
