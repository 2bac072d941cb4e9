"""Files as the content of AutoDL samples, and samples as files again.

Image files go into records as they are where every reader of the format sees the same in them: JPEG, PNG, BMP and
GIF of 8 bits, without transparency, not turned by a tag. Others are written anew as PNG. Videos become frames.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from headstart.data import headers, images, videos
from headstart.data.autodl.writer import Sample
from headstart.data.films import check
from headstart.data.images import decode, decode_bytes, eight_bits, opened, peek
from headstart.data.kinds import ANIMATED, extension, frames_of, is_film
from headstart.errors import BadInput
from headstart.words.task import Kind, Skipped

_AS_THEY_ARE = ("JPEG", "PNG", "BMP", "GIF")
_MODES = ("1", "L", "P", "RGB")
ENDINGS = {
    "JPEG": "jpg",
    "PNG": "png",
    "BMP": "bmp",
    "GIF": "gif",
    "TIFF": "tif",
    "WEBP": "webp",
    "AVIF": "avif",
}
_TRIED = 16  # pixels at which a file is decoded to see whether it can be
_QUALITY = 92  # of JPEGs made from frames of video files


@dataclass(frozen=True)
class Form:
    """How content is stored. dense: numbers 0 to 1 in place of files. pixels: squeezed to squares of this side.

    frames: of video files and animations, at most so many, evenly spaced.
    """

    dense: bool = False
    pixels: int | None = None
    frames: int = 16


def sample(path: str, kind: Kind, labels: Sequence[int], form: Form) -> Sample | Skipped:
    """A file (or a folder of frames) as a sample; or why it cannot be one. Raises BadInput without PyAV."""
    try:
        steps = list(_frames(path, form.frames)) if kind == "video" else [_image(path)]
    except BadInput:
        raise
    except Exception as error:  # whatever a decoder throws at a damaged file
        return Skipped(path, images.reason(error, kind))
    bad = next((step for step in steps if isinstance(step, Skipped)), None)
    if bad is not None:
        return Skipped(path, bad.reason)
    whole = [step for step in steps if not isinstance(step, Skipped)]
    if not whole:
        return Skipped(path, "a video without frames")
    if form.pixels is not None:
        return _squeezed(path, whole, labels, form)
    if form.dense:
        return Sample(np.stack([_numbers(data) for data in whole]), labels)
    return Sample(whole, labels, size_of(whole[0]))


def _squeezed(path: str, steps: Sequence[bytes], labels: Sequence[int], form: Form) -> Sample | Skipped:
    squares = []
    for data in steps:
        square = decode_bytes(path, data, form.pixels or 1)
        if isinstance(square, Skipped):
            return square
        squares.append(square)
    if form.dense:
        return Sample(np.stack(squares).astype(np.float32) / np.float32(255), labels)
    return Sample([png(square) for square in squares], labels, (len(squares[0]), len(squares[0])))


def _numbers(data: bytes) -> NDArray[np.float32]:
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture.convert("RGB"), np.float32) / np.float32(255)


def size_of(data: bytes) -> tuple[int, int]:
    """Width and height of the image in a file's bytes. Raises whatever Pillow does."""
    with Image.open(io.BytesIO(data)) as picture:
        return picture.size


def png(pixels: NDArray[np.uint8]) -> bytes:
    """Pixels uint8 [h, w, 1 or 3 or 4] as a PNG file."""
    return _saved(Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels), "PNG")


def _saved(picture: Image.Image, form: str) -> bytes:
    file = io.BytesIO()
    picture.save(file, form, **({"quality": _QUALITY} if form == "JPEG" else {}))
    return file.getvalue()


def _image(path: str) -> bytes | Skipped:
    """The bytes of an image file, as they are or as a PNG; or why it is none."""
    tried, size = decode(path, _TRIED), peek(path)
    if isinstance(tried, Skipped):
        return tried
    if isinstance(size, Skipped):
        return size
    with open(path, "rb") as file:
        data = file.read()
    with opened(path) as picture:
        turned = headers.orientation(picture.info.get("exif") or b"") != 1
        plain = picture.mode in _MODES and not picture.has_transparency_data and not turned
        if plain and headers.kind(data[:16]) in _AS_THEY_ARE:
            return data
        return _saved(_anew(picture), "PNG")


def _anew(picture: Image.Image) -> Image.Image:
    """A picture of 8 bits, on white, as it is to be seen."""
    picture = ImageOps.exif_transpose(picture)
    if picture.mode[0] in "IF":
        return Image.fromarray(eight_bits(np.asarray(picture)))
    if not picture.has_transparency_data:
        return picture.convert("L" if picture.mode in ("1", "L") else "RGB")
    clear = picture.convert("RGBA")
    white = Image.new("RGBA", clear.size, "white")
    return Image.alpha_composite(white, clear).convert("RGB")


def _frames(path: str, most: int) -> Iterator[bytes | Skipped]:
    if os.path.isdir(path):
        yield from (_image(os.path.join(path, name)) for name in frames_of(path))
    elif is_film(path):
        check()
        yield from _film(path, most)
    elif extension(path) in ANIMATED and videos.is_animated(path):
        with opened(path) as picture:
            for step in _spaced(int(getattr(picture, "n_frames", 1)), most):
                picture.seek(step)
                yield _saved(_anew(picture), "PNG")
    else:
        yield _image(path)


def _spaced(total: int, most: int) -> list[int]:
    places: list[int] = np.unique(np.linspace(0, total - 1, min(most, total)).round().astype(int)).tolist()
    return places


def _film(path: str, most: int) -> Iterator[bytes]:
    """Evenly spaced frames of a video file in full size, as JPEGs."""
    import av

    with av.open(path, metadata_errors="ignore") as container:
        stream = container.streams.video[0]
        total = sum(bool(packet.size) for packet in container.demux(stream))
    wanted = set(_spaced(max(total, 1), most))
    with av.open(path, metadata_errors="ignore") as container:
        for place, frame in enumerate(container.decode(video=0)):
            if place in wanted:
                yield _saved(Image.fromarray(frame.to_ndarray(format="rgb24")), "JPEG")


def ending(data: bytes) -> str:
    """The ending of a file's name by its content; `bin` where that is not known."""
    return ENDINGS.get(headers.kind(data[:16]) or "", "bin")
