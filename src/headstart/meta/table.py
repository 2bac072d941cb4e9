"""From runs to the table P(θ, t): means over seeds, how many, how far apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from headstart.meta.bundle import Bundle
from headstart.meta.performance import Performance
from headstart.meta.prior import Prior
from headstart.meta.record import MILLISECOND
from headstart.words.config import Config

Known = Callable[[Bundle, int], tuple[str, Config | None] | None]
Table = NDArray[np.float64]
Cells = dict[str, list[list[float]]]
"""Of each configuration its runs: the area, and those of the two halves where they are asked for."""
Run = tuple[str | None, int, str, float]


def tabulate(
    priors: Mapping[str, Prior],
    bundles: Mapping[str, Sequence[Bundle]],
    known: Known,
    t0: float,
    budget: float,
    clock: str | None,
    halves: bool,
) -> Performance:
    """The table of all priors that have runs; see `Library.matrix`.

    known: name and content of a configuration of a bundle, None where it cannot be read. Columns are sorted by name.
    """
    settings: dict[str, Config | None] = {}
    origins: dict[str, str] = {}
    cells: dict[str, Cells] = {}
    for prior, own in bundles.items():
        cells[prior] = {}
        enough = _enough(own, budget)
        seen: set[Run] = set()
        for bundle in own:
            names: list[str | None] = []
            for at, origin in enumerate(bundle.origins):
                found = known(bundle, at)
                names.append(found[0] if found else None)
                if found:
                    settings[found[0]] = found[1] or settings.get(found[0])
                    origins[found[0]] = origins.get(found[0]) or origin
            rows = (bundle.budget >= enough) & _by(bundle, clock)
            _fill(cells[prior], bundle, names, _areas(bundle, t0, budget, halves), rows, seen)
    return _performance(priors, [prior for prior in priors if cells.get(prior)], cells, settings, origins)


def _areas(bundle: Bundle, t0: float, budget: float, halves: bool) -> Table:
    """Of each run the area and, where they are asked for, those of the halves: float64 [runs, 1 or 3]."""
    parts = (None, 0, 1) if halves else (None,)
    return np.stack([bundle.areas(t0, budget, half) for half in parts], axis=1)


def _enough(bundles: Sequence[Bundle], budget: float) -> int:
    """The budget (ms) from which on a run counts: the one that is asked for, or the longest that there is."""
    longest = max((int(bundle.budget.max()) for bundle in bundles), default=0)
    return min(round(budget / MILLISECOND), longest)


def _by(bundle: Bundle, clock: str | None) -> NDArray[np.bool_]:
    """Which runs were on this clock."""
    if clock is None:
        return np.ones(len(bundle), np.bool_)
    return np.array([name == clock for name in bundle.clocks])[bundle.clock]


def _fill(
    cells: Cells,
    bundle: Bundle,
    names: Sequence[str | None],
    areas: Table,
    rows: NDArray[np.bool_],
    seen: set[Run],
) -> None:
    """Add the runs of these rows to their cells, the same run never twice: two libraries may both have it."""
    places = bundle.config.tolist(), bundle.seed.tolist(), bundle.clock.tolist(), areas.tolist()
    for (config, seed, clock, own), wanted in zip(zip(*places, strict=True), rows.tolist(), strict=True):
        name = names[config]
        run = (name, seed, bundle.clocks[clock], own[0])
        if name is not None and wanted and run not in seen:
            seen.add(run)
            cells.setdefault(name, []).append(own)


def _performance(
    priors: Mapping[str, Prior],
    rows: Sequence[str],
    cells: Mapping[str, Cells],
    settings: Mapping[str, Config | None],
    origins: Mapping[str, str],
) -> Performance:
    columns = sorted({config for row in rows for config in cells[row]})
    deepest = max((len(runs) for row in rows for runs in cells[row].values()), default=1)
    width = next((len(runs[0]) for row in rows for runs in cells[row].values()), 1)
    told = np.full((len(rows), len(columns), deepest, width), np.nan)
    place = {column: j for j, column in enumerate(columns)}
    for i, row in enumerate(rows):
        for column, runs in cells[row].items():
            told[i, place[column], : len(runs)] = runs
    halves = _mean(np.moveaxis(told[..., 1:], -1, 0), axis=-1)
    return Performance.of(
        rows,
        columns,
        told[..., 0],
        sources=[priors[row].source for row in rows],
        settings=[settings[column] for column in columns],
        origins=[origins.get(column, "") for column in columns],
        halves=halves if np.isfinite(halves).any() else None,
    )


def _mean(values: Table, axis: int) -> Table:
    """The mean of what is there, NaN where nothing is."""
    count = np.isfinite(values).sum(axis=axis)
    total = np.nansum(values, axis=axis)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
