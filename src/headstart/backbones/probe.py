"""Which precision is faster here: a short measured comparison, not a guess from the processor's name."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from headstart.backbones.session import Session, open_session
from headstart.backbones.table import Precision, find

if TYPE_CHECKING:  # a run by the real clock needs no table
    from headstart.words.costs import CostTable

_NEEDED = 1.15  # int8 must be so much faster: below, its rounding buys nothing
_PIXELS, _BATCH, _ROUNDS = 64, 2, 3


@dataclass(frozen=True)
class Choice:
    """The precision to use, why, and images per second of each on the cut graph at 64 px."""

    precision: Precision
    reason: str
    rates: dict[Precision, float]


def choose_precision() -> Choice:
    """int8 where it is clearly faster than fp32 on this processor, by the best of a few interleaved runs.

    Costs about .04 CPU-s, most of it loading the two small graphs.
    """
    names: tuple[Precision, Precision] = ("fp32", "int8")
    sessions = {name: open_session("lite0_cut", name) for name in names}
    images = np.random.default_rng(0).integers(0, 256, (_BATCH, _PIXELS, _PIXELS, 3), np.uint8)
    rounds = [{name: _time(sessions[name], images) for name in names} for _ in range(_ROUNDS)]
    rates = {name: _BATCH / max(min(spent[name] for spent in rounds), 1e-9) for name in names}
    return _chosen(rates, "here")


def told_precision(costs: CostTable) -> Choice:
    """The same by a cost table, which says it again at the next run. Raises BadInput where fp32 is not in it.

    Without int8 in the table: fp32.
    """
    precisions: tuple[Precision, Precision] = ("fp32", "int8")
    names = {precision: cost_name("lite0_cut", precision) for precision in precisions}
    if not costs.knows("forward", names["int8"]):
        return Choice("fp32", "fp32: the cost table has no other", {})
    rates: dict[Precision, float] = {
        precision: _BATCH / costs.seconds("forward", names[precision], _PIXELS, _BATCH)
        for precision in precisions
    }
    return _chosen(rates, "by the cost table")


def _chosen(rates: dict[Precision, float], where: str) -> Choice:
    ratio = rates["int8"] / rates["fp32"]
    precision: Precision = "int8" if ratio >= _NEEDED else "fp32"
    return Choice(precision, f"{precision}: int8 runs at {ratio:.2f} times the speed of fp32 {where}", rates)


def cost_name(backbone: str, precision: Precision) -> str:
    """What a backbone is called in a cost table: its name, with `:int8` where it runs so."""
    return f"{backbone}:int8" if find(backbone).precision(precision) == "int8" else backbone


def _time(session: Session, images: np.ndarray) -> float:
    """Wall seconds: the CPU clocks of some systems are too coarse. The best round has met no other load."""
    started = time.perf_counter()
    session(images)
    return time.perf_counter() - started
