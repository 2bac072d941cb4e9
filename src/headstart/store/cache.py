"""Features on disk: one file of float16 rows per feature block, and a mask of the rows that are done.

The file is written with pwrite, because a full disk under a memory map kills the process where pwrite
reports it; and read with pread, because mapped pages would count as the process's memory.
A kill at any moment loses at most the rows that were being put; a power cut may lose more (see
`fingerprint`).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from headstart.errors import BadModel
from headstart.store.atomic import failure, write_atomically
from headstart.words.task import Samples

Indices = Sequence[int] | NDArray[np.integer]

_FORMAT = 1
_LARGEST = float(np.finfo(np.float16).max)
_ROWS_AT_ONCE = 1024
_FILES_LOOKED_AT = 1000


class FeatureCache:
    """The features of `rows` samples, `dim` numbers each. Any thread may call any method."""

    def __init__(self, features: Path, mask: Path, rows: int, dim: int) -> None:
        """Opens files that `open` has made ready."""
        self.rows, self.dim = rows, dim
        self._paths = (features, mask)
        self._lock = threading.Lock()
        self._features = features.open("r+b", buffering=0)
        self._mask = mask.open("r+b", buffering=0)
        self._done: NDArray[np.bool_] = np.fromfile(mask, np.uint8, rows) == 1

    @classmethod
    def open(cls, folder: Path, key: str, rows: int, dim: int, fingerprint: str) -> FeatureCache:
        """The cache of feature block `key` in `folder`, made where needed.

        What an earlier process left is kept where key, shape and fingerprint are the same, else thrown away.
        The file is sparse: it takes room only as rows are put. Raises DiskFull.
        """
        slug = re.sub(r"[^A-Za-z0-9@._-]+", "-", key)[:80]
        stem = f"{slug}-{hashlib.sha256(key.encode()).hexdigest()[:8]}"
        header, features, mask = (folder / f"{stem}.{end}" for end in ("json", "f16", "done"))
        about = {"format": _FORMAT, "key": key, "rows": rows, "dim": dim, "fingerprint": fingerprint}
        content = json.dumps(about, indent=1).encode()
        try:
            if not _is_valid(header, content, features, rows * dim * 2, mask, rows):
                _make(header, content, features, rows * dim * 2, mask, rows)
            return cls(features, mask, rows, dim)
        except OSError as error:
            raise failure(features, error) from error

    def put(self, indices: Indices, features: NDArray[np.floating]) -> None:
        """Store the features, float [n, dim], of n rows; values beyond float16 are clipped to its range.

        Rows count as done once they are written. Raises DiskFull (rows done before stand), IndexError and
        ValueError.
        """
        rows = self._checked(indices)
        if features.shape != (len(rows), self.dim):
            raise ValueError(f"{len(rows)} rows of {self.dim} numbers are needed, not {features.shape}")
        stored = np.clip(features, -_LARGEST, _LARGEST).astype("<f2")
        for first, where in _runs(rows):
            self._write(0, first * self.dim * 2, stored[where].tobytes())
        for first, where in _runs(rows):
            self._write(1, first, b"\1" * len(where))
        self._done[rows] = True

    def get(self, indices: Indices) -> NDArray[np.float32]:
        """The features of n rows, float32 [n, dim], in the order of `indices`.

        Raises ValueError for a row that is not done, IndexError for one that cannot be, BadModel where
        the file was cut meanwhile.
        """
        rows = self._checked(indices)
        missing = rows[~self._done[rows]]
        if len(missing):
            raise ValueError(f"row {missing[0]} of the cache is not done")
        features = np.empty((len(rows), self.dim), np.float32)
        for first, where in _runs(rows):
            raw = self._read(first * self.dim * 2, len(where) * self.dim * 2)
            features[where] = np.frombuffer(raw, "<f2").reshape(len(where), self.dim)
        return features

    def has(self, indices: Indices) -> NDArray[np.bool_]:
        """Which of some rows can be got: bool [n]. Costs nothing for the rows that were not asked for."""
        found: NDArray[np.bool_] = self._done[self._checked(indices)]
        return found

    @property
    def done(self) -> NDArray[np.bool_]:
        """Which rows can be got: a copy, bool [rows]."""
        return self._done.copy()

    def close(self) -> None:
        """Close the files; may be called twice."""
        self._features.close()
        self._mask.close()

    def __enter__(self) -> FeatureCache:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _checked(self, indices: Indices) -> NDArray[np.int64]:
        rows = np.asarray(indices, np.int64).reshape(-1)
        if len(rows) and not (rows.min() >= 0 and rows.max() < self.rows):
            raise IndexError(f"the cache has rows 0 to {self.rows - 1}")
        return rows

    def _write(self, which: int, offset: int, content: bytes) -> None:
        file = (self._features, self._mask)[which]
        try:
            with self._lock:
                while content:
                    written = _write_at(file, content, offset)
                    content, offset = content[written:], offset + written
        except OSError as error:
            raise failure(self._paths[which], error) from error

    def _read(self, offset: int, size: int) -> bytes:
        try:
            with self._lock:
                content = _read_at(self._features, size, offset)
        except OSError as error:
            raise BadModel(f"{self._paths[0]} cannot be read: {error.strerror}") from error
        if len(content) != size:
            raise BadModel(f"{self._paths[0]} was cut while it was in use: remove it and start again")
        return content


def _runs(rows: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Rows that lie side by side in the file: the first of them, and where each stands in `rows`."""
    order = np.argsort(rows, kind="stable")
    breaks = np.flatnonzero(np.diff(rows[order]) != 1) + 1
    for run in np.split(order, breaks):
        for start in range(0, len(run), _ROWS_AT_ONCE):
            part = run[start : start + _ROWS_AT_ONCE]
            yield int(rows[part[0]]), part


if hasattr(os, "pwrite"):

    def _write_at(file: BinaryIO, content: bytes, offset: int) -> int:
        return os.pwrite(file.fileno(), content, offset)

    def _read_at(file: BinaryIO, size: int, offset: int) -> bytes:
        return os.pread(file.fileno(), size, offset)
else:

    def _write_at(file: BinaryIO, content: bytes, offset: int) -> int:
        file.seek(offset)
        return file.write(content)

    def _read_at(file: BinaryIO, size: int, offset: int) -> bytes:
        file.seek(offset)
        return file.read(size)


def _is_valid(header: Path, content: bytes, features: Path, size: int, mask: Path, rows: int) -> bool:
    try:
        return (
            header.read_bytes() == content and features.stat().st_size == size and mask.stat().st_size == rows
        )
    except FileNotFoundError:
        return False


def _make(header: Path, content: bytes, features: Path, size: int, mask: Path, rows: int) -> None:
    """Empty files: the marks go first, because a row counts by its mark alone; the header comes last."""
    features.parent.mkdir(parents=True, exist_ok=True)
    mask.write_bytes(bytes(rows))  # not sparse: a mark then always has room
    with features.open("wb") as file:
        file.truncate(size)
    write_atomically(header, content, durable=False)


def fingerprint(samples: Samples, graph: str) -> str:
    """What the features of `samples` by the network with the checksum `graph` depend on, as 64 hex digits.

    All paths relative to the root in their order, their number, and the size and time of change of 1000 files
    evenly spread over the list (of all of them where they are fewer). A file changed in place can thus escape
    notice in a longer list; so can rows lost in a power cut: removing the cache folder is always safe.
    """
    paths, count = samples.paths, len(samples)
    digest = hashlib.sha256(f"{_FORMAT} {graph} {count}\n".encode())
    for part in samples.content():
        digest.update(part)
    looked_at = min(count, _FILES_LOOKED_AT)
    for place in range(looked_at):
        digest.update(_state(os.path.join(samples.root, paths[place * count // looked_at])))
    return digest.hexdigest()


def _state(path: str) -> bytes:
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return b"missing\n"
    return b"%d %d\n" % (found.st_size, found.st_mtime_ns)
