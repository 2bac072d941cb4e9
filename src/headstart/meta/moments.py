"""Moments of a batch of features: what a data set looks like as a whole, in a few numbers per feature.

With x one feature over the samples of a batch (trimmed or not), s its unbiased standard deviation and
z = (x - mean) / (s + .1): skewness is the mean of z^3 and kurtosis the mean of z^4, not reduced by 3. The .1
keeps features that hardly vary from deciding; it also makes both depend on the scale of the features.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.float32]

MOMENTS = ("mean", "median", "sd", "variance", "skewness", "kurtosis")
_SOFT = np.float32(0.1)
_LEAST = 2  # rows that trimming leaves
_SORTED = {"median"}


def moments(features: Features, which: Iterable[str] = MOMENTS, trim: float = 0.0) -> Features:
    """The moments of each feature over a batch, float32 [len(which) * f]: all means, then all medians, and so on.

    features: [b, f], b of 1 or more. which: names of MOMENTS; they come in that order whatever the order here.
    trim: the part of the values of each feature that is left out at each end (see `trimmed`).
    Of a single sample, standard deviation, variance, skewness and kurtosis are 0.
    Raises ValueError for an empty batch, a name that is none of MOMENTS, none at all, or a trim outside [0, .5).
    """
    wanted = set(which)
    if not wanted or not wanted <= set(MOMENTS):
        raise ValueError(f"moments are some of {', '.join(MOMENTS)}, not {sorted(wanted)}")
    rows = _checked(features)
    if trim or wanted & _SORTED:
        rows = trimmed(rows, trim)
    return np.concatenate([value for name, value in _all(rows, wanted) if name in wanted])


def trimmed(features: Features, trim: float) -> Features:
    """Each feature's values in ascending order without the lowest and highest, float32 [kept, f].

    int(trim * b) values go from each end, so trim = .4 keeps a fifth; but two rows always stay (one, of
    one), as a standard deviation needs them.
    Raises ValueError for an empty batch or a trim outside [0, .5).
    """
    if not 0 <= trim < 0.5:
        raise ValueError(f"a part below .5 can be trimmed at each end, not {trim}")
    rows = np.sort(_checked(features), axis=0)
    count = len(rows)
    # A product like .29 * 100 may lie below the whole number that it means.
    cut = max(min(math.floor(trim * count + 1e-9), (count - _LEAST) // 2), 0)
    return rows[cut : count - cut]


def _checked(features: Features) -> Features:
    rows = np.asarray(features, np.float32)
    if rows.ndim != 2 or len(rows) == 0:
        raise ValueError(f"a batch of features is [b, f] with b of 1 or more, not {rows.shape}")
    return rows


def _all(rows: Features, wanted: set[str]) -> Iterable[tuple[str, Features]]:
    """Moments in the order of MOMENTS; what nobody wants and nothing else needs is not computed."""
    mean = rows.mean(axis=0)
    yield "mean", mean
    if "median" in wanted:  # the rows are sorted
        middle = len(rows) // 2
        yield "median", (rows[middle] + rows[middle - 1]) / 2 if len(rows) % 2 == 0 else rows[middle]
    if wanted <= {"mean", "median"}:
        return
    apart = rows - mean
    variance = np.einsum("ij,ij->j", apart, apart) / np.float32(max(len(rows) - 1, 1))
    sd = np.sqrt(variance)
    yield "sd", sd
    yield "variance", variance
    if not wanted & {"skewness", "kurtosis"}:
        return
    z = apart / (sd + _SOFT)
    squared = z * z
    yield "skewness", np.einsum("ij,ij->j", squared, z) / np.float32(len(rows))
    yield "kurtosis", np.einsum("ij,ij->j", squared, squared) / np.float32(len(rows))
