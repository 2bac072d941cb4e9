"""Charts as inline SVG. Colours and type come from the page's style sheet, so they follow dark and print."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from headstart.report.markup import decimals, duration, percent, shorten, text
from headstart.report.reading import Curve
from headstart.words.scoring import log_time

STAGE_COLOURS = 8
# Ticks in the order in which they claim their room.
_SECONDS = (60, 10, 600, 3600, 1, 30, 300, 1200, 1800, 120, 7200, 3, 20, 5, 2, 0.3, 0.1, 0.5, 0.2,
            180, 14400, 28800, 86400)  # fmt: skip


@dataclass(frozen=True)
class Axis:
    """A time axis: `place` maps seconds to 0..1 between the seconds `start` and `end`."""

    place: Callable[[float], float]
    start: float
    end: float


@dataclass(frozen=True)
class Span:
    """A stretch of time in which one stage published; number counts stages from 1 in order of appearance."""

    stage: str
    number: int
    start: float
    end: float


@dataclass(frozen=True)
class Frame:
    """Where the plot lies in the drawing, in its units, and what its axes span."""

    axis: Axis
    low: float
    high: float
    left: float = 46
    top: float = 30
    width: float = 890
    height: float = 270

    @property
    def bottom(self) -> float:
        return self.top + self.height

    def x(self, seconds: float) -> float:
        return self.left + self.width * min(max(self.axis.place(seconds), 0.0), 1.0)

    def y(self, score: float) -> float:
        return self.top + self.height * (self.high - score) / (self.high - self.low)


def log_clock(budget: float) -> Axis:
    """The challenge's clock: log(1+t/60) / log(1+budget/60)."""
    return Axis(lambda t: log_time(t, budget, 60.0), 0.0, budget)


def logarithmic(start: float, end: float) -> Axis:
    """Plainly logarithmic between two moments, 0 < start < end."""
    scale = math.log(end / start)
    return Axis(lambda t: math.log(max(t, start) / start) / scale, start, end)


def spans(curve: Curve, ended: float) -> list[Span]:
    """Stretches of one stage each, to the end of the run at `ended` seconds.

    A stage works from the last prediction of the one before it.
    """
    numbers: dict[str, int] = {}
    found: list[Span] = []
    before = 0.0
    for seconds, stage in zip(curve.seconds.tolist(), curve.stage, strict=True):
        number = numbers.setdefault(stage, len(numbers) + 1)
        if found and found[-1].stage == stage:
            found[-1] = Span(stage, number, found[-1].start, seconds)
        else:
            found.append(Span(stage, number, before, seconds))
        before = seconds
    if found:
        found[-1] = replace(found[-1], end=max(ended, before))
    return found


def learning_curve(curve: Curve, budget: float, ended: float, alc: float | None) -> str:
    """The whole budget on the challenge's clock, the area shaded.

    budget: seconds at the right end; ended: seconds at which the run ended: from there on the last
    prediction only stands. alc: what is written into the area, if anything.
    """
    lowest = float(curve.score.min())
    frame = Frame(log_clock(budget), low=min(0.0, math.floor(lowest * 5) / 5), high=1.0)
    note = ""
    if alc is not None:
        # Inside the area where it is high enough to hold the words, else in the empty room above it.
        y = frame.bottom - 16 if curve.score[-1] > 0.3 else frame.top + 24
        note = (
            f'<text class="alc" x="{frame.left + frame.width - 12:.1f}" y="{y:.1f}" text-anchor="end">'
            f"<tspan>ALC {decimals(alc)}</tspan> of the evidence from training samples</text>"
        )
    steps = _steps(frame, curve, budget, ended, shaded=True)
    return _drawing(frame, curve, ended, steps + note, "Evidence over the whole budget")


def close_up(curve: Curve, ended: float) -> str:
    """The same from the first prediction to the end of the run, on a plain log axis; "" if too short."""
    first = max(float(curve.seconds[0]), 1e-3)
    end = max(ended, float(curve.seconds[-1]))
    if len(curve) < 3 or end < 1.5 * first:
        return ""
    low, high = float(curve.score.min()), float(curve.score.max())
    step = _nice((high - low) / 4)
    low, high = math.floor(low / step) * step, math.ceil((high + step / 10) / step) * step
    frame = Frame(logarithmic(first / 1.08, end * 1.02), low, high, height=220)
    steps = _steps(frame, curve, end, end, shaded=False)
    return _drawing(frame, curve, end, steps, "Evidence from the first prediction to the end of the run")


def _drawing(frame: Frame, curve: Curve, ended: float, steps: str, title: str) -> str:
    last = float(curve.score[-1])
    label = (
        f'<text class="last" x="{frame.left + frame.width + 8:.1f}" y="{frame.y(last) + 4:.1f}">'
        f"{decimals(last)}</text>"
    )
    return (
        f'<svg class="chart" viewBox="0 0 1000 {frame.bottom + 44:.0f}" role="img" aria-label="{title}">'
        f"<title>{title}</title>{_bands(frame, spans(curve, ended))}{_scores(frame)}{_times(frame)}"
        f"{steps}{label}</svg>"
    )


def _bands(frame: Frame, stretches: Sequence[Span]) -> str:
    parts = []
    for span in stretches:
        left, right = frame.x(span.start), frame.x(span.end)
        if right - left < 0.5:
            continue
        colour = f"stage s{(span.number - 1) % STAGE_COLOURS}"
        parts.append(
            f'<g class="{colour}"><title>{span.number}. {text(span.stage)}: {duration(span.start)} to '
            f'{duration(span.end)}</title><rect class="band" x="{left:.1f}" y="{frame.top}" '
            f'width="{right - left:.1f}" height="{frame.height}"/><rect class="strip" x="{left:.1f}" '
            f'y="{frame.top - 22}" width="{max(right - left - 1, 0.5):.1f}" height="18"/>'
            f"{_span_label(span, (left + right) / 2, right - left, frame.top - 9)}</g>"
        )
    return "".join(parts)


def _span_label(span: Span, middle: float, room: float, y: float) -> str:
    named = f"{span.number} {shorten(span.stage, 28)}"
    label = named if 7.2 * len(named) + 12 < room else str(span.number)
    if 8 * len(label) + 4 > room:
        return ""
    return f'<text x="{middle:.1f}" y="{y:.1f}" text-anchor="middle">{text(label)}</text>'


def _scores(frame: Frame) -> str:
    step = 0.25 if (frame.low, frame.high) == (0.0, 1.0) else _nice((frame.high - frame.low) / 5)
    places = max(2 if step == 0.25 else 1, math.ceil(-math.log10(step) - 1e-9))
    first = math.ceil(frame.low / step - 1e-9)
    parts = []
    for k in range(first, math.floor(frame.high / step + 1e-9) + 1):
        y = frame.y(k * step)
        right = frame.left + frame.width
        kind = "axis" if k * step == frame.low else "grid"
        parts.append(
            f'<line class="{kind}" x1="{frame.left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text class="tick" x="{frame.left - 8}" y="{y + 4:.1f}" text-anchor="end">'
            f"{decimals(k * step, places)}</text>"
        )
    return "".join(parts)


def _times(frame: Frame) -> str:
    axis, room = frame.axis, 52.0
    taken: list[float] = []
    parts = []
    for seconds in (axis.end, axis.start, *_SECONDS):
        inside = axis.start <= seconds <= axis.end
        # The ends of a close-up are no round numbers, so only round moments are named there.
        if not inside or (axis.start > 0 and seconds not in _SECONDS):
            continue
        x = frame.x(seconds)
        if any(abs(x - other) < room for other in taken):
            continue
        taken.append(x)
        label = "0" if seconds == 0 else duration(seconds)
        parts.append(
            f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{frame.bottom}" y2="{frame.bottom + 5}"/>'
            f'<text class="tick" x="{x:.1f}" y="{frame.bottom + 20}" text-anchor="middle">{label}</text>'
        )
    word = "time since start, log(1 + t/60 s)" if axis.start == 0 else "time since start, logarithmic"
    x = frame.left + frame.width / 2
    parts.append(f'<text class="word" x="{x}" y="{frame.bottom + 39}" text-anchor="middle">{word}</text>')
    return "".join(parts)


def _steps(frame: Frame, curve: Curve, right: float, ended: float, shaded: bool) -> str:
    xs = [frame.x(t) for t in curve.seconds.tolist()]
    ys = [frame.y(s) for s in curve.score.tolist()]
    line = f"M{xs[0]:.1f} {ys[0]:.1f}" + "".join(
        f"H{x:.1f}V{y:.1f}" for x, y in zip(xs[1:], ys[1:], strict=True)
    )
    stop, edge = frame.x(max(ended, float(curve.seconds[-1]))), frame.x(right)
    parts = []
    if shaded:
        zero = frame.y(0.0)
        parts.append(f'<path class="area" d="{line}H{stop:.1f}V{zero:.1f}H{xs[0]:.1f}Z"/>')
        parts.append(f'<path class="stands" d="M{stop:.1f} {zero:.1f}V{ys[-1]:.1f}H{edge:.1f}V{zero:.1f}Z"/>')
        parts.append(f'<path class="held" d="M{stop:.1f} {ys[-1]:.1f}H{edge:.1f}"/>')
        parts.append(f'<path class="curve" d="M{xs[0]:.1f} {zero:.1f}L{line[1:]}H{stop:.1f}"/>')
    else:
        parts.append(f'<path class="curve" d="{line}H{stop:.1f}"/>')
        if len(xs) <= 80:
            dots = zip(xs, ys, strict=True)
            parts += [f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="2.8"/>' for x, y in dots]
    return "".join(parts)


def _nice(step: float) -> float:
    """The next of 1, 2, 5 x 10^k at or above `step`."""
    step = max(step, 1e-3)
    scale = 10.0 ** math.floor(math.log10(step) + 1e-9)
    return next(scale * factor for factor in (1, 2, 5, 10) if scale * factor >= step * (1 - 1e-9))


def confusion_matrix(counts: NDArray[np.int64], classes: Sequence[str]) -> str:
    """A heat map of int64 [classes, classes]; rows are true classes, shaded by their share of the row."""
    n = len(classes)
    cell = float(min(max(430 / n, 20), 56))
    names = [shorten(name, 20) for name in classes]
    longest = max(sum(2 if ord(c) > 0x2E7F else 1 for c in name) for name in names)
    left = 7.4 * longest + 34
    top = 0.7 * 7.4 * longest + 46
    width, height = left + n * cell + 0.75 * 7.4 * longest + 10, top + n * cell + 8
    totals = np.maximum(counts.sum(axis=1), 1)
    parts = [
        f'<svg class="matrix" viewBox="0 0 {width:.0f} {height:.0f}" style="width:{width:.0f}px" role="img" '
        'aria-label="Confusion matrix"><title>Confusion matrix</title>'
        f'<text class="word" x="{left:.0f}" y="14">predicted class</text>'
        f'<text class="word" transform="translate(12 {top + n * cell / 2:.0f}) rotate(-90)" '
        'text-anchor="middle">true class</text>'
    ]
    for i, name in enumerate(names):
        middle = (i + 0.5) * cell
        parts.append(
            f'<text class="tick" x="{left - 8:.1f}" y="{top + middle + 4:.1f}" text-anchor="end">{text(name)}'
            f'</text><text class="tick" transform="translate({left + middle:.1f} {top - 8:.1f}) rotate(-45)">'
            f"{text(name)}</text>"
        )
        for j in range(n):
            box = _Box(left + j * cell, top + i * cell, cell)
            title = f"{classes[i]} → {classes[j]}"
            parts.append(_cell(int(counts[i, j]), counts[i, j] / totals[i], i == j, box, title))
    return "".join(parts) + "</svg>"


@dataclass(frozen=True)
class _Box:
    x: float
    y: float
    side: float


def _cell(n: int, share: float, right: bool, at: _Box, title: str) -> str:
    kind, inner = "right" if right else "wrong", at.side - 1
    box = f'x="{at.x + 0.5:.1f}" y="{at.y + 0.5:.1f}" width="{inner:.1f}" height="{inner:.1f}"'
    if not n:
        return f'<rect class="none" {box}/>'
    opacity = 0.1 + 0.9 * share**0.7
    size = min(12.0, at.side * 0.46, 1.5 * at.side / len(str(n)))
    dark = " on" if opacity > 0.62 else ""
    return (
        f"<g><title>{text(title)}: {n} ({percent(share)})</title>"
        f'<rect class="{kind}" {box} fill-opacity="{opacity:.2f}"/><text class="count{dark}" '
        f'x="{at.x + at.side / 2:.1f}" y="{at.y + at.side / 2 + size * 0.35:.1f}" font-size="{size:.1f}" '
        f'text-anchor="middle">{n}</text></g>'
    )
