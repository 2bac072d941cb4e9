"""Scores a run: the only part that reads the answers. Works on what is there, also when the referee was killed.

A prediction counts from the moment at which the referee saw it until the next one counts. Predictions later than T are
dropped and counted; what is no prediction is refused and listed, and the one before it stands.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.challenge.figure import learning_curves
from headstart.challenge.predictions import STARTED, number, read
from headstart.challenge.public import ANSWERS
from headstart.challenge.record import PREDICTIONS, Event, read_events, read_play
from headstart.errors import BadInput
from headstart.store.atomic import write_atomically
from headstart.words.scoring import alc, column_scores, score

T0 = (60.0, 20.0)
"""Seconds: that of the challenge's program, and the one in the paper's text."""
VERDICT, FIGURE = "verdict.json", "curve.svg"


@dataclass(frozen=True)
class Point:
    """A prediction that counts. seconds: since the learner's start. cpu: its CPU seconds until then, if known."""

    seconds: float
    score: float
    cpu: float | None
    file: str


@dataclass(frozen=True)
class Refused:
    """A file that does not count, and why."""

    file: str
    reason: str


@dataclass(frozen=True)
class Reading:
    """The same curve on another clock. alc: by t0 in seconds, as text. late: predictions that its budget dropped."""

    alc: dict[str, float]
    first_prediction_seconds: float | None
    late: int


@dataclass(frozen=True)
class Verdict:
    """What a run is worth. alc: by t0 in seconds, as text ("60", "20"), on the wall clock with start-up inside.

    without_start_up: the clock starts when the learner says that its start-up is over; None where it does not say.
    on_cpu: the clock counts CPU seconds of all its processes; None where they are not known.
    classes_scored: classes that are in some but not in all of the test samples; only these count.
    state: how the run ended ("running": it has not, or the referee was killed).
    """

    task: str
    learner: str
    budget: float
    clock: str
    state: str
    ended: str
    alc: dict[str, float]
    final_score: float
    first_prediction_seconds: float | None
    curve: tuple[Point, ...]
    late: int
    refused: tuple[Refused, ...]
    start_up_seconds: float | None
    without_start_up: Reading | None
    on_cpu: Reading | None
    n_test: int
    classes: int
    classes_scored: int
    warnings: tuple[str, ...] = field(default=())

    def document(self) -> dict[str, Any]:
        """As JSON; a point of the curve is [seconds, score]."""
        content = asdict(self)
        content["curve"] = [[point.seconds, point.score] for point in self.curve]
        content["cpu_seconds"] = [point.cpu for point in self.curve]
        content["files"] = [point.file for point in self.curve]
        return content


def judge(out: str | os.PathLike[str], write: bool = True) -> Verdict:
    """Score the run in folder `out`. write: `verdict.json` and `curve.svg` there.

    Raises BadInput where there is no such run, or its record or its answers are damaged.
    """
    folder = Path(out)
    played, events = read_play(folder), read_events(folder)
    try:
        budget = float(played["budget"])
        name, learner = str(played["task"]["name"]), str(played["learner"])
        state, ended = str(played.get("state", "")), str(played.get("ended", ""))
    except (KeyError, TypeError, ValueError):
        raise BadInput(f"{folder / 'play.json'} is damaged: the run cannot be judged.") from None
    truth = _answers(folder)
    points, late, refused = _scored(folder, events, truth, budget)
    began = next((event.t for event in events if event.event == STARTED), None)
    times, scores = [point.seconds for point in points], [point.score for point in points]
    columns = column_scores(truth, truth)
    verdict = Verdict(
        name, learner, budget, "wall", state, ended, _areas(times, scores, budget), scores[-1] if scores else 0.0,
        times[0] if times else None, tuple(points), late, tuple(refused), began,
        _without_start_up(times, scores, budget, began), _on_cpu(points, budget), len(truth), truth.shape[1],
        int((~np.isnan(columns)).sum()),
    )  # fmt: skip
    verdict = _warned(verdict)
    if write:
        write_atomically(folder / VERDICT, (json.dumps(verdict.document()) + "\n").encode(), durable=False)
        areas = [verdict.alc[f"{t0:g}"] for t0 in T0]
        drawing = learning_curves(times, scores, budget, T0, areas, f"{learner} on {name}")
        write_atomically(folder / FIGURE, drawing.encode("utf-8", "replace"), durable=False)
    return verdict


def _answers(folder: Path) -> NDArray[np.uint8]:
    try:
        with np.load(folder / ANSWERS, allow_pickle=False) as found:
            truth: NDArray[np.uint8] = found["truth"]
    except Exception as error:  # numpy raises many kinds for a damaged file
        raise BadInput(f"{folder / ANSWERS} cannot be read ({error}): the run cannot be judged.") from None
    if truth.ndim != 2 or truth.dtype != np.uint8 or (truth > 1).any():
        raise BadInput(f"{folder / ANSWERS} holds no labels of 0 and 1: the run cannot be judged.")
    return truth


def _scored(
    folder: Path, events: Sequence[Event], truth: NDArray[np.uint8], budget: float
) -> tuple[list[Point], int, list[Refused]]:
    """The predictions that count, in their order; how many were late; and those refused."""
    told = {event.file: event.words for event in events if event.event in ("refused", "changed")}
    stamps = [event for event in events if event.event == "prediction"]
    points: list[Point] = []
    refused: list[Refused] = []
    late, before = 0, 0.0
    for event, fault in _paired(stamps):
        reason = fault or told.get(event.file)
        if reason is None and event.t < before:
            reason = f"came {before - event.t:.3f} s before a prediction with a lower number"
        if reason is None:
            before = event.t
        if reason is None and event.t > budget:
            late += 1
            continue
        value = 0.0
        if reason is None:
            try:
                value = score(truth, read(os.fspath(folder / PREDICTIONS / event.file), *truth.shape))
            except BadInput as error:
                reason = str(error)
        if reason is None:
            points.append(Point(event.t, value, event.cpu, event.file))
        else:
            refused.append(Refused(event.file, reason))
    known = {event.file for event in stamps}
    refused += [
        Refused(name, "has no stamp: it was not published whole, or after the end")
        for name in _unstamped(folder, known)
    ]
    return points, late, refused


def _paired(stamps: Sequence[Event]) -> list[tuple[Event, str | None]]:
    """Stamps by the number in the file's name, and what is wrong with a number: it is missing, or there twice."""
    ordered = sorted(stamps, key=lambda event: (number(event.file) or 0, event.t))
    found: list[tuple[Event, str | None]] = []
    expected, missing = 0, None
    for event in ordered:
        k = number(event.file)
        if k is None:
            found.append((event, "is no name of a prediction"))
            continue
        if k < expected:
            found.append((event, f"number {k} was published already"))
            continue
        if k > expected and missing is None:
            missing = expected
        expected = k + 1
        found.append((event, None if missing is None else f"number {missing} before it is missing"))
    return found


def _unstamped(folder: Path, known: set[str]) -> list[str]:
    try:
        names = sorted(os.listdir(folder / PREDICTIONS))
    except OSError:
        return []
    return [name for name in names if number(name) is not None and name not in known]


def _areas(times: Sequence[float], scores: Sequence[float], budget: float) -> dict[str, float]:
    return {f"{t0:g}": alc(times, scores, budget, t0) for t0 in T0}


def _without_start_up(
    times: Sequence[float], scores: Sequence[float], budget: float, began: float | None
) -> Reading | None:
    """The late official rule: imports and the model's construction are free."""
    if began is None:
        return None
    moved = [max(0.0, t - began) for t in times]
    return Reading(_areas(moved, scores, budget), moved[0] if moved else None, 0)


def _on_cpu(points: Sequence[Point], budget: float) -> Reading | None:
    if any(point.cpu is None for point in points):
        return None
    times = np.maximum.accumulate([point.cpu or 0.0 for point in points]).tolist() if points else []
    late = sum(t > budget for t in times)
    scores = [point.score for point in points]
    return Reading(_areas(times, scores, budget), times[0] if len(times) > late else None, late)


def _warned(verdict: Verdict) -> Verdict:
    """With what a reader should know."""
    warnings = []
    if not verdict.curve:
        warnings.append("no prediction counts, so ALC is 0")
    if not verdict.classes_scored:
        warnings.append("no class is in some but not all of the test samples, so every score is 0")
    if verdict.curve and verdict.curve[0].seconds <= 0:
        warnings.append("the first prediction came at 0 s, which nothing real does")
    if verdict.state == "running":
        warnings.append("the run is not over, or the referee was killed: judged is what is there")
    return Verdict(**{**vars(verdict), "warnings": tuple(warnings)})
