"""Read word vectors of every common format as a stream of blocks: memory never holds a table."""

import gzip
import lzma
import pickle
import re
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from scripts.files import progress_bar

Floats2d = npt.NDArray[np.float32]
# words (UTF-8, unless they are damaged) and their vectors, (n_words, width)
Block = tuple[list[bytes], Floats2d]

CHUNK = 4 * 2**20  # bytes read at a time
HEAD = 2**20  # bytes in which the format is recognised
MAX_WORD = 10_000  # bytes: without a space among them, the file is not word2vec's
MAX_LINE = 16 * 2**20  # bytes
MAX_INFLATION = 1_032  # a byte of gzip (deflate) holds at most so many bytes
TEXT_SUFFIXES = (".txt", ".vec")
_HEADER = re.compile(rb"(\d+) +([1-9]\d*) *\r?\n")
_BAD_HEADER = re.compile(rb"[-+]?\d+ +[-+]?\d+ *\r?\n")
BOM = b"\xef\xbb\xbf"
FETCH_AGAIN = "fetch or copy it again"
DAMAGE = (
    EOFError,
    gzip.BadGzipFile,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    # zip files that are encrypted or packed in a way that Python does not know
    RuntimeError,
    NotImplementedError,
)


@dataclass
class Source:
    """An open file of word vectors."""

    width: int
    blocks: Iterator[Block]


@contextmanager
def open_source(path: Path, member: str = "") -> Iterator[Source]:
    """Open a file of word vectors; its content tells the format.

    Formats: word2vec .bin or .txt, GloVe .txt or .zip, fastText .vec (each gzipped or not), and
    gensim .kv.

    Args:
        path: the file.
        member: which file of a .zip; by default the largest.

    Raises:
        ValueError: "FILE does not exist ...", "FILE: empty ...", "FILE: not word vectors ...",
            "FILE: holds text ..." for a .bin with text in it, "FILE: its header promises ..." if
            the file is too small for its header. The blocks raise "FILE: ends early ...",
            "FILE:LINE: ..." for a row of another width, and "FILE: more rows than ...".
    """
    if path.is_dir():
        raise ValueError(f"{path} is a folder: give a file of vectors")
    if not path.exists():
        fetch = "python -m weasel run fetch . --vars.workflow vectors"
        raise ValueError(f"{path} does not exist: check the path, or download it ({fetch})")
    if path.suffix == ".kv":
        yield _open_gensim(path)
        return
    bar = progress_bar(f"read {path.name}", path.stat().st_size, "B")
    with bar, path.open("rb") as raw, _unpacked(path, raw, member) as (name, stream):
        yield _open_stream(_Reader(path, name, raw, stream, bar))


@contextmanager
def _unpacked(path: Path, raw: BinaryIO, member: str) -> Iterator[tuple[str, Any]]:
    """(name without .gz, stream of the content) of a file that may be packed."""
    if path.suffix == ".gz":
        with gzip.GzipFile(fileobj=raw) as stream:
            yield path.stem, stream
    elif path.suffix == ".zip":
        with _open_member(path, raw, member) as (name, stream):
            yield name, stream
    else:
        yield path.name, raw


@contextmanager
def _open_member(path: Path, raw: BinaryIO, member: str) -> Iterator[tuple[str, Any]]:
    """(name, stream) of a file in a .zip: the one that is asked for, or the largest."""
    try:
        archive = zipfile.ZipFile(raw)
    except zipfile.BadZipFile as error:
        problem = f"not a zip, or one that was cut short ({error})"
        raise ValueError(f"{path}: {problem}: {FETCH_AGAIN}") from error
    sizes = {info.filename: info.file_size for info in archive.infolist() if not info.is_dir()}
    name = member or max(sizes, key=lambda name: sizes[name], default="")
    if name not in sizes:
        raise ValueError(f"{path}: no file {name!r} in it: there is {', '.join(sizes) or 'none'}")
    try:
        stream = archive.open(name)
    except DAMAGE as error:
        raise ValueError(f"{path}: can't unpack {name} ({error}): {FETCH_AGAIN}") from error
    with stream:
        yield name, stream


class _Reader:
    """Reads an unpacked stream in chunks; damage becomes a ValueError, progress shows on a bar."""

    def __init__(self, path: Path, name: str, raw: BinaryIO, stream: Any, bar: Any) -> None:
        self.path, self.name, self._raw, self._stream, self._bar = path, name, raw, stream, bar
        self.packed = stream is not raw

    def read(self, size: int = CHUNK) -> bytes:
        try:
            chunk: bytes = self._stream.read(size)
        except DAMAGE as error:
            raise self.cut_short(str(error)) from error
        self._bar.update(self._raw.tell() - self._bar.n)
        return chunk

    def cut_short(self, reason: str) -> ValueError:
        return ValueError(f"{self.path}: ends early or is damaged ({reason}): {FETCH_AGAIN}")

    def too_few(self, promised: int, n_rows: int) -> ValueError:
        return self.cut_short(f"its header promises {promised:,} rows, {n_rows:,} are there")

    def too_many(self, promised: int, suspicion: str = "") -> ValueError:
        problem = f"more rows than the {promised:,} that its header promises{suspicion}"
        return ValueError(f"{self.path}: {problem}: {FETCH_AGAIN}")


@dataclass(frozen=True)
class _Layout:
    """What the head of a file says about it."""

    is_text: bool
    promised: int | None  # rows, by the header; None without a header
    width: int


def _open_stream(reader: _Reader) -> Source:
    head = reader.read(HEAD)
    if not head:
        raise ValueError(f"{reader.path}: empty: {FETCH_AGAIN}")
    head = head.removeprefix(BOM)
    header = _HEADER.match(head)
    rest = head[header.end() :] if header else head
    layout = _recognise(reader, head, header, rest)
    _check_name(reader, layout)
    if layout.promised is not None:
        _check_size(reader, layout.promised, layout)
    if layout.is_text:
        blocks = _text_blocks(reader, rest, layout.width, layout.promised)
    else:
        blocks = _binary_blocks(reader, rest, layout.width, layout.promised or 0)
    return Source(layout.width, blocks)


def _recognise(
    reader: _Reader, head: bytes, header: re.Match[bytes] | None, rest: bytes
) -> _Layout:
    """The format of a file, by its header and its first row."""
    fields = rest[: rest.find(b"\n") if b"\n" in rest else len(rest)].rstrip().split(b" ")
    promised, width = map(int, header.groups()) if header else (None, len(fields) - 1)
    is_text = 0 < width < len(fields) and _are_numbers(fields[-width:])
    if (not is_text and promised is None) or (not header and _BAD_HEADER.match(head)):
        member = f" in {reader.name} (another one can be named)"
        raise ValueError(
            f"{reader.path}: not word vectors{member if reader.path.suffix == '.zip' else ''}: "
            "the file should begin with a header (3000000 300), or with a word, a space and its "
            "numbers"
        )
    return _Layout(is_text, promised, width)


def _check_name(reader: _Reader, layout: _Layout) -> None:
    """Refuse a file whose name says text and whose content is binary, or the other way round."""
    path, binary = reader.path, "word2vec's binary format"
    if layout.is_text and reader.name.endswith(".bin"):
        raise ValueError(f"{path}: holds text, not {binary}: rename it to .txt")
    if not layout.is_text and reader.name.endswith(TEXT_SUFFIXES):
        rows = f"its rows are not a word and {layout.width} numbers each"
        raise ValueError(f"{path}: {rows}: if it is {binary}, rename it to .bin")


def _check_size(reader: _Reader, promised: int, layout: _Layout) -> None:
    """Refuse a file that is too small for the rows that its header promises."""
    row = 2 * layout.width + 2 if layout.is_text else 4 * layout.width + 2  # bytes, at least
    needed, size = promised * row, reader.path.stat().st_size
    # the last line break may be missing
    if needed - 1 > size * (MAX_INFLATION if reader.packed else 1):
        raise ValueError(
            f"{reader.path}: its header promises {promised:,} rows of width {layout.width}, "
            f"{needed:,} bytes or more, which a file of {size:,} bytes can't hold: {FETCH_AGAIN}"
        )


def _are_numbers(fields: list[bytes]) -> bool:
    try:
        for field in fields:
            float(field)
    except ValueError:
        return False
    # Python reads 1_000 as a number, numpy does not
    return not any(b"_" in field for field in fields)


def _binary_blocks(reader: _Reader, buffer: bytes, width: int, promised: int) -> Iterator[Block]:
    """word2vec's binary format: a word, a space, `width` little-endian floats, often a newline."""
    n_rows, start = 0, 0
    while n_rows < promised:
        words, rows, start = _parse_rows(buffer, start, width, promised - n_rows)
        n_rows += len(words)
        if words:
            yield words, np.frombuffer(b"".join(rows), "<f4").reshape(-1, width)
        if n_rows == promised:
            break
        if len(buffer) - start >= MAX_WORD and buffer.find(b" ", start, start + MAX_WORD) < 0:
            problem = f"row {n_rows + 1:,} has no word"
            raise ValueError(
                f"{reader.path}: {problem}: not word2vec's binary format, or damaged: {FETCH_AGAIN}"
            )
        if not (chunk := reader.read()):
            raise reader.too_few(promised, n_rows)
        buffer, start = buffer[start:] + chunk, 0
    if (buffer[start:] + reader.read()).strip(b"\r\n"):
        raise reader.too_many(promised, ", or another width")


def _parse_rows(
    buffer: bytes, start: int, width: int, max_rows: int
) -> tuple[list[bytes], list[memoryview], int]:
    """The words and the bytes of the complete rows from a position on, and where they end."""
    words: list[bytes] = []
    rows: list[memoryview] = []
    view = memoryview(buffer)
    while len(words) < max_rows:
        space = buffer.find(b" ", start, start + MAX_WORD)
        end = space + 1 + 4 * width
        if space < 0 or end > len(buffer):
            break
        words.append(buffer[start:space].lstrip(b"\r\n"))
        rows.append(view[space + 1 : end])
        start = end
    return words, rows, start


def _text_blocks(reader: _Reader, rest: bytes, width: int, promised: int | None) -> Iterator[Block]:
    """Lines of a word and `width` numbers.

    Words of GloVe may have spaces in them; lines of fastText end with a space.
    """
    n_rows, number, more = 0, 1 if promised is None else 2, True
    while more:
        chunk = reader.read()
        more = bool(chunk)
        *lines, rest = (rest + chunk).split(b"\n")
        lines += [] if more else [rest]
        if len(rest) > MAX_LINE:
            place = f"{reader.path}:{number + len(lines)}"
            raise ValueError(f"{place}: a line of more than {MAX_LINE:,} bytes: not word vectors")
        block = _parse_lines(reader.path, lines, number, width)
        number += len(lines)
        n_rows += len(block[0])
        if promised is not None and n_rows > promised:
            raise reader.too_many(promised)
        if block[0]:
            yield block
    if promised is not None and n_rows < promised:
        raise reader.too_few(promised, n_rows)


def _parse_lines(path: Path, lines: list[bytes], number: int, width: int) -> Block:
    """Words and vectors, (n_lines, width), of lines; the first is line `number` of the file."""
    words, numbers = [], []
    for offset, line in enumerate(lines):
        if line := line.rstrip():
            word, _, tail = line.partition(b" ")
            if tail.count(b" ") != width - 1:
                word, tail = _split_line(line, width, f"{path}:{number + offset}")
            words.append(word)
            numbers.append(tail)
    flat = np.empty(0, "f4")
    # where something is not a number, numpy stops, or raises from 2.4 on: the count below shows it
    with warnings.catch_warnings(), suppress(ValueError):
        warnings.simplefilter("ignore", DeprecationWarning)
        flat = np.fromstring(b" ".join(numbers), np.float32, sep=" ")
    if len(flat) != len(words) * width:
        place = f"{path}:{number + _first_bad(lines, width)}"
        raise ValueError(
            f"{place}: something that is not a number among the {width} after the word"
        )
    return words, flat.reshape(-1, width)


def _split_line(line: bytes, width: int, place: str) -> tuple[bytes, bytes]:
    """The word and the numbers of a line whose word may have spaces; `place` is for the error."""
    word, *fields = line.rsplit(b" ", width)
    # a word may have spaces, but does not end with a number
    too_many = b" " in word and _are_numbers(word.split(b" ")[-1:])
    if len(fields) != width or not _are_numbers(fields) or too_many:
        count = len(line.split()) - 1
        raise ValueError(f"{place}: {count} numbers after the word, but the first row has {width}")
    return word, b" ".join(fields)


def _first_bad(lines: list[bytes], width: int) -> int:
    """The position of the first line that has something else than numbers after its word."""
    for position, line in enumerate(lines):
        if line.strip() and not _are_numbers(line.rstrip().rsplit(b" ", width)[1:]):
            return position
    return 0


class _KeyedVectorsUnpickler(pickle.Unpickler):
    """Unpickles the parts of gensim's KeyedVectors alone: a pickle could run any code."""

    SAFE = frozenset(
        {
            ("builtins", "object"),
            ("collections", "defaultdict"),
            ("copyreg", "_reconstructor"),
            ("_codecs", "encode"),
        }
    )
    SAFE_NUMPY = frozenset({"_reconstruct", "ndarray", "dtype", "scalar", "_frombuffer"})

    def find_class(self, module: str, name: str) -> Any:
        if module == "gensim.models.keyedvectors":
            return _Attributes
        if module == "gensim.models.fasttext":
            raise pickle.UnpicklingError("FastText keeps no table of whole words in it")
        is_numpy = module.split(".")[0] == "numpy" and name in self.SAFE_NUMPY
        if (module, name) in self.SAFE or is_numpy:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} has no place in word vectors")


class _Attributes:
    """Stands in for gensim's classes, of which only the attributes are needed."""


def _open_gensim(path: Path) -> Source:
    """gensim's KeyedVectors: a pickle, next to FILE.vectors.npy if the table is large."""
    try:
        words, table = _read_gensim(path)
    # a damaged pickle can raise anything
    except Exception as error:
        remedy = "save it again by model.wv.save or model.wv.save_word2vec_format"
        raise ValueError(
            f"{path}: not gensim's KeyedVectors, or damaged ({error}): {remedy}"
        ) from error
    return Source(table.shape[1], _gensim_blocks(words, table))


def _read_gensim(path: Path) -> tuple[list[str], Floats2d]:
    """The words and the table, (n_words, width), of gensim's KeyedVectors."""
    with path.open("rb") as file:
        attributes = vars(_KeyedVectorsUnpickler(file).load())
    words, table = attributes["index_to_key"], attributes.get("vectors")
    if table is None:
        table = np.load(f"{path}.vectors.npy", mmap_mode="r")
    fits = table.ndim == 2 and len(table) == len(words)
    if not fits or not all(isinstance(word, str) for word in words):
        raise ValueError(f"{len(words):,} words, a table of {table.shape}")
    return words, table


def _gensim_blocks(words: list[str], table: Floats2d) -> Iterator[Block]:
    step = max(1, CHUNK // (4 * table.shape[1]))
    for start in range(0, len(words), step):
        encoded = [word.encode("utf8", "surrogatepass") for word in words[start : start + step]]
        yield encoded, np.asarray(table[start : start + step], "f4")
