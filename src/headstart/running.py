"""A run under way: puts backbones, learner and store together, and writes what a reader of the run folder needs."""

from __future__ import annotations

import datetime
import hashlib
import os
import platform
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from headstart import model as models
from headstart.backbones.probe import choose_precision, cost_name, told_precision
from headstart.backbones.session import Session, open_session
from headstart.backbones.table import Precision, digest, find
from headstart.backbones.temporal import STATISTICS, dim, parted
from headstart.choosing import Chooser
from headstart.data import films, videos
from headstart.data.arrays import Pictures
from headstart.data.groups import folds, folds_multi, merge, name_groups, near_duplicates
from headstart.data.images import peek
from headstart.data.kinds import is_film
from headstart.data.order import balanced, balanced_multi
from headstart.data.squares import Squares
from headstart.errors import BadConfig
from headstart.heads.ensemble import Ensemble
from headstart.learn.challenger import Challenger
from headstart.learn.features import Features
from headstart.learn.learner import Learner
from headstart.learn.material import Material
from headstart.learn.plan import default_config, passes
from headstart.learn.snapshot import Noted, Progressed, Snapshot
from headstart.learn.truth import Truth
from headstart.store.cache import fingerprint
from headstart.store.curve import CurveRow
from headstart.store.evidence import Evidence
from headstart.store.run import RunFolder
from headstart.version import __version__
from headstart.words.clock import Budget, Clock, CostClock, CpuClock
from headstart.words.config import HEADS, ONE_LABEL, Config, Stage
from headstart.words.meter import Meter
from headstart.words.task import Samples, Skipped, Task

if TYPE_CHECKING:
    from headstart.data.autodl.dataset import AutoDL
    from headstart.data.effort import Efforts

_NAMED = 100_000  # samples: the names of more take longer to read than the first prediction
_LOOKED_AT = 16  # files whose size the plan is made from


Challenging = Callable[[Material, Config, Clock], Challenger]
Choosing = Callable[[Task, Config, Budget], Chooser]


class Run:
    """One run under way: what is open, and what was written."""

    def __init__(
        self,
        task: Task,
        folder: RunFolder,
        clock: Clock,
        budget: Budget,
        config: Config | None = None,
        seed: int | None = None,
        workers: int | None = None,
        pictures: Pictures | AutoDL | None = None,
        challenge: Challenging | None = None,
        choose: Choosing | None = None,
    ) -> None:
        """pictures: samples of the task that are in memory. challenge: makes what is trained beside the stages.

        choose: makes what plans the stages after the first pass anew. For the rest see `api.Request`.
        """
        self._challenge = challenge
        self.task, self.folder, self.clock, self.budget = task, folder, clock, budget
        self.meter, self._cpu = Meter(), CpuClock()
        self._started = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        assert task.train.targets is not None
        _require_reader(task)
        self.config = config or default_plan(task, pictures)
        if seed is not None:
            self.config = replace(self.config, seed=seed)
        _check(self.config, task)
        self._chooser = None if choose is None else choose(task, self.config, budget)
        self.precision, why = _precision(self.config, clock)
        self._why = "; ".join(filter(None, [self.config.reason, why]))
        self._workers = os.cpu_count() or 1 if workers is None else workers
        self._targets, self._order = _ordered(task, self.config.seed)
        # Names from Python need not tell classes and sources by their folders.
        known = pictures is None and len(task.train) <= _NAMED
        self._groups = name_groups(task.train.paths) if known else np.full(len(task.train), -1, np.int32)
        self._squares = Squares(folder.cache_path, task.kind)
        self._decoder = self._squares if pictures is None else pictures.reading_with(self._squares)
        try:
            self.features = self._features()
        except BaseException:
            self._squares.close()
            raise
        self._last: Snapshot | None = None
        self._learner: Learner | None = None
        clock.charge("scan", "files", 0, len(task.train) + (len(task.test) if task.test is not None else 0))

    def _features(self) -> Features:
        stages = passes(self.config)
        splits: dict[str, tuple[Samples, NDArray[np.int64]]] = {"train": (self.task.train, self._order)}
        if self.task.test is not None and len(self.task.test):
            places = np.random.default_rng(self.config.seed).permutation(len(self.task.test))
            splits["test"] = (self.task.test, places)
        names = {stage.backbone for stage in self.config.stages}
        sessions: dict[str, Session] = {name: open_session(name, self.precision) for name in names}
        labels = {name: cost_name(name, self.precision) for name in sorted(names)}
        for label in labels.values():
            self.clock.charge("start", label, 0, 1)
        dims = _dims(self.config)
        graph = f"{self.config.seed} {self.precision} {self.task.kind} " + " ".join(
            digest(n, self.precision) for n in sorted(names)
        )
        marks = {split: fingerprint(samples, graph) for split, (samples, _) in splits.items()}
        return Features(
            stages,
            splits,
            sessions,
            dims,
            self._decoder,
            self.folder.cache_path,
            marks,
            self.clock,
            self.meter,
            _efforts(self.task) if isinstance(self.clock, CostClock) else None,
            labels,
        )

    def _folds(self, groups: NDArray[np.int32]) -> NDArray[np.int8]:
        k, seed = self.config.folds, self.config.seed
        if self.task.labels == "single":
            return folds(self._targets.astype(np.int32, copy=False), k, groups, seed)[self._order]
        return folds_multi(self._targets.astype(np.uint8, copy=False), k, groups, seed)[self._order]

    def _refold(self, tiny: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.int8] | None:
        """Folds that keep near-duplicates together; None where there are none."""
        alike = np.full(len(self._order), -1, np.int32)
        alike[self._order[rows]] = near_duplicates(tiny)
        return None if (alike < 0).all() else self._folds(merge(self._groups, alike))

    def events(self) -> Iterator[Snapshot | Progressed | Noted]:
        """Progress and snapshots; each snapshot is on disk before it is yielded."""
        self.folder.start_curve()
        self._write("running", "")
        learner = Learner(
            self.features,
            Truth(self._targets[self._order], len(self.task.classes)),
            self._folds(self._groups),
            self.config,
            self.clock,
            self.budget,
            self.task.labels,
            self._workers,
            self._refold,
            None if self._challenge is None else self._challenger,
            None if self._chooser is None else self._choose,
        )
        self._learner = learner
        try:
            for event in learner.run():
                if isinstance(event, Snapshot):
                    with self.meter.measure("publish"):
                        self._publish(event)
                yield event
        finally:
            learner.close()
        self._finish()

    def landmarks(self) -> dict[str, float]:
        """Evidence of the heads on each finished stage alone."""
        return {} if self._learner is None else self._learner.evidence_of_stages()

    def _choose(self, features: Features, evidence: Mapping[str, float]) -> str:
        """Plan the stages after the first pass by what the library says; why, or "" where it says nothing."""
        assert self._chooser is not None
        chosen = self._chooser(features, evidence)
        if chosen is None:
            return ""
        self._why = "; ".join(filter(None, [self._why, chosen.reason]))
        if chosen.stages != self.config.stages:
            self.config = replace(self.config, stages=chosen.stages)
            features.replan(passes(self.config)[1:], _dims(self.config))
        return chosen.reason

    def _challenger(self, folds: NDArray[np.integer]) -> Challenger:
        """What is trained beside the stages, on the samples in the order of the run."""
        assert self._challenge is not None
        mark = hashlib.sha256(np.ascontiguousarray(folds).tobytes())
        for split, (samples, order) in self.features.splits.items():
            mark.update(fingerprint(samples, f"{split} {self.config.seed} {self.task.kind}").encode())
            mark.update(order.tobytes())
        mark.update(np.ascontiguousarray(self._targets).tobytes())
        material = Material(
            self.features,
            self._targets[self._order],
            folds,
            len(self.task.classes),
            self.task.labels,
            self.folder.cache_path,
            mark.hexdigest(),
        )
        return self._challenge(material, self.config, self.clock)

    def _publish(self, snapshot: Snapshot) -> None:
        new_model = snapshot.ensemble is not (self._last and self._last.ensemble)
        self._keep(snapshot, new_model)
        if new_model:
            self.clock.charge("publish", "model", 0, _bytes(snapshot.ensemble))
        if snapshot.test is not None:
            self.clock.charge("publish", "predictions", 0, snapshot.test.size)
        if self._last is None and self._chooser is not None:
            self._chooser.prepare(self.meter)  # not sooner: the first prediction is not to wait for it
        self._last = snapshot

    def _keep(self, snapshot: Snapshot, new_model: bool) -> None:
        """Model first, then what describes it: a reader never finds a description without its model."""
        least = self._thresholds(snapshot)
        if new_model:
            models.save(
                self.folder.model_path,
                self.task,
                self.precision,
                snapshot.evidence,
                snapshot.samples_seen,
                snapshot.ensemble,
                least,
            )
        if snapshot.test is not None and self.task.test is not None:
            self.folder.write_predictions(
                self.task.test.paths, self.task.classes, snapshot.test, self.task.labels, least
            )
        self.folder.append_curve(
            CurveRow(
                snapshot.seconds, self._cpu.now(), snapshot.evidence, snapshot.stage, snapshot.samples_seen
            )
        )

    def _thresholds(self, snapshot: Snapshot) -> NDArray[np.float32] | None:
        if self.task.labels == "single":
            return None
        from headstart.heads.thresholds import thresholds  # the first prediction of most tasks does without

        return thresholds(snapshot.held_out, self._targets[snapshot.rows])

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
            "versions": versions(),
            "machine": machine(self._workers),
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
                "class_counts": _counts(self._targets, len(task.classes)),
                "notes": list(task.notes),
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
            "trained": _trained(last.ensemble) if last else None,
        }
        self.folder.write_run(document)

    def close(self) -> None:
        """Let go of the files."""
        self.features.close()
        self._squares.close()


def _ordered(task: Task, seed: int) -> tuple[NDArray[np.generic], NDArray[np.int64]]:
    """The targets, and the order in which training samples are looked at."""
    targets = task.train.targets
    assert targets is not None
    if task.labels == "multi":
        return targets, balanced_multi(targets.astype(np.uint8, copy=False), seed)
    classes = targets.astype(np.int32, copy=False)
    return classes, balanced(classes, len(task.classes), seed)


def _efforts(task: Task) -> Efforts:
    from headstart.data.effort import Efforts  # simulated runs only

    return Efforts(task.kind)


def _counts(targets: NDArray[np.generic], classes: int) -> list[int]:
    """Training samples of each class."""
    if targets.ndim == 2:
        return [int(number) for number in targets.sum(axis=0, dtype=np.int64)]
    return [int(number) for number in np.bincount(targets.astype(np.int64), minlength=classes)]


def _require_reader(task: Task) -> None:
    """Raises BadInput where the task has video files and nothing can read them."""
    if task.kind == "video" and any(is_film(path) for path in task.train.paths):
        films.check()


def _check(config: Config, task: Task) -> None:
    """That the package has what the stages name, and that some head can learn the labels. Raises BadConfig."""
    if not config.learns(task.labels):
        listed, others = " and ".join(config.heads), " or ".join(h for h in HEADS if h not in ONE_LABEL)
        raise BadConfig(
            f"these samples have several labels each, which {listed} cannot learn: add {others} to the heads"
        )
    for stage in config.stages:
        row = find(stage.backbone)
        row.check(stage.pixels)
        known = [output for output, _ in row.outputs]
        for output in stage.outputs:
            plain, statistic = parted(output)
            if plain not in known:
                raise BadConfig(f"{row.name} has no output {plain!r}: it has {', '.join(known)}")
            if statistic not in STATISTICS:
                raise BadConfig(
                    f"there is no statistic {statistic!r} over frames: there are {', '.join(STATISTICS)[2:]}"
                )
        _check_frames(stage, task)


def _check_frames(stage: Stage, task: Task) -> None:
    if stage.frames > 1 and task.kind == "image":
        raise BadConfig(f"{stage.name} looks at {stage.frames} frames, but these are images: set frames to 1")
    needs = stage.backbone == "motion" or any(parted(output)[1] for output in stage.outputs)
    if stage.frames == 1 and needs:
        raise BadConfig(f"{stage.name} tells how frames differ, but looks at one: set frames to 2 or more")


def _precision(config: Config, clock: Clock) -> tuple[Precision, str]:
    """Of the weights, as configured or as a short probe finds, in a simulated run as its table says; and why."""
    if config.precision != "auto":
        return config.precision, ""
    if isinstance(clock, CostClock):
        choice = told_precision(clock.table)
        clock.charge("start", "probe", 0, 1)
    else:
        choice = choose_precision()
    return choice.precision, choice.reason


def _trained(ensemble: Ensemble) -> dict[str, Any] | None:
    """What there is to say of the networks that joined the heads."""
    trained = ensemble.trained
    if trained is None:
        return None
    about = {key: getattr(trained, key) for key in ("name", "evidence", "samples", "temperature")}
    return {**about, "networks": len(trained.graphs), "share": ensemble.share}


def _dims(config: Config) -> dict[str, int]:
    """The width of every feature block that the stages compute."""
    return {
        block: dim(output, dict(find(stage.backbone).outputs)[parted(output)[0]])
        for stage in config.stages
        for block, output in zip(stage.blocks, stage.outputs, strict=True)
    }


def _bytes(ensemble: Ensemble) -> int:
    """Of the numbers in a published model."""
    weights = sum(member.weights.size * 4 for member in ensemble.members)
    return weights + sum(fixed.nbytes for fixed in ensemble.landmarks.values())


def default_plan(task: Task, pictures: Pictures | AutoDL | None = None) -> Config:
    """The configuration for what the data look like: a few files are looked at, none is decoded."""
    count = len(task.train)
    some = np.linspace(0, count - 1, min(count, _LOOKED_AT)).astype(int)
    paths = [os.path.join(task.train.root, task.train.paths[int(i)]) for i in some]
    look = pictures.size if pictures is not None else videos.size if task.kind == "video" else peek
    sizes = [size for size in map(look, paths) if not isinstance(size, Skipped)]
    return default_config(count, len(task.classes), sizes, task.kind)


def versions() -> dict[str, str]:
    """Of this package and of what its results depend on."""
    import onnxruntime
    import PIL

    return {
        "headstart": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "onnxruntime": onnxruntime.__version__,
        "pillow": PIL.__version__,
    }


def machine(workers: int) -> dict[str, Any]:
    """Processor, cores, memory in GiB (None: not known) and the threads that a run uses."""
    name = platform.processor() or platform.machine()
    memory = None
    try:
        with open("/proc/cpuinfo") as file:
            name = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), name)
        memory = round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (OSError, ValueError, AttributeError):
        pass  # not Linux: the name of the architecture has to do
    return {"cpu": name, "cores": os.cpu_count(), "memory_gb": memory, "workers": workers}
