"""Read the rows of a Stack Exchange Posts.xml, plain or inside the site's .7z, as a stream.

No more than some MB are in memory at a time. In a dump a `<` is always the beginning of a tag,
because all texts are escaped attributes. So the bytes are cut before `<row`, and about a MB of rows
at a time goes to expat; if that fails, row by row, so that a bad row does not affect others. No
document type is ever declared to expat, so it knows no entities but XML's five and the numbers; a
DOCTYPE is refused before.
"""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path, PureWindowsPath
from typing import Any, BinaryIO
from xml.parsers import expat

from scripts.files import need

CHUNK = 2**20  # bytes of a plain file read at a time
# bytes; Stack Exchange allows posts of 30,000 characters, and escapes are up to six times as long
MAX_ROW_BYTES = 16 * 2**20
MEMBER = "Posts.xml"
SEVEN_ZIP = b"7z\xbc\xaf\x27\x1c"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_TAIL = re.compile(rb"</posts>\s*\Z")
_EMPTY_TAIL = re.compile(rb"<posts\s*/>\s*\Z")
_ROOT = re.compile(rb"<posts[\s/>]")
_ENCODING = re.compile(rb"<\?xml[^>]*\bencoding=[\"']([^\"']*)[\"']")

Row = dict[str, str]
# takes a piece of the XML, and the number of bytes of the file that were read so far
Sink = Callable[[bytes, int], None]


class Rows:
    """Cuts a stream of bytes into rows.

    Attributes:
        malformed: how many rows were not well-formed.
        last: the Id of the last good row.
        ends_early: after `close`, whether the end of the dump is missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.malformed = 0
        self.last = ""
        self.ends_early = False
        self._rest = b""
        self._in_rows = False

    def feed(self, piece: bytes) -> Iterator[Row]:
        """The rows that a piece of the file completes.

        Raises:
            ValueError: "... declares a DOCTYPE ...", "... is not a Posts.xml ...", "... no row ends
                within ...", for a file that is not a dump.
        """
        buffer = self._rest + piece
        if not self._in_rows:
            start = buffer.find(b"<row")
            self._check_head(buffer if start < 0 else buffer[:start], is_whole=start >= 0)
            self._in_rows, buffer = start >= 0, buffer[max(0, start) :]
        end = buffer.rfind(b"<row") if self._in_rows else 0
        self._rest = buffer[end:]
        if len(self._rest) > MAX_ROW_BYTES:
            reason = f"no row ends within {MAX_ROW_BYTES >> 20} MB"
            raise ValueError(f"{self.path}: {reason}: an XML bomb, or not a dump")
        yield from self._parse(buffer[:end])

    def close(self) -> Iterator[Row]:
        """The rows that are left when the file ends."""
        tail = _TAIL.search(self._rest)
        if not self._in_rows:
            self._check_head(self._rest, is_whole=True)
        self.ends_early = tail is None and not _EMPTY_TAIL.search(self._rest)
        rest = self._rest[: tail.start()] if tail else self._rest
        if self._in_rows and rest.rstrip().endswith((b"/>", b"</row>")):
            yield from self._parse(rest)

    def _check_head(self, head: bytes, is_whole: bool) -> None:
        """Check what comes before the first row, or the part of it that was read."""
        if b"<!DOCTYPE" in head or b"<!ENTITY" in head:
            reason = "declares a DOCTYPE or entities, which dumps do not"
            raise ValueError(f"{self.path} {reason}: refused")
        encoding = _ENCODING.search(head)
        if encoding and encoding[1].lower() not in (b"utf-8", b"utf8"):
            name = encoding[1].decode("ascii", "replace")
            raise ValueError(f"{self.path} is in {name}: convert it to UTF-8 (iconv -t utf8)")
        if (is_whole or len(head) > CHUNK) and not _ROOT.search(head):
            reason = f"is not a {MEMBER} of a Stack Exchange dump"
            raise ValueError(f"{self.path} {reason}: it should begin with <posts>")

    def _parse(self, xml: bytes) -> Iterator[Row]:
        """The rows of whole tags."""
        if not xml:
            return
        try:
            rows = _attributes(xml)
        except expat.ExpatError:
            rows = self._parse_one_by_one(xml)
        for attributes in rows:
            self.last = attributes.get("Id", self.last)
            yield attributes

    def _parse_one_by_one(self, xml: bytes) -> list[Row]:
        """The rows that are well-formed; the others are counted."""
        rows = []
        for row in re.split(rb"(?=<row)", xml)[1:]:
            try:
                rows += _attributes(row)
            except expat.ExpatError:
                self.malformed += 1
        return rows


def _attributes(xml: bytes) -> list[Row]:
    """The attributes of some whole rows.

    Raises:
        ExpatError: if any is not well-formed, or not UTF-8.
    """
    rows: list[Row] = []

    def start_element(name: str, attributes: Row) -> None:
        if name == "row":
            rows.append(attributes)

    parser = expat.ParserCreate("utf-8")
    parser.StartElementHandler = start_element
    parser.Parse(b"<posts>", False)
    parser.Parse(xml, False)
    parser.Parse(b"</posts>", True)
    return rows


def push(path: Path, sink: Sink, cap: int) -> None:
    """Push the bytes of a Posts.xml, plain or in a .7z, through a sink.

    Args:
        path: the file.
        sink: takes the pieces; an exception that it raises ends the reading.
        cap: at most so many bytes may come out of an archive.

    Raises:
        ValueError: as `open_dump` and `_unpack` do.
    """
    with open_dump(path) as file:
        if file.peek(6)[:6] == SEVEN_ZIP:  # type: ignore[attr-defined]
            _unpack(path, file, sink, cap)
            return
        while piece := file.read(CHUNK):
            sink(piece, file.tell())


def open_dump(path: Path) -> BinaryIO:
    """A dump, open.

    Raises:
        ValueError: "... does not exist ...", "... is a folder ...", "... is neither XML nor 7z
            ...".
    """
    if not path.exists():
        remedy = "give a Posts.xml or a site's .7z by vars.questions.dump"
        where = "archive.org/details/stackexchange"
        raise ValueError(f"{path} does not exist: {remedy} ({where})")
    if path.is_dir():
        raise ValueError(f"{path} is a folder: give the {MEMBER} in it")
    file = path.open("rb")
    head = file.peek(4096)
    if not head.startswith(SEVEN_ZIP) and not _is_xml(head):
        file.close()
        reason = "is neither XML nor 7z" if head else "is empty"
        raise ValueError(f"{path} {reason}: give a {MEMBER} in UTF-8, or the .7z with it")
    return file


def _is_xml(head: bytes) -> bool:
    return head.removeprefix(BYTE_ORDER_MARK).lstrip().startswith(b"<")


class _Refused(ValueError):
    """An archive that is whole, but is not unpacked."""


def _unpack(path: Path, file: BinaryIO, sink: Sink, cap: int) -> None:
    """Push Posts.xml out of an archive. Nothing is written to disk.

    py7zr decodes a MB of the archive at a time: some MB of text, or 128 MB of a bomb.

    Raises:
        ValueError: "... is damaged or cut short ...", "... holds ...: refused ...", "... holds no
            Posts.xml ...", "... unpacks to ...".
    """
    py7zr = need("py7zr", "questions")
    sink_errors: list[BaseException] = []
    factory = _writer_factory(py7zr, file, sink, sink_errors)
    try:
        with py7zr.SevenZipFile(file, max_extract_size=cap) as archive:
            _check_members(path, archive, cap)
            archive.extract(targets=[_posts_members(archive)[0].filename], factory=factory)
    except py7zr.exceptions.PasswordRequired:
        raise ValueError(f"{path} is encrypted: give the .7z as Stack Exchange has it") from None
    except py7zr.exceptions.DecompressionBombError:
        raise ValueError(_too_large(path, f"more than {cap / 1e9:g} GB")) from None
    # lzma, struct, py7zr and the standard library raise different errors for damaged bytes
    except Exception as error:
        if sink_errors or isinstance(error, _Refused):
            raise
        reason = f"is damaged or cut short ({type(error).__name__})"
        raise ValueError(f"{path} {reason}: fetch or copy it again") from error


def _too_large(path: Path, size: str) -> str:
    remedy = "raise vars.questions.cap_gb if this is a large site and not a bomb"
    return f"{path} unpacks to {size}: {remedy}"


def _writer_factory(
    py7zr: Any, file: BinaryIO, sink: Sink, sink_errors: list[BaseException]
) -> Any:
    """What py7zr writes to: it passes the pieces to the sink, and keeps what the sink raises."""

    class Writer(py7zr.io.Py7zIO):  # type: ignore[name-defined, misc]
        def write(self, piece: bytes) -> int:
            try:
                for start in range(0, len(piece), CHUNK):
                    sink(bytes(piece[start : start + CHUNK]), file.tell())
            except BaseException as error:
                sink_errors.append(error)
                raise
            return len(piece)

        def read(self, size: int | None = None) -> bytes:
            return b""

        def seek(self, offset: int, whence: int = 0) -> int:
            return 0

        def flush(self) -> None:
            pass

        def size(self) -> int:
            return 0

    class Factory(py7zr.io.WriterFactory):  # type: ignore[name-defined, misc]
        def create(self, filename: str) -> Any:
            return Writer()

    return Factory()


def _posts_members(archive: Any) -> list[Any]:
    """The members of an archive that are called Posts.xml, in any folder."""
    return [one for one in archive.files if PureWindowsPath(one.filename).name == MEMBER]


def _check_members(path: Path, archive: Any, cap: int) -> None:
    """Check what an archive declares, before anything is unpacked.

    Raises:
        _Refused: "... holds ...: refused ...", "... holds no Posts.xml ...", "... unpacks to ...".
    """
    for member in archive.files:
        if reason := _danger(member):
            name = f"{path} holds {member.filename}"
            raise _Refused(f"{name}: refused, {reason}; Stack Exchange's archives are without")
    posts = _posts_members(archive)
    if len(posts) != 1:
        names = ", ".join(member.filename for member in list(archive.files)[:5]) or "nothing"
        what = f"holds {len(posts)} files called {MEMBER}" if posts else f"holds no {MEMBER}"
        raise _Refused(f"{path} {what}: give a site's .7z (it holds {names})")
    if (size := _size_to(archive, posts[0].filename)) > cap:
        raise _Refused(_too_large(path, f"{size / 1e9:.3g} GB, more than {cap / 1e9:g}"))


def _danger(member: Any) -> str:
    """Why a member of an archive must not be unpacked; "" if it may be."""
    name = PureWindowsPath(member.filename)
    if name.anchor:
        return "its path is absolute"
    if ".." in name.parts:
        return "its path has '..' in it"
    return "it is a link" if member.is_symlink or member.is_junction else ""


def _size_to(archive: Any, filename: str) -> int:
    """Bytes that are decoded to unpack a member: its own, and those of all members before it."""
    size = 0
    for member in archive.files:
        size += 0 if member.is_directory else member.uncompressed
        if member.filename == filename:
            break
    return size


def size_of(path: Path) -> int:
    """Bytes of a dump's file, packed as it is."""
    with open_dump(path) as file:
        return os.fstat(file.fileno()).st_size
