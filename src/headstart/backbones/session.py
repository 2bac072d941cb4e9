"""A backbone, ready to run: pixels in, features out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from headstart.backbones.table import Backbone, Precision, find, read_weights
from headstart.errors import BadInput, BadModel

Images = NDArray[np.uint8]
Features = dict[str, NDArray[np.float32]]
_CELLS = 16


class Session(Protocol):
    """Images uint8 [n, h, w, 3] to features float32 [n, dim] by output. Any thread may call it at any time."""

    def __call__(self, images: Images) -> Features: ...


def open_session(name: str, precision: Precision, threads: int = 1) -> Session:
    """The session of a bundled or a prepared backbone. Raises BadWeights, or BadInput for an unknown name.

    precision: fp32 is taken where the backbone has no other.

    threads: of one call. Several calls of a single-threaded session on as many threads use the cores
    better than one call with several threads.
    """
    row = find(name)
    return _Network(row, read_weights(name, precision), threads) if row.files else _pixels


def open_graph(graph: bytes, outputs: Sequence[str], threads: int = 1) -> Session:
    """The session of a graph that is no backbone: what was trained on a task. Raises BadModel where it is none."""
    return _Graph(graph, outputs, threads)


class _Graph:
    """An ONNX graph with one input `image`. One object serves all threads: a run keeps no state."""

    def __init__(self, graph: bytes, outputs: Sequence[str], threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._outputs = list(outputs)
        try:
            self._session: Any = onnxruntime.InferenceSession(
                graph, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime has its own kinds, all of them plain exceptions
            raise BadModel(
                f"a network of the model cannot be loaded ({_first_line(error)}): fit again"
            ) from error

    def __call__(self, images: Images) -> Features:
        """The outputs for images of the shape that the graph was made for."""
        if len(images) == 0:
            return {}
        values = self._session.run(self._outputs, {"image": np.ascontiguousarray(images)})
        return dict(zip(self._outputs, values, strict=True))


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:120]


class _Network(_Graph):
    """The graph of a backbone, which takes certain sizes only."""

    def __init__(self, row: Backbone, graph: bytes, threads: int) -> None:
        super().__init__(graph, [output for output, _ in row.outputs], threads)
        self._row = row

    def __call__(self, images: Images) -> Features:
        """Raises BadInput for sides that the graph was not made for: its padding holds for some only."""
        if images.ndim != 4 or images.shape[3] != 3:
            raise BadInput(f"images must be [n, h, w, 3], not {images.shape}")
        for side in images.shape[1:3]:
            self._row.check(side)
        return super().__call__(images)


def _pixels(images: Images) -> Features:
    """The picture itself as features: means over 16 x 16 cells, float32 [n, 768] in 0 to 1."""
    if images.ndim != 4 or images.shape[3] != 3 or images.shape[1] % _CELLS or images.shape[2] % _CELLS:
        raise BadInput(f"images must be [n, h, w, 3] with sides a multiple of {_CELLS}, not {images.shape}")
    n, height, width, _ = images.shape
    # Whole numbers first: 65 793 pixels of 255 fit in uint32, and integer sums are far cheaper than means.
    rows = images.reshape(n, _CELLS, height // _CELLS, width * 3).sum(axis=2, dtype=np.uint32)
    sums = rows.reshape(n, _CELLS, _CELLS, width // _CELLS, 3).sum(axis=3)
    cells = sums.astype(np.float32) / np.float32(255 * (height // _CELLS) * (width // _CELLS))
    return {"rgb16": cells.reshape(n, -1)}
