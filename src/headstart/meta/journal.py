"""Where a search keeps what it has found: a file that is only appended to, or a database for many machines.

A file has one writer, who holds its lock: whatever a killed one left half done is put right when the next begins.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from headstart.meta.claims import Store
from headstart.meta.database import database, is_address
from headstart.meta.proposals import optuna
from headstart.store.atomic import failure
from headstart.store.lock import hold


@contextmanager
def opened(where: str | Path) -> Iterator[Store]:
    """An Optuna storage: a journal file, or a database by its URL (`postgresql://...`).

    Raises Busy where another process writes the file, DiskFull, BadInput where a database cannot be reached,
    HeadstartError where it is lost later.
    """
    library = optuna()
    if isinstance(where, str) and is_address(where):
        with database(library, where) as store:
            yield store
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
