"""From posteriors to labels: one decision threshold for each label of a multi-label task.

Each threshold aims at the largest F1 of its label on held-out posteriors. For calibrated posteriors that is
half of the largest F1 (Lipton, Elkan and Narayanaswamy, Optimal Thresholding of Classifiers to Maximize F1
Measure, ECML 2014), thus mostly below .5; posteriors of single labels are not calibrated that well, so the
largest F1 is searched instead of computed. As the same paper says, this overfits labels with few positives
(a chance outlier moves the threshold far), and gives a label that cannot be told apart to everything. So each
label's own threshold is drawn towards a common one, which has the largest F1 over all labels' decisions
together (micro-F1), in log odds, as if PRIOR more positives had spoken for the common one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# On made-up tasks (20 labels, 60 to 1000 samples, posteriors off by 0 to 1 in log odds; scored on new samples)
# 5 costs .000 to .009 of the mean F1 of own thresholds and gains .003 to .024 of micro-F1; 10 costs up to .017.
PRIOR = 5.0
DEFAULT = 0.5  # where not even a common threshold can be found: no label has a positive
_LEAST = 1e-6  # thresholds stay this far inside of 0 and 1, so that their log odds are finite


@dataclass(frozen=True)
class LabelScores:
    """How good the decisions on each label are, all [classes]; nan where a measure is not defined.

    precision: nan where the label is given to no sample. recall, f1: nan where no sample has it (float64).
    support: int64, samples that have the label.
    """

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]
    support: NDArray[np.int64]


def thresholds(posteriors: NDArray[Any], targets: NDArray[Any]) -> NDArray[np.float32]:
    """The posterior from which on to give each label, float32 [classes], inside (0, 1) and never NaN.

    posteriors: float [n, classes], held out; what is not finite counts as 0. targets: uint8 [n, classes].
    Labels that none or all of the samples have get the common threshold, which is .5 where there is nothing
    to learn it from. Raises ValueError for shapes that do not fit.
    """
    values, has = _checked(posteriors, targets)
    if not has.any():
        return np.full(values.shape[1], DEFAULT, np.float32)
    common = _log_odds(best_threshold(values.ravel(), has.ravel()))
    found = np.full(values.shape[1], common)
    positives = has.sum(axis=0)
    # What a threshold is learnt from is the rarer side: with few negatives it is as uncertain.
    rarer = np.minimum(positives, len(values) - positives)
    for k in np.flatnonzero(rarer):
        own = _log_odds(best_threshold(values[:, k], has[:, k]))
        found[k] += (own - common) * rarer[k] / (rarer[k] + PRIOR)
    return np.asarray(1.0 / (1.0 + np.exp(-found)), np.float32)


def held_out_thresholds(
    posteriors: NDArray[Any], targets: NDArray[Any], folds: int = 5
) -> NDArray[np.float32]:
    """For each sample the `thresholds` that the samples of other folds give, float32 [n, classes].

    With them decisions can be judged on the samples at hand without flattering: no sample had a say in the
    thresholds it is judged by. Folds are drawn at random with a fixed seed.
    """
    values, has = _checked(posteriors, targets)
    fold = np.random.default_rng(0).permutation(len(values)) % folds
    found = np.full(values.shape, DEFAULT, np.float32)
    for k in range(folds):
        found[fold == k] = thresholds(values[fold != k], has[fold != k])
    return found


def precision_recall(
    posteriors: NDArray[Any], targets: NDArray[Any], thresholds: NDArray[Any] | float = DEFAULT
) -> LabelScores:
    """Precision, recall and F1 of each label, given where its posterior is at least its threshold.

    posteriors: float [n, classes]. targets: uint8 [n, classes]. thresholds: one for all, [classes], or
    [n, classes] (see `held_out_thresholds`). Raises ValueError for shapes that do not fit.
    """
    values, has = _checked(posteriors, targets)
    given = values >= np.asarray(thresholds)
    both, said, support = ((given & has).sum(axis=0), given.sum(axis=0), has.sum(axis=0))
    with np.errstate(invalid="ignore", divide="ignore"):
        precision, recall = both / said, both / support
        f1 = np.where(support > 0, 2 * both / (said + support), np.nan)
    return LabelScores(precision, recall, f1, support.astype(np.int64))


def best_threshold(posteriors: NDArray[np.float64], has: NDArray[np.bool_]) -> float:
    """The threshold with the largest F1 of one label, half-way to the next lower posterior; the highest if equal.

    posteriors: float [n] in 0..1. has: bool [n], with at least one True.
    """
    order = np.argsort(-posteriors, kind="stable")
    ranked, hits = posteriors[order], np.cumsum(has[order])
    f1 = 2 * hits / (hits[-1] + np.arange(1, len(order) + 1))
    f1[:-1][ranked[:-1] == ranked[1:]] = -1.0  # equal posteriors fall on the same side
    cut = int(f1.argmax())
    below = ranked[cut + 1] if cut + 1 < len(ranked) else 0.0
    return float((ranked[cut] + below) / 2)


def _log_odds(threshold: float) -> float:
    inside = min(max(threshold, _LEAST), 1 - _LEAST)
    return float(np.log(inside / (1 - inside)))


def _checked(
    posteriors: NDArray[Any], targets: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    if posteriors.ndim != 2 or posteriors.shape != targets.shape:
        raise ValueError(
            f"posteriors {posteriors.shape} and targets {targets.shape} are not [n, classes] both"
        )
    values = np.asarray(posteriors, np.float64)
    return np.clip(np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0), 0.0, 1.0), targets.astype(bool)
