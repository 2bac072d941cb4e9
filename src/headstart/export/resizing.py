"""The resize of `data.images` as ONNX nodes, equal to Pillow's to the last bit.

Pillow first averages whole cells of pixels (`reduce`, by int(side / size / 1.1) per axis), then interpolates:
each output pixel is a weighted mean of its neighbours with a triangle as wide as the scale, first along rows,
then along columns, with whole numbers and weights of 22 bits. onnxruntime's own antialiased Resize rounds its
weights otherwise and knows no such reduction. All numbers are made in the graph from the picture's shape.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import PIL

from headstart.export.builder import Builder

_GAP = 1.1  # as data.images
_TAPS = 5  # what is left after the reduction shrinks less than 2.2 times: a triangle covers at most 5 pixels
_BITS = 22
TALL_FIRST = int(PIL.__version__.split(".")[0]) >= 13
"""Since Pillow 13 the order of the two passes depends on the picture; before, rows always came first."""


@dataclass(frozen=True)
class _Axis:
    """Names of tensors of one axis: its length, factor of reduction and length after that, int64 [1] each;
    for each tap the places int64 [size] that are read and their weights int32 [size].
    """

    length: str
    factor: str
    reduced: str
    places: tuple[str, ...]
    weights: tuple[str, ...]


def resized(graph: Builder, image: str, size: int) -> str:
    """Pictures uint8 [n, h, w, 3] squeezed to uint8 [n, size, size, 3], as `data.images` does here and now."""
    down, across = _axis(graph, image, 1, size), _axis(graph, image, 2, size)
    image = _reduced(graph, image, down, across)
    if not TALL_FIRST:
        return graph.cast(_columns(graph, _rows(graph, image, across, size), down, size), "uint8")
    first, last = graph.branch(), graph.branch()
    upright = _columns(first, image, down, size), _rows(last, image, across, size)
    return graph.cast(
        graph.choice(
            _tall(graph, down, across, size),
            (first, _rows(first, upright[0], across, size)),
            (last, _columns(last, upright[1], down, size)),
            "int32",
        ),
        "uint8",
    )


def _tall(graph: Builder, down: _Axis, across: _Axis, size: int) -> str:
    """Whether Pillow 13 interpolates along columns first: where that leaves fewer pixels for the second pass."""
    two, zero, side = (graph.constant([value], "int64") for value in (2, 0, size))
    less = graph.node("Sub", down.reduced, side)
    narrower = graph.node("Mul", graph.node("Sub", across.reduced, side), two)
    tall = graph.node("Greater", less, graph.node("Max", narrower, zero))
    return graph.node("Squeeze", tall)


def _rows(graph: Builder, image: str, across: _Axis, size: int) -> str:
    """Each row int32 [n, h, w, 3] interpolated to `size` pixels."""
    flat = graph.constant([0, 0, -1], "int64")  # long rows are what onnxruntime multiplies fast
    values = [
        graph.node("Reshape", graph.node("Gather", image, place, axis=2), flat) for place in across.places
    ]
    mean = _mean(graph, values, [_repeated(graph, weight, size) for weight in across.weights])
    return graph.node("Reshape", mean, graph.constant([0, 0, size, 3], "int64"))


def _columns(graph: Builder, image: str, down: _Axis, size: int) -> str:
    """Each column int32 [n, h, w, 3] interpolated to `size` pixels."""
    image = graph.node("Reshape", image, graph.constant([0, 0, -1], "int64"))
    column = graph.constant([size, 1], "int64")
    values = [graph.node("Gather", image, place, axis=1) for place in down.places]
    mean = _mean(graph, values, [graph.node("Reshape", weight, column) for weight in down.weights])
    return graph.node("Reshape", mean, graph.constant([0, size, -1, 3], "int64"))


def _axis(graph: Builder, image: str, axis: int, size: int) -> _Axis:
    def f64(value: object) -> str:
        return graph.constant(value, "float64")

    one = graph.constant([1], "int64")
    length = graph.node("Shape", image, start=axis, end=axis + 1)
    exact = graph.cast(length, "double")
    ratio = graph.node("Div", graph.node("Div", exact, f64([size])), f64([_GAP]))
    factor = graph.node("Max", graph.node("Floor", ratio), f64([1]))
    whole = graph.cast(factor, "int64")
    more = graph.node("Sub", graph.node("Add", length, whole), one)
    reduced = graph.node("Div", more, whole)  # rounded up
    # Pillow keeps the box of what it interpolates in single precision.
    extent = graph.cast(graph.cast(graph.node("Div", exact, factor), "float"), "double")
    scale = graph.node("Div", extent, f64([size]))
    places, weights = _taps(graph, scale, graph.cast(reduced, "double"), size)
    return _Axis(length, whole, reduced, places, weights)


def _taps(graph: Builder, scale: str, length: str, size: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Which pixels each output pixel reads, and with what weights."""

    def f64(value: object) -> str:
        return graph.constant(value, "float64")

    def clipped(kind: str, x: str, y: str) -> str:
        return graph.node(kind, x, y)

    support = graph.node("Max", scale, f64([1]))
    centre = graph.node("Mul", f64(np.arange(size) + 0.5), scale)
    half = f64([0.5])
    first = graph.node("Floor", graph.node("Add", graph.node("Sub", centre, support), half))
    first = clipped("Max", first, f64([0]))
    last = graph.node("Floor", graph.node("Add", graph.node("Add", centre, support), half))
    last = clipped("Min", last, length)
    place = graph.node("Add", first, f64(np.arange(_TAPS)[:, None]))  # [taps, size]
    offset = graph.node("Add", graph.node("Sub", place, centre), half)
    steep = graph.node("Abs", graph.node("Mul", offset, graph.node("Div", f64([1]), support)))
    height = clipped("Max", graph.node("Sub", f64([1]), steep), f64([0]))
    height = graph.node("Where", graph.node("Less", place, last), height, f64([0]))
    total = graph.node("ReduceSum", height, graph.constant([0], "int64"), keepdims=1)
    share = graph.node("Mul", graph.node("Div", height, total), f64([float(1 << _BITS)]))
    weight = graph.cast(graph.node("Floor", graph.node("Add", share, half)), "int32")
    inside = graph.cast(clipped("Min", place, graph.node("Sub", length, f64([1]))), "int64")
    rows = [graph.constant(tap, "int64") for tap in range(_TAPS)]
    return (
        tuple(graph.node("Gather", inside, row, axis=0) for row in rows),
        tuple(graph.node("Gather", weight, row, axis=0) for row in rows),
    )


def _repeated(graph: Builder, weight: str, size: int) -> str:
    """Weights int32 [size] once for each colour: [size * 3]."""
    column = graph.node("Reshape", weight, graph.constant([size, 1], "int64"))
    wide = graph.node("Expand", column, graph.constant([size, 3], "int64"))
    return graph.node("Reshape", wide, graph.constant([size * 3], "int64"))


def _mean(graph: Builder, values: list[str], weights: list[str]) -> str:
    """The weighted mean int32 of 0 to 255, rounded; weights add up to 2^22."""
    total = graph.constant(1 << (_BITS - 1), "int32")
    for value, weight in zip(values, weights, strict=True):
        total = graph.node("Add", graph.node("Mul", value, weight), total)
    shifted = graph.node(
        "BitShift", graph.cast(total, "uint32"), graph.constant(_BITS, "uint32"), direction="RIGHT"
    )
    return graph.cast(shifted, "int32")


def _reduced(graph: Builder, image: str, down: _Axis, across: _Axis) -> str:
    """Means over cells of factor x factor pixels, int32 [n, h', w', 3]; small pictures stay as they are."""
    both = graph.node("Mul", down.factor, across.factor)
    large = graph.node("Squeeze", graph.node("Greater", both, graph.constant([1], "int64")))
    small, cells = graph.branch(), graph.branch()
    return graph.choice(
        large, (cells, _cells(cells, image, down, across)), (small, small.cast(image, "int32")), "int32"
    )


def _cells(graph: Builder, image: str, down: _Axis, across: _Axis) -> str:
    zeros, three = graph.constant([0] * 5, "int64"), graph.constant([3], "int64")

    def padded(axis: _Axis) -> str:
        return graph.node("Mul", axis.reduced, axis.factor)

    missing = [graph.node("Sub", padded(axis), axis.length) for axis in (down, across)]
    pads = graph.node("Concat", zeros, *missing, graph.constant([0], "int64"), axis=0)
    image = graph.cast(graph.node("Pad", image, pads), "int32")
    count = graph.node("Shape", image, start=0, end=1)
    wide = graph.node("Mul", padded(across), three)
    shape = graph.node("Concat", count, down.reduced, down.factor, wide, axis=0)
    total = graph.node(
        "ReduceSum", graph.node("Reshape", image, shape), graph.constant([2], "int64"), keepdims=0
    )
    shape = graph.node("Concat", count, down.reduced, across.reduced, across.factor, three, axis=0)
    total = graph.node(
        "ReduceSum", graph.node("Reshape", total, shape), graph.constant([3], "int64"), keepdims=0
    )
    rows = graph.node("Unsqueeze", _filled(graph, down), graph.constant([1, 2], "int64"))
    columns = graph.node("Unsqueeze", _filled(graph, across), graph.constant([1], "int64"))
    return _divided(graph, total, graph.node("Mul", rows, columns))


def _filled(graph: Builder, axis: _Axis) -> str:
    """How many pixels each cell has along an axis, int64 [reduced]: the last one may have fewer."""
    zero, one = graph.constant(0, "int64"), graph.constant(1, "int64")
    cell = graph.node("Range", zero, graph.node("Squeeze", axis.reduced), one)
    left = graph.node("Sub", axis.length, graph.node("Mul", cell, axis.factor))
    return graph.node("Min", left, axis.factor)


def _divided(graph: Builder, total: str, count: str) -> str:
    """Sums over counts, rounded as Pillow does: by a product with 2^24 / count, cut to a whole number."""
    share = graph.node("Div", graph.constant(2.0**24, "float32"), graph.cast(count, "float"))
    share = graph.cast(graph.node("Floor", share), "double")
    half = graph.cast(graph.node("Div", count, graph.constant(2, "int64")), "double")
    product = graph.node("Mul", graph.node("Add", graph.cast(total, "double"), half), share)
    return graph.cast(
        graph.node("Floor", graph.node("Mul", product, graph.constant(2.0**-24, "float64"))), "int32"
    )
