"""How the peers read an image: Pillow, transparency on white, squeezed to a square, bilinear."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def load(path: str, pixels: int) -> NDArray[np.uint8]:
    """uint8 [pixels, pixels, 3]; black where the file cannot be read."""
    try:
        with Image.open(path) as image:
            image.draft("RGB", (pixels, pixels))
            if image.has_transparency_data:
                top = image.convert("RGBA")
                below = Image.new("RGBA", top.size, "white")
                plain = Image.alpha_composite(below, top).convert("RGB")
            else:
                plain = image.convert("RGB")
            return np.asarray(plain.resize((pixels, pixels), Image.Resampling.BILINEAR))
    except OSError:
        return np.zeros((pixels, pixels, 3), np.uint8)


def load_all(paths: Sequence[str], pixels: int) -> NDArray[np.uint8]:
    """uint8 [n, pixels, pixels, 3]."""
    result = np.empty((len(paths), pixels, pixels, 3), np.uint8)
    for place, path in enumerate(paths):
        result[place] = load(path, pixels)
    return result
