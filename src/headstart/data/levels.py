"""Numbers as levels of grey: what arrays of measurements need that pictures and files do not."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from headstart.errors import BadInput

_ROWS_AT_ONCE = 1024
_PAD = 255  # not black: beside it a row keeps how bright it is, of which features know the direction only


def is_numeric(item: Any) -> bool:
    """Whether this is an array whose numbers are no absolute levels of grey."""
    if isinstance(item, Image.Image) or not hasattr(item, "__array__"):
        return False
    values = np.asarray(item)
    real = values.dtype.kind in "iuf" and values.dtype != np.uint8
    return bool(real and values.size and np.isfinite(values).all())


def limits(X: Any, table: bool) -> tuple[float, float] | None:
    """The least and the largest number of all arrays; None where all are uint8, bool, images or files."""
    if table:
        return float(X.min()), float(X.max())
    numeric = [np.asarray(item) for item in ([X] if isinstance(X, np.ndarray) else X) if is_numeric(item)]
    if not numeric:
        return None
    return min(float(values.min()) for values in numeric), max(float(values.max()) for values in numeric)


def levels(values: NDArray[Any], black_white: tuple[float, float] | None) -> NDArray[Any]:
    """Numbers as uint8, with the two as black and white. uint8 and bool pictures are left alone."""
    if black_white is None or (values.ndim > 2 and values.dtype.kind in "bu" and values.dtype.itemsize == 1):
        return values
    low, high = black_white
    result = np.empty(values.shape, np.uint8)
    for start in range(0, len(values), _ROWS_AT_ONCE):
        part = values[start : start + _ROWS_AT_ONCE].astype(np.float64)
        shares = ((part - low) / ((high - low) or 1.0)).clip(0, 1)
        result[start : start + _ROWS_AT_ONCE] = (shares * 255 + 0.5).astype(np.uint8)
    return result


def laid_out(rows: NDArray[np.uint8], shape: tuple[int, ...] | None) -> NDArray[np.uint8]:
    """Rows [n, d] as pictures [n, h, w, c]: of the shape, else squares with the rest in white."""
    count, columns = rows.shape
    if shape is not None:
        if len(shape) not in (2, 3) or math.prod(shape) != columns:
            raise BadInput(
                f"shape={shape} is no picture of {columns} numbers: give (height, width) or (height, width, 3)"
            )
        return rows.reshape(count, shape[0], shape[1], -1)
    side = math.isqrt(columns - 1) + 1
    squares = np.full((count, side * side), _PAD, np.uint8)
    squares[:, :columns] = rows
    return squares.reshape(count, side, side, 1)
