"""Runs: the only file that puts scan, backbones, learner and store together."""

from __future__ import annotations

import datetime
import os
import platform
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart import model as models
from headstart.backbones.probe import choose_precision
from headstart.backbones.session import Session, open_session
from headstart.backbones.table import BACKBONES, Precision, digest
from headstart.data.groups import folds, merge, name_groups, near_duplicates
from headstart.data.images import peek
from headstart.data.order import balanced
from headstart.data.scan import scan, scan_unlabelled
from headstart.data.squares import Squares
from headstart.errors import BadConfig
from headstart.learn.features import Features
from headstart.learn.learner import Learner
from headstart.learn.plan import default_config, passes
from headstart.learn.snapshot import Progressed, Snapshot
from headstart.learn.threads import one_thread
from headstart.model import Model
from headstart.store.cache import fingerprint
from headstart.store.curve import CurveRow
from headstart.store.evidence import Evidence
from headstart.store.run import RunFolder
from headstart.version import __version__
from headstart.words.clock import Budget, Clock, CpuClock, WallClock
from headstart.words.config import Config
from headstart.words.meter import Meter
from headstart.words.task import Samples, Skipped, Task

PathLike = str | os.PathLike[str]
_LOOKED_AT = 16  # files whose size the plan is made from


@dataclass(frozen=True)
class Request:
    """What a user asks of one run. Times in seconds; None = decided by headstart."""

    path: PathLike
    budget: Budget
    out: Path
    test: PathLike | None = None
    config: Config | None = None
    clock: Clock | None = None
    workers: int | None = None


def fit(
    path: PathLike,
    budget: str | float = "20m",
    out: PathLike = "run",
    *,
    test: PathLike | None = None,
    config: Config | None = None,
    workers: int | None = None,
) -> Model:
    """Learn from a folder with one sub-folder of images per class; return the best model that the budget allows.

    budget: "90s", "20m", "1h" or seconds. out: the run folder; a run that was cut short there goes on from its
    features. test: a folder of unlabelled images, whose predictions go to `out/predictions.csv`.
    Raises BadInput for what cannot be learnt from, Busy when another process writes the same run folder.
    """
    for _ in watch(path, budget, out, test=test, config=config, workers=workers):
        pass
    return models.load(out)


def watch(
    path: PathLike,
    budget: str | float = "20m",
    out: PathLike = "run",
    *,
    test: PathLike | None = None,
    config: Config | None = None,
    workers: int | None = None,
) -> Iterator[Snapshot]:
    """As `fit`, but a generator of every published snapshot, while the run goes on."""
    request = Request(path, Budget.parse(budget), Path(out), test, config, None, workers)
    for event in run(request):
        if isinstance(event, Snapshot):
            yield event


def run(request: Request) -> Iterator[Snapshot | Progressed | Task]:
    """The whole run: the Task that was found, then progress and every snapshot after it was published."""
    clock = request.clock or WallClock()
    task = _task(request)
    yield task
    with ExitStack() as stack:
        stack.enter_context(one_thread())
        folder = stack.enter_context(RunFolder.open(request.out))
        work = _Run(request, task, folder, clock)
        stack.callback(work.close)
        yield from work.events()


def _task(request: Request) -> Task:
    task = scan(request.path)
    if request.test is None:
        return task
    test, skipped = scan_unlabelled(request.test)
    return Task(task.name, task.kind, task.labels, task.classes, task.train, test, task.skipped + skipped)


class _Run:
    """One run under way: what is open, and what was written."""

    def __init__(self, request: Request, task: Task, folder: RunFolder, clock: Clock) -> None:
        self.task, self.folder, self.clock, self.budget = task, folder, clock, request.budget
        self.meter, self._cpu = Meter(), CpuClock()
        self._started = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        assert task.train.targets is not None
        self.config = request.config or _plan(task)
        self.precision, why = _precision(self.config)
        self._why = "; ".join(filter(None, [self.config.reason, why]))
        self._workers = os.cpu_count() or 1 if request.workers is None else request.workers
        self._targets = task.train.targets.astype(np.int32, copy=False)
        self._order = balanced(self._targets, len(task.classes), self.config.seed)
        self._groups = name_groups(task.train.paths)
        _check(self.config)
        self._squares = Squares(folder.cache_path)
        try:
            self.features = self._features()
        except BaseException:
            self._squares.close()
            raise
        self._last: Snapshot | None = None

    def _features(self) -> Features:
        stages = passes(self.config)
        splits: dict[str, tuple[Samples, NDArray[np.int64]]] = {"train": (self.task.train, self._order)}
        if self.task.test is not None and len(self.task.test):
            places = np.random.default_rng(self.config.seed).permutation(len(self.task.test))
            splits["test"] = (self.task.test, places)
        names = {stage.backbone for stage in self.config.stages}
        sessions: dict[str, Session] = {name: open_session(name, self.precision) for name in names}
        dims = {
            block: dict(BACKBONES[stage.backbone].outputs)[output]
            for stage in self.config.stages
            for block, output in zip(stage.blocks, stage.outputs, strict=True)
        }
        graph = f"{self.config.seed} {self.precision} " + " ".join(
            digest(n, self.precision) for n in sorted(names)
        )
        marks = {split: fingerprint(samples, graph) for split, (samples, _) in splits.items()}
        return Features(
            stages,
            splits,
            sessions,
            dims,
            self._squares,
            self.folder.cache_path,
            marks,
            self.clock,
            self.meter,
        )

    def _folds(self, groups: NDArray[np.int32]) -> NDArray[np.int8]:
        return folds(self._targets, self.config.folds, groups, self.config.seed)[self._order]

    def _refold(self, tiny: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.int8] | None:
        """Folds that keep near-duplicates together; None where there are none."""
        alike = np.full(len(self._order), -1, np.int32)
        alike[self._order[rows]] = near_duplicates(tiny)
        return None if (alike < 0).all() else self._folds(merge(self._groups, alike))

    def events(self) -> Iterator[Snapshot | Progressed]:
        """Progress and snapshots; each snapshot is on disk before it is yielded."""
        self.folder.start_curve()
        self._write("running", "")
        learner = Learner(
            self.features,
            self.task.indicator()[self._order],
            self._folds(self._groups),
            self.config,
            self.clock,
            self.budget,
            self.task.labels,
            self._workers,
            self._refold,
        )
        for event in learner.run():
            if isinstance(event, Snapshot):
                with self.meter.measure("publish"):
                    self._publish(event)
            yield event
        self._finish()

    def _publish(self, snapshot: Snapshot) -> None:
        """Model first, then what describes it: a reader never finds a description without its model."""
        if snapshot.ensemble is not (self._last and self._last.ensemble):
            models.save(
                self.folder.model_path,
                self.task,
                self.precision,
                snapshot.evidence,
                snapshot.samples_seen,
                snapshot.ensemble,
            )
        if snapshot.test is not None and self.task.test is not None:
            self.folder.write_predictions(
                self.task.test.paths, self.task.classes, snapshot.test, self.task.labels
            )
        self._last = snapshot
        self.folder.append_curve(
            CurveRow(
                snapshot.seconds, self._cpu.now(), snapshot.evidence, snapshot.stage, snapshot.samples_seen
            )
        )

    def _finish(self) -> None:
        if self._last is None:
            reason = "the budget ended before a first prediction"
        elif self.budget.left(self.clock) > 0:
            enough = self._last.evidence > self.config.enough
            reason = (
                "nothing is left to improve" if enough else "every stage is done: nothing improves any more"
            )
        else:
            reason = f"the budget of {self.budget} is used up"
        self.close_books(reason)

    def close_books(self, reason: str) -> None:
        """Write what a reader of the run folder needs beside the model."""
        last = self._last
        if last is not None:
            self.folder.write_evidence(
                Evidence(
                    last.rows,
                    last.held_out.astype(np.float16),
                    self._targets[last.rows],
                    [self.task.train.paths[int(row)] for row in last.rows],
                )
            )
        self.folder.write_skipped(self.skipped())
        self._write("finished", reason)

    def skipped(self) -> list[Skipped]:
        """Files that could not be used, those of the scan first."""
        found = list(self.task.skipped)
        for split, (samples, order) in self.features.splits.items():
            bad = self.features.bad(split)
            found += [Skipped(samples.paths[int(order[row])], bad[row]) for row in sorted(bad)]
        return found

    def _write(self, state: str, reason: str) -> None:
        task, last = self.task, self._last
        document: dict[str, Any] = {
            "format": 1,
            "state": state,
            "ended": reason,
            "budget": self.budget.seconds,
            "clock": type(self.clock).__name__.removesuffix("Clock").lower(),
            "started": self._started,
            "seconds": self.clock.now(),
            "cpu_seconds": self._cpu.now(),
            "versions": _versions(),
            "machine": _machine(self._workers),
            "config": asdict(self.config),
            "precision": self.precision,
            "why": self._why,
            "evidence": last.evidence if last else None,
            "samples_seen": last.samples_seen if last else 0,
            "timings": self.meter.totals(),
            "skipped": len(self.skipped()),
            "data": {
                "root": task.train.root,
                "name": task.name,
                "kind": task.kind,
                "labels": task.labels,
                "classes": list(task.classes),
                "n_train": len(task.train),
                "n_test": len(task.test) if task.test else 0,
                "class_counts": np.bincount(self._targets, minlength=len(task.classes)).tolist(),
            },
            "members": [
                {
                    "blocks": list(member.blocks),
                    "head": member.head,
                    "kernel": member.kernel.name,
                    "evidence": member.evidence,
                    "temperature": member.temperature,
                }
                for member in (last.ensemble.members if last else ())
            ],
        }
        self.folder.write_run(document)

    def close(self) -> None:
        """Let go of the files."""
        self.features.close()
        self._squares.close()


def _check(config: Config) -> None:
    """That the package has what the stages name. Raises BadConfig."""
    for stage in config.stages:
        row = BACKBONES.get(stage.backbone)
        if row is None:
            known = ", ".join(BACKBONES)
            raise BadConfig(f"there is no backbone {stage.backbone!r} for a stage: there are {known}")
        outputs = [output for output, _ in row.outputs]
        if unknown := [output for output in stage.outputs if output not in outputs]:
            raise BadConfig(f"{row.name} has no output {unknown[0]!r}: it has {', '.join(outputs)}")
        if stage.pixels % row.step:
            raise BadConfig(f"{row.name} needs pixels that are a multiple of {row.step}, not {stage.pixels}")


def _precision(config: Config) -> tuple[Precision, str]:
    """Of the weights, as configured or as a short probe finds; and why."""
    if config.precision != "auto":
        return config.precision, ""
    choice = choose_precision()
    return choice.precision, choice.reason


def _plan(task: Task) -> Config:
    count = len(task.train)
    some = np.linspace(0, count - 1, min(count, _LOOKED_AT)).astype(int)
    sizes = [peek(os.path.join(task.train.root, task.train.paths[int(i)])) for i in some]
    return default_config(count, len(task.classes), [s for s in sizes if not isinstance(s, Skipped)])


def _versions() -> dict[str, str]:
    import onnxruntime
    import PIL

    return {
        "headstart": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "onnxruntime": onnxruntime.__version__,
        "pillow": PIL.__version__,
    }


def _machine(workers: int) -> dict[str, Any]:
    name = platform.processor() or platform.machine()
    memory = None
    try:
        with open("/proc/cpuinfo") as file:
            name = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), name)
        memory = round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (OSError, ValueError, AttributeError):
        pass  # not Linux: the name of the architecture has to do
    return {"cpu": name, "cores": os.cpu_count(), "memory_gb": memory, "workers": workers}
