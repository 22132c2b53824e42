"""Unpack a .bz2 file from any place in it, block by block: what lets several processes share one stream.

A bzip2 stream is a row of blocks of up to 900 kB of text. Each begins with the same 48 bits, at any bit of a byte, and can be unpacked
alone: so each process takes its own blocks, whether the file is one stream or many (a multistream dump). Format: Seward, bzip2 1.0.
"""

import bz2
from collections.abc import Iterator
from typing import BinaryIO

BLOCK = 0x314159265359  # what a block begins with: the digits of pi
END = 0x177245385090  # what a stream ends with, before a checksum: those of its root
MAGIC_BITS = 48
CRC_BITS = 32
TAIL_BITS = (
    2 * MAGIC_BITS + 2 * CRC_BITS
)  # in which the END before the next stream's first block lies
CHUNK = 2**20  # bytes read at a time
LONGEST_BLOCK = 2**20  # packed bytes: 900 kB that can't be packed grow by a hundredth
MOST_HELD = CHUNK + 4 * LONGEST_BLOCK  # bytes; in more of them without three blocks there is a hole


def find_magic(data: bytes, magic: int) -> list[int]:
    """The bits of some bytes at which given 48 bits begin, in order."""
    found = []
    for shift in range(8):
        inner = (magic >> shift & (1 << 40) - 1).to_bytes(
            5, "big"
        )  # the five bytes that the bits fill whole, wherever they begin
        at = data.find(inner, 1) - 1
        while at >= 0:
            around = int.from_bytes(data[at : at + 7].ljust(7, b"\0"), "big")
            if around >> 8 - shift & (1 << MAGIC_BITS) - 1 == magic and at + 6 + (shift > 0) <= len(
                data
            ):
                found.append(8 * at + shift)
            at = data.find(inner, at + 2) - 1
    return sorted(found)


def _bits(data: bytes, start: int, stop: int) -> int:
    """Some bits of some bytes, as a number."""
    number = int.from_bytes(data[start >> 3 : (stop + 7) >> 3], "big")
    return number >> (-stop & 7) & (1 << stop - start) - 1


def _unpack(data: bytes, start: int, stop: int) -> bytes | None:
    """What the block between two bits holds; None where it is damaged (its checksum says so)."""
    n_bits = stop - start + MAGIC_BITS + CRC_BITS
    if stop - start < MAGIC_BITS + CRC_BITS:
        return None
    block = _bits(data, start, stop)
    checksum = block >> stop - start - MAGIC_BITS - CRC_BITS & (1 << CRC_BITS) - 1
    stream = (
        block << MAGIC_BITS | END
    ) << CRC_BITS | checksum  # of one block: its checksum is the block's
    padding = -n_bits & 7
    unpacker = bz2.BZ2Decompressor()
    try:
        text = unpacker.decompress(
            b"BZh9" + (stream << padding).to_bytes((n_bits + padding) // 8, "big")
        )
    except (OSError, EOFError):
        return None
    return text if unpacker.eof else None


def _end_of_block(data: bytes, start: int, stop: int, last: bool) -> int | None:
    """The bit at which a block ends: that of the next one, or before it that of the end of its stream; None where the file ends in it."""
    from_byte = start >> 3 if last else max(start, stop - TAIL_BITS) >> 3
    ends = [8 * from_byte + bit for bit in find_magic(data[from_byte : (stop + 7) >> 3], END)]
    ends = [bit for bit in ends if start < bit <= stop - MAGIC_BITS]
    return ends[0] if ends else None if last else stop


def read_blocks(file: BinaryIO, start: int) -> Iterator[tuple[int, bytes | None]]:
    """Unpack the blocks that begin at or after a byte of a .bz2 file.

    Args:
        file: open at any place.
        start: the byte.

    Yields:
        the byte in which a block begins, and what it holds: at most 47 MB by the format, None where it is damaged or cut off.
    """
    file.seek(start)
    data, base = b"", start  # what is held of the file, and where that begins
    begins: list[int] = []  # of blocks, in bits of the file
    while chunk := file.read(CHUNK):
        seen = max(0, len(data) - MAGIC_BITS // 8)
        data += chunk
        new = [8 * (base + seen) + bit for bit in find_magic(data[seen:], BLOCK)]
        begins += [bit for bit in new if not begins or bit > begins[-1]]
        hole = len(data) > MOST_HELD
        while len(begins) > (1 if hole else 2):
            yield _first_block(data, base, begins)
        if hole:
            if begins:
                yield begins.pop() >> 3, None
            data, base = data[-MAGIC_BITS // 8 :], base + len(data) - MAGIC_BITS // 8
        elif begins and begins[0] >> 3 > base:
            data, base = data[(begins[0] >> 3) - base :], begins[0] >> 3
    while begins:
        yield _first_block(data, base, begins)


def _first_block(data: bytes, base: int, begins: list[int]) -> tuple[int, bytes | None]:
    """Unpack the first of the blocks that are held, and forget it.

    The bits that a block begins with may come up within one, once in 35 TB: then it ends only where the one after the next begins.
    """
    first, *others = begins
    del begins[0]
    for n, stop in enumerate(others[:2] or [8 * (base + len(data))]):
        end = _end_of_block(data, first - 8 * base, stop - 8 * base, last=not others)
        text = None if end is None else _unpack(data, first - 8 * base, end)
        if text is not None:
            del begins[:n]
            return first >> 3, text
    return first >> 3, None


def is_bz2(head: bytes) -> bool:
    """Whether a file begins as a .bz2 file does."""
    return head[:3] == b"BZh" and head[3:4].isdigit()
