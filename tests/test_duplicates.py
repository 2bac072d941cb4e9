"""Files of equal content are found, nothing else is, and nothing is read for no reason."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import faults
from conftest import Unprivileged
from headstart.data.duplicates import equal_files, standing

LONG = 1 << 16  # what is compared first


def groups_of(folder: Path, contents: list[bytes]) -> list[int]:
    folder.mkdir(exist_ok=True)
    for number, content in enumerate(contents):
        (folder / str(number)).write_bytes(content)
    found = equal_files(len(contents), lambda row: str(folder / str(row)))
    assert found.dtype == np.int32 and found.shape == (len(contents),)
    numbers: list[int] = found.tolist()
    return numbers


def expected(contents: list[bytes]) -> list[int]:
    numbers: dict[bytes, int] = {}
    for content in contents:
        if content and contents.count(content) > 1:
            numbers.setdefault(content, len(numbers))
    return [numbers.get(content, -1) for content in contents]


piece = st.sampled_from([b"", b"a", b"b", b"ab", b"\0"])
ends = st.sampled_from([b"", b"x", b"y"])
content = st.builds(lambda a, long, b: a + bytes(LONG) * long + b, piece, st.sampled_from([0, 0, 1, 2]), ends)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.lists(content, max_size=12))
def test_groups_are_those_of_equal_bytes(tmp_path: Path, contents: list[bytes]) -> None:
    assert groups_of(tmp_path / "x", contents) == expected(contents)


@pytest.mark.parametrize("size", [LONG - 1, LONG, LONG + 1, 3 * LONG + 5])
def test_files_that_differ_in_their_last_byte_only(tmp_path: Path, size: int) -> None:
    one, two = bytes(size), bytes(size - 1) + b"\1"
    assert groups_of(tmp_path, [one, two, one, two, two]) == [0, 1, 0, 1, 1]
    assert groups_of(tmp_path, [two, one]) == [-1, -1]


def test_no_files_and_empty_files_are_no_duplicates(tmp_path: Path) -> None:
    assert groups_of(tmp_path, []) == []
    assert groups_of(tmp_path, [b"", b"", b"x"]) == [-1, -1, -1]


WATCHED = """
import sys
from pathlib import Path
from headstart.data.duplicates import equal_files
folder = sys.argv[1]
opened = []
sys.addaudithook(lambda event, args: opened.append(args[0]) if event == "open" else None)
equal_files(7, lambda row: f"{folder}/{row}")
print(*(path[-1] for path in opened if str(path).startswith(folder)))
"""


def test_only_files_of_a_shared_size_are_opened(tmp_path: Path) -> None:
    large, other = bytes(LONG + 1), b"\1" + bytes(LONG)
    assert groups_of(tmp_path, [b"1", b"22", b"333", b"444", large, large, other]) == [-1] * 4 + [0, 0, -1]
    # the rest of a file is read only where another one begins in the same way
    assert faults.run(WATCHED, tmp_path).split() == ["2", "3", "4", "5", "6", "4", "5"]


def test_links_missing_files_folders_and_pipes(tmp_path: Path) -> None:
    (tmp_path / "0").write_bytes(b"same")
    (tmp_path / "1").symlink_to(tmp_path / "0")
    os.link(tmp_path / "0", tmp_path / "2")
    (tmp_path / "4").mkdir()
    (tmp_path / "5").symlink_to(tmp_path / "nothing")
    os.mkfifo(tmp_path / "6")
    rows = [str(tmp_path / str(row)) for row in range(7)] + ["nul\0byte"]
    assert equal_files(len(rows), rows.__getitem__).tolist() == [0, 0, 0, -1, -1, -1, -1, -1]


def test_files_that_may_not_be_read_equal_nothing(tmp_path: Path, unprivileged: Unprivileged) -> None:
    (tmp_path / "0").write_bytes(b"same")
    for name in ("1", "2"):
        (tmp_path / name).write_bytes(b"same")
        (tmp_path / name).chmod(0)
    with unprivileged():
        assert equal_files(3, lambda row: str(tmp_path / str(row))).tolist() == [-1, -1, -1]


def test_a_large_file_is_never_held_whole(tmp_path: Path) -> None:
    for name in "01":
        with (tmp_path / name).open("wb") as file:
            file.truncate(64 << 20)
    tracemalloc.start()
    try:
        assert equal_files(2, lambda row: str(tmp_path / str(row))).tolist() == [0, 0]
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_memory_per_file_is_small(tmp_path: Path) -> None:
    for name in "012":
        (tmp_path / name).write_bytes(name.encode())
    paths = [str(tmp_path / name) for name in "012"]
    count = 30_000
    tracemalloc.start()
    try:
        found = equal_files(count, lambda row: paths[row % 3])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found.tolist() == [0, 1, 2] * (count // 3)
    assert peak < 150 * count


def test_where_equal_files_stand() -> None:
    groups: NDArray[np.int32] = np.array([0, 0, 1, -1, 1, 2, 0, 2, 2], np.int32)
    labels = np.array([5, 5, 5, 5, 7, 7], np.int64)  # the last three files are of the test split
    found = standing(groups, labels)
    assert found.trained.tolist() == [2, 2, 1]
    assert found.labels.tolist() == [1, 2, 1]
    assert found.repeated.tolist() == [1, 0, 0]
    assert found.tested.tolist() == [1, 0, 2]


def test_where_nothing_is_equal_nothing_stands() -> None:
    found = standing(np.full(3, -1, np.int32), np.zeros(3, np.int64))
    assert not any(map(len, (found.trained, found.labels, found.repeated, found.tested)))
    found = standing(np.array([0, 0], np.int32), np.zeros(0, np.int64))
    assert found.trained.tolist() == [0] and found.tested.tolist() == [2]
