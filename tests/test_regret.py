"""The regressor of the regret: its closed forms against brute force, and what it does where features say nothing."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart.meta import regret
from headstart.meta.regret import RegretModel
from headstart.meta.selectors.contract import Situation, View, gains, single_best
from tables_of_areas import flat, worlds


def situation(kind: float, seed: int = 0) -> Situation:
    table, features = worlds(seed=seed)
    return Situation(table, views={"simple": View(features, np.array([kind * 4.0, 0.0]))})


def test_it_takes_what_is_best_on_the_kind_that_the_task_is_of() -> None:
    model = RegretModel(("simple",))
    assert model.choose(situation(0)).config == "c1"
    assert model.choose(situation(1)).config == "c2"


def test_its_forecast_is_near_the_gain_and_names_a_prior_of_the_kind() -> None:
    expected = RegretModel(("simple",)).forecast(situation(1))
    assert expected.gain[2] == pytest.approx(0.15, abs=0.03)
    assert expected.gain[0] == 0.0
    assert int(expected.because[-2:]) % 2 == 1


def test_without_any_of_its_views_or_with_two_sources_it_is_the_mean() -> None:
    table, features = worlds()
    mean = table.weights() @ gains(table)
    assert np.allclose(RegretModel(("simple",)).forecast(Situation(table)).gain, mean)
    few = table.subset(table.priors[:2])
    view = {"simple": View(features[:2], features[2])}
    assert np.allclose(
        RegretModel(("simple",)).forecast(Situation(few, views=view)).gain, few.weights() @ gains(few)
    )


def test_features_that_are_equal_for_all_priors_do_not_matter() -> None:
    table, features = worlds()
    constant = np.column_stack([features, np.full(len(features), 7.0)])
    plain = RegretModel(("simple",)).forecast(Situation(table, views={"simple": View(features, features[0])}))
    more = Situation(table, views={"simple": View(constant, np.append(features[0], 99.0))})
    assert np.argmax(RegretModel(("simple",)).forecast(more).gain) == np.argmax(plain.gain)


@given(st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_leaving_a_source_out_in_closed_form_equals_solving_without_it(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(9, 3))
    wanted = rng.normal(size=(9, 2))
    sources = ("a", "a", "b", "c", "d", "d", "d", "e", "f")
    kernel = np.exp(-0.5 * ((rows[:, None] - rows[None]) ** 2).sum(axis=2)) + regret.LEVEL
    system = kernel + 0.3 * np.eye(9)
    found = regret._left_out(system, wanted, sources)
    for source in set(sources):
        out = np.array([name == source for name in sources])
        weights = np.linalg.solve(system[np.ix_(~out, ~out)], wanted[~out])
        assert np.allclose(found[out], wanted[out] - kernel[np.ix_(out, ~out)] @ weights, atol=1e-6)


def test_noise_makes_it_no_worse_than_the_mean_by_much() -> None:
    lost = []
    for seed in range(8):
        table, features = flat(seed=seed)
        given_ = Situation(table, views={"simple": View(features, np.zeros(3))})
        chosen = RegretModel(("simple",)).choose(given_).config
        means = table.weights() @ table.values
        lost.append(means.max() - means[table.column(chosen)])
    assert np.mean(lost) < 0.01


def test_twins_of_one_source_count_as_one_prior() -> None:
    table, features = worlds(8)
    double = table.subset(table.priors)
    again = dataclasses.replace(
        double,
        priors=(*double.priors, "twin"),
        sources=(*double.sources, double.sources[0]),
        values=np.vstack([double.values, double.values[:1]]),
        spread=np.vstack([double.spread, double.spread[:1]]),
        n=np.vstack([double.n, double.n[:1]]),
    )
    assert again.weights()[0] == pytest.approx(again.weights()[1] / 2)
    assert single_best(again) == single_best(table)
    both = np.vstack([features, features[:1]])
    view = {"simple": View(both, features[1])}
    assert RegretModel(("simple",)).choose(Situation(again, views=view)).config == "c2"
