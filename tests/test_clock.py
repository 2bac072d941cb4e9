"""Clocks count what they say they count; budgets are read and shown as people write them."""

from __future__ import annotations

import math
import subprocess
import sys
import threading
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.errors import BadBudget, BadInput
from headstart.words.clock import Budget, Clock, CostClock, CpuClock, WallClock
from headstart.words.costs import Cost, CostTable

TABLE = CostTable((Cost("forward", "lite0", 64, 0.25, 0.5), Cost("solve", "lda", 0, 2.0, 0.0)))


def _busy(seconds: float) -> None:
    start = time.thread_time()
    while time.thread_time() - start < seconds:
        pass


@pytest.mark.parametrize("clock", [WallClock(), CpuClock(), CostClock(TABLE)])
def test_every_clock_goes_forward_and_takes_charges(clock: Clock) -> None:
    before = clock.now()
    clock.charge("forward", "lite0", 64, 3)
    assert clock.now() >= before >= 0


def test_wall_clock_counts_sleep_and_what_had_passed() -> None:
    clock = WallClock(already=100.0)
    time.sleep(0.02)
    assert 100.02 <= clock.now() < 160


def test_cpu_clock_counts_every_thread_but_no_sleep() -> None:
    clock = CpuClock()
    before = clock.now()
    threads = [threading.Thread(target=_busy, args=(0.05,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spent = clock.now() - before
    time.sleep(0.2)
    assert spent >= 0.1
    assert clock.now() - before < spent + 0.15


def test_cpu_clock_counts_from_the_start_of_the_process_without_its_children() -> None:
    program = (
        "import subprocess, sys, time\n"
        "end = time.process_time() + .2\n"
        "while time.process_time() < end: pass\n"  # before the clock exists
        "from headstart.words.clock import CpuClock\n"
        "clock = CpuClock()\n"
        "first = clock.now()\n"
        "child = 'import time\\nwhile time.process_time() < .4: pass'\n"
        "subprocess.run([sys.executable, '-c', child], check=True)\n"
        "print(first, clock.now() - first)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    first, during_child = map(float, done.stdout.split())
    assert first >= 0.2
    assert during_child < 0.2


def test_cost_clock_adds_what_is_charged() -> None:
    clock = CostClock(TABLE)
    assert clock.now() == 0.0
    clock.charge("forward", "lite0", 64, 4)
    clock.charge("solve", "lda", 0, 1000)
    clock.charge("forward", "lite0", 64, 1)
    assert clock.now() == 2.25 + 2.0 + 0.75
    assert clock.totals() == {"forward": 3.0, "solve": 2.0}


def test_cost_clock_stands_still_while_time_passes() -> None:
    clock = CostClock(TABLE)
    time.sleep(0.01)
    assert clock.now() == 0.0


def test_cost_clock_names_work_that_it_does_not_know() -> None:
    clock = CostClock(TABLE)
    with pytest.raises(BadInput, match="no row for forward lite0 at 128 pixels"):
        clock.charge("forward", "lite0", 128, 1)
    assert clock.now() == 0.0


def test_cost_clock_refuses_a_table_that_would_turn_time_back() -> None:
    with pytest.raises(BadInput, match="costs nothing or less"):
        CostClock(CostTable((Cost("solve", "lda", 0, -1.0, 0.0),)))


def test_cost_clock_loses_no_charge_between_threads() -> None:
    clock = CostClock(TABLE)

    def work() -> None:
        for _ in range(2000):
            clock.charge("forward", "lite0", 64, 1)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert clock.now() == 8000 * 0.75
    assert clock.totals() == {"forward": 8000 * 0.75}


def test_budget_left_and_spent() -> None:
    clock, budget = CostClock(TABLE), Budget(4.0)
    assert (budget.left(clock), budget.spent(clock)) == (4.0, 0.0)
    clock.charge("solve", "lda", 0, 1)
    assert (budget.left(clock), budget.spent(clock)) == (2.0, 0.5)
    for _ in range(2):
        clock.charge("solve", "lda", 0, 1)
    assert (budget.left(clock), budget.spent(clock)) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90), ("20m", 1200), ("1h", 3600), ("1h30m", 5400), ("1200", 1200), ("1h 30m", 5400),
        ("1h30m15s", 5415), ("1h5s", 3605), ("2m 30s", 150), ("1.5h", 5400), (" 20M ", 1200), ("0.5", 0.5),
        ("1.25s", 1.25), (1200, 1200), (0.5, 0.5),
    ],
)  # fmt: skip
def test_budget_is_read(text: str | float, seconds: float) -> None:
    assert Budget.parse(text) == Budget(seconds)


@pytest.mark.parametrize(
    "text",
    ["", " ", "soon", "-5", "-5m", "0", "0s", "0h0m", "nan", "inf", "1e3", "1h30", "20m30", "30m1h", "1d",
     "20 min", "1,5h", "1h-5m", "h", ".", "\u0663m", "9" * 400, "9" * 400 + "h", 0, -1, math.nan, math.inf,
     10**400, None, [1]],
)  # fmt: skip
def test_budget_is_refused_with_examples(text: Any) -> None:
    with pytest.raises(BadBudget) as refusal:
        Budget.parse(text)
    message = str(refusal.value)
    assert '"20m"' in message
    assert "\n" not in message
    assert len(message) < 220


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(90, "90s"), (1200, "20m"), (5400, "1h 30m"), (60, "1m"), (119, "119s"), (120, "2m"), (150, "2m 30s"),
     (3600, "1h"), (3605, "1h 5s"), (0.5, "0.5s"), (1199.7, "19m 59.7s"), (1e-9, "0.001s"), (119.9996, "2m"),
     (100, "100s")],
)  # fmt: skip
def test_budget_is_shown(seconds: float, text: str) -> None:
    assert str(Budget(seconds)) == text


@given(st.floats(0.001, 1e7))
def test_what_is_shown_can_be_read(seconds: float) -> None:
    assert Budget.parse(str(Budget(seconds))).seconds == pytest.approx(seconds, abs=0.000501)
