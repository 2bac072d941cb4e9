"""Small pictures of samples, as data inside the page."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

SIDE = 96
_LARGEST = 120_000_000  # pixels; a picture above this costs more memory than a thumbnail is worth


@dataclass(frozen=True)
class Picture:
    """A thumbnail, or why there is none.

    uri: a JPEG as data URI, "" where there is no picture. width, height: of the thumbnail in pixels.
    """

    uri: str = ""
    width: int = 0
    height: int = 0
    why: str = ""


def thumbnail(path: Path) -> Picture:
    """A JPEG of at most SIDE x SIDE pixels of the image file at `path`; never raises."""
    try:
        if not path.is_file():  # a pipe or device would be waited for, so they count as missing, too
            return Picture(why="file not found")
        return _small(path)
    except Exception:  # decoders fail in many ways on damaged files; a report must not
        return Picture(why="cannot be shown")


def _small(path: Path) -> Picture:
    from PIL import Image, ImageOps

    with Image.open(path) as image:
        if image.width * image.height > _LARGEST:
            return Picture(why="too large to show")
        image.draft("RGB", (2 * SIDE, 2 * SIDE))
        small = _on_white(ImageOps.exif_transpose(image))
    small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=84)
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    return Picture(f"data:image/jpeg;base64,{data}", small.width, small.height)


def _on_white(image: Image.Image) -> Image.Image:
    """RGB; what is transparent becomes white; more than 8 bits are scaled to the picture's own range."""
    from PIL import Image

    if image.mode.startswith(("I", "F")):
        values = np.asarray(image).astype(np.float64)
        low, span = float(values.min()), float(np.ptp(values)) or 1.0
        return Image.fromarray(((values - low) * (255 / span)).astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")
