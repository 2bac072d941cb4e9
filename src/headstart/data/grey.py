"""Grey of more than 8 bits, as cameras, scanners and sensors deliver it, as 8 bits; in little memory."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_ROWS_AT_ONCE = 256
_FULL_SCALES = (255.0, 4095.0, 65535.0)  # 8, 12 and 16 bits: what cameras and scanners deliver


def grey(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Real numbers of 16 or 32 bits or floating point, [h, ...], as uint8 of the same shape, by their range.

    White is the largest value of 8, 12 or 16 bits (floats: also 1.0), the smallest of these that holds all
    values, so that a 12-bit sensor's picture is not black. Beyond 16 bits: zero to the maximum; with values
    below zero: minimum to maximum.
    """
    blocks = [slice(start, start + _ROWS_AT_ONCE) for start in range(0, len(values), _ROWS_AT_ONCE)]
    low = min(float(_finite(values[block]).min()) for block in blocks)
    high = max(float(_finite(values[block]).max()) for block in blocks)
    if low >= 0:
        scales = (1.0, *_FULL_SCALES) if values.dtype.kind == "f" else _FULL_SCALES
        low, high = 0.0, next((scale for scale in scales if high <= scale), high)
    # Far out, differences or the step would leave single precision: there all is divided first.
    largest = max(-low, high)
    unit = 1.0 if 1e-30 < largest < 1e30 else largest
    step = np.float32(255.0 / ((high / unit - low / unit) or 1.0))
    result = np.empty(values.shape, np.uint8)
    for block in blocks:  # a copy of 100 million floats would take 400 MB, and there would be several
        part = _finite(values[block])
        part = (part if unit == 1.0 else part / unit).astype(np.float32) - np.float32(low / unit)
        result[block] = (part * step + np.float32(0.5)).astype(np.uint8)
    return result


def _finite(values: NDArray[Any]) -> NDArray[Any]:
    return np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0) if values.dtype.kind == "f" else values
