"""Replace a file in one step: a reader, or a kill at any moment, finds the old content or the new."""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from headstart.errors import DiskFull, HeadstartError
from headstart.store.lock import try_lock

Writer = Callable[[BinaryIO], object]

_PREFIX, _SUFFIX = ".headstart-", ".part"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def write_atomically(path: Path, content: bytes | Writer, *, durable: bool = True) -> None:
    """Replace the file at `path`, whose folder exists, by `content` in one step.

    content: the bytes, or a function that writes them into the open binary file that it is given.
    durable: wait until the disk has it, so that it outlives a power cut and not only a kill.
    Raises DiskFull, or HeadstartError for another failure of the disk; the old file then stands.
    """
    target = Path(os.path.realpath(path))  # a link stays a link
    try:
        _write(target, content, durable)
    except OSError as error:
        raise failure(path, error) from error


def failure(path: Path, error: OSError) -> HeadstartError:
    """What a failed write to `path` is called: DiskFull where room was missing, else HeadstartError."""
    if error.errno in _FULL:
        return DiskFull(
            f"there is no room to write {path} ({error.strerror}): free some space and start again; "
            "what was written before stands"
        )
    return HeadstartError(f"{path} cannot be written: {error.strerror or error}")


def sweep(folder: Path) -> None:
    """Remove what killed writers left in `folder`; files that are being written now are left alone."""
    for path in folder.glob(f"{_PREFIX}*{_SUFFIX}"):
        with suppress(OSError):
            _remove_if_orphan(path)


def _write(target: Path, content: bytes | Writer, durable: bool) -> None:
    file = _create(target.parent)
    try:
        with file:
            if isinstance(content, bytes):
                file.write(content)
            else:
                content(file)
            file.flush()
            if durable:
                os.fsync(file.fileno())
            _rename(file, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(file.name)
        raise
    if durable:
        _sync_folder(target.parent)


def _create(folder: Path) -> BinaryIO:
    """A new temporary file that is locked while its writer lives, which tells `sweep` to leave it alone."""
    while True:
        path = folder / f"{_PREFIX}{os.getpid()}-{os.urandom(6).hex()}{_SUFFIX}"
        file = path.open("xb")
        if try_lock(file) and os.fstat(file.fileno()).st_nlink:
            return file
        file.close()  # swept between its creation and the lock


def _rename(file: BinaryIO, target: Path) -> None:
    if sys.platform != "win32":
        os.replace(file.name, target)
        return
    file.close()  # Windows renames no open file, and replaces none that a reader has open just now
    for _ in range(50):
        with suppress(PermissionError):
            os.replace(file.name, target)
            return
        time.sleep(0.02)
    os.replace(file.name, target)


def _remove_if_orphan(path: Path) -> None:
    if sys.platform == "win32":
        path.unlink()  # fails while its writer has it open
        return
    with path.open("rb") as file:
        if try_lock(file):
            path.unlink()


def _sync_folder(folder: Path) -> None:
    """Make a rename durable, where the system can: not every one lets a folder be opened or synced."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
