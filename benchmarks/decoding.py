"""Image file to square of pixels: images per CPU second of one thread, ours beside the alternatives.

    python benchmarks/decoding.py                     # generated files
    python benchmarks/decoding.py --small DIR         # and real small files below DIR
    pip install simplejpeg opencv-python-headless     # optional: their rows appear when they are there

All ways take turns on the same files in every round, so that a busy machine slows all alike; the median
round counts. The files are in the page cache: no disk is measured.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from headstart.data.images import decode
from headstart.words.task import Skipped

Way = Callable[[str, int], Any]
BILINEAR = Image.Resampling.BILINEAR


def ours(path: str, size: int) -> Any:
    got = decode(path, size)
    assert not isinstance(got, Skipped), got
    return got


def pillow_plain(path: str, size: int) -> Any:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB").resize((size, size), BILINEAR))


def pillow_draft(path: str, size: int) -> Any:
    with Image.open(path) as image:
        image.draft("RGB", (size, size))
        return np.asarray(image.convert("RGB").resize((size, size), BILINEAR))


def pillow_draft_gap(path: str, size: int) -> Any:
    with Image.open(path) as image:
        image.draft("RGB", (size, size))
        return np.asarray(image.convert("RGB").resize((size, size), BILINEAR, reducing_gap=1.1))


def other_ways() -> dict[str, Way]:
    """Decoders that a further dependency would bring, of those installed."""
    found: dict[str, Way] = {}
    try:
        cv2: Any = importlib.import_module("cv2")
    except ImportError:
        return found
    cv2.setNumThreads(1)
    flags = {1: cv2.IMREAD_COLOR, 2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4}
    flags[8] = cv2.IMREAD_REDUCED_COLOR_8

    def cv2_area(path: str, size: int) -> Any:
        with Image.open(path) as image:  # the size decides the scale
            scale = next((s for s in (8, 4, 2) if min(image.size) >= s * size), 1)
        image = cv2.resize(cv2.imread(path, flags[scale]), (size, size), interpolation=cv2.INTER_AREA)
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)

    found["cv2, reduced + INTER_AREA"] = cv2_area
    try:
        simplejpeg: Any = importlib.import_module("simplejpeg")
    except ImportError:
        return found

    def simplejpeg_area(path: str, size: int) -> Any:
        with open(path, "rb") as file:
            pixels = simplejpeg.decode_jpeg(file.read(), min_height=size, min_width=size)
        return cv2.resize(pixels, (size, size), interpolation=cv2.INTER_AREA)

    def simplejpeg_pillow(path: str, size: int) -> Any:
        with open(path, "rb") as file:
            pixels = simplejpeg.decode_jpeg(file.read(), min_height=size, min_width=size)
        return np.asarray(Image.fromarray(pixels).resize((size, size), BILINEAR, reducing_gap=1.1))

    found["simplejpeg, scaled + INTER_AREA (JPEG only)"] = simplejpeg_area
    found["simplejpeg, scaled + Pillow (JPEG only)"] = simplejpeg_pillow
    return found


def photo(width: int, height: int, seed: int) -> Image.Image:
    """Noise with a photograph's spectrum (amplitude about 1/frequency) and some sharp edges."""
    rng = np.random.default_rng(seed)
    total: NDArray[np.float32] = np.zeros((height, width, 3), np.float32)
    cells = 4
    while cells < min(width, height):
        coarse = rng.normal(0, 1, (cells, cells, 3)).astype(np.float32)
        layer = [Image.fromarray(coarse[..., c]).resize((width, height), BILINEAR) for c in range(3)]
        total += np.stack([np.asarray(part) for part in layer], 2) / np.sqrt(cells)
        cells *= 2
    total = 128 + 50 * (total - total.mean()) / total.std() + rng.normal(0, 2, (height, width, 1))
    image = Image.fromarray(total.clip(0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(image)
    for _ in range(12):
        x, y, side = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(0.05, 0.3) * height
        pen.rectangle([x, y, x + side, y + side], tuple(int(v) for v in rng.integers(0, 255, 3)))
    return image


def glyph(seed: int) -> Image.Image:
    image = Image.new("L", (128, 128), 255)
    pen = ImageDraw.Draw(image)
    rng = np.random.default_rng(seed)
    pen.line([tuple(point) for point in rng.uniform(20, 108, (5, 2))], 0, 14)
    return image.resize((32, 32), BILINEAR)


def make_files(folder: Path) -> dict[str, list[str]]:
    kinds: dict[str, list[str]] = {}

    def keep(kind: str, images: Iterable[Image.Image], form: str) -> None:
        for number, image in enumerate(images):
            path = folder / f"{len(kinds)}_{number}.{form}"
            image.save(path, quality=88)
            kinds.setdefault(kind, []).append(str(path))

    keep("PNG, grey, 32 px", (glyph(n) for n in range(200)), "png")
    keep("JPEG, 110 px", (photo(110, 90, n) for n in range(100)), "jpg")
    keep("JPEG, 1 MP", (photo(1152, 864, n) for n in range(6)), "jpg")
    keep("JPEG, 12 MP", (photo(4000, 3000, n) for n in range(2)), "jpg")
    return kinds


def seconds_per_image(way: Way, paths: list[str], size: int) -> float:
    """CPU seconds, of passes over the files that together take long enough to be measured."""
    done, start = 0, time.process_time()
    while time.process_time() - start < 0.05:
        for path in paths:
            way(path, size)
        done += len(paths)
    return (time.process_time() - start) / done


def measure(ways: dict[str, Way], paths: list[str], size: int, rounds: int) -> dict[str, float]:
    """Images per CPU second for each way, the median over the rounds."""
    usable = {name: way for name, way in ways.items() if paths[0].endswith(".jpg") or "JPEG only" not in name}
    times: dict[str, list[float]] = {name: [] for name in usable}
    gc.disable()
    for number in range(rounds + 1):
        for name, way in usable.items():
            taken = seconds_per_image(way, paths, size)
            if number:  # the first round warms up
                times[name].append(taken)
    gc.enable()
    return {name: 1 / statistics.median(taken) for name, taken in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--small", type=Path, help="a folder of real small images")
    chosen = parser.parse_args()
    ways: dict[str, Way] = {
        "**headstart**": ours,
        "Pillow, plain bilinear": pillow_plain,
        "Pillow, draft + bilinear": pillow_draft,
        "Pillow, draft + gap 1.1": pillow_draft_gap,
        **other_ways(),
    }
    with tempfile.TemporaryDirectory() as folder:
        kinds = make_files(Path(folder))
        if chosen.small:
            found = sorted(p for p in chosen.small.rglob("*") if p.suffix in (".jpg", ".png"))[:200]
            kinds[f"{chosen.small.name} ({found[0].suffix[1:]})"] = [str(p) for p in found]
        table = {
            (kind, size): measure(ways, paths, size, chosen.rounds)
            for kind, paths in kinds.items()
            for size in (64, 224)
        }
    print("| images per CPU s | " + " | ".join(f"{kind} → {size}" for kind, size in table) + " |")
    print("|---" * (len(table) + 1) + "|")
    for name in ways:
        print(f"| {name} | " + " | ".join(shown(row.get(name)) for row in table.values()) + " |")


def shown(rate: float | None) -> str:
    if rate is None:
        return "–"
    return f"{rate:.1f}" if rate < 100 else f"{rate:.0f}"


if __name__ == "__main__":
    main()
