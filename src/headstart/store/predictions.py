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
    path: Path,
    paths: Sequence[str],
    classes: Sequence[str],
    posteriors: NDArray[Any],
    label_kind: LabelKind,
    thresholds: NDArray[Any] | None = None,
) -> None:
    """Replace the CSV at `path`: path, label, confidence, then one column per class.

    posteriors: float [len(paths), len(classes)], written with six digits.
    thresholds: float [len(classes)], of a multi-label task; .5 for every label where there are none.
    label: the class with the largest posterior; of a multi-label task all labels whose posterior is at
    least their threshold, in the order of the classes, joined by `;` (none: an empty cell).
    confidence: the largest posterior. Raises ValueError for a wrong shape, DiskFull.
    """
    if posteriors.shape != (len(paths), len(classes)):
        raise ValueError(f"{len(paths)} paths and {len(classes)} classes, but posteriors {posteriors.shape}")
    least = np.full(len(classes), _THRESHOLD) if thresholds is None else np.asarray(thresholds)
    if least.shape != (len(classes),):
        raise ValueError(f"{len(classes)} classes, but thresholds {least.shape}")
    header = ("path", "label", "confidence", *classes)
    write_table(path, header, _lines(paths, classes, posteriors, label_kind, least))


def _lines(
    paths: Sequence[str],
    classes: Sequence[str],
    posteriors: NDArray[Any],
    label_kind: LabelKind,
    least: NDArray[Any],
) -> Iterator[str]:
    numbers = ",%.6g" * (1 + len(classes)) + "\n"
    for start in range(0, len(paths), _ROWS_AT_ONCE):
        # Compared as they came: float16 posteriors meet float32 thresholds as `predict` compares them.
        given = posteriors[start : start + _ROWS_AT_ONCE]
        labels = _one(given, classes) if label_kind == "single" else _several(given >= least, classes)
        part = np.asarray(given, np.float64)
        best = part.max(axis=1, initial=0.0)
        rows = np.column_stack([best, part]).tolist()
        for offset, (label, row) in enumerate(zip(labels, rows, strict=True)):
            yield f"{cell(paths[start + offset])},{cell(label)}{numbers % tuple(row)}"


def _one(part: NDArray[Any], classes: Sequence[str]) -> list[str]:
    return [classes[int(index)] for index in part.argmax(axis=1)] if len(classes) else [""] * len(part)


def _several(given: NDArray[np.bool_], classes: Sequence[str]) -> list[str]:
    return [";".join(classes[int(index)] for index in np.flatnonzero(row)) for row in given]
