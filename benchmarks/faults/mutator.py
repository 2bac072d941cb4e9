"""Damage to files as it happens to them, and as somebody would do it on purpose: seeded, so that it can be repeated."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable

_PNG = b"\x89PNG\r\n\x1a\n"
_ODD = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_WIDTHS = {1: "B", 2: "H", 4: "I", 8: "Q"}
_HEAD = 512  # where formats keep sizes and offsets: half of the damage goes there
_LONGEST = 4 << 20  # no file grows beyond this

Operation = Callable[[bytearray, random.Random, bytes], None]


def mutate(data: bytes, rng: random.Random, other: bytes, tokens: tuple[bytes, ...] = ()) -> bytes:
    """`data` with one to a dozen faults. other: another file, for splices; tokens: what means something in the format.

    Half of the damaged PNGs get right checksums again: else a reader would see nothing beyond the first of them.
    """
    damaged = bytearray(data)
    operations = [*OPERATIONS, _token] if tokens else list(OPERATIONS)
    for _ in range(min(1 + int(rng.expovariate(0.7)), 12)):
        operation = rng.choice(operations)
        operation(damaged, rng, rng.choice(tokens) if operation is _token else other)
    if damaged.startswith(_PNG) and rng.random() < 0.5:
        damaged = _with_checksums(damaged)
    return bytes(damaged[:_LONGEST])


def _place(data: bytearray, rng: random.Random) -> int:
    return rng.randrange(min(len(data), _HEAD) if rng.random() < 0.5 else len(data)) if data else 0


def _run(data: bytearray, rng: random.Random) -> slice:
    """A stretch from one byte to a quarter of the file, mostly short."""
    start = _place(data, rng)
    return slice(start, start + int(max(1, len(data) // 4) ** rng.random()))


def flip(data: bytearray, rng: random.Random, other: bytes) -> None:
    """Bits that are wrong."""
    for _ in range(rng.choice((1, 1, 2, 4, 16)) if data else 0):
        data[_place(data, rng)] ^= 1 << rng.randrange(8)


def truncate(data: bytearray, rng: random.Random, other: bytes) -> None:
    """The file ends too early: anywhere, or by a few bytes."""
    left = rng.randrange(len(data) + 1) if rng.random() < 0.5 else len(data) - rng.randrange(64)
    del data[max(left, 0) :]


def blank(data: bytearray, rng: random.Random, other: bytes) -> None:
    """A stretch of zeros or ones: a block that the disk has lost."""
    place = _run(data, rng)
    data[place] = rng.choice((b"\0", b"\0", b"\xff")) * len(data[place])


def noise(data: bytearray, rng: random.Random, other: bytes) -> None:
    """A stretch of other bytes."""
    place = _run(data, rng)
    data[place] = rng.randbytes(len(data[place]))


def insert(data: bytearray, rng: random.Random, other: bytes) -> None:
    """Bytes too many: random ones, or a stretch of the file once more, up to a hundred times."""
    place = _run(data, rng)
    added = rng.randbytes(rng.randrange(1, 64)) if rng.random() < 0.5 else bytes(data[place])
    at = _place(data, rng)
    data[at:at] = added * (rng.choice((1, 1, 2, 100)) if len(added) * 100 < _LONGEST else 1)


def delete(data: bytearray, rng: random.Random, other: bytes) -> None:
    """Bytes too few."""
    del data[_run(data, rng)]


def splice(data: bytearray, rng: random.Random, other: bytes) -> None:
    """The start of one file with the end of another, or a stretch of the other in its midst."""
    if not other:
        return
    start = rng.randrange(len(other))
    if rng.random() < 0.5:
        data[_place(data, rng) :] = other[start:]
    else:
        at = _place(data, rng)
        part = other[start : start + rng.randrange(1, 256)]
        data[at : at + len(part)] = part


def edit_number(data: bytearray, rng: random.Random, other: bytes) -> None:
    """A length, a count or an offset that is off by one, doubled, huge or nothing."""
    size = rng.choice(tuple(_WIDTHS))
    form = rng.choice("<>") + _WIDTHS[size]
    at = _place(data, rng)
    if at + size > len(data):
        return
    (old,) = struct.unpack_from(form, data, at)
    new = rng.choice((old + 1, old - 1, 2 * old, old // 2, len(data), *_ODD))
    struct.pack_into(form, data, at, new % (1 << 8 * size))


def _token(data: bytearray, rng: random.Random, token: bytes) -> None:
    at = _place(data, rng)
    data[at:at] = token * rng.choice((1, 1, 1, 3, 1000))


OPERATIONS: tuple[Operation, ...] = (
    flip, flip, truncate, blank, noise, insert, delete, splice, edit_number, edit_number, edit_number,
)  # fmt: skip


def _with_checksums(data: bytearray) -> bytearray:
    """A PNG whose chunks have their right checksums, as far as chunks can be followed."""
    fixed, at = bytearray(data), len(_PNG)
    while at + 12 <= len(fixed):
        (length,) = struct.unpack_from(">I", fixed, at)
        end = at + 8 + length
        if end + 4 > len(fixed):
            break
        struct.pack_into(">I", fixed, end, zlib.crc32(fixed[at + 4 : end]))
        at = end + 4
    return fixed
