"""Frozen features of the bundled int8 network, for the learners that are built on headstart's backbone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.learners.protocol import Labels, Matrix
from headstart.backbones.session import Session, open_session
from headstart.data.images import decode
from headstart.words.task import Skipped

_CELLS = 4  # d10 comes as 2 x 2 cells


class Extractor:
    """Files to the pooled head [n, 1280] and the mean of d10 [n, 672], each square-rooted and of length 1."""

    def __init__(self) -> None:
        self._session: Session = open_session("lite0", "int8")

    def __call__(self, paths: Sequence[str], pixels: int) -> tuple[Matrix, Matrix]:
        batch = max(4, min(32, 32 * 64 * 64 // pixels**2))
        heads, inner = [], []
        for first in range(0, len(paths), batch):
            values = self._session(np.stack([_square(path, pixels) for path in paths[first : first + batch]]))
            heads.append(values["head"])
            cells = values["d10"]
            inner.append(cells.reshape(len(cells), _CELLS, -1).mean(axis=1))
        return _scaled(np.concatenate(heads)), _scaled(np.concatenate(inner))


def _scaled(values: Matrix) -> Matrix:
    rooted = np.sqrt(np.maximum(values, 0))
    scaled: Matrix = rooted / np.maximum(np.linalg.norm(rooted, axis=1, keepdims=True), np.float32(1e-9))
    return scaled


def _square(path: str, pixels: int) -> NDArray[np.uint8]:
    square = decode(path, pixels)
    return np.zeros((pixels, pixels, 3), np.uint8) if isinstance(square, Skipped) else square


def balanced(targets: Labels, seed: int) -> Labels:
    """An order in which every class comes once before any comes twice; random otherwise."""
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(len(targets))
    turn = np.empty(len(targets), np.int64)
    for k in np.unique(targets):
        own = shuffled[targets[shuffled] == k]
        turn[own] = np.arange(len(own))
    return shuffled[np.argsort(turn[shuffled], kind="stable")]
