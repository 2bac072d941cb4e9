"""What out-of-fold posteriors of a multi-label task say about labels, pairs of labels and single samples."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headstart.heads.thresholds import held_out_thresholds, precision_recall, thresholds
from headstart.report.reading import Evidence
from headstart.words.scoring import column_scores

_COLUMNS = 64  # labels at once: thousands of labels need not be float at the same time
_SIGMAS = 3.0  # how far beyond chance (a Poisson count's) two labels meet before it is worth a line


@dataclass(frozen=True)
class LabelMeasures:
    """One label, measured out of fold; nan where a measure is not defined.

    support: evidence samples that have it. score: 2·AUC−1. precise: average precision.
    threshold: the one suggested. recall, precision and f1 are of decisions by thresholds that the judged
    sample had no say in, so they are those of the suggested threshold without flattering it.
    """

    index: int
    support: int
    score: float
    precise: float
    threshold: float
    f1: float
    recall: float
    precision: float


@dataclass(frozen=True)
class LabelPair:
    """Two labels that meet in `count` samples; `chance`: in how many they would if they were unrelated."""

    first: int
    second: int
    count: int
    chance: float


@dataclass(frozen=True)
class LabelMistake:
    """A sample with labels missed or wrongly given: label and posterior, the worst first. right: those hit."""

    sample: int
    missed: tuple[tuple[int, float], ...]
    wrong: tuple[tuple[int, float], ...]
    right: tuple[int, ...]


@dataclass(frozen=True)
class Labels:
    """Evidence of a multi-label task with the decisions that follow from it.

    posteriors: float32 [n, classes]. has, given: bool [n, classes], the truth and the decisions.
    thresholds: float32 [classes], suggested. crossed: float32 [n, classes], what decided (see LabelMeasures).
    """

    posteriors: NDArray[np.float32]
    has: NDArray[np.bool_]
    given: NDArray[np.bool_]
    thresholds: NDArray[np.float32]
    crossed: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.has)


def decided(evidence: Evidence) -> Labels:
    """The decisions on the samples of multi-label evidence."""
    posteriors, targets = evidence.posteriors.astype(np.float32), evidence.targets
    crossed = held_out_thresholds(posteriors, targets)
    return Labels(
        posteriors, targets.astype(bool), posteriors >= crossed, thresholds(posteriors, targets), crossed
    )


def by_label(labels: Labels) -> list[LabelMeasures]:
    """Every label's measures, the lowest score first (labels without a score last)."""
    parts = [
        column_scores(labels.has[:, some].astype(np.uint8), labels.posteriors[:, some])
        for some in _some(labels.has.shape[1])
    ]
    scores = np.concatenate([np.empty(0), *parts])
    at = precision_recall(labels.posteriors, labels.has, labels.crossed)
    found = [
        LabelMeasures(
            k, int(at.support[k]), float(scores[k]), average_precision(labels.has[:, k], labels.posteriors[:, k]),
            float(labels.thresholds[k]), float(at.f1[k]), float(at.recall[k]), float(at.precision[k]),
        )
        for k in range(len(scores))
    ]  # fmt: skip
    return sorted(found, key=lambda c: (not math.isfinite(c.score), c.score, c.index))


def average_precision(has: NDArray[np.bool_], posteriors: NDArray[np.float32]) -> float:
    """Precision at every distinct posterior, weighted by the recall gained there; nan without a positive.

    has: bool [n]. posteriors: float [n].
    """
    if not has.any():
        return math.nan
    order = np.argsort(-posteriors, kind="stable")
    ranked, hits = posteriors[order], np.cumsum(has[order])
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))  # of each run of equal posteriors
    gained = np.diff(hits[last], prepend=0)
    return float(np.sum(gained * hits[last] / (last + 1)) / hits[-1])


def mean_of(values: list[float]) -> float:
    """The mean of those that are defined; nan where none is."""
    found = [value for value in values if math.isfinite(value)]
    return sum(found) / len(found) if found else math.nan


def micro_f1(has: NDArray[np.bool_], given: NDArray[np.bool_]) -> float:
    """F1 over all decisions together, bool [n, classes]; nan where no label is given and none is right."""
    said = int(has.sum()) + int(given.sum())
    return 2 * int((has & given).sum()) / said if said else math.nan


def exact_match(has: NDArray[np.bool_], given: NDArray[np.bool_]) -> float:
    """The share of samples, bool [n, classes], of which every label is right."""
    return float((has == given).all(axis=1).mean())


def together(labels: Labels, most: int) -> list[LabelPair]:
    """Labels that samples have together clearly more often than by chance, the largest surplus first."""
    return _meeting(labels.has, labels.has, most)


def confused(labels: Labels, most: int) -> list[LabelPair]:
    """Labels (second) that are given wrongly to samples of a label (first) clearly more often than to others."""
    return _meeting(labels.has, labels.given & ~labels.has, most, ~labels.has)


def _meeting(
    rows: NDArray[np.bool_], columns: NDArray[np.bool_], most: int, among: NDArray[np.bool_] | None = None
) -> list[LabelPair]:
    """Pairs of a label in `rows` and another in `columns`, bool [n, classes]; each pair once without `among`.

    among: bool [n, classes], where a column could be True at all; chance spreads it over these samples.
    """
    has = rows.astype(np.float32)
    found: list[LabelPair] = []
    for some in _some(rows.shape[1]):
        both = has.T @ columns[:, some].astype(np.float32)
        marked = columns[:, some].sum(axis=0)
        if among is None:
            share = np.broadcast_to(has.mean(axis=0)[:, None], both.shape)
        else:
            share = has.T @ among[:, some].astype(np.float32) / np.maximum(among[:, some].sum(axis=0), 1)
        chance = share * marked
        surplus = both - chance
        clear = (both >= 2) & (surplus > _SIGMAS * np.sqrt(chance))
        row, column = np.arange(len(both))[:, None], np.arange(some.start, some.stop)
        clear &= row < column if among is None else row != column
        places = np.argwhere(clear)
        best = places[np.argsort(-surplus[clear], kind="stable")[:most]]
        found += [
            LabelPair(int(i), int(j) + some.start, int(both[i, j]), float(chance[i, j])) for i, j in best
        ]
    return sorted(found, key=lambda pair: (pair.chance - pair.count, pair.first, pair.second))[:most]


def label_counts(labels: Labels, rows: int) -> list[tuple[int, int, int, int]]:
    """How many samples have, and how many are given, from `low` to `high` labels: (low, high, have, given).

    In at most `rows` steps of equal width from 0 to the largest number that occurs.
    """
    counts = [matrix.sum(axis=1) for matrix in (labels.has, labels.given)]
    most = int(max(counts[0].max(), counts[1].max()))
    width = -(-(most + 1) // rows)
    have, given = (np.bincount(c // width, minlength=most // width + 1).tolist() for c in counts)
    return [
        (k * width, min((k + 1) * width - 1, most), h, g)
        for k, (h, g) in enumerate(zip(have, given, strict=True))
    ]


def worst(labels: Labels, most: int) -> list[LabelMistake]:
    """The samples with the worst errors: the posteriors of all wrong decisions, as far off as they are, summed."""
    wrong = labels.has != labels.given
    error = (np.abs(labels.posteriors - labels.has) * wrong).sum(axis=1)
    order = [i for i in np.argsort(-error, kind="stable")[:most].tolist() if wrong[i].any()]
    return [_mistake(labels, i) for i in order]


def _mistake(labels: Labels, i: int) -> LabelMistake:
    has, given, posteriors = labels.has[i], labels.given[i], labels.posteriors[i]
    missed = sorted((float(posteriors[k]), int(k)) for k in np.flatnonzero(has & ~given))
    wrong = sorted((-float(posteriors[k]), int(k)) for k in np.flatnonzero(given & ~has))
    return LabelMistake(
        i,
        tuple((k, posterior) for posterior, k in missed),
        tuple((k, -minus) for minus, k in wrong),
        tuple(np.flatnonzero(has & given).tolist()),
    )


def _some(width: int) -> Iterator[slice]:
    for start in range(0, width, _COLUMNS):
        yield slice(start, min(start + _COLUMNS, width))
