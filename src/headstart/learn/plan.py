"""Which stages a run passes: decided from what the data look like, before any pixel is computed on."""

from __future__ import annotations

from collections.abc import Sequence

from headstart.words.config import Config, Stage

TAPS = ("d4", "d7", "d10", "head")
"""Inner layers and the pooled head of lite0: which of them leads differs by data set, so all are taken."""


def default_config(samples: int, classes: int, sizes: Sequence[tuple[int, int]]) -> Config:
    """The configuration for so many training samples and classes, and the (width, height) of some files.

    Every resolution up to 224 px is planned: even 8-pixel digits gain from 128 (docs/benchmarks.md), and
    evidence drops what does not help.
    """
    pixels = [64, 128, 224]
    longest = sorted(max(size) for size in sizes)[len(sizes) // 2] if sizes else 0
    why = [f"{samples} samples of {classes} classes, files of about {longest} px"]
    stages = [Stage("pixels", 64, ("rgb16",))]
    stages += [Stage("lite0", size, TAPS) for size in pixels]
    why.append("raw pixels, then lite0 at " + ", ".join(map(str, pixels)) + " px")
    return Config(stages=tuple(stages), reason="; ".join(why))


def passes(config: Config) -> list[tuple[int, tuple[Stage, ...]]]:
    """Neighbouring stages at the same pixels decode together: (pixels, stages) in the order of the run."""
    result: list[tuple[int, tuple[Stage, ...]]] = []
    for stage in config.stages:
        if result and result[-1][0] == stage.pixels:
            result[-1] = (stage.pixels, (*result[-1][1], stage))
        else:
            result.append((stage.pixels, (stage,)))
    return result
