"""How the pixels of a clip move: optical flow and moving edges, in closed form, from pairs of frames.

Flow is that of Lucas and Kanade (1981): in each of 4 x 4 cells the displacement that best explains how
grey levels change between two frames, by least squares. It is taken at three scales, so that displacements
up to a few pixels of the coarsest one (16 x 16) are told. Edges are histograms of the direction in which
an edge moves across itself, weighted by how much changes there (as the histograms of flow of Laptev et al.,
2008, but of the normal flow, which needs no solve and is right for large displacements too).
Both are averaged over thirds of the clip, so that the direction of time shows, and joined by their
spread over time. Everything is >= 0: a displacement is its positive and its negative part.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float32]

SIDE = 64
THIRDS = 3
CELLS = 4
SCALES = (1, 2, 4)
BINS = 8
FLAT = 1e-3  # per pixel: what a cell without contrast divides by
LARGEST = 3.0  # pixels of a scale; the next coarser one tells more


def motion(frames: NDArray[np.uint8], after: NDArray[np.uint8]) -> dict[str, Matrix]:
    """The motion between pairs of frames, uint8 [m, 64, 64, 3] each: flow float32 [768] and edges [512]."""
    before, behind = _grey(frames), _grey(after)
    flow = np.concatenate([_flow(_shrunk(before, s), _shrunk(behind, s)) for s in SCALES], axis=1)
    edges = _edges(_shrunk(before, 2), _shrunk(behind, 2))
    return {"flow": over_time(flow), "edges": over_time(edges)}


def over_time(values: Matrix) -> Matrix:
    """Means over thirds of the time and the standard deviation: [m, d] to float32 [4 d]."""
    return np.concatenate([thirds(values), values.std(axis=0)]).astype(np.float32)


def thirds(values: Matrix) -> Matrix:
    """Means over each third of the rows, [m, d] to [3 d]; of fewer than three rows some count twice."""
    edges = np.linspace(0, len(values), THIRDS + 1)
    starts = np.minimum(np.floor(edges[:-1]).astype(int), len(values) - 1)
    ends = np.maximum(np.ceil(edges[1:]).astype(int), starts + 1)
    return np.concatenate([values[start:end].mean(axis=0) for start, end in zip(starts, ends, strict=True)])


def _grey(frames: NDArray[np.uint8]) -> Matrix:
    return np.asarray(frames.astype(np.float32).mean(axis=3) / np.float32(255), np.float32)


def _shrunk(grey: Matrix, factor: int) -> Matrix:
    count, side, _ = grey.shape
    cells = grey.reshape(count, side // factor, factor, side // factor, factor)
    return np.asarray(cells.mean(axis=(2, 4)), np.float32)


def _gradients(before: Matrix, behind: Matrix) -> tuple[Matrix, Matrix, Matrix]:
    """Along x, along y (of the mean of both frames) and over time, each [m, side, side]."""
    middle = (before + behind) / 2
    across: Any = np.gradient(middle, axis=2)
    down: Any = np.gradient(middle, axis=1)
    return across, down, behind - before


def _by_cell(values: Matrix) -> Matrix:
    count, side, _ = values.shape
    cells = values.reshape(count, CELLS, side // CELLS, CELLS, side // CELLS)
    return np.asarray(cells.sum(axis=(2, 4)), np.float32)


def _flow(before: Matrix, behind: Matrix) -> Matrix:
    """Positive and negative parts of each cell's displacement in x and y, float32 [m, 64]."""
    x, y, t = _gradients(before, behind)
    flat = FLAT * (before.shape[1] // CELLS) ** 2
    xx, yy, xy = _by_cell(x * x) + flat, _by_cell(y * y) + flat, _by_cell(x * y)
    xt, yt = _by_cell(x * t), _by_cell(y * t)
    determinant = xx * yy - xy * xy
    across, down = (xy * yt - yy * xt) / determinant, (xy * xt - xx * yt) / determinant
    moved = np.stack([across, down], axis=-1).clip(-LARGEST, LARGEST)
    parts = np.concatenate([np.maximum(moved, 0), np.maximum(-moved, 0)], axis=-1)
    return parts.reshape(len(parts), -1)


def _edges(before: Matrix, behind: Matrix) -> Matrix:
    """In each cell, how much moves in each of eight directions, float32 [m, 128]."""
    x, y, t = _gradients(before, behind)
    direction = np.arctan2(-t * y, -t * x)
    weight = np.sqrt(np.abs(t) * np.hypot(x, y))
    bins = ((direction + np.pi) / (2 * np.pi) * BINS).astype(np.int64) % BINS
    per_cell = (before.shape[1] // CELLS) ** 2
    layers = [_by_cell(np.where(bins == k, weight, 0)) / per_cell for k in range(BINS)]
    return np.stack(layers, axis=-1).reshape(len(before), -1)
