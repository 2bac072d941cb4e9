"""From measured cells to entries of a cost table, which must grow with the work."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np
from numpy.typing import NDArray

from headstart.challenge.calibrate_cells import Cell
from headstart.words.costs import Cost, Point
from headstart.words.growth import isotonic

_LEAST = 1e-10  # seconds: nothing is free
_SHARE, _SLACK = 0.15, 3e-4  # by how much less work may seem dearer: a share, and seconds


@dataclass(frozen=True)
class Entries:
    """Rows and points that grow with the work, and the cells that did not: those are noise."""

    rows: tuple[Cost, ...]
    points: tuple[Point, ...]
    doubtful: tuple[Cell, ...]


def entries(linear: Sequence[Cell], curved: Sequence[Cell], pictures: Sequence[Cell]) -> Entries:
    """linear: cells that become rows, seconds = fixed + per_item n; curved: points; pictures: see `_decoded`."""
    rows = [row for some in _named(linear) for row in _lines(some)]
    rows += [row for some in _named(pictures) for row in _decoded(some)]
    points = [point for some in _named(curved) for point in _grown(some)]
    fallen = [cell for some in _named([*linear, *curved, *pictures]) for cell in _fallen(some)]
    return Entries(tuple(rows), tuple(points), tuple(fallen))


def _named(cells: Sequence[Cell]) -> list[list[Cell]]:
    def key(cell: Cell) -> tuple[str, str]:
        return cell.kind, cell.name

    return [list(some) for _, some in groupby(sorted(cells, key=key), key=key)]


def _fallen(cells: Sequence[Cell]) -> list[Cell]:
    """Cells that are cheaper, beyond what repeats differ by, than one with less work; and that one."""
    found: dict[int, Cell] = {}
    for less in cells:
        for more in cells:
            grows = all(a <= b for a, b in zip(_amounts(less), _amounts(more), strict=True))
            if (
                grows
                and _amounts(less) != _amounts(more)
                and less.seconds > more.seconds * (1 + _SHARE) + _SLACK
            ):
                found |= {id(less): less, id(more): more}
    return list(found.values())


def _amounts(cell: Cell) -> tuple[int, ...]:
    return cell.size, cell.n, *cell.parts


def _lines(cells: Sequence[Cell]) -> Iterable[Cost]:
    """A line for each size; seconds per item, and of a call with one, do not fall with the size."""
    sizes = sorted({cell.size for cell in cells})
    groups = [[cell for cell in cells if cell.size == size] for size in sizes]
    per_item = isotonic([max(_line(some)[1], _LEAST) for some in groups])
    least = 0.0
    for size, some, slope in zip(sizes, groups, per_item, strict=True):
        # A unit in the last place more: else rounding may leave a call with one item cheaper than at a smaller size.
        fixed = max(_fixed(some, slope), least - slope + math.ulp(least), 0.0)
        least = fixed + slope
        yield Cost(cells[0].kind, cells[0].name, size, fixed, slope, _repeats(some), _spread(some))


def _fixed(cells: Sequence[Cell], slope: float) -> float:
    """Fixed seconds with the least relative errors, given those per item."""
    if len({cell.n for cell in cells}) == 1:
        return 0.0
    weights = np.array([cell.seconds**-2 for cell in cells])
    rest = np.array([cell.seconds - slope * cell.n for cell in cells])
    return float((weights * rest).sum() / weights.sum())


def _line(cells: Sequence[Cell]) -> tuple[float, float]:
    """Fixed and per-item seconds >= 0 with the least relative errors; of one number of items, all is per item."""
    if len({cell.n for cell in cells}) == 1:
        return 0.0, float(np.mean([cell.seconds / max(cell.n, 1) for cell in cells]))
    solution = _positive(np.array([[1.0, cell.n] for cell in cells]), cells)
    return float(solution[0]), float(solution[1])


def _positive(parts: NDArray[np.float64], cells: Sequence[Cell]) -> NDArray[np.float64]:
    """Coefficients >= 0 of parts [m, k] that sum up to the cells' seconds with the least relative errors."""
    from scipy.optimize import nnls

    seconds = np.array([cell.seconds for cell in cells])
    scaled = parts / seconds[:, None]
    norms = np.maximum(np.linalg.norm(scaled, axis=0), 1e-30)
    found: NDArray[np.float64] = nnls(scaled / norms, np.ones(len(cells)))[0] / norms
    return found


def _decoded(cells: Sequence[Cell]) -> Iterable[Cost]:
    """Seconds for each file at each size of the square, for each byte, and for each number that is decoded."""
    sizes = sorted({cell.size for cell in cells})
    parts = np.array(
        [[*(float(cell.size == size) * cell.n for size in sizes), *cell.parts] for cell in cells]
    )
    found = np.maximum(_positive(parts, cells), _LEAST)
    kind, name = cells[0].kind, cells[0].name
    about = _repeats(cells), _spread(cells)
    grown = _rising(isotonic([float(value) for value in found[: len(sizes)]]))
    for size, seconds in zip(sizes, grown, strict=True):
        yield Cost(kind, name, size, 0.0, seconds, *about)
    for part, value in zip(("bytes", "numbers"), found[len(sizes) :], strict=True):
        yield Cost(kind, f"{name} {part}", 0, 0.0, float(value), *about)


def _rising(values: list[float]) -> list[float]:
    """The same, but for a thousandth, so that what was pooled still grows."""
    return [value * (1 + 1e-3 * place) for place, value in enumerate(values)]


def _grown(cells: Sequence[Cell]) -> list[Point]:
    """Points that do not fall with the items nor with the size, as near to the cells as may be."""
    seconds = {(cell.size, cell.n): cell.seconds for cell in cells}
    lines = _along(seconds, 0) + _along(seconds, 1)
    for _ in range(5):  # neighbours in turn along both ways
        for keys in lines:
            seconds |= dict(zip(keys, isotonic([seconds[key] for key in keys]), strict=True))
    for keys in lines * 2:  # and what rounding left
        for less, more in pairwise(keys):
            seconds[more] = max(seconds[more], seconds[less])
    by_key = {(cell.size, cell.n): cell for cell in cells}
    return [
        Point(cell.kind, cell.name, *key, seconds[key], len(cell.taken), round(cell.spread, 4))
        for key, cell in sorted(by_key.items())
    ]


def _along(seconds: Iterable[tuple[int, int]], fixed: int) -> list[list[tuple[int, int]]]:
    """Keys (size, n) that differ in one of both only, in rising order; `fixed`: which is the same, 0 or 1."""
    listed = sorted(seconds, key=lambda key: (key[fixed], key[1 - fixed]))
    return [list(keys) for _, keys in groupby(listed, key=lambda key: key[fixed])]


def _repeats(cells: Sequence[Cell]) -> int:
    return min(len(cell.taken) for cell in cells)


def _spread(cells: Sequence[Cell]) -> float:
    return round(float(np.median([cell.spread for cell in cells])), 4)
