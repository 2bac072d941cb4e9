"""Tells when files arrive in a folder: by inotify on Linux, else by looking every few milliseconds."""

from __future__ import annotations

import ctypes
import os
import struct
import sys
import time
from contextlib import suppress
from typing import Protocol

LOOK = 0.01
"""Seconds between two looks where the system tells nothing."""
_CLOSE_WRITE, _MOVED_TO, _CREATE, _OVERFLOW = 0x8, 0x80, 0x100, 0x4000
_NONBLOCK, _CLOEXEC = 0o4000, 0o2000000
_READS = 8  # at a time: a learner may write faster than events are read
_HEAD = struct.Struct("iIII")


class Watch(Protocol):
    """A folder that is watched.

    descriptor: readable when something came, or None: then ask every `LOOK` seconds.
    """

    descriptor: int | None

    def arrivals(self) -> list[str]:
        """Names of files that have come since the last call, in their order; a name may come again."""
        ...

    def close(self) -> None:
        """Stop watching."""
        ...


def watch(folder: str, polling: bool = False) -> Watch:
    """Watch a folder, which is there and empty. polling: do not ask the system."""
    if sys.platform == "linux" and not polling:
        with suppress(OSError, AttributeError):
            return Notified(folder)
    return Looking(folder)


class Notified:
    """By inotify: a file has come when it was renamed into the folder, or written there and closed."""

    def __init__(self, folder: str) -> None:
        """Raises OSError where the system gives no watch."""
        self._folder = folder
        libc = ctypes.CDLL(None, use_errno=True)
        self.descriptor: int | None = libc.inotify_init1(_NONBLOCK | _CLOEXEC)
        if self.descriptor is None or self.descriptor < 0:
            raise OSError(ctypes.get_errno(), "no inotify")
        wanted = _CLOSE_WRITE | _MOVED_TO | _CREATE
        if libc.inotify_add_watch(self.descriptor, os.fsencode(folder), wanted) < 0:
            number = ctypes.get_errno()
            self.close()
            raise OSError(number, "no watch")

    def arrivals(self) -> list[str]:
        found: list[str] = []
        lost = False
        for _ in range(_READS):
            if self.descriptor is None:
                break
            try:
                events = os.read(self.descriptor, 1 << 16)
            except BlockingIOError:
                break
            at = 0
            while at < len(events):
                _, mask, _, length = _HEAD.unpack_from(events, at)
                name = os.fsdecode(events[at + _HEAD.size : at + _HEAD.size + length].rstrip(b"\0"))
                at += _HEAD.size + length
                lost |= bool(mask & _OVERFLOW)
                if name and (mask & (_CLOSE_WRITE | _MOVED_TO) or self._linked(name)):
                    found.append(name)
        return found + _by_time(self._folder) if lost else found

    def _linked(self, name: str) -> bool:
        """Whether a file that was just made is a link to one that was written before."""
        with suppress(OSError):
            return os.stat(os.path.join(self._folder, name)).st_nlink > 1
        return False

    def close(self) -> None:
        if self.descriptor is not None and self.descriptor >= 0:
            os.close(self.descriptor)
        self.descriptor = None


class Looking:
    """By the time at which the folder was changed; a file has come when its name is there."""

    descriptor: int | None = None

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._seen: set[str] = set()
        self._changed = -1

    def arrivals(self) -> list[str]:
        try:
            changed = os.stat(self._folder).st_mtime_ns
        except OSError:
            return []
        # The system's times of change have a grain: what changed just now may change again unnoticed.
        if changed == self._changed and time.time_ns() - changed > 50_000_000:
            return []
        self._changed = changed
        new = [name for name in _by_time(self._folder) if name not in self._seen]
        self._seen.update(new)
        return new

    def close(self) -> None:
        """Nothing is open."""


def _by_time(folder: str) -> list[str]:
    """The names in a folder by the time at which the files were last written."""
    found = []
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with suppress(OSError):
                found.append((entry.stat(follow_symlinks=False).st_mtime_ns, entry.name))
    return [name for _, name in sorted(found)]
