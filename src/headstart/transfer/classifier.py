"""The network of eq. (1) and (2): frames through f, over time through g, then dropout and a linear classifier."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

import torch
from torch import nn

from headstart.transfer.aggregation import aggregation
from headstart.transfer.frame_network import FrameNetwork
from headstart.words.recipe import Aggregation
from headstart.words.task import LabelKind


class Classifier(nn.Module):
    """Pixels uint8 (or float, 0 to 255) [b, h, w, 3] or [b, m, h, w, 3] to logits float32 [b, classes].

    network: f. how: which g. dropout: before the classifier `linear`. labels: how logits become posteriors, by
    softmax ("single") or each by itself ("multi"); the network is the same.
    All blocks are trained until `train_last` says otherwise.
    """

    def __init__(
        self,
        network: FrameNetwork,
        how: Aggregation,
        classes: int,
        dropout: float = 0.0,
        labels: LabelKind = "single",
    ) -> None:
        super().__init__()
        self.network = network
        self.how, self.labels = how, labels
        self.aggregation = aggregation(how, network.dim)
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(self.aggregation.dim, classes)
        self.cut = 0

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self._classified(self._run(self._planes(pixels), 0, len(self.network.parts)))

    def features(self, pixels: torch.Tensor) -> torch.Tensor:
        """What `linear` takes, [b, linear.in_features]: in eval mode `linear(features(x))` is `forward(x)`."""
        out: torch.Tensor = self.aggregation(self._run(self._planes(pixels), 0, len(self.network.parts)))
        return out

    def blocks(self) -> list[nn.Module]:
        """Of f, from bottom to top; without g and the classifier, which are always trained."""
        return list(self.network.parts)

    def train_last(self, count: int | None) -> None:
        """Train the last `count` blocks, g and the classifier; 0: those two alone, None or more than there are: all.

        The blocks below get no gradients, and their BatchNorm stays in eval mode.
        """
        blocks = self.blocks()
        self.cut = 0 if count is None else max(0, len(blocks) - count)
        for place, block in enumerate(blocks):
            block.requires_grad_(place >= self.cut)
        self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        for block in self.network.parts[: self.cut]:
            block.eval()
        return self

    def bottom(self, pixels: torch.Tensor) -> torch.Tensor:
        """What the blocks that are not trained give, [b, m, …], without gradients; `top` takes it.

        Where all are trained: the normalised pixels as planes.
        """
        with torch.no_grad():
            return self._run(self._planes(pixels), 0, self.cut)

    def top(self, activations: torch.Tensor) -> torch.Tensor:
        """Logits [b, classes] from what `bottom` gave, float32 [b, m, …]: `top(bottom(x))` is `forward(x)`."""
        return self._classified(self._run(activations, self.cut, len(self.network.parts)))

    def settle(self, batches: Iterable[torch.Tensor]) -> None:
        """Give the BatchNorms of a network whose weights came folded the statistics of pictures of the task.

        In eval mode nothing changes: each norm's weight and bias undo its new mean and variance. In train mode, where
        a batch is normalised by itself, the network is then nearly the same function too, and can be trained on.
        batches: pixels as in `forward`, a few hundred pictures in all. For other networks nothing is done: random
        weights need the normalisation, and pretrained norms have statistics. Do it before the first step, once.
        """
        if not self.network.folded:
            return
        norms = [layer for layer in self.network.modules() if isinstance(layer, nn.BatchNorm2d)]
        seen = [_Seen() for _ in norms]
        handles = [norm.register_forward_pre_hook(see) for norm, see in zip(norms, seen, strict=True)]
        mode = self.training
        self.eval()
        try:
            with torch.no_grad():
                for pixels in batches:
                    self.features(pixels)
        finally:
            for handle in handles:
                handle.remove()
            self.train(mode)
        for norm, see in zip(norms, seen, strict=True):
            see.settle(norm)
        self.network.folded = not any(see.count for see in seen)

    def _planes(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.network.planes(pixels if pixels.dim() == 5 else pixels.unsqueeze(1))

    def _run(self, x: torch.Tensor, first: int, last: int) -> torch.Tensor:
        return self.network.run(x, first, last)

    def _classified(self, features: torch.Tensor) -> torch.Tensor:
        """Frame features [b, m, dim] to logits: with "logits" every frame is classified, under a dropout of its own."""
        if self.how == "logits":
            logits: torch.Tensor = self.linear(self.dropout(features)).float().mean(1)
        else:
            logits = self.linear(self.dropout(self.aggregation(features)))
        return logits.float()


class _Seen:
    """Mean and variance per channel of what comes into a norm, over batches, in double precision."""

    def __init__(self) -> None:
        self.count = 0
        self.sum: Any = 0.0
        self.squares: Any = 0.0

    def __call__(self, _: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        x = inputs[0].double()
        self.count += x.numel() // x.shape[1]
        self.sum = self.sum + x.sum((0, 2, 3))
        self.squares = self.squares + x.square().sum((0, 2, 3))

    @torch.no_grad()
    def settle(self, norm: nn.BatchNorm2d) -> None:
        if not self.count or norm.running_mean is None or norm.running_var is None:
            return
        mean = self.sum / self.count
        variance = (self.squares / self.count - mean.square()).clamp_min(0.0)
        scale = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
        shift = norm.bias.double() - norm.running_mean.double() * scale
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)
        norm.weight.copy_(scale * (variance + norm.eps).sqrt())
        norm.bias.copy_(shift + mean * scale)
