"""Damaged files give pixels or a reason, and nothing is raised or printed. benchmarks/faults reads many more."""

from __future__ import annotations

import io
import random
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import faults
from conftest import draw
from headstart.data.images import decode, peek
from headstart.words.task import Skipped

sys.path.append(str(Path(__file__).parents[1]))  # benchmarks/ is no part of the package
mutator = pytest.importorskip("benchmarks.faults.mutator", reason="needs the sources' folder benchmarks/")

FORMS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM")
FILES = 210

READ = """
import sys, warnings
from pathlib import Path
from headstart.data.images import decode, peek
from headstart.words.task import Skipped
warnings.simplefilter("always")
for path in sorted(Path(sys.argv[1]).iterdir()):
    square, size = decode(str(path), 32), peek(str(path))
    for found in (square, size):
        assert not isinstance(found, Skipped) or found.reason.isprintable() and found.reason, path
    assert isinstance(square, Skipped) or square.shape == (32, 32, 3), path
    assert isinstance(square, Skipped) or not isinstance(size, Skipped), path
"""


def saved(form: str, image: Image.Image, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def test_damaged_files_give_pixels_or_a_reason_and_no_word(tmp_path: Path) -> None:
    whole = [saved(form, draw(number, 0, 40)) for number, form in enumerate(FORMS)]
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits"):
        whole.append(saved("TIFF", draw(1, 1, 40), compression=compression))
    rng = random.Random(0)
    for number in range(FILES):
        data = mutator.mutate(whole[number % len(whole)], rng, rng.choice(whole))
        (tmp_path / f"{number:03}.img").write_bytes(data)
    process = faults.start(READ, tmp_path)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "", "")


def test_the_mutator_can_be_repeated_and_does_damage() -> None:
    data = saved("PNG", draw(0, 0))
    made = [mutator.mutate(data, random.Random(seed), data, (b"IDAT",)) for seed in range(100)]
    assert made == [mutator.mutate(data, random.Random(seed), data, (b"IDAT",)) for seed in range(100)]
    assert sum(item != data for item in made) > 90 and len(set(made)) > 90
    for rest in (b"", b"x"):
        for seed in range(100):
            mutator.mutate(rest, random.Random(seed), rest)


# What larger runs have found ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("low, high", [(-3e38, 3e38), (0, 3e38), (-1e-40, 0), (-1e38, -1e37)])
def test_floats_at_the_ends_of_their_range(tmp_path: Path, low: float, high: float) -> None:
    ramp = np.linspace(0, 1, 32, dtype=np.float64)
    values = ((1 - ramp) * low + ramp * high)[None].repeat(32, 0).astype(np.float32)
    path = tmp_path / "x.tif"
    Image.fromarray(values).save(path)
    found = decode(str(path), 32)  # warnings are errors here
    assert not isinstance(found, Skipped)
    assert (np.diff(found[0, :, 0].astype(int)) >= 0).all() and np.ptp(found) > 200


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "jpeg", "group4"])
def test_libtiff_says_nothing(tmp_path: Path, compression: str) -> None:
    image = draw(0, 0, 64).convert("1" if compression == "group4" else "RGB")
    data = bytearray(saved("TIFF", image, compression=compression))
    middle = len(data) // 2
    data[middle : middle + 60] = bytes(range(60, 120))
    for offset in range(0, 64, 2):
        (tmp_path / f"{offset}.tif").write_bytes(data[:100] + data[100 + offset :])
    process = faults.start(READ, tmp_path)
    assert process.communicate(timeout=60) == ("", "") and process.returncode == 0


def test_a_tiff_of_too_many_samples_per_pixel_is_not_logged_about(tmp_path: Path) -> None:
    data = saved("TIFF", draw(0, 0))
    entry = struct.pack("<HHIH", 277, 3, 1, 3)  # SamplesPerPixel
    assert entry in data
    (tmp_path / "x.tif").write_bytes(data.replace(entry, struct.pack("<HHIH", 277, 3, 1, 142)))
    process = faults.start(READ, tmp_path)
    assert process.communicate(timeout=60) == ("", "") and process.returncode == 0


def test_a_png_that_decodes_has_a_size_though_a_checksum_is_wrong(tmp_path: Path) -> None:
    data = bytearray(saved("PNG", draw(0, 0)))
    data[29:33] = b"\0\0\0\0"  # of the header
    path = tmp_path / "x.png"
    path.write_bytes(data)
    assert not isinstance(decode(str(path), 16), Skipped) and peek(str(path)) == (32, 32)
