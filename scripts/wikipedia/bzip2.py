"""Unpack a .bz2 file from any place in it, block by block, so that several processes can share it.

A bzip2 stream is a row of blocks of up to 900 kB of text. Each block begins with the same 48 bits,
at any bit of a byte, and can be unpacked alone. So each process takes its own blocks, whether the
file is one stream or many (a multistream dump). Format: Seward, bzip2 1.0.
"""

import bz2
from collections.abc import Iterator
from typing import BinaryIO

BLOCK = 0x314159265359  # the bits that a block begins with: the digits of pi
END = 0x177245385090  # the bits that end a stream, before its checksum: the square root of pi
MAGIC_BITS = 48
MAGIC_BYTES = MAGIC_BITS // 8
CRC_BITS = 32
# The end of a stream lies at most this many bits before the first block of the next stream.
TAIL_BITS = 2 * MAGIC_BITS + 2 * CRC_BITS
READ_BYTES = 2**20  # read at a time
MAX_BLOCK_BYTES = 2**20  # packed: 900 kB that cannot be compressed grow by a hundredth
MAX_BUFFER_BYTES = READ_BYTES + 4 * MAX_BLOCK_BYTES  # with fewer than three blocks: a hole

Block = tuple[int, bytes | None]  # byte in which a block begins; its text, None where damaged


def find_magic(data: bytes, magic: int) -> list[int]:
    """The bits of `data` at which the 48 bits of `magic` begin, in order."""
    bits: list[int] = []
    for shift in range(8):
        bits += _find_shifted(data, magic, shift)
    return sorted(bits)


def _find_shifted(data: bytes, magic: int, shift: int) -> Iterator[int]:
    """The bits of `data` at which `magic` begins, where these are `shift` bits into a byte."""
    # Whatever the shift, `magic` fills five whole bytes: bytes.find is fast.
    inner = (magic >> shift & (1 << 40) - 1).to_bytes(5, "big")
    n_bytes = MAGIC_BYTES + (shift > 0)
    at = data.find(inner, 1) - 1
    while at >= 0:
        around = int.from_bytes(data[at : at + 7].ljust(7, b"\0"), "big")
        if around >> 8 - shift & (1 << MAGIC_BITS) - 1 == magic and at + n_bytes <= len(data):
            yield 8 * at + shift
        at = data.find(inner, at + 2) - 1


def _bits(data: bytes, start: int, stop: int) -> int:
    """The bits of `data` from `start` to `stop`, as a number."""
    number = int.from_bytes(data[start >> 3 : (stop + 7) >> 3], "big")
    return number >> (-stop & 7) & (1 << stop - start) - 1


def _unpack(data: bytes, start: int, stop: int) -> bytes | None:
    """The text of the block between two bits; None where it is damaged (its checksum says so)."""
    n_bits = stop - start + MAGIC_BITS + CRC_BITS
    if stop - start < MAGIC_BITS + CRC_BITS:
        return None
    block = _bits(data, start, stop)
    checksum = block >> stop - start - MAGIC_BITS - CRC_BITS & (1 << CRC_BITS) - 1
    # A stream of one block: its checksum is that of the block.
    stream = (block << MAGIC_BITS | END) << CRC_BITS | checksum
    padding = -n_bits & 7
    packed = (stream << padding).to_bytes((n_bits + padding) // 8, "big")
    unpacker = bz2.BZ2Decompressor()
    try:
        text = unpacker.decompress(b"BZh9" + packed)
    except (OSError, EOFError):
        return None
    return text if unpacker.eof else None


def _end_of_block(data: bytes, start: int, stop: int, last: bool) -> int | None:
    """The bit at which a block ends.

    Args:
        data: bytes that hold the block.
        start: the bit at which it begins.
        stop: the bit at which the next block begins, or at which the data ends.
        last: whether no block follows.

    Returns:
        The end of its stream if that lies before `stop`, else `stop`; None for a last block whose
        stream has no end.
    """
    from_byte = start >> 3 if last else max(start, stop - TAIL_BITS) >> 3
    for bit in find_magic(data[from_byte : (stop + 7) >> 3], END):
        if start < 8 * from_byte + bit <= stop - MAGIC_BITS:
            return 8 * from_byte + bit
    return None if last else stop


class _Buffer:
    """The bytes of a file whose blocks are not unpacked yet.

    Attributes:
        data: the bytes.
        start: the byte of the file at which they begin.
        blocks: the bits of the file at which blocks begin, ascending.
    """

    def __init__(self, start: int) -> None:
        self.data, self.start = b"", start
        self.blocks: list[int] = []

    def append(self, chunk: bytes) -> None:
        """Take the next bytes of the file, and look for blocks that begin in them."""
        searched = max(0, len(self.data) - MAGIC_BYTES)
        self.data += chunk
        first_bit = 8 * (self.start + searched)
        last = self.blocks[-1] if self.blocks else -1
        begins = [first_bit + bit for bit in find_magic(self.data[searched:], BLOCK)]
        self.blocks += [bit for bit in begins if bit > last]

    def pop(self) -> Block:
        """Unpack the first block, and forget it.

        The bits that a block begins with may come up within one, once in 35 TB. Such a block is
        damaged up to there, and whole up to the beginning after that one.
        """
        first, *others = self.blocks
        del self.blocks[0]
        first_bit = first - 8 * self.start
        for n, stop in enumerate(others[:2] or [8 * (self.start + len(self.data))]):
            end = _end_of_block(self.data, first_bit, stop - 8 * self.start, last=not others)
            text = None if end is None else _unpack(self.data, first_bit, end)
            if text is not None:
                del self.blocks[:n]
                return first >> 3, text
        return first >> 3, None

    def drop_unpacked(self) -> None:
        """Forget the bytes before the first block that is left."""
        if self.blocks and self.blocks[0] >> 3 > self.start:
            self.data = self.data[(self.blocks[0] >> 3) - self.start :]
            self.start = self.blocks[0] >> 3

    def drop_hole(self) -> Iterator[Block]:
        """Forget all but the last bytes, in which a block may begin; yields the damaged block."""
        if self.blocks:
            yield self.blocks.pop() >> 3, None
        self.start += len(self.data) - MAGIC_BYTES
        self.data = self.data[-MAGIC_BYTES:]


def read_blocks(file: BinaryIO, start: int) -> Iterator[Block]:
    """Unpack the blocks that begin at or after a byte of a .bz2 file.

    Args:
        file: open, at any position.
        start: the byte.

    Yields:
        The byte in which a block begins, and its text: at most 47 MB by the format, None where the
        block is damaged or cut off.
    """
    file.seek(start)
    buffer = _Buffer(start)
    while chunk := file.read(READ_BYTES):
        buffer.append(chunk)
        hole = len(buffer.data) > MAX_BUFFER_BYTES
        while len(buffer.blocks) > (1 if hole else 2):
            yield buffer.pop()
        if hole:
            yield from buffer.drop_hole()
        else:
            buffer.drop_unpacked()
    while buffer.blocks:
        yield buffer.pop()


def is_bz2(head: bytes) -> bool:
    """Whether a file begins as a .bz2 file does."""
    return head[:3] == b"BZh" and head[3:4].isdigit()
