"""How weights are moved: the optimiser of a recipe, a rate per block, and the rate over the course of training."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from headstart.words.recipe import Recipe

_MOMENTUM = 0.9
_FLOOR = 0.01  # of the rate, at the end of a cosine schedule and beyond
_OPEN_END = 10.0  # epochs that a warm-up is a share of while the end of training is open


def optimiser(recipe: Recipe, module: torch.nn.Module) -> torch.optim.Optimizer:
    """Over the parameters of the module that are to be trained. Each group carries its factor of the rate as `scale`.

    The fused form does all tensors in one call: with small networks the calls would cost more than the arithmetic.
    """
    groups: Any = list(_groups(module, recipe.layer_decay))
    decay = recipe.weight_decay
    if recipe.optimiser == "sgd":
        return torch.optim.SGD(
            groups, recipe.rate, momentum=_MOMENTUM, nesterov=True, weight_decay=decay, fused=True
        )
    kind = torch.optim.Adam if recipe.optimiser == "adam" else torch.optim.AdamW
    return kind(groups, recipe.rate, weight_decay=decay, fused=True)


def _groups(module: torch.nn.Module, decay: float) -> Iterator[dict[str, Any]]:
    """One group, or, with a decay per block, one for the classifier and one for each block, from the top down."""
    rest = {id(p): p for p in module.parameters() if p.requires_grad}
    found = []
    if decay < 1.0 and hasattr(module, "blocks"):
        blocks: Any = module.blocks
        for depth, block in enumerate(reversed(blocks()), 1):
            own = [rest.pop(id(p)) for p in block.parameters() if id(p) in rest]
            if own:
                found.append({"params": own, "scale": decay**depth})
    if rest:
        yield {"params": list(rest.values()), "scale": 1.0}
    yield from found


def rate(recipe: Recipe, epoch: float, epochs: float) -> float:
    """The factor of the recipe's rate, 0 < factor <= 1, after `epoch` passes of `epochs` (0: the end is open).

    Linear warm-up over `warmup` of the epochs, then constant, or half a cosine down to a hundredth. While the end
    is open a warm-up is a share of ten epochs.
    """
    warm = recipe.warmup * (epochs or _OPEN_END)
    if epoch < warm:
        return max(_FLOOR, epoch / warm)
    if recipe.schedule == "constant" or not epochs or epochs <= warm:
        return 1.0
    part = min(1.0, (epoch - warm) / (epochs - warm))
    return _FLOOR + (1 - _FLOOR) * (1 + math.cos(math.pi * part)) / 2


def set_rate(optimiser: torch.optim.Optimizer, value: float) -> None:
    """The rate of the next steps, times each group's own scale."""
    for group in optimiser.param_groups:
        group["lr"] = value * group["scale"]


def parameters(optimiser: torch.optim.Optimizer) -> list[torch.Tensor]:
    """Everything that it moves, in its order."""
    return [p for group in optimiser.param_groups for p in group["params"]]


class Average:
    """The exponential average of a module's weights over the steps, as a module that predicts.

    Its buffers (BatchNorm's running statistics) are averaged alike; whole numbers stay as they were at the start.
    """

    def __init__(self, module: torch.nn.Module, moved: Sequence[torch.Tensor]) -> None:
        """moved: those parameters of the module that are trained; the others are taken as they are, once."""
        self.module = copy.deepcopy(module).eval()
        trained = {id(p) for p in moved}
        twins = zip(module.parameters(), self.module.parameters(), strict=True)
        pairs = [(old.data, new.data) for old, new in twins if id(old) in trained]
        buffers = zip(module.buffers(), self.module.buffers(), strict=True)
        pairs += [(old, new) for old, new in buffers if old.is_floating_point()]
        self._live, self._mean = ([pair[side] for pair in pairs] for side in (0, 1))
        self.module.requires_grad_(False)

    def follow(self, decay: float) -> None:
        """After a step: so much of the average stays."""
        torch._foreach_lerp_(self._mean, self._live, 1.0 - decay)
