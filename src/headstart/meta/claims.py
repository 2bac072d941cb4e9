"""Claims: whose search it is, and how others are told of it."""

from __future__ import annotations

import os
import socket
from typing import Any


class Store:
    """An Optuna storage. alone: whether nobody else can be writing into it."""

    def __init__(self, storage: Any, alone: bool) -> None:
        self.storage, self.alone = storage, alone

    def claim(self, search: str) -> bool:
        """Make a search this process's own until the store is closed; False where nothing here can tell.

        Raises Busy where it is another's.
        """
        return self.alone

    def check(self) -> None:
        """Raises what a database raises, where a claim may be lost."""


def under_way(search: str, who: str) -> str:
    """The sentence for those who come second. who: as `owner` says it."""
    return f"the search {search!r} is under way: {who.replace(' ', ', process ')}; wait until it has ended"


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
