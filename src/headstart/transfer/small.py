"""Small plain convolutional networks that start from random weights: for pictures unlike those of ImageNet."""

from __future__ import annotations

from torch import nn

from headstart.transfer.frame_network import FrameNetwork, Pooled

_MIDDLE, _SPREAD = 127.5, 64.0  # of bytes: BatchNorm does the rest
_LAYERS = ((1, 2), (1, 1), (2, 2), (2, 1), (2, 2))  # width as a multiple of the first one, stride


def small(width: int, frames: int = 0) -> FrameNetwork:
    """Five 3x3 convolutions, each with BatchNorm and ReLU, and the mean over the map.

    width: channels of the first layer; the last has twice as many. frames: of clips that are seen at once, 0: one
    frame at a time. 103 000 numbers at a width of 32, 408 000 at 64. Takes squares of 8 px and more.
    """
    blocks: list[nn.Module] = []
    channels = 3 + frames - 1 if frames else 3
    for multiple, stride in _LAYERS:
        out = multiple * width
        blocks.append(_layer(channels, out, stride))
        channels = out
    last = blocks.pop()
    blocks.append(Pooled(last))
    return FrameNetwork(blocks, channels, (_MIDDLE,) * 3, (_SPREAD,) * 3, joint=frames)


def _layer(channels: int, out: int, stride: int) -> nn.Module:
    convolution = nn.Conv2d(channels, out, 3, stride, padding=1, bias=False)
    nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
    return nn.Sequential(convolution, nn.BatchNorm2d(out), nn.ReLU(inplace=True))
