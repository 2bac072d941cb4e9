"""Files of predictions: `NAME.predict_K` (text, a row per test sample) and `NAME.predict_K.npy`; checked, and read."""

from __future__ import annotations

import os
import re
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from headstart.data.walk import why
from headstart.errors import BadInput

STARTED = "started"
"""The file that a learner may make when its start-up is over."""
_NAME = re.compile(r".+\.predict_(0|[1-9][0-9]{0,8})(\.npy)?", re.ASCII | re.DOTALL)
_DIGITS = 40  # bytes that a number in a text file may take, with the blank after it
_AT_ONCE = 1 << 20


def number(name: str) -> int | None:
    """Which prediction a file holds by its name, counted from 0; None for another file."""
    found = _NAME.fullmatch(name)
    return int(found[1]) if found else None


def most_bytes(samples: int, classes: int) -> int:
    """How large a file of predictions can be that holds nothing else."""
    return samples * (classes * _DIGITS + 2) + 4096


def glance(path: str, samples: int, classes: int) -> str | None:
    """Why a file cannot be a prediction of this shape, as far as a glance tells; None where nothing is wrong.

    Costs milliseconds, also for large files: numbers are not parsed (`read` does that).
    """
    try:
        if not os.path.isfile(path) or os.path.islink(path):
            return "is no regular file"
        size = os.path.getsize(path)
        if size > most_bytes(samples, classes):
            return f"has {size} bytes, more than {samples} x {classes} numbers can take"
        with open(path, "rb") as file:
            if path.endswith(".npy"):
                return _npy(file, size, samples, classes)
            return _text(file, samples, classes)
    except OSError as error:
        return f"cannot be read: {why(error)}"


def _npy(file: Any, size: int, samples: int, classes: int) -> str | None:
    try:
        version = npy.read_magic(file)
        header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, _, kind = header(file, max_header_size=10_000)
    except Exception:  # numpy raises many kinds for what is no such file
        return "is no .npy file"
    if kind.kind not in "biuf" or kind.hasobject:
        return f"holds {kind}, not real numbers"
    if shape != (samples, classes):
        return f"has the shape {list(shape)}, but it must be {[samples, classes]}"
    wanted = file.tell() + samples * classes * kind.itemsize
    return None if size == wanted else f"has {size} bytes where its header tells {wanted}"


def _text(file: Any, samples: int, classes: int) -> str | None:
    first = file.readline(classes * _DIGITS + 2).split()
    if len(first) != classes:
        return f"has {len(first)} columns, but there are {classes} classes"
    file.seek(0)
    rows, last = 0, b"\n"
    while part := file.read(_AT_ONCE):
        rows += part.count(b"\n")
        last = part[-1:]
    rows += last != b"\n"
    return None if rows == samples else f"has {rows} rows, but there are {samples} test samples"


def read(path: str, samples: int, classes: int) -> NDArray[np.generic]:
    """The numbers of a prediction, [samples, classes]. Raises BadInput with what `glance` says, or what is no number.

    Values may be NaN or infinite: `words.scoring.score` refuses them by row and column.
    """
    if reason := glance(path, samples, classes):
        raise BadInput(reason)
    try:
        if path.endswith(".npy"):
            array: NDArray[np.generic] = np.load(path, allow_pickle=False)
            return array
        with open(path, "rb") as file:
            return _parsed(file.read(), classes)
    except (OSError, ValueError, EOFError) as error:
        raise BadInput(f"cannot be read: {error}") from None


def _parsed(content: bytes, classes: int) -> NDArray[np.float64]:
    rows = [line.split() for line in content.splitlines()]
    for place, row in enumerate(rows):
        if len(row) != classes:
            raise BadInput(f"has {len(row)} columns in row {place} (from 0), but there are {classes} classes")
    words = [word for row in rows for word in row]
    try:
        return np.array(words, "S").astype(np.float64).reshape(len(rows), classes)
    except ValueError:
        place = next(place for place, word in enumerate(words) if not _is_number(word))
        at = divmod(place, classes)
        shown = words[place][:20].decode("ascii", "replace")
        raise BadInput(
            f"holds {shown!r} in row {at[0]}, column {at[1]} (from 0), which is no number"
        ) from None


def _is_number(word: bytes) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
