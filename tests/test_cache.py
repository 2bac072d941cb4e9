"""Features on disk survive kills and full disks, and cost no memory."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from faults import run, run_on_small_disk, start
from headstart.errors import BadModel
from headstart.store.cache import FeatureCache, fingerprint
from headstart.words.task import Samples


def _features(rows: NDArray[np.int64] | list[int], dim: int = 8) -> NDArray[np.float32]:
    """Numbers that tell their row and that float16 holds exactly."""
    numbers = np.asarray(rows)[:, None] % 251 + np.arange(dim) / 4
    return numbers.astype(np.float32)


def _room(folder: Path) -> int:
    return sum(path.stat().st_blocks * 512 for path in folder.iterdir())


def test_rows_come_back_in_the_order_asked_for(tmp_path: Path) -> None:
    with FeatureCache.open(tmp_path, "lite0@64/d10", 100, 8, "f") as cache:
        cache.put([5, 90, 6, 7], _features([5, 90, 6, 7]))
        found = cache.get(np.array([7, 5, 90, 5]))
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, _features([7, 5, 90, 5]))
        assert np.flatnonzero(cache.done).tolist() == [5, 6, 7, 90]
        assert cache.get([]).shape == (0, 8)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(0, 29), max_size=12), max_size=6), st.data())
def test_a_cache_is_a_dictionary(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[int]], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("cache")
    known: dict[int, NDArray[np.float32]] = {}
    for number, batch in enumerate(batches):
        with FeatureCache.open(folder, "k", 30, 3, "f") as cache:
            features = np.full((len(batch), 3), number, np.float32) + np.arange(len(batch))[:, None]
            cache.put(batch, features)
            known.update(zip(batch, features, strict=True))
    with FeatureCache.open(folder, "k", 30, 3, "f") as cache:
        assert set(np.flatnonzero(cache.done)) == set(known)
        asked = data.draw(st.lists(st.sampled_from(sorted(known)), max_size=20)) if known else []
        expected = np.array([known[row] for row in asked], np.float32).reshape(-1, 3)
        np.testing.assert_array_equal(cache.get(asked), expected)


def test_features_are_rounded_to_float16_and_clipped_to_its_range(tmp_path: Path) -> None:
    values = np.array([[1e6, -1e6, 1 / 3, np.nan]], np.float32)
    with FeatureCache.open(tmp_path, "k", 1, 4, "f") as cache:
        cache.put([0], values)
        np.testing.assert_array_equal(cache.get([0]), [[65504, -65504, np.float16(1 / 3), np.nan]])


def test_the_same_fingerprint_resumes_and_another_starts_anew(tmp_path: Path) -> None:
    for words in (("k", 50, 8, "f"), ("k", 50, 8, "f")):
        with FeatureCache.open(tmp_path, *words) as cache:
            cache.put([3], _features([3]))
    with FeatureCache.open(tmp_path, "k", 50, 8, "f") as cache:
        np.testing.assert_array_equal(cache.get([3]), _features([3]))
    for words in (("k", 50, 8, "g"), ("k", 51, 8, "g"), ("k", 51, 9, "g")):
        with FeatureCache.open(tmp_path, *words) as cache:
            assert not cache.done.any()
            cache.put([3], np.ones((1, words[2]), np.float32))
    assert len(list(tmp_path.iterdir())) == 3


def test_blocks_do_not_meet(tmp_path: Path) -> None:
    keys = ("lite0@64/d10", "lite0@64-d10", "lite0@64/../d10", "猫", "犬", "k" * 300)
    for number, key in enumerate(keys):
        with FeatureCache.open(tmp_path, key, 2, 1, "f") as cache:
            cache.put([0], np.full((1, 1), number, np.float32))
    for number, key in enumerate(keys):
        with FeatureCache.open(tmp_path, key, 2, 1, "f") as cache:
            assert cache.get([0]) == number
    assert len(list(tmp_path.iterdir())) == 3 * len(keys)


@pytest.mark.parametrize("end", ["json", "f16", "done"])
@pytest.mark.parametrize("harm", ["cut", "gone"])
def test_a_cache_with_a_harmed_file_starts_anew(tmp_path: Path, end: str, harm: str) -> None:
    with FeatureCache.open(tmp_path, "k", 10, 8, "f") as cache:
        cache.put([1], _features([1]))
    path = next(tmp_path.glob(f"*.{end}"))
    if harm == "cut":
        os.truncate(path, path.stat().st_size - 1)
    else:
        path.unlink()
    with FeatureCache.open(tmp_path, "k", 10, 8, "f") as cache:
        assert not cache.done.any()
        cache.put([1], _features([1]))
        np.testing.assert_array_equal(cache.get([1]), _features([1]))


def test_misuse_is_refused(tmp_path: Path) -> None:
    with FeatureCache.open(tmp_path, "k", 10, 8, "f") as cache:
        for row in (-1, 10):
            with pytest.raises(IndexError, match="rows 0 to 9"):
                cache.put([row], _features([row]))
        with pytest.raises(ValueError, match="1 rows of 8 numbers are needed"):
            cache.put([1], np.zeros((1, 7), np.float32))
        cache.put([2], _features([2]))
        with pytest.raises(ValueError, match="row 4 of the cache is not done"):
            cache.get([2, 4])
        os.truncate(next(tmp_path.glob("*.f16")), 0)
        with pytest.raises(BadModel, match="was cut while it was in use"):
            cache.get([2])


def test_an_empty_cache_takes_no_room(tmp_path: Path) -> None:
    with FeatureCache.open(tmp_path, "k", 100_000, 1280, "f") as cache:
        assert _room(tmp_path) < 200_000
        cache.put([77_777], np.ones((1, 1280), np.float32))
        assert _room(tmp_path) < 250_000
        assert cache.get([77_777]).sum() == 1280
    with FeatureCache.open(tmp_path, "none", 0, 8, "f") as cache:
        assert cache.done.shape == (0,)
        assert cache.get([]).shape == (0, 8)


def test_threads_put_and_get_at_once(tmp_path: Path) -> None:
    wrong: list[int] = []
    with FeatureCache.open(tmp_path, "k", 2000, 8, "f") as cache:

        def work(seed: int) -> None:
            rows = np.random.default_rng(seed).permutation(np.arange(seed, 2000, 4))
            for batch in np.array_split(rows, 20):
                cache.put(batch, _features(batch))
                ready = np.flatnonzero(cache.done)[::7]
                if not np.array_equal(cache.get(ready), _features(ready)):
                    wrong.append(seed)

        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not wrong
        assert cache.done.all()


PUTS = """
import sys
from pathlib import Path
import numpy as np
from headstart.store.cache import FeatureCache

cache = FeatureCache.open(Path(sys.argv[1]), "k", 60_000, 64, "f")
left = np.flatnonzero(~cache.done)
print("ready", flush=True)
for start in range(0, len(left), 50):
    rows = left[start : start + 50][::-1]
    cache.put(rows, np.repeat(rows[:, None] % 1000 + 1, 64, 1).astype(np.float32))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9")
def test_kill_9_leaves_only_true_rows(tmp_path: Path) -> None:
    counts, chance = [0], np.random.default_rng(0)
    for _ in range(6):
        with start(PUTS, tmp_path) as process:
            assert process.stdout is not None
            process.stdout.readline()
            threading.Event().wait(chance.uniform(0.001, 0.05))
            os.kill(process.pid, signal.SIGKILL)
        with FeatureCache.open(tmp_path, "k", 60_000, 64, "f") as cache:
            rows = np.flatnonzero(cache.done)
            np.testing.assert_array_equal(cache.get(rows), np.repeat(rows[:, None] % 1000 + 1, 64, 1))
        counts.append(len(rows))
    assert counts == sorted(counts)
    assert counts[-1] > 0


FULL = """
import sys
from pathlib import Path
import numpy as np
from headstart.errors import DiskFull
from headstart.store.cache import FeatureCache

folder, put = Path(sys.argv[1]), 0
cache = FeatureCache.open(folder, "k", 10_000, 100, "f")
try:
    for row in range(0, 10_000, 10):
        cache.put(range(row, row + 10), np.full((10, 100), row, np.float32))
        put = row + 10
except DiskFull as error:
    print(error)
for cache in (cache, FeatureCache.open(folder, "k", 10_000, 100, "f")):
    rows = np.flatnonzero(cache.done)
    assert 1000 < put == len(rows) < 10_000
    assert (cache.get(rows) == (rows // 10 * 10)[:, None]).all()
try:
    FeatureCache.open(folder, "other", 10_000_000, 100, "f")
except DiskFull as error:
    print(error)
"""


def test_a_full_disk_is_said_and_rows_before_stand(tmp_path: Path) -> None:
    said = run_on_small_disk(FULL, tmp_path, kilobytes=512)
    assert said.count("there is no room to write") == 2


LIMITED = """
import resource, sys
from pathlib import Path
from headstart.errors import DiskFull
from headstart.store.cache import FeatureCache

resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
for _ in range(2):
    try:
        FeatureCache.open(Path(sys.argv[1]), "k", 10_000, 100, "f")
    except DiskFull as error:
        print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits")
def test_a_cache_larger_than_any_file_may_be_is_said(tmp_path: Path) -> None:
    assert run(LIMITED, tmp_path).count("(File too large): free some space") == 2


MEMORY = """
import resource, sys
from pathlib import Path
import numpy as np
from headstart.store.cache import FeatureCache

rows = int(sys.argv[2])
with FeatureCache.open(Path(sys.argv[1]), "k", rows, 640, "f") as cache:
    for start in range(0, rows, 1000):
        cache.put(range(start, start + 1000), np.ones((1000, 640), np.float32))
    total = sum(cache.get(range(start, start + 1000)).sum() for start in range(0, rows, 1000))
    assert total == rows * 640
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory in kilobytes")
def test_a_cache_of_10x_the_rows_takes_no_more_memory(tmp_path: Path) -> None:
    small, large = (int(run(MEMORY, tmp_path, rows)) for rows in (8_000, 80_000))
    assert large < small + 10, "megabytes; the large cache holds 100"


def _samples(root: Path, names: list[str]) -> Samples:
    for name in names:
        (root / name).write_bytes(name.encode("utf-8", "surrogateescape"))
    return Samples(str(root), names)


def test_a_fingerprint_changes_with_all_it_stands_for(tmp_path: Path) -> None:
    names = ["a", "b", "line\nbreak", "\udcff"]
    samples = _samples(tmp_path, names)
    prints = [fingerprint(samples, "graph")]
    assert prints[0] == fingerprint(Samples(str(tmp_path), tuple(names)), "graph")
    prints.append(fingerprint(samples, "other graph"))
    prints.append(fingerprint(Samples(str(tmp_path), names[:-1]), "graph"))
    prints.append(fingerprint(Samples(str(tmp_path), names[::-1]), "graph"))
    prints.append(fingerprint(Samples(str(tmp_path), ["a\0b", *names[2:]]), "graph"))
    os.utime(tmp_path / "b", ns=(1, 1))
    prints.append(fingerprint(samples, "graph"))
    (tmp_path / "b").write_bytes(b"longer")
    os.utime(tmp_path / "b", ns=(1, 1))
    prints.append(fingerprint(samples, "graph"))
    (tmp_path / "b").unlink()
    prints.append(fingerprint(samples, "graph"))
    assert len(set(prints)) == len(prints)


def test_a_moved_folder_keeps_its_fingerprint(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    before = fingerprint(_samples(tmp_path / "old", ["a", "b"]), "g")
    (tmp_path / "old").rename(tmp_path / "new")
    assert fingerprint(Samples(str(tmp_path / "new"), ["a", "b"]), "g") == before


def test_the_fingerprint_of_a_long_list_needs_no_such_files(tmp_path: Path) -> None:
    names = [f"{number:06d}" for number in range(20_000)]
    one = fingerprint(Samples(str(tmp_path), names), "g")
    assert one != fingerprint(Samples(str(tmp_path), [*names[:-1], "x"]), "g")
    assert one != fingerprint(Samples(str(tmp_path), names[:-1]), "g")
    assert fingerprint(Samples(str(tmp_path), []), "g") != one
