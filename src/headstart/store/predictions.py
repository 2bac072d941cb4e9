"""`predictions.csv`: what a model says about each file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.store.tables import cell, write_table
from headstart.words.task import LabelKind

_ROWS_AT_ONCE = 1024
_THRESHOLD = 0.5


def write_predictions(
    path: Path, paths: Sequence[str], classes: Sequence[str], posteriors: NDArray[Any], label_kind: LabelKind
) -> None:
    """Replace the CSV at `path`: path, label, confidence, then one column per class.

    posteriors: float [len(paths), len(classes)], written with six digits.
    label: the class with the largest posterior; of a multi-label task all with at least .5, joined by `;`.
    confidence: the largest posterior. Raises ValueError for a wrong shape, DiskFull.
    """
    if posteriors.shape != (len(paths), len(classes)):
        raise ValueError(f"{len(paths)} paths and {len(classes)} classes, but posteriors {posteriors.shape}")
    header = ("path", "label", "confidence", *classes)
    write_table(path, header, _lines(paths, classes, posteriors, label_kind))


def _lines(
    paths: Sequence[str], classes: Sequence[str], posteriors: NDArray[Any], label_kind: LabelKind
) -> Iterator[str]:
    numbers = ",%.6g" * (1 + len(classes)) + "\n"
    for start in range(0, len(paths), _ROWS_AT_ONCE):
        part = np.asarray(posteriors[start : start + _ROWS_AT_ONCE], np.float64)
        labels = _labels(part, classes, label_kind)
        best = part.max(axis=1, initial=0.0)
        rows = np.column_stack([best, part]).tolist()
        for offset, (label, row) in enumerate(zip(labels, rows, strict=True)):
            yield f"{cell(paths[start + offset])},{cell(label)}{numbers % tuple(row)}"


def _labels(part: NDArray[np.float64], classes: Sequence[str], label_kind: LabelKind) -> list[str]:
    if label_kind == "single":
        return [classes[int(index)] for index in part.argmax(axis=1)] if len(classes) else [""] * len(part)
    return [";".join(classes[int(index)] for index in np.flatnonzero(row >= _THRESHOLD)) for row in part]
