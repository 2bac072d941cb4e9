"""What a challenger trains, in which order: the cheap before the dear, and first what the task looks like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from headstart.words.recipe import Recipe
from headstart.words.task import Kind

_SAMPLES = {"small": 32_000, "lite0": 6_000}  # that a network passes at least, if each so often as is allowed
_PASSES = {"small": (10, 80), "lite0": (4, 15)}  # the fewest and the most passes over the samples
_LARGE_PASSES = 8  # of the pretrained network at twice the size: it learns faster there
_BATCH = 32
FAR = 4.0
"""Times the error of a pretrained network's features that raw pixels may have where random weights are tried."""
HELPS = 0.0
"""Nats per sample, a standard error taken off: what brings no more is not trained further."""

SMALL = Recipe(
    "small",
    64,
    weights="random",
    optimiser="adamw",
    rate=3e-3,
    weight_decay=0.02,
    dropout=0.3,
    smoothing=0.1,
    epochs=80,
    schedule="cosine",
    warmup=0.1,
    batch=_BATCH,
)
"""From random weights: for what looks unlike photographs. Moving such pictures does more harm than good."""
LITE = replace(
    SMALL,
    network="lite0",
    weights="pretrained",
    rate=1e-3,
    weight_decay=1e-4,
    dropout=0.2,
    epochs=15,
    augmentation="shift",
)
"""The whole bundled network, from its pretrained weights."""


CLIP = replace(SMALL, network="clip_small", pixels=32, frames=8)
"""Frames stacked before the first layer: for what moves."""


@dataclass(frozen=True)
class Tried:
    """A recipe, and by how many nats per sample its network surely helped the heads on samples that it had not seen."""

    recipe: Recipe
    gain: float


def next_recipe(kind: Kind, samples: int, far: float, tried: Sequence[Tried]) -> Recipe | None:
    """What to try next on so many training samples; None where nothing is left.

    far: see `learn.challenger.Report`; only up to FAR are random weights tried, before the pretrained ones. A larger
    size follows only what helped; the pretrained network is left out where a small one helped already.
    """
    gains = {(one.recipe.network, one.recipe.pixels): one.gain for one in tried}
    for recipe in _first(kind, far):
        key = recipe.network, recipe.pixels
        if key not in gains:
            return _timed(recipe, samples)
        if gains[key] < HELPS:
            continue
        larger = _larger(recipe)
        if (larger.network, larger.pixels) not in gains and _worth(recipe):
            return _timed(larger, samples)
        return None
    return None


def _first(kind: Kind, far: float) -> tuple[Recipe, ...]:
    if kind == "video":
        return (CLIP,)  # what single frames show, the stages' features tell at a fraction of the cost
    return (SMALL, LITE) if far <= FAR else (LITE,)


def _larger(recipe: Recipe) -> Recipe:
    epochs = recipe.epochs if recipe.network != LITE.network else _LARGE_PASSES
    return replace(recipe, pixels=2 * recipe.pixels, epochs=epochs)


def _worth(recipe: Recipe) -> bool:
    """Whether twice the size is tried: four times the cost, of a network whose size is not what it is good at."""
    return recipe.network != SMALL.network


def _timed(recipe: Recipe, samples: int) -> Recipe:
    return replace(recipe, epochs=min(recipe.epochs, passes(recipe, samples)))


def passes(recipe: Recipe, samples: int) -> int:
    """How often so many samples are passed: small sets often, large ones a few times."""
    like = "lite0" if recipe.network == "lite0" else "small"
    fewest, most = _PASSES[like]
    return int(min(most, max(fewest, _SAMPLES[like] / max(samples, 1))))
