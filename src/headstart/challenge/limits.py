"""How much memory and disk a learner may take, and how much it does."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from headstart.errors import BadInput

_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_LOG = 1 << 24  # bytes of output that are kept
_SPARED = 1 << 28  # bytes of the disk that stay free


def bytes_of(text: str) -> int:
    """A size such as "8G", "500M" or a number of bytes. Raises BadInput."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?", text.strip().lower(), re.ASCII)
    if not found or float(found[1]) <= 0:
        raise BadInput(f"a size of {text!r:.40} cannot be read: write for example 8G or 500M.")
    return int(float(found[1]) * _UNITS[found[2]])


def _available() -> int:
    """Bytes of memory that can be had; without an end where the system does not tell."""
    with suppress(OSError, ValueError, StopIteration), open("/proc/meminfo") as file:
        line = next(line for line in file if line.startswith("MemAvailable"))
        return int(line.split()[1]) * 1024
    return 1 << 62


@dataclass
class Room:
    """Folders into which the learner writes, and the files of its output, which are kept short."""

    folders: Sequence[str]
    logs: Sequence[Path]
    _next: float = 0.0
    _used: int = 0

    def used(self) -> int:
        """Bytes on disk, looked up once a second, or less often where that takes long."""
        self.trim()
        began = time.monotonic()
        if began < self._next:
            return self._used
        self._used = sum(map(_size, self.folders))
        now = time.monotonic()
        self._next = now + max(1.0, 200 * (now - began))
        return self._used

    def trim(self) -> None:
        """Cut the output that is beyond what is kept: a learner can write a gigabyte in a second."""
        for log in self.logs:
            with suppress(OSError):
                if log.stat().st_size > _LOG:
                    os.truncate(log, _LOG)

    def full(self) -> bool:
        """Whether the disk has nearly no room left."""
        try:
            state = os.statvfs(self.folders[0])
        except OSError:
            return False
        return state.f_bavail * state.f_frsize < _SPARED


def _size(folder: str) -> int:
    total, pending = 0, [folder]
    while pending:
        with suppress(OSError), os.scandir(pending.pop()) as entries:
            for entry in entries:
                with suppress(OSError):
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_blocks * 512
    return total


@dataclass(frozen=True)
class Limits:
    """memory: bytes resident in all processes of the learner (shared pages count in each); by default nine tenths of
    what is available at the start. disk: bytes in its folders of predictions and temporary files."""

    memory: int = field(default_factory=lambda: _available() // 10 * 9)
    disk: int = 16 << 30

    def exceeded(self, resident: int, room: Room) -> str | None:
        """Which limit is exceeded, in words."""
        if resident > self.memory:
            return f"the learner took {resident / 2**20:.0f} MB of memory, and {self.memory / 2**20:.0f} MB are allowed"
        used = room.used()
        if used > self.disk:
            return f"the learner wrote {used / 2**20:.0f} MB, and {self.disk / 2**20:.0f} MB are allowed"
        if used > _SPARED and room.full():
            return f"the disk is full: the learner wrote {used / 2**20:.0f} MB"
        return None
