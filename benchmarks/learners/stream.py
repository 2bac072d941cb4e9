"""One resolution streamed: features arrive in small batches, the head is solved again at equal steps of log time."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmarks.learners.features import balanced
from benchmarks.learners.protocol import Labels, Matrix, Publisher

Extract = Callable[[list[str]], Matrix]
Solve = Callable[[Matrix, Labels, int, Matrix], NDArray[np.float64]]
_STEP = 1.35
_BATCH, _FIRST, _EARLY = 32, 256, 96


def streamed(
    extract: Extract,
    solve: Solve,
    files: list[str],
    targets: Labels,
    classes: int,
    tests: list[str],
    seed: int,
    publisher: Publisher,
) -> None:
    """Publish from two samples per class and a few test samples on, until all have been seen."""
    order = balanced(targets, seed)
    turns = np.random.default_rng(seed).permutation(len(tests))
    rows: list[Matrix] = []
    queries: list[Matrix] = []
    seen, asked, last = 0, 0, 0.0
    step = min(2 * classes, _FIRST, len(order)), min(_EARLY, len(turns))
    while seen < len(order) or asked < len(turns):
        if seen < len(order):
            rows.append(extract([files[i] for i in order[seen : seen + step[0]]]))
            seen = min(seen + step[0], len(order))
        if asked < len(turns):
            queries.append(extract([tests[i] for i in turns[asked : asked + step[1]]]))
            asked = min(asked + step[1], len(turns))
        step = _BATCH, _BATCH
        if time.process_time() < _STEP * last and (seen < len(order) or asked < len(turns)):
            continue
        found = solve(np.concatenate(rows), targets[order[:seen]], classes, np.concatenate(queries))
        prediction = np.full((len(tests), classes), 1 / classes)
        prediction[turns[:asked]] = found
        publisher.publish(prediction)
        last = time.process_time()
