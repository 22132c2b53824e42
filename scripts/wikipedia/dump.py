"""Read the pages of a MediaWiki dump, plain or .bz2, from any place in it: each process takes a part of the file.

No XML parser runs: in a dump every `<` of a text is escaped, so `<page>` and `</page>` can only be tags, and bytes are searched for
them. What lies between is looked at only as far as needed. No entity is ever expanded but XML's five and the numbers; a DOCTYPE is refused.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from scripts.files import digest
from scripts.wikipedia.bzip2 import LONGEST_BLOCK, is_bz2, read_blocks

CHUNK = 2**20  # bytes of a plain file read at a time
LONGEST_PAGE = (
    16 * 2**20
)  # bytes; MediaWiki itself takes texts of 2 MiB, which escapes make six times as long
MOST_INFLATION = 250  # bytes of text for a byte of .bz2, beyond FREE_INFLATION; Wikipedia has 4
FREE_INFLATION = 64 * 2**20
_KNOWN_ENTITIES = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_ENTITY = re.compile(r"&(?:(amp|lt|gt|quot|apos)|#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6}));")
_NAMESPACE = re.compile(rb'<namespace key="(-?\d+)"[^>]*?(?:/>|>([^<]*)</namespace>)')
_HEAD = re.compile(
    rb"<page>\s*<title>([^<]*)</title>\s*<ns>(-?\d+)</ns>\s*<id>(\d+)</id>\s*(<redirect\b)?"
)
_REVISION = re.compile(rb"<revision>\s*<id>(\d+)</id>")
_TIMESTAMP = re.compile(rb"<timestamp>([^<]*)</timestamp>")
_TEXT = re.compile(rb"<text\b[^>]*?(?:/>|>([^<]*)</text>)")

Feed = Iterator[
    tuple[int, bytes | None]
]  # (the byte of the file at which some text begins, the text, or None where it is damaged)


class Malformed(ValueError):
    """A page that is no page: it is counted and left out."""


class Damaged(Exception):
    """A place in which a dump can't be read."""


@dataclass(frozen=True)
class Head:
    """What the first lines of a page say."""

    title: str
    namespace: int
    page_id: int
    redirect: bool


@dataclass(frozen=True)
class Revision:
    """The text of a page and which one it is."""

    revision_id: int
    timestamp: str
    text: str


def _open(path: Path) -> tuple[BinaryIO, bool]:
    """A dump, open, and whether it is packed.

    Raises:
        ValueError: "... does not exist ...", "... is a folder ...", "... is neither XML nor bz2 ...".
    """
    if not path.exists():
        raise ValueError(
            f"{path} does not exist: give a dump by vars.wikipedia.dump (python -m weasel run fetch downloads Wikipedia's)"
        )
    if path.is_dir():
        raise ValueError(f"{path} is a folder: give one of the dumps in it")
    file = path.open("rb")
    head = file.read(4096)
    if not is_bz2(head) and not head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<"):
        file.close()
        raise ValueError(
            f"{path} is neither XML nor bz2: give a pages-articles dump (.xml, .xml.bz2)"
        )
    return file, is_bz2(head)


def feed(path: Path, start: int, end: int) -> Feed:
    """The text of a dump from a byte of its file on, in pieces: the first ones begin before `end`.

    Raises:
        ValueError: "... grows ... times ..." for a compression bomb.
    """
    file, packed = _open(path)
    with file:
        if not packed:
            file.seek(start)
            while chunk := file.read(min(CHUNK, end - start) if start < end else CHUNK):
                yield start, chunk
                start += len(chunk)
            return
        size = 0
        for at, text in read_blocks(file, start):
            size += len(text or b"")
            if size > FREE_INFLATION + MOST_INFLATION * (at - start):
                raise ValueError(
                    f"{path} grows more than {MOST_INFLATION} times when unpacked: a compression bomb, or no dump of texts"
                )
            yield at, text


def read_head(path: Path) -> bytes:
    """What stands before the first page.

    Raises:
        ValueError: "... declares entities ...", "... is no MediaWiki dump ...", "... is damaged ...".
    """
    head = b""
    for _, text in feed(path, 0, CHUNK):
        if text is None:
            raise ValueError(
                f"{path} ends early or is damaged before its first page: fetch or copy it again"
            )
        head += text
        if b"<page>" in head or len(head) > LONGEST_PAGE:
            break
    head = head.partition(b"<page>")[0]
    if b"<!DOCTYPE" in head or b"<!ENTITY" in head:
        raise ValueError(f"{path} declares entities or a DOCTYPE, which no dump does: refused")
    if b"<mediawiki" not in head[:CHUNK]:
        raise ValueError(f"{path} is no MediaWiki dump: <mediawiki> should stand at its beginning")
    return head


def namespaces(head: bytes) -> dict[int, str]:
    """The names of a wiki's namespaces (other than that of articles) by their keys."""
    return {
        int(key): unescape(name.decode("utf8", "replace"))
        for key, name in _NAMESPACE.findall(head)
        if name
    }


def ends_well(path: Path) -> bool:
    """Whether a dump has its end: a download that was cut short has not."""
    size = path.stat().st_size
    text = b""
    for _, piece in feed(path, max(0, size - 4 * LONGEST_BLOCK), size):
        if piece is None:
            return False
        text = text[-100:] + piece
    return text.rstrip().endswith(b"</mediawiki>")


def fingerprint(path: Path) -> str:
    """What tells one dump from another without reading all of it."""
    file, _ = _open(path)
    with file:
        size = file.seek(0, 2)
        file.seek(0)
        head = file.read(CHUNK)
        file.seek(max(0, size - CHUNK))
        return digest(
            f"{size} {path.stat().st_mtime_ns} {digest(head)} {digest(file.read())}".encode()
        )


def cut(size: int, part: int) -> list[tuple[int, int]]:
    """(first byte, byte after the last) of the parts of a file."""
    return [(start, min(start + part, size)) for start in range(0, size, part)]


def read_pages(pieces: Feed, end: int, path: Path) -> Iterator[bytes | Damaged]:
    """The pages that begin in the pieces of a part, also where they end in those behind it.

    Args:
        pieces: what `feed` gives.
        end: the byte of the file before which the part's pieces begin.
        path: the file, to name.

    Yields:
        a page from `<page>` up to its end tag, or Damaged where a piece is missing.

    Raises:
        ValueError: "... no page ends within ..." for a compression bomb.
    """
    rest, between = b"", 0  # what is not used up yet; bytes since the last page
    for position, text in pieces:
        own = position < end
        if not own and not rest:
            return
        if text is None:
            yield Damaged()
            rest = b""
            continue
        buffer = rest + text
        limit = len(buffer) if own else len(rest)  # what begins behind it is the next part's
        at = 0
        while 0 <= (start := buffer.find(b"<page>", at)) < limit:
            stop = buffer.find(b"</page>", start)
            if stop < 0:
                break
            yield buffer[start:stop]
            at = stop + len("</page>")
        unfinished = 0 <= start < limit
        between = len(buffer) - at if at else between + len(text)
        if between > LONGEST_PAGE:
            raise ValueError(
                f"{path}: no page ends within {LONGEST_PAGE >> 20} MB: a compression bomb, or no dump"
            )
        if not own and not unfinished:
            return
        rest = buffer[start:] if unfinished else buffer[max(at, len(buffer) - len("<page")) :]


def parse_head(page: bytes) -> Head:
    """What a page is.

    Raises:
        Malformed: for a page without title, namespace and id, and for one whose end tag is missing, so that another begins in it.
    """
    found = _HEAD.match(page)
    if not found or page.rfind(b"<page>") > 0:
        raise Malformed("no title, namespace and id, or no end")
    return Head(_decode(found[1]), int(found[2]), int(found[3]), found[4] is not None)


def parse_revision(page: bytes) -> Revision:
    """The last revision of a page.

    Raises:
        Malformed: where something is missing, no UTF-8, or an entity is not one of XML's own.
    """
    at = max(0, page.rfind(b"<revision>"))
    revision, time, text = (pattern.search(page, at) for pattern in (_REVISION, _TIMESTAMP, _TEXT))
    if not (revision and time and text):
        raise Malformed("no revision, timestamp and text")
    return Revision(int(revision[1]), _decode(time[1]), _decode(text[1] or b""))


def _decode(escaped: bytes) -> str:
    try:
        return unescape(escaped.decode("utf8"))
    except UnicodeDecodeError:
        raise Malformed("not UTF-8") from None


def unescape(text: str) -> str:
    """A text with XML's five entities and its character numbers replaced, once.

    Raises:
        Malformed: for any other entity.
    """
    if "&" not in text:
        return text
    if len(_ENTITY.findall(text)) != text.count("&"):
        raise Malformed("an entity that XML does not have")
    if "&#" in text:
        return _ENTITY.sub(_character, text)
    for name in (
        "lt",
        "gt",
        "quot",
        "apos",
        "amp",
    ):  # the last one last, or &amp;lt; would become <
        text = text.replace(f"&{name};", _KNOWN_ENTITIES[name])
    return text


def _character(found: re.Match[str]) -> str:
    if found[1]:
        return _KNOWN_ENTITIES[found[1]]
    number = int(found[2]) if found[2] else int(found[3], 16)
    if number > 0x10FFFF or 0xD800 <= number < 0xE000 or number == 0:
        raise Malformed("a number that is no character")
    return chr(number)
