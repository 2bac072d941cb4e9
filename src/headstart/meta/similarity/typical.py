"""The unit in which distances between data sets are told. By itself: `fit` needs it, and no method of recognition."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def typical(means: NDArray[np.floating]) -> float:
    """The median over priors of the squared distance to the nearest other one, means [priors, k]; 1 of a single one."""
    if len(means) < 2:
        return 1.0
    squared = ((means[:, None] - means[None]) ** 2).sum(axis=2)
    np.fill_diagonal(squared, np.inf)
    return max(float(np.median(squared.min(axis=1))), 1e-12)
