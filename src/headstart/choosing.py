"""Which stages follow the first pass: what worked on the priors of the library that the task resembles."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from headstart.errors import HeadstartError
from headstart.learn.features import Features
from headstart.learn.plan import passes
from headstart.words.clock import Budget
from headstart.words.config import Config, Stage
from headstart.words.task import Task

Chooser = Callable[[Features, Mapping[str, float]], "Chosen | None"]
_LOOKED_AT = 256  # samples: more tell no more (docs/benchmarks.md, recognition)
_LEAST = 8  # samples: of fewer nothing can be said


@dataclasses.dataclass(frozen=True)
class Chosen:
    """What was decided. stages: of the whole run, the first pass included; reason: for the user, one line."""

    stages: tuple[Stage, ...]
    reason: str


def chooser(
    task: Task, config: Config, budget: Budget, folders: tuple[Path, ...] | None, held_out: str
) -> Chooser:
    """A chooser that reads the library when it is asked: the shipped and the user's, or those in `folders`.

    held_out: a source of the library that must not be used, for evaluation; "" = none.
    """

    def choose(features: Features, evidence: Mapping[str, float]) -> Chosen | None:
        from headstart.meta.fingerprint import BLOCK, from_block

        if features.pass_of.get(BLOCK) != 0:
            return None
        rows, seen = features.raw(BLOCK, _LOOKED_AT)
        if len(rows) < _LEAST:
            return None
        try:
            return _selected(task, config, budget, folders, held_out, from_block(seen), evidence)
        except HeadstartError:
            return None  # a damaged library must not end a run: `headstart library list` names what is wrong

    return choose


def _selected(
    task: Task,
    config: Config,
    budget: Budget,
    folders: tuple[Path, ...] | None,
    held_out: str,
    seen: NDArray[np.float32],
    evidence: Mapping[str, float],
) -> Chosen | None:
    from headstart.meta.fingerprint import simple
    from headstart.meta.index import quick
    from headstart.meta.kinds import of_kind
    from headstart.meta.library import Library
    from headstart.meta.select import select, situation
    from headstart.meta.selectors.evidence import Seen

    library = Library.open(*folders) if folders is not None else Library.open()
    if held_out:
        library = library.without({held_out})
    if len(library) == 0:
        return None
    kinds = {name: prior.kind for name, prior in library.priors.items()}
    table = of_kind(quick(library, budget.seconds), kinds, task.kind)
    able = [name for name in table.configs if continues(table.config(name), config)]
    if not able:
        return None
    table = table.subset(configs=able)
    given = situation(table, library.priors, library.all_features(), Seen(seen, simple(task), dict(evidence)))
    found = select(given)
    if found is None:
        return None
    return Chosen(found.config.stages, found.reason)


def continues(candidate: Config | None, config: Config) -> bool:
    """Whether a run that began by `config` can go on as `candidate`: only stages after the first pass differ.

    What the library knows of the candidate is then what becomes of the run.
    """
    if candidate is None or not candidate.stages:
        return False
    plain = [dataclasses.replace(one, stages=config.stages, seed=0, reason="") for one in (candidate, config)]
    names = {stage.backbone for stage in config.stages}
    return (
        plain[0] == plain[1]
        and passes(candidate)[0] == passes(config)[0]
        and {stage.backbone for stage in candidate.stages} <= names
    )
