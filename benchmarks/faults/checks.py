"""What a killed run and the run that went on after it have to have left."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.faults.stages import published


def wrong_predictions(run: Path, wanted: int, since: float) -> Iterator[str]:
    """What is wrong with the predictions that a run which began at `since` has left."""
    path = run / "predictions.csv"
    if not path.exists():
        yield "no predictions"
        return
    if path.stat().st_mtime < since - 0.1:
        yield "no new predictions"
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        rows = list(csv.reader(file))[1:]
    if len(rows) != wanted:
        yield f"predictions for {len(rows)} of {wanted} files"
    values = np.array([[float(cell) for cell in row[3:]] for row in rows])
    if not np.allclose(values.sum(1), 1, atol=1e-3):
        yield "posteriors that do not add up to one"
    if np.ptp(values, axis=1).max(initial=0) < 1e-6:
        yield "even odds for every file"


def wrong_after_kill(run: Path, files: list[Path]) -> Iterator[str]:
    """What is wrong with what a kill has left: all that is there has to be readable, and a model has to predict."""
    from headstart import model as models
    from headstart.store.run import RunFolder

    folder = RunFolder.open(run, exclusive=False)
    readers = {
        "curve.csv": folder.read_curve,
        "run.json": folder.read_run,
        "evidence.npz": folder.read_evidence,
    }
    for name, read in readers.items():
        if (run / name).exists():
            try:
                read()
            except Exception as error:
                yield f"{name} cannot be read: {type(error).__name__}: {error}"
    if not published(run):
        return
    try:
        model = models.load(run)
        found = [prediction for file in files for prediction in model.predict(file)]
    except Exception as error:
        yield f"the published model does not predict: {type(error).__name__}: {error}"
        return
    if len(found) != len(files) or not all(math.isfinite(p.confidence) for p in found):
        yield f"{len(found)} predictions for {len(files)} files, or confidences that are no numbers"
