"""The wire format of protocol buffers, as far as records need it: fields by number, packed numbers, lengths."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_LONGEST = 10  # bytes of a varint of 64 bits
_MOST = 1 << 20  # whole numbers in one list: labels of a sample, not data


class Malformed(Exception):
    """Bytes that are no message; `offset` counts from the start of the buffer."""

    def __init__(self, offset: int, what: str) -> None:
        super().__init__(f"{what} (byte {offset} of the record)")
        self.offset = offset


class Ended(Malformed):
    """The buffer ends within a field."""


Value = int | tuple[int, int]
"""A varint or the bits of a fixed-width number; of what has a length, where it begins and ends."""


def fields(buffer: bytes, start: int, stop: int) -> Iterator[tuple[int, int, Value]]:
    """(number, wire type, value) of each field of the message in `buffer[start:stop]`. Raises Malformed.

    The buffer may be the beginning of a message only; Ended is raised when a field is to be read that is not in it.
    """
    at, there = start, min(stop, len(buffer))
    while at < stop:
        begin = at
        # Nearly all numbers are of one byte, and a call for each would be most of the time.
        if at < there and buffer[at] < 0x80:
            tag, at = buffer[at], at + 1
        else:
            tag, at = varint(buffer, at, there)
        number, wire = tag >> 3, tag & 7
        if not number:
            raise Malformed(begin, "a field without a number")
        if wire == BYTES:
            if at < there and buffer[at] < 0x80:
                length, at = buffer[at], at + 1
            else:
                length, at = varint(buffer, at, there)
            if at + length > stop:
                raise Ended(begin, f"a field of {length} bytes, but {stop - at} are left")
            yield number, wire, (at, at + length)
            at += length
        elif wire == VARINT:
            value, at = varint(buffer, at, there)
            yield number, wire, value
        elif wire in (FIXED64, FIXED32):
            width = 8 if wire == FIXED64 else 4
            if at + width > stop:
                raise Ended(begin, "the message ends within a number")
            yield number, wire, int.from_bytes(buffer[at : at + width], "little")
            at += width
        else:
            raise Malformed(begin, f"wire type {wire}, which there is not")


def varint(buffer: bytes, at: int, stop: int) -> tuple[int, int]:
    """A number of 64 bits without sign, and where it ends; `stop` lies within the buffer. Raises Malformed."""
    result = shift = 0
    for place in range(at, min(at + _LONGEST, stop)):
        byte = buffer[place]
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result & 0xFFFFFFFFFFFFFFFF, place + 1
        shift += 7
    if stop - at < _LONGEST:
        raise Ended(at, "the message ends within a number")
    raise Malformed(at, "a number of more than 64 bits")


def signed(value: int) -> int:
    """A number of 64 bits as it is with a sign."""
    return value - (1 << 64) if value >> 63 else value


def integers(buffer: bytes, start: int, stop: int) -> list[int]:
    """An Int64List: numbers packed or one by one. Raises Malformed."""
    found: list[int] = []
    for number, wire, value in fields(buffer, start, stop):
        if number != 1:
            continue
        if isinstance(value, int) and wire == VARINT:
            found.append(signed(value))
            if len(found) > _MOST:
                raise Malformed(start, "too many integers")
        elif isinstance(value, tuple):
            at, end = value
            if end - at > _MOST:
                raise Malformed(at, "too many integers")
            while at < end:
                one, at = varint(buffer, at, end)
                found.append(signed(one))
        else:
            raise Malformed(start, "an integer of another type")
    return found


def floats(buffer: bytes, start: int, stop: int) -> NDArray[np.float32]:
    """A FloatList: numbers packed or one by one, float32 [n], a view of the buffer if it can be. Raises Malformed."""
    parts: list[NDArray[np.float32]] = []
    for number, wire, value in fields(buffer, start, stop):
        if number != 1:
            continue
        if isinstance(value, tuple):
            at, end = value
            if (end - at) % 4:
                raise Malformed(at, f"floats in {end - at} bytes")
            parts.append(np.frombuffer(buffer, "<f4", (end - at) // 4, at))
        elif wire == FIXED32:
            parts.append(np.frombuffer(struct.pack("<I", value), "<f4"))
        else:
            raise Malformed(start, "a float of another type")
    return parts[0] if len(parts) == 1 else np.concatenate([np.empty(0, np.float32), *parts])


def strings(buffer: bytes, start: int, stop: int) -> list[tuple[int, int]]:
    """A BytesList: where each of its values begins and ends. Raises Malformed."""
    found: list[tuple[int, int]] = []
    for number, _wire, value in fields(buffer, start, stop):
        if number == 1:
            if isinstance(value, int):
                raise Malformed(start, "bytes of another type")
            found.append(value)
    return found


def number(value: int) -> bytes:
    """A varint; below zero as 64 bits."""
    value &= 0xFFFFFFFFFFFFFFFF
    result = bytearray()
    while value >= 0x80:
        result.append(value & 0x7F | 0x80)
        value >>= 7
    result.append(value)
    return bytes(result)


def message(field: int, *content: bytes) -> bytes:
    """A field with a length: a message, text, bytes or packed numbers."""
    return b"".join((number(field << 3 | BYTES), number(sum(map(len, content))), *content))


def int64_list(values: Iterable[int]) -> bytes:
    """A Feature that holds whole numbers."""
    packed = b"".join(map(number, values))
    return message(3, message(1, packed) if packed else b"")


def float_list(values: Sequence[float] | NDArray[np.floating]) -> bytes:
    """A Feature that holds numbers of single precision."""
    packed = np.asarray(values, "<f4").tobytes()
    return message(2, message(1, packed) if packed else b"")


def bytes_list(values: Iterable[bytes]) -> bytes:
    """A Feature that holds bytes."""
    return message(1, b"".join(message(1, value) for value in values))
