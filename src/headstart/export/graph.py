"""A published model as one ONNX graph: pixels in, posteriors out."""

from __future__ import annotations

from typing import Any

from headstart.errors import BadInput
from headstart.export.blocks import MOTION, Block, in_pairs, parsed
from headstart.export.builder import Builder
from headstart.export.description import describe
from headstart.export.heads import blended, posteriors, unit
from headstart.export.motion import motion
from headstart.export.networks import features, joined
from headstart.export.resizing import resized
from headstart.export.temporal import first, summary
from headstart.model import Model


def build(model: Model) -> Any:
    """The ONNX model: `image` uint8 [n, height, width, 3] to `scores` float32 [n, classes].

    Of a video model n are the frames of one clip, and there is one row of scores; where it looks at motion, a second
    input `after` holds for each frame the one that follows soon after. Raises BadInput for a
    model with features or kernels that a graph cannot compute, BadWeights.
    """
    blocks = parsed(model.ensemble.blocks, model.kind)
    graph = Builder()
    values = _features(graph, model, blocks)
    if model.kind == "video":
        values = {block.name: _of_clip(graph, values[block.name], block) for block in blocks}
    units = {name: unit(graph, value) for name, value in values.items()}
    said = posteriors(graph, model.ensemble, units) if model.ensemble.members else None
    graph.node("Identity", blended(graph, model.ensemble, said, _logits(graph, model)), name="scores")
    count, rows = ("n", "n") if model.kind == "image" else ("frames", 1)
    names = ("image", "after") if in_pairs(blocks) else ("image",)
    scores = ("float", [rows, len(model.classes)])
    made = graph.model({name: [count, "height", "width", 3] for name in names}, {"scores": scores})
    describe(made, model, blocks)
    return made


def _logits(graph: Builder, model: Model) -> list[str]:
    """What the networks say that were trained on the task, float32 [n, classes] each. Raises BadInput for clips."""
    trained = model.ensemble.trained
    if trained is None:
        return []
    if model.kind == "video":
        raise BadInput(
            f"this model has networks that look at clips as a whole ({trained.name}), which a graph of single frames "
            "cannot hold: fit again with --method frozen"
        )
    square = {trained.pixels: resized(graph, "image", trained.pixels)}
    found = [
        joined(graph, f"trained{number}", content, square, ["logits"])
        for number, content in enumerate(trained.graphs)
    ]
    return [one[trained.pixels, "logits"] for one in found]


def _features(graph: Builder, model: Model, blocks: tuple[Block, ...]) -> dict[str, str]:
    """What the backbones say about each picture or frame, float32 [n, dim], and how a clip moves, [1, dim]."""
    squares = {size: resized(graph, "image", size) for size in sorted({block.pixels for block in blocks})}
    found = {}
    for backbone in dict.fromkeys(block.backbone for block in blocks if block.backbone != MOTION):
        own = [block for block in blocks if block.backbone == backbone]
        sizes = {size: squares[size] for size in sorted({block.pixels for block in own})}
        outputs = sorted({block.output for block in own})
        values = features(graph, backbone, model.precision, sizes, outputs)
        found.update({block.name: values[block.pixels, block.output] for block in own})
    for size in {block.pixels for block in blocks if block.backbone == MOTION}:
        moved = motion(graph, squares[size], resized(graph, "after", size))
        found.update({block.name: moved[block.output] for block in blocks if block.backbone == MOTION})
    return found


def _of_clip(graph: Builder, frames: str, block: Block) -> str:
    if block.backbone == MOTION:
        return frames  # over time already
    return first(graph, frames) if block.frames == 1 else summary(graph, frames, block.statistic)
