"""From the features of a clip's frames to features of the clip, as `backbones.temporal`, in ONNX nodes."""

from __future__ import annotations

import numpy as np

from headstart.backbones.motion import THIRDS
from headstart.export.builder import Builder


def first(graph: Builder, frames: str) -> str:
    """The features of the first frame, float32 [1, d], from those of all, float32 [m, d]."""
    start, end, axis = (graph.constant([value], "int64") for value in (0, 1, 0))
    return graph.node("Slice", frames, start, end, axis)


def summary(graph: Builder, frames: str, statistic: str) -> str:
    """As `backbones.temporal.summary`: float32 [1, dim] of a clip."""
    if statistic == "change":
        return _change(graph, frames)
    return (
        graph.node("ReduceMean", frames, axes=[0], keepdims=1) if statistic == "" else spread(graph, frames)
    )


def spread(graph: Builder, values: str) -> str:
    """The standard deviation of each column, float32 [m, d] to [1, d]."""
    apart = graph.node("Sub", values, graph.node("ReduceMean", values, axes=[0], keepdims=1))
    return graph.node("Sqrt", graph.node("ReduceMean", graph.node("Mul", apart, apart), axes=[0], keepdims=1))


def thirds(graph: Builder, values: str) -> str:
    """As `backbones.motion.thirds`: means over each third of the rows, float32 [m, d] to [1, 3 d]."""
    return _means(graph, values, graph.node("Shape", values, start=0, end=1))


def _change(graph: Builder, frames: str) -> str:
    """Mean absolute change from frame to frame in each third of the clip; zeros for a single frame."""
    one = graph.constant([1], "int64")
    count = graph.node("Shape", frames, start=0, end=1)
    # The last frame follows itself: a row of zeros, which no third takes in, unless it is the only one.
    following = graph.node(
        "Min", graph.node("Add", _places(graph, frames), one), graph.node("Sub", count, one)
    )
    change = graph.node("Abs", graph.node("Sub", graph.node("Gather", frames, following, axis=0), frames))
    return _means(graph, change, graph.node("Max", graph.node("Sub", count, one), one))


def _places(graph: Builder, values: str) -> str:
    count = graph.node("Squeeze", graph.node("Shape", values, start=0, end=1))
    return graph.node("Range", graph.constant(0, "int64"), count, graph.constant(1, "int64"))


def _means(graph: Builder, values: str, count: str) -> str:
    """Means over each third of the first `count` rows, side by side: float32 [1, 3 d]."""
    exact, one = graph.cast(count, "double"), graph.constant([1], "float64")
    third = graph.node("Div", exact, graph.constant([THIRDS], "float64"))
    number = np.arange(THIRDS + 1.0)[:, None]
    start = graph.node("Floor", graph.node("Mul", graph.constant(number[:-1]), third))
    start = graph.node("Min", start, graph.node("Sub", exact, one))
    end = graph.node("Ceil", graph.node("Mul", graph.constant(number[1:]), third))
    end = graph.node("Max", graph.node("Min", end, exact), graph.node("Add", start, one))
    place = graph.cast(_places(graph, values), "double")
    outside = graph.node("Or", graph.node("Less", place, start), graph.node("GreaterOrEqual", place, end))
    share = graph.node("Div", one, graph.node("Sub", end, start))
    shares = graph.cast(graph.node("Where", outside, graph.constant(0, "float64"), share), "float")  # [3, m]
    return graph.node("Reshape", graph.node("MatMul", shares, values), graph.constant([1, -1], "int64"))
