"""Processes below another one, as Linux tells in /proc: which they are, their CPU seconds and memory; and their end."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass

_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


@dataclass(frozen=True)
class Status:
    """One process. cpu: its own seconds; reaped: those of its children that have ended; resident: bytes."""

    parent: int
    cpu: float
    reaped: float
    resident: int
    zombie: bool


def status(pid: int) -> Status | None:
    """What /proc says of a process; None where it is gone or there is no /proc."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            words = file.read(1024).rpartition(b")")[2].split()
        own, reaped = int(words[11]) + int(words[12]), int(words[13]) + int(words[14])
        return Status(
            int(words[1]), own / _TICKS, reaped / _TICKS, int(words[21]) * _PAGE, words[0] in (b"Z", b"X")
        )
    except (OSError, ValueError, IndexError):
        return None


def children(pid: int) -> list[int]:
    """The children of a process by all of its threads. Cheap; may miss some while processes end.

    Raises OSError where the system does not keep these lists.
    """
    found: list[int] = []
    for thread in os.listdir(f"/proc/{pid}/task"):
        name = f"/proc/{pid}/task/{thread}/children"
        with suppress(FileNotFoundError, ProcessLookupError), open(name, "rb", buffering=0) as file:
            found += map(int, file.read().split())
    return found


def below(root: int) -> list[int]:
    """All processes below `root`, without it. Cheap where there are lists of children."""
    if not os.path.exists("/proc/self/task"):
        return []
    if not os.path.exists(f"/proc/self/task/{os.getpid()}/children"):
        return surely_below(root)
    found: list[int] = []
    pending = [root]
    while pending:
        try:
            inner = children(pending.pop())
        except OSError:
            continue  # it ended just now
        found += inner
        pending += inner
    return found


def surely_below(root: int) -> list[int]:
    """As `below`, by a look at every process: slower, but none is missed that lives all along."""
    parents: dict[int, list[int]] = {}
    try:
        names = os.listdir("/proc")
    except OSError:
        return []
    for name in names:
        if name.isdecimal() and (known := status(int(name))):
            parents.setdefault(known.parent, []).append(int(name))
    found: list[int] = []
    pending = [root]
    while pending:
        inner = parents.get(pending.pop(), [])
        found += inner
        pending += inner
    return found


def kill(pids: list[int]) -> None:
    """End processes at once."""
    for pid in pids:
        with suppress(OSError):
            os.kill(pid, signal.SIGKILL)


def kill_group(group: int) -> None:
    """End a process group at once."""
    with suppress(OSError):
        os.killpg(group, signal.SIGKILL)


def marked(mark: str) -> list[int]:
    """Processes (without this one) whose environment at their start held `mark`."""
    wanted, found = mark.encode(), []
    try:
        names = os.listdir("/proc")
    except OSError:
        return []
    for name in names:
        if name.isdecimal() and int(name) != os.getpid():
            with suppress(OSError), open(f"/proc/{name}/environ", "rb") as file:
                if wanted in file.read():
                    found.append(int(name))
    return found


class Tree:
    """CPU and memory of all that runs below a guard: a process that adopts orphans and waits for all that end.

    So what has ended is in the guard's account of children, and the rest can be read. The guard itself does not count.
    """

    def __init__(self, guard: int) -> None:
        self._guard = guard
        self._known: list[int] = []
        self._looked = 0.0
        self.peak = 0

    def measure(self, fresh: bool) -> tuple[float | None, int]:
        """CPU seconds so far (None where the system does not tell), and bytes resident now.

        fresh: look for new processes; else only once a second.
        """
        now = time.monotonic()
        if fresh or now - self._looked > 1:
            self._known, self._looked = below(self._guard), now
        guard = status(self._guard)
        if guard is None:
            return None, 0
        cpu, resident = guard.reaped, 0
        for pid in self._known:
            if known := status(pid):
                cpu += known.cpu + known.reaped
                resident += known.resident
        self.peak = max(self.peak, resident)
        return cpu, resident
