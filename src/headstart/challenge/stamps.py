"""Which predictions have come, and whether they are still what came: a prediction that is published stays as it is."""

from __future__ import annotations

import os
from contextlib import suppress

from headstart.challenge.predictions import STARTED, most_bytes, number
from headstart.challenge.watch import Watch

MOST = 10_000
"""Predictions of one run that are taken; what comes after them is refused."""
_ALWAYS = 1 << 24  # bytes: smaller files are never removed


class Stamps:
    """Predictions [samples, classes] in one folder, as its watch tells of them."""

    def __init__(self, folder: str, watch: Watch, samples: int, classes: int) -> None:
        self._folder, self._watch = folder, watch
        self._largest = max(most_bytes(samples, classes), _ALWAYS)
        self._marks: dict[str, tuple[int, int, int]] = {}
        self.surplus = 0

    def new(self) -> list[str]:
        """Names of predictions (and of `started`) that have come since the last call, each once."""
        found = []
        for name in self._watch.arrivals():
            if name in self._marks or (name != STARTED and number(name) is None):
                continue
            if len(self._marks) > MOST:
                self.surplus += 1
                continue
            mark = self._mark(name)
            if mark is not None:
                self._marks[name] = mark
                found.append(name)
        return found

    def changed(self) -> list[str]:
        """Predictions that are no longer the file that came: written to, replaced or removed."""
        return [name for name, mark in self._marks.items() if name != STARTED and self._mark(name) != mark]

    def remove_oversized(self) -> list[tuple[str, int]]:
        """Remove files that are larger than any prediction, for they would fill the disk; names and bytes."""
        found = []
        with suppress(OSError), os.scandir(self._folder) as entries:
            for entry in entries:
                with suppress(OSError):
                    size = entry.stat(follow_symlinks=False).st_size
                    if size > self._largest:
                        os.unlink(entry.path)
                        found.append((entry.name, size))
        return found

    def _mark(self, name: str) -> tuple[int, int, int] | None:
        try:
            status = os.lstat(os.path.join(self._folder, name))
        except OSError:
            return None
        return status.st_ino, status.st_size, status.st_mtime_ns
