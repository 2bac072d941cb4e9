"""The paper's setting as a configuration."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from headstart.methods import planned
from headstart.recipes.seed_paper import WEIGHT_DECAY, config_for
from headstart.words.config import Config
from headstart.words.space import SPACES
from headstart.words.task import Kind, Samples, Task


@pytest.mark.parametrize("kind", ["image", "video"])
def test_it_is_a_network_alone_with_nothing_that_came_after_the_paper(kind: str) -> None:
    config = config_for(kind)  # type: ignore[arg-type]
    recipe = config.recipe
    assert config.stages == () and recipe is not None
    assert recipe.weights == "pretrained" and recipe.optimiser in ("adam", "sgd")
    assert recipe.batch in (16, 32, 64, 128) and 1e-5 <= recipe.rate <= 0.5 and 0.01 <= recipe.dropout <= 0.99
    plain = type(recipe)(recipe.network, recipe.pixels)
    later = (
        "schedule",
        "warmup",
        "smoothing",
        "layer_decay",
        "blocks",
        "mixing",
        "augmentation",
        "averaging",
    )
    assert all(getattr(recipe, name) == getattr(plain, name) for name in later)
    assert Config.from_json(config.to_json()) == config


def test_of_clips_frames_are_drawn_within_segments_and_their_logits_averaged() -> None:
    recipe = config_for("video").recipe
    assert recipe is not None and recipe.frames > 1
    assert (recipe.selection, recipe.aggregation) == ("segments", "logits")
    still = config_for("image").recipe
    assert still is not None and still.frames == 1


@pytest.mark.parametrize("kind", ["image", "video"])
def test_it_is_what_the_method_transfer_does_unasked(kind: Kind) -> None:
    samples = Samples("", ["a.png", "b.png"], np.array([0, 1]))
    task = Task("made", kind, "single", ("a", "b"), samples)
    assert planned("transfer", None, task) == config_for(kind)
    own = config_for(kind, "mobilenetv2_100", 64)
    assert planned("transfer", own, task) == own


def test_the_papers_own_networks_are_in_its_space() -> None:
    for network in ("mobilenetv2_100", "inception_v3"):
        assert SPACES["paper"].contains(config_for("image", network, 128))
    assert WEIGHT_DECAY == 1e-6


def test_it_loads_no_torch() -> None:
    code = "import sys, headstart.recipes.seed_paper; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
