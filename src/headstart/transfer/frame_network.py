"""f of eq. (1): a network from pixels to features of each frame, as a row of blocks that can be cut anywhere."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn


class FrameNetwork(nn.Module):
    """Blocks from bottom to top: the first takes normalised planes [n, channels, h, w], the last gives [n, dim].

    mean, std: of the three colours, from 0 to 255. joint: of how many frames the planes are stacked before the first
    block, so that one pass sees the clip; 0: each frame is seen by itself. folded: the weights came without
    BatchNorm, which stands in as an identity until it is settled.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(
        self,
        blocks: Sequence[nn.Module],
        dim: int,
        mean: Sequence[float],
        std: Sequence[float],
        *,
        joint: int = 0,
        folded: bool = False,
    ) -> None:
        super().__init__()
        self.parts = nn.ModuleList(blocks)
        self.dim, self.joint, self.folded = dim, joint, folded
        self.register_buffer("mean", torch.tensor(list(mean)).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(list(std)).view(1, 3, 1, 1), persistent=False)

    def planes(self, pixels: torch.Tensor) -> torch.Tensor:
        """uint8 or float pixels [b, m, h, w, 3] as normalised planes [b, m, 3, h, w], or [b, 1, channels, h, w]."""
        b, m, h, w, _ = pixels.shape
        x = (
            pixels.reshape(b * m, h, w, 3).permute(0, 3, 1, 2).float()
        )  # bytes in this order are channels last
        x = (x - self.mean) / self.std
        x = x.reshape(-1, m, 3, h, w)
        return stacked(x) if self.joint else x

    def run(self, x: torch.Tensor, first: int, last: int) -> torch.Tensor:
        """Blocks `first` to `last` (not included) on [b, m, …]: what they give, [b, m, …]."""
        m = x.shape[1]
        x = x.flatten(0, 1)
        for block in self.parts[first:last]:
            x = block(x)
        return x.reshape(-1, m, *x.shape[1:])


def stacked(x: torch.Tensor) -> torch.Tensor:
    """The frames of clips [b, m, 3, h, w] as the planes of one picture [b, 1, 3 + m - 1, h, w].

    The colours of the middle frame, and how the grey changes from each frame to the next: that is small, so that it
    is given four times over. With one frame the colours are all there is.
    """
    middle = x[:, x.shape[1] // 2]
    grey = x.mean(2)
    changes = 4.0 * (grey[:, 1:] - grey[:, :-1])
    return torch.cat([middle, changes], dim=1).unsqueeze(1)


class Pooled(nn.Module):
    """The last block: maybe layers, then the mean over the map: [n, c, h, w] to [n, c]."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.layers(x).mean((2, 3))
        return out
