"""A small network of the shape that training knows, and tasks that it can learn in a second."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from headstart.transfer.device import Device
from headstart.transfer.training import Trainer
from headstart.words.recipe import Recipe

torch.set_num_threads(1)  # networks as small as these wait for their threads only


class Net(nn.Module):
    """Two blocks of a convolution with BatchNorm, the mean over frames and places, dropout, and a classifier."""

    def __init__(self, classes: int = 3, seed: int = 0, width: int = 8, dropout: float = 0.1) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.parts = nn.ModuleList([layer(3, width), layer(width, width)])
            self.dropout, self.linear = nn.Dropout(dropout), nn.Linear(width, classes)
        self.cut = 0
        self.bottoms = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self._rest(self._first(x), 0)

    def bottom(self, x: torch.Tensor) -> torch.Tensor:
        self.bottoms += len(x)
        x = self._first(x)
        b, m = x.shape[:2]
        x = x.flatten(0, 1)
        for part in self.parts[: self.cut]:
            x = part(x)
        return x.unflatten(0, (b, m))

    def top(self, x: torch.Tensor) -> torch.Tensor:
        return self._rest(x, self.cut)

    def _first(self, x: torch.Tensor) -> torch.Tensor:
        x = x if x.ndim == 5 else x.unsqueeze(1)
        return x.float().div(255).permute(0, 1, 4, 2, 3)

    def _rest(self, x: torch.Tensor, first: int) -> torch.Tensor:
        b = len(x)
        x = x.flatten(0, 1)
        for part in self.parts[first:]:
            x = part(x)
        out: torch.Tensor = self.linear(self.dropout(x.mean((2, 3)))).unflatten(0, (b, -1)).mean(1)
        return out

    def blocks(self) -> list[nn.Module]:
        return list(self.parts)

    def train_last(self, count: int | None) -> None:
        self.cut = 0 if count is None else max(0, len(self.parts) - count)
        for place, part in enumerate(self.parts):
            part.requires_grad_(place >= self.cut)
        self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        for part in self.parts[: self.cut]:
            part.eval()
        return self


def layer(channels: int, out: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, out, 3, 2, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU())


def task(
    n: int = 60, side: int = 8, classes: int = 3, frames: int = 0, seed: int = 0
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Pictures (clips with `frames`) whose class is the colour that is strongest."""
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, classes, n)
    shape = (n, frames, side, side, 3) if frames else (n, side, side, 3)
    pixels = rng.integers(0, 156, shape)
    for k, target in enumerate(targets):
        pixels[k, ..., target % 3] += 70
    return pixels.astype(np.uint8), targets


def recipe(**change: Any) -> Recipe:
    """Of the small network."""
    usual: dict[str, Any] = {"network": "small", "pixels": 8, "weights": "random", "batch": 16, "rate": 1e-2}
    return Recipe(**(usual | change))


def trainer(
    recipe: Recipe,
    pixels: NDArray[np.uint8],
    targets: NDArray[Any],
    *,
    device: Device | None = None,
    seed: int = 0,
    module: nn.Module | None = None,
    **more: Any,
) -> Trainer:
    """Of three classes, on all the samples."""
    labels: Any = "single" if targets.ndim == 1 else "multi"
    rows = np.arange(len(targets))
    return Trainer(module or Net(seed=seed), recipe, 3, labels, pixels, targets, rows, seed, device, **more)
