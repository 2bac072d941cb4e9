"""The plan: which stages a run passes, from what the data look like."""

from __future__ import annotations

import pytest

from headstart.backbones.table import BACKBONES
from headstart.learn.plan import FRAMES, default_config, passes
from headstart.words.config import Config, Stage


@pytest.mark.parametrize("samples", [2, 500, 1_000_000])
@pytest.mark.parametrize("sizes", [[], [(8, 8)], [(100, 80)] * 3, [(4000, 3000)] * 16])
def test_every_plan_is_a_configuration_that_the_backbones_can_run(
    samples: int, sizes: list[tuple[int, int]]
) -> None:
    config = default_config(samples, 10, sizes)
    assert Config.from_json(config.to_json()) == config and str(samples) in config.reason
    for stage in config.stages:
        row = BACKBONES[stage.backbone]
        assert stage.pixels % row.step == 0 and set(stage.outputs) <= {name for name, _ in row.outputs}


def test_a_plan_begins_small_and_grows() -> None:
    pixels = [passing.pixels for passing in passes(default_config(500, 5, [(300, 200)]))]
    assert pixels == sorted(pixels) and pixels[0] <= 64 and len(pixels) > 1


def test_of_clips_one_frame_comes_first_and_several_later() -> None:
    found = passes(default_config(40, 4, [(320, 240)], "video"))
    assert found[0].frames == 1 and {stage.backbone for stage in found[0].stages} == {"pixels", "lite0"}
    assert {passing.frames for passing in found[1:]} == {FRAMES}
    assert {passing.frames for passing in passes(default_config(40, 4, [(320, 240)]))} == {1}


def test_passes_hold_all_stages_in_their_order_and_join_neighbours_of_one_size() -> None:
    stages = (
        Stage("pixels", 64, ("rgb16",)),
        Stage("lite0", 64, ("d10",)),
        Stage("lite0", 128, ("d10",)),
        Stage("lite0_cut", 64, ("d10",)),
    )
    found = passes(Config(stages=stages))
    assert [passing.pixels for passing in found] == [64, 128, 64]
    assert tuple(stage for passing in found for stage in passing.stages) == stages
    assert all(stage.pixels == passing.pixels for passing in found for stage in passing.stages)
