"""Calibration: whether the model is right as often as its posteriors say, and what that means in use."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headstart.report.label_measures import Labels, exact_match
from headstart.report.markup import Section, count, decimals, percent, table
from headstart.report.measures import wilson
from headstart.report.reading import Evidence, Reading

BINS = 10
LEAST = (0.5, 0.7, 0.9)  # the least confidences that are shown


@dataclass(frozen=True)
class Bin:
    """Posteriors from low to high (their bounds): how many, their mean, and the share of them that is right."""

    low: float
    high: float
    count: int
    confidence: float
    right: float


@dataclass(frozen=True)
class Undecided:
    """What a least confidence leaves: samples below it, and how often the others are right (nan: no others).

    exact: the share of which every label is right; nan in single-label tasks.
    """

    least: float
    below: int
    rest: int
    right: float
    exact: float


def bins(confidence: NDArray[np.floating], right: NDArray[np.bool_]) -> list[Bin]:
    """Ten bins of equal width over 0..1, without empty ones. confidence: [n] in 0..1. right: bool [n]."""
    place = np.clip((confidence * BINS).astype(np.int64), 0, BINS - 1)
    counts = np.bincount(place, minlength=BINS)
    sums = np.bincount(place, weights=confidence, minlength=BINS)
    hits = np.bincount(place, weights=right, minlength=BINS)
    return [
        Bin(k / BINS, (k + 1) / BINS, int(counts[k]), float(sums[k] / counts[k]), float(hits[k] / counts[k]))
        for k in np.flatnonzero(counts).tolist()
    ]


def calibration_error(found: list[Bin]) -> float:
    """The expected calibration error: the mean distance of confidence and share right, over all samples."""
    total = sum(b.count for b in found)
    return sum(b.count * abs(b.confidence - b.right) for b in found) / max(total, 1)


def undecided(evidence: Evidence, labels: Labels | None) -> list[Undecided]:
    """For each of LEAST what stays undecided: samples whose largest posterior is below it."""
    best, right = _top(evidence)
    found = []
    for least in LEAST:
        sure = best >= least
        exact = float("nan")
        if labels is not None and sure.any():
            exact = exact_match(labels.has[sure], labels.given[sure])
        share = float(right[sure].mean()) if sure.any() else float("nan")
        found.append(Undecided(least, int((~sure).sum()), int(sure.sum()), share, exact))
    return found


def calibration_section(reading: Reading, evidence: Evidence, labels: Labels | None) -> Section:
    """The reliability diagram with its table, and what stays undecided at a least confidence."""
    if labels is None:
        confidence, right = _top(evidence)
        words = _single_words(confidence, right, reading.noun)
    else:
        confidence, right = labels.posteriors.ravel().astype(np.float64), labels.has.ravel()
        words = _multi_words(labels, reading.noun)
    found = bins(confidence, right)
    says, means = ("confidence", "right") if labels is None else ("posterior", "have the label")
    error = f"<p>The expected calibration error is <b>{decimals(calibration_error(found))}</b>. {words}</p>"
    rows = (
        (
            f"{b.low:.1f}–{b.high:.1f}", count(b.count), percent(b.confidence, 1), percent(b.right, 1),
            f"±\u202f{percent(wilson(b.right, b.count))}",
        )
        for b in found
    )  # fmt: skip
    counted = "#Posteriors" if labels is not None else f"#{reading.noun.capitalize()}s"
    listed = table(
        (says.capitalize(), counted, "#Mean", "#Right" if labels is None else "#Have it", "#95\u202f%"),
        rows,
        "close fit",
    )
    body = (
        f'{error}<div class="pair"><div class="scroll">{diagram(found, says, means)}</div><div>{listed}</div></div>'
        f"{_undecided_table(evidence, labels, reading.noun)}"
    )
    return Section("calibration", "Calibration", body)


def _single_words(confidence: NDArray[np.float64], right: NDArray[np.bool_], noun: str) -> str:
    sure, share = float(confidence.mean()), float(right.mean())
    off = sure - share
    said = "which fits" if abs(off) <= wilson(share, len(right)) else (
        "so it is surer than it should be" if off > 0 else "so it could be surer"
    )  # fmt: skip
    return (
        f"Confidence is the posterior of the class named. It is {percent(sure, 1)} on average, and "
        f"{percent(share, 1)} of the {noun}s are named rightly, {said}."
    )


def _multi_words(labels: Labels, noun: str) -> str:
    expected, true = float(labels.posteriors.sum(axis=1).mean()), float(labels.has.sum(axis=1).mean())
    return (
        f"It is over the posteriors of all labels, of which most are small. They add up to {decimals(expected, 2)} "
        f"labels per {noun}; in truth there are {decimals(true, 2)}."
    )


def _undecided_table(evidence: Evidence, labels: Labels | None, noun: str) -> str:
    found, n = undecided(evidence, labels), len(evidence)
    head = ["#Least confidence", "#Undecided", "#Share", "#Decided"]
    head += ["#Of these right"] if labels is None else ["#Top label right", "#Exact match"]
    rows = []
    for u in found:
        row = [
            decimals(u.least, 1),
            count(u.below),
            percent(u.below / n, 1),
            count(u.rest),
            percent(u.right, 1),
        ]
        rows.append(row if labels is None else [*row, percent(u.exact, 1)])
    of = "posterior of any class" if labels is None else "posterior of any label"
    return (
        f"<h3>With a least confidence</h3><p>What <code>--min-confidence</code> would leave undecided: "
        f"{noun}s whose largest {of} is below it.</p>{table(head, rows, 'close fit')}"
    )


def _top(evidence: Evidence) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The largest posterior of each sample, and whether that class or label is right."""
    best = evidence.posteriors.argmax(axis=1)
    rows = np.arange(len(best))
    multi = evidence.targets.ndim == 2
    right = evidence.targets[rows, best] == 1 if multi else evidence.targets == best
    return np.clip(evidence.posteriors[rows, best].astype(np.float64), 0.0, 1.0), right


_LEFT, _TOP_EDGE, _SIDE = 52.0, 12.0, 300.0


def diagram(found: list[Bin], says: str, means: str) -> str:
    """The reliability diagram: a bar from 0 to the share right over each bin, a dot at the bin's means."""
    bottom, right = _TOP_EDGE + _SIDE, _LEFT + _SIDE
    parts = [
        '<svg class="chart reliability" viewBox="0 0 372 364" role="img" aria-label="Reliability diagram">'
        "<title>Reliability diagram</title>"
    ]
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        x, y = _at(share, share)
        parts.append(
            f'<line class="{"grid" if share else "axis"}" x1="{_LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text class="tick" x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{100 * share:.0f}</text>'
            f'<text class="tick" x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{decimals(share, 2)}</text>'
        )
    parts += [_bar(b) for b in found]
    parts.append(f'<line class="ideal" x1="{_LEFT}" y1="{bottom}" x2="{right}" y2="{_TOP_EDGE}"/>')
    parts += [_dot(b) for b in found]
    middle = _TOP_EDGE + _SIDE / 2
    parts.append(
        f'<text class="word" x="{_LEFT + _SIDE / 2}" y="{bottom + 40}" text-anchor="middle">{says}</text>'
        f'<text class="word" transform="translate(14 {middle}) rotate(-90)" text-anchor="middle">{means}, in %</text>'
        "</svg>"
    )
    return "".join(parts)


def _at(confidence: float, share: float) -> tuple[float, float]:
    return _LEFT + _SIDE * confidence, _TOP_EDGE + _SIDE * (1 - share)


def _bar(b: Bin) -> str:
    x, y = _at(b.low, b.right)
    width, height = _SIDE * (b.high - b.low) - 2, _SIDE * b.right
    return (
        f"<g><title>{b.low:.1f}–{b.high:.1f}: {percent(b.right, 1)} of {count(b.count)}</title>"
        f'<rect class="share" x="{x + 1:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"/></g>'
    )


def _dot(b: Bin) -> str:
    x, y = _at(b.confidence, b.right)
    half = wilson(b.right, b.count)
    top, low = _at(0.0, min(b.right + half, 1.0))[1], _at(0.0, max(b.right - half, 0.0))[1]
    return (
        f'<line class="whisker" x1="{x:.1f}" x2="{x:.1f}" y1="{top:.1f}" y2="{low:.1f}"/>'
        f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>'
    )
