"""From an image file to a square of pixels. Whatever is wrong with the file comes back as a value.

JPEGs are decoded at the smallest scale that still covers the square (a scaled DCT, up to eight times
faster), then resized bilinearly; the aspect is squeezed. Every function may run in several threads at once.
"""

from __future__ import annotations

import importlib
import io
import os
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from headstart.data import headers
from headstart.data.grey import grey
from headstart.data.silence import hush_libtiff, quiet
from headstart.data.walk import why
from headstart.words.task import Skipped

Square = NDArray[np.uint8]

MAX_PIXELS = 220_000_000
"""A header that states more is refused. The largest phone cameras store 201 million."""
MAX_DECODED = 100_000_000
"""The most pixels held in memory, four bytes each: a JPEG counts after scaling, other formats as they are."""

_WHOLE = 64 << 20  # files up to this size are read at once, larger ones as they are decoded
_HEAD = 64 << 10
_OPEN = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
_BILINEAR = Image.Resampling.BILINEAR
_GAP = 1.1  # whole-number reduction first, then bilinear; within two grey levels, up to four times faster

# Named one by one: `Image.open` would import forty readers to find that a file is none of theirs.
_READERS = {
    "JPEG": ("JpegImagePlugin", "JpegImageFile"),
    "PNG": ("PngImagePlugin", "PngImageFile"),
    "GIF": ("GifImagePlugin", "GifImageFile"),
    "BMP": ("BmpImagePlugin", "BmpImageFile"),
    "TIFF": ("TiffImagePlugin", "TiffImageFile"),
    "WEBP": ("WebPImagePlugin", "WebPImageFile"),
    "AVIF": ("AvifImagePlugin", "AvifImageFile"),
    "PPM": ("PpmImagePlugin", "PpmImageFile"),
}


class _Unusable(Exception):
    """A file that gives no pixels; the message is the reason that a user reads."""


def decode(path: str, pixels: int) -> Square | Skipped:
    """The image as uint8 [pixels, pixels, 3], RGB on white; or why not. Read-only. Never raises on a file."""
    squares = square(path, (pixels,))
    return squares if isinstance(squares, Skipped) else squares[0]


def square(path: str, sizes: tuple[int, ...]) -> tuple[Square, ...] | Skipped:
    """The image at several sizes, decoded once: uint8 [size, size, 3] for each of `sizes`.

    The largest is made from the file and the others from the largest by `shrink`, so that a kept
    square gives the same pixels later.
    """
    if not sizes or min(sizes) < 1:
        raise ValueError(f"sizes are positive numbers of pixels, not {sizes}")
    try:
        largest = max(sizes)
        image, orientation = _load(path, largest)
        first = _turned(squeezed(image, largest), orientation)
        return tuple(shrink(first, size) for size in sizes)
    except Exception as error:  # whatever a decoder throws at a damaged file
        return Skipped(path, reason(error))


def decode_bytes(name: str, data: bytes, pixels: int) -> Square | Skipped:
    """As `decode`, from the content of a file; `name` is what a Skipped calls it."""
    try:
        kind = _kind(data)
        try:
            image, orientation = _decoded(data, kind, pixels)
            return _turned(squeezed(image, pixels), orientation)
        except Exception as error:
            raise _Unusable(reason(error, kind)) from error
    except Exception as error:
        return Skipped(name, reason(error))


def shrink(pixels: Square, size: int) -> Square:
    """A kept square, uint8 [n, n, 3], cut down to uint8 [size, size, 3]."""
    return pixels if len(pixels) == size else squeezed(Image.fromarray(pixels), size)


def squeeze(name: str, picture: Image.Image | NDArray[Any], pixels: int) -> Square | Skipped:
    """A picture in memory as `decode` gives a file: uint8 [pixels, pixels, 3], RGB on white; or why not.

    picture: a PIL image, or an array [h, w], [h, w, 1], [h, w, 3] or [h, w, 4] of real numbers or bool.
    """
    try:
        if isinstance(picture, Image.Image):
            picture.load()
            image, orientation = picture, _orientation(picture)
        else:
            grey = picture.ndim == 3 and picture.shape[2] == 1
            image, orientation = Image.fromarray(eight_bits(picture[:, :, 0] if grey else picture)), 1
        return _turned(squeezed(image, pixels), orientation)
    except Exception as error:  # a PIL image may still have to read its file
        return Skipped(name, reason(error))


def eight_bits(values: NDArray[Any]) -> Square:
    """Any array of real numbers or bool as uint8 of the same shape: uint8 as it is, the rest by its range."""
    if values.dtype == np.bool_:
        return values.astype(np.uint8) * np.uint8(255)
    return values if values.dtype == np.uint8 else grey(values)


def peek(path: str) -> tuple[int, int] | Skipped:
    """Width and height as shown, from the header alone; nothing is decoded."""
    try:
        head = _content(path, _HEAD)
        kind = _kind(head)
        # As `decode` does it: what one of them reads without Pillow, Pillow need not be able to read.
        if kind == "JPEG" and (jpeg := headers.jpeg(head)):
            (width, height), orientation = jpeg.size, jpeg.orientation
        elif kind == "PNG" and (png := headers.png(head)):
            (width, height), orientation = png.size, 1
        else:
            with open(path, "rb") as file, quiet(kind, head):
                image = _reader(kind)(file)
                (width, height), orientation = image.size, _orientation(image)
        return (height, width) if orientation >= 5 else (width, height)
    except Exception as error:
        return Skipped(path, reason(error))


def _content(path: str, most: int) -> bytes:
    """The first `most` bytes of a regular file. Opening does not wait, should the path be a pipe."""
    handle = os.open(path, _OPEN)
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise _Unusable("a folder, not a file" if stat.S_ISDIR(status.st_mode) else "not a regular file")
        wanted = min(status.st_size, most)
        data = os.read(handle, wanted)
        while len(data) < wanted and (more := os.read(handle, wanted - len(data))):
            data += more
        return data
    finally:
        os.close(handle)


def _load(path: str, pixels: int) -> tuple[Image.Image, int]:
    """The decoded image, at least `pixels` on each side if the file has them, and its orientation."""
    data = _content(path, _WHOLE)
    kind = _kind(data)
    try:
        if len(data) == _WHOLE:
            with open(path, "rb") as file:
                return _read(file, kind, data, pixels)
        return _decoded(data, kind, pixels)
    except Exception as error:
        raise _Unusable(reason(error, kind)) from error


def _decoded(data: bytes, kind: str, pixels: int) -> tuple[Image.Image, int]:
    return _read_quickly(data, kind, pixels) or _read(io.BytesIO(data), kind, data, pixels)


def _kind(data: bytes) -> str:
    if not data:
        raise _Unusable("empty (0 bytes)")
    kind = headers.kind(data[:16])
    if kind is None:
        raise _Unusable("not an image of a known format")
    return kind


def _read_quickly(data: bytes, kind: str, pixels: int) -> tuple[Image.Image, int] | None:
    """Common JPEGs and PNGs without Pillow's reader objects: a third of the time for small files."""
    if kind == "JPEG" and (jpeg := headers.jpeg(data)):
        _allow(jpeg.size, MAX_PIXELS)
        width, height = jpeg.size
        scale = next((s for s in (8, 4, 2) if min(width, height) >= s * pixels), 1)
        size = -(-width // scale), -(-height // scale)
        _allow(size, MAX_DECODED)
        stored = "CMYK;I" if jpeg.mode == "CMYK" else jpeg.mode  # inverted, as Adobe does and all follow
        return Image.frombytes(jpeg.mode, size, data, "jpeg", stored, "", scale, 0), jpeg.orientation
    if kind == "PNG" and (png := headers.png(data)):
        _allow(png.size, MAX_DECODED)
        return Image.frombytes(png.mode, png.size, png.pixels, "zip", png.mode, png.interlace), 1
    return None


def _read(file: IO[bytes], kind: str, head: bytes, pixels: int) -> tuple[Image.Image, int]:
    """Any known format by Pillow's reader; of an animation the first frame."""
    with quiet(kind, head):
        image = _reader(kind)(file)
        _allow(image.size, MAX_PIXELS)
        image.draft("RGB", (pixels, pixels))
        # WebP is decoded as a whole into a buffer of its own first: twice the memory of the others.
        _allow(image.size, MAX_DECODED // 2 if kind == "WEBP" else MAX_DECODED)
        image.load()
        return image, _orientation(image)  # PNG may state it after the pixels; TIFF has turned itself


def _reader(kind: str) -> Any:
    if kind == "TIFF":
        hush_libtiff()
    module, name = _READERS[kind]
    return getattr(importlib.import_module(f"PIL.{module}"), name)


def _orientation(image: Image.Image) -> int:
    return headers.orientation(image.info.get("exif") or b"")


@contextmanager
def opened(path: str) -> Iterator[Image.Image]:
    """Pillow's image object for a file of a known format, within the limit of pixels; raises what goes wrong."""
    head = _content(path, _HEAD)
    kind = _kind(head)
    with open(path, "rb") as file, quiet(kind, head):
        image = _reader(kind)(file)
        _allow(image.size, MAX_DECODED // 2)
        yield image


def _allow(size: tuple[int, int], most: int) -> None:
    if size[0] * size[1] > most:
        raise _Unusable(f"too many pixels ({size[0]} x {size[1]})")


def squeezed(image: Image.Image, pixels: int) -> Square:
    """Any image as uint8 [pixels, pixels, 3], transparency on white."""
    image = _plain(image)
    if image.mode != "RGBA":
        small = image.resize((pixels, pixels), _BILINEAR, reducing_gap=_GAP)
        rgb = small if small.mode == "RGB" else small.convert("RGB")
        return np.frombuffer(rgb.tobytes(), np.uint8).reshape(pixels, pixels, 3)
    # Premultiplied, resizing and laying on white commute: the cheap order is to resize first.
    small = image.convert("RGBa").resize((pixels, pixels), _BILINEAR, reducing_gap=_GAP)
    weighted = np.frombuffer(small.tobytes(), np.uint8).reshape(pixels, pixels, 4)
    alpha = weighted[:, :, 3:]
    return np.minimum(weighted[:, :, :3], alpha) + (255 - alpha)


def _plain(image: Image.Image) -> Image.Image:
    """The image in mode L, RGB, or RGBA where parts of it are transparent."""
    mode = image.mode
    if mode[0] in "IF":
        return Image.fromarray(grey(np.asarray(image)))
    if image.has_transparency_data:
        return image if mode == "RGBA" else image.convert("RGBA")
    if mode in ("L", "RGB"):
        return image
    return image.convert("L" if mode == "1" else "RGB")


def _turned(pixels: Square, orientation: int) -> Square:
    """The square as it is to be seen. Turning after squeezing gives the same and costs almost nothing."""
    if orientation == 1:
        return pixels
    if orientation >= 5:
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def reason(error: Exception, kind: str = "image") -> str:
    """One plain sentence part for `skipped.csv`."""
    match error:
        case _Unusable():
            return str(error)
        case MemoryError():
            return "needs more memory than there is"
        case FileNotFoundError():
            return "no such file"
        case PermissionError():
            return "no permission to read it"
        case OSError(errno=int()):
            return f"cannot be read: {why(error)}"
        case ImportError():
            return f"{kind} cannot be read by this installation of Pillow"
    text = str(error).lower()
    ended = isinstance(error, EOFError | struct.error) or "truncated" in text or "not enough" in text
    return f"truncated {kind}: the file ends too early" if ended else f"damaged {kind}"
