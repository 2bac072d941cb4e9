"""A configuration survives JSON, and says which of its values is impossible."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.errors import BadConfig
from headstart.words.config import HEADS, Config, Stage

NAMES = st.from_regex(r"[a-z][a-z0-9._-]{0,8}", fullmatch=True)
OUTPUTS = st.lists(NAMES, min_size=1, max_size=3, unique=True).map(tuple)
BACKBONES = NAMES.filter(lambda name: name != "pixels")
NETWORKS = st.builds(Stage, BACKBONES, st.integers(1, 16).map(lambda k: 32 * k), OUTPUTS)
SMALL = st.builds(Stage, st.just("pixels"), st.integers(1, 500), OUTPUTS)
STAGES = st.lists(NETWORKS | SMALL, min_size=1, max_size=4, unique_by=lambda s: (s.backbone, s.pixels))
CONFIGS = st.builds(
    Config,
    stages=STAGES.map(tuple),
    heads=st.lists(st.sampled_from(HEADS), min_size=1, unique=True).map(tuple),
    members=st.integers(1, 50),
    folds=st.integers(2, 20),
    head_share=st.floats(0, 1, exclude_min=True) | st.just(1),
    first_per_class=st.integers(1, 100),
    first_test=st.integers(0, 10_000),
    precision=st.sampled_from(["auto", "fp32", "int8"]),
    seed=st.integers(0, 2**63),
    reason=st.text(),
)
STAGE = Stage("lite0", 64, ("d10", "pooled"))
PLAIN = Config((STAGE,))


@given(CONFIGS)
def test_round_trip(config: Config) -> None:
    again = Config.from_json(config.to_json())
    assert again == config
    assert again.reason == config.reason
    assert hash(again) == hash(config)
    assert again.to_json() == config.to_json()


def test_defaults_are_filled_in() -> None:
    text = '{"stages": [{"backbone": "lite0", "pixels": 64, "outputs": ["d10", "pooled"]}]}'
    assert Config.from_json(text) == PLAIN


def test_blocks() -> None:
    assert STAGE.blocks == ("lite0@64/d10", "lite0@64/pooled")


def test_one_resolution_may_run_in_two_stages() -> None:
    stages = (Stage("lite0", 64, ("d10",)), Stage("lite0", 64, ("pooled",)))
    assert Config.from_json(Config(stages).to_json()).stages == stages


def test_the_reason_makes_no_other_configuration() -> None:
    assert dataclasses.replace(PLAIN, reason="small images") == PLAIN


def test_replace_is_checked() -> None:
    assert dataclasses.replace(PLAIN, members=1).members == 1
    with pytest.raises(BadConfig, match='"members" of a configuration is 0, but must be a whole number, 1'):
        dataclasses.replace(PLAIN, members=0)


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("stages", [], "one or more stages where there is no recipe"),
        ("stages", "lite0@64", "stages"),
        ("heads", [], "one or more different names out of means, neighbours, ridge, lda"),
        ("heads", ["lda", "lda"], "different names"),
        ("heads", ["svm"], "out of means, neighbours, ridge, lda"),
        ("heads", "lda", "a list"),
        ("heads", [["lda"]], "a list"),
        ("members", 0, "1 or more"),
        ("members", 2.0, "a whole number"),
        ("members", True, "a whole number"),
        ("members", None, "a whole number"),
        ("folds", 1, "2 or more"),
        ("head_share", 0, "above 0 and at most 1"),
        ("head_share", 1.01, "above 0 and at most 1"),
        ("head_share", math.nan, "above 0 and at most 1"),
        ("head_share", "0.1", "a number"),
        ("first_per_class", 0, "1 or more"),
        ("first_test", -1, "0 or more"),
        ("precision", "int4", "one of auto, fp32, int8"),
        ("precision", 8, "one of auto, fp32, int8"),
        ("seed", -1, "0 or more"),
        ("reason", 5, "text"),
    ],
)
def test_impossible_values_are_named(key: str, value: Any, allowed: str) -> None:
    content = {**json.loads(PLAIN.to_json()), key: value}
    with pytest.raises(BadConfig) as refusal:
        Config.from_json(json.dumps(content))
    message = str(refusal.value)
    assert f'"{key}" of a configuration is {value!r}, but must be' in message
    assert allowed in message


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"pixels": 0}, '"pixels" of a stage is 0, but must be a whole number, 1 or more'),
        ({"pixels": 50}, '"pixels" of a stage is 50, but must be a multiple of 32 for a network'),
        ({"pixels": "64"}, "\"pixels\" of a stage is '64'"),
        ({"backbone": ""}, "\"backbone\" of a stage is ''"),
        ({"backbone": "a@b"}, "a name without blanks, @ and /"),
        ({"backbone": 5}, "a name"),
        ({"outputs": []}, "one or more different names"),
        ({"outputs": ["d10", "d10"]}, "different names"),
        ({"outputs": ["a/b"]}, "without blanks, @ and /"),
        ({"outputs": "d10"}, "a list"),
        ({"pixel": 64}, "a stage has no 'pixel': allowed are backbone, pixels, outputs"),
    ],
)
def test_impossible_stages_are_named(change: dict[str, Any], words: str) -> None:
    stage = {"backbone": "lite0", "pixels": 64, "outputs": ["d10"], **change}
    with pytest.raises(BadConfig) as refusal:
        Config.from_json(json.dumps({"stages": [stage]}))
    assert words in str(refusal.value)


def test_raw_pixels_may_have_any_size() -> None:
    assert Stage("pixels", 50, ("rgb10",)).pixels == 50


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "a configuration must be a JSON object, but is []"),
        ("{}", "one or more stages where there is no recipe"),
        ('{"stages": [5]}', "a stage must be a JSON object, but is 5"),
        ('{"stages": [{"backbone": "lite0"}]}', 'a stage needs "pixels": it has only backbone'),
        (
            '{"stages": [], "fold": 5}',
            "a configuration has no 'fold': allowed are stages, heads, members, folds",
        ),
    ],
)
def test_unreadable_json_is_refused(text: str, words: str) -> None:
    with pytest.raises(BadConfig) as refusal:
        Config.from_json(text)
    assert words in str(refusal.value)


def test_a_block_is_computed_once() -> None:
    with pytest.raises(BadConfig, match="compute lite0@64/pooled twice"):
        Config((STAGE, Stage("lite0", 64, ("pooled",))))


def test_from_python_a_list_is_refused_since_it_could_change() -> None:
    with pytest.raises(BadConfig, match="in Python a tuple"):
        Config([STAGE])  # type: ignore[arg-type]


def test_long_values_are_cut() -> None:
    with pytest.raises(BadConfig) as refusal:
        dataclasses.replace(PLAIN, precision="x" * 10_000)  # type: ignore[arg-type]
    assert len(str(refusal.value)) < 200
