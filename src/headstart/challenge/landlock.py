"""Keeps a process and its descendants from reading some folders, where the kernel allows that (Linux 5.13 and later).

Landlock lists what is allowed, so everything beside the way to a closed folder is allowed by name: files that are made
later in a folder on that way cannot be read. It needs no privilege and ends with the process.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Sequence
from contextlib import suppress

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # system calls, the same on every architecture
_READ_FILE, _READ_DIR, _REFER = 1 << 2, 1 << 3, 1 << 13
_BENEATH, _VERSION, _NO_NEW_PRIVILEGES = 1, 1, 38
_MOST = 20_000  # entries of a folder on the way


class Unavailable(Exception):
    """The kernel cannot do it, or not here; the message says why."""


def prepare(closed: Sequence[str], opened: Sequence[str], listed: Sequence[str]) -> int:
    """A descriptor for `restrict`, which closes the folders and files `closed` but for `opened`.

    listed: folders in which, and below which, names may be listed all the same. Raises Unavailable.
    """
    version = _call(_CREATE, None, 0, _VERSION)
    if version < 1:
        raise Unavailable("the kernel has no Landlock")
    rights = _READ_FILE | _READ_DIR | (_REFER if version >= 2 else 0)
    attributes = struct.pack("<Q", rights)
    rules = _call(_CREATE, attributes, len(attributes), 0)
    if rules < 0:
        raise Unavailable("the kernel refuses a Landlock ruleset")
    try:
        for path in (*_beside([os.path.realpath(path) for path in closed]), *opened):
            _allow(rules, path, rights)
        for path in listed:
            _allow(rules, path, _READ_DIR)
    except BaseException:
        os.close(rules)
        raise
    return rules


def restrict(rules: int) -> None:
    """Put this process under the rules, for good. Raises OSError."""
    libc = _libc()
    if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) or libc.syscall(_RESTRICT, rules, 0):
        raise OSError(ctypes.get_errno(), "Landlock refuses")


def _beside(closed: Sequence[str]) -> list[str]:
    """What lies beside the ways to the closed folders."""
    ways = {"/"}
    for path in closed:
        while (path := os.path.dirname(path)) not in ways:
            ways.add(path)
    shut = set(closed)
    found = []
    for way in sorted(ways):
        if any(way == one or way.startswith(one + "/") for one in shut):
            continue  # below a closed folder
        with suppress(PermissionError), os.scandir(way) as entries:
            names = [entry.path for entry in entries if not entry.is_symlink()]
            if len(names) > _MOST:
                raise Unavailable(f"{way} holds more than {_MOST} entries")
            found += [name for name in names if name not in ways and name not in shut]
    return found


def _allow(rules: int, path: str, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return  # it went away
    try:
        if not stat.S_ISDIR(os.fstat(place).st_mode):
            rights &= _READ_FILE
        rule = struct.pack("<Qi", rights, place)
        _call(
            _ADD, rules, _BENEATH, rule, 0
        )  # sockets and the like are refused: they cannot be read as files
    finally:
        os.close(place)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _call(*arguments: object) -> int:
    if not hasattr(os, "O_PATH"):
        return -1
    return int(_libc().syscall(*arguments))
