"""Whole AutoDL datasets: the two official layouts, dense ones, videos, several labels, damage."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autodl_samples import coded, damage, jpeg, jpeg_dataset, pixels, png, png_dataset, records_of
from headstart.data.autodl import records
from headstart.data.autodl.dataset import open_dataset
from headstart.data.autodl.examples import one_hot
from headstart.data.autodl.layout import find_data, is_autodl
from headstart.data.autodl.writer import Sample, write_dataset
from headstart.data.frames import Clip
from headstart.data.images import decode, squeeze
from headstart.errors import BadDataset, BadInput
from headstart.words.task import Skipped


def test_the_png_layout_comes_back_equal(tmp_path: Path) -> None:
    data = open_dataset(png_dataset(tmp_path))
    task = data.task
    assert (task.name, task.kind, task.labels) == ("mini", "image", "single")
    assert task.classes == tuple(f"class {n}" for n in range(4))
    assert len(task.train) == 20 and task.test is not None and len(task.test) == 8
    assert task.train.paths[3] == "autodl:train:000003" and task.test.paths[7] == "autodl:test:000007"
    assert task.train.targets is not None and task.train.targets.tolist() == [n % 4 for n in range(8, 28)]
    assert (data.metadata.matrix.rows, data.metadata.matrix.columns) == (32, 32)
    assert data.metadata.sample_count == 20 and data.test_metadata is not None
    assert data.test_metadata.sample_count == 8 and data.metadata.sequence_size == 1
    for n in range(20):
        example = data.example(task.train.paths[n])
        assert example.images == (png(n + 8),) and example.labels == one_hot([(n + 8) % 4], n + 8)
        np.testing.assert_array_equal(data(task.train.paths[n], 32), pixels(n + 8))
    for n in range(8):
        assert data.example(task.test.paths[n]).labels.index == ()
    solution = data.solution()
    assert solution is not None and solution.argmax(axis=1).tolist() == [n % 4 for n in range(8)]
    assert data.size(task.train.paths[0]) == (32, 32)


def test_the_jpeg_layout_of_any_size_comes_back_equal(tmp_path: Path) -> None:
    data = open_dataset(jpeg_dataset(tmp_path))
    assert (data.metadata.matrix.rows, data.metadata.matrix.columns) == (-1, -1)
    assert data.task.classes == ("0", "1", "2", "3")
    for n in range(20):
        name, width, height = data.task.train.paths[n], 20 + 3 * (n + 8), 30 + (n + 8) % 7
        assert data.example(name).images == (jpeg(n + 8, width, height),)
        assert data.size(name) == (width, height)
        path = tmp_path / "one.jpg"
        path.write_bytes(jpeg(n + 8, width, height))
        np.testing.assert_array_equal(data(name, 16), decode(str(path), 16))


@pytest.mark.parametrize("white", [1.0, 255.0])
def test_dense_pictures_of_either_scale_are_exact(tmp_path: Path, white: float) -> None:
    values = [pixels(n, 5, 7) for n in range(8)]
    made = [Sample(v[None].astype(np.float64) / 255 * white, [n % 2]) for n, v in enumerate(values)]
    write_dataset(str(tmp_path / "d.data"), 2, made, made[:2])
    data = open_dataset(tmp_path)
    assert data.metadata.matrix.format == "DENSE" and data.metadata.matrix.rows == 7
    for n, v in enumerate(values):
        (whole,) = data.pixels.whole(data.example(data.task.train.paths[n]))
        np.testing.assert_array_equal(whole, v)
        np.testing.assert_array_equal(data(data.task.train.paths[n], 6), squeeze("", v, 6))
    assert data.size("autodl:train:000000") == (5, 7)


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 7])
def test_dense_pictures_of_any_channels_give_squares(tmp_path: Path, channels: int) -> None:
    made = [Sample(np.random.default_rng(n).normal(0, 9, (1, 4, 4, channels)), [n % 2]) for n in range(4)]
    write_dataset(str(tmp_path / "d.data"), 2, made)
    square = open_dataset(tmp_path)("autodl:train:000001", 8)
    assert isinstance(square, np.ndarray) and square.shape == (8, 8, 3) and square.dtype == np.uint8


def test_compressed_clips_of_any_length(tmp_path: Path) -> None:
    made = [Sample([png(100 * n + t) for t in range(1 + n)], [n % 2], (32, 32)) for n in range(6)]
    write_dataset(str(tmp_path / "v.data"), 2, made, made[:1])
    data = open_dataset(tmp_path)
    assert data.task.kind == "video" and data.metadata.sequence_size == -1
    for n in range(6):
        name = data.task.train.paths[n]
        first = data(name, 32)
        np.testing.assert_array_equal(first, pixels(100 * n))
        clip = data(name, 32, 4)
        assert isinstance(clip, Clip) and clip.frames.shape == (min(4, max(n, 1)), 32, 32, 3)
        np.testing.assert_array_equal(clip.frames[0], pixels(100 * n))
        np.testing.assert_array_equal(clip.after[-1], pixels(100 * n + n))


@pytest.mark.parametrize("joined", [False, True])
def test_dense_clips_of_fixed_length(tmp_path: Path, joined: bool) -> None:
    values = np.stack([pixels(n, 6, 6) for n in range(5)])
    made = [Sample(values.astype(np.float32), [n % 2]) for n in range(4)]
    write_dataset(str(tmp_path / "v.data"), 2, made)
    if joined:  # all moments in one Feature
        from headstart.data.autodl.examples import Example, serialise

        path = records_of(tmp_path / "v.data")
        whole = values.astype(np.float32).ravel()
        records.write(str(path), [serialise(Example(one_hot([n % 2]), numbers=(whole,))) for n in range(4)])
    data = open_dataset(tmp_path, kind="video")
    clip = data("autodl:train:000000", 6, 5)
    assert isinstance(clip, Clip)
    np.testing.assert_array_equal(clip.frames, values[:4])
    np.testing.assert_array_equal(clip.after, values[1:])


def test_several_labels_and_their_confidence(tmp_path: Path) -> None:
    labels = [[], [0], [1, 2], [0, 1, 2]]
    made = [Sample([png(n)], each, (32, 32)) for n, each in enumerate(labels)]
    write_dataset(str(tmp_path / "m.data"), {"a": 0, "b": 1, "c": 2}, made, made)
    data = open_dataset(tmp_path)
    wanted = [[0, 0, 0], [1, 0, 0], [0, 1, 1], [1, 1, 1]]
    assert data.task.labels == "multi" and data.task.train.targets is not None
    assert data.task.train.targets.tolist() == wanted and data.task.train.targets.dtype == np.uint8
    solution = data.solution()
    assert solution is not None and solution.tolist() == wanted
    alone = open_dataset(tmp_path, label_kind="single").task
    assert alone.train.targets is not None and alone.train.targets.tolist() == [0]
    assert list(alone.train.paths) == ["autodl:train:000001"] and len(alone.skipped) == 3


def test_metadata_with_few_samples_or_of_several_shards(tmp_path: Path) -> None:
    data = png_dataset(tmp_path)
    path = records_of(data)
    whole = path.read_bytes()
    path.unlink()
    places = []
    (tmp_path / "all").write_bytes(whole)
    with (tmp_path / "all").open("rb") as file:
        places = list(records.walk(file, "all"))
    cut = places[11].offset
    (data / "train" / "sample-x-10").write_bytes(whole[cut:])  # the official files have odd names
    (data / "train" / "sample-x-2.tfrecord").write_bytes(whole[:cut])
    (data / "train" / "notes.txt").write_text("nothing")
    opened = open_dataset(data)
    assert opened.task.train.targets is not None
    assert opened.task.train.targets.tolist() == [n % 4 for n in range(8, 28)]
    (data / "train" / "sample-x-10").unlink()
    notes = open_dataset(data).task.notes
    assert "train: metadata state 20 samples, the files hold 11" in notes


def test_a_dataset_is_found_by_its_folder_whatever_the_case(tmp_path: Path) -> None:
    inside = tmp_path / "Munster"
    inside.mkdir()
    data = png_dataset(inside, "munster")
    (inside / "munster.solution").rename(inside / "Munster.solution")
    assert find_data(inside) == str(data) and is_autodl(inside) and is_autodl(data)
    assert open_dataset(inside).solution() is not None
    png_dataset(inside, "other")
    with pytest.raises(BadDataset, match="several datasets"):
        open_dataset(inside)
    assert not is_autodl(tmp_path) and not is_autodl(tmp_path / "none") and not is_autodl([1])


def test_what_is_no_dataset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadDataset, match="no AutoDL dataset"):
        open_dataset(tmp_path)
    data = png_dataset(tmp_path)
    records_of(data).rename(data / "train" / "records")
    with pytest.raises(BadDataset, match="no records"):
        open_dataset(data)
    (data / "train" / "records").rename(data / "train" / "sample")
    text = (data / "test" / "metadata.textproto").read_text()
    (data / "test" / "metadata.textproto").write_text(text.replace("output_dim: 4", "output_dim: 5"))
    with pytest.raises(BadDataset, match="4 classes in train, 5 in test"):
        open_dataset(data)
    (data / "test" / "metadata.textproto").write_text("output_dim {")
    with pytest.raises(BadDataset, match="line 1"):
        open_dataset(data)
    for name in ("train", "test"):
        (data / name / "metadata.textproto").write_text("output_dim: 4 matrix_spec { format: SPARSE }")
    with pytest.raises(BadDataset, match="text or tables"):
        open_dataset(data)


def test_corrupt_records_raise_or_are_skipped_and_listed(tmp_path: Path) -> None:
    data = png_dataset(tmp_path)
    path = records_of(data)
    with path.open("rb") as file:
        places = list(records.walk(file, str(path)))
    damage(path, places[4].data + 1)  # the length of the context: the labels cannot be found
    with pytest.raises(BadDataset, match=rf"sample-mini-train.tfrecord', byte {places[4].offset}: .*"):
        open_dataset(data)
    damage(path, places[15].offset)  # a length: nothing beyond it is found
    opened = open_dataset(data, corrupt="skip")
    assert len(opened.task.train) == 14 and "autodl:train:000004" not in opened.task.train.paths
    reasons = [skipped.reason for skipped in opened.task.skipped]
    assert len(reasons) == 2 and f"byte {places[4].offset}" in reasons[0]
    assert f"byte {places[15].offset}: the length" in reasons[1] and "the rest of the file" in reasons[1]


def test_damaged_pixels_are_a_skipped_sample_with_file_and_byte(tmp_path: Path) -> None:
    data = png_dataset(tmp_path)
    path = records_of(data, "test")
    with path.open("rb") as file:
        places = list(records.walk(file, str(path)))
    damage(path, places[5].end - 40)
    opened = open_dataset(data)
    assert opened.task.test is not None and len(opened.task.test) == 8  # its row stays
    found = opened("autodl:test:000005", 8)
    assert isinstance(found, Skipped)
    assert found.reason.startswith(
        f"sample-mini-test.tfrecord, byte {places[5].offset}: the data of a record"
    )
    assert [one.path for one in opened.check("test")] == ["autodl:test:000005"]
    assert list(opened.check("train")) == []
    assert isinstance(opened("autodl:test:000005", 8, 3), Skipped)
    for name in ("autodl:test:000099", "autodl:val:000001", "autodl:", "other"):
        assert isinstance(opened(name, 8), Skipped)


def test_a_whole_record_without_an_image_is_skipped(tmp_path: Path) -> None:
    made = [Sample([b"no picture"], [n % 2], (32, 32)) for n in range(4)]
    write_dataset(str(tmp_path / "x.data"), 2, made)
    found = open_dataset(tmp_path)("autodl:train:000000", 8)
    assert found == Skipped("autodl:train:000000", "not an image of a known format")


def test_dense_numbers_that_do_not_fit_are_skipped(tmp_path: Path) -> None:
    made = [Sample(np.full((1, 4, 6, 1), n / 4, np.float32), [n % 2]) for n in range(4)]
    write_dataset(str(tmp_path / "x.data"), 2, made)
    about = tmp_path / "x.data" / "train" / "metadata.textproto"
    text = about.read_text()
    for spec, fits in (("row_count: 5", False), ("row_count: -1", True), ("row_count: 4", True)):
        about.write_text(text.replace("row_count: 4", spec))
        found = open_dataset(tmp_path)("autodl:train:000001", 8)
        assert isinstance(found, Skipped) != fits, (spec, found)
    both = text.replace("row_count: 4", "row_count: -1").replace("col_count: 6", "col_count: -1")
    about.write_text(both)
    found = open_dataset(tmp_path)("autodl:train:000001", 8)
    assert isinstance(found, Skipped) and "fix no shape" in found.reason


def test_nan_is_no_picture(tmp_path: Path) -> None:
    made = [Sample(np.full((1, 4, 4, 1), np.nan if n == 2 else 0.5, np.float32), [n % 2]) for n in range(4)]
    write_dataset(str(tmp_path / "x.data"), 2, made)
    data = open_dataset(tmp_path)
    assert data("autodl:train:000002", 8) == Skipped("autodl:train:000002", "holds NaN or infinite values")
    assert isinstance(data("autodl:train:000001", 8), np.ndarray)


def test_names_are_a_sequence_whose_content_tells_datasets_apart(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one = open_dataset(png_dataset(tmp_path / "a")).task.train
    other = open_dataset(png_dataset(tmp_path / "b", train=21)).task.train
    assert list(one.paths[2:4]) == ["autodl:train:000002", "autodl:train:000003"]
    assert list(one.paths) == list(other.paths[:20])
    assert b"".join(one.content()) != b"".join(other.content())
    again = open_dataset(tmp_path / "a").task.train
    assert b"".join(one.content()) == b"".join(again.content())


def test_any_thread_may_read(tmp_path: Path) -> None:
    data = open_dataset(png_dataset(tmp_path))
    wrong: list[int] = []

    def read(seed: int) -> None:
        for n in np.random.default_rng(seed).permutation(20).tolist() * 3:
            if not np.array_equal(np.asarray(data(data.task.train.paths[n], 32)), pixels(n + 8)):
                wrong.append(n)

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_the_writer_leaves_nothing_behind_that_is_not_whole(tmp_path: Path) -> None:
    png_dataset(tmp_path)
    with pytest.raises(BadInput, match="exists"):
        png_dataset(tmp_path)
    for name in ("nodot", ".data", "a.b.data"):
        with pytest.raises(BadInput, match="no name of an AutoDL dataset"):
            write_dataset(str(tmp_path / name), 2, [])
    mixed = [Sample([png(0)], [0]), Sample(np.zeros((1, 2, 2, 3)), [1])]
    with pytest.raises(BadInput, match="one of the two"):
        write_dataset(str(tmp_path / "y.data"), 2, mixed)
    unequal = [Sample(np.zeros((1, 2, n, 3)), [1]) for n in (2, 3)]
    with pytest.raises(BadInput, match="same shape"):
        write_dataset(str(tmp_path / "y.data"), 2, unequal)
    with pytest.raises(BadInput, match="has the labels"):
        write_dataset(str(tmp_path / "y.data"), 2, [Sample([png(0)], [2])])
    assert sorted(os.listdir(tmp_path)) == ["mini.data", "mini.solution"]


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_file_ends_in_samples_or_clean_reasons(tmp_path: Path, data: st.DataObject) -> None:
    folder = tmp_path / "fuzz"
    if not folder.exists():
        folder.mkdir()
        png_dataset(folder, train=3, test=2, classes=2)
    path = records_of(folder / "mini.data")
    original = tmp_path / "original"
    if not original.exists():
        original.write_bytes(path.read_bytes())
    content = bytearray(original.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        opened = open_dataset(folder, corrupt="skip")
    except BadDataset as error:
        assert str(error)
        return
    for name in opened.task.train.paths:
        found = opened(name, 8)
        assert isinstance(found, Skipped) or found.shape == (8, 8, 3)  # type: ignore[union-attr]


def test_the_first_picture_of_a_gif_is_the_sample(tmp_path: Path) -> None:
    made = [Sample([coded(pixels(n), "BMP")], [n % 2], (32, 32)) for n in range(2)]
    made += [Sample([coded(pixels(n), "GIF")], [n % 2], (32, 32)) for n in range(2)]
    write_dataset(str(tmp_path / "x.data"), 2, made)
    data = open_dataset(tmp_path)
    np.testing.assert_array_equal(data("autodl:train:000001", 32), pixels(1))
    assert isinstance(data("autodl:train:000002", 32), np.ndarray)
