"""Locks on files: who may write into a folder. The system gives a lock back when its holder dies."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from headstart.errors import Busy

_ORPHAN_SECONDS = 3.0

if sys.platform == "win32":
    import msvcrt

    def try_lock(file: BinaryIO) -> bool:
        """Take the exclusive lock of an open file unless another holds it.

        Of a byte far behind its end: a locked byte cannot be read here, and others read the holder's id.
        """
        os.lseek(file.fileno(), 1 << 30, os.SEEK_SET)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        finally:
            os.lseek(file.fileno(), 0, os.SEEK_SET)
        return True

    def _is_alive(pid: int) -> bool:
        return True
else:
    import fcntl

    def try_lock(file: BinaryIO) -> bool:
        """Take the exclusive lock of an open file unless another holds it.

        A file system without locks says yes: a lock guards against mistakes, and is no reason not to run.
        """
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True

    def _is_alive(pid: int) -> bool:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        except OSError:
            return True
        return True


def hold(path: Path) -> BinaryIO:
    """Lock the file at `path`, made where needed, and write this process's id into it.

    Closing the returned file gives the lock back. Raises Busy, naming the folder and the holder's process id,
    and OSError where the file cannot be made.
    """
    file = path.open("a+b", buffering=0)
    if not _outwait(file):
        pid = _holder(file)
        file.close()
        who = f"process {pid}" if pid else "another process"
        raise Busy(f"{path.parent} is in use by {who}: wait until it has ended, or give another folder")
    with suppress(OSError):  # the id only serves the message of others; a full disk must not stop us here
        file.truncate(0)
        file.write(b"%d\n" % os.getpid())
    return file


def _outwait(file: BinaryIO) -> bool:
    """Whether the lock was got. Where its holder was killed, its children inherited it: they soon end too."""
    end = time.monotonic() + _ORPHAN_SECONDS
    while not try_lock(file):
        pid = _holder(file)
        if pid is None or _is_alive(pid) or time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def _holder(file: BinaryIO) -> int | None:
    file.seek(0)
    text = file.read(32).strip()
    return int(text) if text.isdigit() else None
