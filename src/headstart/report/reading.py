"""What lies in a run folder, read as far as it is there: a run may still be running, or have been killed."""

from __future__ import annotations

import csv
import json
import math
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.errors import BadModel

SKIPPED_SHOWN = 200


@dataclass(frozen=True)
class Curve:
    """The published predictions in order of time; all fields have one entry per prediction.

    seconds, cpu_seconds, score: float64 [n]; score is the evidence, estimated on training samples.
    """

    seconds: NDArray[np.float64]
    cpu_seconds: NDArray[np.float64]
    score: NDArray[np.float64]
    stage: tuple[str, ...] = ()
    samples_seen: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.seconds)


@dataclass(frozen=True)
class Evidence:
    """Out-of-fold posteriors of training samples.

    targets: int64 [n] (class index) for single-label tasks, uint8 [n, classes] for multi-label ones.
    posteriors: float16 [n, classes].
    paths: the samples' files relative to the data's root; empty where the folder does not say.
    """

    targets: NDArray[np.generic]
    posteriors: NDArray[np.float16]
    paths: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.posteriors)


@dataclass(frozen=True)
class SkippedFiles:
    """The first skipped files with their reasons, how many there are, and how often each reason occurs."""

    first: tuple[tuple[str, str], ...] = ()
    total: int = 0
    reasons: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Reading:
    """A run folder as far as it could be read.

    facts: the object in run.json, {} where there is none. problems: sentences on what is missing.
    """

    run: Path
    facts: Mapping[str, Any]
    curve: Curve
    evidence: Evidence | None
    skipped: SkippedFiles
    problems: tuple[str, ...]

    def part(self, key: str) -> Mapping[str, Any]:
        """The object under `key` in run.json, {} where there is none."""
        value = self.facts.get(key)
        return value if isinstance(value, Mapping) else {}

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names; numbered ones where run.json does not tell them."""
        named = listing(self.part("data").get("classes"))
        if named:
            return tuple(map(str, named))
        width = 0 if self.evidence is None else self.evidence.posteriors.shape[1]
        return tuple(f"class {i}" for i in range(width))

    @property
    def kind(self) -> str:
        """`image` or `video`."""
        return "video" if self.part("data").get("kind") == "video" else "image"

    @property
    def noun(self) -> str:
        """What one of the samples is called."""
        return "clip" if self.kind == "video" else "sample"

    @property
    def class_counts(self) -> dict[int, int]:
        """Training samples of each class; {} where run.json does not tell them."""
        counts = listing(self.part("data").get("class_counts"))
        if len(counts) != len(self.classes):
            return {}
        return {i: int(number(n) or 0) for i, n in enumerate(counts)}

    @property
    def budget(self) -> float | None:
        """The time budget in seconds, where run.json tells it."""
        return number(self.facts.get("budget"))


def number(value: object) -> float | None:
    """`value` as a finite float, or None where it is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def listing(value: object) -> list[Any]:
    """`value` if it is a list, else []."""
    return value if isinstance(value, list) else []


def read_run(run: Path) -> Reading:
    """Everything in the run folder `run`; BadModel where it is no run folder at all."""
    if not any((run / part).exists() for part in ("run.json", "curve.csv", "model")):
        raise BadModel(
            f"{run} is no run folder: it holds neither run.json nor curve.csv nor model/. "
            "Give the folder that `headstart fit --out` wrote."
        )
    problems: list[str] = []
    facts = _facts(run / "run.json", problems)
    curve = _curve(run / "curve.csv", problems)
    evidence = _evidence(run / "evidence.npz", problems)
    reading = Reading(run, facts, curve, evidence, _skipped(run / "skipped.csv"), ())
    if evidence is not None and evidence.posteriors.shape[1] != len(reading.classes):
        problems.append("evidence.npz has another number of classes than run.json and is left out.")
        evidence = None
    return Reading(run, facts, curve, evidence, reading.skipped, tuple(problems))


def _facts(path: Path, problems: list[str]) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except OSError:
        problems.append("run.json is missing: settings, data and environment of this run are not known.")
        return {}
    except ValueError:
        problems.append("run.json is damaged: settings, data and environment of this run are not known.")
        return {}
    return found if isinstance(found, dict) else {}


def _rows(path: Path) -> Sequence[dict[str, str]]:
    try:
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            return list(csv.DictReader(line.replace("\0", "\ufffd") for line in file))
    except (OSError, csv.Error):
        return []


def _curve(path: Path, problems: list[str]) -> Curve:
    points: list[tuple[float, float, float, str, int]] = []
    for row in _rows(path):
        try:
            seconds, cpu, score = (float(row[key]) for key in ("seconds", "cpu_seconds", "score"))
            point = (seconds, cpu, score, row["stage"], int(row["samples_seen"]))
        except (KeyError, TypeError, ValueError):
            continue  # the row that was being written when the run was killed
        if all(map(math.isfinite, (seconds, cpu, score))) and seconds >= 0:
            points.append(point)
    if not points:
        problems.append("No prediction has been published yet, so there is no curve.")
    points.sort(key=lambda point: point[0])
    columns = np.array([point[:3] for point in points], np.float64).reshape(-1, 3)
    stages, seen = tuple(point[3] for point in points), tuple(point[4] for point in points)
    return Curve(columns[:, 0], columns[:, 1], columns[:, 2], stages, seen)


def _evidence(path: Path, problems: list[str]) -> Evidence | None:
    if not path.exists():
        problems.append("evidence.npz is missing: nothing can be said about single classes and mistakes.")
        return None
    try:
        # Opened here: numpy forgets to close a file that turns out to be no archive.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            found = {key: arrays[key] for key in arrays.files}
        return _checked(found)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        problems.append("evidence.npz is damaged: nothing can be said about single classes and mistakes.")
        return None


def _checked(arrays: Mapping[str, NDArray[Any]]) -> Evidence:
    posteriors, targets = arrays["posteriors"], arrays["targets"]
    if posteriors.ndim != 2 or not posteriors.size or len(targets) != len(posteriors):
        raise ValueError("targets and posteriors do not fit each other")
    if targets.ndim == 2 and targets.shape != posteriors.shape:
        raise ValueError("targets and posteriors do not fit each other")
    if targets.ndim == 1:
        targets = targets.astype(np.int64)
        if targets.min() < 0 or targets.max() >= posteriors.shape[1]:
            raise ValueError("a target is no class")
    posteriors = np.nan_to_num(posteriors).astype(np.float16, copy=False)
    return Evidence(targets, posteriors, _paths(arrays, len(posteriors)))


def _paths(arrays: Mapping[str, NDArray[Any]], n: int) -> tuple[str, ...]:
    if "path_blob" not in arrays or "path_ends" not in arrays or len(arrays["path_ends"]) != n:
        return ()
    blob, ends = arrays["path_blob"].astype(np.uint8).tobytes(), arrays["path_ends"].tolist()
    starts = [0, *ends[:-1]]
    return tuple(
        blob[start:end].decode("utf-8", "surrogateescape") for start, end in zip(starts, ends, strict=True)
    )


def _skipped(path: Path) -> SkippedFiles:
    files = [(row.get("path") or "", row.get("reason") or "") for row in _rows(path)]
    reasons = Counter(reason for _, reason in files).most_common(8)
    return SkippedFiles(tuple(files[:SKIPPED_SHOWN]), len(files), tuple(reasons))
