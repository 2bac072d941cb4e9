"""A cost table: what work costs in seconds, measured once, so that a run can be timed without a clock.

Work is named by its kind, by what does it, by the size of its items and by their number. Sizes between measured
ones are interpolated; the words that a run uses are listed in docs/clocks.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from headstart.errors import BadInput
from headstart.words.growth import along

PER_IMAGE = ("decode", "forward", "backward", "infer")
"""Kinds of work whose size is the pixels of a square's side: what was not measured is not guessed beyond."""


@dataclass(frozen=True)
class Cost:
    """What one kind of work costs, where seconds are linear in the number of items.

    kind: of work, for example "forward". name: of what does it, for example a backbone.
    size: of its items: pixels of the side of an image, numbers of a feature block, classes of a head; 0 where
    it does not matter.
    fixed: seconds for each call. per_item: seconds for each item of a call.
    repeats, spread: how often it was measured, and how far apart the middle half lies as a share of the median;
    they tell how much to trust the row and make no two rows unequal.
    """

    kind: str
    name: str
    size: int
    fixed: float
    per_item: float
    repeats: int = field(default=0, compare=False)
    spread: float = field(default=0.0, compare=False)

    @property
    def key(self) -> tuple[str, str, int]:
        """What a table finds this row by."""
        return self.kind, self.name, self.size

    def seconds(self, n: int) -> float:
        """What one call with n items costs."""
        return self.fixed + self.per_item * n

    def __str__(self) -> str:
        return f"{work(*self.key)} ({self.fixed:.3g} s a call and {self.per_item:.3g} s an item)"


@dataclass(frozen=True)
class Point:
    """What one call with exactly n items costs, where seconds are not linear: solves. For the rest see `Cost`."""

    kind: str
    name: str
    size: int
    n: int
    seconds: float
    repeats: int = field(default=0, compare=False)
    spread: float = field(default=0.0, compare=False)

    @property
    def key(self) -> tuple[str, str, int, int]:
        """What a table finds this point by."""
        return self.kind, self.name, self.size, self.n

    def __str__(self) -> str:
        return f"{work(self.kind, self.name, self.size)}, {self.n} items ({self.seconds:.3g} s)"


@dataclass(frozen=True)
class CostTable:
    """The costs of every kind of work that a run charges for.

    about: where it comes from: machine, versions, date. It makes no two tables unequal.
    """

    rows: tuple[Cost, ...]
    points: tuple[Point, ...] = ()
    about: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @cached_property
    def _rows(self) -> dict[tuple[str, str], dict[int, Cost]]:
        found: dict[tuple[str, str], dict[int, Cost]] = {}
        for row in sorted(self.rows, key=lambda row: row.key):
            found.setdefault((row.kind, row.name), {})[row.size] = row
        return found

    @cached_property
    def _points(self) -> dict[tuple[str, str], dict[int, dict[int, float]]]:
        found: dict[tuple[str, str], dict[int, dict[int, float]]] = {}
        for point in sorted(self.points, key=lambda point: point.key):
            found.setdefault((point.kind, point.name), {}).setdefault(point.size, {})[point.n] = point.seconds
        return found

    def knows(self, kind: str, name: str) -> bool:
        """Whether anything is measured of this kind of work by that name."""
        return (kind, name) in self._rows or (kind, name) in self._points

    def seconds(self, kind: str, name: str, size: int, n: int) -> float:
        """What one call with n items costs. Raises BadInput where the table does not tell, and for n < 0.

        Between sizes (and between the n of points) seconds are interpolated on logarithmic scales. Below the
        smallest they count as there, beyond the largest they go on growing as they did last; but sizes of
        images beyond what was measured are refused. A row of size 0 alone holds for every size.
        """
        if n < 0:
            raise BadInput(f"{work(kind, name, size)} was charged for {n} items: there must be 0 or more")
        by_size = self._at(kind, name, n)
        if size in by_size:
            return by_size[size]
        if list(by_size) == [0] and kind not in PER_IMAGE:
            return by_size[0]
        sized = {at: seconds for at, seconds in by_size.items() if at}
        outside = not sized or (kind in PER_IMAGE and not min(sized) < size < max(sized))
        if outside:
            raise self._missing(kind, name, size, sized)
        return along(sized, max(size, 1))

    def _at(self, kind: str, name: str, n: int) -> dict[int, float]:
        """Seconds of n items by the sizes that were measured."""
        rows = self._rows.get((kind, name), {})
        if rows:
            return {size: row.seconds(n) for size, row in rows.items()}
        points = self._points.get((kind, name), {})
        return {size: along(found, n) if n else 0.0 for size, found in points.items()}

    def _missing(self, kind: str, name: str, size: int, known: Mapping[int, float]) -> BadInput:
        which = f"it has {kind} {name} at {', '.join(map(str, known))} only; " if known else ""
        return BadInput(
            f"the cost table has no row for {work(kind, name, size)}: {which}"
            "measure it, or take a configuration that does without"
        )

    def check(self) -> None:
        """Raise BadInput where an entry is double or impossible, or where more work is cheaper than less.

        A table that was measured on a busy machine, or written down the wrong way round, spoils every run
        that is timed with it and shows no sign; so it is looked at before it is used.
        """
        from headstart.words.cost_checks import check_points, check_rows

        check_rows(self.rows)
        check_points(self.points)

    def to_json(self) -> str:
        """This table as one JSON object with a checksum; `from_json` gives it back."""
        from headstart.words.cost_file import encoded

        return encoded(self)

    @staticmethod
    def from_json(text: str) -> CostTable:
        """A table from JSON, checked; BadInput names what is wrong."""
        from headstart.words.cost_file import decoded

        table = decoded(text)
        table.check()
        return table


def work(kind: str, name: str, size: int) -> str:
    """Work in words."""
    if not size:
        return f"{kind} {name}"
    return f"{kind} {name} at {size} pixels" if kind in PER_IMAGE else f"{kind} {name} of size {size}"
