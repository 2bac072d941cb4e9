"""A run folder has one writer, and what it holds is valid after every write."""

from __future__ import annotations

import json
import math
import os
import signal
import sys
from pathlib import Path

import pytest

from faults import NAMES, run_on_small_disk, start
from faults import run as run_python
from headstart.errors import BadInput, BadModel, Busy
from headstart.store.run import CurveRow, RunFolder
from headstart.words.task import Skipped

ROW = CurveRow(1.5, 2.25, 0.875, "lite0@64", 128)


HOLDER = """
import sys, time
from pathlib import Path
from headstart.store.run import RunFolder

with RunFolder.open(Path(sys.argv[1])) as run:
    print("open", flush=True)
    time.sleep(60)
"""


def test_a_second_process_is_told_who_holds_the_folder(tmp_path: Path) -> None:
    with start(HOLDER, tmp_path / "run") as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(Busy, match=f"run is in use by process {process.pid}: wait until it has ended"):
            RunFolder.open(tmp_path / "run")
        assert RunFolder.open(tmp_path / "run", exclusive=False).read_curve() == []
        process.kill()
    RunFolder.open(tmp_path / "run").close()


def test_a_second_opening_in_this_process_is_refused_too(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path) as run, pytest.raises(Busy, match=f"process {os.getpid()}"):
        RunFolder.open(run.path)
    RunFolder.open(tmp_path).close()


ORPHAN = """
import os, sys, time
from pathlib import Path
from headstart.store.run import RunFolder

run = RunFolder.open(Path(sys.argv[1]))
if os.fork() == 0:
    time.sleep(float(sys.argv[2]))
    os._exit(0)
print("open", flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9")
def test_workers_of_a_killed_holder_are_waited_for(tmp_path: Path) -> None:
    with start(ORPHAN, tmp_path, 0.5) as process:
        assert process.stdout is not None
        process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        RunFolder.open(tmp_path).close()


def test_a_folder_with_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".DS_Store").touch()
    RunFolder.open(tmp_path).close()
    RunFolder.open(tmp_path).close()
    (tmp_path / "photos").mkdir()
    RunFolder.open(tmp_path / "photos").close()
    (tmp_path / "pictures" / "cats").mkdir(parents=True)
    with pytest.raises(BadInput, match="pictures holds files that are no run of headstart"):
        RunFolder.open(tmp_path / "pictures")
    assert [path.name for path in (tmp_path / "pictures").iterdir()] == ["cats"]
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(BadInput, match="is a file: name a folder"):
            RunFolder.open(path)


def test_a_folder_killed_in_its_first_moments_opens(tmp_path: Path) -> None:
    (tmp_path / ".lock").touch()
    (tmp_path / "model").mkdir()
    (tmp_path / "curve.csv").touch()
    with RunFolder.open(tmp_path) as run:
        run.append_curve(ROW)
        assert run.read_curve() == [ROW]


def test_opening_sweeps_what_killed_writers_left(tmp_path: Path) -> None:
    RunFolder.open(tmp_path).close()
    left = [tmp_path / part / ".headstart-1-00.part" for part in (".", "model", "cache")]
    for path in left:
        path.touch()
    RunFolder.open(tmp_path, exclusive=False)
    assert all(path.exists() for path in left)
    RunFolder.open(tmp_path).close()
    assert not any(path.exists() for path in left)


def test_readers_make_nothing(tmp_path: Path) -> None:
    with pytest.raises(BadModel, match="gone is no run folder of headstart: there is no such folder"):
        RunFolder.open(tmp_path / "gone", exclusive=False)
    with RunFolder.open(tmp_path, exclusive=False) as run:
        for read, name in (
            (run.read_run, "run.json"),
            (run.read_curve, "curve.csv"),
            (run.read_skipped, "skipped.csv"),
            (run.read_evidence, "evidence.npz"),
        ):
            with pytest.raises(BadModel, match=f"is no run folder of headstart: there is no {name}"):
                read()
    assert not list(tmp_path.iterdir())


UNPRIVILEGED = """
import os, sys
from pathlib import Path
from headstart.errors import HeadstartError
from headstart.store.run import RunFolder

if os.geteuid() == 0:
    os.seteuid(65534)
try:
    RunFolder.open(Path(sys.argv[1]) / "run")
except HeadstartError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="permissions")
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert "run cannot be written: Permission denied" in run_python(UNPRIVILEGED, tmp_path)


def test_the_places_are_as_documented(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path) as run:
        assert (run.model_path, run.cache_path) == (tmp_path / "model", tmp_path / "cache")
        assert (run.curve_path, run.report_path) == (tmp_path / "curve.csv", tmp_path / "report.html")
        assert run.model_path.is_dir()
        assert run.cache_path.is_dir()


FULL = """
import sys
from pathlib import Path
import numpy as np
from headstart.errors import DiskFull
from headstart.store.run import CurveRow, Evidence, RunFolder

run, rows, said = RunFolder.open(Path(sys.argv[1])), 0, 0
run.write_run({"state": "running"})
(run.path / "filler").write_bytes(bytes(100_000))
try:
    for rows in range(100_000):
        run.append_curve(CurveRow(rows, rows, 0.5, "lite0@64" * 50, rows))
except DiskFull:
    said += 1
assert len(run.read_curve()) == rows > 100
assert run.curve_path.read_bytes().endswith(b"\\n")
for write in (
    lambda: run.write_run({"long": "x" * 300_000}),
    lambda: run.write_predictions(["a"] * 9000, ["b", "c"], np.full((9000, 2), 1 / 3), "single"),
    lambda: run.write_evidence(Evidence(np.arange(9000), np.zeros((9000, 9)), np.zeros(9000))),
):
    try:
        write()
    except DiskFull:
        said += 1
print(said, run.read_run()["state"], sorted(path.name for path in run.path.iterdir()))
run.close()
(run.path / ".lock").unlink()
with RunFolder.open(run.path) as run:
    assert len(run.read_curve()) == rows
"""


def test_a_full_disk_is_said_at_every_write(tmp_path: Path) -> None:
    said = run_on_small_disk(FULL, tmp_path, kilobytes=256).strip()
    assert said == "4 running ['.lock', 'cache', 'curve.csv', 'filler', 'model', 'run.json']"


def test_run_json_comes_back_with_any_text(tmp_path: Path) -> None:
    document = {
        "state": "running",
        "data": {"root": NAMES[4], "classes": ("猫", "b")},
        "best": math.nan,
        "n": [1],
    }
    with RunFolder.open(tmp_path) as run:
        run.write_run(document)
        found = run.read_run()
        assert found == {**document, "data": {"root": NAMES[4], "classes": ["猫", "b"]}, "best": None}
        run.write_run({"class": "猫"})
        assert "猫" in (tmp_path / "run.json").read_text("utf-8")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"[" * 100_000])
def test_a_damaged_run_json_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(BadModel, match=r"run.json is damaged"):
        RunFolder.open(tmp_path, exclusive=False).read_run()


def test_skipped_files_of_any_name_come_back(tmp_path: Path) -> None:
    skipped = [Skipped(name, f"no image: {name}") for name in NAMES]
    with RunFolder.open(tmp_path) as run:
        run.write_skipped(skipped)
        assert run.read_skipped() == skipped
        run.write_skipped([])
        assert run.read_skipped() == []


def test_run_json_is_replaced_whole(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path) as run:
        run.write_run({"long": "x" * 1000})
        run.write_run({"short": 1})
    assert json.loads((tmp_path / "run.json").read_text()) == {"short": 1}
