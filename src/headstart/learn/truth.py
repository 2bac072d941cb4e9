"""What the training samples are, in the order of the run: as indicators of the few rows that are asked for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from headstart.heads.ridge import Array


class Truth:
    """Targets of n samples: int [n] (class index), or 0 and 1 [n, classes].

    A whole indicator of a million samples would be hundreds of megabytes, of ten thousand classes more.
    """

    def __init__(self, targets: NDArray[np.generic], classes: int) -> None:
        self._targets, self.classes = targets, classes

    def __len__(self) -> int:
        return len(self._targets)

    def __getitem__(self, rows: NDArray[np.integer] | slice) -> Array:
        """The indicator of some rows, float64 [m, classes]."""
        found = self._targets[rows]
        if found.ndim == 2:
            return found.astype(np.float64)
        indicator = np.zeros((len(found), self.classes))
        indicator[np.arange(len(found)), found.astype(np.int64)] = 1.0
        return indicator

    def take(self, rows: NDArray[np.integer]) -> Truth:
        """The same of some rows, in their order."""
        return Truth(self._targets[rows], self.classes)

    def counts(self, samples: int | None = None) -> NDArray[np.int64]:
        """How many of the first samples (all) have each class, int64 [classes]."""
        some = self._targets[:samples]
        if some.ndim == 2:
            return np.asarray(some.sum(axis=0), np.int64)
        return np.bincount(some.astype(np.int64), minlength=self.classes)
