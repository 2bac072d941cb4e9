"""The bundled EfficientNet-Lite0 as a network that can be trained.

The bundled graph holds convolutions with BatchNorm folded in. Here each convolution is followed by a BatchNorm that
does nothing but add the folded bias, until `Classifier.settle` gives it the statistics of the task's own pictures.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import nn

from headstart.backbones.export import STAGES
from headstart.backbones.table import read_weights
from headstart.errors import BadInput
from headstart.transfer.frame_network import FrameNetwork, Pooled

DIM = 1280
MEAN, STD = 127.0, 128.0
_STEM = 32
_EPSILON = 1e-3  # of the original's BatchNorm; not torch's default
Folded = Mapping[str, NDArray[np.float32]]


def lite0(*, random: bool = False) -> FrameNetwork:
    """Stem, 16 blocks, and the last convolution with the mean over the map: 18 blocks in all, features [n, 1280].

    random: weights from torch's random stream. Takes squares whose side is a multiple of 32.
    Raises BadWeights for damaged weights, BadInput where the package `onnx`, which reads them, is missing.
    """
    blocks = _blocks()
    if not random:
        _fill(blocks, _bundled())
    return FrameNetwork(blocks, DIM, (MEAN,) * 3, (STD,) * 3, folded=not random)


class Layer(nn.Module):
    """A convolution, its BatchNorm, maybe ReLU6. For even sides a stride of 2 pads one pixel more behind."""

    def __init__(
        self,
        channels: int,
        out: int,
        side: int = 1,
        stride: int = 1,
        *,
        depthwise: bool = False,
        active: bool = True,
    ) -> None:
        super().__init__()
        padding = side // 2 if stride == 1 else 0
        groups = channels if depthwise else 1
        self.pads = ((side - 2) // 2, (side - 1) // 2) * 2 if stride == 2 else None
        self.convolution = nn.Conv2d(channels, out, side, stride, padding, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(out, _EPSILON)
        self.active = active
        nn.init.normal_(self.convolution.weight, 0.0, math.sqrt(2.0 * groups / (side * side * out)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.pad(x, self.pads) if self.pads else x
        x = self.norm(self.convolution(x))
        return F.relu6(x, inplace=True) if self.active else x


class Block(nn.Module):
    """Widen, filter each channel, narrow; what came in is added where the shape is the same."""

    def __init__(self, channels: int, out: int, side: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = channels * expansion
        widen = [Layer(channels, inner)] if expansion > 1 else []
        self.layers = nn.Sequential(
            *widen, Layer(inner, inner, side, stride, depthwise=True), Layer(inner, out, active=False)
        )
        self.residual = stride == 1 and channels == out

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.layers(x)
        return out + x if self.residual else out


def _blocks() -> list[nn.Module]:
    blocks: list[nn.Module] = [Layer(3, _STEM, 3, 2)]
    channels = _STEM
    for side, stride, expansion, out, repeats in STAGES:
        for repeat in range(repeats):
            blocks.append(Block(channels, out, side, stride if repeat == 0 else 1, expansion))
            channels = out
    return [*blocks, Pooled(Layer(channels, DIM))]


def _names() -> list[str]:
    """Of the folded convolutions in the bundled graph, in the order in which they are run."""
    names, block = ["stem"], 0
    for _, _, expansion, _, repeats in STAGES:
        for _ in range(repeats):
            steps = ("expand", "depthwise", "project") if expansion > 1 else ("depthwise", "project")
            names += [f"b{block}.{step}" for step in steps]
            block += 1
    return [*names, "top"]


def _bundled() -> Folded:
    """The constants of the bundled graph by name, checked and widened."""
    graph = read_weights("lite0", "fp32")
    try:
        import onnx
        from onnx import numpy_helper
    except ImportError as missing:
        raise BadInput(
            "training lite0 needs onnx, to read its weights: install it with pip install 'headstart[torch]'"
        ) from missing
    constants = onnx.load_from_string(graph).graph.initializer
    return {
        tensor.name.removesuffix(".half"): numpy_helper.to_array(tensor).astype(np.float32)
        for tensor in constants
    }


def _fill(blocks: list[nn.Module], folded: Folded) -> None:
    """Folded kernels and biases into convolutions and norms: with variance 1 the norm's weight undoes its epsilon."""
    layers = [layer for block in blocks for layer in block.modules() if isinstance(layer, Layer)]
    with torch.no_grad():
        for name, layer in zip(_names(), layers, strict=True):
            layer.convolution.weight.copy_(torch.from_numpy(folded[f"{name}.w"]))
            layer.norm.bias.copy_(torch.from_numpy(folded[f"{name}.b"]))
            layer.norm.weight.fill_(math.sqrt(1.0 + _EPSILON))
