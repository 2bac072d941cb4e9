"""The datasets of the paper's Table 1 as data: sizes, classes, source, and the slips of the table."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

from headstart.errors import BadInput
from headstart.words.task import Kind, LabelKind

Source = Literal["tfds", "AutoDL", "inet", "own"]
"""As the table says: TensorFlow Datasets, the challenge's own download, publicly available, made by the authors."""


@dataclass(frozen=True)
class InTfds:
    """Where TensorFlow Datasets has it.

    test: None where it has no such split. image, label: names of features. white: the largest value of a pixel.
    """

    name: str
    train: str
    test: str | None
    image: str
    label: str
    white: int = 255


@dataclass(frozen=True)
class Row:
    """One row of the table.

    name: as printed. train, test: samples, as printed. classes: as printed; of EPIC-Kitchens the product that is.
    origin: the dataset that it was made from: what shares it must be held out together. slips: what is wrong or
    misleading in the row.
    """

    name: str
    kind: Kind
    train: int
    test: int
    classes: int
    source: Source
    labels: LabelKind
    origin: str
    tfds: InTfds | None
    slips: tuple[str, ...]

    @property
    def key(self) -> str:
        """The name as one writes it: lower case, words joined by `_`."""
        return re.sub(r"[^a-z0-9]+", "_", self.name.lower()).strip("_")


@cache
def table() -> tuple[Row, ...]:
    """All 42 rows in the order of the table."""
    text = files("headstart.data").joinpath("catalogue.json").read_text("utf-8")
    return tuple(
        Row(
            **{
                **fields,
                "tfds": InTfds(**fields["tfds"]) if fields["tfds"] else None,
                "slips": tuple(fields["slips"]),
            }
        )
        for fields in json.loads(text)
    )


def find(name: str) -> Row:
    """The row of this name; case, blanks and signs do not matter. Raises BadInput, which names what comes close."""
    wanted = _plain(name)
    for row in table():
        if wanted in (_plain(row.name), _plain(row.tfds.name) if row.tfds else ""):
            return row
    near = [row.key for row in table() if wanted[:4] and wanted[:4] in _plain(row.name)]
    hint = f"did you mean {' or '.join(near[:3])}" if near else "`headstart datasets list` shows all"
    raise BadInput(f"there is no dataset {name!r} in the paper's table: {hint}.")


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
