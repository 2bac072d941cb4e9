"""Every kind of image becomes a square of pixels; every kind of damage becomes a reason."""

from __future__ import annotations

import os
import random
import struct
import subprocess
import sys
import threading
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageOps

from conftest import Unprivileged, draw
from headstart.data import headers, images
from headstart.data.images import decode, peek, shrink, square
from headstart.words.task import Skipped

Pixels = NDArray[np.uint8]


def picture(width: int = 120, height: int = 80) -> Image.Image:
    """Smooth, and different in every corner, so that turning and mirroring show."""
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    return Image.fromarray((255 * np.stack([x, y, x * y], 2)).astype(np.uint8))


def saved(image: Image.Image, path: Path, form: str | None = None, **options: Any) -> str:
    image.save(path, form, **options)
    return str(path)


def pixels_of(path: str, size: int = 32) -> Pixels:
    got = decode(path, size)
    assert not isinstance(got, Skipped), got
    assert got.shape == (size, size, 3) and got.dtype == np.uint8 and got.flags.c_contiguous
    return got


def reason(path: str | Path, size: int = 32) -> str:
    got = decode(str(path), size)
    assert isinstance(got, Skipped), "decoded"
    assert got.path == str(path) and got.reason and "\n" not in got.reason
    return got.reason


def plain(image: Image.Image, size: int = 32) -> NDArray[np.int64]:
    return np.asarray(image.convert("RGB").resize((size, size), Image.Resampling.BILINEAR)).astype(np.int64)


def shown_by_pillow(file: str | Path) -> Image.Image:
    with Image.open(file) as stored:
        image = ImageOps.exif_transpose(stored)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def far(one: NDArray[Any], two: NDArray[Any]) -> float:
    return float(np.abs(one.astype(np.int64) - two.astype(np.int64)).max())


@pytest.mark.parametrize("form", ["png", "jpg", "bmp", "gif", "ppm", "tif", "webp", "avif"])
@pytest.mark.parametrize("mode", ["RGB", "L", "P", "1"])
def test_every_format_looks_as_pillow_shows_it(tmp_path: Path, form: str, mode: str) -> None:
    image = picture().convert(mode)
    if form in ("jpg", "webp", "avif", "ppm") and mode in ("P", "1"):
        image = image.convert("L")
    path = saved(image, tmp_path / f"x.{form}")
    dither = {"P": 4, "1": 27}.get(mode, 0)
    assert far(pixels_of(path), plain(shown_by_pillow(path))) <= 3 + dither
    assert peek(path) == (120, 80)


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (3000, 3), (640, 480), (33, 700)])
@pytest.mark.parametrize("form", ["png", "jpg"])
def test_any_shape_is_squeezed_to_the_square(tmp_path: Path, size: tuple[int, int], form: str) -> None:
    path = saved(picture(*size), tmp_path / f"x.{form}")
    assert far(pixels_of(path), plain(shown_by_pillow(path))) <= 6


@pytest.mark.parametrize("options", [{"progressive": True}, {"subsampling": 0}, {"quality": 100}, {}])
@pytest.mark.parametrize("size", [16, 64, 224])
def test_scaled_jpegs_look_as_unscaled_ones(tmp_path: Path, options: dict[str, Any], size: int) -> None:
    path = saved(picture(1000, 700), tmp_path / "x.jpg", **options)
    assert far(pixels_of(path, size), plain(shown_by_pillow(path), size)) <= 6


def test_interlaced_and_cmyk_and_wrong_extensions(tmp_path: Path) -> None:
    assert far(pixels_of(saved(picture(), tmp_path / "x.png", "JPEG")), plain(picture())) <= 6
    assert far(pixels_of(saved(picture(), tmp_path / "x.jpg", "GIF")), plain(picture())) <= 40
    cmyk = saved(picture().convert("CMYK"), tmp_path / "c.jpg", quality=95)
    assert far(pixels_of(cmyk), plain(picture())) <= 8
    interlaced = tmp_path / "i.png"
    interlaced.write_bytes(png(picture(8, 8), interlace=True))
    assert far(pixels_of(str(interlaced)), plain(shown_by_pillow(interlaced))) == 0


ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))


def png(
    image: Image.Image, interlace: bool = False, extra: bytes = b"", stated: tuple[int, int] | None = None
) -> bytes:
    """A PNG written by hand, for what Pillow does not write. Interlaced ones have 8 x 8 pixels."""
    width, height = stated or image.size
    rows = np.asarray(image.convert("RGB"))
    parts = [rows[y::dy, x::dx] for y, x, dy, dx in ADAM7] if interlace else [rows]
    raw = b"".join(b"\0" + row.tobytes() for part in parts if part.size for row in part)
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, int(interlace))
    body = chunk(b"IHDR", head) + extra + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


@pytest.mark.parametrize("form", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_honoured(tmp_path: Path, form: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[headers.ORIENTATION] = orientation
    path = saved(picture(), tmp_path / f"x.{form}", exif=exif, quality=95)
    upright = shown_by_pillow(path)
    assert far(pixels_of(path), plain(upright)) <= 12
    assert peek(path) == upright.size


@pytest.mark.parametrize("block", [b"", b"II", b"MM\0*\0\0\0\x08", b"II*\0\xff\xff\xff\xff", b"Exif\0\0XX"])
def test_broken_exif_means_upright(block: bytes) -> None:
    assert headers.orientation(block) == 1


@given(st.binary(max_size=80), st.sampled_from([b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08"]))
def test_no_exif_block_is_too_odd(block: bytes, start: bytes) -> None:
    assert 1 <= headers.orientation(start + block) <= 8


def test_transparency_is_laid_on_white(tmp_path: Path) -> None:
    rgba = picture().convert("RGBA")
    alpha = Image.fromarray(np.tile(np.linspace(0, 255, 120).astype(np.uint8), (80, 1)))
    rgba.putalpha(alpha)
    white = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    for name in ("x.png", "x.webp", "x.tif"):
        options: dict[str, Any] = {"lossless": True} if name == "x.webp" else {}
        assert far(pixels_of(saved(rgba, tmp_path / name, **options)), plain(white)) <= 3
    grey = rgba.convert("LA")
    white = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), grey.convert("RGBA"))
    assert far(pixels_of(saved(grey, tmp_path / "la.png")), plain(white)) <= 3
    assert pixels_of(saved(Image.new("RGBA", (9, 9), (200, 10, 10, 0)), tmp_path / "clear.png")).min() == 255


def test_transparent_colours_and_palettes_are_laid_on_white(tmp_path: Path) -> None:
    left_black = Image.new("L", (40, 40), 0)
    left_black.paste(90, (20, 0, 40, 40))
    keyed = [
        saved(left_black, tmp_path / "l.png", transparency=0),
        saved(left_black.convert("RGB"), tmp_path / "rgb.png", transparency=(0, 0, 0)),
        saved(left_black.convert("P"), tmp_path / "p.png", transparency=0),
        saved(left_black.convert("P"), tmp_path / "bytes.png", transparency=bytes([0, 255, 255])),
        saved(left_black.convert("P"), tmp_path / "p.gif", transparency=0),
    ]
    for path in keyed:
        got = pixels_of(path, 40)
        assert got[:, :18].min() == 255 and abs(int(got[20, 35, 0]) - 90) <= 1, path


@pytest.mark.parametrize("top", [255, 4095, 65535])
@pytest.mark.parametrize("form", ["png", "tif"])
def test_16_bit_grey_is_scaled_by_its_range(tmp_path: Path, top: int, form: str) -> None:
    ramp = np.linspace(0, top, 256).astype(np.uint16)[None].repeat(256, 0)
    got = pixels_of(saved(Image.fromarray(ramp), tmp_path / f"x.{form}"), 256)
    assert far(got[0, :, 0], np.arange(256)) <= 1


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([[0, 1 << 20]], np.int32), [0, 255]),
        (np.array([[-100, 100]], np.int32), [0, 255]),
        (np.array([[0, 65535]], np.int32), [0, 255]),
        (np.array([[0.0, 1.0]], np.float32), [0, 255]),
        (np.array([[0.0, 200.0]], np.float32), [0, 200]),
        (np.array([[np.nan, 1.0]], np.float32), [0, 255]),
        (np.array([[-3.0, -3.0]], np.float32), [0, 0]),
    ],
)
def test_32_bit_and_float_images(tmp_path: Path, values: NDArray[Any], expected: list[int]) -> None:
    path = saved(Image.fromarray(values.repeat(2, 0).repeat(2, 1)), tmp_path / "x.tif")
    got = pixels_of(path, 4)
    assert [int(got[0, 0, 0]), int(got[0, 3, 0])] == expected


@pytest.mark.parametrize("form", ["gif", "png", "webp", "tif"])
def test_of_an_animation_the_first_frame(tmp_path: Path, form: str) -> None:
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "lime", "blue")]
    path = saved(frames[0], tmp_path / f"x.{form}", save_all=True, append_images=frames[1:])
    assert far(pixels_of(path, 8)[4, 4], np.array([255, 0, 0])) <= 3


def test_several_sizes_from_one_decoding(tmp_path: Path) -> None:
    path = saved(picture(600, 400), tmp_path / "x.jpg")
    got = square(path, (64, 224, 32))
    assert not isinstance(got, Skipped)
    assert [len(part) for part in got] == [64, 224, 32]
    assert far(got[1], pixels_of(path, 224)) == 0
    assert far(got[0], shrink(got[1], 64)) == 0
    assert far(got[0], pixels_of(path, 64)) <= 6
    with pytest.raises(ValueError, match="positive"):
        square(path, ())
    with pytest.raises(ValueError, match="positive"):
        decode(path, 0)


def test_files_that_are_no_image(tmp_path: Path) -> None:
    contents = {"empty": b"", "text": b"hello, world" * 9, "null": b"\0" * 99, "gz": b"\x1f\x8b\x08"}
    for name, content in contents.items():
        (tmp_path / f"{name}.jpg").write_bytes(content)
    assert reason(tmp_path / "empty.jpg") == "empty (0 bytes)"
    for name in ("text", "null", "gz"):
        assert reason(tmp_path / f"{name}.jpg") == "not an image of a known format"
    assert reason(tmp_path / "gone.jpg") == "no such file"
    assert reason(tmp_path) == "a folder, not a file"
    assert reason("nul\0byte.jpg") == "damaged image"
    os.mkfifo(tmp_path / "pipe.jpg")
    assert reason(tmp_path / "pipe.jpg") == "not a regular file"
    (tmp_path / "self.jpg").symlink_to("self.jpg")
    assert reason(tmp_path / "self.jpg").startswith("cannot be read: too many levels")
    for name in ("empty.jpg", "text.jpg", "gone.jpg", "pipe.jpg"):
        assert peek(str(tmp_path / name)) == decode(str(tmp_path / name), 8)


@pytest.mark.parametrize("form", ["jpg", "png", "gif", "bmp", "tif", "webp", "ppm", "avif"])
def test_truncated_files_are_skipped_at_any_length(tmp_path: Path, form: str) -> None:
    whole = Path(saved(draw(1, 1, 64), tmp_path / f"whole.{form}")).read_bytes()
    cut = tmp_path / f"cut.{form}"
    for part in (0.02, 0.1, 0.3, 0.5, 0.8, 0.95):
        cut.write_bytes(whole[: max(1, int(len(whole) * part))])
        assert reason(cut).split()[0] in ("truncated", "damaged", "not")
    if form in ("jpg", "png"):
        assert reason(cut) == f"truncated {'JPEG' if form == 'jpg' else 'PNG'}: the file ends too early"


def test_bombs_are_refused_from_the_header(tmp_path: Path) -> None:
    (tmp_path / "bomb.png").write_bytes(png(picture(8, 8), stated=(50_000, 50_000)))
    assert reason(tmp_path / "bomb.png") == "too many pixels (50000 x 50000)"
    jpeg = bytearray(Path(saved(picture(), tmp_path / "x.jpg")).read_bytes())
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = struct.pack(">HH", 60_000, 60_000)
    (tmp_path / "bomb.jpg").write_bytes(jpeg)
    assert reason(tmp_path / "bomb.jpg") == "too many pixels (60000 x 60000)"
    for name, make in {"gif": gif_bomb, "bmp": bmp_bomb, "ppm": ppm_bomb, "tif": tiff_bomb}.items():
        (tmp_path / f"bomb.{name}").write_bytes(make())
        assert reason(tmp_path / f"bomb.{name}").startswith("too many pixels")
    assert peek(str(tmp_path / "bomb.png")) == (50_000, 50_000)


def gif_bomb() -> bytes:
    return (
        b"GIF89a"
        + struct.pack("<HHBBB", 65_000, 65_000, 0, 0, 0)
        + b","
        + bytes(4)
        + struct.pack("<HHB", 65_000, 65_000, 0)
        + b"\x08\x00;"
    )


def bmp_bomb() -> bytes:
    info = struct.pack("<IiiHHIIiiII", 40, 90_000, 90_000, 1, 24, *[0] * 6)
    return b"BM" + struct.pack("<IHHI", 0, 0, 0, 54) + info


def ppm_bomb() -> bytes:
    return b"P6\n90000 90000\n255\n"


def tiff_bomb() -> bytes:
    return tiff(90_000, b"")


def tiff(side: int, data: bytes, compression: int = 1) -> bytes:
    """Grey pixels in one strip; the compression is stated `compression` times, though once is right."""
    tags = {256: side, 257: side, 258: 8, 259: 0x10001, 262: 1, 273: 122, 277: 1, 278: side, 279: len(data)}
    entries = b"".join(
        struct.pack("<HHII", tag, 3 if tag == 259 else 4, compression if tag == 259 else 1, value)
        for tag, value in tags.items()
    )
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + data


def test_a_large_jpeg_counts_after_scaling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jpeg, plain_png = saved(picture(), tmp_path / "x.jpg"), saved(picture(), tmp_path / "x.png")
    monkeypatch.setattr(images, "MAX_DECODED", 120 * 80 // 4)
    assert not isinstance(decode(jpeg, 40), Skipped)
    assert reason(jpeg, 64) == "too many pixels (120 x 80)"
    assert reason(plain_png) == "too many pixels (120 x 80)"


def test_large_files_are_read_as_they_are_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forms = ("jpg", "png", "webp", "tif")
    paths = [saved(picture(), tmp_path / f"x.{form}", exif=turned(6)) for form in forms]
    before = [pixels_of(path) for path in paths]
    monkeypatch.setattr(images, "_WHOLE", 64)
    for path, expected in zip(paths, before, strict=True):
        assert far(pixels_of(path), expected) <= 2


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[headers.ORIENTATION] = orientation
    return exif


def test_a_long_header_before_the_size_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(picture(), tmp_path / "x.jpg", exif=turned(6), icc_profile=bytes(200_000))
    assert peek(path) == (80, 120)
    monkeypatch.setattr(images, "_HEAD", 64)
    assert peek(path) == (80, 120)


def test_files_without_permission(tmp_path: Path, unprivileged: Unprivileged) -> None:
    path = Path(saved(picture(), tmp_path / "x.png"))
    path.chmod(0)
    with unprivileged():
        assert reason(path) == "no permission to read it"


@pytest.mark.parametrize("form", ["jpg", "png", "gif", "bmp", "tif", "webp", "ppm"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_mutated_files_end_in_pixels_or_a_reason(tmp_path: Path, form: str, seed: int) -> None:
    whole = tmp_path / f"whole.{form}"
    if not whole.exists():
        draw(2, 3, 24).save(whole)
    path = tmp_path / f"mutated.{form}"
    path.write_bytes(mutated(whole.read_bytes(), random.Random(seed)))
    got = decode(str(path), 16)
    assert isinstance(got, Skipped) or got.shape == (16, 16, 3)
    size = peek(str(path))
    assert isinstance(size, Skipped) or min(size) > 0


def mutated(data: bytes, rng: random.Random) -> bytes:
    """Some bytes changed, rather in the header; then perhaps cut, doubled in part, or followed by rubbish."""
    out = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        reach = min(len(out), 64) if rng.random() < 0.6 else len(out)
        out[rng.randrange(reach)] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
    match rng.randrange(4):
        case 0:
            del out[rng.randrange(1, len(out)) :]
        case 1:
            at = rng.randrange(len(out))
            out[at:at] = out[at : at + 40]
        case 2:
            out += rng.randbytes(30)
    return bytes(out)


def test_odd_metadata_neither_warns_nor_hides_the_picture(tmp_path: Path) -> None:
    apng = tmp_path / "x.png"
    apng.write_bytes(png(picture(8, 8), extra=chunk(b"acTL", bytes(8)) + chunk(b"tRNS", bytes(6))))
    assert pixels_of(str(apng)).shape == (32, 32, 3)
    grey = bytes(range(64))
    doubled = tmp_path / "x.tif"
    doubled.write_bytes(tiff(8, grey, compression=2))
    with pytest.warns(UserWarning, match="too many entries"):
        assert far(plain(shown_by_pillow(doubled), 8)[..., 0].ravel(), np.arange(64)) == 0
    assert far(pixels_of(str(doubled), 8)[..., 0].ravel(), np.arange(64)) == 0


def test_several_threads_at_once(tmp_path: Path) -> None:
    forms = ("jpg", "png", "tif", "webp")
    paths = [saved(draw(n, 1, 90), tmp_path / f"{n}.{form}") for n in range(4) for form in forms]
    (tmp_path / "bad.tif").write_bytes(b"II*\0rubbish")
    expected = [pixels_of(path) for path in paths]
    wrong: list[str] = []

    def work() -> None:
        for _ in range(10):
            assert reason(tmp_path / "bad.tif")
            wrong.extend(p for p, e in zip(paths, expected, strict=True) if far(pixels_of(p), e))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


FRUGAL = """
import sys, numpy, PIL.Image
allowed = PIL.Image.MAX_IMAGE_PIXELS
from headstart.data.images import decode
for path in sys.argv[1:]:
    assert decode(path, 16).shape == (16, 16, 3)
loaded = {name for name in sys.modules if name.startswith("PIL.") and name.endswith("Plugin")}
assert not loaded, loaded
assert PIL.Image.MAX_IMAGE_PIXELS == allowed and PIL.Image._initialized == 0
assert not {"torch", "sklearn", "scipy", "headstart.data.scan"} & set(sys.modules)
"""


def test_common_files_load_none_of_pillows_readers(tmp_path: Path) -> None:
    paths = [saved(picture(), tmp_path / f"x.{form}") for form in ("jpg", "png")]
    subprocess.run([sys.executable, "-W", "error", "-c", FRUGAL, *paths], check=True)


def test_real_pictures_look_as_pillow_shows_them(datasets: Path) -> None:
    for folder in sorted(datasets.glob("*/train/*/"))[:200]:
        file = next((f for f in sorted(folder.iterdir()) if f.suffix in (".jpg", ".png")), None)
        if file is not None:
            shown = shown_by_pillow(file)
            assert np.abs(pixels_of(str(file), 64) - plain(shown, 64)).mean() < 4, file
            assert peek(str(file)) == shown.size
