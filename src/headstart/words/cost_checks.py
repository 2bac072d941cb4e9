"""What a cost table must be: each entry once, possible, and dearer where there is more work."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import groupby, pairwise

from headstart.errors import BadInput
from headstart.words.costs import PER_IMAGE, Cost, Point, work


def check_rows(rows: Sequence[Cost]) -> None:
    """Raise BadInput that names a row which is double, impossible, or cheaper than one with smaller items."""
    seen: set[tuple[str, str, int]] = set()
    for row in rows:
        if row.key in seen:
            raise BadInput(f"the cost table has more than one row for {work(*row.key)}: keep one")
        seen.add(row.key)
        _check_row(row)
    for small, large in pairwise(sorted(rows, key=lambda row: row.key)):
        same = (small.kind, small.name) == (large.kind, large.name)
        if same and (large.per_item < small.per_item or large.seconds(1) < small.seconds(1)):
            raise BadInput(f"the cost table has {large} cheaper than {small}: measure both again")
    _check_growth(rows)


def _check_row(row: Cost) -> None:
    if row.size < 0:
        what = "number of pixels" if row.kind in PER_IMAGE else "size"
        raise BadInput(f"the cost table has a negative {what} for {row}")
    if not (math.isfinite(row.fixed) and math.isfinite(row.per_item)):
        raise BadInput(f"the cost table has a cost that is not finite for {row}: measure it again")
    if row.fixed < 0 or row.per_item < 0 or row.seconds(1) <= 0:
        raise BadInput(f"the cost table has work that costs nothing or less for {row}: measure it again")
    if row.kind in PER_IMAGE and row.per_item == 0:
        raise BadInput(f"the cost table has images that cost nothing for {row}: measure it again")


def _check_growth(rows: Sequence[Cost]) -> None:
    """Refuse images that cost the same at every size: nothing falls there, but nothing was measured either."""
    images = sorted((row for row in rows if row.kind in PER_IMAGE), key=lambda row: row.key)
    for _, found in groupby(images, key=lambda row: (row.kind, row.name)):
        first, *others = found
        if others and others[-1].seconds(1) <= first.seconds(1):
            raise BadInput(
                f"the cost table has {others[-1]} no dearer than {first}: seconds must grow with the pixels; "
                "measure both again"
            )


def check_points(points: Sequence[Point]) -> None:
    """Raise BadInput that names a point which is double, impossible, or cheaper than one with less work."""
    seen: set[tuple[str, str, int, int]] = set()
    for point in points:
        if point.key in seen:
            raise BadInput(f"the cost table has more than one point for {point}: keep one")
        seen.add(point.key)
        if point.n < 1 or point.size < 0:
            raise BadInput(f"the cost table has a point without items or of negative size for {point}")
        if not (math.isfinite(point.seconds) and point.seconds > 0):
            raise BadInput(
                f"the cost table has work that costs nothing or less for {point}: measure it again"
            )
    _check_rise(sorted(points, key=lambda p: p.key), lambda p: (p.kind, p.name, p.size))
    _check_rise(sorted(points, key=_across), lambda p: (p.kind, p.name, p.n))
    _check_ends(sorted(points, key=lambda p: p.key), lambda p: (p.kind, p.name, p.size), "items")
    images = [point for point in points if point.kind in PER_IMAGE]
    _check_ends(sorted(images, key=_across), lambda p: (p.kind, p.name, p.n), "pixels")


def _check_rise(points: Sequence[Point], same: Callable[[Point], tuple[object, ...]]) -> None:
    for less, more in pairwise(points):
        if same(less) == same(more) and more.seconds < less.seconds:
            raise BadInput(f"the cost table has {more} cheaper than {less}: measure both again")


def _across(point: Point) -> tuple[str, str, int, int]:
    return point.kind, point.name, point.n, point.size


def _check_ends(points: Sequence[Point], same: Callable[[Point], tuple[object, ...]], what: str) -> None:
    """Refuse points that cost the same from the least work to the most."""
    for _, found in groupby(points, key=same):
        first, *others = found
        if others and others[-1].seconds <= first.seconds:
            raise BadInput(
                f"the cost table has {others[-1]} no dearer than {first}: seconds must grow with the {what}; "
                "measure both again"
            )
