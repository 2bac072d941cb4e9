"""Verdicts over records of runs: what counts, what is refused, on which clock; and the challenge's own traps."""

from __future__ import annotations

import contextlib
import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.challenge.figure import learning_curves
from headstart.challenge.judge import judge
from headstart.challenge.predictions import glance, number, read
from headstart.errors import BadInput
from headstart.words.scoring import alc, score
from plays import make_run, stamp

LIST = json.loads((Path(__file__).parent / "data" / "scoring_conformance.json").read_text("utf-8"))
TRUTH = np.eye(2, dtype=np.uint8)[[0, 1, 0, 1]]
RIGHT = b".9 .1\n.2 .8\n.7 .3\n.4 .6\n"
HALF = b".9 .1\n.2 .8\n.1 .9\n.4 .6\n"  # scores 0
NAMES = [f"task.predict_{k}" for k in range(9)]


def test_every_behaviour_of_the_list_is_there() -> None:
    told = {case["behaviour"] for part in ("cases", "runs") for case in LIST[part]}
    assert told == set(range(1, 31))


@pytest.mark.parametrize("case", LIST["runs"], ids=lambda case: f"{case['behaviour']}: {case['case']}")
def test_conformance_of_runs(case: dict[str, Any], tmp_path: Path) -> None:
    if "files" not in case:
        pytest.skip("concerns submissions: tested there")
    files = {name: content.encode() for name, content in case["files"].items()}
    events = [{"t": 0, "event": "start"}, *(stamp(t, name) for t, name in case["stamps"])]
    out = make_run(tmp_path / "run", case["truth"], files, events, name=case.get("task", "task"))
    ours = case["ours"]
    verdict = judge(out)
    assert verdict.task == case.get("task", "task")
    assert [[p.seconds, round(p.score, 4)] for p in verdict.curve] == ours["curve"]
    assert verdict.late == ours.get("late", 0)
    found = {refused.file: refused.reason for refused in verdict.refused}
    assert found.keys() == ours.get("refused", {}).keys()
    for name, words in ours.get("refused", {}).items():
        assert words in found[name]
    for words in ours.get("warned", []):
        assert any(words in warning for warning in verdict.warnings)


def test_a_curve_and_its_areas(tmp_path: Path) -> None:
    events = [
        {"t": 0, "event": "start", "cpu": 0.0},
        {"t": 4.0, "event": "started", "file": "started", "cpu": 3.0},
        stamp(10.0, NAMES[0], 7.0),
        stamp(100.0, NAMES[1], 90.0),
        stamp(1201.0, NAMES[2], 1000.0),
        {"t": 1202.0, "event": "end"},
    ]
    out = make_run(tmp_path / "run", TRUTH, dict(zip(NAMES, (HALF, RIGHT, HALF), strict=False)), events)
    verdict = judge(out)
    assert [(p.seconds, p.score) for p in verdict.curve] == [(10.0, 0.0), (100.0, 1.0)]
    assert verdict.late == 1 and verdict.refused == () and verdict.warnings == ()
    assert verdict.final_score == 1.0 and verdict.first_prediction_seconds == 10.0
    assert verdict.alc == {"60": alc([100], [1.0]), "20": alc([100], [1.0], t0=20)}
    assert verdict.start_up_seconds == 4.0 and verdict.without_start_up is not None
    assert verdict.without_start_up.alc["60"] == alc([96], [1.0])
    assert verdict.without_start_up.first_prediction_seconds == 6.0
    assert verdict.on_cpu is not None and verdict.on_cpu.alc["20"] == alc([90], [1.0], t0=20)
    document = json.loads((out / "verdict.json").read_text())
    for key in ("alc", "final_score", "first_prediction_seconds", "curve", "clock", "without_start_up"):
        assert key in document
    assert document["curve"] == [[10.0, 0.0], [100.0, 1.0]] and document["clock"] == "wall"
    ET.fromstring((out / "curve.svg").read_text())


def test_a_later_refusal_does_not_take_what_was_before(tmp_path: Path) -> None:
    files = {NAMES[0]: RIGHT, NAMES[1]: b"nan .1\n" + RIGHT[6:], NAMES[2]: HALF, NAMES[3]: RIGHT}
    events = [stamp(k + 1.0, name) for k, name in enumerate(files)]
    events.append(
        {"t": 9.0, "event": "changed", "file": NAMES[3], "words": "was changed after it was published"}
    )
    verdict = judge(make_run(tmp_path / "run", TRUTH, files, events))
    assert [p.file for p in verdict.curve] == [NAMES[0], NAMES[2]]
    reasons = {refused.file: refused.reason for refused in verdict.refused}
    assert "nan in row 0, column 0" in reasons[NAMES[1]] and "was changed" in reasons[NAMES[3]]


def test_a_file_that_is_gone_or_a_link_is_refused(tmp_path: Path) -> None:
    out = make_run(tmp_path / "run", TRUTH, {NAMES[0]: RIGHT}, [stamp(k, NAMES[k]) for k in range(3)])
    (out / "predictions" / NAMES[2]).symlink_to(NAMES[0])
    verdict = judge(out)
    assert [p.file for p in verdict.curve] == [NAMES[0]]
    assert [r.reason for r in verdict.refused] == ["is no regular file"] * 2


def test_no_class_can_be_scored(tmp_path: Path) -> None:
    verdict = judge(
        make_run(tmp_path / "run", [[1, 0], [1, 0]], {NAMES[0]: b"1 0\n0 1\n"}, [stamp(1, NAMES[0])])
    )
    assert verdict.classes_scored == 0 and verdict.final_score == 0.0
    assert "no class is in some but not all" in verdict.warnings[0]


def test_a_run_that_a_kill_cut_short(tmp_path: Path) -> None:
    out = make_run(tmp_path / "run", TRUTH, {NAMES[0]: RIGHT}, [stamp(1.0, NAMES[0])], state="running")
    with open(out / "events.jsonl", "a") as file:
        file.write('{"t": 2.0, "event": "predi')
    verdict = judge(out)
    assert verdict.final_score == 1.0 and "not over" in verdict.warnings[0]
    assert verdict.on_cpu is None  # the record does not know CPU seconds


@pytest.mark.parametrize("name", ["play.json", "events.jsonl", "answers.npz"])
@pytest.mark.parametrize("content", [None, b"", b"{}", b"\xff\x00nothing", b'[1]\n{"t": 1}\n'])
def test_damaged_records(tmp_path: Path, name: str, content: bytes | None) -> None:
    out = make_run(tmp_path / "run", TRUTH, {NAMES[0]: RIGHT}, [stamp(1.0, NAMES[0])])
    (out / name).unlink()
    if content is not None:
        (out / name).write_bytes(content)
    if name == "events.jsonl" and content in (b"", b"{}"):
        assert judge(out).curve == ()
        return
    with pytest.raises(BadInput) as refusal:
        judge(out)
    assert str(out) in str(refusal.value)


def test_not_a_run(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"holds no play\.json"):
        judge(tmp_path)


def test_names_of_predictions() -> None:
    assert number("x.predict_0") == 0 and number("a.b.predict_12.npy") == 12
    for name in (
        "predict_0",
        "x.predict_01",
        "x.predict_1_old",
        "x.predict_1.npz",
        "x.predict_-1",
        "x.predict_\u0661",
    ):
        assert number(name) is None


@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_are_a_prediction_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, binary: bool
) -> None:
    path = tmp_path_factory.mktemp("any") / ("x.predict_0" + ".npy" * binary)
    path.write_bytes(content)
    with contextlib.suppress(BadInput):
        assert read(str(path), 2, 2).shape == (2, 2)


@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 2**31))
def test_text_and_npy_read_the_same(
    tmp_path_factory: pytest.TempPathFactory, rows: int, columns: int, seed: int
) -> None:
    values = np.random.default_rng(seed).normal(size=(rows, columns)) * 10.0 ** (seed % 40 - 20)
    folder = tmp_path_factory.mktemp("same")
    text, npy = folder / "x.predict_0", folder / "x.predict_0.npy"
    text.write_text("\n".join(" ".join(f"{v!r}" for v in row) for row in values.tolist()))
    np.save(npy, values)
    for path in (text, npy):
        assert glance(str(path), rows, columns) is None
        np.testing.assert_array_equal(read(str(path), rows, columns), values)


@given(
    st.lists(st.tuples(st.floats(0, 1300), st.integers(-9, 9)), max_size=8, unique_by=lambda pair: pair[0]),
)
def test_the_area_is_that_of_what_counts(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[float, int]]
) -> None:
    """Against scores and area computed apart, for predictions in any number, also late ones."""
    pairs.sort()
    draw = np.random.default_rng(abs(hash(tuple(pairs))) % 2**32)
    values = [draw.integers(0, 5, (4, 2)) for _ in pairs]
    files = {f"task.predict_{k}": "\n".join(f"{a} {b}" for a, b in v).encode() for k, v in enumerate(values)}
    events = [stamp(t, f"task.predict_{k}", t) for k, (t, _) in enumerate(pairs)]
    verdict = judge(make_run(tmp_path_factory.mktemp("area") / "run", TRUTH, files, events))
    expected = alc([t for t, _ in pairs], [score(TRUTH, v) for v in values])
    assert verdict.alc["60"] == pytest.approx(expected, abs=1e-12)
    assert verdict.late == sum(t > 1200 for t, _ in pairs)
    assert verdict.on_cpu is not None and verdict.on_cpu.alc == verdict.alc


@pytest.mark.parametrize(
    "curve", [[], [(3.0, 0.5)], [(0.0, -1.0), (1200.0, 1.0)], [(t / 10, 0.5) for t in range(300)]]
)
def test_figures_are_whole_documents(curve: list[tuple[float, float]]) -> None:
    times, scores = [t for t, _ in curve], [s for _, s in curve]
    drawing = learning_curves(times, scores, 1200.0, (60.0, 20.0), (0.5, 0.25), "a <learner> & a\x1b task")
    root = ET.fromstring(drawing)
    shown = "".join(root.itertext())
    assert "a <learner> & a task" in shown and "ALC 0.5000 (t0 = 60 s), 0.2500 (t0 = 20 s)" in shown
    assert len([e for e in root.iter() if e.get("class") == "area"]) == bool(curve)
