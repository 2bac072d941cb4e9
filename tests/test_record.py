"""Records and the files that hold them: what goes in comes out, areas agree, damage is found."""

from __future__ import annotations

import gzip
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart.errors import BadConfig, BadInput
from headstart.meta.bundle import Bundle, Configs, decode, encode
from headstart.meta.record import Record
from headstart.words.config import Config, Stage
from headstart.words.recipe import Recipe
from headstart.words.scoring import alc

PIXELS = Config((Stage("pixels", 16, ("raw",)),), heads=("ridge",))
FROZEN = Config((Stage("lite0", 64, ("d10", "head")),), members=2)
TRAINED = Config(recipe=Recipe("small", 32))
TIMES = st.floats(0, 2000, allow_nan=False)
SCORES = st.floats(-1, 1, allow_nan=False)


@st.composite
def runs(draw: st.DrawFn) -> Record:
    curve = tuple(
        zip(sorted(draw(st.lists(TIMES, max_size=6))), draw(st.lists(SCORES, min_size=6)), strict=False)
    )
    halves = tuple((draw(SCORES), draw(SCORES)) for _ in curve) if draw(st.booleans()) else ()
    told = draw(st.none() | SCORES) if not curve else None
    config = draw(st.sampled_from((PIXELS, FROZEN, TRAINED, None)))
    return Record(
        config.digest if config else draw(st.sampled_from(("m:a", "m:b"))),
        config, draw(st.integers(0, 2**40)), draw(st.sampled_from(("cpu", "table:x"))), draw(st.floats(0.1, 1e5)),
        curve, draw(st.sampled_from(("ok", "failed"))), draw(st.integers(0, 10**6)),
        draw(st.sampled_from(({}, {"headstart": "1"}))), halves, told,
    )  # fmt: skip


def opened(records: list[Record], prior: str = "id") -> Bundle:
    name, content = encode(prior, records)
    return decode(content, name, prior)


@settings(max_examples=60, deadline=None)
@given(st.lists(runs(), min_size=1, max_size=8), st.floats(1, 100), st.floats(1, 3000))
def test_what_goes_in_comes_out_and_areas_are_the_same_all_at_once(
    records: list[Record], t0: float, budget: float
) -> None:
    bundle, configs = opened(records), Configs()
    assert [bundle.record(row, configs) for row in range(len(bundle))] == records
    for half in (None, 0, 1):
        single = [record.alc(t0, budget, half) for record in records]
        assert np.allclose(bundle.areas(t0, budget, half), single, rtol=0, atol=1e-9, equal_nan=True)


def test_equal_runs_give_equal_bytes_and_the_name_is_the_checksum() -> None:
    run = Record.of(PIXELS, [(1.0, 0.5)], clock="cpu", budget=60.0)
    assert encode("id", [run]) == encode("id", [run])
    assert encode("id", [run])[0] != encode("other", [run])[0]


def test_the_area_is_that_of_the_curve() -> None:
    points = [(1.5, 0.3), (20.0, 0.8), (700.0, 0.85), (1300.0, 1.0)]
    run = Record.of(PIXELS, points, clock="cpu", budget=1200)
    assert run.alc() == alc([t for t, _ in points], [s for _, s in points])
    assert run.alc(20.0, 600.0) == alc([1.5, 20.0], [0.3, 0.8], 600.0, 20.0)


def test_a_failed_run_counts_nothing_and_a_told_area_what_was_told() -> None:
    failed = Record.of(PIXELS, [(1.0, 0.9)], clock="cpu", budget=60, status="failed")
    told = Record("m:a", None, 0, "matrix:m", 1200, (), told=0.25)
    assert failed.alc() == failed.alc(half=0) == 0
    assert told.alc(20, 60) == 0.25 and math.isnan(told.alc(half=1))


def test_halves_have_areas_of_their_own() -> None:
    run = Record.of(PIXELS, [(0.0, 0.5)], clock="cpu", budget=60, halves=[(0.4, 0.6)])
    assert run.alc(half=0) == pytest.approx(0.4) and run.alc(half=1) == pytest.approx(0.6)
    assert math.isnan(Record.of(PIXELS, [(0.0, 0.5)], clock="cpu", budget=60).alc(half=0))


def test_seed_and_reason_belong_to_the_run_not_to_the_configuration() -> None:
    first = Record.of(Config(PIXELS.stages, seed=3, reason="so"), [], clock="cpu", budget=1)
    assert (
        first.seed == 3
        and first.config == Config(PIXELS.stages)
        and first.name == Config(PIXELS.stages).digest
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "two words"}, "name"),
        ({"name": "0" * 12, "config": PIXELS}, "must agree"),
        ({"budget": 0.0}, "budget"),
        ({"budget": math.inf}, "budget"),
        ({"status": "late"}, "status"),
        ({"seed": -1}, "seed"),
        ({"clock": ""}, "clock"),
        ({"told": 2.0}, "area"),
        ({"told": 0.1, "curve": ((1.0, 0.1),)}, "area"),
        ({"curve": ((2.0, 0.1), (1.0, 0.2))}, "point"),
        ({"curve": ((1.0, math.nan),)}, "point"),
        ({"curve": ((1.0, 1.5),)}, "point"),
        ({"curve": ((1.0, 0.5),), "halves": ((0.1, 0.1), (0.1, 0.1))}, "pairs"),
        ({"curve": ((1.0, 0.5),), "halves": ((0.1, 2.0),)}, "half scores"),
    ],
)
def test_what_cannot_be_a_run_is_refused(change: dict[str, object], words: str) -> None:
    whole: dict[str, object] = {
        "name": "x",
        "config": None,
        "seed": 0,
        "clock": "cpu",
        "budget": 60.0,
        "curve": (),
    }
    with pytest.raises(BadInput, match=words):
        Record(**(whole | change))  # type: ignore[arg-type]


def test_no_runs_are_no_bundle() -> None:
    with pytest.raises(BadInput, match="no runs"):
        encode("id", [])


def test_every_flipped_byte_is_found() -> None:
    name, content = encode("id", [Record.of(FROZEN, [(1.0, 0.5), (2.0, 0.6)], clock="cpu", budget=60)])
    plain = gzip.decompress(content)
    for at in range(0, len(plain), 7):
        damaged = bytearray(plain)
        damaged[at] ^= 0x10
        with pytest.raises(BadInput, match="checksum"):
            decode(gzip.compress(bytes(damaged)), name, "id")


def test_what_is_no_bundle_is_refused() -> None:
    name, content = encode("id", [Record.of(FROZEN, [(1.0, 0.5)], clock="cpu", budget=60)])
    for wrong in (b"", b"text", content[:-9], content[: len(content) // 2]):
        with pytest.raises(BadInput, match="checksum"):
            decode(wrong, name, "id")
    with pytest.raises(BadInput, match="another prior"):
        decode(content, name, "other")


def test_a_bomb_is_not_unpacked() -> None:
    bomb = gzip.compress(b"\0" * (65 << 20), 9)
    with pytest.raises(BadInput, match="checksum"):
        decode(bomb, "0" * 64, "id")


def test_a_configuration_of_a_later_version_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = opened([Record.of(FROZEN, [], clock="cpu", budget=60)])
    later = Bundle(**(vars(bundle) | {"texts": (bundle.texts[0].replace('"members"', '"member_count"'),)}))
    with pytest.raises(BadConfig, match="member_count"):
        later.record(0, Configs())


def test_a_configuration_from_before_a_field_was_there_is_what_it_means_today() -> None:
    bundle = opened([Record.of(FROZEN, [], clock="cpu", budget=60)])
    before = bundle.texts[0].replace('"folds": 5, ', "")
    assert before != bundle.texts[0]
    older = Bundle(**(vars(bundle) | {"texts": (before,), "names": ("0" * 12,)}))
    assert older.read_config(0, Configs()) == (FROZEN.digest, FROZEN)
