"""A backbone as a row of data: what it gives, what it takes, which files hold its weights."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from headstart.errors import BadConfig

Precision = Literal["fp32", "int8"]


@dataclass(frozen=True)
class File:
    """A weight file: its name in its folder, its checksum, its size."""

    name: str
    sha256: str
    megabytes: float


@dataclass(frozen=True)
class Backbone:
    """One row of the table.

    outputs: (name, numbers) of each feature block. pixels: sides of the square that it is meant for; any
    multiple of `step` from the first of them on works, or nothing else where it is `fixed`. files: by precision;
    fp32 is stored in half precision, mostly. Empty: no network. weights: the checksum of the weights that the
    files were made from, where the files can be made again; empty: the files are what there is.
    """

    name: str
    outputs: tuple[tuple[str, int], ...]
    pixels: tuple[int, ...]
    step: int
    files: Mapping[Precision, File]
    licence: str
    origin: str
    fixed: bool = False
    weights: str = ""

    def precision(self, wanted: Precision) -> Precision:
        """The precision that is run where `wanted` is asked for: fp32 where there is no other."""
        return wanted if wanted in self.files else "fp32"

    def check(self, pixels: int) -> None:
        """That it takes squares of so many pixels. Raises BadConfig, which says what it takes."""
        if self.fixed and pixels not in self.pixels:
            sizes = ", ".join(map(str, self.pixels))
            raise BadConfig(f"{self.name} takes pictures of {sizes} px only, not of {pixels}: set that")
        if pixels % self.step:
            raise BadConfig(f"{self.name} needs pixels that are a multiple of {self.step}, not {pixels}")
        if pixels < self.pixels[0]:
            raise BadConfig(f"{self.name} needs {self.pixels[0]} pixels or more, not {pixels}")

    def digest(self, precision: Precision) -> str:
        """What identifies the features: the checksum of the weights, with what is made of them."""
        if not self.files:
            return f"{self.name}-1"
        if not self.weights:
            return self.files[self.precision(precision)].sha256
        made = json.dumps([self.weights, self.outputs, self.fixed and self.pixels])
        return hashlib.sha256(made.encode()).hexdigest()
