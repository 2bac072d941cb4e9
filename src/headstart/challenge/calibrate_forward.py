"""What backbones cost: opening them, and passing batches of pictures at several sizes and precisions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import count as count_from
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from headstart.backbones.probe import choose_precision, cost_name
from headstart.backbones.session import Session, open_session
from headstart.backbones.table import Precision, find
from headstart.challenge.calibrate_cells import Cell
from headstart.data.frames import Clip
from headstart.heads.kernel import unit
from headstart.learn.embedding import embedded
from headstart.store.cache import FeatureCache
from headstart.words.config import Stage

BUNDLED = ("lite0", "lite0_cut", "pixels", "motion")
_SIDES = (16, 32, 64, 128, 224, 320)
_AREA = 32 * 64 * 64  # as many pixels as a run's batches have
_DIMS = (512, 960, 1920, 2688)
_ROWS = 16384  # of a cache that is written to: a sparse file


def cells(backbones: Sequence[str] = BUNDLED) -> tuple[list[Cell], list[Cell]]:
    """Cells of opening each backbone, in every precision that it has, and of passing it: points over sizes."""
    opening: list[Cell] = [Cell("start", "probe", 0, 1, choose_precision)]
    passing: list[Cell] = []
    for name in backbones:
        for precision in _precisions(name):
            label, session = cost_name(name, precision), open_session(name, precision)
            opening.append(Cell("start", label, 0, 1, partial(_opened, name, precision)))
            passing += _passing(name, label, session)
    return opening, passing


def _precisions(name: str) -> list[Precision]:
    files = find(name).files
    return [precision for precision in ("fp32", "int8") if precision in files] or ["fp32"]


def _opened(name: str, precision: Precision) -> None:
    """With one picture: the first call of a session allocates."""
    row = find(name)
    session = open_session(name, precision)
    if row.files:
        session(np.zeros((1, row.pixels[0], row.pixels[0], 3), np.uint8))


def _sides(name: str) -> list[int]:
    row = find(name)
    return (
        [*row.pixels[:1]]
        if row.fixed
        else [side for side in _SIDES if not side % row.step and side >= row.pixels[0]]
    )


def _passing(name: str, label: str, session: Session) -> list[Cell]:
    if name == "motion":
        return [_moving(count) for count in (1, 4)]
    outputs = tuple(output for output, _ in find(name).outputs)
    result = []
    for side in _sides(name):
        stage = Stage(name, side, outputs)
        batch = max(4, min(32, _AREA // side**2))
        for count in sorted({1, 4, min(batch, 16), batch}):
            pictures = np.random.default_rng(count).integers(0, 256, (count, side, side, 3), np.uint8)
            result.append(
                Cell("forward", label, side, count, partial(embedded, stage, session, list(pictures)))
            )
    return result


def _moving(count: int) -> Cell:
    frames = np.random.default_rng(count).integers(0, 256, (2, 8, 64, 64, 3), np.uint8)
    stage = Stage("motion", 64, ("flow", "edges"), 8)
    some = [Clip(frames[0], frames[1])] * count
    run = partial(embedded, stage, open_session("motion", "fp32"), some)
    return Cell("forward", "motion", 64, 8 * count, run)


def caching(folder: Path) -> tuple[list[Cell], list[FeatureCache]]:
    """Cells of putting features on disk and of getting them back, of unit length; close the caches after."""
    result, caches = [], []
    for dim in _DIMS:
        cache = FeatureCache.open(folder, f"cost {dim}", _ROWS, dim, "0" * 64)
        caches.append(cache)
        values = np.random.default_rng(dim).random((256, dim)).astype(np.float32)
        cache.put(np.arange(256), values)
        places = count_from(256)
        for count in (4, 32):
            result.append(Cell("store", "features", dim, count, partial(_put, cache, places, values[:count])))
        for count in (16, 256):
            result.append(Cell("fetch", "features", dim, count, partial(_fetched, cache, count)))
    return result, caches


def _put(cache: FeatureCache, places: Iterator[int], values: NDArray[np.float32]) -> None:
    """Where nothing was before: the first write to a page of a file costs more than the next."""
    first = next(places) * len(values) % (cache.rows - len(values))
    cache.put(np.arange(first, first + len(values)), values)


def _fetched(cache: FeatureCache, count: int) -> object:
    return unit(cache.get(np.arange(count)))
