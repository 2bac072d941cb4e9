"""The three ways to learn: stages alone, stages and a network trained beside them, or that network alone."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import Literal, get_args

from headstart.errors import BadConfig, BadInput
from headstart.learn.challenger import Challenger, Report
from headstart.learn.later import Later, Made
from headstart.learn.material import Material
from headstart.running import Challenging
from headstart.words.clock import Clock, CostClock
from headstart.words.config import Config
from headstart.words.recipe import Recipe
from headstart.words.task import Task

Method = Literal["anytime", "frozen", "transfer"]
_NETWORKS = 3  # of the recipe that helps, each without another fold: more cost as much again and bring little
LEAST = 100  # training samples
METHODS: tuple[Method, ...] = get_args(Method)


def planned(method: Method, config: Config | None, task: Task) -> Config | None:
    """The configuration that the method asks for; None = the automatic plan. Raises BadConfig, BadInput."""
    if method not in METHODS:
        raise BadInput(f"there is no method {method!r}: it must be one of {', '.join(METHODS)}")
    if method == "transfer" and config is None:
        from headstart.recipes.seed_paper import config_for

        return config_for(task.kind)
    if config is not None and not config.stages and method != "transfer":
        raise BadConfig('this configuration has no stages: that is the method "transfer" (--method transfer)')
    if config is not None and config.recipe is None and method == "transfer":
        raise BadConfig('the method "transfer" needs a recipe, but this configuration has none')
    if config is not None and config.stages and method == "transfer":
        raise BadConfig(
            'the method "transfer" has no stages, but this configuration has: leave them out, or use "anytime"'
        )
    return config


def challenging(
    method: Method, config: Config | None, task: Task, clock: Clock | None, seed: int | None
) -> Challenging | None:
    """What makes the network that is trained; None where none is to be, or none can.

    config: what the user gave, or the method asks for; None = the automatic plan. Without a recipe it is left out where
    there are fewer than LEAST training samples (a fifth of them could not judge a network), where torch is not
    installed, and where the time is simulated. Raises BadInput where a recipe asks for it and torch is not there.
    """
    recipe = config.recipe if config is not None else None
    asked = recipe is not None
    if method == "frozen" or (config is not None and not asked):
        return None  # a configuration says all that is to happen
    if not asked and (isinstance(clock, CostClock) or len(task.train) < LEAST):
        return None
    if importlib.util.find_spec("torch") is None:
        if recipe is None:
            return None
        raise BadInput('training a network needs torch: pip install "headstart[torch]"')

    def made(material: Material, config: Config, clock: Clock) -> Challenger:
        def load() -> Made:
            from headstart.transfer.challenger import Challenge
            from headstart.transfer.rounds import Tried, next_recipe

            def plan(report: Report, tried: Sequence[Tried]) -> Recipe | None:
                if recipe is not None:
                    return None if tried else recipe
                return next_recipe(task.kind, len(material.targets), report.far, tried)

            drawn = config.seed if seed is None else seed
            return lambda: Challenge(material, plan, clock, drawn, _NETWORKS if config.stages else 1)

        return Later(load, background=not isinstance(clock, CostClock))

    return made
