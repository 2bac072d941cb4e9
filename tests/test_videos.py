"""Clips of every form: which frames are looked at, that both ways of reading give the same, and what is damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clips import animate, encode, folder_of_frames, moving, numbered
from headstart.data import films, videos
from headstart.data.frames import Clip, moments
from headstart.words.task import Skipped

pytest.importorskip("av")


def levels(clip: Clip) -> tuple[list[int], list[int]]:
    """The numbers of the frames of `clips.numbered`."""
    numbers = [
        [round((float(square.mean()) - 10) / 5) for square in some] for some in (clip.frames, clip.after)
    ]
    return numbers[0], numbers[1]


def read(path: Path, frames: int = 8, pixels: int = 64) -> Clip:
    found = videos.clips(str(path), frames, (pixels,))
    assert not isinstance(found, Skipped), found
    return found[0]


def refused(path: Path) -> str:
    """The reason, which both ways of looking at a clip give."""
    found, poster = videos.clips(str(path), 8, (64,)), videos.poster(str(path), 64)
    assert isinstance(found, Skipped) and isinstance(poster, Skipped)
    assert found.path == str(path) and found.reason == poster.reason
    return found.reason


@given(st.integers(1, 500), st.integers(1, 40), st.none() | st.floats(0.1, 240))
def test_moments_are_spread_evenly_and_each_is_followed_soon_after(
    total: int, count: int, rate: float | None
) -> None:
    found = moments(total, count, rate)
    starts = [start for start, _ in found]
    step = max(1, round((rate or 0) * 0.1))
    assert 1 <= len(found) <= count and starts == sorted(set(starts)) and starts[0] == 0
    assert all(0 <= start <= end < total and (end > start or total == 1) for start, end in found)
    assert all(end - start == min(step, total - 1) for start, end in found)
    if len(found) > 2:
        gaps = np.diff(starts)
        assert gaps.max() - gaps.min() <= 1


@pytest.mark.parametrize("name", ["a.mp4", "a.avi", "a.mkv", "a.mov"])
@pytest.mark.parametrize("gop", [1, 4, 12, 100])
def test_the_wanted_frames_are_found_in_every_container_and_however_keyframes_lie(
    tmp_path: Path, name: str, gop: int
) -> None:
    path = encode(tmp_path / name, numbered(40), gop=gop)
    frames, after = levels(read(path, 5))
    assert frames == [start for start, _ in moments(40, 5, 10)] and after == [n + 1 for n in frames]


def test_webm_and_h264_with_frames_out_of_order(tmp_path: Path) -> None:
    for path, codec in ((tmp_path / "a.webm", "libvpx"), (tmp_path / "b.mp4", "libx264")):
        frames, _ = levels(read(encode(path, numbered(30), gop=10, codec=codec), 4))
        assert frames == [start for start, _ in moments(30, 4, 10)]


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png"])
def test_animated_pictures_are_clips(tmp_path: Path, name: str) -> None:
    path = animate(tmp_path / name, numbered(20))
    assert videos.is_animated(str(path))
    frames, after = levels(read(path, 4))
    assert frames == [start for start, _ in moments(20, 4, None)] and after == [n + 1 for n in frames]
    poster = videos.poster(str(path), 64)
    assert not isinstance(poster, Skipped) and abs(float(poster.mean()) - 10) < 1


def test_a_folder_of_frames_is_a_clip(tmp_path: Path) -> None:
    path = folder_of_frames(tmp_path / "clip", numbered(12))
    assert levels(read(path, 3))[0] == [start for start, _ in moments(12, 3, None)]
    assert videos.size(str(path)) == (64, 64)


def test_a_still_picture_is_a_clip_of_one_frame(tmp_path: Path) -> None:
    path = animate(tmp_path / "a.png", numbered(1))
    clip = read(path)
    assert clip.frames.shape == (1, 64, 64, 3) and np.array_equal(clip.frames, clip.after)


def test_several_sizes_come_from_one_reading_and_equal_single_ones(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp4", moving("left"))
    both = videos.clips(str(path), 4, (32, 64))
    assert not isinstance(both, Skipped)
    for clip, pixels in zip(both, (32, 64), strict=True):
        assert np.array_equal(clip.frames, read(path, 4, pixels).frames)


def test_only_the_groups_that_are_needed_are_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = encode(tmp_path / "a.mp4", numbered(49), gop=7)
    held = read(path, 2)
    assert levels(held)[0] == [0, 47]
    monkeypatch.setattr(films, "HELD", 0)  # as with a file too large to hold: the reader seeks
    assert np.array_equal(held.frames, read(path, 2).frames)
    monkeypatch.setattr(films._Plan, "passes_over", lambda self: False)
    assert np.array_equal(held.frames, read(path, 2).frames)


def test_a_long_video_without_keyframes_is_seen_at_its_beginning_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = encode(tmp_path / "a.avi", numbered(40), gop=100)
    monkeypatch.setattr(films, "LONGEST", 10)
    assert max(levels(read(path, 4))[1]) <= 10


def test_damaged_videos_are_values_with_reasons(tmp_path: Path) -> None:
    whole = encode(tmp_path / "whole.mp4", moving("up", 30)).read_bytes()
    cases = {"empty.mp4": b"", "text.mp4": b"no video at all" * 100, "head.mp4": whole[:40]}
    for name, content in cases.items():
        (tmp_path / name).write_bytes(content)
        assert refused(tmp_path / name), name
    assert refused(tmp_path / "none.mp4") == "no such file"
    (tmp_path / "void").mkdir()
    assert refused(tmp_path / "void") == "a folder without frames"


def test_a_video_without_frames_or_without_pictures_says_so(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert refused(tmp_path / "sound.mp4") == "holds no video stream"


def test_a_broken_tail_leaves_the_frames_before_it(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.avi", numbered(40), gop=4)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 85 // 100])
    frames, _ = levels(read(path, 8))
    assert frames[0] == 0 and frames == sorted(frames) and 3 < frames[-1] < 37


def test_frames_of_changing_size_become_squares_all_the_same(tmp_path: Path) -> None:
    folder = folder_of_frames(tmp_path / "clip", numbered(3))
    folder_of_frames(tmp_path / "other", numbered(3, side=128))
    for number in (1, 2, 3):
        (tmp_path / "other" / f"frame_{number:04d}.png").rename(folder / f"frame_{number + 3:04d}.png")
    assert read(folder, 5).frames.shape == (5, 64, 64, 3)
    one, two = (encode(tmp_path / f"{side}.ts", numbered(12, side), codec="mpeg2video") for side in (64, 96))
    (tmp_path / "joined.mpg").write_bytes(one.read_bytes() + two.read_bytes())
    clip = read(tmp_path / "joined.mpg", 6)
    assert clip.frames.shape[1:] == (64, 64, 3)


def test_a_frame_of_too_many_pixels_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = encode(tmp_path / "a.mp4", numbered(3))
    monkeypatch.setattr(films, "MAX_DECODED", 1000)
    assert refused(path) == "too many pixels (64 x 64)"
