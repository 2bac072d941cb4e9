"""Values between measured ones, on logarithmic scales: costs are powers of the work, or nearly."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping

STEEPEST = 3.0
"""No work here grows faster than with the third power: a slope beyond it is noise, and not gone on with."""


def along(known: Mapping[int, float], at: int) -> float:
    """The value at a number > 0, from values > 0 at numbers > 0 (at least one).

    Between two of them a straight line on logarithmic scales. Below the first: the first, because calls have
    a cost of their own. Beyond the last: on by the last slope, which is at least 0.
    """
    places = sorted(known)
    if at <= places[0] or len(places) == 1:
        return known[places[0]]
    right = min(bisect_left(places, at), len(places) - 1)
    low, high = places[right - 1], places[right]
    slope = math.log(known[high] / known[low]) / math.log(high / low)
    if at > high:
        return float(known[high] * (at / high) ** min(max(slope, 0.0), STEEPEST))
    return float(known[low] * (at / low) ** slope)


def isotonic(values: list[float]) -> list[float]:
    """The nearest values that do not fall (least squares of their logarithms, by pooling neighbours); all > 0."""
    pools: list[tuple[float, int]] = []
    for value in values:
        mean, count = math.log(value), 1
        while pools and pools[-1][0] > mean:
            before, others = pools.pop()
            mean, count = (before * others + mean * count) / (others + count), others + count
        pools.append((mean, count))
    return [math.exp(mean) for mean, count in pools for _ in range(count)]
