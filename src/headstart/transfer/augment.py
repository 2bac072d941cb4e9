"""Changed copies of a batch, on the device: moved, scaled, mirrored, lit otherwise, or mixed with another sample.

All of it is drawn from a numpy generator that the caller seeds, a few numbers per batch, so that a step can be
repeated. A clip's frames are changed alike: a movement between frames would be taken for motion.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from headstart.words.recipe import Augmentation, Mixing

_SHIFT, _SCALE = 0.1, 0.15  # of the side: at most so far, so much larger or smaller
_BRIGHT, _CONTRAST = 32.0, 0.25  # of 255 levels; of the contrast
_MIXUP, _CUTMIX = 0.2, 1.0  # of the Beta distribution that the shares are drawn from
Rng = np.random.Generator
Plane = tuple[int, int]
PIXELS: Plane = (-3, -2)
"""Height and width of pixels [..., h, w, 3]."""
MAPS: Plane = (-2, -1)
"""Height and width of activations [..., c, h, w]."""


def augmented(pixels: torch.Tensor, how: Augmentation, rng: Rng) -> torch.Tensor:
    """The batch changed: float32 from 0 to 255 ("none" and "flip": of the dtype that was given).

    pixels: uint8 or float32 [b, h, w, 3] or [b, m, h, w, 3].
    """
    if how in ("shift", "light"):
        pixels = _moved(pixels, rng)
    if how in ("flip", "light"):
        pixels = _mirrored(pixels, rng)
    return _lit(pixels, rng) if how == "light" else pixels


def _moved(pixels: torch.Tensor, rng: Rng) -> torch.Tensor:
    """Each sample under its own shift and scale, bilinear; what comes in from outside repeats the border."""
    b, h, w = len(pixels), pixels.shape[-3], pixels.shape[-2]
    theta = np.zeros((b, 2, 3), np.float32)
    theta[:, 0, 0], theta[:, 1, 1] = rng.uniform(1 - _SCALE, 1 + _SCALE, (2, b))
    theta[:, :, 2] = rng.uniform(-2 * _SHIFT, 2 * _SHIFT, (b, 2))
    frames = pixels.reshape(b, -1, h, w, 3)
    planes = frames.permute(0, 1, 4, 2, 3).reshape(b, -1, h, w).float()
    grid = F.affine_grid(torch.from_numpy(theta).to(pixels.device), [b, 1, h, w], align_corners=False)
    moved = F.grid_sample(planes, grid, padding_mode="border", align_corners=False)
    return moved.view(b, -1, 3, h, w).permute(0, 1, 3, 4, 2).reshape(pixels.shape)


def _mirrored(pixels: torch.Tensor, rng: Rng) -> torch.Tensor:
    """About half of the samples, left to right."""
    chosen = np.flatnonzero(rng.random(len(pixels)) < 0.5)
    if not len(chosen):
        return pixels
    index = torch.from_numpy(chosen).to(pixels.device)
    return pixels.index_copy(0, index, pixels.index_select(0, index).flip(-2))


def _lit(pixels: torch.Tensor, rng: Rng) -> torch.Tensor:
    shape = (len(pixels),) + (1,) * (pixels.ndim - 1)
    contrast = rng.uniform(1 - _CONTRAST, 1 + _CONTRAST, shape).astype(np.float32)
    middle = (127.5 + rng.uniform(-_BRIGHT, _BRIGHT, shape)).astype(np.float32)
    scale, shift = torch.from_numpy(contrast), torch.from_numpy(middle - 127.5 * contrast)
    return torch.addcmul(shift.to(pixels.device), pixels.float(), scale.to(pixels.device)).clamp_(0, 255)


def mixed(x: torch.Tensor, how: Mixing, rng: Rng, plane: Plane | None = PIXELS) -> tuple[torch.Tensor, float]:
    """The batch mixed with itself in reverse order, and the share of each sample that is its own.

    x: [b, ...]; batches are in random order, so the reverse is as good a partner as any. plane: the axes of height
    and width, `PIXELS` or `MAPS`. "cutmix" puts a rectangle of the other sample in, in its place; where there is no
    plane (vectors), it mixes as "mixup" does, which gives float32.
    """
    if how == "none" or len(x) < 2:
        return x, 1.0
    if how == "mixup" or plane is None:
        share = float(rng.beta(_MIXUP, _MIXUP))
        whole = x.float()
        return torch.lerp(whole.flip(0), whole, share), share
    height, width = (x.shape[axis] for axis in plane)
    share = float(rng.beta(_CUTMIX, _CUTMIX))
    rows, columns = (round(side * (1 - share) ** 0.5) for side in (height, width))
    top, left = int(rng.integers(height - rows + 1)), int(rng.integers(width - columns + 1))
    out = x.clone()
    _cut(out, plane, top, rows, left, columns).copy_(_cut(x.flip(0), plane, top, rows, left, columns))
    return out, 1 - rows * columns / (height * width)


def _cut(x: torch.Tensor, plane: Plane, top: int, rows: int, left: int, columns: int) -> torch.Tensor:
    return x.narrow(plane[0], top, rows).narrow(plane[1], left, columns)
