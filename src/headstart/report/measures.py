"""What out-of-fold posteriors say about classes, pairs of classes and single samples."""

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
    """One class or label, measured out of fold; nan where a measure is not defined.

    support: evidence samples that have it. score: 2·AUC−1. threshold: multi-label only, else nan.
    """

    index: int
    support: int
    score: float
    recall: float
    precision: float
    f1: float
    threshold: float


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

    label: the class predicted (single-label), or the label that is wrong (multi-label).
    confidence: posterior of `label`. truth: the sample's class, or -1 in multi-label tasks.
    missing: multi-label only: the sample has the label, and the model denies it.
    """

    sample: int
    label: int
    confidence: float
    truth: int = -1
    missing: bool = False


def accuracy(evidence: Evidence) -> tuple[float, float]:
    """Share of samples whose most probable class is right, and half the width of its 95 % interval."""
    n = len(evidence)
    right = float(np.mean(evidence.posteriors.argmax(axis=1) == evidence.targets))
    z = 1.96  # Wilson's interval: sensible at shares near 0 and 1 and for few samples
    half = z / (1 + z * z / n) * math.sqrt(right * (1 - right) / n + z * z / (4 * n * n))
    return right, half


def largest_class(evidence: Evidence) -> float:
    """The accuracy of always naming the most frequent class."""
    return float(np.bincount(evidence.targets.astype(np.int64)).max() / len(evidence))


def by_class(evidence: Evidence) -> list[ClassMeasures]:
    """Every class's measures, the lowest score first (classes without a score last)."""
    multi = evidence.targets.ndim == 2
    found: list[ClassMeasures] = []
    predicted = evidence.posteriors.argmax(axis=1)
    for start in range(0, evidence.posteriors.shape[1], _COLUMNS):
        columns = np.arange(start, min(start + _COLUMNS, evidence.posteriors.shape[1]))
        posteriors = evidence.posteriors[:, columns].astype(np.float32)
        truth = evidence.targets[:, columns] if multi else evidence.targets[:, None] == columns
        truth = truth.astype(np.uint8)
        scores = column_scores(truth, posteriors)
        for i, column in enumerate(columns):
            has = truth[:, i].astype(bool)
            threshold = best_threshold(has, posteriors[:, i]) if multi else math.nan
            says = posteriors[:, i] >= threshold if multi else predicted == column
            found.append(_measured(int(column), has, says, float(scores[i]), threshold))
    return sorted(found, key=lambda c: (not math.isfinite(c.score), c.score, c.recall, c.index))


def _measured(
    index: int, has: NDArray[np.bool_], says: NDArray[np.bool_], score: float, threshold: float
) -> ClassMeasures:
    both, support, said = int((has & says).sum()), int(has.sum()), int(says.sum())
    recall = both / support if support else math.nan
    precision = both / said if said else math.nan
    f1 = 2 * both / (support + said) if support else math.nan
    if support in (0, len(has)):
        score = math.nan  # AUC compares samples with and without the class
    return ClassMeasures(index, support, score, recall, precision, f1, threshold)


def best_threshold(has: NDArray[np.bool_], posterior: NDArray[np.float32]) -> float:
    """The threshold (label where posterior >= threshold) with the largest F1; nan without a positive."""
    if not has.any():
        return math.nan
    order = np.argsort(-posterior, kind="stable")
    ranked = posterior[order].astype(np.float64)
    hits = np.cumsum(has[order])
    f1 = 2 * hits / (has.sum() + np.arange(1, len(order) + 1))
    f1[:-1][ranked[:-1] == ranked[1:]] = -1.0  # equal posteriors fall on the same side
    cut = int(f1.argmax())
    below = ranked[cut + 1] if cut + 1 < len(ranked) else 0.0
    return float((ranked[cut] + below) / 2)


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
    if evidence.targets.ndim == 2:
        return _wrong_labels(evidence, most)
    label = posteriors.argmax(axis=1)
    confidence = posteriors[np.arange(len(posteriors)), label]
    wrong = np.flatnonzero(label != evidence.targets)
    wrong = wrong[np.argsort(-confidence[wrong].astype(np.float32), kind="stable")][:most]
    truth = evidence.targets.astype(np.int64)
    return [Mistake(int(i), int(label[i]), float(confidence[i]), int(truth[i])) for i in wrong]


def _wrong_labels(evidence: Evidence, most: int) -> list[Mistake]:
    error = np.abs(evidence.posteriors - evidence.targets.astype(np.float16))
    label = error.argmax(axis=1)
    worst = error[np.arange(len(error)), label].astype(np.float32)
    order = [i for i in np.argsort(-worst, kind="stable")[:most] if worst[i] > 0.5]
    return [
        Mistake(
            int(i), int(label[i]), float(evidence.posteriors[i, label[i]]),
            missing=bool(evidence.targets[i, label[i]]),
        )
        for i in order
    ]  # fmt: skip


def mean_f1(measures: list[ClassMeasures]) -> float:
    """The mean F1 over the classes that occur; nan where none does."""
    found = [c.f1 for c in measures if math.isfinite(c.f1)]
    return sum(found) / len(found) if found else math.nan
