"""From the features of a clip's frames to features of the clip.

The mean over frames is eq. 2 of the paper: it tells what is seen. What happens is told by how the features
vary (`std`) and how much they change from each frame to the next in the first, second and last third of
the clip (`change`): played backwards, a clip has another `change`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from headstart.backbones.motion import THIRDS, thirds

Matrix = NDArray[np.float32]
STATISTICS = {"": 1, "std": 1, "change": THIRDS}
"""How many numbers each statistic gives per feature."""


def parted(output: str) -> tuple[str, str]:
    """`d10+std` as the network's output and the statistic over frames; the mean's name is empty."""
    plain, _, statistic = output.partition("+")
    return plain, statistic


def dim(output: str, plain_dim: int) -> int:
    """The numbers of a clip's features. Raises KeyError for an unknown statistic."""
    return plain_dim * STATISTICS[parted(output)[1]]


def summary(frames: Matrix, statistic: str) -> Matrix:
    """Features of one clip, float32 [dim], from those of its frames in their order, float32 [m, d]."""
    if statistic == "":
        return np.asarray(frames.mean(axis=0), np.float32)
    if statistic == "std":
        return np.asarray(frames.std(axis=0), np.float32)
    if len(frames) == 1:
        return np.zeros(frames.shape[1] * THIRDS, np.float32)
    return thirds(np.asarray(np.abs(np.diff(frames, axis=0)), np.float32))
