"""Which frames of a clip stand for it (section 4 of the paper)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from headstart.errors import BadInput

Indices = NDArray[np.int64]


def select(n: int, m: int, how: str, rng: np.random.Generator) -> Indices:
    """Indices of the frames, int64 [m], from 0 to n - 1, never falling. Where m > n some of them are given twice.

    n: frames of the clip, 1 or more. m: how many are wanted, 1 or more. how: one of `HOW`. The same n, m, how and
    state of rng give the same frames; "even" and "keyframe" draw nothing.
    "even": spread over the clip, in the middles of m equal parts. "random": m different ones, each as likely as any
    other. "segments": one at random within each of m consecutive parts. "middle": m different ones, likelier the
    nearer they are to the middle. "keyframe": the first m, from where a decoder starts: what is cheapest to read.
    Raises BadInput for an unknown way, ValueError where n or m is below 1.
    """
    if how not in HOW:
        raise BadInput(f"frames cannot be selected by {how!r}: give one of {', '.join(HOW)}")
    if n < 1 or m < 1:
        raise ValueError(f"{m} of {n} frames cannot be selected")
    if how == "segments":
        return _segments(n, m, rng)
    return HOW[how](n, m, rng) if m <= n else _even(n, m, rng)


def _even(n: int, m: int, _: np.random.Generator) -> Indices:
    return (2 * np.arange(m, dtype=np.int64) + 1) * n // (2 * m)


def _random(n: int, m: int, rng: np.random.Generator) -> Indices:
    return np.sort(rng.choice(n, m, replace=False)).astype(np.int64)


def _segments(n: int, m: int, rng: np.random.Generator) -> Indices:
    """Bounds are those of m equal parts of the time from 0 to n; a frame belongs to the part in which it starts."""
    starts = np.arange(m) * (n / m)
    drawn = np.floor(starts + rng.random(m) * (n / m)).astype(np.int64)
    return np.clip(drawn, 0, n - 1)


def _middle(n: int, m: int, rng: np.random.Generator) -> Indices:
    """Odds fall linearly from the middle to a small rest at both ends."""
    distance = np.abs((np.arange(n) + 0.5) / n - 0.5)
    odds = 1.0 - 1.9 * distance
    return np.sort(rng.choice(n, m, replace=False, p=odds / odds.sum())).astype(np.int64)


def _keyframe(n: int, m: int, _: np.random.Generator) -> Indices:
    return np.arange(m, dtype=np.int64)


HOW: Mapping[str, Callable[[int, int, np.random.Generator], Indices]] = MappingProxyType(
    {"even": _even, "random": _random, "segments": _segments, "middle": _middle, "keyframe": _keyframe}
)
