"""The part of a space that makes recipes: the paper's four hyperparameters, and what the years since added."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from headstart.words.recipe import Recipe
from headstart.words.task import Kind


class Chooser(Protocol):
    """Whatever answers a space's questions; an Optuna trial does. A name is asked for once per configuration."""

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """One of some values."""
        ...

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        """A whole number from low to high. log: on a logarithmic scale."""
        ...

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """A number from low to high. log: on a logarithmic scale."""
        ...


@dataclass(frozen=True)
class Network:
    """A network that may be trained, the squares it takes, and whether there are pretrained weights of it."""

    name: str
    pixels: tuple[int, ...]
    pretrained: bool = True


_SIZES = (32, 64, 128, 224)
PAPER_NETWORKS = (
    Network("mobilenetv2_100", _SIZES),
    Network("mobilenetv2_050", _SIZES),
    Network("inception_v3", (128, 224)),
    Network("resnet18", _SIZES),
    Network("squeezenet", _SIZES),
    Network("shufflenet_v2_050", _SIZES),
    Network("shufflenet_v2_100", _SIZES),
    Network("shufflenet_v2_200", _SIZES),
    Network("efficientnet_b0", _SIZES),
    Network("efficientnet_b0_070", _SIZES, pretrained=False),
    Network("efficientnet_b0_050", _SIZES, pretrained=False),
    Network("efficientnet_b0_030", _SIZES, pretrained=False),
    Network("densenet121", _SIZES),
    Network("densenet121_050", _SIZES, pretrained=False),
    Network("densenet121_025", _SIZES, pretrained=False),
)
"""The families of sections 4 and 5.4. The narrow ones without weights in the hub start from random ones."""
MODERN = (
    Network("small", (32, 48, 64), pretrained=False),
    Network("small_wide", (32, 48, 64), pretrained=False),
    Network("lite0", (32, 64, 96, 128, 224)),
)
_BATCHES = (16, 32, 64, 128)
_WEIGHT_DECAY = 1e-6  # with SGD, as in the paper
_FRAMES = (1, 4, 8, 12)


def recipe_of(chooser: Chooser, networks: Sequence[Network], kind: Kind, modern: bool) -> Recipe:
    """A recipe from answers. modern: with what the paper does not have."""
    by_name = {network.name: network for network in networks}
    name = chooser.suggest_categorical("network", list(by_name)) if len(by_name) > 1 else next(iter(by_name))
    sizes = by_name[name].pixels
    pixels = chooser.suggest_categorical(_pixels(sizes), list(sizes)) if len(sizes) > 1 else sizes[0]
    optimiser = chooser.suggest_categorical("optimiser", ["adam", "sgd", *(["adamw"] if modern else [])])
    found: dict[str, Any] = {
        "weights": "pretrained" if by_name[name].pretrained else "random",
        "optimiser": optimiser,
        "batch": chooser.suggest_categorical("batch", list(_BATCHES)),
        "rate": chooser.suggest_float("rate", 1e-5, 0.5, log=True),
        "dropout": chooser.suggest_float("dropout", 0.01, 0.99),
        "weight_decay": _WEIGHT_DECAY if optimiser == "sgd" else 0.0,
    }
    if modern and by_name[name].pretrained:
        found["weights"] = chooser.suggest_categorical("weights", ["pretrained", "random"])
    if modern:
        found |= _modern(chooser, optimiser, found["weights"] == "pretrained")
    if kind == "video":
        found |= _frames(chooser)
    return Recipe(name, pixels, **found)


def _pixels(sizes: Sequence[int]) -> str:
    """One question for all networks with these sizes: a name must always come with the same choices."""
    return f"trained at {' '.join(map(str, sizes))}"


def _modern(chooser: Chooser, optimiser: str, pretrained: bool) -> dict[str, Any]:
    found: dict[str, Any] = {
        "schedule": chooser.suggest_categorical("schedule", ["constant", "cosine"]),
        "smoothing": chooser.suggest_float("smoothing", 0.0, 0.2),
        "mixing": chooser.suggest_categorical("mixing", ["none", "mixup", "cutmix"]),
        "augmentation": chooser.suggest_categorical("augmentation", ["none", "shift", "flip", "light"]),
        "averaging": chooser.suggest_categorical("averaging", [0.0, 0.9, 0.99, 0.999]),
        "balanced": chooser.suggest_categorical("balanced", [False, True]),
        "norm_momentum": chooser.suggest_categorical("norm_momentum", [0.03, 0.1, 0.3]),
    }
    if optimiser == "adamw":
        found["weight_decay"] = chooser.suggest_float("weight_decay", 1e-4, 0.1, log=True)
    if found["schedule"] == "cosine":  # it needs to know where it ends
        found["epochs"] = chooser.suggest_int("epochs", 5, 100, log=True)
        found["warmup"] = chooser.suggest_float("warmup", 0.0, 0.2)
    if pretrained:  # lower blocks that know nothing are not to be kept as they are
        found["layer_decay"] = chooser.suggest_float("layer_decay", 0.5, 1.0)
        depth = chooser.suggest_categorical("trained", ["all", "some"])
        found["blocks"] = None if depth == "all" else chooser.suggest_int("blocks", 0, 6)
    return found


def _frames(chooser: Chooser) -> dict[str, Any]:
    frames = chooser.suggest_categorical("frames trained on", list(_FRAMES))
    if frames == 1:
        return {
            "frames": 1,
            "selection": chooser.suggest_categorical("one frame", ["keyframe", "middle", "random"]),
        }
    return {
        "frames": frames,
        "selection": chooser.suggest_categorical("selection", ["even", "random", "segments", "middle"]),
        "aggregation": chooser.suggest_categorical(
            "aggregation", ["logits", "features", "convolution", "gru"]
        ),
    }


def recipe_values(recipe: Recipe | None) -> dict[str, Any]:
    """Every answer that a recipe can tell, asked for or not; `recipe_of` compares what comes out."""
    if recipe is None:
        return {}
    found = dataclasses.asdict(recipe)
    del found["pixels"], found["frames"]
    return found | {
        **{_pixels(network.pixels): recipe.pixels for network in (*PAPER_NETWORKS, *MODERN)},
        "trained": "all" if recipe.blocks is None else "some",
        "frames trained on": recipe.frames,
        "one frame": recipe.selection,
    }
