"""What out-of-fold posteriors of a single-label task say about classes, pairs of classes and single samples."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headstart.report.reading import Evidence
from headstart.words.scoring import column_scores

# Classes are scored so many at a time: hundreds of classes over many samples need not be float at once.
_COLUMNS = 32


@dataclass(frozen=True)
class ClassMeasures:
    """One class, measured out of fold; nan where a measure is not defined.

    support: evidence samples of it. score: 2·AUC−1.
    """

    index: int
    support: int
    score: float
    recall: float
    precision: float


@dataclass(frozen=True)
class Pair:
    """Samples of one class taken for another; share is of the evidence samples of `truth`."""

    truth: int
    predicted: int
    count: int
    share: float


@dataclass(frozen=True)
class Mistake:
    """A sample that the model is confidently wrong about.

    label: the class predicted. confidence: its posterior. truth: the sample's class.
    """

    sample: int
    label: int
    confidence: float
    truth: int


def accuracy(evidence: Evidence) -> tuple[float, float]:
    """Share of samples whose most probable class is right, and half the width of its 95 % interval."""
    right = float(np.mean(evidence.posteriors.argmax(axis=1) == evidence.targets))
    return right, wilson(right, len(evidence))


def wilson(share: float, n: int) -> float:
    """Half the width of Wilson's 95 % interval of a share of n > 0: sensible near 0 and 1 and for few samples."""
    z = 1.96
    return z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))


def largest_class(evidence: Evidence) -> float:
    """The accuracy of always naming the most frequent class."""
    return float(np.bincount(evidence.targets.astype(np.int64)).max() / len(evidence))


def by_class(evidence: Evidence) -> list[ClassMeasures]:
    """Every class's measures, the lowest score first (classes without a score last)."""
    found: list[ClassMeasures] = []
    predicted = evidence.posteriors.argmax(axis=1)
    for start in range(0, evidence.posteriors.shape[1], _COLUMNS):
        columns = np.arange(start, min(start + _COLUMNS, evidence.posteriors.shape[1]))
        posteriors = evidence.posteriors[:, columns].astype(np.float32)
        truth = (evidence.targets[:, None] == columns).astype(np.uint8)
        scores = column_scores(truth, posteriors)
        for i, column in enumerate(columns):
            has = truth[:, i].astype(bool)
            found.append(_measured(int(column), has, predicted == column, float(scores[i])))
    return sorted(found, key=lambda c: (not math.isfinite(c.score), c.score, c.recall, c.index))


def _measured(index: int, has: NDArray[np.bool_], says: NDArray[np.bool_], score: float) -> ClassMeasures:
    both, support, said = int((has & says).sum()), int(has.sum()), int(says.sum())
    recall = both / support if support else math.nan
    precision = both / said if said else math.nan
    if support in (0, len(has)):
        score = math.nan  # AUC compares samples with and without the class
    return ClassMeasures(index, support, score, recall, precision)


def confusion(evidence: Evidence) -> NDArray[np.int64]:
    """Counts int64 [classes, classes]: row = true class, column = predicted class."""
    width = evidence.posteriors.shape[1]
    codes = evidence.targets.astype(np.int64) * width + evidence.posteriors.argmax(axis=1)
    return np.bincount(codes, minlength=width * width).reshape(width, width)


def confused_pairs(evidence: Evidence, most: int) -> list[Pair]:
    """The pairs of classes that are confused most often, at most `most`, most frequent first."""
    targets, width = evidence.targets.astype(np.int64), evidence.posteriors.shape[1]
    predicted = evidence.posteriors.argmax(axis=1)
    wrong = predicted != targets
    codes, counts = np.unique(targets[wrong] * width + predicted[wrong], return_counts=True)
    support = np.bincount(targets, minlength=width)
    pairs = [
        Pair(int(code // width), int(code % width), int(n), float(n / support[code // width]))
        for code, n in zip(codes, counts, strict=True)
    ]
    return sorted(pairs, key=lambda pair: (-pair.count, -pair.share, pair.truth, pair.predicted))[:most]


def mistakes(evidence: Evidence, most: int) -> list[Mistake]:
    """The mistakes that the model is most confident of, at most one per sample, most confident first."""
    posteriors = evidence.posteriors
    label = posteriors.argmax(axis=1)
    confidence = posteriors[np.arange(len(posteriors)), label]
    wrong = np.flatnonzero(label != evidence.targets)
    wrong = wrong[np.argsort(-confidence[wrong].astype(np.float32), kind="stable")][:most]
    truth = evidence.targets.astype(np.int64)
    return [Mistake(int(i), int(label[i]), float(confidence[i]), int(truth[i])) for i in wrong]
