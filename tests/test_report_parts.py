"""What the report is made of: pictures, charts, measures and words."""

from __future__ import annotations

import base64
import io
import math
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from headstart.report.charts import close_up, confusion_matrix, learning_curve, log_clock, spans
from headstart.report.markup import count, decimals, duration, percent, shorten, text
from headstart.report.measures import accuracy, by_class, confused_pairs, mistakes
from headstart.report.pictures import thumbnail
from headstart.report.reading import Curve, Evidence


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGB", "RGBA", "I;16", "I", "F", "1", "CMYK"])
def test_thumbnails_of_every_mode(tmp_path: Path, mode: str) -> None:
    path = tmp_path / ("a.png" if mode not in ("I", "F", "CMYK") else "a.tif")
    if mode in ("I;16", "I", "F"):
        dtype = {"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]
        Image.fromarray((np.arange(200 * 300) % 60000).reshape(200, 300).astype(dtype)).save(path)
    else:
        Image.new(mode, (300, 200)).save(path)
    picture = thumbnail(path)
    assert (picture.width, picture.height, picture.why) == (96, 64, "")


def test_small_pictures_are_not_enlarged(tmp_path: Path) -> None:
    Image.new("RGB", (12, 9)).save(tmp_path / "a.png")
    assert (thumbnail(tmp_path / "a.png").width, thumbnail(tmp_path / "a.png").height) == (12, 9)


def test_files_without_a_picture(tmp_path: Path) -> None:
    (tmp_path / "noise.jpg").write_bytes(b"\xff\xd8\xff" + b"noise" * 9)
    Image.new("RGB", (400, 400), "red").save(tmp_path / "whole.jpg")
    (tmp_path / "half.jpg").write_bytes((tmp_path / "whole.jpg").read_bytes()[:700])
    for name in ("noise.jpg", "half.jpg"):
        picture = thumbnail(tmp_path / name)
        assert (picture.uri, picture.why) == ("", "cannot be shown")
    assert thumbnail(tmp_path).why == thumbnail(tmp_path / "none.jpg").why == "file not found"


def film(path: Path, width: int = 160, height: int = 90) -> Path:
    av = pytest.importorskip("av")
    with av.open(str(path), "w") as file:
        stream = file.add_stream("mpeg4", rate=8)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for shade in (200, 10, 10):
            pixels = np.full((height, width, 3), shade, np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")):
                file.mux(packet)
        for packet in stream.encode():
            file.mux(packet)
    return path


def test_a_clip_is_shown_by_its_first_frame_in_its_shape(tmp_path: Path) -> None:
    picture = thumbnail(film(tmp_path / "a.mp4"), "video")
    assert (picture.width, picture.height, picture.why) == (96, 54, "")
    with Image.open(io.BytesIO(base64.b64decode(picture.uri.partition(",")[2]))) as image:
        assert abs(np.asarray(image).mean() - 200) < 12


def test_animations_and_folders_of_frames_are_clips(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (60, 120), shade) for shade in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    (tmp_path / "clip").mkdir()
    frames[0].save(tmp_path / "clip" / "1.png")
    for name in ("a.gif", "clip"):
        picture = thumbnail(tmp_path / name, "video")
        assert (picture.width, picture.height, picture.why) == (48, 96, "")


def test_clips_that_cannot_be_shown(tmp_path: Path) -> None:
    (tmp_path / "noise.mp4").write_bytes(b"noise" * 99)
    (tmp_path / "empty").mkdir()
    for name in ("noise.mp4", "empty"):
        assert thumbnail(tmp_path / name, "video").why == "cannot be shown"
    assert thumbnail(tmp_path / "none.mp4", "video").why == "file not found"


def test_confident_mistakes_come_first() -> None:
    posteriors = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.7, 0.3]], np.float16)
    evidence = Evidence(np.array([1, 1, 0, 1]), posteriors)
    found = mistakes(evidence, 2)
    assert [(m.sample, m.label, m.truth) for m in found] == [(0, 0, 1), (2, 1, 0)]
    assert found[0].confidence == pytest.approx(0.9, abs=1e-3)
    assert [(p.truth, p.predicted, p.count) for p in confused_pairs(evidence, 9)] == [(1, 0, 2), (0, 1, 1)]


def curve_of(seconds: list[float], scores: list[float], stages: list[str] | None = None) -> Curve:
    n = len(seconds)
    return Curve(np.array(seconds), np.array(seconds), np.array(scores), tuple(stages or ["s"] * n), (1,) * n)


times = st.lists(st.floats(0.0, 1300.0), min_size=1, max_size=20).map(sorted)


@given(times, st.data(), st.floats(1.0, 1e5))
def test_charts_are_well_formed(seconds: list[float], data: st.DataObject, budget: float) -> None:
    n = len(seconds)
    scores = data.draw(st.lists(st.floats(-1, 1), min_size=n, max_size=n))
    stages = data.draw(st.lists(st.sampled_from("ab<&"), min_size=n, max_size=n))
    curve = curve_of(seconds, scores, stages)
    for svg in (learning_curve(curve, budget, seconds[-1], 0.5), close_up(curve, seconds[-1])):
        if not svg:
            continue
        tree = ElementTree.fromstring(svg)
        for element in tree.iter():
            for key in ("x", "x1", "x2", "cx"):
                assert -1 <= float(element.get(key, 0)) <= 1000
        assert "nan" not in svg and "inf" not in svg


@given(times, st.floats(1.0, 1e5))
def test_tick_labels_do_not_overlap(seconds: list[float], budget: float) -> None:
    svg = learning_curve(curve_of(seconds, [0.5] * len(seconds)), budget, seconds[-1], None)
    places = sorted(float(x) for x in re.findall(r'class="tick" x="([\d.]+)" y="320', svg))
    assert len(places) >= 2 and min(np.diff(places)) >= 52 - 1e-6


def test_stages_follow_each_other_and_reach_the_end() -> None:
    curve = curve_of([1, 2, 5, 9], [0.1, 0.2, 0.3, 0.4], ["a", "a", "b", "a"])
    found = [(s.stage, s.number, s.start, s.end) for s in spans(curve, 12.0)]
    assert found == [("a", 1, 0.0, 2), ("b", 2, 2, 5), ("a", 1, 5, 12.0)]


@given(st.floats(0.5, 1e6))
def test_log_clock_runs_from_0_to_1(budget: float) -> None:
    place = log_clock(budget).place
    assert place(0.0) == 0.0 and place(budget) == pytest.approx(1.0)


def test_confusion_matrix_holds_every_count() -> None:
    counts = np.array([[5, 1], [0, 7]])
    tree = ElementTree.fromstring(confusion_matrix(counts, ["cat", "dog"]))
    found = [e.text for e in tree.iter("text") if (e.get("class") or "").startswith("count")]
    assert found == ["5", "1", "7"]


def test_measures_of_a_class_never_predicted_and_one_never_seen() -> None:
    posteriors = np.array([[0.9, 0.1, 0], [0.8, 0.2, 0], [0.6, 0.4, 0]], np.float16)
    evidence = Evidence(np.array([0, 0, 1]), posteriors)
    found = {c.index: c for c in by_class(evidence)}
    assert found[0].recall == 1.0 and found[0].precision == pytest.approx(2 / 3)
    assert found[1].recall == 0.0 and math.isnan(found[1].precision) and found[1].score == 1.0
    assert math.isnan(found[2].score) and math.isnan(found[2].recall)
    assert by_class(evidence)[-1].index == 2


@given(st.integers(1, 400), st.data())
def test_accuracy_interval_is_sensible(n: int, data: st.DataObject) -> None:
    right = data.draw(st.integers(0, n))
    targets = np.array([0] * right + [1] * (n - right))
    share, half = accuracy(Evidence(targets, np.tile(np.array([[0.9, 0.1]], np.float16), (n, 1))))
    assert share == pytest.approx(right / n) and 0 < half < 0.5


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.0, "0 s"), (0.64, "0.6 s"), (9.96, "10 s"), (59.7, "1 min"), (192, "3 min 12 s"), (3599.9, "1 h"),
     (3900, "1 h 5 min"), (None, "–"), (math.nan, "–")],
)  # fmt: skip
def test_durations(seconds: float | None, said: str) -> None:
    assert duration(seconds) == said


def test_numbers() -> None:
    assert (decimals(-0.5), decimals(None), percent(0.123, 1)) == ("\u22120.500", "–", "12.3\u202f%")
    assert (count(1234567), count(None)) == ("1\u202f234\u202f567", "–")


@given(st.text())
def test_text_can_always_be_written_and_holds_no_markup(value: str) -> None:
    escaped = text(value)
    escaped.encode("utf-8")
    assert not set("<>\"'") & set(escaped)


@given(st.text(), st.integers(1, 30))
def test_shortened_names_fit(value: str, columns: int) -> None:
    short = shorten(value, columns)
    assert short == value or (short.endswith("…") and len(short) <= len(value))
