"""Spaces of configurations: what they hold, what they do not, and that their conditions keep."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.choosing import continues
from headstart.errors import BadInput
from headstart.learn.plan import default_config
from headstart.words.config import Config, Stage
from headstart.words.recipe import Recipe
from headstart.words.space import SPACES, Drawn, Given, Space, find_space
from headstart.words.task import Kind

EVERY = [(name, kind) for name in SPACES for kind in ("image", "video")]


def sampled(name: str, kind: Kind = "image", count: int = 200) -> list[Config]:
    rng = np.random.default_rng(3)
    return [find_space(name, kind).sample(rng) for _ in range(count)]


@pytest.mark.parametrize(("name", "kind"), EVERY)
def test_what_is_sampled_is_valid_and_contained_and_round_trips(name: str, kind: Kind) -> None:
    space = find_space(name, kind)
    for config in sampled(name, kind):
        assert Config.from_json(config.to_json()) == config
        assert space.contains(config) and space.contains(replace(config, seed=7, reason="why"))
        assert space.suggest(Given(space.values(config))) == config


@given(st.integers(0, 2**32 - 1), st.sampled_from(EVERY))
def test_answers_make_the_same_configuration_again(seed: int, which: tuple[str, Kind]) -> None:
    space = find_space(*which)
    drawn = Drawn(np.random.default_rng(seed))
    config = space.suggest(drawn)
    assert space.values(config) == drawn.values


def test_the_papers_space_is_that_of_section_5_4() -> None:
    for config in sampled("paper"):
        recipe = config.recipe
        assert config.stages == () and recipe is not None
        assert recipe.optimiser in ("adam", "sgd") and recipe.batch in (16, 32, 64, 128)
        assert 1e-5 <= recipe.rate <= 0.5 and 0.01 <= recipe.dropout <= 0.99
        assert recipe.weight_decay == (1e-6 if recipe.optimiser == "sgd" else 0.0)
        plain = Recipe(recipe.network, recipe.pixels)
        assert (recipe.schedule, recipe.mixing, recipe.blocks) == (plain.schedule, plain.mixing, plain.blocks)
    assert find_space("paper", networks=["resnet18@128"]).dimension == 4


def test_rates_are_uniform_on_a_logarithmic_scale() -> None:
    rates = np.log10([c.recipe.rate for c in sampled("paper", count=600) if c.recipe is not None])
    low, high = np.log10(1e-5), np.log10(0.5)
    assert np.histogram(rates, 4, (low, high))[0].min() > 600 / 4 * 0.75


def test_the_frozen_space_trains_nothing_and_always_has_a_stage() -> None:
    found = sampled("frozen")
    assert all(config.recipe is None and config.stages for config in found)
    sizes = {stage.pixels for config in found for stage in config.stages if stage.backbone == "lite0"}
    assert sizes == {32, 64, 96, 128, 224}
    falling = [
        c for c in found if [s.pixels for s in c.stages] == sorted((s.pixels for s in c.stages), reverse=True)
    ]
    assert any(len(config.stages) > 1 for config in falling)


def test_all_holds_stages_alone_networks_alone_and_both() -> None:
    found = {(bool(config.stages), config.recipe is not None) for config in sampled("all")}
    assert found == {(True, False), (False, True), (True, True)}
    recipes = [config.recipe for config in sampled("all") if config.recipe is not None]
    assert all(recipe.epochs > 0 for recipe in recipes if recipe.schedule == "cosine")
    assert all(recipe.epochs == 0 for recipe in recipes if recipe.schedule == "constant")
    assert all(recipe.blocks is None for recipe in recipes if recipe.weights == "random")


def test_clips_may_be_looked_at_by_one_frame_or_by_several() -> None:
    found = sampled("all", "video", 400)
    assert {stage.frames for config in found for stage in config.stages} == {1, 8}
    assert any(stage.backbone == "motion" for config in found for stage in config.stages)
    recipes = [config.recipe for config in found if config.recipe is not None]
    assert {recipe.aggregation for recipe in recipes} == {"logits", "features", "convolution", "gru"}
    assert {"segments", "middle", "keyframe", "random", "even"} == {recipe.selection for recipe in recipes}
    assert {stage.frames for config in sampled("all") for stage in config.stages} == {1}


@pytest.mark.parametrize("kind", ["image", "video"])
def test_all_of_the_space_fit_goes_on_from_the_first_pass_of_the_plan(kind: Kind) -> None:
    plan = default_config(0, 0, (), kind)
    assert all(continues(config, plan) for config in sampled("fit", kind))
    assert find_space("fit", kind).contains(plan)
    assert not any(find_space("fit", kind).contains(config) for config in sampled("all", kind, 50))


def test_the_plan_of_fit_is_in_the_frozen_space() -> None:
    plan = default_config(100, 4, [(64, 64)])
    assert SPACES["frozen"].contains(plan) and SPACES["all"].contains(plan)
    assert not SPACES["paper"].contains(plan)


@pytest.mark.parametrize(
    "change",
    [
        {"stages": (Stage("lite0", 160, ("d10",)),)},
        {"stages": (Stage("lite0", 64, ("d4", "head")),)},
        {"stages": (Stage("lite0", 64, ("d10",)), Stage("pixels", 64, ("rgb16",)))},
        {"stages": (Stage("lite0", 96, ("d10",)), Stage("lite0", 32, ("d10",)), Stage("lite0", 64, ("d10",)))},
        {"members": 9},
        {"heads": ("lda", "ridge")},
        {"folds": 4},
        {"recipe": Recipe("resnet18", 64)},
    ],
)  # fmt: skip
def test_what_it_does_not_hold_is_refused_with_a_reason(change: dict[str, object]) -> None:
    config = replace(Config(stages=(Stage("lite0", 64, ("d10",)),)), **change)  # type: ignore[arg-type]
    assert not SPACES["frozen"].contains(config)
    with pytest.raises(BadInput, match="the space 'frozen' does not hold this configuration"):
        SPACES["frozen"].values(config)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(BadInput, match="paper, frozen, all"):
        find_space("everything")
    with pytest.raises(BadInput, match="trains no network 'vgg'"):
        find_space("paper", networks=["vgg"])
    with pytest.raises(BadInput, match="trains no network 'resnet18@31'"):
        find_space("paper", networks=["resnet18@31"])
    with pytest.raises(BadInput, match="it has none"):
        find_space("frozen", networks=["resnet18"])


def test_a_question_has_the_same_choices_wherever_it_is_asked() -> None:
    """What Optuna asks of a name: else it refuses the second one."""

    class Noted(Drawn):
        def suggest_categorical(self, name: str, choices: object) -> object:
            assert seen.setdefault(name, choices) == choices
            return super().suggest_categorical(name, choices)  # type: ignore[arg-type]

    for name, kind in EVERY:
        seen: dict[str, object] = {}
        rng = np.random.default_rng(1)
        for _ in range(300):
            find_space(name, kind).suggest(Noted(rng))  # type: ignore[arg-type]


def test_the_networks_are_those_of_the_portfolio() -> None:
    networks = pytest.importorskip("headstart.transfer.networks").NETWORKS
    for network in (*SPACES["all"].networks, *SPACES["paper"].networks):
        row = networks[network.name]
        assert set(network.pixels) <= set(row.pixels) and network.pretrained == row.pretrained


def test_a_space_without_sizes_and_networks_beside_each_other() -> None:
    space = Space("mine", sizes=(64,), networks=SPACES["paper"].networks[:1], beside=False)
    rng = np.random.default_rng(0)
    assert {(bool(c.stages), c.recipe is not None) for c in (space.sample(rng) for _ in range(60))} == {
        (True, False), (False, True),
    }  # fmt: skip
