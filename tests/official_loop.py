"""The loop of the official ingestion program, said again from its description, for a model in this process."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Ingested:
    """What came out: seconds of each prediction since the start, the predictions, and why the loop ended."""

    seconds: list[float]
    predictions: list[NDArray[Any]]
    ended: str


def ingest(model: Any, train: Any, test: Any, shape: tuple[int, int], budget: float) -> Ingested:
    """Let `train` and `test` take turns as the official program does. shape: what it demands of a prediction."""
    start = time.time()
    seconds: list[float] = []
    found: list[NDArray[Any]] = []
    while not getattr(model, "done_training", False):
        model.train(train, remaining_time_budget=start + budget - time.time())
        prediction = model.test(test, remaining_time_budget=start + budget - time.time())
        if prediction is None:
            return Ingested(seconds, found, "none")
        if prediction.shape != shape:
            raise ValueError(f"bad prediction shape: {prediction.shape} is not {shape}")
        seconds.append(time.time() - start)
        found.append(np.array(prediction))
        if start + budget - time.time() <= 0:
            return Ingested(seconds, found, "time")
    return Ingested(seconds, found, "done")
