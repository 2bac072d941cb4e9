"""What a challenger tries, in which order."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

from headstart.transfer.rounds import CLIP, HELPS, LITE, SMALL, Tried, next_recipe, passes
from headstart.words.task import Kind


def order(kind: Kind, far: float, gains: dict[str, float], samples: int = 400) -> list[str]:
    """The names of all that is tried where networks bring so much."""
    tried: list[Tried] = []
    while (recipe := next_recipe(kind, samples, far, tried)) is not None:
        tried.append(Tried(recipe, gains.get(recipe.name, HELPS - 0.01)))
        assert len(tried) < 10
    return [one.recipe.name for one in tried]


def test_photographs_are_left_to_the_pretrained_network() -> None:
    assert order("image", 9.0, {}) == ["lite0@64"]
    assert order("image", 9.0, {"lite0@64": HELPS + 0.01}) == ["lite0@64", "lite0@128"]


def test_what_is_far_from_photographs_starts_from_random_weights() -> None:
    assert order("image", 1.2, {}) == ["small@64", "lite0@64"]
    assert order("image", 1.2, {"small@64": HELPS + 0.01}) == ["small@64"]
    assert order("image", 1.2, {"lite0@64": HELPS + 0.01}) == ["small@64", "lite0@64", "lite0@128"]


def test_clips_are_looked_at_as_a_whole_first() -> None:
    assert order("video", 9.0, {}) == ["clip_small@32x8"]
    assert order("video", 1.2, {"clip_small@32x8": HELPS + 0.01}) == ["clip_small@32x8", "clip_small@64x8"]


def test_small_sets_are_passed_often_and_large_ones_a_few_times() -> None:
    assert passes(SMALL, 100) == 80 and passes(SMALL, 800) == 40 and passes(SMALL, 10**6) == 10
    assert passes(LITE, 100) == 15 and passes(LITE, 10**6) == 4
    assert passes(CLIP, 800) == 40
    large = next_recipe("image", 10**6, 9.0, [])
    assert large is not None and large.epochs == 4
