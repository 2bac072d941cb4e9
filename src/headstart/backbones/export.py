"""The recipe that makes the bundled graphs from the original checkpoint. Needs `onnx`; a user never runs it.

EfficientNet-Lite0 without its classifier: uint8 pixels in, normalisation in the graph, BatchNorm folded.
Outputs are the pooled head and 2 x 2 grids of means of the last depthwise outputs of three inner stages.
Architecture and padding as in the original TensorFlow models ("SAME": for even sizes a stride-2
convolution pads one more pixel behind than before).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

# kernel, stride of the first block, expansion, output channels, repeats
STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
GRIDS = (4, 7, 10)  # blocks whose depthwise output is given out
GRID = 2
_EPSILON = 1e-3  # of the original's BatchNorm; not torch's default
_OPSET, _IR = 17, 8
_FLOAT = ("stem", "b0.")  # layers whose rounding hurts most
Weights = Mapping[str, NDArray[Any]]


def folded(weights: Weights, convolution: str, norm: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A convolution's kernel and bias with its BatchNorm folded in, in float64 until the end."""
    scale = weights[f"{norm}.weight"].astype(np.float64)
    scale = scale / np.sqrt(weights[f"{norm}.running_var"].astype(np.float64) + _EPSILON)
    kernel = weights[f"{convolution}.weight"].astype(np.float64) * scale[:, None, None, None]
    bias = weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * scale
    return kernel.astype(np.float32), bias.astype(np.float32)


class _Graph:
    """Collects nodes and constants."""

    def __init__(self, weights: Weights, half: bool) -> None:
        self.weights, self.half = weights, half
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.outputs: list[tuple[str, int]] = []

    def constant(self, name: str, value: NDArray[Any]) -> str:
        from onnx import numpy_helper

        self.constants.append(numpy_helper.from_array(value, name))
        return name

    def node(self, kind: str, inputs: list[str], name: str, **attributes: Any) -> str:
        from onnx import helper

        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def stored(self, name: str, value: NDArray[np.float32]) -> str:
        """A weight: in half precision with a cast, which onnxruntime folds when it loads, or as it is."""
        if not self.half:
            return self.constant(name, value)
        return self.node("Cast", [self.constant(f"{name}.half", value.astype(np.float16))], name, to=1)

    def convolution(
        self, x: str, name: str, source: tuple[str, str], stride: int = 1, group: int = 1, active: bool = True
    ) -> str:
        kernel, bias = folded(self.weights, *source)
        side = kernel.shape[2]
        pads = [side // 2] * 4
        if stride == 2:  # even sizes: SAME pads the odd pixel at the end
            pads = [(side - 2) // 2] * 2 + [(side - 1) // 2] * 2
        out = self.node(
            "Conv",
            [x, self.stored(f"{name}.w", kernel), self.stored(f"{name}.b", bias)],
            name,
            kernel_shape=[side, side],
            strides=[stride, stride],
            pads=pads,
            group=group,
        )
        return self.node("Clip", [out, "zero", "six"], f"{name}.relu6") if active else out

    def grid(self, x: str, name: str, channels: int) -> None:
        """2 x 2 means of a map of even size, cell by cell: [b, 4 * channels].

        Channels last, one axis after the other: onnxruntime then adds whole rows of channels, and takes them
        as its int8 convolutions leave them. (Both axes at once, channels first, costs up to 12 % of the whole.)
        """
        last = self.node("Transpose", [x], f"{name}.last", perm=[0, 2, 3, 1])
        across = self._mean(last, f"{name}.across", last, 2, channels)  # [b * h * 2, c]
        down = self._mean(across, f"{name}.down", last, 1, GRID * channels)  # [b * 2, 2 * c]
        cells = self.constant(f"{name}.dim", np.array([-1, GRID * GRID * channels], np.int64))
        self.node("Reshape", [down, cells], name)
        self.outputs.append((name, GRID * GRID * channels))

    def _mean(self, x: str, name: str, image: str, axis: int, width: int) -> str:
        """Means over each half of an axis of `image` [b, h, w, c]; `width` numbers lie inside of that axis."""
        shape = self.node("Shape", [image], f"{name}.shape", start=axis, end=axis + 1)
        half = self.node("Div", [shape, "grid"], f"{name}.half")
        inner = self.constant(f"{name}.inner", np.array([width], np.int64))
        halves = self.node("Concat", ["rest", half, inner], f"{name}.halves", axis=0)
        split = self.node("Reshape", [x, halves], f"{name}.split")
        return self.node("ReduceMean", [split], name, axes=[1], keepdims=0)


def _body(graph: _Graph, last: int | None) -> str:
    """Stem and blocks, up to the depthwise output of block `last`; returns the name of what comes out."""
    x = graph.node("Transpose", ["image"], "planes", perm=[0, 3, 1, 2])  # on bytes, before they widen
    x = graph.node("DequantizeLinear", [x, "scale", "middle"], "pixels")  # this is (x - 127) / 128
    x = graph.convolution(x, "stem", ("_conv_stem", "_bn0"), 2)
    block = 0
    for _, stride, expansion, _, repeats in STAGES:
        for repeat in range(repeats):
            source, before = f"_blocks.{block}.", x
            if expansion > 1:
                x = graph.convolution(x, f"b{block}.expand", (f"{source}_expand_conv", f"{source}_bn0"))
            channels = len(graph.weights[f"{source}_depthwise_conv.weight"])
            x = graph.convolution(
                x,
                f"b{block}.depthwise",
                (f"{source}_depthwise_conv", f"{source}_bn1"),
                stride if repeat == 0 else 1,
                channels,
            )
            if block in GRIDS:
                graph.grid(x, f"d{block}", channels)
            if block == last:
                return x
            x = graph.convolution(
                x, f"b{block}.project", (f"{source}_project_conv", f"{source}_bn2"), active=False
            )
            if repeat:
                x = graph.node("Add", [x, before], f"b{block}.add")
            block += 1
    return x


def build(weights: Weights, *, cut: bool = False, half: bool = True) -> Any:
    """The ONNX model. cut: end at the last grid. half: store weights in half precision.

    Input `image` uint8 [b, h, w, 3], h and w multiples of 32. Outputs float32 [b, dim].
    """
    import onnx
    from onnx import TensorProto, helper

    graph = _Graph(weights, half)
    graph.constant("zero", np.array(0, np.float32))
    graph.constant("six", np.array(6, np.float32))
    graph.constant("scale", np.array(1 / 128, np.float32))
    graph.constant("middle", np.array(127, np.uint8))
    graph.constant("rest", np.array([-1], np.int64))
    graph.constant("grid", np.array([GRID], np.int64))
    x = _body(graph, GRIDS[-1] if cut else None)
    if not cut:
        x = graph.convolution(x, "top", ("_conv_head", "_bn1"))
        graph.node("Flatten", [graph.node("GlobalAveragePool", [x], "pool")], "head")
        graph.outputs.append(("head", len(weights["_conv_head.weight"])))
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["b", "h", "w", 3])
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["b", dim]) for name, dim in graph.outputs
    ]
    made = helper.make_graph(graph.nodes, "lite0", [image], outputs, graph.constants)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR)
    onnx.checker.check_model(model)
    return model


def quantised(model: Path, out: Path, images: Iterable[NDArray[np.uint8]]) -> None:
    """An int8 copy of an fp32 graph: per-channel weights, static ranges from `images` (each uint8 [1, h, w, 3]).

    Weights keep to 7 bits: without VNNI, products of full 8-bit weights can overflow their 16-bit sums. Stem and
    first block stay in float, where that and rounding hurt most: it costs no time and raises the cosine of the
    pooled head to fp32 from .95 (.74 with full 8-bit weights) to .99. So does pooling: means are not rounded.
    """
    import onnx
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    quantize_static(
        str(model),
        str(out),
        _Reader(images),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=["Conv", "Add", "Clip"],
        nodes_to_exclude=[node.name for node in onnx.load(model).graph.node if node.name.startswith(_FLOAT)],
        per_channel=True,
        reduce_range=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        calibrate_method=CalibrationMethod.MinMax,
    )


class _Reader:
    """Feeds calibration images one by one, as the quantiser asks for them."""

    def __init__(self, images: Iterable[NDArray[np.uint8]]) -> None:
        self._images: Iterator[NDArray[np.uint8]] = iter(images)

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        image = next(self._images, None)
        return None if image is None else {"image": image}
