"""How the pixels of a clip move, as `backbones.motion`, in ONNX nodes: flow and moving edges of pairs of frames."""

from __future__ import annotations

import numpy as np

from headstart.backbones import motion as plain
from headstart.export.builder import Builder
from headstart.export.temporal import spread, thirds


def motion(graph: Builder, frames: str, after: str) -> dict[str, str]:
    """From squares uint8 [m, 64, 64, 3] each: `flow` float32 [1, 768] and `edges` [1, 512] of the clip."""
    before, behind = _grey(graph, frames), _grey(graph, after)
    scales = {scale: (_shrunk(graph, before, scale), _shrunk(graph, behind, scale)) for scale in plain.SCALES}
    flows = [_flow(graph, *pair, plain.SIDE // scale) for scale, pair in scales.items()]
    flow = graph.node("Concat", *flows, axis=1)
    edges = _edges(graph, *scales[2], plain.SIDE // 2)
    return {"flow": _over_time(graph, flow), "edges": _over_time(graph, edges)}


def _over_time(graph: Builder, values: str) -> str:
    return graph.node("Concat", thirds(graph, values), spread(graph, values), axis=1)


def _grey(graph: Builder, frames: str) -> str:
    total = graph.node("ReduceSum", graph.cast(frames, "float"), graph.constant([3], "int64"), keepdims=0)
    mean = graph.node("Div", total, graph.constant(3, "float32"))
    return graph.node("Div", mean, graph.constant(255, "float32"))


def _shrunk(graph: Builder, grey: str, factor: int) -> str:
    if factor == 1:
        return grey
    side = plain.SIDE // factor
    cells = graph.node("Reshape", grey, graph.constant([-1, side, factor, side, factor], "int64"))
    for axis in (4, 2):  # in numpy's order: else flat areas get slopes of 1e-8, and edges another direction
        parts = [graph.node("Gather", cells, graph.constant(n, "int64"), axis=axis) for n in range(factor)]
        cells = graph.node("Sum", *parts)
    return graph.node("Div", cells, graph.constant(factor * factor, "float32"))


def _slope(graph: Builder, grey: str, axis: int, side: int) -> str:
    """As numpy.gradient: half the difference of both neighbours, at the border the whole one to the only neighbour."""
    places = np.arange(side)
    ahead, back = np.minimum(places + 1, side - 1), np.maximum(places - 1, 0)
    apart = (ahead - back).astype(np.float32).reshape((side, 1) if axis == 1 else side)
    over, under = (graph.node("Gather", grey, graph.constant(places), axis=axis) for places in (ahead, back))
    return graph.node("Div", graph.node("Sub", over, under), graph.constant(apart))


def _gradients(graph: Builder, before: str, behind: str, side: int) -> tuple[str, str, str]:
    middle = graph.node("Div", graph.node("Add", before, behind), graph.constant(2, "float32"))
    across, down = _slope(graph, middle, 2, side), _slope(graph, middle, 1, side)
    return across, down, graph.node("Sub", behind, before)


def _by_cell(graph: Builder, values: str, side: int, last: tuple[int, ...] = ()) -> str:
    cells, cell = plain.CELLS, side // plain.CELLS
    split = graph.node("Reshape", values, graph.constant([-1, cells, cell, cells, cell, *last], "int64"))
    return graph.node("ReduceSum", split, graph.constant([2, 4], "int64"), keepdims=0)


def _flow(graph: Builder, before: str, behind: str, side: int) -> str:
    """Positive and negative parts of each cell's displacement, float32 [m, 64]."""
    x, y, t = _gradients(graph, before, behind, side)

    def times(a: str, b: str) -> str:
        return graph.node("Mul", a, b)

    def summed(a: str, b: str) -> str:
        return _by_cell(graph, times(a, b), side)

    flat = graph.constant(plain.FLAT * (side // plain.CELLS) ** 2, "float32")
    xx, yy = graph.node("Add", summed(x, x), flat), graph.node("Add", summed(y, y), flat)
    xy, xt, yt = summed(x, y), summed(x, t), summed(y, t)
    determinant = graph.node("Sub", times(xx, yy), times(xy, xy))
    parts = []
    for one, two in ((times(xy, yt), times(yy, xt)), (times(xy, xt), times(xx, yt))):
        moved = graph.node("Div", graph.node("Sub", one, two), determinant)
        largest = graph.constant(plain.LARGEST, "float32")
        moved = graph.node("Max", graph.node("Min", moved, largest), graph.node("Neg", largest))
        parts.append(graph.node("Unsqueeze", moved, graph.constant([3], "int64")))
    both = graph.node("Concat", *parts, axis=3)  # [m, 4, 4, 2]
    zero = graph.constant(0, "float32")
    signs = [graph.node("Max", some, zero) for some in (both, graph.node("Neg", both))]
    return graph.node("Reshape", graph.node("Concat", *signs, axis=3), _row(graph, 4 * plain.CELLS**2))


def _edges(graph: Builder, before: str, behind: str, side: int) -> str:
    """In each cell, how much moves in each of eight directions, float32 [m, 128]."""
    x, y, t = _gradients(graph, before, behind, side)
    length = graph.node("Sqrt", graph.node("Add", graph.node("Mul", x, x), graph.node("Mul", y, y)))
    weight = graph.node("Sqrt", graph.node("Mul", graph.node("Abs", t), length))
    away = graph.node("Neg", t)
    eighth = _eighth(graph, graph.node("Mul", away, x), graph.node("Mul", away, y))
    bins = plain.BINS
    marks = graph.node("OneHot", eighth, graph.constant(bins, "int64"), graph.constant([0, 1], "float32"))
    weighted = graph.node("Mul", marks, graph.node("Unsqueeze", weight, graph.constant([3], "int64")))
    total = _by_cell(graph, weighted, side, (bins,))
    mean = graph.node("Div", total, graph.constant((side // plain.CELLS) ** 2, "float32"))
    return graph.node("Reshape", mean, _row(graph, bins * plain.CELLS**2))


def _eighth(graph: Builder, u: str, v: str) -> str:
    """Which eighth of the circle (u, v) points to, counted from -pi on, int64; by half-planes: ONNX has no arctan2.

    The bounds are where the single precision of backbones.motion puts them, some 1e-7 beside the true ones: steps
    of equal height in both directions are common in drawings, and their angles are bounds.
    """
    bounds = np.array([_bound(number) for number in range(1, plain.BINS + 1)])
    one = graph.constant([3], "int64")
    u, v = (graph.node("Unsqueeze", graph.cast(x, "double"), one) for x in (u, v))
    cosine, sine = graph.constant(np.cos(bounds)), graph.constant(np.sin(bounds))
    beyond = graph.node("Sub", graph.node("Mul", v, cosine), graph.node("Mul", u, sine))
    ahead = graph.node("GreaterOrEqual", beyond, graph.constant(0, "float64"))  # [m, side, side, 8]
    low = graph.constant(bounds <= 0)
    upper = graph.node("Not", graph.node("Less", v, graph.constant(0, "float64")))
    either = graph.node("And", upper, graph.node("Or", ahead, low))
    passed = graph.node("Or", graph.node("And", ahead, low), either)
    count = graph.node("ReduceSum", graph.cast(passed, "int64"), one, keepdims=0)
    return graph.node("Mod", count, graph.constant(plain.BINS, "int64"))  # pi is -pi again


def _bound(number: int) -> float:
    """The smallest angle that backbones.motion counts as being in this eighth or a later one."""
    middle = (number / plain.BINS) * 2 * np.pi - np.pi
    low, high = middle - 1e-5, middle + 1e-5
    while low < (angle := (low + high) / 2) < high:
        single = np.float32(angle)
        if (single + np.float32(np.pi)) / np.float32(2 * np.pi) * np.float32(plain.BINS) >= number:
            high = angle
        else:
            low = angle
    return high


def _row(graph: Builder, width: int) -> str:
    return graph.constant([-1, width], "int64")
