"""The bundled backbones as parts of a larger graph: squares in, features out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from headstart.backbones.table import Precision, find, read_weights
from headstart.errors import BadInput
from headstart.export.builder import OPSET, Builder

_CELLS = 16  # as backbones.session._pixels


def features(
    graph: Builder, backbone: str, precision: Precision, squares: Mapping[int, str], outputs: Sequence[str]
) -> dict[tuple[int, str], str]:
    """Features float32 [n, dim] by (pixels, output), from squares uint8 [n, pixels, pixels, 3] by pixels.

    A network at several sizes has its weights in the file once. Raises BadWeights.
    """
    if not find(backbone).files:
        return {
            (size, name): _cells(graph, square, size) for size, square in squares.items() for name in outputs
        }
    return joined(graph, backbone, read_weights(backbone, precision), squares, outputs)


def joined(
    graph: Builder, backbone: str, content: bytes, squares: Mapping[int, str], outputs: Sequence[str]
) -> dict[tuple[int, str], str]:
    """The same of any network, an ONNX file with the input `image`; `backbone` names its parts in the whole."""
    import onnx

    model = onnx.load_model_from_string(content)
    network = model.graph
    if [(own.domain, own.version) for own in model.opset_import] != [("", OPSET)] or _nested(network):
        raise BadInput(
            f"the network {backbone} has operators that export cannot join with others: fit again with another one"
        )
    nodes = _needed(network.node, outputs)
    _share(graph, backbone, network, nodes)
    found = {}
    for size, square in squares.items():
        names = {"image": square}
        for node in nodes:
            _copy(graph, node, names, backbone, f"{backbone}@{size}")
        found.update({(size, name): names[name] for name in outputs})
    return found


def _nested(network: Any) -> bool:
    """Whether a node has a graph of its own inside."""
    return any(attribute.HasField("g") for node in network.node for attribute in node.attribute)


def _needed(nodes: Sequence[Any], outputs: Sequence[str]) -> list[Any]:
    """The nodes that `outputs` depend on, in their order."""
    wanted, kept = set(outputs), []
    for node in reversed(nodes):
        if wanted.intersection(node.output):
            wanted.update(node.input)
            kept.append(node)
    return kept[::-1]


def _share(graph: Builder, backbone: str, network: Any, nodes: Sequence[Any]) -> None:
    from onnx import numpy_helper

    used = {name for node in nodes for name in node.input}
    for weight in network.initializer:
        if weight.name in used:
            graph.named(f"{backbone}/{weight.name}", numpy_helper.to_array(weight))


def _copy(graph: Builder, node: Any, names: dict[str, str], backbone: str, use: str) -> None:
    """Add a node of this `use`; `names` goes from the network's own names to those of the whole, and grows."""
    from onnx import NodeProto

    inputs = [names.get(name, f"{backbone}/{name}") if name else "" for name in node.input]
    # Weights are widened from half precision once for all sizes. (onnxruntime wants a DequantizeLinear per use.)
    shared = node.op_type == "Cast" and node.input[0] not in names
    outputs = [f"{backbone if shared else use}/{name}" for name in node.output]
    names.update(zip(node.output, outputs, strict=True))
    if shared and any(made.output[0] == outputs[0] for made in graph.nodes):
        return
    copy = NodeProto()
    copy.CopyFrom(node)
    copy.name = outputs[0]
    del copy.input[:], copy.output[:]
    copy.input.extend(inputs)
    copy.output.extend(outputs)
    graph.nodes.append(copy)


def _cells(graph: Builder, square: str, size: int) -> str:
    """Means over 16 x 16 cells, 0 to 1: float32 [n, 768]. Sums are whole numbers below 2^24, so exact."""
    cell = size // _CELLS
    wide = graph.cast(square, "float")
    split = graph.node("Reshape", wide, graph.constant([-1, _CELLS, cell, _CELLS, cell, 3], "int64"))
    total = graph.node("ReduceSum", split, graph.constant([2, 4], "int64"), keepdims=0)
    mean = graph.node("Div", total, graph.constant(255 * cell * cell, "float32"))
    return graph.node("Reshape", mean, graph.constant([-1, _CELLS * _CELLS * 3], "int64"))
