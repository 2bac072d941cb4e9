"""What an exported file says about itself: its classes, its input, what is done to the pixels, what it is worth."""

from __future__ import annotations

import json
from typing import Any

from headstart.data.squares import KEPT, LARGE
from headstart.export.blocks import Block, clip_length, in_pairs
from headstart.model import Model
from headstart.version import __version__


def describe(made: Any, model: Model, blocks: tuple[Block, ...]) -> None:
    """Write the description into an ONNX model: `metadata_props`, all text; lists are JSON."""
    from onnx import helper

    pixels = preprocessing(blocks, model.kind)
    made.producer_name, made.producer_version = "headstart", __version__
    made.doc_string = f"{len(model.classes)} classes, {model.kind}, {model.labels}-label. {pixels}"
    single = model.labels == "single"
    properties = {
        "classes": json.dumps(model.classes),  # in ASCII: names of folders need not be Unicode
        "kind": model.kind,
        "labels": model.labels,
        "scores": "posteriors that add up to 1" if single else "a posterior, 0 to 1, of each class by itself",
        "evidence": repr(float(model.evidence)),
        "samples_seen": str(model.samples_seen),
        "precision": model.precision,
        "blocks": json.dumps([block.name for block in blocks]),
        "input": layout(blocks, model.kind),
        "preprocessing": pixels,
        "headstart": __version__,
    }
    if not single:
        given = model.thresholds
        values = [0.5] * len(model.classes) if given is None else [float(value) for value in given]
        properties["thresholds"] = json.dumps(values)
    helper.set_model_props(made, properties)


def layout(blocks: tuple[Block, ...], kind: str) -> str:
    """What the input is."""
    first = "any number of pictures of one size"
    if kind == "video":
        first = f"at most {clip_length(blocks)} frames of one clip, evenly spaced, from its first on"
    text = f"image: uint8 [n, height, width, 3], red green blue 0 to 255; n = {first}"
    if in_pairs(blocks):
        text += "; after: for each of them the frame of the same clip that follows about 0.1 seconds later"
    return text


def preprocessing(blocks: tuple[Block, ...], kind: str) -> str:
    """What is done to the pixels in the graph, and what predict does to files before, in words."""
    sizes = ", ".join(map(str, sorted({block.pixels for block in blocks})))
    inside = (
        f"In the graph: squeezed to squares of {sizes} px, as Pillow's resize with BILINEAR and reducing_gap=1.1, "
        "then normalised. Before it: turned as the file's orientation says, transparency laid on white."
    )
    if kind == "video":
        return inside
    return inside + (
        f" A file of more than {LARGE >> 10} KiB is first squeezed to {KEPT} px by predict, and a large JPEG decoded "
        "at 1/2, 1/4 or 1/8 of its size where that covers the square."
    )
