"""The rules one by one, the table they read, and what the user is told."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart.errors import BadInput
from headstart.meta.fingerprint import Fingerprint, Simple
from headstart.meta.library import Library
from headstart.meta.performance import Performance
from headstart.meta.prior import Features, Prior
from headstart.meta.record import Record
from headstart.meta.regret import RegretModel
from headstart.meta.rules import HEADLINE, rules
from headstart.meta.select import DEFAULT, described, evidence_of, select, situation
from headstart.meta.selectors.contract import Choice, Rule, Situation, View, single_best
from headstart.meta.selectors.evidence import FittedLikeness, Seen, resemblance, tables, views
from headstart.meta.selectors.guarded import NeverLose
from headstart.meta.selectors.neighbours import SoftNeighbours
from headstart.meta.selectors.plain import NearestIncumbent, RandomConfiguration, RandomPrior, SingleBest
from headstart.meta.similarity.nearest_mean import NearestMean
from headstart.words.config import Config, Stage
from headstart.words.recipe import Recipe
from tables_of_areas import flat, worlds

CONFIGS = (
    Config((Stage("lite0", 64, ("d10",)),)),
    Config((Stage("lite0", 64, ("head",)), Stage("lite0", 128, ("d10", "head")))),
    Config(recipe=Recipe("small", 32, weights="random")),
)


def seen(own: np.ndarray, priors: np.ndarray, table: Performance) -> Situation:
    """Similarities and views from plain features."""
    apart = -np.linalg.norm(priors - own, axis=1)
    between = -np.linalg.norm(priors[:, None] - priors[None], axis=2)
    return Situation(
        table, dict(zip(table.priors, apart.tolist(), strict=True)), between,
        {kind: View(priors, own) for kind in ("simple", "moments", "landmarks")},
    )  # fmt: skip


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.name)
@pytest.mark.parametrize("bare", [False, True])
def test_every_rule_ranks_each_configuration_at_most_once_and_weights_sum_to_one(
    rule: Rule, bare: bool
) -> None:
    table, features = worlds(12)
    given_ = Situation(table) if bare else seen(features[0], features, table)
    choice = rule.choose(given_)
    names = [pick.config for pick in choice.picks]
    assert names and len(set(names)) == len(names) and set(names) <= set(table.configs)
    assert sum(pick.weight for pick in choice.picks) == pytest.approx(1)
    assert choice.because and choice.seconds == 0
    assert rule.choose(given_) == choice


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.name)
def test_every_rule_refuses_a_table_without_runs(rule: Rule) -> None:
    empty = Performance.of(("p", "q"), ("a",), np.full((2, 1), np.nan))
    with pytest.raises(BadInput, match="holds no run"):
        rule.choose(Situation(empty))


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.name)
def test_every_rule_lives_with_gaps_in_the_table(rule: Rule) -> None:
    table, features = worlds(12)
    values = table.values.copy()
    values[::3, 4:] = np.nan
    gaps = Performance.of(table.priors, table.configs, values)
    assert rule.choose(seen(features[0], features, gaps)).config in table.configs[:3]


def test_the_nearest_incumbent_is_the_best_of_the_most_alike_then_of_the_next() -> None:
    table = Performance.of("xyz", "abc", np.array([[0.9, 0.1, 0.2], [0.1, 0.9, 0.2], [0.1, 0.2, 0.9]]))
    choice = NearestIncumbent().choose(Situation(table, {"x": -3.0, "y": -1.0, "z": -2.0}))
    assert [pick.config for pick in choice.picks] == ["b", "c", "a"] and "y" in choice.because
    one = NearestIncumbent().choose(Situation(table, {"z": 0.0, "unknown": 5.0}))
    assert [pick.config for pick in one.picks] == ["c"]


def test_ties_go_to_the_better_average_rank() -> None:
    table = Performance.of("xyz", "abc", np.array([[0.9, 0.9, 0.1], [0.5, 0.6, 0.7], [0.5, 0.4, 0.1]]))
    assert table.average_ranks().tolist() == pytest.approx([1.25 / 3, 1.25 / 3, 2 / 3])
    tied = Performance.of("xyz", "abc", np.array([[0.9, 0.9, 0.1], [0.5, 0.6, 0.7], [0.3, 0.4, 0.1]]))
    assert tied.best("x") == "b"


def test_rules_of_chance_say_so() -> None:
    table, _ = worlds(10, noise=0.0)
    prior = RandomPrior().choose(Situation(table))
    assert prior.drawn and {p.config: p.weight for p in prior.picks} == {"c1": 0.5, "c2": 0.5}
    every = RandomConfiguration().choose(Situation(table))
    assert every.drawn and {p.weight for p in every.picks} == {1 / 8}


def test_single_best_counts_sources_alike_and_passes_over_what_was_hardly_run() -> None:
    values = np.array(
        [[0.9, 0.1, np.nan], [0.9, 0.1, np.nan], [0.9, 0.1, np.nan], [0.1, 0.8, 0.99], [0.1, 0.8, np.nan]]
    )
    table = Performance.of("abcde", "xyz", values, sources=["s", "s", "s", "t", "u"])
    assert table.configs[single_best(table)] == "y"
    assert table.weights().tolist() == pytest.approx([1 / 9, 1 / 9, 1 / 9, 1 / 3, 1 / 3])


@given(st.integers(0, 5000))
@settings(max_examples=25, deadline=None)
def test_gaps_of_an_additive_table_are_filled_exactly(seed: int) -> None:
    rng = np.random.default_rng(seed)
    whole = rng.uniform(0.3, 0.5, (7, 1)) + rng.uniform(-0.05, 0.05, (1, 5))
    values = whole.copy()
    values[rng.integers(7), rng.integers(5)] = np.nan
    values[0, 0], values[0, 1] = whole.min(), whole.max()
    values[0, 0], values[0, 1] = whole[0, 0], whole[0, 1]
    table = Performance.of([f"p{i}" for i in range(7)], "abcde", values)
    clipped = np.clip(whole, np.nanmin(values), np.nanmax(values))
    assert np.allclose(table.filled(), np.where(np.isnan(values), clipped, values), atol=1e-4)


def test_means_spread_and_counts_over_seeds() -> None:
    cells = np.array([[[0.4, 0.6, np.nan], [0.5, np.nan, np.nan], [np.nan] * 3]])
    table = Performance.of(("p",), "abc", cells)
    assert table.n.tolist() == [[2, 1, 0]]
    assert table.values[0, :2].tolist() == [0.5, 0.5] and np.isnan(table.values[0, 2])
    assert (
        table.spread[0, 0] == pytest.approx(np.std([0.4, 0.6], ddof=1))
        and np.isnan(table.spread[0, 1:]).all()
    )


def test_a_source_is_left_out_with_the_configurations_found_on_it_and_subsets_keep_order() -> None:
    halves = np.arange(24.0).reshape(2, 4, 3)
    table = Performance.of(
        "wxyz", "abc", np.arange(12.0).reshape(4, 3), sources=["s", "s", "t", "u"], origins=["s", "", "t"],
        halves=halves, settings=CONFIGS,
    )  # fmt: skip
    left = table.without_source("s")
    assert (left.priors, left.configs, left.sources) == (("y", "z"), ("b", "c"), ("t", "u"))
    assert left.values.tolist() == [[7.0, 8.0], [10.0, 11.0]] and left.settings == CONFIGS[1:]
    assert left.halves is not None and left.halves[1].tolist() == [[19.0, 20.0], [22.0, 23.0]]
    turned = table.subset(["z", "w"], ["c", "a"])
    assert turned.values.tolist() == [[11.0, 9.0], [2.0, 0.0]]
    with pytest.raises(BadInput, match="no prior q"):
        table.subset(["q"])
    with pytest.raises(BadInput, match="no configuration q"):
        table.config("q")


def test_tables_that_do_not_fit_are_refused() -> None:
    values = np.zeros((2, 2))
    with pytest.raises(BadInput, match="prior a is in the table"):
        Performance.of("aa", "xy", values)
    with pytest.raises(BadInput, match="needs 2 sources, but has 1"):
        Performance.of("ab", "xy", values, sources=["s"])
    with pytest.raises(BadInput, match="infinite"):
        Performance.of("ab", "xy", np.full((2, 2), np.inf))
    with pytest.raises(BadInput, match="halves"):
        Performance.of("ab", "xy", values, halves=np.zeros((2, 2)))
    with pytest.raises(BadInput, match="no incumbent"):
        Performance.of("ab", "xy", np.full((2, 2), np.nan)).best("a")
    with pytest.raises(BadInput, match="same columns"):
        View(np.zeros((2, 3)), np.zeros(2))
    with pytest.raises(BadInput, match="are of 1 priors"):
        Situation(Performance.of("ab", "xy", values), views={"simple": View(np.zeros((1, 1)), np.zeros(1))})


def test_soft_neighbours_follow_the_kind_and_one_bad_neighbour_does_not_decide() -> None:
    table, features = worlds(noise=0.0)
    assert SoftNeighbours().choose(seen(features[1], features, table)).config == "c2"
    values = np.array([[0.2, 0.9], *[[0.8, 0.5]] * 9])
    odd = Performance.of([f"p{i}" for i in range(10)], "ab", values)
    close = {f"p{i}": -1.0 - 0.01 * i for i in range(10)}
    assert SoftNeighbours(0.4).choose(Situation(odd, close)).config == "a"
    assert NearestIncumbent().choose(Situation(odd, close)).config == "b"


def test_similarity_scale_does_not_matter_to_soft_neighbours() -> None:
    table, features = worlds()
    one = seen(features[3], features, table)
    assert one.between is not None
    other = dataclasses.replace(
        one, similarities={k: 50 * v - 7 for k, v in one.similarities.items()}, between=50 * one.between - 7
    )
    left, right = SoftNeighbours().forecast(one), SoftNeighbours().forecast(other)
    assert np.allclose(left.gain, right.gain) and np.allclose(left.error, right.error)


def test_the_guard_needs_a_record_and_an_expected_gain() -> None:
    table, features = worlds()
    model = RegretModel(("simple",))
    here = seen(features[1], features, table)
    assert NeverLose(model).choose(here).config == "c2"
    assert NeverLose(model, least=0.5).choose(here).config == "c0"
    noise, other = flat()
    kept = NeverLose(model, record=5.0, caution=0.0).choose(seen(other[0] * 3, other, noise))
    assert kept.config == noise.configs[single_best(noise)]


def test_the_headline_is_the_rule_that_was_fixed_before_the_library_existed() -> None:
    assert NeverLose(RegretModel(("simple", "moments", "landmarks")), 1.0, 0.1, 0.0) == HEADLINE
    names = [rule.name for rule in rules()]
    assert len(set(names)) == len(names) and HEADLINE.name in names


def test_the_default_of_fit_never_loses_against_the_single_best() -> None:
    assert SingleBest() == DEFAULT


def library(tmp_path: object, count: int = 10, marks: bool = True) -> tuple[Library, dict[str, Seen]]:
    """Priors of two kinds as a run of `library add` leaves them, with runs; and a new task of each kind."""
    from pathlib import Path

    assert isinstance(tmp_path, Path)
    rng = np.random.default_rng(0)
    told = Library.open(tmp_path)
    centres = rng.normal(size=(2, 16))
    for i in range(count):
        kind = i % 2
        rows = (centres[kind] + 0.3 * rng.normal(size=(60, 16))).astype(np.float32)
        simple = Simple(500, 10, 50.0, 40, 64.0, "image", "single")
        mark: Mapping[str, float] = {"d10": 0.5 + 0.3 * kind} if marks else {}
        name = f"{('letters', 'photos')[kind]}{i}"
        told = told.add_prior(
            Prior.of(name, name, simple, landmarks=mark),
            Features.of(Fingerprint(rows, np.zeros(60, np.int32), simple)),
        )
        areas = (0.75, 0.9, 0.3) if kind else (0.75, 0.3, 0.9)
        runs = [
            Record.of(dataclasses.replace(c, seed=s), [(0.1, a + 0.01 * s)], clock="cpu", budget=1200.0)
            for c, a in zip(CONFIGS, areas, strict=True)
            for s in range(2)
        ]
        told = told.add_runs(name, runs)
    simple = Simple(400, 8, 50.0, 40, 64.0, "image", "single")
    tasks = {
        name: Seen(
            (centres[k] + 0.3 * rng.normal(size=(40, 16))).astype(np.float32), simple, {"d10": 0.5 + 0.3 * k}
        )
        for k, name in enumerate(("letters", "photos"))
    }
    return told, tasks


@pytest.mark.parametrize("marks", [True, False])
def test_from_a_library_it_chooses_by_kind_and_says_why_within_50_ms(tmp_path: object, marks: bool) -> None:
    told, tasks = library(tmp_path, marks=marks)
    table, features = told.matrix(halves=False), told.all_features()
    for name, right in (("letters", CONFIGS[2]), ("photos", CONFIGS[1])):
        start = time.process_time()
        found = select(situation(table, told.priors, features, tasks[name], HEADLINE), HEADLINE)
        spent = time.process_time() - start
        assert found is not None and found.config == right and found.name == right.digest
        assert found.resembles[0].startswith(name) and 0.5 < found.resembles[1] <= 1
        assert found.config.reason == found.reason
        assert found.reason.startswith(f"resembles {found.resembles[0]} (") and "starts with" in found.reason
        assert spent < 0.05


def test_the_papers_rule_takes_the_configuration_of_the_prior_that_is_most_alike(tmp_path: object) -> None:
    """Eq. 3: the nearest is the one with the smallest distance; its best configuration is the answer."""
    told, tasks = library(tmp_path)
    table, features = told.matrix(halves=False), told.all_features()
    for name, right in (("letters", CONFIGS[2]), ("photos", CONFIGS[1])):
        given_ = situation(table, told.priors, features, tasks[name])
        found = select(given_, NearestIncumbent())
        closest = max(given_.similarities, key=lambda prior: given_.similarities[prior])
        assert found is not None and found.config == right and found.resembles[0] == closest
        assert found.name == table.best(closest) and f"was best on {closest}" in found.reason


def test_an_empty_library_and_one_of_bare_names_choose_nothing(tmp_path: object) -> None:
    told, tasks = library(tmp_path, count=2)
    empty = Performance.of((), (), np.zeros((0, 0)))
    assert select(situation(empty, {}, {}, tasks["photos"])) is None
    names = Performance.of(tuple(told), ("a", "b"), np.array([[0.1, 0.2], [0.3, 0.4]]))
    assert select(situation(names, told.priors, told.all_features(), tasks["photos"])) is None


def test_what_a_library_says_serves_the_evaluation(tmp_path: object) -> None:
    from headstart.meta.evaluate import evaluate

    told, _ = library(tmp_path)
    table = told.matrix()
    found = evaluate(table, rules(), evidence_of(told, table), draws=500)
    assert found.line(HEADLINE.name).gain > 0.1 and found.line("nearest incumbent").gain > 0.1
    assert set(found.left_out) == {"portfolio of 3, probed", "portfolio of 5, probed"}


def test_another_similarity_is_fitted_on_the_priors_it_is_asked_about_only(tmp_path: object) -> None:
    told, _ = library(tmp_path, count=6)
    said = FittedLikeness(told.all_features(), NearestMean())
    names = tuple(told)
    ranks = said(names[0], names[1:])
    assert set(ranks) == set(names[1:]) and max(ranks, key=lambda name: ranks[name]).startswith("letters")
    assert said("nobody", names) == {} and said(names[0], ()) == {}


def test_numbers_that_are_not_known_become_the_mean_of_the_priors() -> None:
    table = {"landmarks": np.array([[0.2, np.nan], [0.4, 0.6]]), "moments": np.full((2, 3), np.nan)}
    found = views(table, {"landmarks": np.array([np.nan, 0.5]), "moments": np.zeros(3)})
    assert set(found) == {"landmarks"}
    assert found["landmarks"].priors.tolist() == [[0.2, 0.6], [0.4, 0.6]]
    assert found["landmarks"].own.tolist() == pytest.approx([0.3, 0.5])
    assert views({"simple": np.zeros((2, 3))}, {"simple": np.zeros(2)}) == {}


def test_priors_without_features_are_not_compared(tmp_path: object) -> None:
    told, tasks = library(tmp_path, count=4)
    features = told.all_features()
    lone = {name: features[name] for name in list(features)[:1]}
    mean = tasks["photos"].features.mean(axis=0)
    assert set(resemblance(mean, 40, lone)) == set(lone)
    assert resemblance(mean, 40, {}) == {}
    assert resemblance(np.zeros(5, np.float32), 3, features) == {}
    rows = tables(list(told.priors.values()), lone)
    assert np.isnan(rows["moments"][1:]).all() and rows["moments"].shape == (4, 32)


def test_configurations_in_words() -> None:
    assert described(CONFIGS[0]) == "inner-layer features at 64 px"
    assert described(CONFIGS[1]) == "last-layer features at 64 px, 2 stages up to 128 px"
    assert described(CONFIGS[2]) == "small@32 trained from scratch"
    both = Config((Stage("pixels", 16, ("raw",)),), recipe=Recipe("lite0", 64))
    assert described(both) == "pixels at 16 px, lite0@64 fine-tuned"


def test_a_choice_is_its_first_pick() -> None:
    table, _ = worlds(4)
    choice: Choice = SingleBest().choose(Situation(table))
    assert choice.config == choice.picks[0].config == "c0"
