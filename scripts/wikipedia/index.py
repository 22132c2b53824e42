"""Choose the parts of a dump to read: of a multistream dump, by its index.

The index says at which byte of the dump the stream of each page begins.
"""

import bz2
from collections.abc import Iterable, Iterator
from pathlib import Path

from scripts.wikipedia.bzip2 import is_bz2
from scripts.wikipedia.dump import Part, read_header, split_file


def choose_parts(
    dump: Path, index: Path | None, titles: frozenset[str], part_bytes: int
) -> list[Part]:
    """The parts of a dump to read.

    Args:
        dump: its file.
        index: of a multistream dump; None or an empty file for none.
        titles: with an index, only the streams with these pages are read; empty for all.
        part_bytes: bytes of the file that a process reads at a time.

    Raises:
        ValueError: for what is not a dump or not its index.
    """
    read_header(dump)
    if index is None or (index.exists() and not index.stat().st_size):
        return split_file(dump.stat().st_size, part_bytes)
    if titles:
        return streams_of(index, titles, dump)
    return split_at_streams(index, dump, part_bytes)


def read_index(path: Path) -> Iterator[tuple[int, int, str]]:
    """The lines of an index, packed or not: (byte at which the stream begins, page id, title).

    Raises:
        ValueError: "FILE:LINE: not a line of an index ...", "FILE: ends early ...".
    """
    if not path.exists():
        raise ValueError(
            f"{path} does not exist: set vars.wikipedia.index to the index of the dump, "
            "or to assets/empty.jsonl for none"
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
            f"{path}: ends early or is damaged after line {number} ({error}): "
            "fetch or copy it again"
        ) from error
    except ValueError:
        raise ValueError(
            f"{path}:{number}: not a line of an index: "
            "each line should look like 616:10:Title (byte, page id, title)"
        ) from None


def streams_of(index: Path, titles: Iterable[str], dump: Path) -> list[Part]:
    """The streams of a multistream dump that hold pages with some titles.

    Raises:
        ValueError: "... none of the titles ...", "... is the index of another dump ...".
    """
    wanted = set(titles)
    ends: dict[int, int] = {}  # of the streams that hold a wanted page, by their first bytes
    start, is_wanted = -1, False
    for offset, _, title in read_index(index):
        if offset != start:
            if is_wanted:
                ends[start] = offset
            start, is_wanted = offset, False
        is_wanted = is_wanted or title in wanted
    if is_wanted:
        ends[start] = dump.stat().st_size
    if not ends:
        raise ValueError(f"{index} has none of the titles: see vars.wikipedia.titles")
    _check_streams(index, dump, ends)
    return sorted(ends.items())


def split_at_streams(index: Path, dump: Path, part_bytes: int) -> list[Part]:
    """The parts of a multistream dump, of at least `part_bytes` bytes; each begins with a stream.

    Raises:
        ValueError: "... is the index of another dump ...".
    """
    starts = [0]
    for offset, _, _ in read_index(index):
        if offset >= starts[-1] + part_bytes:
            starts.append(offset)
    _check_streams(index, dump, starts[1:])
    return list(zip(starts, [*starts[1:], dump.stat().st_size]))


def _check_streams(index: Path, dump: Path, offsets: Iterable[int]) -> None:
    """Check that a stream begins at each of some bytes of a dump."""
    with dump.open("rb") as file:
        for offset in offsets:
            file.seek(offset)
            if not is_bz2(file.read(4)):
                raise ValueError(
                    f"{index} is the index of another dump: "
                    f"no stream begins at byte {offset} of {dump}"
                )
