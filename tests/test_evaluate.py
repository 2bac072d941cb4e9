"""Leave one source out: nothing of the left-out source may be known, and the numbers by hand."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart.errors import BadInput
from headstart.meta.evaluate import Evidence, delayed, evaluate, interval, without_most_influential
from headstart.meta.performance import Performance
from headstart.meta.portfolio import ProbedPortfolio
from headstart.meta.regret import RegretModel
from headstart.meta.selectors.contract import Choice, Pick, Probe, Probed, Situation
from headstart.meta.selectors.guarded import NeverLose
from headstart.meta.selectors.neighbours import SoftNeighbours
from headstart.meta.selectors.plain import NearestIncumbent, RandomConfiguration, RandomPrior, SingleBest
from headstart.meta.selectors.table import as_data, markdown, notes, plain
from tables_of_areas import flat, worlds


@dataclass(frozen=True)
class Watching:
    """Takes the single best and keeps what it was told."""

    seen: list[Situation] = field(default_factory=list)
    name: str = "watching"
    needs: tuple[str, ...] = ()

    def choose(self, situation: Situation) -> Choice:
        self.seen.append(situation)
        return SingleBest().choose(situation)


def test_a_rule_is_told_nothing_of_the_source_that_is_left_out() -> None:
    rng = np.random.default_rng(0)
    names = ("a1", "a2", "b", "c")
    table = Performance.of(
        names, ("of_a", "of_b", "of_none"), rng.uniform(size=(4, 3)),
        sources=("a", "a", "b", "c"), origins=("a", "b", ""),
    )  # fmt: skip
    asked = []

    def likeness(task: str, priors: tuple[str, ...]) -> dict[str, float]:
        asked.append((task, priors))
        return dict.fromkeys(priors, 0.0)

    rule = Watching()
    evaluate(table, [rule], Evidence(likeness, {"simple": rng.normal(size=(4, 2))}))
    told = {tuple(s.performance.priors): s for s in rule.seen}
    assert set(told) == {("b", "c"), ("a1", "a2", "c"), ("a1", "a2", "b")}
    assert told["b", "c"].performance.configs == ("of_b", "of_none")
    assert told["b", "c"].views["simple"].priors.shape == (2, 2)
    source = dict(zip(names, table.sources, strict=True))
    assert all(source[task] not in {source[p] for p in priors} for task, priors in asked)


def test_regret_gain_wins_and_oracle_by_hand() -> None:
    values = np.array([[0.9, 0.5, 0.6], [0.2, 0.5, 0.6], [0.7, 0.5, 0.8]])
    table = Performance.of(("x", "y", "z"), ("a", "b", "c"), values)
    likeness = {"x": {"y": 0, "z": 1}, "y": {"x": 1, "z": 0}, "z": {"x": 1, "y": 0}}
    rules = [SingleBest(), NearestIncumbent()]
    found = evaluate(table, rules, Evidence(lambda task, priors: {p: likeness[task][p] for p in priors}))
    # single best without x: c (.7); without y: a (.8); without z: c (.6, a .55)
    # nearest: x <- z: c .6; y <- x: a .2; z <- x: a .7
    single, nearest = found.lines
    assert single.regret == pytest.approx((0.3 + 0.4 + 0.0) / 3)
    assert nearest.regret == pytest.approx((0.3 + 0.4 + 0.1) / 3)
    assert (nearest.wins, nearest.losses, nearest.least) == (0, 1, pytest.approx(-0.1))
    assert nearest.gain == pytest.approx(-0.1 / 3) and nearest.without == 0.0
    assert nearest.low == pytest.approx(-0.1) and nearest.high == 0.0
    assert single.gain == single.low == single.high == 0.0


def test_the_cross_fitted_oracle_does_not_profit_from_noise() -> None:
    rng = np.random.default_rng(1)
    halves = 0.5 + 0.1 * rng.normal(size=(2, 40, 10))
    names, configs = [f"p{i}" for i in range(40)], [f"c{j}" for j in range(10)]
    table = Performance.of(names, configs, halves.mean(axis=0), halves=halves)
    line = evaluate(table, [SingleBest()], Evidence()).lines[0]
    assert line.cross is not None
    assert line.regret > 0.08 and abs(line.cross) < 0.04
    gaps = dataclasses.replace(table, halves=np.where(np.arange(40)[None, :, None] < 5, np.nan, halves))
    some = evaluate(gaps, [SingleBest()], Evidence()).lines[0]
    assert some.cross is not None and abs(some.cross) < 0.05
    assert (
        evaluate(dataclasses.replace(table, halves=None), [SingleBest()], Evidence()).lines[0].cross is None
    )


def test_rules_of_chance_are_judged_by_their_expectation() -> None:
    table, _ = worlds(6, noise=0.0)
    found = evaluate(table, [RandomConfiguration(), RandomPrior()], Evidence())
    regrets = [(row.max() - row).mean() for row in table.values]
    assert found.line("random configuration").regret == pytest.approx(np.mean(regrets))
    assert found.line("incumbent of a random prior").regret > 0.1


def test_probing_is_charged_to_the_clock() -> None:
    table, _ = worlds(8, noise=0.0)

    def probe(prior: str) -> Probe:
        truth = dict(zip(table.configs, table.values[table.row(prior)].tolist(), strict=True))
        return lambda config, share: Probed(truth[config], 5.0)

    rule = ProbedPortfolio(3, shares=(1.0,))
    free = evaluate(
        table,
        [rule],
        Evidence(probe=probe, charge=lambda p, c, s: table.values[table.row(p), table.column(c)]),
    )
    charged = evaluate(table, [rule], Evidence(probe=probe))
    assert free.lines[0].regret == pytest.approx(0.0) and free.lines[0].seconds == 15.0
    assert charged.lines[0].regret == pytest.approx(0.9 * np.log1p(15 / 60) / np.log1p(20))
    assert delayed(table)("prior00", "c1", 1e9) == 0.0
    assert delayed(table)("prior00", "c1", 0.0) == table.values[0, 1]


def test_what_was_not_run_is_passed_over() -> None:
    values = np.array([[np.nan, 0.4, 0.3], [0.9, 0.4, 0.3], [0.8, 0.4, 0.3], [0.9, 0.4, 0.2]])
    table = Performance.of("wxyz", "abc", values)
    found = evaluate(table, [SingleBest()], Evidence())
    assert found.outcomes[0].reached.tolist() == [0.4, 0.9, 0.8, 0.9]
    assert found.lines[0].regret == pytest.approx(0.0)
    nothing = Performance.of("wxy", "ab", np.array([[np.nan, np.nan], [0.1, 0.2], [0.1, 0.2]]))
    with pytest.raises(BadInput, match="prior w"):
        evaluate(nothing, [SingleBest()], Evidence())


def test_rules_that_lack_something_are_named_and_one_source_is_refused() -> None:
    table, _ = worlds(4)
    found = evaluate(
        table, [SingleBest(), RegretModel(), ProbedPortfolio()], Evidence(views={"simple": np.zeros((4, 1))})
    )
    assert found.left_out == {"regret model": "moments, landmarks", "portfolio of 5, probed": "probe"}
    with pytest.raises(BadInput, match="no rule other"):
        found.line("other")
    one = dataclasses.replace(table, sources=("s",) * 4)
    with pytest.raises(BadInput, match="two or more sources"):
        evaluate(one, [SingleBest()], Evidence())


def test_where_features_tell_the_kinds_choosing_gains_and_the_guard_lets_it() -> None:
    table, features = worlds(16)
    model = RegretModel(("simple",))

    def likeness(task: str, priors: tuple[str, ...]) -> dict[str, float]:
        own = features[table.row(task)]
        return {p: -float(np.linalg.norm(features[table.row(p)] - own)) for p in priors}

    rules = [NearestIncumbent(), SoftNeighbours(), NeverLose(SoftNeighbours()), model, NeverLose(model)]
    for line in evaluate(table, rules, Evidence(likeness, {"simple": features})).lines:
        assert line.gain > 0.12 and line.low > 0.1, line


def test_where_features_say_nothing_the_guard_stays_with_the_single_best() -> None:
    model = RegretModel(("simple",))
    for seed in range(3):
        table, features = flat(16, seed=seed)
        line = evaluate(table, [NeverLose(model)], Evidence(views={"simple": features}), draws=200).lines[0]
        assert line.gain > -0.002


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=30), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_the_interval_holds_the_mean_and_is_the_same_again(gains: list[float], seed: int) -> None:
    values = np.array(gains)
    low, high = interval(values, seed, draws=2000)
    assert values.min() - 1e-9 <= low <= high <= values.max() + 1e-9
    assert (low, high) == interval(values, seed, draws=2000)
    shifted = interval(values + 1.0, seed, draws=2000)
    assert shifted == pytest.approx((low + 1, high + 1))


def test_the_most_influential_source_by_hand() -> None:
    assert without_most_influential(np.array([0.0, 0.0, 0.9])) == 0.0
    assert without_most_influential(np.array([0.1, 0.1, -0.7])) == pytest.approx(0.1)
    assert without_most_influential(np.array([0.5])) == 0.0


def test_the_tables_name_all_rules_how_many_and_what_is_missing() -> None:
    table, _ = worlds(6)
    found = evaluate(table, [SingleBest(), RandomPrior(), ProbedPortfolio()], Evidence(), draws=100)
    page = markdown(found, "single best")
    assert "**single best**" in page and "| incumbent of a random prior |" in page
    assert "2 rules compared on 6 priors of 6 sources" in notes(found)
    assert "Not tried: portfolio of 5, probed (there is no probe)" in notes(found)
    assert all(len(line) <= 80 for line in plain(found).splitlines())
    data = as_data(found)
    assert data["rules"] == 2 and set(data["lines"][0]["by_source"]) == set(table.sources)
    assert data["chosen"]["incumbent of a random prior"] == [""] * 6


def test_a_choice_of_things_never_run_there_is_said() -> None:
    @dataclass(frozen=True)
    class Stubborn:
        name: str = "stubborn"
        needs: tuple[str, ...] = ()

        def choose(self, situation: Situation) -> Choice:
            return Choice((Pick("a", 1.0),))

    table = Performance.of("xyz", "ab", np.array([[np.nan, 0.5], [0.1, 0.2], [0.1, 0.2]]))
    with pytest.raises(BadInput, match="none of the configurations chosen for the prior x"):
        evaluate(table, [Stubborn()], Evidence())
