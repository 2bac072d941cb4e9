"""A torch network as an ONNX graph: exported, stored in half precision, compared with where it came from."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from headstart.transfer.feature_network import FeatureNetwork
from headstart.transfer.timm_model import quiet

_OPSET = 17
_WORTH = 64  # numbers: shorter constants are not worth a cast
_LARGEST = float(np.finfo(np.float16).max)


def export(network: FeatureNetwork, images: torch.Tensor, dynamic: bool) -> bytes:
    """The graph: input `image` uint8 [b, h, w, 3], outputs float32 [b, dim]. dynamic: any h and w, not only these.

    By the exporter that follows one forward pass: it needs no package beside torch.
    """
    sides = {1: "h", 2: "w"} if dynamic else {}
    axes = {"image": {0: "b", **sides}, **{name: {0: "b"} for name in network.names}}
    out: Any = io.BytesIO()
    with quiet(), unprinted(), torch.no_grad():
        torch.onnx.export(
            network,
            (images,),
            out,
            input_names=["image"],
            output_names=network.names,
            dynamic_axes=axes,
            opset_version=_OPSET,
            dynamo=False,
        )
    return bytes(out.getvalue())


@contextmanager
def unprinted() -> Iterator[None]:
    """Without the whole graph on stdout: the exporter prints it there when it fails, whatever it was told."""
    inside: Any = torch._C
    printing = getattr(inside, "_jit_onnx_log", None)
    if printing is None:
        yield
        return
    inside._jit_onnx_log = lambda *_: None
    try:
        yield
    finally:
        inside._jit_onnx_log = printing


def halved(graph: bytes) -> bytes:
    """The same graph with weights in half precision and a cast, which onnxruntime folds when it loads."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.load_from_string(graph)
    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) < _WORTH:
            continue
        values = numpy_helper.to_array(tensor)
        if not np.abs(values).max() <= _LARGEST:
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        casts.append(
            helper.make_node("Cast", [tensor.name], [name], name=f"{name}.cast", to=TensorProto.FLOAT)
        )
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return bytes(model.SerializeToString())


def expected(
    network: FeatureNetwork, pictures: Sequence[NDArray[np.uint8]]
) -> list[list[NDArray[np.float32]]]:
    """What the network itself gives for batches of pictures uint8 [n, h, w, 3]: its blocks, in their order."""
    with torch.inference_mode():
        return [[block.numpy() for block in network(torch.from_numpy(images))] for images in pictures]


def error(
    graph: bytes, pictures: Sequence[NDArray[np.uint8]], exact: Sequence[Sequence[NDArray[np.float32]]]
) -> float:
    """How far the graph is from its network, at worst: the length of the difference over that of the features.

    pictures: batches uint8 [n, h, w, 3], of several sizes. exact: what is `expected` of them. inf: not comparable.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4  # what does not run is refused or made in another way, in silence
    session: Any = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    worst = 0.0
    for images, blocks in zip(pictures, exact, strict=True):
        for found, block in zip(session.run(None, {"image": images}), blocks, strict=True):
            if found.shape != block.shape or not np.isfinite(found).all():
                return float("inf")
            length = np.maximum(np.linalg.norm(block, axis=1), np.finfo(np.float32).tiny)
            worst = max(worst, float((np.linalg.norm(found - block, axis=1) / length).max()))
    return worst
