"""Measuring: cells of work, run in turns, so that a busy minute of the machine spoils no cell alone.

Seconds are CPU seconds of this process: machines are shared, and what others compute is no cost of ours. Of the
repeats the median counts.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

ROUNDS = 7
"""How often a cell is measured, where there is time; three times it is measured in any case."""
LEAST = 3
_SHORT = 4e-3  # seconds: shorter work is repeated within one measurement, against the clock's steps
_NOISY = 0.2  # of the median: cells whose middle half is further apart are measured again


@dataclass
class Cell:
    """Some work that can be repeated, and what it took.

    kind, name, size, n: as in `words.costs.Cost`. run: does it once; where it returns a float, that is what it took
    (work in another process). parts: further numbers that the cost depends on (bytes, numbers of a picture).
    """

    kind: str
    name: str
    size: int
    n: int
    run: Callable[[], object]
    parts: tuple[int, ...] = ()
    taken: list[float] = field(default_factory=list)
    times: int = 1

    @property
    def seconds(self) -> float:
        """The median."""
        return statistics.median(self.taken)

    @property
    def spread(self) -> float:
        """How far apart the middle half of the repeats lies, as a share of the median."""
        if len(self.taken) < LEAST:
            return 0.0
        low, _, high = statistics.quantiles(self.taken, n=4, method="inclusive")
        return (high - low) / max(self.seconds, 1e-9)

    def measure(self) -> None:
        """One more repeat."""
        started = time.process_time()
        found: object = None
        for _ in range(self.times):
            found = self.run()
        spent = (time.process_time() - started) / self.times
        self.taken.append(max(found if isinstance(found, float) else spent, 1e-9))

    def warm_up(self) -> None:
        """Once without counting: the first call loads and allocates; and how often fills a measurable time."""
        started = time.process_time()
        self.run()
        spent = time.process_time() - started
        self.times = max(1, min(200, int(_SHORT / max(spent, 1e-7))))


def measure(cells: Sequence[Cell], until: float, told: Callable[[str], None] = lambda _: None) -> None:
    """Measure every cell in rounds, each in another order, until `until` (time.monotonic) or ROUNDS are done."""
    for cell in cells:
        cell.warm_up()
    order, shuffle = list(cells), random.Random(0).shuffle
    for number in range(ROUNDS):
        shuffle(order)
        told(f"round {number + 1} of {ROUNDS}: {len(cells)} kinds of work")
        for cell in order:
            if number >= LEAST and time.monotonic() > until:
                return
            cell.measure()


def again(cells: Iterable[Cell], until: float, rounds: int = LEAST) -> None:
    """A few more repeats of some cells, while there is time."""
    some = list(cells)
    for _ in range(rounds):
        for cell in some:
            if time.monotonic() > until:
                return
            cell.measure()


def noisy(cells: Iterable[Cell]) -> list[Cell]:
    """Cells whose repeats disagree."""
    return [cell for cell in cells if cell.spread > _NOISY]
