"""What is exported: bytes in, normalisation, a network of timm, non-negative feature blocks out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

_INNER = 3  # inner stages that are given out
_SAME = 1e-4  # relative: a stage whose mean is so near to the head is the head
_FIT, _AIM = (1 / 16, 1024.0), 32.0  # sizes of a block's largest number that half precision holds well
HEAD = "head"
Blocks = dict[str, torch.Tensor]


class FeatureNetwork(torch.nn.Module):
    """Images uint8 [n, h, w, 3] to feature blocks float32 [n, dim], all of them 0 or more.

    `head` is what the classifier would get; `d3`, say, is a 2 x 2 grid of means of the third feature stage, cell
    by cell. Blocks in `signed` can be negative: they are given as [max(x, 0), max(-x, 0)], twice as long, so that
    nothing is lost where later steps take square roots. Blocks in `scales` are multiplied by a power of two, so that
    half precision holds them; each block is given unit length later on, whatever its scale.
    """

    def __init__(
        self, model: Any, mean: Sequence[float], std: Sequence[float], taps: Sequence[int] = ()
    ) -> None:
        super().__init__()
        self.model = model
        self.taps = list(taps)
        self.signed: frozenset[str] = frozenset()
        self.scales: dict[str, float] = {}
        self.mean: torch.Tensor
        self.std: torch.Tensor
        self.register_buffer("mean", 255 * torch.tensor(list(mean)).view(1, 3, 1, 1))
        self.register_buffer("std", 255 * torch.tensor(list(std)).view(1, 3, 1, 1))

    @property
    def names(self) -> list[str]:
        """Of the outputs, in their order."""
        return [*(f"d{tap + 1}" for tap in self.taps), HEAD]

    def maps(self, images: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """The head [n, dim] and the maps [n, c, h, w] of the stages in `taps`."""
        x = images.permute(0, 3, 1, 2).float()
        x = (x - self.mean) / self.std
        if not self.taps:
            return self.model(x), []
        last, found = self.model.forward_intermediates(x, indices=self.taps, output_fmt="NCHW", norm=False)
        return self.model.forward_head(last), list(found)

    def blocks(self, images: torch.Tensor) -> Blocks:
        """The blocks as they are, signs and all."""
        head, maps = self.maps(images)
        return dict(zip(self.names, [*map(grid, maps), head], strict=True))

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The blocks, none of them negative, in the order of `names`."""
        return tuple(self._positive(name, block) for name, block in self.blocks(images).items())

    def _positive(self, name: str, block: torch.Tensor) -> torch.Tensor:
        if name in self.scales:
            block = block * self.scales[name]
        if name in self.signed:
            return torch.cat([torch.relu(block), torch.relu(-block)], dim=1)
        return torch.relu(block)


def grid(x: torch.Tensor) -> torch.Tensor:
    """2 x 2 means of a map [n, c, h, w] of any size as [n, 4 * c]; halves of an odd side share its middle."""
    height, width = x.shape[2], x.shape[3]
    halves = (x[:, :, : (height + 1) // 2].mean(2), x[:, :, height // 2 :].mean(2))
    cells = [
        cell
        for row in halves
        for cell in (row[:, :, : (width + 1) // 2].mean(2), row[:, :, width // 2 :].mean(2))
    ]
    return torch.cat(cells, dim=1)


def choose_stages(network: FeatureNetwork, images: torch.Tensor) -> list[int]:
    """Up to three feature stages that tell more than the head: the last ones, or every quarter of a deep network.

    Empty where the network cannot give them out, or not without changing its head.
    """
    count = len(getattr(network.model, "feature_info", ()))
    if not count or not hasattr(network.model, "forward_intermediates"):
        return []
    with torch.inference_mode():
        expected = network.model((images.permute(0, 3, 1, 2).float() - network.mean) / network.std)
        network.taps = list(range(count))
        try:
            head, maps = network.maps(images)
        except (TypeError, AssertionError, RuntimeError, AttributeError, ValueError):
            return []
        finally:
            network.taps = []
    if not _near(head, expected) or len(maps) != count or any(map_.dim() != 4 for map_ in maps):
        return []
    inner = [i for i, map_ in enumerate(maps) if not _near(map_.mean((2, 3)), head)]
    if count > 5:
        inner = [i for i in inner if (i + 1) % max(count // 4, 1) == 0]
    return inner[-_INNER:]


def look(network: FeatureNetwork, images: torch.Tensor) -> tuple[frozenset[str], dict[str, float]]:
    """On some pictures: the blocks with negative numbers, and scales for the blocks with very large or small ones.

    One look is enough: a network that gives negative numbers has them in some of its hundreds of channels.
    Raises ValueError where numbers are not finite.
    """
    with torch.inference_mode():
        blocks = network.blocks(images)
    signed = frozenset(name for name, block in blocks.items() if bool((block < 0).any()))
    largest = {name: float(block.abs().max()) for name, block in blocks.items()}
    if not all(map(math.isfinite, largest.values())):
        raise ValueError("features are not finite")
    unfit = {name: size for name, size in largest.items() if size and not _FIT[0] <= size <= _FIT[1]}
    return signed, {name: 2.0 ** round(math.log2(_AIM / size)) for name, size in unfit.items()}


def _near(a: torch.Tensor, b: torch.Tensor) -> bool:
    return a.shape == b.shape and bool((a - b).norm() <= _SAME * b.norm())
