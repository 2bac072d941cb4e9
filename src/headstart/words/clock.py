"""How much time there is, and who counts it. The learner asks these for the time, never the machine."""

from __future__ import annotations

import math
import re
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from headstart.errors import BadBudget

if TYPE_CHECKING:  # a run by the real clock needs no table
    from headstart.words.costs import CostTable

_EXAMPLES = 'write for example "90s", "20m", "1h", "1h30m" or a number of seconds such as "1200"'
_NUMBER = r"(\d+(?:\.\d+)?)"
_PARTS = re.compile(rf"(?:{_NUMBER}\s*h)?\s*(?:{_NUMBER}\s*m)?\s*(?:{_NUMBER}\s*s)?", re.ASCII | re.I)
_PLAIN = re.compile(_NUMBER, re.ASCII)
_UNITS = (3600.0, 60.0, 1.0)  # of the parts, in their order


EXTRACTION = ("decode", "forward", "store")
"""Kinds of work that worker threads do."""


class Clock(Protocol):
    """Something that counts the time of a run."""

    def now(self) -> float:
        """Seconds since the start; never decreases."""
        ...

    def beside(self, seconds: float) -> None:
        """Tell that workers had work to do during so many seconds of learning that have passed."""
        ...

    def charge(self, kind: str, name: str, size: int, n: int) -> None:
        """Tell that one call of this kind of work was done for n items of a size; see `Cost` for the words."""
        ...


class WallClock:
    """The time that passes for the user, whatever the machine does.

    already: seconds that had passed before this clock was made, for example since the process started.
    """

    def __init__(self, already: float = 0.0) -> None:
        self._start = time.monotonic() - already

    def now(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._start

    def charge(self, kind: str, name: str, size: int, n: int) -> None:
        """Work takes the time that it takes: nothing to do."""

    def beside(self, seconds: float) -> None:
        """Workers count by themselves: nothing to do."""


class CpuClock:
    """The CPU seconds of this process, of all its threads, since the process started.

    Imports are counted, and so are the threads of libraries; child processes are not.
    """

    def now(self) -> float:
        """CPU seconds since the process started."""
        return time.process_time()

    def charge(self, kind: str, name: str, size: int, n: int) -> None:
        """Work takes the time that it takes: nothing to do."""

    def beside(self, seconds: float) -> None:
        """Workers count by themselves: nothing to do."""


class CostClock:
    """Simulated time: the sum of what the charged work costs by a table. Safe to share between threads.

    Raises BadInput for a table that does not pass its check.
    """

    def __init__(self, table: CostTable, workers: int = 0) -> None:
        """workers: threads of the run that is simulated (which itself has none). On the CPU clock of such a run
        the seconds in which it learns also hold what they extract meanwhile.
        """
        table.check()
        self.table, self._workers, self._ahead = table, workers, 0.0
        self._lock = threading.Lock()
        self._now = 0.0
        self._totals: dict[str, float] = {}

    def now(self) -> float:
        """Simulated seconds since the start."""
        with self._lock:
            return self._now

    def charge(self, kind: str, name: str, size: int, n: int) -> None:
        """Let the time pass that this work costs. Raises BadInput where the table does not know it."""
        seconds = self.table.seconds(kind, name, size, n)
        with self._lock:
            paid = min(self._ahead, seconds) if kind in EXTRACTION else 0.0
            self._ahead -= paid
            self._now += seconds - paid
            self._totals[kind] = self._totals.get(kind, 0.0) + seconds

    def beside(self, seconds: float) -> None:
        """While so many seconds of learning passed, the workers went on: theirs pass, too, and are paid for."""
        with self._lock:
            self._now += self._workers * seconds
            self._ahead += self._workers * seconds

    def totals(self) -> dict[str, float]:
        """Simulated seconds by kind of work so far."""
        with self._lock:
            return dict(self._totals)


@dataclass(frozen=True)
class Budget:
    """How many seconds a run may take. Raises BadBudget unless that is finite and above 0."""

    seconds: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.seconds) and self.seconds > 0):
            raise BadBudget(f"a budget of {self.seconds} seconds gives no time to learn: {_EXAMPLES}")

    @staticmethod
    def parse(text: str | float) -> Budget:
        """A budget from "90s", "20m", "1h", "1h30m" or a number of seconds; BadBudget if it is neither."""
        if isinstance(text, str):
            return Budget(_seconds(text))
        try:
            return Budget(float(text))
        except (TypeError, ValueError, OverflowError) as error:
            raise BadBudget(f"a budget of {text!r:.60} cannot be read: {_EXAMPLES}") from error

    def left(self, clock: Clock) -> float:
        """Seconds that are left, 0 when none are."""
        return max(0.0, self.seconds - clock.now())

    def spent(self, clock: Clock) -> float:
        """The share of the budget that is gone, 0 to 1."""
        return min(1.0, clock.now() / self.seconds)

    def __str__(self) -> str:
        """For people, to a thousandth of a second: "90s", "20m", "1h 30m"."""
        thousandths = max(1, round(self.seconds * 1000))
        if thousandths < 120_000 and thousandths != 60_000:
            return _short(thousandths)
        minutes, rest = divmod(thousandths, 60_000)
        hours, minutes = divmod(minutes, 60)
        parts = (f"{hours}h" * bool(hours), f"{minutes}m" * bool(minutes), _short(rest) * bool(rest))
        return " ".join(filter(None, parts))


def _short(thousandths: int) -> str:
    whole, rest = divmod(thousandths, 1000)
    return f"{whole}.{rest:03d}".rstrip("0").rstrip(".") + "s"


def _seconds(text: str) -> float:
    text = text.strip()
    if _PLAIN.fullmatch(text):
        return float(text)
    found = _PARTS.fullmatch(text)
    if not text or found is None:
        raise BadBudget(f"a budget of {text!r:.60} cannot be read: {_EXAMPLES}")
    return sum(float(part) * unit for part, unit in zip(found.groups(default="0"), _UNITS, strict=True))
