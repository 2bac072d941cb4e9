"""Where a search keeps what it has found: a file that is only appended to, or a database for many machines.

A file has one writer, who holds its lock: whatever a killed one left half done is put right when the next begins.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headstart.errors import BadInput
from headstart.meta.proposals import optuna
from headstart.store.atomic import failure
from headstart.store.lock import hold


@dataclass(frozen=True)
class Store:
    """An Optuna storage. alone: whether nobody else can be writing into it."""

    storage: Any
    alone: bool


@contextmanager
def opened(where: str | Path) -> Iterator[Store]:
    """An Optuna storage: a journal file, or a database by its URL (`postgresql://...`).

    Raises Busy where another process writes the file, DiskFull, BadInput where a database cannot be reached.
    """
    library = optuna()
    if isinstance(where, str) and "://" in where:
        yield Store(_database(library, where), alone=False)
        return
    path = Path(where)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = hold(path.with_name(path.name + ".owner"))
    except OSError as error:
        raise failure(path, error) from error
    with lock:
        _mend(path)
        backend = library.storages.journal.JournalFileBackend(str(path))
        yield Store(library.storages.JournalStorage(backend), alone=True)


def _database(library: Any, url: str) -> Any:
    try:
        return library.storages.RDBStorage(url)
    except ImportError as error:
        raise BadInput(f"the database of the search needs a driver: {error}") from None
    except (
        Exception
    ) as error:  # whatever the driver raises: it is the address or the server, not this program
        kind = url.partition("://")[0]
        raise BadInput(
            f"the {kind} database of the search cannot be opened: {str(error).splitlines()[0]}"
        ) from None


def _mend(path: Path) -> None:
    """Cut off a line that a killed writer did not end, and take away the lock that it held for that line."""
    with suppress(FileNotFoundError):
        os.unlink(f"{path}.lock")
    with suppress(FileNotFoundError), path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        at = size
        while at:
            step = min(at, 1 << 16)
            file.seek(at - step)
            found = file.read(step).rfind(b"\n")
            at = at - step + found + 1 if found >= 0 else at - step
            if found >= 0:
                break
        if at < size:
            file.truncate(at)


def owner() -> str:
    """This process, for others that look into a shared database."""
    return f"{socket.gethostname()} {os.getpid()}"


def is_gone(who: str) -> bool:
    """Whether a process that called itself so has ended, as far as that can be told from here."""
    host, _, pid = who.rpartition(" ")
    if host != socket.gethostname() or not pid.isdigit() or os.name == "nt":
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return int(pid) == os.getpid()  # of an earlier search in this very process
