"""Read the rows of a Stack Exchange Posts.xml, plain or inside the site's .7z, as a stream that never holds more than some MB.

In a dump `<` is nothing but the beginning of a tag: all texts are escaped attributes. So bytes are cut in front of `<row`, and what lies
between two cuts goes to expat, about a MB at a time; where that fails, row by row, so that a bad row costs only itself. No document type is
ever declared to expat, so no entity is known but XML's five and the numbers; a DOCTYPE is refused before.
"""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path, PureWindowsPath
from typing import Any, BinaryIO
from xml.parsers import expat

from scripts.files import need

CHUNK = 2**20  # bytes of a plain file read at a time
LONGEST_ROW = (
    16 * 2**20
)  # bytes; Stack Exchange takes posts of 30,000 characters, which escapes make six times as long
MEMBER = "Posts.xml"
SEVEN_ZIP = b"7z\xbc\xaf\x27\x1c"
_TAIL = re.compile(rb"</posts>\s*\Z")
_ROOT = re.compile(rb"<posts[\s/>]")
_ENCODING = re.compile(rb"<\?xml[^>]*\bencoding=[\"']([^\"']*)[\"']")

Row = dict[str, str]
Sink = Callable[
    [bytes, int], None
]  # takes a piece of the XML, and how many bytes of the file were read so far


class Rows:
    """Cuts a stream of bytes into rows. `malformed` counts what is no row, `last` is the Id of the last good one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.malformed = 0
        self.last = ""
        self._rest = b""
        self._in_rows = False

    def feed(self, piece: bytes) -> Iterator[Row]:
        """The rows that a piece of the file completes.

        Raises:
            ValueError: "... declares a DOCTYPE ...", "... is no Posts.xml ...", "... no row ends within ..." for what is no dump.
        """
        buffer = self._rest + piece
        if not self._in_rows:
            start = buffer.find(b"<row")
            self._check_head(buffer if start < 0 else buffer[:start], start >= 0)
            self._in_rows, buffer = start >= 0, buffer[max(0, start) :]
        end = buffer.rfind(b"<row") if self._in_rows else 0
        self._rest = buffer[end:]
        if len(self._rest) > LONGEST_ROW:
            raise ValueError(
                f"{self.path}: no row ends within {LONGEST_ROW >> 20} MB: an XML bomb, or no dump"
            )
        yield from self._parse(buffer[:end])

    def close(self) -> Iterator[Row]:
        """The rows that were left when the file ended; `ends_early` says afterwards whether it has no end."""
        tail = _TAIL.search(self._rest)
        if not self._in_rows:
            self._check_head(self._rest, True)
        self.ends_early = tail is None and not re.search(rb"<posts\s*/>\s*\Z", self._rest)
        rest = self._rest[: tail.start()] if tail else self._rest
        if self._in_rows and rest.rstrip().endswith((b"/>", b"</row>")):
            yield from self._parse(rest)

    def _check_head(self, head: bytes, whole: bool) -> None:
        if b"<!DOCTYPE" in head or b"<!ENTITY" in head:
            raise ValueError(
                f"{self.path} declares a DOCTYPE or entities, which no dump does: refused"
            )
        if (found := _ENCODING.search(head)) and found[1].lower() not in (b"utf-8", b"utf8"):
            raise ValueError(
                f"{self.path} is in {found[1].decode('ascii', 'replace')}: dumps are in UTF-8; convert it with iconv"
            )
        if (whole or len(head) > CHUNK) and not _ROOT.search(head):
            raise ValueError(
                f"{self.path} is no {MEMBER} of a Stack Exchange dump: <posts> should stand at its beginning"
            )

    def _parse(self, xml: bytes) -> Iterator[Row]:
        """The rows of whole tags."""
        if not xml:
            return
        try:
            rows = _attributes(xml)
        except expat.ExpatError:
            rows = []
            for row in re.split(rb"(?=<row)", xml)[1:]:
                try:
                    rows += _attributes(row)
                except expat.ExpatError:
                    self.malformed += 1
        for attributes in rows:
            self.last = attributes.get("Id", self.last)
            yield attributes


def _attributes(xml: bytes) -> list[Row]:
    """The attributes of the rows of some XML, of which each is whole.

    Raises:
        ExpatError: where any is not well-formed, or not UTF-8.
    """
    found: list[Row] = []
    parser = expat.ParserCreate("utf-8")
    parser.StartElementHandler = lambda name, attributes: (
        found.append(attributes) if name == "row" else None
    )
    parser.Parse(b"<posts>", False)
    parser.Parse(xml, False)
    parser.Parse(b"</posts>", True)
    return found


def push(path: Path, sink: Sink, cap: int) -> None:
    """Push the bytes of a Posts.xml through a sink, out of a plain file or of a .7z.

    Args:
        path: the file.
        sink: takes the pieces; what it raises ends the reading.
        cap: bytes that may come out of an archive.

    Raises:
        ValueError: "... does not exist ...", "... is a folder ...", "... is neither XML nor 7z ...", and what `_unpack` raises.
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
        ValueError: "... does not exist ...", "... is a folder ...", "... is neither XML nor 7z ...".
    """
    if not path.exists():
        raise ValueError(
            f"{path} does not exist: give a Posts.xml or a site's .7z by vars.questions.dump (archive.org/details/stackexchange)"
        )
    if path.is_dir():
        raise ValueError(f"{path} is a folder: give the {MEMBER} in it")
    file = path.open("rb")
    head = file.peek(4096)
    if not head.startswith(SEVEN_ZIP) and not head.removeprefix(
        b"\xef\xbb\xbf"
    ).lstrip().startswith(b"<"):
        file.close()
        what = "is empty" if not head else "is neither XML nor 7z"
        raise ValueError(f"{path} {what}: give a {MEMBER} in UTF-8, or the .7z that it comes in")
    return file


def _unpack(path: Path, file: BinaryIO, sink: Sink, cap: int) -> None:
    """Push Posts.xml out of an archive. Nothing is written to disk. py7zr decodes a MB of the archive at a time: some MB of text, of a bomb
    128 MB.

    Raises:
        ValueError: "... is damaged or cut short ...", "... holds ...: refused ...", "... holds no Posts.xml ...", "... unpacks to ...".
    """
    py7zr = need("py7zr", "questions")
    refused: list[BaseException] = []

    class Writer(py7zr.io.Py7zIO):  # type: ignore[name-defined, misc]  # what py7zr calls with each piece
        def write(self, piece: bytes) -> int:
            try:
                for start in range(0, len(piece), CHUNK):
                    sink(bytes(piece[start : start + CHUNK]), file.tell())
            except BaseException as error:
                refused.append(error)
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

    try:
        with py7zr.SevenZipFile(file, max_extract_size=cap) as archive:
            _check_members(path, archive, cap)
            target = next(
                member.filename
                for member in archive.files
                if PureWindowsPath(member.filename).name == MEMBER
            )
            archive.extract(targets=[target], factory=Factory())
    except py7zr.exceptions.PasswordRequired:
        raise ValueError(f"{path} is encrypted: no Stack Exchange dump is") from None
    except py7zr.exceptions.DecompressionBombError:
        raise ValueError(
            f"{path} unpacks to more than {cap / 1e9:g} GB (vars.questions.cap_gb): a bomb, or a larger site"
        ) from None
    except Exception as error:  # lzma, struct, py7zr and the standard library each raise their own on damaged bytes
        if refused or isinstance(error, _Refused):
            raise
        raise ValueError(
            f"{path} is damaged or cut short ({type(error).__name__}): fetch or copy it again"
        ) from error


class _Refused(ValueError):
    """An archive that is whole, but is not unpacked."""


def _check_members(path: Path, archive: Any, cap: int) -> None:
    """See what an archive says of itself before anything is unpacked."""
    for member in archive.files:
        parts = PureWindowsPath(member.filename)
        reasons = {
            "it is absolute": parts.anchor,
            "it has '..' in it": ".." in parts.parts,
            "it is a link": member.is_symlink or member.is_junction,
        }
        for reason in filter(reasons.get, reasons):
            raise _Refused(
                f"{path} holds {member.filename}: refused, {reason}: no Stack Exchange dump has such a member"
            )
    names = [member.filename for member in archive.files]
    found = [name for name in names if PureWindowsPath(name).name == MEMBER]
    if len(found) != 1:
        what = f"holds no {MEMBER}" if not found else f"holds {len(found)} files called {MEMBER}"
        raise _Refused(
            f"{path} {what}: give a site's .7z (it holds {', '.join(names[:5]) or 'nothing'})"
        )
    size = sum(
        member.uncompressed
        for member in list(archive.files)[: names.index(found[0]) + 1]
        if not member.is_directory
    )
    if size > cap:
        raise _Refused(
            f"{path} unpacks to {size / 1e9:.3g} GB, more than {cap / 1e9:g} (vars.questions.cap_gb): a bomb, or a larger site"
        )


def size_of(path: Path) -> int:
    """Bytes of a dump's file, packed as it is."""
    with open_dump(path) as file:
        return os.fstat(file.fileno()).st_size
