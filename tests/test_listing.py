"""Paths in little memory, and natural order."""

from __future__ import annotations

import pickle
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.data.listing import PathList, natural_key, natural_order

ANY_TEXT = st.text(st.characters(), max_size=12)  # lone surrogates, newlines and NUL included


@given(st.lists(ANY_TEXT, max_size=30))
def test_a_list_gives_back_every_name(names: list[str]) -> None:
    paths = PathList(iter(names))
    assert list(paths) == names
    assert paths == names
    assert [paths[i] for i in range(-len(names), len(names))] == names + names


@given(st.lists(ANY_TEXT, max_size=15), st.slices(15))
def test_slices_are_lists_of_the_same_kind(names: list[str], part: slice) -> None:
    assert isinstance(PathList(names)[part], PathList)
    assert list(PathList(names)[part]) == names[part]


def test_names_that_are_not_utf8_on_disk_survive() -> None:
    name = b"caf\xe9.jpg".decode("utf-8", "surrogateescape")
    assert PathList([name])[0].encode("utf-8", "surrogateescape") == b"caf\xe9.jpg"


def test_it_behaves_as_a_sequence() -> None:
    paths = PathList(["a", "b", "c", "d"])
    assert len(paths) == 4 and "c" in paths and paths.index("c") == 2
    assert list(reversed(paths)) == ["d", "c", "b", "a"]
    assert paths.take([3, 0]) == ["d", "a"]
    assert paths != ["a", "b"] and paths != PathList(["a"]) and paths != 7
    assert repr(paths) == "<PathList of 4: 'a', 'b', 'c', …>"
    assert pickle.loads(pickle.dumps(paths)) == paths  # worker processes are sent lists
    assert not PathList()
    with pytest.raises(IndexError, match="path 4 of 4"):
        paths[4]
    with pytest.raises(IndexError):
        paths[-5]


MILLION = """
import resource
from headstart.data.listing import PathList
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = peak()
paths = PathList(f"class_{i // 1000:03d}/some_picture_name_{i % 1000:06d}.jpg" for i in range(1_000_000))
assert paths[999_999] == "class_999/some_picture_name_000999.jpg"
print((peak() - before) / 1024)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts kibibytes as Linux does")
def test_a_million_paths_take_less_than_100_megabytes_at_the_peak() -> None:
    run = subprocess.run([sys.executable, "-c", MILLION], capture_output=True, text=True, check=True)
    assert float(run.stdout) < 100


@pytest.mark.parametrize(
    "ordered",
    [
        ["img1.png", "img2.png", "img10.png", "img100.png"],
        ["IMG_9", "img_10", "IMG_11"],
        ["a2b9", "a2b10", "a10b1"],
        ["0", "1", "07", "7", "0010", "90"],
        ["7", "9" * 50, "1" + "0" * 50],
        ["1.jpg", "1a.jpg", "a.jpg"],
    ],
)
def test_natural_order(ordered: list[str]) -> None:
    assert natural_order(reversed(ordered)) == ordered
    assert sorted(ordered, key=natural_key) == ordered


@given(st.lists(st.integers(0, 10**12), min_size=2), st.text("ab_", max_size=3))
def test_numbers_are_ordered_by_their_value(numbers: list[int], lead: str) -> None:
    names = [f"{lead}{number}.png" for number in sorted(set(numbers))]
    assert natural_order(reversed(names)) == names


@given(st.lists(ANY_TEXT))
def test_the_order_does_not_depend_on_the_order_given(names: list[str]) -> None:
    assert natural_order(names) == natural_order(reversed(names))
