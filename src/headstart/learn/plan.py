"""Which stages a run passes: decided from what the data look like, before any pixel is computed on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from headstart.words.config import Config, Stage
from headstart.words.task import Kind

TAPS = ("d4", "d7", "d10", "head")
"""Inner layers and the pooled head of lite0: which of them leads differs by data set, so all are taken."""


OVER_TIME = ("d10", "head")
"""Of these it is told how they vary over a clip, too; of more it would cost much and tell little more."""
FRAMES = 8
"""Of each clip: on four sets where motion decides, twelve were no better (docs/benchmarks.md)."""


def default_config(
    samples: int, classes: int, sizes: Sequence[tuple[int, int]], kind: Kind = "image"
) -> Config:
    """The configuration for so many training samples and classes, and the (width, height) of some files.

    Every resolution up to 224 px is planned: even 8-pixel digits gain from 128 (docs/benchmarks.md), and
    evidence drops what does not help. Of clips the first keyframes come first, then evenly spaced frames.
    """
    pixels = [64, 128, 224]
    longest = sorted(max(size) for size in sizes)[len(sizes) // 2] if sizes else 0
    what = "files" if kind == "image" else "clips"
    why = f"{samples} samples of {classes} classes, {what} of about {longest} px; raw pixels, then lite0"
    listed = ", ".join(map(str, pixels))
    stages = [Stage("pixels", 64, ("rgb16",))]
    if kind == "image":
        stages += [Stage("lite0", size, TAPS) for size in pixels]
        return Config(stages=tuple(stages), reason=f"{why} at {listed} px")
    varying = tuple(f"{name}+{how}" for name in OVER_TIME for how in ("std", "change"))
    stages += [
        Stage("lite0", 64, TAPS),
        Stage("pixels", 64, ("rgb16", "rgb16+std", "rgb16+change"), FRAMES),
        Stage("motion", 64, ("flow", "edges"), FRAMES),
    ]
    stages += [Stage("lite0", size, TAPS + varying, FRAMES) for size in pixels]
    return Config(
        stages=tuple(stages),
        reason=f"{why} at 64 px on first keyframes, then motion and lite0 on {FRAMES} frames at {listed} px",
    )


def with_backbone(config: Config, name: str, outputs: Sequence[str], pixels: Sequence[int]) -> Config:
    """The configuration with another network in place of all but the smallest stages of lite0.

    Those stay, because they cost little and stand long before a larger network has seen every sample.
    """
    networks = [stage for stage in config.stages if stage.backbone == "lite0"]
    frames = networks[-1].frames
    kept = [
        stage for stage in config.stages if stage.backbone != "lite0" or stage.pixels == networks[0].pixels
    ]
    varying = tuple(f"head+{how}" for how in ("std", "change")) if frames > 1 and "head" in outputs else ()
    stages = [Stage(name, size, (*outputs, *varying), frames) for size in pixels]
    listed = ", ".join(map(str, pixels))
    reason = f"{config.reason}; as asked for, {name} at {listed} px after the first stages"
    return replace(config, stages=(*kept, *stages), reason=reason)


@dataclass(frozen=True)
class Pass:
    """Stages that decode together: at the same pixels, of as many frames."""

    pixels: int
    frames: int
    stages: tuple[Stage, ...]


def passes(config: Config) -> list[Pass]:
    """Neighbouring stages at the same pixels and frames, in the order of the run."""
    result: list[Pass] = []
    for stage in config.stages:
        last = result[-1] if result else None
        if last is not None and (last.pixels, last.frames) == (stage.pixels, stage.frames):
            result[-1] = Pass(last.pixels, last.frames, (*last.stages, stage))
        else:
            result.append(Pass(stage.pixels, stage.frames, (stage,)))
    return result
