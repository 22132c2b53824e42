"""Read items and what they link to: what `wikipedia-extract` writes, or any JSONL with a title and links."""

import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.files import progress_bar
from scripts.reading import Skipped, has_half_pair, read_jsonl

_NUMBER = re.compile(r"-?\d+(?:[.,]\d+)*")
_THOUSANDS = re.compile(r"-?\d{1,3}(?:,\d{3})+(?:\.\d+)?")


@dataclass(frozen=True)
class Item:
    """A page: a film, a book."""

    title: str
    links: tuple[str, ...]  # each once
    record: dict[str, Any]  # all that its line holds


def read_items(
    path: Path, skipped: Skipped | None = None, counts: Counter[str] | None = None
) -> list[Item]:
    """The items of a JSONL file, of each title the first.

    Args:
        path: the file, gzipped or not.
        skipped: takes note of bad lines; None to stop at the first.
        counts: takes note of items that are left out though their lines are sound.

    Raises:
        ValueError: "... is no file ...", "FILE:LINE: no "title" ...", "FILE:LINE: no list of "links" ...", "FILE: no item ...".
    """
    if not path.is_file():
        raise ValueError(
            f"{path} is no file: vars.movies.items names the items, such as corpus/wikipedia/pages.jsonl of wikipedia-extract"
        )
    counts = Counter() if counts is None else counts
    items: dict[str, Item] = {}
    with progress_bar("items", path.stat().st_size, "B") as bar:
        for item in _sound(path, skipped, bar):
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


def _sound(path: Path, skipped: Skipped | None, bar: Any) -> Iterator[Item]:
    for number, record in read_jsonl(path, skipped, bar):
        title, links = record.get("title"), record.get("links")
        if not isinstance(title, str) or has_half_pair(title):
            why = 'no "title": each line needs one that is a string'
        elif not isinstance(links, list) or not all(
            isinstance(link, str) and not has_half_pair(link) for link in links
        ):
            why = 'no list of "links": each line needs one, of strings'
        else:
            yield Item(
                title.strip(), tuple(dict.fromkeys(filter(None, map(str.strip, links)))), record
            )
            continue
        if skipped is None:
            raise ValueError(f"{path}:{number}: {why}; mend the line, or pass --skip-bad")
        skipped.add(why.split(":")[0], str(path), number)


def value_of(record: dict[str, Any], name: str) -> Any:
    """What a dotted path such as `properties.genre` finds in a record; None where there is nothing."""
    found: Any = record
    for key in name.split("."):
        found = found.get(key) if isinstance(found, dict) else None
    return found


def number_of(value: Any) -> float | None:
    """A number, or the first in a string ("207 minutes", "1,024 pages") or in a list of these; None where there is no finite one."""
    if isinstance(value, list):
        return next(
            (
                number
                for part in value
                if not isinstance(part, list) and (number := number_of(part)) is not None
            ),
            None,
        )
    if isinstance(value, str):
        found = _NUMBER.search(value)
        if not found:
            return None
        thousands = _THOUSANDS.match(found[0])
        value = float(
            thousands[0].replace(",", "")
            if thousands
            else re.match(r"-?\d+(?:\.\d+)?", found[0])[0]
        )  # type: ignore[index]
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or abs(value) > sys.float_info.max
        or value != value
    ):
        return None
    return float(value)


def words_of(value: Any) -> list[str]:
    """A string, a number or a list of them as a list of strings; [] for anything else."""
    found = value if isinstance(value, list) else [value]
    return [
        str(part)
        for part in found
        if isinstance(part, str | int | float) and not isinstance(part, bool) and str(part).strip()
    ]
