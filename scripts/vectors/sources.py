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
Block = tuple[
    list[bytes], Floats2d
]  # words (UTF-8, if all is well) and their vectors, (n_words, width)

CHUNK = 4 * 2**20  # bytes read at a time
HEAD = 2**20  # bytes looked at to tell one format from another
LONGEST_WORD = 10_000  # bytes; no space within them, and this is no word2vec file
LONGEST_LINE = 16 * 2**20  # bytes
MOST_INFLATION = 1_032  # no byte of gzip (deflate) holds more
TEXT_SUFFIXES = (".txt", ".vec")
_HEADER = re.compile(rb"(\d+) +([1-9]\d*) *\r?\n")
_NO_HEADER = re.compile(rb"[-+]?\d+ +[-+]?\d+ *\r?\n")
BOM = b"\xef\xbb\xbf"
# RuntimeError and NotImplementedError: zip files that are encrypted or packed in a way that Python does not know
DAMAGE = (
    EOFError,
    gzip.BadGzipFile,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
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
    """Open word2vec .bin or .txt, GloVe .txt or .zip, fastText .vec (each gzipped or not), or gensim .kv; the content says which it is.

    Args:
        path: the file.
        member: which file of a .zip; without it the largest.

    Raises:
        ValueError: "FILE does not exist ...", "FILE: empty ...", "FILE: no word vectors ...", "FILE: holds text ..." for a .bin with text
            in it, "FILE: its header promises ..." where the file is too small for its header. The blocks raise "FILE: ends early ...",
            "FILE:LINE: ..." for a row of another width, and "FILE: more rows than ...".
    """
    if path.is_dir():
        raise ValueError(f"{path} is a folder: give a file of vectors")
    if not path.exists():
        raise ValueError(
            f"{path} does not exist: check the path, or download it (python -m weasel run fetch . --vars.workflow vectors)"
        )
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
        try:
            archive = zipfile.ZipFile(raw)
        except zipfile.BadZipFile as error:
            raise ValueError(
                f"{path}: not a zip, or one that was cut short ({error}): fetch or copy it again"
            ) from error
        files = {info.filename: info.file_size for info in archive.infolist() if not info.is_dir()}
        name = member or max(files, key=lambda name: files[name], default="")
        if name not in files:
            raise ValueError(
                f"{path}: no file {name!r} in it: there is {', '.join(files) or 'none'}"
            )
        try:
            unpacked = archive.open(name)
        except DAMAGE as error:
            raise ValueError(f"{path}: can't unpack {name} ({error})") from error
        with unpacked:
            yield name, unpacked
    else:
        yield path.name, raw


class _Reader:
    """Chunks of an unpacked stream, with damage turned into one ValueError and the progress on a bar."""

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

    def cut_short(self, why: str) -> ValueError:
        return ValueError(f"{self.path}: ends early or is damaged ({why}): fetch or copy it again")


def _open_stream(reader: _Reader) -> Source:
    path, head = reader.path, reader.read(HEAD)
    if not head:
        raise ValueError(f"{path}: empty: fetch or copy it again")
    head = head.removeprefix(BOM)
    header = _HEADER.match(head)
    start = header.end() if header else 0
    first = head[start : head.find(b"\n", start) if b"\n" in head[start:] else len(head)]
    fields = first.rstrip().split(b" ")
    promised, width = map(int, header.groups()) if header else (None, len(fields) - 1)
    is_text = _are_numbers(fields[-width:]) if 0 < width < len(fields) else False
    if (not is_text and promised is None) or (not header and _NO_HEADER.match(head)):
        inside = (
            f" in {reader.name} (vars.vectors.member names another)"
            if path.suffix == ".zip"
            else ""
        )
        raise ValueError(
            f"{path}: no word vectors{inside}: it should begin with a header (3000000 300), or with a word, a space and its numbers"
        )
    if is_text and reader.name.endswith(".bin"):
        raise ValueError(f"{path}: holds text, not word2vec's binary format: rename it to .txt")
    if not is_text and reader.name.endswith(TEXT_SUFFIXES):
        raise ValueError(
            f"{path}: its rows are not a word and {width} numbers each: if it is word2vec's binary format, rename it to .bin"
        )
    if promised is not None:
        least = promised * (
            2 * width + 2 if is_text else 4 * width + 2
        )  # bytes: a letter, and what a number takes at least
        size = path.stat().st_size * (MOST_INFLATION if reader.packed else 1)
        if least - 1 > size:  # the last line break may be missing
            raise ValueError(
                f"{path}: its header promises {promised:,} rows of width {width}, {least:,} bytes or more, "
                f"which a file of {path.stat().st_size:,} bytes can't hold: fetch or copy it again"
            )
    rows = _text_blocks if is_text else _binary_blocks
    return Source(width, rows(reader, head[start:], width, promised))


def _are_numbers(fields: list[bytes]) -> bool:
    try:
        for field in fields:
            float(field)
    except ValueError:
        return False
    return not any(
        b"_" in field for field in fields
    )  # Python reads 1_000 as a number, numpy does not


def _binary_blocks(
    reader: _Reader, buffer: bytes, width: int, promised: int | None
) -> Iterator[Block]:
    """word2vec's binary format: each row a word, a space, `width` little-endian floats, and in most files a line break."""
    assert promised is not None
    size, done, at = 4 * width, 0, 0
    words: list[bytes] = []
    rows: list[memoryview] = []
    view = memoryview(buffer)
    while done < promised:
        space = buffer.find(b" ", at, at + LONGEST_WORD)
        end = space + 1 + size
        if space >= 0 and end <= len(buffer):
            words.append(buffer[at:space].lstrip(b"\r\n"))
            rows.append(view[space + 1 : end])
            at, done = end, done + 1
            continue
        if space < 0 and len(buffer) - at >= LONGEST_WORD:
            raise ValueError(
                f"{reader.path}: row {done + 1:,} has no word: not word2vec's binary format, or damaged"
            )
        if words:
            yield words, np.frombuffer(b"".join(rows), "<f4").reshape(-1, width)
            words, rows = [], []
        if not (chunk := reader.read()):
            raise reader.cut_short(f"its header promises {promised:,} rows, {done:,} are there")
        buffer, at = buffer[at:] + chunk, 0
        view = memoryview(buffer)
    if words:
        yield words, np.frombuffer(b"".join(rows), "<f4").reshape(-1, width)
    if (buffer[at:] + reader.read()).strip(b"\r\n"):
        raise ValueError(
            f"{reader.path}: more rows than the {promised:,} that its header promises, or another width: fetch or copy it again"
        )


def _text_blocks(reader: _Reader, rest: bytes, width: int, promised: int | None) -> Iterator[Block]:
    """A word and `width` numbers a line. GloVe has words with spaces in them, fastText a space at the end."""
    done, number, more = 0, 1 if promised is None else 2, True
    while more:
        chunk = reader.read()
        more = bool(chunk)
        *lines, rest = (rest + chunk).split(b"\n")
        lines += [] if more else [rest]
        if len(rest) > LONGEST_LINE:
            raise ValueError(
                f"{reader.path}:{number + len(lines)}: a line of more than {LONGEST_LINE:,} bytes: no word vectors"
            )
        block = _parse(reader.path, lines, number, width)
        number += len(lines)
        done += len(block[0])
        if promised is not None and done > promised:
            raise ValueError(
                f"{reader.path}: more rows than the {promised:,} that its header promises: fetch or copy it again"
            )
        if block[0]:
            yield block
    if promised is not None and done < promised:
        raise reader.cut_short(f"its header promises {promised:,} rows, {done:,} are there")


def _parse(path: Path, lines: list[bytes], number: int, width: int) -> Block:
    """Words and vectors, (n_lines, width), of lines, the first of which is the line `number` of the file."""
    words, numbers = [], []
    for offset, line in enumerate(lines):
        line = line.rstrip()
        if not line:
            continue
        word, _, tail = line.partition(b" ")
        if tail.count(b" ") != width - 1:
            word, *fields = line.rsplit(b" ", width)
            too_many = b" " in word and _are_numbers(
                word.split(b" ")[-1:]
            )  # a word may have spaces, but its end is no number
            if len(fields) != width or not _are_numbers(fields) or too_many:
                found = len(line.split()) - 1
                raise ValueError(
                    f"{path}:{number + offset}: {found} numbers after the word, but the first row has {width}"
                )
            tail = b" ".join(fields)
        words.append(word)
        numbers.append(tail)
    flat = np.empty(0, "f4")
    with (
        warnings.catch_warnings(),
        suppress(ValueError),
    ):  # at what is no number numpy stops, or raises from 2.4 on: the count below tells
        warnings.simplefilter("ignore", DeprecationWarning)
        flat = np.fromstring(b" ".join(numbers), np.float32, sep=" ")
    if len(flat) != len(words) * width:
        wrong = (
            offset
            for offset, line in enumerate(lines)
            if line.strip() and not _are_numbers(line.rstrip().rsplit(b" ", width)[1:])
        )
        bad = next(wrong, 0)
        raise ValueError(
            f"{path}:{number + bad}: something that is no number among the {width} after the word"
        )
    return words, flat.reshape(-1, width)


class _KeyedVectorsUnpickler(pickle.Unpickler):
    """Unpickles what gensim's KeyedVectors hold and nothing else: a pickle could run any code."""

    SAFE = frozenset(
        {
            ("builtins", "object"),
            ("collections", "defaultdict"),
            ("copyreg", "_reconstructor"),
            ("_codecs", "encode"),
        }
    )

    def find_class(self, module: str, name: str) -> Any:
        if module == "gensim.models.keyedvectors":
            return _Plain
        if module == "gensim.models.fasttext":
            raise pickle.UnpicklingError("FastText keeps no table of whole words in it")
        if (module, name) in self.SAFE or (
            module.split(".")[0] == "numpy"
            and name in {"_reconstruct", "ndarray", "dtype", "scalar", "_frombuffer"}
        ):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} has no place in word vectors")


class _Plain:
    """Stands for gensim's classes: its attributes are all that is needed."""


def _open_gensim(path: Path) -> Source:
    """gensim's KeyedVectors: a pickle, beside it FILE.vectors.npy where the table is large."""
    try:
        with path.open("rb") as file:
            found = vars(_KeyedVectorsUnpickler(file).load())
        words: list[str] = found["index_to_key"]
        table = found.get("vectors")
        if table is None:
            table = np.load(f"{path}.vectors.npy", mmap_mode="r")
        if (
            table.ndim != 2
            or table.shape[0] != len(words)
            or not all(isinstance(word, str) for word in words)
        ):
            raise ValueError(f"{len(words):,} words, a table of {table.shape}")
    except Exception as error:  # a damaged pickle can raise anything
        raise ValueError(
            f"{path}: not gensim's KeyedVectors, or damaged ({error}): save it again by model.wv.save or model.wv.save_word2vec_format"
        ) from error
    step = max(1, CHUNK // (4 * table.shape[1]))
    starts = range(0, len(words), step)
    blocks = (
        (
            [word.encode("utf8", "surrogatepass") for word in words[at : at + step]],
            np.asarray(table[at : at + step], "f4"),
        )
        for at in starts
    )
    return Source(table.shape[1], blocks)
