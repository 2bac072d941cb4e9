"""Small pictures of samples, as data inside the page."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from headstart.report.reading import Reading
from headstart.words.task import Skipped

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


def framed(reading: Reading, path: str) -> str:
    """The picture of a sample in its frame, as HTML; path: relative to the data's root, "" if not known."""
    root = Path(str(reading.part("data").get("root", "")))
    picture = thumbnail(root / path, reading.kind) if path else Picture(why="file not known")
    image = f'<span class="small">{picture.why}</span>'
    if picture.uri:
        tiny = ' class="tiny"' if max(picture.width, picture.height) < 48 else ""
        image = f'<img{tiny} src="{picture.uri}" width="{picture.width}" height="{picture.height}" alt="">'
    return f'<span class="frame">{image}</span>'


def thumbnail(path: Path, kind: str = "image") -> Picture:
    """A JPEG of at most SIDE x SIDE pixels of the file at `path`; never raises.

    kind: "image", or "video": then of the first keyframe of a clip, which may be a folder of frames.
    """
    try:
        # A pipe or device would be waited for, so they count as missing, too.
        if not path.is_file() and not (kind == "video" and path.is_dir()):
            return Picture(why="file not found")
        return _first_frame(path) if kind == "video" else _small(path)
    except Exception:  # decoders fail in many ways on damaged files; a report must not
        return Picture(why="cannot be shown")


def _first_frame(path: Path) -> Picture:
    from PIL import Image

    from headstart.data import videos  # here, because the decoder of films is large and need not be installed

    frame, size = videos.poster(str(path), 2 * SIDE), videos.size(str(path))
    if isinstance(frame, Skipped):
        return Picture(why="cannot be shown")
    # A poster is squeezed into a square; here it gets its shape back.
    width, height = (1, 1) if isinstance(size, Skipped) else size
    longest = max(width, height)
    shape = (max(2 * SIDE * width // longest, 1), max(2 * SIDE * height // longest, 1))
    return _thumbnail(Image.fromarray(frame).resize(shape, Image.Resampling.LANCZOS))


def _small(path: Path) -> Picture:
    from PIL import Image, ImageOps

    with Image.open(path) as image:
        if image.width * image.height > _LARGEST:
            return Picture(why="too large to show")
        image.draft("RGB", (2 * SIDE, 2 * SIDE))
        return _thumbnail(ImageOps.exif_transpose(image))


def _thumbnail(image: Image.Image) -> Picture:
    from PIL import Image

    small = _on_white(image)
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
