"""g of eq. (1): from the features of a clip's frames to those of the clip, learnt or not."""

from __future__ import annotations

import torch
from torch import nn

from headstart.words.recipe import Aggregation

_HIDDEN = 128
_KERNEL = 3


def aggregation(how: Aggregation, dim: int) -> Mean | TemporalConvolution | Recurrent:
    """The module that takes frame features [b, m, dim]; its `dim` is that of what it gives, [b, dim].

    "logits" and "features" both are the mean: whether it is taken before or after dropout and the classifier is the
    Classifier's business, and in eval mode one and the same, as the classifier is linear.
    """
    if how == "convolution":
        return TemporalConvolution(dim)
    return Recurrent(dim) if how == "gru" else Mean(dim)


class Mean(nn.Module):
    """Eq. (2): the order of frames is lost, and the number of them is free."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean(1)


class TemporalConvolution(nn.Module):
    """The mean, beside two convolutions of three frames each over time, averaged: local order is seen."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim + _HIDDEN
        self.layers = nn.Sequential(
            nn.Conv1d(dim, _HIDDEN, 1),
            nn.Conv1d(_HIDDEN, _HIDDEN, _KERNEL, padding=_KERNEL // 2, bias=False),
            nn.BatchNorm1d(_HIDDEN),
            nn.ReLU(inplace=True),
            nn.Conv1d(_HIDDEN, _HIDDEN, _KERNEL, padding=_KERNEL // 2, bias=False),
            nn.BatchNorm1d(_HIDDEN),
            nn.ReLU(inplace=True),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x.mean(1), self.layers(x.transpose(1, 2)).mean(2)], dim=1)


class Recurrent(nn.Module):
    """The mean, beside the last state of a gated recurrent unit that read the frames in their order."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim + _HIDDEN
        self.unit = nn.GRU(dim, _HIDDEN, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        zero = 0.0 * x[:, :1, :1].transpose(
            0, 1
        )  # of the samples: the exporter would freeze the size of the batch
        start = zero.expand(-1, -1, _HIDDEN).contiguous()
        _, last = self.unit(x, start)
        return torch.cat([x.mean(1), last[0]], dim=1)
