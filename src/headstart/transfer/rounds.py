"""What a challenger trains, in which order: the cheap before the dear, and first what the task looks like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from headstart.words.recipe import Recipe
from headstart.words.task import Kind

_SAMPLES = {"small": 16_000, "lite0": 6_000}  # that a network passes at least, if each so often as is allowed
_PASSES = {"small": (10, 40), "lite0": (4, 15)}  # the fewest and the most passes over the samples
_BATCH = 32
HELPS = 3e-3
"""Nats per sample: a smaller gain is none."""

SMALL = Recipe(
    "small",
    64,
    weights="random",
    optimiser="adamw",
    rate=3e-3,
    weight_decay=0.02,
    dropout=0.3,
    smoothing=0.1,
    epochs=40,
    schedule="cosine",
    warmup=0.1,
    augmentation="shift",
    batch=_BATCH,
)
"""From random weights: for what looks unlike photographs."""
LITE = replace(
    SMALL, network="lite0", weights="pretrained", rate=1e-3, weight_decay=1e-4, dropout=0.2, epochs=15
)
"""The whole bundled network, from its pretrained weights."""


CLIP = replace(SMALL, network="clip_small", pixels=32, frames=8)
"""Frames stacked before the first layer: for what moves."""


@dataclass(frozen=True)
class Tried:
    """A recipe, and by how many nats per sample its network helped the heads on samples that it had not seen."""

    recipe: Recipe
    gain: float


def next_recipe(kind: Kind, samples: int, far: bool, tried: Sequence[Tried]) -> Recipe | None:
    """What to try next on so many training samples; None where nothing is left.

    far: the task looks unlike photographs, so that random weights come first. A larger size follows only what helped.
    """
    first = (CLIP, replace(LITE, frames=4)) if kind == "video" else (SMALL, LITE) if far else (LITE, SMALL)
    known = {(one.recipe.network, one.recipe.pixels): one.gain for one in tried}
    for recipe in first:
        if (recipe.network, recipe.pixels) not in known:
            return _timed(recipe, samples)
    larger = [replace(recipe, pixels=2 * recipe.pixels) for recipe in first]
    for recipe in larger:
        helped = known[recipe.network, recipe.pixels // 2] >= HELPS
        if helped and (recipe.network, recipe.pixels) not in known:
            return _timed(recipe, samples)
    return None


def _timed(recipe: Recipe, samples: int) -> Recipe:
    return replace(recipe, epochs=passes(recipe, samples))


def passes(recipe: Recipe, samples: int) -> int:
    """How often so many samples are passed: small sets often, large ones a few times."""
    like = "lite0" if recipe.network == "lite0" else "small"
    fewest, most = _PASSES[like]
    return int(min(most, max(fewest, _SAMPLES[like] / max(samples, 1))))
