"""From a model to a checked ONNX file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from headstart.errors import BadInput
from headstart.export.builder import need_onnx
from headstart.export.check import largest_difference, refuse
from headstart.export.graph import build
from headstart.model import Model
from headstart.store.atomic import write_atomically


@dataclass(frozen=True)
class Exported:
    """What was written. inputs: names of what goes in. difference: the largest between its scores and predict's."""

    path: Path
    size: int
    inputs: tuple[str, ...]
    difference: float


def export(model: Model, path: str | os.PathLike[str]) -> Exported:
    """Write `model` as one ONNX file: `image` uint8 [n, height, width, 3] in, `scores` float32 [n, classes] out.

    The file is written in one step, and only after onnx's checker passed and onnxruntime gave the scores of
    `predict` to 1e-4. Raises BadInput (no package onnx, no such folder, features that a graph cannot compute),
    HeadstartError where the scores differ, DiskFull.
    """
    need_onnx()
    target = Path(path)
    if target.is_dir():
        raise BadInput(f"{str(target)!r} is a folder: name a file in it, for example {target / 'model.onnx'}")
    if not target.parent.is_dir():
        raise BadInput(
            f"there is no folder {str(target.parent)!r} to write {target.name} into: make it first"
        )
    import onnx

    made = build(model)
    onnx.checker.check_model(made, full_check=True)
    content = made.SerializeToString()
    difference = largest_difference(content, model)
    refuse(difference)
    write_atomically(target, content)
    return Exported(target, len(content), tuple(entry.name for entry in made.graph.input), difference)
