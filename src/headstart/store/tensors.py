"""Named arrays in a file of the safetensors format, written and read with numpy alone.

The file: 8 bytes header length (unsigned, little endian), a JSON header that gives each tensor's dtype, shape
and place, then the raw little-endian data without holes. Nothing in such a file is code.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.errors import BadModel
from headstart.store.atomic import write_atomically

Array = NDArray[Any]

_DTYPES: dict[str, np.dtype[Any]] = {
    "F64": np.dtype("<f8"),
    "I64": np.dtype("<i8"),
    "F32": np.dtype("<f4"),
    "I32": np.dtype("<i4"),
    "F16": np.dtype("<f2"),
    "I16": np.dtype("<i2"),
    "I8": np.dtype("i1"),
    "U8": np.dtype("u1"),
    "BOOL": np.dtype("?"),
}
_CODES = {dtype: code for code, dtype in _DTYPES.items()}
_METADATA = "__metadata__"
_MAX_HEADER = 100_000_000
_MAX_DIMENSIONS = 32


def save(path: Path, tensors: Mapping[str, Array], metadata: Mapping[str, str] | None = None) -> None:
    """Write `tensors` and `metadata` to `path` in one step; raises DiskFull and ValueError (see `encode`)."""
    pieces = encode(tensors, metadata)
    write_atomically(path, lambda file: file.writelines(pieces))


def load(path: Path, *, memmap: bool = False) -> tuple[dict[str, Array], dict[str, str]]:
    """The tensors and the metadata of a file, which is checked in full. The arrays are read-only.

    memmap: leave the data on disk and read what is touched, rather than all of it in one go.
    Raises BadModel, naming the file, where it is missing or anything in it is not as it must be.
    """
    try:
        if memmap and path.stat().st_size:
            return decode(np.memmap(path, np.uint8, mode="r").view(np.ndarray), str(path))
        return decode(np.frombuffer(path.read_bytes(), np.uint8), str(path))
    except OSError as error:
        raise BadModel(f"{path} cannot be read: {error.strerror or error}") from error


def encode(
    tensors: Mapping[str, Array], metadata: Mapping[str, str] | None = None
) -> list[bytes | memoryview]:
    """The file's content in pieces; the data is not copied where it is contiguous and little endian.

    Raises ValueError for a dtype other than float16/32/64, int8/16/32/64, uint8 and bool.
    """
    header: dict[str, Any] = {_METADATA: dict(metadata)} if metadata else {}
    arrays = {name: _portable(name, array) for name, array in tensors.items()}
    # widest first keeps every tensor aligned; then by name, so that equal content gives equal bytes
    order = sorted(arrays, key=lambda name: (-arrays[name].itemsize, name))
    place = 0
    for name in order:
        array = arrays[name]
        span = [place, place + array.nbytes]
        header[name] = {"dtype": _CODES[array.dtype], "shape": list(array.shape), "data_offsets": span}
        place = span[1]
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    pieces: list[bytes | memoryview] = [len(text).to_bytes(8, "little"), text]
    return pieces + [arrays[name].reshape(-1).view(np.uint8).data for name in order]


def _portable(name: str, array: Array) -> Array:
    if name == _METADATA or array.dtype.newbyteorder("<") not in _CODES:
        raise ValueError(f"a tensor {name!r} of dtype {array.dtype} cannot be stored")
    return np.asarray(array, array.dtype.newbyteorder("<"), order="C")


def decode(content: NDArray[np.uint8], name: str) -> tuple[dict[str, Array], dict[str, str]]:
    """The tensors (views of `content`, uint8 [bytes] of a whole file) and the metadata.

    Raises BadModel, naming the file `name`, where anything in it is not as it must be.
    """
    try:
        return _decode(content)
    except (_Bad, ValueError, OverflowError, RecursionError) as error:
        raise BadModel(f"{name} is damaged or no safetensors file: {error}") from error


class _Bad(Exception):
    """What is wrong with a file."""


def _require(condition: bool, complaint: str) -> None:
    if not condition:
        raise _Bad(complaint)


def _decode(content: NDArray[np.uint8]) -> tuple[dict[str, Array], dict[str, str]]:
    _require(len(content) >= 8, "it is shorter than 8 bytes")
    length = int.from_bytes(content[:8].tobytes(), "little")
    _require(length <= min(_MAX_HEADER, len(content) - 8), f"its header cannot be {length} bytes long")
    text = content[8 : 8 + length].tobytes()
    _require(text.startswith(b"{"), "its header does not start with {")
    header = json.loads(text.decode("utf-8"), object_pairs_hook=_unique)
    metadata = header.pop(_METADATA, {})
    _require(
        isinstance(metadata, dict) and all(isinstance(value, str) for value in metadata.values()),
        "its metadata are not strings",
    )
    data = content[8 + length :]
    _check_places(header, len(data))
    return {name: _tensor(name, entry, data) for name, entry in header.items()}, metadata


def _unique(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    items: dict[str, Any] = {}
    for key, value in pairs:
        _require(key not in items, f"{key!r} stands twice in its header")
        items[key] = value
    return items


def _check_places(header: Mapping[str, Any], size: int) -> None:
    """Every entry is well formed, and together they cover the data exactly once."""
    for name, entry in header.items():
        _require(
            isinstance(entry, dict) and entry.keys() == {"dtype", "shape", "data_offsets"},
            f"the entry of tensor {name!r} is malformed",
        )
        shape, span, dtype = entry["shape"], entry["data_offsets"], entry["dtype"]
        _require(isinstance(dtype, str) and dtype in _DTYPES, f"tensor {name!r} has the dtype {dtype!r}")
        _require(_naturals(shape) and len(shape) <= _MAX_DIMENSIONS, f"tensor {name!r} has a wrong shape")
        _require(_naturals(span) and len(span) == 2, f"tensor {name!r} has wrong offsets")
        fits = math.prod(shape) * _DTYPES[dtype].itemsize == span[1] - span[0]
        _require(fits, f"tensor {name!r} has a shape that does not fit its offsets")
    place = 0
    for begin, end in sorted(entry["data_offsets"] for entry in header.values()):
        _require(begin == place, f"its tensors overlap or leave a hole at byte {begin}")
        place = end
    _require(place == size, f"it holds {size} bytes of data and its header describes {place}")


def _naturals(values: Any) -> bool:
    return isinstance(values, list) and all(type(value) is int and 0 <= value < 2**63 for value in values)


def _tensor(name: str, entry: Mapping[str, Any], data: NDArray[np.uint8]) -> Array:
    begin, end = entry["data_offsets"]
    raw = data[begin:end]
    if entry["dtype"] == "BOOL":
        _require(not raw.size or int(raw.max()) <= 1, f"tensor {name!r} holds bytes that are no truth values")
    array: Array = raw.view(_DTYPES[entry["dtype"]]).reshape(entry["shape"])
    array.flags.writeable = False
    return array
