"""The sizes of an autoencoder (meta/vae.py): the paper's, which a CPU does not train in useful time, and ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class VaeConfig:
    """pixels: side of the pictures, a multiple of 2^(levels - 1).

    blocks, growth, stem: of the DenseNet: layers in each dense block, channels that a layer adds, channels of the
    first convolution. latent: numbers. channels, resnets, levels, mixtures: of the PixelCNN++: width, gated
    residual layers per level, resolutions (each half of the one before), logistic distributions per pixel.
    regulariser: what draws the latent vectors towards a standard normal distribution, and its weight
    against the negative log likelihood in nats per picture.
    """

    pixels: int = 64
    blocks: tuple[int, ...] = (6, 12, 24, 16)
    growth: int = 32
    stem: int = 64
    latent: int = 196
    channels: int = 64
    resnets: int = 2
    levels: int = 3
    mixtures: int = 10
    regulariser: Literal["mmd", "kl"] = "mmd"
    weight: float = 1000.0


PAPER = VaeConfig()
SMALL = VaeConfig(32, (3, 6, 8, 6), 12, 24, channels=24, resnets=1, levels=3, mixtures=5)
