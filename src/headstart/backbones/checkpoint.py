"""Read the tensors of a legacy PyTorch checkpoint with numpy alone, running none of its code."""

from __future__ import annotations

import pickle
import struct
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from headstart.errors import BadWeights

_MAGIC = 0x1950A86A20F9469CFC6C
_DTYPES: dict[str, np.dtype[Any]] = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


@dataclass(frozen=True)
class _Storage:
    dtype: np.dtype[Any]


@dataclass(frozen=True)
class _Tensor:
    key: str
    dtype: np.dtype[Any]
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


def _rebuild(
    storage: tuple[str, np.dtype[Any]],
    offset: int,
    shape: tuple[int, ...],
    stride: tuple[int, ...],
    *_: object,
) -> _Tensor:
    key, dtype = storage
    return _Tensor(key, dtype, offset, tuple(shape), tuple(stride))


class _Reader(pickle.Unpickler):
    """Knows the four names that a state dict needs and refuses every other one."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild
        if module == "torch" and name in _DTYPES:
            dtype: np.dtype[Any] = _DTYPES[name]
            return _Storage(dtype)
        raise BadWeights(f"refused: the checkpoint asks for {module}.{name}")

    def persistent_load(self, pid: Any) -> tuple[str, np.dtype[Any]]:
        _, storage, key, *_ = pid
        return key, storage.dtype


def _array(tensor: _Tensor, flat: np.ndarray) -> np.ndarray:
    """A view with strides knows no bounds of its own: numbers that point outside of the data end here."""
    steps = list(zip(tensor.shape, tensor.stride, strict=True))
    last = tensor.offset + sum((count - 1) * step for count, step in steps)
    if tensor.offset < 0 or any(count < 1 or step < 0 for count, step in steps) or last >= len(flat):
        raise ValueError("a tensor lies outside of its storage")
    size = tensor.dtype.itemsize
    strides = tuple(step * size for step in tensor.stride)
    return np.lib.stride_tricks.as_strided(flat[tensor.offset :], tensor.shape, strides).copy()


def _storage(file: IO[bytes], dtype: np.dtype[Any]) -> np.ndarray:
    (count,) = struct.unpack("<q", file.read(8))
    content = file.read(count * dtype.itemsize) if count >= 0 else b""
    if len(content) != count * dtype.itemsize:
        raise ValueError("the file ends within its data")
    return np.frombuffer(content, dtype)


def _tensors(file: IO[bytes]) -> dict[str, np.ndarray]:
    _Reader(file).load()  # the format's version
    _Reader(file).load()  # sizes and byte order of the machine that wrote it
    tensors: dict[str, _Tensor] = _Reader(file).load()
    keys: list[str] = _Reader(file).load()
    dtypes = {tensor.key: tensor.dtype for tensor in tensors.values()}
    flat = {key: _storage(file, dtypes[key]) for key in keys}
    if file.read(1):
        raise ValueError("the file is longer than its data")
    return {name: _array(tensor, flat[tensor.key]) for name, tensor in tensors.items()}


def read_checkpoint(path: Path) -> dict[str, np.ndarray]:
    """All tensors of a legacy (pre-zip) checkpoint, name to array (float32 or int64).

    Raises BadWeights for another format, a damaged file, and a pickle that asks for any other class.
    """
    try:
        with path.open("rb") as file:
            if _Reader(file).load() != _MAGIC:
                raise BadWeights(f"{path.name} is no legacy PyTorch checkpoint; save it in that format")
            return _tensors(file)
    except BadWeights:
        raise
    except Exception as error:  # a damaged pickle may raise anything
        raise BadWeights(f"{path.name} is damaged ({error}); download it again") from error
