"""Bundle: records of one prior in one file that never changes, and their areas all at once.

The file holds columns as safetensors, compressed (gzip), and is named by the SHA-256 of what was compressed, so
that its name is its checksum. A curve is whole numbers (ms; .00001 of score), each the change since the one before
it: thousands of curves fit into some hundred kilobytes and are read in milliseconds.
"""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import json
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.errors import BadInput, BadModel
from headstart.meta.record import GRAIN, MILLISECOND, Record
from headstart.store import tensors as tensor_file
from headstart.words.config import Config, Stage
from headstart.words.recipe import Recipe

FORMAT = 1
LARGEST = 64 << 20  # bytes before compression; more is no bundle of ours
Ints = NDArray[np.int64]
Configs = dict[str, tuple[str, Config]]
_COLUMNS = ("config", "seed", "clock", "version", "budget", "failed", "n", "points", "halved")


@dataclass(frozen=True, eq=False, repr=False)
class Bundle:
    """Records as columns.

    prior: the id of the prior that they are of. names, texts: of each configuration what it is known by and its
    JSON ("" where only the name is known). clocks, versions: what the columns of that name count in.
    config, seed, clock, version, budget (ms), failed (0, 1), n, points (of the curve), halved (0, 1): int64 [runs].
    told: float64 [runs], nan where the curve tells. seconds (ms), scores: int64 [all points], curves one after
    another; first, second: scores on the halves of the test part, int64 [all points of halved runs].
    """

    prior: str
    names: tuple[str, ...]
    texts: tuple[str, ...]
    origins: tuple[str, ...]
    clocks: tuple[str, ...]
    versions: tuple[Mapping[str, str], ...]
    config: Ints
    seed: Ints
    clock: Ints
    version: Ints
    budget: Ints
    failed: Ints
    n: Ints
    points: Ints
    halved: Ints
    told: NDArray[np.float64]
    seconds: Ints
    scores: Ints
    first: Ints
    second: Ints

    def __len__(self) -> int:
        return len(self.config)

    def areas(self, t0: float, budget: float, half: int | None = None) -> NDArray[np.float64]:
        """`Record.alc` of every run, float64 [runs], without making records. t0, budget: seconds."""
        owner = np.repeat(np.arange(len(self)), self.points)
        place = np.log1p(self.seconds * MILLISECOND / t0) / np.log1p(budget / t0)
        place = np.minimum(place, 1.0)  # what comes after the budget then has no length
        end = np.append(place[1:], 1.0)
        end[np.cumsum(self.points)[self.points > 0] - 1] = 1.0
        scores: NDArray[np.number[Any]] = self.scores
        known = np.ones(len(self), np.bool_)
        if half is not None:
            known = (self.halved > 0) | (self.points == 0)
            scores = np.zeros(len(owner))
            scores[self.halved[owner] > 0] = (self.first, self.second)[half]
        area = np.bincount(owner, scores * GRAIN * (end - place), len(self))
        area = np.where(self.failed > 0, 0.0, np.where(known, area, np.nan))
        if half is not None:
            return np.where(np.isnan(self.told), area, np.nan)
        return np.where(np.isnan(self.told) | (self.failed > 0), area, self.told)

    def record(self, row: int, configs: Configs) -> Record:
        """Run number `row`. Raises BadConfig where this version does not know its configuration."""
        end, count = int(self.points[: row + 1].sum()), int(self.points[row])
        part = slice(end - count, end)
        curve = _pairs(self.seconds[part] * MILLISECOND, self.scores[part] * GRAIN)
        halves: tuple[tuple[float, float], ...] = ()
        if self.halved[row]:
            end = int((self.points * self.halved)[: row + 1].sum())
            part = slice(end - count, end)
            halves = _pairs(self.first[part] * GRAIN, self.second[part] * GRAIN)
        at, told = int(self.config[row]), float(self.told[row])
        name, config = self.read_config(at, configs)
        return Record(
            name, config, int(self.seed[row]), self.clocks[self.clock[row]],
            float(self.budget[row]) * MILLISECOND, curve, "failed" if self.failed[row] else "ok",
            int(self.n[row]), self.versions[self.version[row]], halves, None if np.isnan(told) else told,
            self.origins[at],
        )  # fmt: skip

    def read_config(self, at: int, configs: Configs) -> tuple[str, Config | None]:
        """Name and content of configuration number `at`, see the function of this name."""
        return read_config(self.names[at], self.texts[at], configs)


def read_config(name: str, text: str, configs: Configs) -> tuple[str, Config | None]:
    """Name and content of a stored configuration; None where only the name is known (`text` is "").

    configs: by their text, those that were read before; new ones are put in. The name is the digest by this version,
    which differs from the stored one where a configuration has got a field since: its default is what was done
    before. Raises BadConfig where this version does not know what the configuration says.
    """
    if not text:
        return name, None
    if text not in configs:
        config = Config.from_json(text)
        # Computing a digest takes longer than reading a configuration, and `fit` is in a hurry.
        configs[text] = (name if _all_fields(text) else config.digest, config)
    return configs[text]


def _all_fields(text: str) -> bool:
    """Whether a configuration names every field that this version has: then its digest is what it was."""
    content = json.loads(text)
    parts: list[tuple[type[Config | Stage | Recipe], dict[str, Any]]]
    parts = [(Config, content), *((Stage, stage) for stage in content["stages"])]
    if content.get("recipe") is not None:
        parts.append((Recipe, content["recipe"]))
    return all({f.name for f in dataclasses.fields(kind)} == part.keys() for kind, part in parts)


def _pairs(left: NDArray[Any], right: NDArray[Any]) -> tuple[tuple[float, float], ...]:
    return tuple(zip(left.tolist(), right.tolist(), strict=True))


def encode(prior: str, records: Sequence[Record]) -> tuple[str, bytes]:
    """The name (SHA-256, 64 hex digits) and the bytes of a bundle's file; equal records give equal bytes.

    prior: the id of the prior. records: at least one. Raises BadInput for none.
    """
    if not records:
        raise BadInput("there are no runs to store")
    configs = {r.name: "" if r.config is None else r.config.to_json() for r in records}
    clocks = list(dict.fromkeys(r.clock for r in records))
    versions = list(dict.fromkeys(json.dumps(dict(r.versions), sort_keys=True) for r in records))
    names = list(configs)
    rows = [
        (
            names.index(r.name), r.seed, clocks.index(r.clock),
            versions.index(json.dumps(dict(r.versions), sort_keys=True)), round(r.budget / MILLISECOND),
            int(r.status == "failed"), r.n, len(r.curve), int(bool(r.halves)),
        )
        for r in records
    ]  # fmt: skip
    about = {"format": FORMAT, "prior": prior, "configs": configs, "clocks": clocks}
    about["versions"] = [json.loads(text) for text in versions]
    about["origins"] = {r.name: r.origin for r in records if r.origin}
    tensors: dict[str, NDArray[Any]] = {"columns": np.array(rows, np.int64).T}
    tensors["told"] = np.array([math.nan if r.told is None else r.told for r in records])
    tensors |= _curves(records)
    # A tensor of text: as metadata it would be JSON in JSON, twice as long to read.
    tensors["about"] = np.frombuffer(json.dumps(about).encode(), np.uint8)
    plain = b"".join(tensor_file.encode(tensors))
    return hashlib.sha256(plain).hexdigest(), gzip.compress(plain, 9, mtime=0)


def _curves(records: Sequence[Record]) -> dict[str, NDArray[Any]]:
    """The curves as changes: from point to point, and of the halves' scores from the whole's."""
    halved = [r for r in records if r.halves]
    whole = [round(s / GRAIN) for r in halved for _, s in r.curve]
    first = [round(a / GRAIN) for r in halved for a, _ in r.halves]
    second = [round(b / GRAIN) for r in halved for _, b in r.halves]
    changes = {
        "seconds": _steps([[round(t / MILLISECOND) for t, _ in r.curve] for r in records]),
        "scores": _steps([[round(s / GRAIN) for _, s in r.curve] for r in records]),
        "first": np.array(first, np.int64) - np.array(whole, np.int64),
        "second": np.array(second, np.int64) - np.array(whole, np.int64),
    }
    return {name: values.astype(np.int32) for name, values in changes.items()}


def _steps(curves: Sequence[Sequence[int]]) -> Ints:
    """Each curve's first value and then its changes, one curve after another."""
    return np.array(
        [b - a for curve in curves for a, b in zip([0, *curve], curve, strict=False)], np.int64
    )  # fmt: skip


def decode(content: bytes, name: str, prior: str) -> Bundle:
    """A bundle from the bytes of its file. name: its SHA-256, as the file is called. prior: the id it must be of.

    Raises BadInput that says what is wrong: damage, another prior, another format.
    """
    plain = unpacked(content)
    if plain is None or hashlib.sha256(plain).hexdigest() != name:
        raise BadInput("its content does not have the checksum that it is named by")
    try:
        tensors, _ = tensor_file.decode(np.frombuffer(plain, np.uint8), name)
        about = json.loads(tensors["about"].tobytes())
        if about["format"] != FORMAT:
            raise BadInput(f"it is of format {about['format']!r:.20}, and this version reads format {FORMAT}")
        if about["prior"] != prior:
            raise BadInput(
                f"it holds runs of another prior, or of one described otherwise ({about['prior']!r:.12})"
            )
        bundle = _bundle(about, tensors)
        _check(bundle)
    except (BadModel, KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError) as error:
        raise BadInput(f"it is no bundle of runs ({type(error).__name__})") from error
    return bundle


def unpacked(content: bytes) -> bytes | None:
    """What was compressed, at most LARGEST bytes of it; None where it is more, or no gzip."""
    unpacker = zlib.decompressobj(wbits=31)
    try:
        plain = unpacker.decompress(content, LARGEST)
    except zlib.error:
        return None
    return plain if unpacker.eof else None


def _bundle(about: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> Bundle:
    columns = dict(zip(_COLUMNS, tensors["columns"].astype(np.int64, copy=False), strict=True))
    points, halved = columns["points"], columns["halved"]
    if points.size and points.min() < 0:
        raise ValueError("a curve of fewer than no points")
    scores = _sums(tensors["scores"].astype(np.int64), points)
    own = scores[np.repeat(halved > 0, points)]
    return Bundle(
        str(about["prior"]), tuple(about["configs"]), tuple(about["configs"].values()),
        tuple(str(about["origins"].get(name, "")) for name in about["configs"]), tuple(about["clocks"]),
        tuple(about["versions"]), **columns, told=tensors["told"].astype(np.float64),
        seconds=_sums(tensors["seconds"].astype(np.int64), points), scores=scores,
        first=own + tensors["first"], second=own + tensors["second"],
    )  # fmt: skip


def _sums(steps: Ints, points: Ints) -> Ints:
    """The reverse of `_steps`: running sums that start anew with each curve."""
    total = np.cumsum(steps)
    if len(total) != points.sum():
        raise ValueError("points and curves do not agree")
    starts = np.cumsum(points) - points
    before = np.append(0, total)[starts]
    return np.asarray(total - np.repeat(before, points), np.int64)


def _check(bundle: Bundle) -> None:
    """Raises ValueError where columns do not fit together."""
    sizes = {getattr(bundle, key).shape for key in (*_COLUMNS, "told")}
    inside = ((bundle.config, bundle.names), (bundle.clock, bundle.clocks), (bundle.version, bundle.versions))
    if sizes != {(len(bundle.config),)} or not len(bundle):
        raise ValueError("columns of different lengths")
    if any(column.min() < 0 or column.max() >= len(table) for column, table in inside):
        raise ValueError("a column that counts in nothing")
    if not all(isinstance(text, str) for text in (*bundle.names, *bundle.texts, *bundle.clocks)):
        raise ValueError("names that are no text")
    if not all(isinstance(version, dict) for version in bundle.versions):
        raise ValueError("versions that are no table")
