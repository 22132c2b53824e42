"""The index of a multistream dump: at which byte the stream of which page begins."""

import bz2
from collections.abc import Iterable, Iterator
from pathlib import Path

from scripts.wikipedia.bzip2 import is_bz2


def read_index(path: Path) -> Iterator[tuple[int, int, str]]:
    """(byte at which the page's stream begins, page id, title) for each line of a multistream dump's index, packed or not.

    Raises:
        ValueError: "FILE:LINE: no line of an index ...", "FILE: ends early ...".
    """
    if not path.exists():
        raise ValueError(
            f"{path} does not exist: give the index of the dump by vars.wikipedia.index, or assets/empty.jsonl for none"
        )
    with path.open("rb") as file:
        packed = is_bz2(file.read(4))
    number = 0
    try:
        with bz2.open(path) if packed else path.open("rb") as lines:
            for line in lines:
                number += 1
                offset, page_id, title = line.decode("utf8").rstrip("\n").split(":", 2)
                yield int(offset), int(page_id), title
    except (EOFError, OSError) as error:
        raise ValueError(
            f"{path}: ends early or is damaged after line {number} ({error}): fetch or copy it again"
        ) from error
    except ValueError:
        raise ValueError(
            f"{path}:{number}: no line of an index: each should be like 616:10:Title (byte, page id, title)"
        ) from None


def streams_of(index: Path, titles: Iterable[str], dump: Path) -> list[tuple[int, int]]:
    """(first byte, byte after the last) of the streams in which pages of some titles are, by the index of a multistream dump.

    Raises:
        ValueError: "... none of the titles ...", "... is the index of another dump ...".
    """
    wanted = set(titles)
    found: dict[int, int] = {}
    last, holds = -1, False
    for offset, _, title in read_index(index):
        if offset != last:
            if holds:
                found[last] = offset
            last, holds = offset, False
        holds = holds or title in wanted
    if holds:
        found[last] = dump.stat().st_size
    if not found:
        raise ValueError(f"{index} has none of the titles: see vars.wikipedia.titles")
    _see_that_streams_begin(index, dump, found)
    return sorted(found.items())


def cut_at_streams(index: Path, dump: Path, part: int) -> list[tuple[int, int]]:
    """(first byte, byte after the last) of the parts of a multistream dump, of at least `part` bytes: no stream is in two of them.

    Raises:
        ValueError: "... is the index of another dump ...".
    """
    begins = [0]
    for offset, _, _ in read_index(index):
        if offset >= begins[-1] + part:
            begins.append(offset)
    _see_that_streams_begin(index, dump, begins[1:])
    return list(zip(begins, [*begins[1:], dump.stat().st_size]))


def _see_that_streams_begin(index: Path, dump: Path, offsets: Iterable[int]) -> None:
    with dump.open("rb") as file:
        for offset in offsets:
            file.seek(offset)
            if not is_bz2(file.read(4)):
                raise ValueError(
                    f"{index} is the index of another dump: no stream begins at byte {offset} of {dump}"
                )
