"""Hyperband's arithmetic: how many configurations get which budget, and who is promoted. No clock, no randomness.

Brackets are synchronous (Falkner et al., "BOHB", ICML 2018): a rung is closed before the best of it go on.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from headstart.errors import BadInput


@dataclass(frozen=True, order=True)
class Place:
    """One evaluation of a schedule: the iteration, the rung within it, and the number of the configuration there."""

    iteration: int
    rung: int
    slot: int

    @property
    def root(self) -> Place:
        """Where the same configuration was evaluated first."""
        return Place(self.iteration, 0, self.slot)

    @property
    def before(self) -> Place | None:
        """Where the same configuration was evaluated with the next smaller budget."""
        return Place(self.iteration, self.rung - 1, self.slot) if self.rung else None


@dataclass(frozen=True)
class Bracket:
    """One run of successive halving: so many configurations with each budget, smallest budget first."""

    sizes: tuple[int, ...]
    budgets: tuple[float, ...]


@dataclass(frozen=True)
class Schedule:
    """So many iterations, each a bracket; brackets come in turn, the one with most configurations first.

    least, most: the smallest and the largest budget, in whatever unit. eta: one of so many is promoted, and gets so
    many times the budget. Raises BadInput for what is none.
    """

    least: float = 1.0
    most: float = 9.0
    eta: int = 3
    iterations: int = 10

    def __post_init__(self) -> None:
        if not (0 < self.least <= self.most < math.inf):
            raise BadInput(f"budgets from {self.least:g} to {self.most:g} are none: 0 < smallest <= largest")
        if self.eta < 2 or self.iterations < 1:
            raise BadInput(
                f"eta is {self.eta} and there are {self.iterations} iterations: they must be at least 2 and 1"
            )

    @property
    def _deepest(self) -> int:
        return math.floor(math.log(self.most / self.least) / math.log(self.eta) + 1e-9)

    def bracket(self, iteration: int) -> Bracket:
        """The bracket of an iteration."""
        rungs = self._deepest - iteration % (self._deepest + 1)
        first = (self._deepest + 1) // (rungs + 1) * self.eta**rungs
        sizes = tuple(max(first // self.eta**i, 1) for i in range(rungs + 1))
        return Bracket(sizes, tuple(self.most / self.eta ** (rungs - i) for i in range(rungs + 1)))

    def budget(self, place: Place) -> float:
        """What an evaluation may cost, in the unit of `least` and `most`."""
        return self.bracket(place.iteration).budgets[place.rung]

    @property
    def budgets(self) -> tuple[float, ...]:
        """All that occur, smallest first."""
        return self.bracket(0).budgets

    @property
    def configurations(self) -> int:
        """How many are evaluated at all."""
        return sum(self.bracket(i).sizes[0] for i in range(self.iterations))

    @property
    def evaluations(self) -> int:
        """How many there are, each promotion counted as one more."""
        return sum(sum(self.bracket(i).sizes) for i in range(self.iterations))

    def ready(self, values: Mapping[Place, float], running: Collection[Place] = ()) -> Iterator[Place]:
        """What can be evaluated now, in order. values: of what is done (larger = better); running: is under way.

        A later iteration is begun before an earlier one is done only where the caller asks for more than that has.
        """
        for iteration in range(self.iterations):
            for rung, places in enumerate(self._rungs(iteration, values)):
                yield from (p for p in places if p not in values and p not in running)
                if rung + 1 < len(self.bracket(iteration).sizes) and any(p not in values for p in places):
                    break  # the rung is open: nobody is promoted yet

    def _rungs(self, iteration: int, values: Mapping[Place, float]) -> Iterator[list[Place]]:
        """The places of each rung; one after the first is known once that before it is closed."""
        sizes = self.bracket(iteration).sizes
        places = [Place(iteration, 0, slot) for slot in range(sizes[0])]
        yield places
        for rung, size in enumerate(sizes[1:], 1):
            best = promoted({place: values[place] for place in places}, size)
            places = [Place(iteration, rung, place.slot) for place in best]
            yield places


def promoted(values: Mapping[Place, float], count: int) -> list[Place]:
    """The best of a closed rung, in the order of their numbers; of equal ones those with the smaller number."""
    best = sorted(values, key=lambda place: (-values[place], place))[:count]
    return sorted(best)


def model_budget(points: Mapping[float, int], dimension: int) -> float | None:
    """The largest budget with enough results to tell good configurations from bad; None where none has.

    points: how many results each budget has. Enough: `dimension` + 1 good ones and as many bad ones.
    """
    return max((budget for budget, count in points.items() if count >= 2 * (dimension + 1)), default=None)


def good(count: int, dimension: int, share: float = 0.15) -> int:
    """How many of so many results count as good: the best 15 %, at least `dimension` + 1."""
    return max(dimension + 1, math.floor(share * count))
