"""A cost table: what work costs in seconds, measured once, so that a run can be timed without a clock."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

from headstart.errors import BadInput

PER_IMAGE = ("decode", "forward")  # kinds of work that grow with the number of images and with their pixels


@dataclass(frozen=True)
class Cost:
    """What one kind of work costs.

    kind: of work, for example "forward". name: of what does it, for example a backbone.
    pixels: of the side of its images, 0 where there are none.
    fixed: seconds for each call. per_item: seconds for each item of a call.
    """

    kind: str
    name: str
    pixels: int
    fixed: float
    per_item: float

    @property
    def key(self) -> tuple[str, str, int]:
        """What a table finds this row by."""
        return self.kind, self.name, self.pixels

    def seconds(self, n: int) -> float:
        """What one call with n items costs."""
        return self.fixed + self.per_item * n

    def __str__(self) -> str:
        return f"{_work(*self.key)} ({self.fixed:.3g} s a call and {self.per_item:.3g} s an item)"


@dataclass(frozen=True)
class CostTable:
    """The costs of every kind of work that a run charges for."""

    rows: tuple[Cost, ...]

    @cached_property
    def _by_key(self) -> dict[tuple[str, str, int], Cost]:
        return {row.key: row for row in self.rows}

    def seconds(self, kind: str, name: str, pixels: int, n: int) -> float:
        """What one call with n items costs. Raises BadInput if the table has no such row, and for n < 0."""
        row = self._by_key.get((kind, name, pixels))
        if row is None:
            known = sorted(row.pixels for row in self.rows if (row.kind, row.name) == (kind, name))
            which = f"it has {kind} {name} at {', '.join(map(str, known))} only; " if known else ""
            raise BadInput(
                f"the cost table has no row for {_work(kind, name, pixels)}: {which}"
                "measure it, or take a configuration that does without"
            )
        if n < 0:
            raise BadInput(f"{_work(kind, name, pixels)} was charged for {n} items: there must be 0 or more")
        return row.seconds(n)

    def check(self) -> None:
        """Raise BadInput where a row is double or impossible, or where more pixels are cheaper than fewer.

        A table that was measured on a busy machine, or written down the wrong way round, spoils every run
        that is timed with it and shows no sign; so it is looked at before it is used.
        """
        seen: set[tuple[str, str, int]] = set()
        for row in self.rows:
            if row.key in seen:
                raise BadInput(f"the cost table has more than one row for {_work(*row.key)}: keep one")
            seen.add(row.key)
            _check_row(row)
        _check_order([row for row in self.rows if row.kind in PER_IMAGE])

    def to_json(self) -> str:
        """This table as one JSON object; `from_json` gives it back."""
        return json.dumps({"rows": [dataclasses.asdict(row) for row in self.rows]}, indent=1)

    @staticmethod
    def from_json(text: str) -> CostTable:
        """A table from JSON, checked; BadInput names what is wrong."""
        try:
            content = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise BadInput(f"the cost table is not JSON: {error}") from error
        if not (isinstance(content, dict) and set(content) == {"rows"} and isinstance(content["rows"], list)):
            raise BadInput('a cost table must be a JSON object with a list "rows" and nothing else')
        table = CostTable(tuple(_read(number, entry) for number, entry in enumerate(content["rows"])))
        table.check()
        return table


def _work(kind: str, name: str, pixels: int) -> str:
    return f"{kind} {name} at {pixels} pixels" if pixels else f"{kind} {name}"


def _check_row(row: Cost) -> None:
    if row.pixels < 0:
        raise BadInput(f"the cost table has a negative number of pixels for {row}")
    if not (math.isfinite(row.fixed) and math.isfinite(row.per_item)):
        raise BadInput(f"the cost table has a cost that is not finite for {row}: measure it again")
    if row.fixed < 0 or row.per_item < 0 or row.seconds(1) <= 0:
        raise BadInput(f"the cost table has work that costs nothing or less for {row}: measure it again")
    if row.kind in PER_IMAGE and row.per_item == 0:
        raise BadInput(f"the cost table has images that cost nothing for {row}: measure it again")


def _check_order(rows: list[Cost]) -> None:
    """Refuse rows where some number of images is cheaper with more pixels."""
    for small, large in pairwise(sorted(rows, key=lambda row: row.key)):
        same = (small.kind, small.name) == (large.kind, large.name)
        if same and (large.per_item < small.per_item or large.seconds(1) < small.seconds(1)):
            raise BadInput(f"the cost table has {large} cheaper than {small}: measure both again")


_FIELDS: dict[str, tuple[tuple[type, ...], str]] = {
    "kind": ((str,), "text"),
    "name": ((str,), "text"),
    "pixels": ((int,), "a whole number"),
    "fixed": ((float, int), "a number"),
    "per_item": ((float, int), "a number"),
}


def _read(number: int, entry: Any) -> Cost:
    where = f"row {number} (from 0) of the cost table"
    if not isinstance(entry, dict) or set(entry) != set(_FIELDS):
        raise BadInput(f"{where} must be an object that holds exactly {', '.join(_FIELDS)}")
    for key, (types, words) in _FIELDS.items():
        if type(entry[key]) not in types:
            raise BadInput(f'{where} has {entry[key]!r:.60} as "{key}", which must be {words}')
    fixed, per_item = (float(str(entry[key])) for key in ("fixed", "per_item"))  # text: no int too large
    return Cost(entry["kind"], entry["name"], entry["pixels"], fixed, per_item)
