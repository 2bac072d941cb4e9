"""How well predictions rank the samples of each class (2*AUC - 1), and how early: the area under the curve.

A score compares the samples within one class: a shift per sample (softmax against sigmoid) changes it, an
increasing transformation per class does not. A curve is a step function: a prediction counts until the next.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from headstart.errors import BadInput

BUDGET = 1200.0  # seconds, as in the challenge
T0 = 60.0  # seconds, as in the challenge's program; the paper's text says 20


def auc(truth: ArrayLike, prediction: ArrayLike) -> float:
    """The chance that a sample of the class is ranked above one that is not; a tie counts half.

    truth: 0 or 1 (any numeric type or bool), [n]. prediction: finite numbers, [n]; only their order counts.
    Returns 0 to 1, and nan where truth does not hold both values.
    Raises BadInput for unequal shapes, for truth other than 0 and 1, for NaN and infinity.
    """
    wanted, given = _checked(truth, prediction, dimensions=1)
    wins, pairs = _wins(wanted, given)
    return wins / (2 * pairs) if pairs else math.nan


def column_scores(truth: ArrayLike, prediction: ArrayLike) -> NDArray[np.float64]:
    """2*AUC - 1 of every class, float64 [classes]; nan where the class is in none or in all of the samples.

    truth: 0 or 1, [n, classes]. prediction: finite numbers, [n, classes]. Raises BadInput as `auc` does.
    """
    wanted, given = _checked(truth, prediction, dimensions=2)
    columns = np.full(wanted.shape[1], np.nan)
    for k in range(len(columns)):
        wins, pairs = _wins(wanted[:, k], given[:, k])
        if pairs:
            columns[k] = (wins - pairs) / pairs
    return columns


def score(truth: ArrayLike, prediction: ArrayLike) -> float:
    """The unweighted mean of 2*AUC - 1 over the classes for which it is defined: -1 to 1, 0 for guessing.

    Classes that are in none or in all of the samples do not count; where that is every class the score is
    0.0, for then nothing can be told (`column_scores` shows which they are).
    truth: 0 or 1, [n, classes]. prediction: finite numbers, [n, classes]. Raises BadInput as `auc` does.
    """
    columns = column_scores(truth, prediction)
    valid = columns[~np.isnan(columns)]
    return float(valid.mean()) if len(valid) else 0.0


def log_time(t: float, budget: float = BUDGET, t0: float = T0) -> float:
    """The moment t (seconds) on the logarithmic axis: 0 at the start, 1 at the budget, more after it.

    t0 (seconds) says how early "early" is: smaller values give the first seconds more weight.
    Raises BadInput where t is negative, or budget or t0 is not above 0.
    """
    _check_axis(budget, t0)
    if not (math.isfinite(t) and t >= 0):
        raise BadInput(f"a moment must be 0 s or later and finite, but one is {t}")
    return math.log1p(t / t0) / math.log1p(budget / t0)


def late(times: Sequence[float], budget: float = BUDGET) -> int:
    """How many of the predictions came after the budget (seconds), and so do not count for `alc`."""
    return sum(t > budget for t in times)


def alc(times: Sequence[float], scores: Sequence[float], budget: float = BUDGET, t0: float = T0) -> float:
    """The area under the learning curve: the score over `log_time`, averaged from the start to the budget.

    times: seconds since the start at which predictions were published, increasing; of equal ones the last
        counts. Later ones than the budget are dropped (`late` counts them).
    scores: of those predictions. The score is 0 before the first, and the last is held to the budget.
    Without a prediction the area is 0.0.
    Raises BadInput for unequal lengths, for times that decrease or are negative, for NaN and infinity.
    """
    _check_axis(budget, t0)
    _check_curve(times, scores)
    places = [log_time(t, budget, t0) for t in times if t <= budget]
    ends = [*places[1:], 1.0]
    return math.fsum(s * (end - start) for s, start, end in zip(scores, places, ends, strict=False))


def _wins(truth: NDArray[np.bool_], prediction: NDArray[np.generic]) -> tuple[int, int]:
    """Twice the pairs in which the sample of the class stands above the other, ties once; and all pairs.

    Whole numbers, so that scores do not depend on the order of the samples and mirror exactly.
    """
    inside, outside = np.sort(prediction[truth]), np.sort(prediction[~truth])
    below = np.searchsorted(outside, inside, side="left").sum()
    not_above = np.searchsorted(outside, inside, side="right").sum()
    return int(below + not_above), len(inside) * len(outside)


def _checked(
    truth: ArrayLike, prediction: ArrayLike, dimensions: int
) -> tuple[NDArray[np.bool_], NDArray[np.generic]]:
    wanted, given = np.asarray(truth), np.asarray(prediction)
    if wanted.shape != given.shape:
        raise BadInput(f"truth has shape {wanted.shape} but the prediction {given.shape}: they must be equal")
    if wanted.ndim != dimensions:
        shape = "[samples]" if dimensions == 1 else "[samples, classes]"
        raise BadInput(f"truth and prediction must be of shape {shape}, but are of shape {wanted.shape}")
    for name, array in (("truth", wanted), ("the prediction", given)):
        if array.dtype.kind not in "biuf":
            raise BadInput(f"{name} must hold real numbers, but holds {array.dtype}")
    yes = wanted == 1
    _refuse(~(yes | (wanted == 0)), wanted, "truth", "only 0 and 1 are labels")
    _refuse(~np.isfinite(given), given, "the prediction", "only finite numbers can be ranked")
    return yes, given


def _refuse(wrong: NDArray[np.bool_], array: NDArray[np.generic], name: str, rule: str) -> None:
    """Raise BadInput that names the first entry marked wrong."""
    if wrong.any():
        place = np.unravel_index(int(wrong.argmax()), wrong.shape)
        words = ", ".join(f"{axis} {at}" for axis, at in zip(("row", "column"), place, strict=False))
        raise BadInput(f"{name} is {array[place]} in {words} (counted from 0), but {rule}")


def _check_axis(budget: float, t0: float) -> None:
    for name, value in (("budget", budget), ("t0", t0)):
        if not (math.isfinite(value) and value > 0):
            raise BadInput(f"{name} must be a finite number of seconds above 0, but is {value}")


def _check_curve(times: Sequence[float], scores: Sequence[float]) -> None:
    if len(times) != len(scores):
        raise BadInput(f"a curve needs one score for each moment, but has {len(scores)} for {len(times)}")
    for index, value in enumerate(scores):
        if not math.isfinite(value):
            raise BadInput(f"the scores of a curve must be finite, but number {index} (from 0) is {value}")
    before = 0.0
    for index, t in enumerate(times):
        if not (math.isfinite(t) and t >= 0):
            raise BadInput(f"moments must be 0 s or later and finite, but number {index} (from 0) is {t}")
        if t < before:
            raise BadInput(f"moments must not decrease, but number {index} (from 0) is {t} after {before}")
        before = t
