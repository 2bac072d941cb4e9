"""Networks of timm and torchvision as a row of blocks, without their classifier."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import chain
from types import MappingProxyType
from typing import Any

from torch import nn

from headstart.transfer.frame_network import Pooled

Cut = tuple[list[nn.Module], int]
"""Blocks from bottom to top, the last of which gives [n, dim]; and dim."""


def _inverted(model: Any) -> Cut:
    """MobileNet v2, EfficientNet and EfficientNet-Lite: a last convolution, then the mean."""
    stem = nn.Sequential(model.conv_stem, model.bn1)
    top = Pooled(model.conv_head, model.bn2)
    return [stem, *chain.from_iterable(model.blocks), top], model.conv_head.out_channels


def _mobilenetv3(model: Any) -> Cut:
    """The mean first, then the last convolution."""
    stem = nn.Sequential(model.conv_stem, model.bn1)
    top = nn.Sequential(model.global_pool, model.conv_head, model.norm_head, model.act2, model.flatten)
    return [stem, *chain.from_iterable(model.blocks), top], model.conv_head.out_channels


def _resnet(model: Any) -> Cut:
    stem = nn.Sequential(model.conv1, model.bn1, model.act1, model.maxpool)
    *blocks, last = chain(model.layer1, model.layer2, model.layer3, model.layer4)
    return [stem, *blocks, Pooled(last)], model.num_features


def _densenet(model: Any) -> Cut:
    """A dense block and the transition behind it are one block here."""
    layers = dict(model.features.named_children())
    stem = nn.Sequential(*(layer for name, layer in layers.items() if name in ("conv0", "norm0", "pool0")))
    dense = [nn.Sequential(layers[f"denseblock{i}"], layers[f"transition{i}"]) for i in (1, 2, 3)]
    return [stem, *dense, Pooled(layers["denseblock4"], layers["norm5"])], model.num_features


def _inception(model: Any) -> Cut:
    stem = ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "Pool1")
    second = ("Conv2d_3b_1x1", "Conv2d_4a_3x3", "Pool2")
    mixed = ("5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e", "7a", "7b", "7c")
    first = [nn.Sequential(*(getattr(model, name) for name in names)) for names in (stem, second)]
    *blocks, last = (getattr(model, f"Mixed_{name}") for name in mixed)
    return [*first, *blocks, Pooled(last)], model.num_features


def _squeezenet(model: Any) -> Cut:
    """Pooling belongs to the block in front of it."""
    blocks: list[list[nn.Module]] = []
    for layer in model.features:
        if isinstance(layer, nn.ReLU | nn.MaxPool2d):
            blocks[-1].append(layer)
        else:
            blocks.append([layer])
    *inner, last = blocks
    return [*(nn.Sequential(*layers) for layers in inner), Pooled(*last)], model.classifier[1].in_channels


def _shufflenet(model: Any) -> Cut:
    stem = nn.Sequential(model.conv1, model.maxpool)
    return [
        stem,
        *chain(model.stage2, model.stage3, model.stage4),
        Pooled(model.conv5),
    ], model.fc.in_features


CUTS: Mapping[str, Callable[[Any], Cut]] = MappingProxyType(
    {
        "MobileNet v2": _inverted,
        "EfficientNet": _inverted,
        "EfficientNet-Lite": _inverted,
        "MobileNet v3": _mobilenetv3,
        "ResNet": _resnet,
        "DenseNet": _densenet,
        "Inception v3": _inception,
        "SqueezeNet": _squeezenet,
        "ShuffleNet v2": _shufflenet,
    }
)
"""By family."""
