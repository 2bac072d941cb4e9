"""Calibration: this machine, measured, as a cost table that simulated runs are timed by."""

from __future__ import annotations

import datetime
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from headstart.challenge import calibrate_decoding as decoding
from headstart.challenge import calibrate_forward as forward
from headstart.challenge import calibrate_heads as heads
from headstart.challenge import calibrate_start as start
from headstart.challenge import calibrate_training as training
from headstart.challenge.calibrate_cells import Cell, again, measure, noisy
from headstart.challenge.calibrate_laws import Entries, entries
from headstart.errors import BadInput
from headstart.learn.threads import one_thread
from headstart.running import machine, versions
from headstart.words.costs import CostTable

SECONDS = 95.0
"""Wall seconds after which no further repeat is begun; what has three by then is done."""
_RESERVED = 0.25  # of that time, for cells that were noisy or did not grow
_PASSES = 3


@dataclass(frozen=True)
class Cells:
    """All that is measured, by what becomes of it (`calibrate_laws.entries`)."""

    linear: tuple[Cell, ...]
    curved: tuple[Cell, ...]
    pictures: tuple[Cell, ...]

    @property
    def all(self) -> list[Cell]:
        """In any order."""
        return [*self.linear, *self.curved, *self.pictures]


def calibrate(
    name: str,
    backbones: Sequence[str] = forward.BUNDLED,
    seconds: float = SECONDS,
    told: Callable[[str], None] = lambda _: None,
    trained: Sequence[str] = (),
) -> CostTable:
    """Measure this machine for about `seconds` of wall time, with one thread. BadInput where it will not be measured.

    backbones: names of networks, bundled or prepared. told: is called with what happens. trained: networks of
    `transfer.networks` whose training is measured, too.
    """
    began, spent = time.monotonic(), time.process_time()
    folder = Path(tempfile.mkdtemp(prefix="headstart-calibrate-"))
    try:
        with ExitStack() as stack:
            stack.enter_context(one_thread())
            told("making pictures and problems to measure with")
            cells = _prepared(folder, backbones, trained, stack)
            measure(cells.all, began + seconds * (1 - _RESERVED), told)
            found = _settled(cells, began + seconds, told)
            table = start.balanced_books(folder, CostTable(found.rows, found.points))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    about = _about(name, cells, [*backbones, *(f"{network} (trained)" for network in trained)])
    about |= {
        "seconds": round(time.monotonic() - began, 1),
        "cpu_seconds": round(time.process_time() - spent, 1),
    }
    table = replace(table, about=about)
    table.check()
    return table


def _prepared(folder: Path, backbones: Sequence[str], trained: Sequence[str], stack: ExitStack) -> Cells:
    """Everything to measure; what stays open is closed with the stack."""
    kept, squares = decoding.kept(folder)
    stack.callback(squares.close)
    cached, caches = forward.caching(folder)
    for cache in caches:
        stack.callback(cache.close)
    opening, passing = forward.cells(backbones)
    fed, streamed = heads.landmarks()
    linear = [
        *start.cells(folder),
        *start.publishing(folder / "published"),
        *kept,
        *cached,
        *opening,
        *heads.products(),
        *heads.predictions(),
        *fed,
        *streamed,
    ]
    curved = [*passing, *training.cells(trained), *heads.solves(), *heads.duplicates()]
    return Cells(tuple(linear), tuple(curved), tuple([*decoding.cells(folder), *decoding.clips(folder)]))


def _settled(cells: Cells, until: float, told: Callable[[str], None]) -> Entries:
    """Entries that grow with the work; cells that are noisy or do not grow are measured again before."""
    for number in range(_PASSES):
        found = entries(cells.linear, cells.curved, cells.pictures)
        doubtful = {id(cell): cell for cell in found.doubtful}
        if not doubtful and number:
            return found
        doubtful |= {id(cell): cell for cell in noisy(cells.all)}
        told(f"measuring {len(doubtful)} kinds of work again")
        # What does not grow is measured again also when time is up: without it there is no table.
        again(found.doubtful, float("inf") if number == 0 else until)
        again(doubtful.values(), until)
    found = entries(cells.linear, cells.curved, cells.pictures)
    if found.doubtful:
        worst = ", ".join(f"{c.kind} {c.name} (size {c.size}, {c.n} items)" for c in found.doubtful[:3])
        raise BadInput(
            f"seconds did not grow with the work for {worst}, measured again and again: this machine is too busy "
            "just now; calibrate when it does less"
        )
    return found


def _about(name: str, cells: Cells, backbones: Sequence[str]) -> dict[str, Any]:
    spreads = sorted(cell.spread for cell in cells.all)
    return {
        "name": name,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": {**machine(1), "system": platform.platform(), "load": _load()},
        "versions": versions(),
        "backbones": list(backbones),
        "clock": "CPU seconds of one process, one thread; medians of repeats",
        "cells": len(spreads),
        "median_spread": round(spreads[len(spreads) // 2], 4),
    }


def _load() -> list[float] | None:
    """The load of the last minutes: a table from a busy machine is to be known as one."""
    try:
        return [round(value, 2) for value in os.getloadavg()]
    except (AttributeError, OSError):
        return None
