"""A challenger's libraries are loaded when it is first wanted."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from headstart.errors import BadInput
from headstart.learn.challenger import Challenger, Report, Stand
from headstart.learn.later import Later


class Counting:
    """A challenger that counts to three."""

    def __init__(self) -> None:
        self.count, self.closed = 0, False

    @property
    def stand(self) -> Stand | None:
        return None

    @property
    def doing(self) -> str:
        return f"count {self.count}"

    @property
    def done(self) -> bool:
        return self.count >= 3

    def work(self, report: Report, seconds: float) -> bool:
        self.count += 1
        return True

    def close(self) -> None:
        self.closed = True


def report(alone: bool) -> Report:
    return Report(1.0, 9.0, np.zeros((0, 2), np.float32), np.zeros(0, np.int64), 9.0, alone)


def test_it_loads_beside_the_stages_and_then_works() -> None:
    gate, made = threading.Event(), Counting()

    def load():
        gate.wait(5)
        return lambda: made

    later: Challenger = Later(load, background=True)
    assert not later.work(report(alone=False), 0.1) and later.doing == "loading torch" and not later.done
    assert made.count == 0
    gate.set()
    assert later.work(report(alone=True), 0.1)  # alone there is nothing else to do: it waits
    assert later.doing == "count 1"
    later.work(report(alone=True), 0.1), later.work(report(alone=True), 0.1)
    assert later.done
    later.close()
    assert made.closed


def test_what_loading_raises_reaches_the_caller() -> None:
    def load():
        raise BadInput("there is no torch")

    with pytest.raises(BadInput, match="no torch"):
        Later(load, background=False).work(report(alone=False), 0.1)


def test_closed_before_it_was_loaded() -> None:
    later = Later(lambda: Counting, background=True)
    later.close()
    assert later.done
