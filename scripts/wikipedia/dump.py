"""Read the pages of a MediaWiki dump, plain or .bz2, from any place in it.

Each process takes a part of the file. No XML parser runs: in a dump every `<` of a text is escaped,
so `<page>` and `</page>` can only be tags, and the bytes are searched for them. What lies between
is read only as far as needed. No entity is expanded except XML's five and character numbers; a
DOCTYPE is refused.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from scripts.files import digest
from scripts.wikipedia.bzip2 import MAX_BLOCK_BYTES, is_bz2, read_blocks

READ_BYTES = 2**20  # of a plain file, read at a time
# MediaWiki itself takes texts of 2 MiB, which escapes make six times as long.
MAX_PAGE_BYTES = 16 * 2**20
MAX_INFLATION = 250  # bytes of text for each byte of .bz2; Wikipedia has 4
UNCHECKED_BYTES = 64 * 2**20  # of text, which may come out of any file
_KNOWN_ENTITIES = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
# The ampersand is replaced last, or &amp;lt; would become <.
_ENTITIES_IN_ORDER = ("lt", "gt", "quot", "apos", "amp")
_ENTITY = re.compile(r"&(?:(amp|lt|gt|quot|apos)|#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6}));")
_NAMESPACE = re.compile(rb'<namespace key="(-?\d+)"[^>]*?(?:/>|>([^<]*)</namespace>)')
_HEAD = re.compile(
    rb"<page>\s*<title>([^<]*)</title>\s*<ns>(-?\d+)</ns>\s*<id>(\d+)</id>\s*(<redirect\b)?"
)
_REVISION = re.compile(rb"<revision>\s*<id>(\d+)</id>")
_TIMESTAMP = re.compile(rb"<timestamp>([^<]*)</timestamp>")
_TEXT = re.compile(rb"<text\b[^>]*?(?:/>|>([^<]*)</text>)")

Part = tuple[int, int]  # of a file: its first byte, the byte after its last one
# The byte of the file at which a piece of text begins; the piece, None where it is damaged.
Piece = tuple[int, bytes | None]


class Malformed(ValueError):
    """A page that cannot be parsed: it is counted and left out."""


class Damaged(Exception):
    """A place in which a dump cannot be read."""


@dataclass(frozen=True)
class PageHead:
    """The first lines of a page."""

    title: str
    namespace: int
    page_id: int
    redirect: bool


@dataclass(frozen=True)
class Revision:
    """A revision of a page, with its wikitext."""

    revision_id: int
    timestamp: str
    text: str


def _open(path: Path) -> tuple[BinaryIO, bool]:
    """A dump, open, and whether it is packed.

    Raises:
        ValueError: "... does not exist ...", "... is a folder ...",
            "... is neither XML nor bz2 ...".
    """
    if not path.exists():
        raise ValueError(
            f"{path} does not exist: set vars.wikipedia.dump to a dump "
            "(python -m weasel run fetch downloads that of Wikipedia)"
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


def read_pieces(path: Path, start: int, end: int) -> Iterator[Piece]:
    """The text of a dump from the byte `start` of its file, in pieces.

    Pieces that begin before `end` come first; those after it follow, for a page that ends there.

    Raises:
        ValueError: "... grows ... times ..." for a compression bomb.
    """
    file, packed = _open(path)
    with file:
        yield from _unpacked(file, path, start) if packed else _plain(file, start, end)


def _plain(file: BinaryIO, start: int, end: int) -> Iterator[Piece]:
    file.seek(start)
    while chunk := file.read(min(READ_BYTES, end - start) if start < end else READ_BYTES):
        yield start, chunk
        start += len(chunk)


def _unpacked(file: BinaryIO, path: Path, start: int) -> Iterator[Piece]:
    n_unpacked = 0
    for at, text in read_blocks(file, start):
        n_unpacked += len(text or b"")
        if n_unpacked > UNCHECKED_BYTES + MAX_INFLATION * (at - start):
            raise ValueError(
                f"{path} grows more than {MAX_INFLATION} times when it is unpacked: "
                "a compression bomb, or not a dump of texts"
            )
        yield at, text


def read_header(path: Path) -> bytes:
    """The bytes before the first page.

    Raises:
        ValueError: "... declares entities ...", "... is not a MediaWiki dump ...",
            "... is damaged before its first page ...".
    """
    header = b""
    for _, text in read_pieces(path, 0, READ_BYTES):
        if text is None:
            raise ValueError(
                f"{path} ends early or is damaged before its first page: fetch or copy it again"
            )
        header += text
        if b"<page>" in header or len(header) > MAX_PAGE_BYTES:
            break
    header = header.partition(b"<page>")[0]
    if b"<!DOCTYPE" in header or b"<!ENTITY" in header:
        raise ValueError(f"{path} declares entities or a DOCTYPE, which no dump does: refused")
    if b"<mediawiki" not in header[:READ_BYTES]:
        raise ValueError(
            f"{path} is not a MediaWiki dump, which begins with <mediawiki>: "
            "give a pages-articles dump"
        )
    return header


def read_namespaces(header: bytes) -> dict[int, str]:
    """The names of a wiki's namespaces (except that of articles), by their keys."""
    return {
        int(key): unescape(name.decode("utf8", "replace"))
        for key, name in _NAMESPACE.findall(header)
        if name
    }


def is_complete(path: Path) -> bool:
    """Whether a dump has its end: a download that was cut short has not."""
    size = path.stat().st_size
    text = b""
    for _, piece in read_pieces(path, max(0, size - 4 * MAX_BLOCK_BYTES), size):
        if piece is None:
            return False
        text = text[-100:] + piece
    return text.rstrip().endswith(b"</mediawiki>")


def fingerprint(path: Path) -> str:
    """A digest of a dump's size, date, first and last bytes: a dump is not read as a whole."""
    file, _ = _open(path)
    with file:
        size = file.seek(0, 2)
        file.seek(0)
        first = digest(file.read(READ_BYTES))
        file.seek(max(0, size - READ_BYTES))
        last = digest(file.read())
    return digest(f"{size} {path.stat().st_mtime_ns} {first} {last}".encode())


def split_file(size: int, part_bytes: int) -> list[Part]:
    """The parts of a file of `size` bytes, of `part_bytes` bytes each."""
    return [(start, min(start + part_bytes, size)) for start in range(0, size, part_bytes)]


def read_pages(pieces: Iterator[Piece], end: int, path: Path) -> Iterator[bytes | Damaged]:
    """The pages that begin in a part of a dump; the last one may end after the part.

    Args:
        pieces: from `read_pieces`.
        end: the byte of the file at which the part ends.
        path: the file, for error messages.

    Yields:
        A page from `<page>` up to its end tag, or Damaged where a piece is missing.

    Raises:
        ValueError: "... no page ends within ..." for a compression bomb.
    """
    rest, n_since_page = b"", 0  # bytes that are left over; bytes since the last page
    for position, text in pieces:
        in_part = position < end
        if not in_part and not rest:
            return
        if text is None:
            yield Damaged()
            rest = b""
            continue
        buffer = rest + text
        # A page that begins after the limit belongs to the next part.
        pages, at, unfinished = _split_pages(buffer, len(buffer) if in_part else len(rest))
        yield from pages
        n_since_page = len(buffer) - at if at else n_since_page + len(text)
        if n_since_page > MAX_PAGE_BYTES:
            raise ValueError(
                f"{path}: no page ends within {MAX_PAGE_BYTES >> 20} MB: "
                "a compression bomb, or not a dump"
            )
        if not in_part and unfinished is None:
            return
        # A tag may lie on the border of two pieces.
        keep_from = max(at, len(buffer) - len("<page")) if unfinished is None else unfinished
        rest = buffer[keep_from:]


def _split_pages(buffer: bytes, limit: int) -> tuple[list[bytes], int, int | None]:
    """The pages in some text.

    Args:
        buffer: the text.
        limit: only pages that begin before this byte count.

    Returns:
        (the pages that end in it, the byte after the last of them, the byte at which a page begins
        that does not end in it or None).
    """
    pages: list[bytes] = []
    at = 0
    while 0 <= (start := buffer.find(b"<page>", at)) < limit:
        stop = buffer.find(b"</page>", start)
        if stop < 0:
            return pages, at, start
        pages.append(buffer[start:stop])
        at = stop + len("</page>")
    return pages, at, None


def parse_head(page: bytes) -> PageHead:
    """The title, namespace and id of a page, and whether it is a redirect.

    Raises:
        Malformed: for a page without title, namespace and id, and for one whose end tag is missing,
            so that another page begins in it.
    """
    match = _HEAD.match(page)
    if not match or page.rfind(b"<page>") > 0:
        raise Malformed("no title, namespace and id, or no end")
    return PageHead(_decode(match[1]), int(match[2]), int(match[3]), match[4] is not None)


def parse_revision(page: bytes) -> Revision:
    """The last revision of a page.

    Raises:
        Malformed: where a part is missing or not UTF-8, or an entity is not one of XML's own.
    """
    at = max(0, page.rfind(b"<revision>"))
    revision = _REVISION.search(page, at)
    timestamp = _TIMESTAMP.search(page, at)
    text = _TEXT.search(page, at)
    if not (revision and timestamp and text):
        raise Malformed("no revision, timestamp and text")
    return Revision(int(revision[1]), _decode(timestamp[1]), _decode(text[1] or b""))


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
    for name in _ENTITIES_IN_ORDER:
        text = text.replace(f"&{name};", _KNOWN_ENTITIES[name])
    return text


def _character(entity: re.Match[str]) -> str:
    if entity[1]:
        return _KNOWN_ENTITIES[entity[1]]
    number = int(entity[2]) if entity[2] else int(entity[3], 16)
    if number > 0x10FFFF or 0xD800 <= number < 0xE000 or number == 0:
        raise Malformed("a number that is not a character")
    return chr(number)
