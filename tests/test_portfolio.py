"""The greedy portfolio, its growth, and choosing among its members by trying them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart.errors import BadInput
from headstart.meta.performance import Performance
from headstart.meta.portfolio import ProbedPortfolio, greedy, growth
from headstart.meta.selectors.contract import Probed, Situation
from tables_of_areas import worlds


def table(cells: list[list[float]], sources: list[str] | None = None) -> Performance:
    values = np.array(cells)
    names = [f"p{i}" for i in range(len(values))]
    return Performance.of(names, [f"c{j}" for j in range(values.shape[1])], values, sources=sources)


def test_by_hand_the_second_member_is_the_one_that_helps_most() -> None:
    areas = table([[0.9, 0.0, 0.8], [0.1, 0.6, 0.7]])
    assert greedy(areas, 3) == ("c2", "c0", "c1")  # means .5 .3 .75; with c2: .8, .75; c1 adds nothing


def test_equals_are_taken_by_average_rank() -> None:
    areas = table([[0.5, 0.5, 0.1], [0.6, 0.4, 0.1], [0.2, 0.4, 0.1], [0.1, 0.1, 0.1]])
    assert greedy(areas, 1) == ("c0",)


def test_a_size_below_one_and_an_empty_table_are_refused() -> None:
    with pytest.raises(BadInput, match="1 or more"):
        greedy(table([[0.5]]), 0)
    with pytest.raises(BadInput, match="holds no run"):
        greedy(table([[np.nan]]), 1)


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_growth_rises_to_the_oracle_and_leaving_out_is_never_better_than_the_oracle(seed: int) -> None:
    rng = np.random.default_rng(seed)
    areas = table(rng.uniform(size=(6, 4)).tolist(), ["a", "a", "b", "c", "d", "e"])
    found = growth(areas, 9)
    assert len(found.members) == 4 == len(set(found.members))
    assert (np.diff(found.inside) >= -1e-12).all() and (np.diff(found.left_out) >= -1e-12).all()
    assert found.inside[-1] == pytest.approx(found.oracle)
    assert (found.left_out <= found.oracle + 1e-12).all()
    assert found.inside[0] == pytest.approx((areas.weights() @ areas.values).max())


def test_two_kinds_of_priors_need_two_members() -> None:
    areas, _ = worlds(noise=0.0)
    assert set(greedy(areas, 3)) == {"c0", "c1", "c2"}


def test_halving_keeps_the_better_half_and_charges_every_trial() -> None:
    areas, _ = worlds(noise=0.0)
    asked: list[tuple[str, float]] = []

    def probe(config: str, share: float) -> Probed:
        asked.append((config, share))
        return Probed({"c0": 0.7, "c1": 0.2, "c2": 0.9}.get(config, 0.1), 10 * share)

    choice = ProbedPortfolio(4, shares=(0.25, 1.0)).choose(Situation(areas, probe=probe))
    assert choice.config == "c2"
    assert [share for _, share in asked] == [0.25] * 4 + [1.0] * 2
    assert {config for config, share in asked if share == 1.0} == {"c0", "c2"}
    assert choice.seconds == pytest.approx(4 * 2.5 + 2 * 10)
    assert [pick.config for pick in choice.picks][:2] == ["c2", "c0"]
    assert sum(pick.weight for pick in choice.picks) == pytest.approx(1)


def test_without_a_probe_it_is_the_single_best() -> None:
    areas, _ = worlds()
    choice = ProbedPortfolio(3).choose(Situation(areas))
    assert choice.config == "c0" and choice.seconds == 0
