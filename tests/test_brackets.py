"""The arithmetic of Hyperband and BOHB, by golden values and as properties."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart.errors import BadInput
from headstart.meta.brackets import Bracket, Place, Schedule, good, model_budget, promoted


def test_the_papers_brackets() -> None:
    paper = Schedule(1, 9, 3, 10)
    assert [paper.bracket(i) for i in range(4)] == [
        Bracket((9, 3, 1), (1.0, 3.0, 9.0)),
        Bracket((3, 1), (3.0, 9.0)),
        Bracket((3,), (9.0,)),
        Bracket((9, 3, 1), (1.0, 3.0, 9.0)),
    ]
    assert (paper.configurations, paper.evaluations) == (54, 73)
    assert paper.budgets == (1.0, 3.0, 9.0)


def test_other_budgets() -> None:
    assert [Schedule(1, 81, 3).bracket(i).sizes for i in range(5)] == [
        (81, 27, 9, 3, 1), (27, 9, 3, 1), (9, 3, 1), (6, 2), (5,),
    ]  # fmt: skip
    assert Schedule(2, 2).bracket(5) == Bracket((1,), (2.0,))
    for wrong in ({"least": 0.0}, {"least": 10.0}, {"eta": 1}, {"iterations": 0}, {"most": float("inf")}):
        with pytest.raises(BadInput):
            Schedule(**wrong)  # type: ignore[arg-type]


def played(schedule: Schedule, parallel: int, value: dict[Place, float]) -> list[Place]:
    """The order in which places end, where `parallel` are under way at a time and any of them ends next."""
    rng, order, done, running = random.Random(1), [], {}, set()  # type: ignore[var-annotated]
    while True:
        while len(running) < parallel and (place := next(schedule.ready(done, running), None)) is not None:
            running.add(place)
        if not running:
            return order
        ended = rng.choice(sorted(running))
        running.remove(ended)
        done[ended] = value.setdefault(ended.root, rng.random())
        order.append(ended)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 9), st.sampled_from([(1.0, 9.0, 3), (1.0, 8.0, 2), (1.0, 27.0, 3), (1.0, 1.0, 3)]))
def test_every_evaluation_is_made_once_and_the_best_go_on(
    parallel: int, sizes: tuple[float, float, int]
) -> None:
    schedule = Schedule(*sizes, 5)
    value: dict[Place, float] = {}
    order = played(schedule, parallel, value)
    assert len(order) == len(set(order)) == schedule.evaluations
    for iteration in range(5):
        bracket = schedule.bracket(iteration)
        for rung, size in enumerate(bracket.sizes):
            here = [place for place in order if (place.iteration, place.rung) == (iteration, rung)]
            assert len(here) == size
            assert all(schedule.budget(place) == bracket.budgets[rung] for place in here)
            if rung:
                below = [p for p in order if (p.iteration, p.rung) == (iteration, rung - 1)]
                last = max(order.index(place) for place in below)
                assert min(order.index(place) for place in here) > last  # the rung was closed first
                kept = {place.root for place in here}
                dropped = [value[place.root] for place in below if place.root not in kept]
                assert min(value[place] for place in kept) >= max(dropped, default=-1.0)


def test_alone_one_iteration_after_the_other() -> None:
    order = played(Schedule(iterations=3), 1, {})
    assert [place.iteration for place in order] == [0] * 13 + [1] * 4 + [2] * 3


def test_of_equal_ones_the_earlier_is_promoted() -> None:
    values = {Place(0, 0, slot): value for slot, value in enumerate([0.5, 0.7, 0.7, 0.5, 0.7])}
    assert [place.slot for place in promoted(values, 2)] == [1, 2]
    assert Place(2, 1, 4).root == Place(2, 0, 4) == Place(2, 1, 4).before
    assert Place(2, 0, 4).before is None


def test_proposals_come_from_the_largest_budget_with_enough_results() -> None:
    """Dimension 4: 5 good ones and 5 bad ones, so 10."""
    assert model_budget({}, 4) is None
    assert model_budget({1.0: 9}, 4) is None
    assert model_budget({1.0: 10}, 4) == 1.0
    assert model_budget({1.0: 27, 3.0: 10, 9.0: 9}, 4) == 3.0
    assert model_budget({1.0: 27, 3.0: 15, 9.0: 10}, 4) == 9.0
    assert model_budget({1.0: 27, 9.0: 10}, 5) == 1.0
    assert [good(count, 4) for count in (10, 33, 34, 100)] == [5, 5, 5, 15]
