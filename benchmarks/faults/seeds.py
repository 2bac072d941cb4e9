"""Whole files to begin with: small pictures of every format and mode, videos of every container, tables of labels."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image, features

Seeds = dict[str, bytes]


def picture(width: int = 48, height: int = 40, phase: float = 0.0) -> Image.Image:
    """Smooth with some grain, different in every corner."""
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    waves = np.stack([x, y, 0.5 + 0.5 * np.sin(9 * (x * y + phase))], 2)
    grain = np.random.default_rng(0).normal(0, 0.03, waves.shape)
    return Image.fromarray((255 * np.clip(waves + grain, 0, 1)).astype(np.uint8))


def _saved(image: Image.Image, form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def _exif(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "a camera"
    return exif


def _clear() -> Image.Image:
    """Half transparent."""
    image = picture().convert("RGBA")
    image.putalpha(picture().convert("L"))
    return image


def _moving() -> dict[str, Any]:
    return {
        "save_all": True,
        "append_images": [picture(phase=step / 5) for step in range(1, 5)],
        "duration": 40,
    }


def jpegs() -> Seeds:
    """Baseline and progressive, of every colour space, with and without metadata."""
    colour, large = picture(), picture(640, 480)
    return {
        "plain": _saved(colour, "JPEG"),
        "grey": _saved(colour.convert("L"), "JPEG"),
        "cmyk": _saved(colour.convert("CMYK"), "JPEG"),
        "progressive": _saved(colour, "JPEG", progressive=True),
        "turned": _saved(colour, "JPEG", exif=_exif(6), icc_profile=bytes(500), comment=b"words"),
        "full colour": _saved(colour, "JPEG", subsampling=0, quality=98),
        "restart": _saved(colour, "JPEG", restart_marker_blocks=2),
        "large": _saved(large, "JPEG", quality=60),
        "large progressive": _saved(large, "JPEG", progressive=True, quality=60),
    }


def pngs() -> Seeds:
    """Every mode, palettes with transparency, 16 bits, metadata, an animation."""
    colour = picture()
    modes = {mode: _saved(colour.convert(mode), "PNG") for mode in ("1", "L", "P", "RGB")}
    deep = Image.fromarray(np.asarray(colour.convert("L")).astype(np.uint16) << 8)
    return modes | {
        "RGBA": _saved(_clear(), "PNG"),
        "LA": _saved(_clear().convert("LA"), "PNG"),
        "clear palette": _saved(colour.convert("P"), "PNG", transparency=3),
        "clear colour": _saved(colour, "PNG", transparency=(1, 2, 3)),
        "16 bits": _saved(deep, "PNG"),
        "turned": _saved(colour, "PNG", exif=_exif(5), dpi=(72, 72), icc_profile=bytes(300)),
        "moving": _saved(colour, "PNG", **_moving()),
        "large": _saved(picture(300, 200), "PNG"),
    }


def webps() -> Seeds:
    """Lossy and lossless, with and without transparency, an animation."""
    return {
        "lossy": _saved(picture(), "WEBP"),
        "lossless": _saved(picture(), "WEBP", lossless=True),
        "clear": _saved(_clear(), "WEBP"),
        "turned": _saved(picture(), "WEBP", exif=_exif(3)),
        "moving": _saved(picture(), "WEBP", **_moving()),
    }


def gifs() -> Seeds:
    """Grey, palette, transparent, interlaced, an animation."""
    return {
        "plain": _saved(picture(), "GIF"),
        "grey": _saved(picture().convert("L"), "GIF", interlace=0),
        "two colours": _saved(picture().convert("1"), "GIF"),
        "clear": _saved(picture().convert("P"), "GIF", transparency=7),
        "moving": _saved(picture(), "GIF", **_moving()),
    }


def bmps() -> Seeds:
    """Every mode that Pillow writes, and the plain forms of PPM."""
    made = {mode: _saved(picture().convert(mode), "BMP") for mode in ("1", "L", "P", "RGB", "RGBA")}
    made |= {f"ppm {mode}": _saved(picture().convert(mode), "PPM") for mode in ("1", "L", "RGB")}
    return made | {
        "ppm in words": b"P3\n# words\n3 2\n255\n" + b"0 128 255 " * 6,
        "pgm in words": b"P2 2 2 9\n1 2 3 9\n",
    }


def tiffs() -> Seeds:
    """Every mode and compression that Pillow writes."""
    colour = picture()
    made = {mode: _saved(colour.convert(mode), "TIFF") for mode in ("1", "L", "P", "RGB", "CMYK", "LAB", "F")}
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        made[compression] = _saved(colour, "TIFF", compression=compression)
    for compression in ("group3", "group4"):
        made[compression] = _saved(colour.convert("1"), "TIFF", compression=compression)
    deep = Image.fromarray(np.asarray(colour.convert("L")).astype(np.uint16) << 8)
    return made | {
        "16 bits": _saved(deep, "TIFF", compression="tiff_lzw"),
        "RGBA": _saved(_clear(), "TIFF", compression="tiff_adobe_deflate"),
        "big": _saved(colour, "TIFF", big_tiff=True),
        "pages": _saved(colour, "TIFF", save_all=True, append_images=[picture(phase=0.3)]),
    }


def avifs() -> Seeds:
    """None where this Pillow does not write them."""
    return (
        {"plain": _saved(picture(), "AVIF"), "clear": _saved(_clear(), "AVIF")}
        if features.check("avif")
        else {}
    )


_CONTAINERS = {
    "mp4": ("mpeg4", "libx264"),
    "mov": ("mpeg4", "mjpeg"),
    "avi": ("mpeg4", "mjpeg"),
    "mkv": ("libx264", "ffv1"),
    "webm": ("libvpx", "libvpx-vp9"),
}


def videos() -> Seeds:
    """A dozen frames in every container, by every codec that this PyAV has; names end with the extension."""
    import av

    return {
        f"{codec}.{form}": _filmed(form, codec)
        for form, codecs in _CONTAINERS.items()
        for codec in codecs
        if codec in av.codecs_available
    }


def _filmed(form: str, codec: str) -> bytes:
    import av

    file = io.BytesIO()
    form = {"mkv": "matroska"}.get(form, form)
    with av.open(
        file, "w", format=form, options={"fflags": "+bitexact"}
    ) as container:  # else dates and random ids
        stream: Any = container.add_stream(codec, rate=12)
        stream.width, stream.height = 64, 48
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.codec_context.gop_size = 4
        for step in range(12):
            frame = av.VideoFrame.from_ndarray(np.asarray(picture(64, 48, step / 12)))
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file.getvalue()


def animations() -> Seeds:
    """Animated pictures, which count as videos."""
    return {f"moving.{form.lower()}": _saved(picture(), form, **_moving()) for form in ("GIF", "WEBP", "PNG")}


def tables() -> Seeds:
    """CSV files of labels: one label, several in a cell, one column per class; quoted; other encodings."""
    names = [f"{number}.png" for number in range(12)]
    one = "path,label\n" + "".join(f"{name},{'cat' if len(name) > 5 else 'dog'}\n" for name in names)
    several = "file,tags\n" + "".join(f'"{name}","red;small"\n' for name in names)
    columns = "image,red,green\r\n" + "".join(
        f"{name},{number % 2},1\r\n" for number, name in enumerate(names)
    )
    return {
        "one.csv": one.encode(),
        "several.csv": several.encode(),
        "columns.csv": columns.encode(),
        "semicolon.csv": one.replace(",", ";").encode("utf-8-sig"),
        "utf-16.csv": one.encode("utf-16"),
        "latin.csv": one.replace("cat", "Bär").encode("latin-1"),
    }
