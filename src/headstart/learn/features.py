"""Feature source: decodes samples, runs the backbones, keeps the features on disk."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from headstart.data.effort import Efforts
from headstart.data.frames import Clip
from headstart.heads.kernel import Matrix, unit
from headstart.learn.embedding import Network, embedded
from headstart.learn.plan import Pass
from headstart.learn.stream import Indices, Job
from headstart.store.cache import FeatureCache
from headstart.words.clock import Clock
from headstart.words.meter import Meter
from headstart.words.task import Samples, Skipped

Images = NDArray[np.uint8]


class Decoder(Protocol):
    """Pixels of one sample at one of a run's sizes: a square, or a clip where more than one frame is wanted."""

    def __call__(self, path: str, pixels: int, frames: int = 1) -> Images | Clip | Skipped: ...


@dataclass
class Table:
    """One split's features at one pass: a cache per feature block, and which rows could not be read."""

    samples: Samples
    caches: Mapping[str, FeatureCache]
    bad: dict[int, str] = field(default_factory=dict)

    def done(self) -> NDArray[np.bool_]:
        """Rows that are in every cache: bool [n]."""
        result = np.ones(len(self.samples), bool)
        for cache in self.caches.values():
            result &= cache.done
        return result

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
        passes: Sequence[Pass],
        splits: Mapping[str, tuple[Samples, Indices]],
        networks: Mapping[str, Network],
        dims: Mapping[str, int],
        decoder: Decoder,
        folder: Path,
        fingerprints: Mapping[str, str],
        clock: Clock,
        meter: Meter,
        efforts: Efforts | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> None:
        """efforts: what decoding a sample costs, and labels: names of the networks in a cost table, for a
        simulated run; without them every sample counts as one of "decode file", and networks have their names.
        """
        self._efforts, self._labels = efforts, labels or {}
        self.passes: Sequence[Pass] = passes
        self.splits, self.dims = splits, dict(dims)
        self._networks, self._decoder, self._clock, self.meter = networks, decoder, clock, meter
        self._lock = threading.Lock()
        self.tables: dict[tuple[int, str], Table] = {}
        self.unread: dict[str, dict[int, str]] = {}  # what could not be read outside of a pass
        self._folder, self._fingerprints = folder, fingerprints
        self.pass_of: dict[str, int] = {}
        try:
            self._open(0)
        except BaseException:
            self.close()
            raise

    def replan(self, passes: Sequence[Pass], dims: Mapping[str, int]) -> None:
        """Other passes in place of those after the first, which stays as it is. No worker may be under way.

        dims: of the new feature blocks. Networks that were not given at the start cannot come in.
        """
        for (number, _), table in self.tables.items():
            if number > 0:
                for cache in table.caches.values():
                    cache.close()
        self.tables = {key: table for key, table in self.tables.items() if key[0] == 0}
        self.passes = [self.passes[0], *passes]
        self.dims |= dims
        self._open(1)

    def _open(self, first: int) -> None:
        """The caches of all passes from `first` on."""
        folder, fingerprints = self._folder, self._fingerprints
        self.pass_of = {
            block: number
            for number, passing in enumerate(self.passes)
            for stage in passing.stages
            for block in stage.blocks
        }
        for number, passing in list(enumerate(self.passes))[first:]:
            for split, (samples, _order) in self.splits.items():
                caches: dict[str, FeatureCache] = {}
                self.tables[number, split] = Table(samples, caches)
                for block in (block for stage in passing.stages for block in stage.blocks):
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
        passing = self.passes[job.passing]
        with self.meter.measure("decode"):
            items, missing = self._decode(table, job.split, missing, passing)
        for stage in passing.stages if len(missing) else ():
            with self.meter.measure("forward"):
                blocks = embedded(stage, self._networks[stage.backbone], items)
            name = self._labels.get(stage.backbone, stage.backbone)
            self._clock.charge("forward", name, passing.pixels, len(missing) * passing.frames)
            for block, values in zip(stage.blocks, blocks, strict=True):
                table.caches[block].put(missing, values)
                self._clock.charge("store", "features", self.dims[block], len(missing))

    def pixels(
        self, split: str, rows: Indices, pixels: int, frames: int
    ) -> tuple[Sequence[Images | Clip], Indices]:
        """Squares (or clips of some frames) of the rows that can be read, and which rows these are."""
        samples, order = self.splits[split]
        wanted = Pass(pixels, frames, ())
        items: list[Images | Clip] = []
        read: list[int] = []
        for row in _without(rows, self.bad(split)).tolist():
            path = os.path.join(samples.root, samples.paths[int(order[row])])
            found = self._decoder(path, pixels, frames)
            self._charge_decoding(path, wanted)
            if isinstance(found, Skipped):
                self.unread.setdefault(split, {})[row] = found.reason
            else:
                items.append(found)
                read.append(row)
        return items, np.array(read, np.int64)

    def _decode(
        self, table: Table, split: str, rows: Indices, passing: Pass
    ) -> tuple[Sequence[Any], Indices]:
        """The pixels of the rows that can be read, and those rows; the others are noted as bad."""
        samples, order = self.splits[split]
        items: list[Images | Clip] = []
        read: list[int] = []
        for row in rows:
            path = os.path.join(samples.root, samples.paths[int(order[row])])
            found = self._decoder(path, passing.pixels, passing.frames)
            self._charge_decoding(path, passing)
            if isinstance(found, Skipped):
                with self._lock:
                    table.bad[int(row)] = found.reason
            else:
                items.append(found)
                read.append(int(row))
        return items, np.array(read, np.int64)

    def _charge_decoding(self, path: str, passing: Pass) -> None:
        if self._efforts is None:
            self._clock.charge("decode", "file", passing.pixels, passing.frames)
            return
        for name, size, n in self._efforts(path, passing.pixels, passing.frames):
            self._clock.charge("decode", name, size, n)

    def settled(self, passing: int, split: str) -> NDArray[np.bool_]:
        """Rows that are done or known to be unreadable: bool [n]."""
        result = self.tables[passing, split].done()
        result[list(self.bad(split))] = True
        return result

    def bad(self, split: str) -> dict[int, str]:
        """Rows of a split that could not be read at some pass, with reasons."""
        with self._lock:
            found: dict[int, str] = dict(self.unread.get(split, {}))
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
        self._clock.charge("fetch", "features", self.dims[block], len(rows))
        return result

    def raw(self, block: str, most: int) -> tuple[Indices, Matrix]:
        """As the network gave them: of at most so many training samples that have passed, rows of the run int64 [k] and
        features float32 [k, dim]."""
        cache = self.tables[self.pass_of[block], "train"].caches[block]
        rows = np.flatnonzero(cache.done)[:most]
        return rows, cache.get(rows).astype(np.float32)

    def close(self) -> None:
        """Close the caches."""
        for table in self.tables.values():
            for cache in table.caches.values():
                cache.close()


def _without(rows: Indices, unreadable: Mapping[int, str]) -> Indices:
    return np.array([row for row in rows.tolist() if row not in unreadable], np.int64)
