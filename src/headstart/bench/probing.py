"""Probing: a configuration is tried on a part of the training samples of a task, by the simulated clock.

Nothing of the test split is read: the estimate is the area under the curve of evidence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from headstart.bench.replay import Replayer
from headstart.data.order import balanced, balanced_multi
from headstart.errors import BadInput
from headstart.meta.selectors.contract import Probed
from headstart.words.config import Config
from headstart.words.costs import CostTable
from headstart.words.scoring import BUDGET, T0, alc
from headstart.words.task import Task

_PER_CLASS = 4  # samples, at least: of fewer nothing is left to hold out


class Prober:
    """Tries configurations on one task; what a trial said is kept. Implements `meta.selectors.contract.Probe`."""

    def __init__(
        self,
        task: Task,
        configs: Mapping[str, Config],
        table: CostTable,
        folder: Path,
        budget: float = BUDGET,
    ) -> None:
        """configs: by name. folder: where features are kept. budget: T of the area in seconds; no trial is longer."""
        self._task, self._configs, self._table, self._folder = task, configs, table, folder
        self._budget = budget
        self._replayers: dict[float, Replayer] = {}
        self._said: dict[tuple[str, float], Probed] = {}

    def __call__(self, config: str, share: float) -> Probed:
        """Try a configuration; share: of the training samples, above 0 to 1. Raises BadInput for another, or a name
        that is not among `configs`."""
        if not 0 < share <= 1:
            raise BadInput(
                f"a share of {share} of the training samples cannot be tried: it must be above 0 to 1"
            )
        if config not in self._configs:
            raise BadInput(f"the configuration {config} cannot be tried: only its name is known")
        if (config, share) not in self._said:
            if share not in self._replayers:
                self._replayers[share] = Replayer(
                    part_of(self._task, share), self._table, self._folder, judged=False
                )
            played = self._replayers[share].run(self._configs[config], 0, self._budget)
            times, scores = [t for t, _ in played.evidence], [s for _, s in played.evidence]
            area = alc(times, scores, self._budget, T0) if times else 0.0
            self._said[config, share] = Probed(area, played.seconds)
        return self._said[config, share]


def part_of(task: Task, share: float) -> Task:
    """The task with a class-balanced part of its training samples, and without its test split."""
    assert task.train.targets is not None
    targets, count = task.train.targets, len(task.train)
    if task.labels == "multi":
        order = balanced_multi(targets.astype(np.uint8, copy=False), 0)
    else:
        order = balanced(targets.astype(np.int32, copy=False), len(task.classes), 0)
    rows = np.sort(order[: min(count, max(round(share * count), _PER_CLASS * len(task.classes)))])
    paths = [task.train.paths[int(row)] for row in rows]
    train = replace(task.train, paths=paths, targets=targets[rows])
    return replace(
        task, train=train, test=None, name=task.name if len(rows) == count else f"{task.name}-{share:g}"
    )
