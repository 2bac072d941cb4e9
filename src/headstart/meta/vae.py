"""The paper's second encoder: a variational autoencoder, a DenseNet that encodes and a PixelCNN++ that decodes.

The mean of the latent distribution is the feature vector of a picture (`Vae.latents`); meta/similarity/vae_ttest.py
compares data sets in it. Sizes are in meta/autoencoder.py. Needs the extra `torch`. The decoder predicts each pixel
from those before it (in reading order) and from a map of the picture's size that one linear layer makes of the
latent vector.

Huang et al. (2017), "Densely connected convolutional networks"; Salimans et al. (2017), "PixelCNN++"; Zhao et
al. (2017), "InfoVAE", for the maximum mean discrepancy in the place of the divergence.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from headstart.errors import BadModel
from headstart.meta.autoencoder import SMALL, VaeConfig
from headstart.store import tensors

Images = NDArray[np.uint8]
Pair = tuple[float, float]


class Vae(nn.Module):
    """Encoder and decoder of a configuration, drawn by the seed."""

    def __init__(self, config: VaeConfig = SMALL, seed: int = 0) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            super().__init__()
            self.config = config
            self.encoder = _densenet(config)
            self.spread = nn.Linear(config.latent, 3 * config.pixels**2)
            self.decoder = PixelCnn(config)

    def encode(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures float [b, 3, h, w] in -1 to 1 to mean and log variance [b, latent]."""
        mean, log_variance = self.encoder(pictures).chunk(2, 1)
        return mean, log_variance.clamp(-12, 6)

    def decode(self, pictures: Tensor, latent: Tensor) -> Tensor:
        """Parameters of each pixel's distribution, [b, 10 * mixtures, h, w], given the pixels before it."""
        side = self.config.pixels
        return torch.as_tensor(self.decoder(pictures, self.spread(latent).view(-1, 3, side, side)))

    def losses(self, pictures: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Negative log likelihood in nats per picture, and the regulariser before its weight."""
        mean, log_variance = self.encode(pictures)
        noise = torch.randn(mean.shape, generator=generator)
        latent = mean + noise * torch.exp(log_variance / 2)
        nll = -log_likelihood(pictures, self.decode(pictures, latent)) / len(pictures)
        if self.config.regulariser == "mmd":
            return nll, discrepancy(latent, torch.randn(latent.shape, generator=generator))
        return nll, 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum() / len(pictures)

    @torch.no_grad()
    def latents(self, images: Images, batch: int = 64) -> NDArray[np.float32]:
        """Latent means float32 [n, latent] of images uint8 [n, pixels, pixels, 3]; ValueError for another size."""
        self.eval()
        parts = [self.encode(part)[0].numpy() for part in self._batches(images, batch)]
        return np.concatenate(parts) if parts else np.zeros((0, self.config.latent), np.float32)

    @torch.no_grad()
    def settle(self, images: Images, batch: int = 64) -> None:
        """Takes the statistics of batch normalisation from these images: what a network that is not trained lacks."""
        norms = [layer for layer in self.encoder.modules() if isinstance(layer, nn.BatchNorm2d)]
        self.train()
        for number, part in enumerate(self._batches(images, batch), 1):
            for norm in norms:
                norm.momentum = 1 / number  # a plain average over the batches
            self.encode(part)
        for norm in norms:
            norm.momentum = 0.1

    def _batches(self, images: Images, batch: int) -> Iterator[Tensor]:
        side = self.config.pixels
        if images.ndim != 4 or images.shape[1:] != (side, side, 3):
            raise ValueError(f"images must be [n, {side}, {side}, 3], not {images.shape}")
        return (as_pictures(images[start : start + batch]) for start in range(0, len(images), batch))

    def save(self, path: Path) -> None:
        """Weights and configuration in one file of named arrays."""
        arrays = {name: value.detach().numpy() for name, value in self.state_dict().items()}
        tensors.save(path, arrays, {"config": json.dumps(dataclasses.asdict(self.config))})

    @staticmethod
    def load(path: Path) -> Vae:
        """What `save` wrote. Raises BadModel where the file is missing, damaged or of another kind."""
        arrays, metadata = tensors.load(path)
        try:
            content = json.loads(metadata["config"])
            vae = Vae(VaeConfig(**{**content, "blocks": tuple(content["blocks"])}))
            vae.load_state_dict({name: torch.from_numpy(value.copy()) for name, value in arrays.items()})
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise BadModel(f"{path} holds no autoencoder of this version: train it again") from error
        return vae


def training(vae: Vae, images: Images, seed: int, batch: int = 16, rate: float = 1e-3) -> Iterator[Pair]:
    """Trains in place, a step with each value that is taken, without end. Adam, gradients cut at 1.

    Each value: bits per number of a picture, and the regulariser before its weight.
    """
    draw, noise = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    optimiser = torch.optim.Adam(vae.parameters(), rate)
    numbers = 3 * vae.config.pixels**2
    while True:
        vae.train()
        chosen = draw.integers(len(images), size=batch)
        nll, regulariser = vae.losses(as_pictures(images[chosen]), noise)
        optimiser.zero_grad()
        ((nll + vae.config.weight * regulariser) / numbers).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimiser.step()
        yield nll.item() / numbers / math.log(2), regulariser.item()


def as_pictures(images: Images) -> Tensor:
    """uint8 [n, h, w, 3] as float [n, 3, h, w] in -1 to 1."""
    return torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float() / 127.5 - 1


def log_likelihood(pictures: Tensor, parameters: Tensor) -> Tensor:
    """Log probability of all pictures, [b, 3, h, w] in steps of 2 / 255, under mixtures of discretised logistics.

    parameters: [b, 10 m, h, w]: m weights, then for each colour m means, m log scales and m coefficients, by
    which the means of green and blue depend on the colours before them.
    """
    b, _, h, w = pictures.shape
    m = parameters.shape[1] // 10
    weights = F.log_softmax(parameters[:, :m], 1)
    means, log_scales, factors = parameters[:, m:].view(b, 3, 3, m, h, w).unbind(2)
    log_scales, factors = log_scales.clamp(min=-7), torch.tanh(factors)
    x = pictures.unsqueeze(2)
    red, green = x[:, 0], x[:, 1]
    greens = means[:, 1] + factors[:, 0] * red
    blues = means[:, 2] + factors[:, 1] * red + factors[:, 2] * green
    apart = x - torch.stack([means[:, 0], greens, blues], 1)
    inverse = torch.exp(-log_scales)
    above, below = inverse * (apart + 1 / 255), inverse * (apart - 1 / 255)
    inside = torch.sigmoid(above) - torch.sigmoid(below)
    # Far out in a tail the difference rounds to nothing; there the density times the step stands for it.
    middle = inverse * apart
    density = middle - log_scales - 2 * F.softplus(middle) - math.log(127.5)
    within = torch.where(inside > 1e-5, torch.log(inside.clamp(min=1e-12)), density)
    upper = torch.where(x > 0.999, -F.softplus(below), within)  # the last steps reach to infinity
    each = torch.where(x < -0.999, above - F.softplus(above), upper)
    return torch.logsumexp(each.sum(1) + weights, 1).sum()


def discrepancy(one: Tensor, two: Tensor) -> Tensor:
    """The squared maximum mean discrepancy of two samples [n, d], by a Gaussian kernel of width sqrt(d)."""
    pairs = ((one, one), (two, two), (one, two))
    same, other, between = (torch.exp(-(a[:, None] - b[None]).pow(2).mean(2) / 2).mean() for a, b in pairs)
    return same + other - 2 * between


def _densenet(config: VaeConfig) -> nn.Sequential:
    """DenseNet whose first layer is a 3 x 3 convolution without stride, padding and pooling; 2 * latent numbers."""
    layers: list[nn.Module] = [nn.Conv2d(3, config.stem, 3, bias=False)]
    layers += [nn.BatchNorm2d(config.stem), nn.ReLU()]
    width = config.stem
    for place, count in enumerate(config.blocks):
        for _ in range(count):
            layers.append(_Dense(width, config.growth))
            width += config.growth
        layers += [nn.BatchNorm2d(width), nn.ReLU()]
        if place < len(config.blocks) - 1:
            layers += [nn.Conv2d(width, width // 2, 1, bias=False), nn.AvgPool2d(2)]
            width //= 2
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 2 * config.latent))


class _Dense(nn.Module):
    """A layer of a dense block: its input with `growth` channels more."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        narrow = 4 * growth
        self.layers = nn.Sequential(
            *(nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, narrow, 1, bias=False)),
            *(nn.BatchNorm2d(narrow), nn.ReLU(), nn.Conv2d(narrow, growth, 3, padding=1, bias=False)),
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.layers(x)], 1)


class PixelCnn(nn.Module):
    """PixelCNN++: parameters for each pixel from those above it (u) and left of it (v), and from a map of all.

    Each level halves the resolution; on the way back up every layer sees one of the way down.
    """

    def __init__(self, config: VaeConfig) -> None:
        super().__init__()
        c = config.channels
        self.above, self.row_above = _Shifted(4, c, (2, 3)), _Shifted(4, c, (1, 3))
        self.left = _Shifted(4, c, (2, 1))
        self.map_u, self.map_v = nn.Conv2d(3, c, 1), nn.Conv2d(3, c, 1)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for level in range(config.levels):
            if level:
                self.down.append(_Apart(_Shifted(c, c, (2, 3), 2), _Shifted(c, c, (2, 2), 2)))
                wide = nn.ConvTranspose2d(c, c, (2, 3), 2, (0, 1), (0, 1))
                self.up.append(_Apart(wide, nn.ConvTranspose2d(c, c, 2, 2)))
            self.down.extend(_Both(c, 0) for _ in range(config.resnets))
            self.up.extend(_Both(c, c) for _ in range(config.resnets + (level > 0)))
        self.end = weight_norm(nn.Conv2d(c, 10 * config.mixtures, 1))

    def forward(self, pictures: Tensor, known: Tensor) -> Tensor:
        x = F.pad(
            pictures, (0, 0, 0, 0, 0, 1), value=1.0
        )  # a channel of ones tells pictures from their padding
        # One row down, one column right: a pixel does not see itself.
        u = F.pad(self.above(x), (0, 0, 1, -1)) + self.map_u(known)
        v = F.pad(self.row_above(x), (0, 0, 1, -1)) + F.pad(self.left(x), (1, -1)) + self.map_v(known)
        seen = [(u, v)]
        for layer in self.down:
            seen.append(layer(*seen[-1]))
        u, v = seen.pop()
        for layer in self.up:
            u, v = layer(u, v, *seen.pop()) if isinstance(layer, _Both) else layer(u, v)
        return torch.as_tensor(self.end(F.elu(v)))


class _Apart(nn.Module):
    """A layer of each stream that does not see the other."""

    def __init__(self, u: nn.Module, v: nn.Module) -> None:
        super().__init__()
        self.u, self.v = u, v

    def forward(self, u: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        return self.u(u), self.v(v)


class _Shifted(nn.Module):
    """A convolution that sees its own row and rows above; of even width, its own column and columns to the left."""

    def __init__(self, width: int, out: int, kernel: tuple[int, int], stride: int = 1) -> None:
        super().__init__()
        high, wide = kernel
        side = (wide - 1) // 2 if wide % 2 else 0
        self.pad = (side, side, high - 1, 0) if wide % 2 else (wide - 1, 0, high - 1, 0)
        self.conv = weight_norm(nn.Conv2d(width, out, kernel, stride))

    def forward(self, x: Tensor) -> Tensor:
        return torch.as_tensor(self.conv(F.pad(x, self.pad)))


class _Both(nn.Module):
    """A gated residual layer of each stream; v sees u. skip: channels of each stream of an earlier layer."""

    def __init__(self, c: int, skip: int) -> None:
        super().__init__()
        self.u, self.v = _Gated(c, (2, 3), skip), _Gated(c, (2, 2), c + skip)

    def forward(self, u: Tensor, v: Tensor, *skip: Tensor) -> tuple[Tensor, Tensor]:
        u = self.u(u, *skip[:1])
        return u, self.v(v, torch.cat([u, *skip[1:]], 1))


class _Gated(nn.Module):
    def __init__(self, c: int, kernel: tuple[int, int], skip: int) -> None:
        super().__init__()
        self.enter, self.leave = _Shifted(2 * c, c, kernel), _Shifted(2 * c, 2 * c, kernel)
        self.skip = weight_norm(nn.Conv2d(2 * skip, c, 1)) if skip else None

    def forward(self, x: Tensor, skip: Tensor | None = None) -> Tensor:
        inner = self.enter(_both_signs(x))
        if self.skip is not None and skip is not None:
            inner = inner + self.skip(_both_signs(skip))
        value, gate = self.leave(_both_signs(inner)).chunk(2, 1)
        return x + torch.as_tensor(value * torch.sigmoid(gate))


def _both_signs(x: Tensor) -> Tensor:
    return F.elu(torch.cat([x, -x], 1))
