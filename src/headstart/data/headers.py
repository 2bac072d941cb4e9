"""What the first bytes of an image file say. Plain byte reading, so that small files cost little.

Pillow's own readers build dictionaries of everything that a header holds; for a picture of 32 pixels
that takes as long as decoding it, and for a camera's JPEG it parses the whole EXIF block.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

_SIGNATURES = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"GIF8": "GIF",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
}
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_MODES = {1: "L", 3: "RGB", 4: "CMYK"}
_PNG_MODES = {0: "L", 2: "RGB"}
_SIZED = struct.Struct(">HBHHB")
_CHUNK = struct.Struct(">I4s")
ORIENTATION = 0x0112


class Jpeg(NamedTuple):
    """Size in stored pixels, Pillow's name of the colour space, EXIF orientation (1 to 8)."""

    size: tuple[int, int]
    mode: str
    orientation: int


class Png(NamedTuple):
    """Size, mode L or RGB, 1 if interlaced, and the compressed pixels."""

    size: tuple[int, int]
    mode: str
    interlace: int
    pixels: bytes


def kind(head: bytes) -> str | None:
    """The format that a file's first 16 bytes announce, whatever its name says; None: not one we read."""
    for signature, name in _SIGNATURES.items():
        if head.startswith(signature):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:12] in (b"ftypavif", b"ftypavis"):
        return "AVIF"
    if head[:1] == b"P" and head[1:2] in b"123456" and head[2:3] in b" \t\r\n#":
        return "PPM"
    return None


def jpeg(data: bytes) -> Jpeg | None:
    """The header of a common JPEG (8 bits; 1, 3 or 4 components); None if it is not seen in `data`."""
    at, turned, end = 2, 1, len(data) - 10
    while at < end:
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker in _JPEG_FRAMES:
            _, bits, height, width, components = _SIZED.unpack_from(data, at + 2)
            mode = _JPEG_MODES.get(components)
            return Jpeg((width, height), mode, turned) if mode and bits == 8 and width and height else None
        if marker == 0xFF:  # padding
            at += 1
            continue
        length = data[at + 2] << 8 | data[at + 3]
        if marker == 0xE1 and data[at + 4 : at + 10] == b"Exif\0\0":
            turned = orientation(data[at + 10 : at + 2 + length])
        at += 2 + length
    return None


def png(data: bytes) -> Png | None:
    """The parts of a plain PNG: 8 bits, grey or RGB, without transparency or EXIF; None for any other."""
    width, height, bits, colour, _, _, interlace = struct.unpack_from(">IIBBBBB", data, 16)
    mode = _PNG_MODES.get(colour)
    if bits != 8 or mode is None or interlace > 1 or not width or not height:
        return None
    at, end, parts = 33, len(data) - 8, []
    while at <= end:
        length, name = _CHUNK.unpack_from(data, at)
        if name == b"IDAT":
            parts.append(data[at + 8 : at + 8 + length])
        elif name in (b"tRNS", b"eXIf"):
            return None
        at += 12 + length
    return Png((width, height), mode, interlace, parts[0] if len(parts) == 1 else b"".join(parts))


def orientation(exif: bytes) -> int:
    """The orientation, 1 to 8, in an EXIF block; 1 (upright) where it is missing or makes no sense."""
    exif = exif.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(order + "I", exif, 4)
        (count,) = struct.unpack_from(order + "H", exif, start)
        for entry in range(start + 2, start + 2 + 12 * count, 12):
            tag, form = struct.unpack_from(order + "HH", exif, entry)
            if tag == ORIENTATION:
                (value,) = struct.unpack_from(order + ("I" if form == 4 else "H"), exif, entry + 8)
                return value if 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1
