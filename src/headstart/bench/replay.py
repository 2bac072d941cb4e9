"""Replay: what a configuration does on a prior by the simulated clock, without decoding or passing a network again.

The run is the product's own (`running.Run`), and charges what a run that computes everything would charge. Labels of
the test split are read here, to score: they may be those of prior data sets only.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.backbones.probe import cost_name, told_precision
from headstart.backbones.table import Precision
from headstart.bench.prior_features import PriorFeatures, dims_of
from headstart.data.effort import Efforts
from headstart.errors import BadInput
from headstart.heads.kernel import Matrix
from headstart.learn.features import Decoder, Features
from headstart.learn.plan import Pass, passes
from headstart.learn.snapshot import Snapshot
from headstart.learn.stream import Indices, Job
from headstart.learn.threads import one_thread
from headstart.methods import Method, challenging
from headstart.running import Run, default_plan
from headstart.store.run import RunFolder
from headstart.words.clock import Budget, CostClock
from headstart.words.config import Config
from headstart.words.costs import CostTable
from headstart.words.meter import Meter
from headstart.words.scoring import score
from headstart.words.task import Task

__all__ = ["Curve", "Played", "Replayer", "halves_of", "replay"]

Curve = list[tuple[float, float]]
"""Simulated seconds since the start, and the score (2·AUC − 1) on the test split, of each published prediction."""


@dataclass(frozen=True)
class Played:
    """One run. halves: scores of the same predictions on the two halves of the test split, a pair for each.

    complete: it ended before the budget, because nothing was left to do. totals: simulated seconds by kind of work.
    landmarks: held-out evidence of each finished stage alone, by the stage's name. evidence: simulated seconds and what
    was expected of each published model from training samples alone. seconds: simulated, until it ended.
    """

    curve: Curve
    halves: Curve
    complete: bool
    totals: Mapping[str, float]
    landmarks: Mapping[str, float]
    evidence: Curve
    seconds: float


def replay(task: Task, config: Config | None, seed: int, T: float, table: CostTable, folder: Path) -> Curve:
    """The curve of one run over a task whose test split has targets. T: seconds on the table's clock.

    config: None = the plan of `fit`. folder: where features are kept between calls (one sub-folder per prior).
    Raises BadInput where the test split has no targets, or the table lacks work; BadConfig, DiskFull.
    """
    return Replayer(task, table, folder).run(config, seed, T).curve


def halves_of(truth: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """The first of two fixed halves of a test split, bool [n]: every class is dealt to both in turn.

    truth: 0 or 1, [n, classes]. A sample counts where its first label is; the halves depend on nothing else.
    """
    first = np.where(truth.any(axis=1), truth.argmax(axis=1), truth.shape[1])
    half, turn = np.zeros(len(truth), bool), 0
    rng = np.random.default_rng(0)
    for label in np.unique(first):
        rows = rng.permutation(np.flatnonzero(first == label))
        half[rows[turn % 2 :: 2]] = True
        turn += len(rows)  # an odd class gives its last one to the other half next time
    return half


class Replayer:
    """Replays over one task; what it has read stays in memory for the next. Use from one thread."""

    def __init__(self, task: Task, table: CostTable, folder: Path, judged: bool = True) -> None:
        """judged: runs predict the test split, whose labels say what they were worth; without, there is evidence only.

        Raises BadInput where the test split has no labels.
        """
        if judged and (task.test is None or task.test.targets is None):
            raise BadInput(f"{task.name} has no labelled test split: it cannot say what a run was worth")
        self.task, self.table, self._folder, self._judged = task, table, folder, judged
        if judged and task.test is not None:
            self._truth = replace(task, train=task.test).indicator()
            self._half = halves_of(self._truth)
        # Runs must not see the answers, not even by mistake.
        self._blind = replace(task, test=replace(task.test, targets=None) if judged and task.test else None)
        self._priors: dict[Precision, PriorFeatures] = {}
        self._decoding: dict[tuple[str, int, int], _Seconds] = {}

    def plan(self) -> Config:
        """What `fit` would take here."""
        return default_plan(self._blind)

    def run(self, config: Config | None, seed: int, T: float) -> Played:
        """As `replay`, and what else there is to know of the run."""
        config = replace(config or self.plan(), seed=seed)
        clock = _Clock(self.table, workers=1)
        clock.charge("start", "process", 0, 1)
        prior = self._prior(config)
        prior.prepare(passes(config))
        snapshots: list[Snapshot] = []
        with (
            one_thread(),
            tempfile.TemporaryDirectory() as scratch,
            RunFolder.open(Path(scratch) / "run") as folder,
        ):
            run = _Replay(self, prior, folder, clock, Budget(T), config)
            try:
                snapshots += [event for event in run.events() if isinstance(event, Snapshot)]
            finally:
                run.close()
        curve, halves = self._judgement(snapshots) if self._judged else ([], [])
        evidence = [(s.seconds, s.evidence) for s in snapshots]
        return Played(curve, halves, clock.now() < T, clock.totals(), run.landmarks(), evidence, clock.now())

    def _judgement(self, snapshots: Sequence[Snapshot]) -> tuple[Curve, Curve]:
        """The scores of the predictions, on all of the test split and on its two halves."""
        truth, first = self._truth, self._half
        told = [(s.seconds, s.test) for s in snapshots if s.test is not None]
        parts = [(score(truth[first], test[first]), score(truth[~first], test[~first])) for _, test in told]
        return [(seconds, score(truth, test)) for seconds, test in told], parts

    def _prior(self, config: Config) -> PriorFeatures:
        precision = told_precision(self.table).precision if config.precision == "auto" else config.precision
        if precision not in self._priors:
            self._priors[precision] = PriorFeatures(self._blind, self._folder, precision)
        return self._priors[precision]

    def decoding(self, prior: PriorFeatures, split: str, pixels: int, frames: int) -> _Seconds:
        """What decoding each sample costs by the table."""
        key = split, pixels, frames
        if key not in self._decoding:
            both = prior.efforts(split, pixels, frames)
            parts = ([self._cost(efforts) for efforts in one] for one in zip(*both, strict=True))
            self._decoding[key] = _Seconds(*(np.array(part) for part in parts))
        return self._decoding[key]

    def _cost(self, efforts: Sequence[Any]) -> float:
        return sum(self.table.seconds("decode", *effort) for effort in efforts)


@dataclass(frozen=True)
class _Seconds:
    """Of decoding each sample: the first time, and once its square is kept; float64 [n]."""

    first: NDArray[np.float64]
    again: NDArray[np.float64]


class _Clock(CostClock):
    """A cost clock that also takes the sum of many charges at once."""

    def extracted(self, kind: str, seconds: float) -> None:
        """As `charge` for extraction that costs so many seconds."""
        with self._lock:
            paid = min(self._ahead, seconds)
            self._ahead -= paid
            self._now += seconds - paid
            self._totals[kind] = self._totals.get(kind, 0.0) + seconds


class _Replay(Run):
    """The product's run with features that are there already. Nothing is published on disk."""

    def __init__(
        self,
        replayer: Replayer,
        prior: PriorFeatures,
        folder: RunFolder,
        clock: _Clock,
        budget: Budget,
        config: Config,
    ) -> None:
        self._replayer, self._prior, self._simulated = replayer, prior, clock
        method: Method = "anytime" if config.stages else "transfer"
        challenge = challenging(method, config, prior.task, clock, config.seed) if config.recipe else None
        super().__init__(prior.task, folder, clock, budget, config, None, 0, None, challenge)

    def _features(self) -> Features:
        orders = {"train": self._order}
        if "test" in self._prior.splits:
            count = len(self._prior.splits["test"])
            orders["test"] = np.random.default_rng(self.config.seed).permutation(count)
        names = sorted({stage.backbone for stage in self.config.stages})
        labels = {name: cost_name(name, self.precision) for name in names}
        for label in labels.values():
            self.clock.charge("start", label, 0, 1)
        return _Replayed(
            self._replayer,
            self._prior,
            passes(self.config),
            orders,
            self._decoder,
            self._simulated,
            self.meter,
            labels,
        )

    def _keep(self, snapshot: Snapshot, new_model: bool) -> None:
        """Nobody reads it."""

    def _write(self, state: str, reason: str) -> None:
        """Nobody reads it."""

    def close_books(self, reason: str) -> None:
        """Nobody reads them."""


class _Replayed(Features):
    """All passes of a run, as `Features`, from what is kept of a prior."""

    def __init__(
        self,
        replayer: Replayer,
        prior: PriorFeatures,
        run: Sequence[Pass],
        orders: Mapping[str, Indices],
        decoder: Decoder,
        clock: _Clock,
        meter: Meter,
        labels: Mapping[str, str],
    ) -> None:
        """orders: which sample of a split stands at which row of the run, int [n]. decoder: for what is trained."""
        stages = [stage for passing in run for stage in passing.stages]
        self._replayer, self._prior, self._order = replayer, prior, orders
        self._decoder, self._efforts, self.unread = decoder, Efforts(prior.task.kind), {}
        self._work, self._clock, self.meter, self._names = clock, clock, meter, labels
        self.passes, self.dims, self.tables = run, dims_of(stages), {}
        self.splits = {split: (prior.splits[split], order) for split, order in orders.items()}
        self.pass_of = {b: i for i, passing in enumerate(run) for s in passing.stages for b in s.blocks}
        self._place: dict[str, Indices] = {}
        self._unreadable: dict[str, NDArray[np.bool_]] = {}
        for split, order in orders.items():
            self._unreadable[split] = np.isin(order, np.array(list(prior.bad(split)), np.int64))
        self._seen = {(i, s): np.zeros(len(o), bool) for i in range(len(run)) for s, o in orders.items()}
        self._kept = {
            (f, s): np.zeros(len(o), bool) for f in {p.frames for p in run} for s, o in orders.items()
        }

    def extract(self, job: Job) -> None:
        """Charge what the job costs."""
        passing, split = self.passes[job.passing], job.split
        rows = job.rows[~self._known_bad(job.split)[job.rows]]
        samples, kept = self._order[split][rows], self._kept[passing.frames, split]
        costs = self._replayer.decoding(self._prior, split, passing.pixels, passing.frames)
        spent = np.where(kept[rows], costs.again[samples], costs.first[samples])
        self._work.extracted("decode", float(spent.sum()))
        kept[rows] |= costs.first[samples] != costs.again[samples]
        self._seen[job.passing, split][rows] = True
        count = int((~self._unreadable[split][rows]).sum())
        for stage in passing.stages if count else ():
            self._clock.charge("forward", self._names[stage.backbone], passing.pixels, count * passing.frames)
            for block in stage.blocks:
                self._clock.charge("store", "features", self.dims[block], count)

    def _known_bad(self, split: str) -> NDArray[np.bool_]:
        """Samples that turned out unreadable at some pass so far, bool [n]."""
        seen = [marks for (_, of), marks in self._seen.items() if of == split]
        known: NDArray[np.bool_] = np.any(seen, axis=0) & self._unreadable[split]
        return known

    def settled(self, passing: int, split: str) -> NDArray[np.bool_]:
        """As `Features.settled`."""
        return self._seen[passing, split] | self._known_bad(split)

    def bad(self, split: str) -> dict[int, str]:
        """As `Features.bad`."""
        order, reasons = self._order[split], self._prior.bad(split)
        known = {int(row): reasons[int(order[row])] for row in np.flatnonzero(self._known_bad(split))}
        return dict(self.unread.get(split, {})) | known

    def arrived(self, split: str, block: str) -> NDArray[np.bool_]:
        """As `Features.arrived`."""
        return self._seen[self.pass_of[block], split] & ~self._unreadable[split]

    def block(self, split: str, block: str, rows: Indices) -> Matrix:
        """As `Features.block`."""
        self._clock.charge("fetch", "features", self.dims[block], len(rows))
        result: Matrix = self._prior.block(split, block)[self._order[split][rows]]
        result[~self.arrived(split, block)[rows]] = 0.0
        return result

    def close(self) -> None:
        """Nothing is open."""
