"""TFRecord files: a length, the checksum of the length, the data, their checksum; and then the next record.

A file is walked by its lengths, so that a record is found again by its offset. What is wrong is a `Corrupt`, which
names file and byte.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import IO

from headstart.data.autodl.crc32c import masked
from headstart.data.walk import why

_LENGTH = struct.Struct("<Q")
_SUM = struct.Struct("<I")
_HEAD = _LENGTH.size + _SUM.size
FRAME = _HEAD + _SUM.size
"""Bytes of a record beside its data."""


class Corrupt(Exception):
    """Something in a file of records that is not as it should be; the message is what a user reads."""

    def __init__(self, path: str, offset: int, what: str) -> None:
        super().__init__(f"{os.path.basename(path)}, byte {offset}: {what}")
        self.path, self.offset, self.what = path, offset, what


@dataclass(frozen=True)
class Place:
    """Where one record lies: the offset of its length in the file, and the number of its data's bytes."""

    offset: int
    length: int

    @property
    def data(self) -> int:
        """The offset of the data."""
        return self.offset + _HEAD

    @property
    def end(self) -> int:
        """The offset of the next record."""
        return self.offset + FRAME + self.length


def walk(file: IO[bytes], path: str) -> Iterator[Place]:
    """The records of an open file in their order, by their lengths: data are passed over and not checked.

    The file may be moved between two steps. Raises Corrupt where a length is damaged, for what comes after it
    cannot be found then, and where the file ends too early.
    """
    return (place for place, _ in heads(file, path, 0))


def heads(file: IO[bytes], path: str, ahead: int) -> Iterator[tuple[Place, bytes]]:
    """As `walk`, each record with the first `ahead` bytes of its data, read together with its length."""
    size = os.fstat(file.fileno()).st_size
    offset = 0
    while offset < size:
        file.seek(offset)
        head = file.read(_HEAD + ahead)
        if len(head) < _HEAD:
            raise Corrupt(path, offset, "the file ends within the length of a record")
        (length,) = _LENGTH.unpack_from(head)
        if _SUM.unpack_from(head, _LENGTH.size)[0] != _masked_length(head[: _LENGTH.size]):
            raise Corrupt(path, offset, "the length of a record is damaged (its checksum differs)")
        place = Place(offset, length)
        if place.end > size:
            raise Corrupt(path, offset, f"a record of {length} bytes, but the file ends before it does")
        yield place, head[_HEAD : _HEAD + length]
        offset = place.end


_masked_length = lru_cache(maxsize=8192)(masked)


def read(file: IO[bytes], path: str, place: Place) -> bytes:
    """The data of one record. Raises Corrupt where their checksum differs or the file has become shorter."""
    file.seek(place.data)
    data = file.read(place.length)
    end = file.read(_SUM.size)
    if len(data) + len(end) < place.length + _SUM.size:
        raise Corrupt(path, place.offset, "the file ends within a record")
    if _SUM.unpack(end)[0] != masked(data):
        raise Corrupt(path, place.offset, "the data of a record are damaged (their checksum differs)")
    return data


def read_at(path: str, place: Place) -> bytes:
    """As `read`, for a file that is not open. Raises Corrupt, also where the file cannot be read."""
    try:
        with open(path, "rb") as file:
            return read(file, path, place)
    except OSError as error:
        raise Corrupt(path, place.offset, f"cannot be read: {why(error)}") from None


def framed(data: bytes) -> bytes:
    """One record as it stands in a file."""
    length = _LENGTH.pack(len(data))
    return b"".join((length, _SUM.pack(masked(length)), data, _SUM.pack(masked(data))))


def write(path: str, records: Iterable[bytes]) -> int:
    """Write a file of records; returns how many there were. Raises OSError."""
    count = 0
    with open(path, "wb") as file:
        for data in records:
            file.write(framed(data))
            count += 1
    return count
