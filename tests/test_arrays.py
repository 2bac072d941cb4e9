"""Pictures and labels from Python become the same pixels and targets as files and folders do."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from PIL import Image

from conftest import draw
from headstart.data.arrays import Pictures, encode
from headstart.data.frames import Clip
from headstart.data.images import decode
from headstart.errors import BadDataset, BadInput
from headstart.words.task import Skipped


def pixels_of(item: Any, size: int = 16) -> NDArray[np.uint8]:
    pictures = Pictures([item])
    got = pictures(pictures.names[0], size)
    assert isinstance(got, np.ndarray), got
    assert got.shape == (size, size, 3) and got.dtype == np.uint8
    return got


def reason(item: Any, kind: Any = "image") -> str:
    pictures = Pictures([item], kind)
    got = pictures(pictures.names[0], 16)
    assert isinstance(got, Skipped) and got.path == pictures.names[0]
    return got.reason


@pytest.mark.parametrize("mode", ["RGB", "L", "1", "P", "RGBA", "LA", "I;16", "I", "F", "CMYK"])
def test_an_image_in_memory_gives_the_pixels_of_its_file(tmp_path: Path, mode: str) -> None:
    image = draw(1, 2, 48)
    if mode in ("RGBA", "LA"):
        image.putalpha(draw(3, 1, 48).convert("L"))
    if mode == "I;16":
        image = Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 16)
    else:
        image = image.convert("L").convert(mode) if mode in ("I", "F") else image.convert(mode)
    path = tmp_path / ("x.tif" if mode in ("I", "F", "CMYK") else "x.png")
    image.save(path)
    expected = decode(str(path), 16)
    for item in (path, str(path), image, Image.open(path)):
        np.testing.assert_array_equal(pixels_of(item), expected)
    if mode not in ("P", "CMYK", "LA"):
        np.testing.assert_array_equal(pixels_of(np.asarray(image)), expected)


def test_orientation_of_an_open_image_is_honoured(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    draw(1, 1, 40).save(tmp_path / "x.png", exif=exif)
    with Image.open(tmp_path / "x.png") as image:
        np.testing.assert_array_equal(pixels_of(image), decode(str(tmp_path / "x.png"), 16))


def test_every_form_of_grey_is_the_same_picture() -> None:
    grey = np.asarray(draw(0, 0).convert("L")).copy()
    grey[0, 0] = 255
    expected = pixels_of(grey)
    forms: list[Any] = [grey[:, :, None], np.stack([grey] * 3, 2), np.stack([grey] * 3 + [grey * 0 + 255], 2)]
    forms += [grey.astype(kind) for kind in (np.int64, np.uint16, np.int16, np.float32, np.float64)]
    forms += [grey / 255, grey.astype(np.uint16) * 257, (grey / 255).astype(np.float16)]
    forms += [np.asfortranarray(grey), np.repeat(grey, 2, 1)[:, ::2]]
    for form in forms:
        np.testing.assert_allclose(pixels_of(form).astype(int), expected, atol=1)


def test_bool_is_black_and_white_and_transparency_lies_on_white() -> None:
    board = np.indices((16, 16)).sum(0) % 2 == 0
    np.testing.assert_array_equal(pixels_of(board)[:, :, 0], board * 255)
    assert (pixels_of(np.zeros((8, 8, 4), np.uint8)) == 255).all()
    assert (pixels_of(np.zeros((8, 8, 4))) == 255).all()


def test_one_array_is_many_pictures_and_its_items_are_views() -> None:
    several = np.random.default_rng(0).integers(0, 256, (5, 8, 9, 3), np.uint8)
    for whole in (several, several[..., 0], several[..., :1], several / 255.0):
        pictures, listed = Pictures(whole), Pictures(list(whole))
        assert pictures.names == listed.names and len(pictures) == 5
        for name in pictures.names:
            assert pictures.size(name) == (9, 8) and pictures.in_memory(name)
            np.testing.assert_array_equal(pictures(name, 8), listed(name, 8))
    pictures = Pictures(several)
    several[2] = 255
    assert (np.asarray(pictures(pictures.names[2], 4)) == 255).all()


def test_names_tell_content_apart() -> None:
    one = np.zeros((4, 4), np.uint8)
    names = Pictures([one, one, one + 1, one[:2], one.astype(bool), Image.fromarray(one)]).names
    assert len(set(names)) == 6
    assert [name.split(":")[:2] for name in names] == [["memory", str(n)] for n in range(6)]
    sums = [name.split(":")[2] for name in names]
    assert sums[0] == sums[1] and len(set(sums)) == 5 and all(len(s) == 16 for s in sums)
    assert Pictures([one.copy()]).names == [names[0]]
    paletted = [Image.fromarray(one).convert("P") for _ in range(2)]
    paletted[1].putpalette([9, 9, 9] * 256)
    assert len({name.split(":")[2] for name in Pictures(paletted).names}) == 2


def test_paths_go_to_the_decoder_as_they_are() -> None:
    asked: list[tuple[str, int, int]] = []

    def decoder(path: str, pixels: int, frames: int) -> NDArray[np.uint8]:
        asked.append((path, pixels, frames))
        return np.full((pixels, pixels, 3), 7, np.uint8)

    pictures = Pictures(["a/b.png", Path("c.png"), b"d.png", np.str_("e.png"), "memory:0:x"], decode=decoder)
    assert pictures.names == ["a/b.png", "c.png", "d.png", "e.png", "./memory:0:x"]
    assert all(type(name) is str for name in pictures.names)
    for name in pictures.names:
        pictures(name, 4)
    assert asked == [(name, 4, 1) for name in pictures.names]
    missing = Pictures(["nowhere.png"])
    got = missing("nowhere.png", 8)
    assert isinstance(got, Skipped) and got.reason == "no such file"
    assert np.asarray(missing.reading_with(decoder)("nowhere.png", 8)).max() == 7
    assert isinstance(missing.size("nowhere.png"), Skipped)


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (np.zeros(5), "(5,)"),
        (np.zeros((3, 8, 9)), "channels come last"),
        (np.zeros((2, 8, 8, 3)), "(2, 8, 8, 3)"),
        (np.zeros((8, 8, 2)), "(8, 8, 2)"),
        (np.zeros((0, 8)), "empty"),
        (np.zeros((8, 0, 3)), "empty"),
        (np.array([[0.0, np.nan]]), "NaN"),
        (np.array([[0.0, np.inf]]), "infinite"),
        (np.zeros((4, 4), complex), "complex128"),
        (np.array([["a"]]), "<U1"),
        (np.array([[None]]), "object"),
        ([[0, 1], [1, 0]], "type list"),
        (None, "type NoneType"),
        (3, "type int"),
    ],
)
def test_a_bad_item_is_skipped_with_a_reason(item: Any, words: str) -> None:
    assert words in reason(item)
    assert "\n" not in reason(item)


def test_a_bad_item_does_not_spoil_the_others() -> None:
    good = np.zeros((4, 4), np.uint8)
    pictures = Pictures([good, np.zeros(3), good])
    assert [isinstance(pictures(name, 4), Skipped) for name in pictures.names] == [False, True, False]


def test_an_open_image_whose_file_is_cut_is_skipped(tmp_path: Path) -> None:
    draw(0, 0, 64).save(tmp_path / "x.png")
    content = (tmp_path / "x.png").read_bytes()
    (tmp_path / "x.png").write_bytes(content[: len(content) // 2])
    with Image.open(tmp_path / "x.png") as image:
        assert "truncated" in reason(image)


class Strange:
    """An array of another library that is not on this machine's side."""

    def __array__(self, *args: Any, **options: Any) -> NDArray[Any]:
        raise TypeError("can't convert device tensor\nto numpy")


def test_a_strange_array_is_skipped() -> None:
    assert (
        reason(Strange())
        == "an object of type Strange that gives no numpy array: can't convert device tensor"
    )


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("one.png", "is one item"),
        (Path("one.png"), "is one item"),
        (draw(0, 0), "is one item"),
        ({"a.png": 1}, "type dict"),
        ({"a.png"}, "type set"),
        (3, "type int"),
        (None, "type NoneType"),
        ((path for path in "ab"), "type generator"),
        (np.zeros(5), "(5,)"),
        (np.zeros((5, 64)), "(5, 64)"),
        (np.zeros((480, 640, 3)), "one picture"),
        (np.zeros((5, 3, 8, 9)), "channels come last"),
        (np.zeros((5, 8, 8, 2)), "1, 3 or 4 channels"),
        (np.zeros((5, 2, 8, 8, 3)), "(5, 2, 8, 8, 3)"),
        (np.array(3.0), "type ndarray"),
    ],
)
def test_a_wrong_container_is_refused(what: Any, words: str) -> None:
    if isinstance(what, np.ndarray) and what.ndim == 0:
        words = "()"
    with pytest.raises(BadInput) as error:
        Pictures(what)
    assert words in str(error.value)


def test_clips_need_the_kind_and_give_frames_from_all_over(tmp_path: Path) -> None:
    clip = np.zeros((10, 6, 7, 3), np.uint8) + np.arange(10, dtype=np.uint8)[:, None, None, None] * 20
    clip[9] = 255
    pictures = Pictures([clip], "video")
    (name,) = pictures.names
    frames = pictures(name, 8, 5)
    assert isinstance(frames, Clip) and frames.frames.shape == frames.after.shape == (5, 8, 8, 3)
    assert frames.frames[:, 0, 0, 0].tolist() == [0, 40, 80, 120, 160]
    assert frames.after[:, 0, 0, 0].tolist() == [20, 60, 100, 140, 255]
    assert (np.asarray(pictures(name, 8)) == 0).all() and np.asarray(pictures(name, 8)).shape == (8, 8, 3)
    assert pictures.size(name) == (7, 6)
    floats = Pictures(clip[None] / 255.0, "video")
    again = floats(floats.names[0], 8, 5)
    assert isinstance(again, Clip)
    np.testing.assert_array_equal(again.frames, frames.frames)
    few = pictures(name, 8, 20)
    assert isinstance(few, Clip) and len(few.frames) == 9
    assert "[h, w]" in reason(clip)
    assert "[t, h, w, 1]" in reason(clip[0], "video")
    assert "PIL" in reason(draw(0, 0), "video")
    with pytest.raises(BadInput, match=r"\[n, t, h, w, c\]"):
        Pictures(clip, "video")
    with pytest.raises(BadInput, match="channels come last"):
        Pictures(np.zeros((2, 5, 3, 8, 8)), "video")
    folder = tmp_path / "clip"
    folder.mkdir()
    for number, frame in enumerate(clip):
        Image.fromarray(frame).save(folder / f"{number}.png")
    filed = Pictures([folder], "video")
    stored = filed(filed.names[0], 8, 5)
    assert isinstance(stored, Clip) and filed.size(filed.names[0]) == (7, 6)
    np.testing.assert_array_equal(stored.frames, frames.frames)
    np.testing.assert_array_equal(stored.after, frames.after)
    np.testing.assert_array_equal(filed(filed.names[0], 8), pictures(name, 8))


def test_threads_get_the_same_pixels(tmp_path: Path) -> None:
    draw(2, 2, 200).convert("P").save(tmp_path / "x.png")
    with Image.open(tmp_path / "x.png") as image:
        pictures = Pictures([image, np.asarray(draw(1, 1, 200)) / 255.0])
    expected = [pictures(name, 32) for name in pictures.names]
    wrong: list[int] = []

    def work() -> None:
        for _ in range(30):
            for name, square in zip(pictures.names, expected, strict=True):
                if not np.array_equal(np.asarray(pictures(name, 32)), np.asarray(square)):
                    wrong.append(1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


DTYPES = st.sampled_from(
    ["u1", "?", "i1", "u2", "<i2", ">u2", "i4", "i8", "f2", "f4", "f8", "c8", "U2", "O", "M8[s]"]
)


@settings(max_examples=150, deadline=None)
@given(st.data(), DTYPES, arrays.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=5))
def test_no_array_is_too_odd(data: st.DataObject, dtype: str, shape: tuple[int, ...]) -> None:
    item = np.full(shape, None, object) if dtype == "O" else data.draw(arrays.arrays(np.dtype(dtype), shape))
    for kind in ("image", "video"):
        pictures = Pictures([item], kind)
        got = pictures(pictures.names[0], 5)
        assert isinstance(got, (Skipped, Clip)) or (got.shape == (5, 5, 3) and got.dtype == np.uint8)


@pytest.mark.parametrize(
    ("labels", "classes", "targets"),
    [
        (["b", "a", "b"], ["a", "b"], [1, 0, 1]),
        (("b", "a"), ["a", "b"], [1, 0]),
        ([10, 2, 10], [2, 10], [1, 0, 1]),
        ([True, False], [False, True], [1, 0]),
        (np.array([3, 1, 3], np.uint8), [1, 3], [1, 0, 1]),
        (np.array(["x", "a"]), ["a", "x"], [1, 0]),
        (np.array(["x", "a"], object), ["a", "x"], [1, 0]),
        (np.array([[1], [0]]), [0, 1], [1, 0]),
        ([1.0, 0.0], [0.0, 1.0], [1, 0]),
        ([np.int64(4), np.int64(2)], [2, 4], [1, 0]),
    ],
)
def test_single_labels(labels: Any, classes: list[Any], targets: list[int]) -> None:
    got, found, kind = encode(labels, len(labels))
    assert kind == "single" and got.dtype == np.int32
    assert got.tolist() == targets and found.tolist() == classes
    assert type(found.tolist()[0]) is type(classes[0])
    if isinstance(labels, np.ndarray):
        assert found.dtype == labels.dtype


class Sparse:
    def toarray(self) -> NDArray[Any]:
        return np.array([[1, 0], [1, 1]])


@pytest.mark.parametrize(
    ("labels", "classes", "targets"),
    [
        ([["b", "a"], [], ["b"]], ["a", "b"], [[1, 1], [0, 0], [0, 1]]),
        ([{"b", "a"}, set(), ("b",)], ["a", "b"], [[1, 1], [0, 0], [0, 1]]),
        ([[10], [2, 10]], [2, 10], [[0, 1], [1, 1]]),
        (np.array([[1, 0, 0], [1, 1, 0]]), [0, 1, 2], [[1, 0, 0], [1, 1, 0]]),
        (np.array([[True, False], [True, True]]), [0, 1], [[1, 0], [1, 1]]),
        (Sparse(), [0, 1], [[1, 0], [1, 1]]),
    ],
)
def test_several_labels(labels: Any, classes: list[Any], targets: list[list[int]]) -> None:
    got, found, kind = encode(labels)
    assert kind == "multi" and got.dtype == np.uint8
    assert got.tolist() == targets and found.tolist() == classes


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (["a", None], "label 1 is None"),
        ([1.0, float("nan")], "label 1 is nan"),
        (np.array([np.nan, 1.0]), "label 0 is nan"),
        (np.array(["a", np.nan], object), "label 1 is nan"),
        ([["a"], ["b", None]], "None"),
        (["a", "a"], "only one class ('a')"),
        ([], "no class"),
        ([[], []], "no class"),
        (np.zeros((3, 0)), "no class"),
        ([1.5, 2.0], "not quantities"),
        ([1.0, float("inf")], "not quantities"),
        (["a", 1], "several types (int, str)"),
        (["a", object()], "type object"),
        ("ab", "'ab'"),
        ({"a": 1}, "type dict"),
        (3, "type int"),
        ([["a"], "b"], "label 1 is 'b'"),
        ([[0, 0, 1], [1, 0, 0]], "a class twice"),
        (np.array([[1, 2], [0, 1]]), "0 and 1"),
        (np.zeros((2, 2, 2)), "(2, 2, 2)"),
    ],
)
def test_labels_that_teach_nothing_are_refused(labels: Any, words: str) -> None:
    with pytest.raises(BadDataset) as error:
        encode(labels)
    assert words in str(error.value)


def test_labels_of_another_number_are_refused() -> None:
    with pytest.raises(BadDataset, match="3 samples and 2 labels"):
        encode(["a", "b"], 3)


NAMES = st.text(st.characters(exclude_characters="\0"), max_size=3)  # numpy drops a zero at a text's end


@given(st.lists(NAMES, min_size=2) | st.lists(st.integers(-(2**60), 2**60), min_size=2))
def test_targets_point_to_the_labels_they_came_from(labels: list[Any]) -> None:
    if len(set(labels)) < 2:
        return
    targets, classes, _ = encode(labels)
    assert [classes.tolist()[place] for place in targets] == labels
    assert classes.tolist() == sorted(set(labels))
