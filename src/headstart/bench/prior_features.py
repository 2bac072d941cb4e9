"""The features of a prior, computed once and kept: every later run over it, by whatever seed, reads them here.

A run's own cache is in the order of its seed and serves one configuration; this one is in the order of the
lists, one file per feature block, and serves them all.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.backbones.session import open_session
from headstart.backbones.table import Precision, digest, find
from headstart.backbones.temporal import dim, parted
from headstart.data.effort import Effort, Efforts
from headstart.data.squares import Squares
from headstart.errors import Busy
from headstart.heads.kernel import Matrix, unit
from headstart.learn.embedding import embedded
from headstart.learn.plan import Pass
from headstart.store.atomic import write_atomically
from headstart.store.cache import FeatureCache, fingerprint
from headstart.store.lock import hold
from headstart.words.config import Stage, stage_of
from headstart.words.task import Samples, Skipped, Task

_BATCH = 32  # samples that pass a network together
_HELD = 512 << 20  # bytes of features in memory; beyond, the block that came first goes


def dims_of(stages: Sequence[Stage]) -> dict[str, int]:
    """How many numbers each feature block of some stages has. Raises BadInput for unknown backbones."""
    return {
        block: dim(output, dict(find(stage.backbone).outputs)[parted(output)[0]])
        for stage in stages
        for block, output in zip(stage.blocks, stage.outputs, strict=True)
    }


class PriorFeatures:
    """The feature blocks of one labelled task at one precision of weights, in a folder of its own.

    Several processes may use one folder: whoever computes holds its lock, the others wait.
    """

    def __init__(self, task: Task, folder: Path, precision: Precision) -> None:
        """folder: holds one folder per prior and precision, made where needed."""
        self.task, self.precision = task, precision
        self.splits: dict[str, Samples] = {"train": task.train}
        if task.test is not None and len(task.test):
            self.splits["test"] = task.test
        self._marks = {split: fingerprint(samples, task.kind) for split, samples in self.splits.items()}
        mark = hashlib.sha256("".join(self._marks.values()).encode()).hexdigest()[:12]
        self.folder = folder / f"{_plain(task.name)}-{precision}-{mark}"
        self.folder.mkdir(parents=True, exist_ok=True)
        self._held: dict[tuple[str, str], Matrix] = {}
        self._efforts: dict[tuple[str, int, int], list[tuple[list[Effort], list[Effort]]]] = {}
        self._known: set[tuple[Stage, ...]] = set()
        self._bad: dict[str, dict[int, str]] = {split: {} for split in self.splits}

    def prepare(self, passes: Sequence[Pass]) -> None:
        """Compute whatever of some passes is not there yet. Raises DiskFull, BadWeights, BadInput."""
        new = [passing for passing in passes if passing.stages not in self._known]
        if not new:
            return
        with self._alone():
            self._bad = self._read_bad()
            for passing in new:
                for split in self.splits:
                    self._compute(passing, split)
            self._write_bad()
        self._known.update(passing.stages for passing in new)

    def bad(self, split: str) -> Mapping[int, str]:
        """The samples of a split that could not be read, by their place in the list, with reasons."""
        return self._bad[split]

    def block(self, split: str, block: str) -> Matrix:
        """The unit-length features of a prepared block, float32 [n, dim], in the order of the list.

        Rows of samples that could not be read are 0. The array is shared: do not write into it.
        """
        key = split, block
        if key not in self._held:
            with self._cache(split, block) as cache:
                found = np.zeros((cache.rows, cache.dim), np.float32)
                rows = np.flatnonzero(cache.done)
                found[rows] = unit(cache.get(rows))
            while self._held and sum(a.nbytes for a in self._held.values()) + found.nbytes > _HELD:
                del self._held[next(iter(self._held))]
            self._held[key] = found
        return self._held[key]

    def efforts(self, split: str, pixels: int, frames: int) -> list[tuple[list[Effort], list[Effort]]]:
        """What decoding each sample is charged for: the first time in a run, and once its square is kept."""
        key = split, pixels, frames
        if key not in self._efforts:
            samples, found = self.splits[split], []
            for path in samples.paths:
                ask, whole = Efforts(self.task.kind), os.path.join(samples.root, path)
                found.append((ask(whole, pixels, frames), ask(whole, pixels, frames)))
            self._efforts[key] = found
        return self._efforts[key]

    def _cache(self, split: str, block: str) -> FeatureCache:
        backbone = block.split("@")[0]
        mark = f"{self._marks[split]} {digest(backbone, self.precision)}"
        dims = dims_of([stage_of(block)])
        return FeatureCache.open(self.folder, f"{split} {block}", len(self.splits[split]), dims[block], mark)

    def _compute(self, passing: Pass, split: str) -> None:
        blocks = [block for stage in passing.stages for block in stage.blocks]
        caches = {block: self._cache(split, block) for block in blocks}
        try:
            done = np.all([cache.done for cache in caches.values()], axis=0)
            done[list(self._bad[split])] = True
            missing = np.flatnonzero(~done)
            if len(missing):
                self._fill(passing, split, missing, caches)
        finally:
            for cache in caches.values():
                cache.close()

    def _fill(
        self,
        passing: Pass,
        split: str,
        missing: NDArray[np.int64],
        caches: Mapping[str, FeatureCache],
    ) -> None:
        sessions = {s.backbone: open_session(s.backbone, self.precision) for s in passing.stages}
        samples, squares = self.splits[split], Squares(self.folder, self.task.kind)
        try:
            for first in range(0, len(missing), _BATCH):
                rows, items = [], []
                for row in missing[first : first + _BATCH].tolist():
                    path = os.path.join(samples.root, samples.paths[row])
                    item = squares(path, passing.pixels, passing.frames)
                    if isinstance(item, Skipped):
                        self._bad[split][row] = item.reason
                    else:
                        rows.append(row)
                        items.append(item)
                for stage in passing.stages if rows else ():
                    found: Any = embedded(stage, sessions[stage.backbone], items)  # type: ignore[arg-type]
                    for block, values in zip(stage.blocks, found, strict=True):
                        caches[block].put(rows, values)
        finally:
            squares.close()

    def _read_bad(self) -> dict[str, dict[int, str]]:
        try:
            found = json.loads((self.folder / "bad.json").read_bytes())
            return {split: {int(row): str(why) for row, why in found[split].items()} for split in self.splits}
        except (OSError, ValueError, KeyError, AttributeError):
            return {split: {} for split in self.splits}

    def _write_bad(self) -> None:
        write_atomically(self.folder / "bad.json", json.dumps(self._bad).encode(), durable=False)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """While no other process computes here."""
        while True:
            try:
                lock = hold(self.folder / "lock")
                break
            except Busy:
                time.sleep(0.1)
        with lock:
            yield


def _plain(name: str) -> str:
    return "".join(c if c.isalnum() or c in "._-" else "-" for c in name)[:60] or "prior"
