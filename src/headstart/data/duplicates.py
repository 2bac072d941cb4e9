"""Which files hold the same bytes. Only files whose size another file shares are read at all."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Paths = Callable[[int], str]
"""The path of a row, 0 to count - 1: a list in which paths are made when they are asked for."""

_PIECE = 1 << 16  # how much of a file is compared first, and held in memory at a time
_OPEN = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)


@dataclass(frozen=True)
class Standing:
    """Where the members of each group stand: int64 arrays with one entry per group.

    trained: training files. labels: different labels among them. repeated: those that could go without a label
    losing its only one, so the copies within a class. tested: files of the test split.
    """

    trained: NDArray[np.int64]
    labels: NDArray[np.int64]
    repeated: NDArray[np.int64]
    tested: NDArray[np.int64]


def standing(groups: NDArray[np.int32], labels: NDArray[np.int64]) -> Standing:
    """Counts for each group of `equal_files`; labels: int64 [k], of the first k files, which are the training files."""
    total = int(groups.max(initial=-1)) + 1
    rows = np.flatnonzero(groups >= 0)
    train = rows[rows < len(labels)]
    cells = np.unique(np.stack([groups[train], labels[train]]), axis=1)
    trained = np.bincount(groups[train], minlength=total)
    different = np.bincount(cells[0], minlength=total)
    tested = np.bincount(groups[rows[rows >= len(labels)]], minlength=total)
    return Standing(trained, different, trained - different, tested)


def equal_files(count: int, path: Paths) -> NDArray[np.int32]:
    """Groups of files of equal content: int32 [count], numbered from 0 by first member; -1 where there is no equal.

    Files of equal size are compared by a checksum (128 bits) of their first 64 KB, then of all the rest. Files that
    are empty or cannot be read equal nothing. Memory: some 60 bytes per file, however large the files are.
    """
    sizes = np.fromiter((_size(path(row)) for row in range(count)), np.int64, count)
    groups = _numbered(sizes[:, None], np.flatnonzero(sizes > 0), count)
    groups = _compared(groups, np.flatnonzero(groups >= 0), path, start=0, stop=_PIECE)
    return _compared(groups, np.flatnonzero((groups >= 0) & (sizes > _PIECE)), path, start=_PIECE, stop=None)


def _compared(
    groups: NDArray[np.int32], rows: NDArray[np.int64], path: Paths, start: int, stop: int | None
) -> NDArray[np.int32]:
    """The groups, with those of `rows` (whole groups) cut up by what the files hold from `start` to `stop`."""
    keys = np.zeros((len(groups), 3), np.uint64)  # zeros: not looked at again, so equal to its whole group
    keys[:, 0] = groups.astype(np.uint64)
    readable = groups >= 0
    for row in rows:
        digest = _checksum(path(int(row)), start, stop)
        readable[row] = digest is not None
        keys[row, 1:] = np.frombuffer(digest or bytes(16), np.uint64)
    return _numbered(keys, np.flatnonzero(readable), len(groups))


def _numbered(keys: NDArray[np.generic], rows: NDArray[np.int64], count: int) -> NDArray[np.int32]:
    """Rows of equal keys as groups: int32 [count]; keys: [count, k]. Other rows, and those alone, are -1."""
    groups = np.full(count, -1, np.int32)
    if not len(rows):
        return groups
    order = rows[np.lexsort((rows, *keys[rows].T))]
    begins = np.ones(len(order), np.bool_)
    begins[1:] = (keys[order[1:]] != keys[order[:-1]]).any(1)
    first = order[begins]
    sizes = np.diff(np.append(np.flatnonzero(begins), len(order)))
    shared = np.flatnonzero(sizes > 1)
    number = np.full(len(first), -1, np.int32)
    number[shared[np.argsort(first[shared])]] = np.arange(len(shared), dtype=np.int32)
    groups[order] = np.repeat(number, sizes)
    return groups


def _size(path: str) -> int:
    """In bytes; -1 for what is no readable file."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return -1
    return status.st_size if stat.S_ISREG(status.st_mode) else -1


def _checksum(path: str, start: int, stop: int | None) -> bytes | None:
    """16 bytes for the file's content from `start` to `stop`; None where it cannot be read."""
    digest = hashlib.blake2b(digest_size=16)
    try:
        handle = os.open(path, _OPEN)
        try:
            os.lseek(handle, start, os.SEEK_SET)
            left = stop - start if stop is not None else None
            while piece := os.read(handle, _PIECE if left is None else left):
                digest.update(piece)
                left = None if left is None else left - len(piece)
        finally:
            os.close(handle)
    except OSError:
        return None
    return digest.digest()
