"""The portfolio of networks that can be trained, and how a recipe becomes a classifier."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import torch
from torch import nn

from headstart.errors import BadInput, BadWeights
from headstart.transfer import lite0, scaled, small, timm_model, torchvision_model
from headstart.transfer.classifier import Classifier
from headstart.transfer.cuts import CUTS
from headstart.transfer.frame_network import FrameNetwork
from headstart.transfer.weights_file import load_into, read_state
from headstart.words.recipe import Recipe
from headstart.words.task import LabelKind

Source = Literal["bundled", "timm", "torchvision", "own"]
_SIZES = (32, 64, 96, 128, 224)
_SMALL_SIZES = (16, 24, 32, 48, 64, 96, 128, 224)
_FILE, _OWN = "file:", "network."
Found = tuple[Any, tuple[float, ...], tuple[float, ...]]
"""The network, and mean and deviation of colours for pixels from 0 to 1."""


@dataclass(frozen=True)
class Row:
    """One network of the portfolio.

    source: "bundled" weights come with the package, "timm" and "torchvision" have the network under `architecture`,
    "own": it is defined here. pixels: sides of the squares that it takes. multiplier: of its family's channels.
    licence: of the pretrained weights; empty: there are none. joint: it sees the frames of a clip at once.
    """

    name: str
    family: str
    source: Source
    architecture: str
    pixels: tuple[int, ...]
    multiplier: float = 1.0
    licence: str = ""
    joint: bool = False

    @property
    def pretrained(self) -> bool:
        """Whether there are pretrained weights."""
        return self.licence != ""


_APACHE, _BSD = "Apache-2.0", "BSD-3-Clause"

NETWORKS: Mapping[str, Row] = MappingProxyType(
    {
        row.name: row
        for row in (
            Row("small", "small", "own", "32", _SMALL_SIZES),
            Row("small_wide", "small", "own", "64", _SMALL_SIZES, 2.0),
            Row("clip_small", "small", "own", "32", _SMALL_SIZES, joint=True),
            Row("lite0", "EfficientNet-Lite", "bundled", "", _SIZES, licence=_APACHE),
            Row("lite1", "EfficientNet-Lite", "timm", "tf_efficientnet_lite1", _SIZES, licence=_APACHE),
            Row("lite2", "EfficientNet-Lite", "timm", "tf_efficientnet_lite2", _SIZES, 1.1, _APACHE),
            Row("mobilenetv2_100", "MobileNet v2", "timm", "mobilenetv2_100", _SIZES, licence=_APACHE),
            Row("mobilenetv2_050", "MobileNet v2", "timm", "mobilenetv2_050", _SIZES, 0.5, _APACHE),
            Row("mobilenetv2_035", "MobileNet v2", "timm", "mobilenetv2_035", _SIZES, 0.35),
            Row(
                "mobilenetv3_large_100", "MobileNet v3", "timm", "mobilenetv3_large_100", _SIZES, 1.0, _APACHE
            ),
            Row("mobilenetv3_large_075", "MobileNet v3", "timm", "mobilenetv3_large_075", _SIZES, 0.75),
            Row(
                "mobilenetv3_small_100", "MobileNet v3", "timm", "mobilenetv3_small_100", _SIZES, 1.0, _APACHE
            ),
            Row(
                "mobilenetv3_small_075",
                "MobileNet v3",
                "timm",
                "mobilenetv3_small_075",
                _SIZES,
                0.75,
                _APACHE,
            ),
            Row(
                "mobilenetv3_small_050", "MobileNet v3", "timm", "mobilenetv3_small_050", _SIZES, 0.5, _APACHE
            ),
            Row("efficientnet_b0", "EfficientNet", "timm", "efficientnet_b0", _SIZES, 1.0, _APACHE),
            Row("efficientnet_b0_070", "EfficientNet", "timm", "", _SIZES, 0.7),
            Row("efficientnet_b0_050", "EfficientNet", "timm", "", _SIZES, 0.5),
            Row("efficientnet_b0_030", "EfficientNet", "timm", "", _SIZES, 0.3),
            Row("inception_v3", "Inception v3", "timm", "inception_v3", _SIZES[2:], 1.0, _APACHE),
            Row("resnet18", "ResNet", "timm", "resnet18", _SIZES, 1.0, _APACHE),
            Row("densenet121", "DenseNet", "timm", "densenet121", _SIZES, 1.0, _APACHE),
            Row("densenet121_050", "DenseNet", "timm", "", _SIZES, 0.5),
            Row("densenet121_025", "DenseNet", "timm", "", _SIZES, 0.25),
            Row("squeezenet", "SqueezeNet", "torchvision", "squeezenet1_1", _SIZES, 1.0, _BSD),
            Row("shufflenet_v2_050", "ShuffleNet v2", "torchvision", "shufflenet_v2_x0_5", _SIZES, 0.5, _BSD),
            Row("shufflenet_v2_100", "ShuffleNet v2", "torchvision", "shufflenet_v2_x1_0", _SIZES, 1.0, _BSD),
            Row("shufflenet_v2_200", "ShuffleNet v2", "torchvision", "shufflenet_v2_x2_0", _SIZES, 2.0, _BSD),
        )
    }
)
"""The paper's families, those of today's mobile networks, and the small ones that need no pretraining."""


def find(name: str) -> Row:
    """The row of a network. Raises BadInput for an unknown name."""
    if name in NETWORKS:
        return NETWORKS[name]
    near = difflib.get_close_matches(name, NETWORKS, 3)
    hint = f"is it {' or '.join(near)}?" if near else f"there are {', '.join(NETWORKS)}"
    raise BadInput(f"there is no network {name!r} to be trained: {hint}")


def check(recipe: Recipe) -> Row:
    """The recipe's network, if it goes with the rest of the recipe; loads nothing.

    Raises BadInput for an unknown network, a size or an aggregation that it does not take, BadWeights where it has
    no pretrained weights.
    """
    row = find(recipe.network)
    if recipe.pixels not in row.pixels:
        sizes = ", ".join(map(str, row.pixels))
        raise BadInput(f"the network {row.name} takes squares of {sizes} px, not of {recipe.pixels}")
    if row.joint and recipe.aggregation in ("convolution", "gru"):
        raise BadInput(
            f'the network {row.name} sees the frames of a clip at once: its "aggregation" must be "features", '
            f'not "{recipe.aggregation}"'
        )
    if recipe.weights == "pretrained" and not row.pretrained:
        raise BadWeights(
            f'there are no pretrained weights for the network {row.name}: set "weights" to "random" or "file:PATH"'
        )
    return row


def build(recipe: Recipe, classes: int, *, labels: LabelKind = "single", seed: int) -> Classifier:
    """The classifier of a recipe, in train mode, with its last `recipe.blocks` blocks to be trained.

    seed: of everything random: the weights where they are, and the classifier's. torch's own stream is left as it
    was. A weights file holds what torchvision or timm would read, or the state dict of such a Classifier, whatever
    its classes. A bundled network wants `settle` before it is trained. Raises as `check`, and BadWeights where
    weights cannot be had, are damaged or do not fit, BadInput for a missing weights file or package.
    """
    row = check(recipe)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _weighted(row, recipe)
        network.requires_grad_(True)
        classifier = Classifier(network, recipe.aggregation, classes, recipe.dropout, labels)
    for layer in classifier.modules():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            layer.momentum = recipe.norm_momentum
    classifier.train()
    classifier.train_last(recipe.blocks)
    return classifier


def _weighted(row: Row, recipe: Recipe) -> FrameNetwork:
    if not recipe.weights.startswith(_FILE):
        return _network(row, recipe, None, random=recipe.weights == "random")
    path = Path(recipe.weights.removeprefix(_FILE))
    state = read_state(path)
    own = {key.removeprefix(_OWN): tensor for key, tensor in state.items() if key.startswith(_OWN)}
    if not own and row.source in ("timm", "torchvision") and row.architecture:
        return _network(row, recipe, path, random=False)
    network = _network(row, recipe, None, random=True)
    load_into(network, own or state, (), f"the weights of {str(path)!r} for the network {row.name}")
    return network


def _network(row: Row, recipe: Recipe, weights: Path | None, random: bool) -> FrameNetwork:
    if row.source == "own":
        return small.small(int(row.architecture), recipe.frames if row.joint else 0)
    if row.source == "bundled":
        return lite0.lite0(random=random)
    if row.source == "torchvision":
        model, mean, std = _of_torchvision(row, weights, random)
    else:
        model, mean, std = _of_timm(row, weights, random)
    blocks, dim = CUTS[row.family](model)
    return FrameNetwork(blocks, dim, [255 * value for value in mean], [255 * value for value in std])


def _of_torchvision(row: Row, weights: Path | None, random: bool) -> Found:
    model = torchvision_model.load(row.architecture, weights, random)
    return model, torchvision_model.MEAN, torchvision_model.STD


def _of_timm(row: Row, weights: Path | None, random: bool) -> Found:
    if random:
        return _untrained(row), torchvision_model.MEAN, torchvision_model.STD
    loaded = timm_model.load(row.architecture, weights, False)
    return loaded.model, loaded.mean, loaded.std


def _untrained(row: Row) -> Any:
    """With weights of torch's random stream: timm's own function would draw the same ones each time."""
    timm = timm_model.timm_itself()
    if row.architecture:
        with timm_model.quiet():
            return timm.create_model(row.architecture, pretrained=False, num_classes=0)
    return (scaled.densenet if row.family == "DenseNet" else scaled.efficientnet)(row.multiplier)
