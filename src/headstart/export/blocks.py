"""Which squares and networks a model's feature blocks ask for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from headstart.backbones.table import find
from headstart.backbones.temporal import STATISTICS, parted
from headstart.errors import BadInput
from headstart.words.config import stage_of

MOTION = "motion"


@dataclass(frozen=True)
class Block:
    """`lite0@64/d10` of a picture, or of a clip's first frame; `lite0@64x8/d10+std` of how 8 frames vary."""

    name: str
    backbone: str
    pixels: int
    frames: int
    output: str
    statistic: str


def parsed(names: Iterable[str], kind: str) -> tuple[Block, ...]:
    """The blocks of a model of this kind. Raises BadInput for one that a graph cannot compute."""
    blocks = []
    for name in names:
        stage = stage_of(name)
        output, statistic = parted(stage.outputs[0])
        block = Block(name, stage.backbone, stage.pixels, stage.frames, output, statistic)
        if not _known(block, kind):
            raise BadInput(
                f"this model reads the features {name!r}, which export cannot compute: fit again with a "
                "configuration that has none of them"
            )
        blocks.append(block)
    clip_length(blocks)
    return tuple(blocks)


def _known(block: Block, kind: str) -> bool:
    statistics = STATISTICS if kind == "video" and block.frames > 1 else ("",)
    if block.frames > 1 and kind == "image":
        return False
    if block.backbone == MOTION and (block.frames == 1 or block.statistic):
        return False
    return block.statistic in statistics and block.output in _outputs(block)


def _outputs(block: Block) -> dict[str, int]:
    return dict(find(block.backbone).outputs)


def in_pairs(blocks: Iterable[Block]) -> bool:
    """Whether some features look at pairs of frames."""
    return any(block.backbone == MOTION for block in blocks)


def clip_length(blocks: Iterable[Block]) -> int:
    """How many frames of a clip are looked at. Raises BadInput where blocks disagree."""
    counts = sorted({block.frames for block in blocks if block.frames > 1})
    if len(counts) > 1:
        raise BadInput(
            f"this model reads {' and '.join(map(str, counts))} frames of a clip, and export can feed one number "
            "of frames only: fit again with a configuration that has one"
        )
    return counts[0] if counts else 1
