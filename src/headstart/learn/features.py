"""Feature source: decodes samples, runs the backbones, keeps the features on disk."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from headstart.heads.kernel import Matrix, unit
from headstart.learn.stream import Indices, Job
from headstart.store.cache import FeatureCache
from headstart.words.clock import Clock
from headstart.words.config import Stage
from headstart.words.meter import Meter
from headstart.words.task import Samples, Skipped

Images = NDArray[np.uint8]


class Network(Protocol):
    """A backbone session: uint8 [n, h, w, 3] to features float32 [n, dim] per output."""

    def __call__(self, images: Images) -> dict[str, NDArray[np.float32]]: ...


class Decoder(Protocol):
    """Pixels of one sample at one of a run's sizes."""

    def __call__(self, path: str, pixels: int) -> Images | Skipped: ...


@dataclass
class Table:
    """One split's features at one pass: a cache per feature block, and which rows could not be read."""

    samples: Samples
    caches: Mapping[str, FeatureCache]
    bad: dict[int, str] = field(default_factory=dict)

    def done(self) -> NDArray[np.bool_]:
        """Rows that are in every cache: bool [n]."""
        return self.has(np.arange(len(self.samples)))

    def has(self, rows: Indices) -> NDArray[np.bool_]:
        """Which of some rows are in every cache: bool [m]."""
        result = np.ones(len(rows), bool)
        for cache in self.caches.values():
            result &= cache.has(rows)
        return result


class Features:
    """All passes of a run over its splits.

    order: for each split, which sample stands at which row; a row of a table is a place in that order.
    """

    def __init__(
        self,
        passes: Sequence[tuple[int, tuple[Stage, ...]]],
        splits: Mapping[str, tuple[Samples, Indices]],
        networks: Mapping[str, Network],
        dims: Mapping[str, int],
        decoder: Decoder,
        folder: Path,
        fingerprints: Mapping[str, str],
        clock: Clock,
        meter: Meter,
    ) -> None:
        self.passes, self.splits, self.dims = passes, splits, dims
        self._networks, self._decoder, self._clock, self.meter = networks, decoder, clock, meter
        self._lock = threading.Lock()
        self.tables: dict[tuple[int, str], Table] = {}
        self.pass_of = {
            block: number
            for number, (_, group) in enumerate(passes)
            for stage in group
            for block in stage.blocks
        }
        try:
            self._open(folder, fingerprints)
        except BaseException:
            self.close()
            raise

    def _open(self, folder: Path, fingerprints: Mapping[str, str]) -> None:
        for number, (_, stages) in enumerate(self.passes):
            for split, (samples, _order) in self.splits.items():
                caches: dict[str, FeatureCache] = {}
                self.tables[number, split] = Table(samples, caches)
                for block in (block for stage in stages for block in stage.blocks):
                    key, rows = f"{split} {block}", len(samples)
                    caches[block] = FeatureCache.open(
                        folder, key, rows, self.dims[block], fingerprints[split]
                    )

    def extract(self, job: Job) -> None:
        """Compute what the job asks for and is not yet in the caches. Raises DiskFull."""
        table = self.tables[job.passing, job.split]
        unreadable = self.bad(job.split)
        missing = _without(job.rows[~table.has(job.rows)], unreadable)
        if len(missing) == 0:
            return
        pixels, stages = self.passes[job.passing]
        with self.meter.measure("decode"):
            images, missing = self._decode(table, job.split, missing, pixels)
        self._clock.charge("decode", job.split, pixels, len(missing))
        for stage in stages if len(missing) else ():
            with self.meter.measure("forward"):
                outputs = self._networks[stage.backbone](images)
            self._clock.charge("forward", stage.backbone, pixels, len(missing))
            for block, output in zip(stage.blocks, stage.outputs, strict=True):
                table.caches[block].put(missing, outputs[output])

    def _decode(self, table: Table, split: str, rows: Indices, pixels: int) -> tuple[Images, Indices]:
        """The squares of the rows that can be read, and those rows; the others are noted as bad."""
        samples, order = self.splits[split]
        images = np.empty((len(rows), pixels, pixels, 3), np.uint8)
        read: list[int] = []
        for row in rows:
            square = self._decoder(os.path.join(samples.root, samples.paths[int(order[row])]), pixels)
            if isinstance(square, Skipped):
                with self._lock:
                    table.bad[int(row)] = square.reason
            else:
                images[len(read)] = square
                read.append(int(row))
        return images[: len(read)], np.array(read, np.int64)

    def settled(self, passing: int, split: str) -> NDArray[np.bool_]:
        """Rows that are done or known to be unreadable: bool [n]."""
        result = self.tables[passing, split].done()
        result[list(self.bad(split))] = True
        return result

    def bad(self, split: str) -> dict[int, str]:
        """Rows of a split that could not be read at some pass, with reasons."""
        with self._lock:
            found: dict[int, str] = {}
            for (_, of), table in self.tables.items():
                if of == split:
                    found |= table.bad
            return found

    def arrived(self, split: str, block: str) -> NDArray[np.bool_]:
        """Rows whose features of a block can be got: bool [n]."""
        return self.tables[self.pass_of[block], split].caches[block].done

    def block(self, split: str, block: str, rows: Indices) -> Matrix:
        """Unit-length features float32 [m, dim]; zeros where a file vanished after an earlier pass."""
        cache = self.tables[self.pass_of[block], split].caches[block]
        there = cache.has(rows)
        result = np.zeros((len(rows), self.dims[block]), np.float32)
        result[there] = unit(cache.get(rows[there]))
        return result

    def close(self) -> None:
        """Close the caches."""
        for table in self.tables.values():
            for cache in table.caches.values():
                cache.close()


def _without(rows: Indices, unreadable: Mapping[int, str]) -> Indices:
    return np.array([row for row in rows.tolist() if row not in unreadable], np.int64)
