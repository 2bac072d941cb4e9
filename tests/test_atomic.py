"""A file is replaced whole or not at all, and nothing is left lying about."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from typing import BinaryIO

import pytest

from faults import run, run_on_small_disk, start
from headstart.errors import DiskFull, HeadstartError
from headstart.store.atomic import sweep, write_atomically


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("durable", [True, False])
def test_bytes_and_writers_replace_the_file(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "a"
    write_atomically(path, b"old", durable=durable)
    write_atomically(path, lambda file: file.writelines([b"n", b"ew"]), durable=durable)
    assert path.read_bytes() == b"new"
    assert _names(tmp_path) == ["a"]


def test_a_failing_writer_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_atomically(path, b"old")

    def fail(file: BinaryIO) -> None:
        file.write(b"half")
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        write_atomically(path, fail)
    assert path.read_bytes() == b"old"
    assert _names(tmp_path) == ["a"]


def test_the_file_has_the_usual_permissions_and_a_link_stays_one(tmp_path: Path) -> None:
    real, link, plain = tmp_path / "real", tmp_path / "link", tmp_path / "plain"
    link.symlink_to(real)
    write_atomically(link, b"x")
    plain.write_bytes(b"x")
    assert link.is_symlink()
    assert real.read_bytes() == b"x"
    assert real.stat().st_mode == plain.stat().st_mode


def test_other_failures_name_the_file(tmp_path: Path) -> None:
    with pytest.raises(HeadstartError, match=r"no/a cannot be written: No such file"):
        write_atomically(tmp_path / "no" / "a", b"")
    (tmp_path / "folder" / "inner").mkdir(parents=True)
    with pytest.raises(HeadstartError, match="folder cannot be written"):
        write_atomically(tmp_path / "folder", b"")
    assert _names(tmp_path) == ["folder"]


def test_names_of_the_greatest_length_work(tmp_path: Path) -> None:
    write_atomically(tmp_path / ("n" * 255), b"x")
    assert (tmp_path / ("n" * 255)).read_bytes() == b"x"


def test_many_writers_of_one_file_leave_one_of_theirs(tmp_path: Path) -> None:
    path = tmp_path / "a"
    contents = [bytes([65 + i]) * 50_000 for i in range(4)]

    def write(content: bytes) -> None:
        for _ in range(10):
            write_atomically(path, content, durable=False)
            sweep(tmp_path)
            assert path.read_bytes() in contents

    threads = [threading.Thread(target=write, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert _names(tmp_path) == ["a"]


WRITER = """
import sys, time
from pathlib import Path
from headstart.store.atomic import write_atomically

def slowly(file):
    file.write(b"half")
    file.flush()
    print("writing", flush=True)
    time.sleep(60)

write_atomically(Path(sys.argv[1]), slowly)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9")
def test_sweeping_removes_what_the_killed_left_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    (tmp_path / "other.part").write_bytes(b"not ours")
    with start(WRITER, path) as process:
        assert process.stdout is not None
        process.stdout.readline()
        sweep(tmp_path)
        assert len(_names(tmp_path)) == 3  # its writer lives
        os.kill(process.pid, signal.SIGKILL)
    assert len(_names(tmp_path)) == 3
    sweep(tmp_path)
    assert _names(tmp_path) == ["a", "other.part"]
    assert path.read_bytes() == b"old"


FULL = """
import errno, sys
from pathlib import Path
from headstart.errors import DiskFull
from headstart.store.atomic import write_atomically

folder = Path(sys.argv[1])
write_atomically(folder / "a", b"old" * 1000)
for content in (bytes(1 << 20), lambda file: file.write(bytes(1 << 20))):
    try:
        write_atomically(folder / "a", content)
    except DiskFull as error:
        print(error)
    assert [path.name for path in folder.iterdir()] == ["a"]
    assert (folder / "a").read_bytes() == b"old" * 1000
"""


def test_a_full_disk_is_said_and_the_old_file_stands(tmp_path: Path) -> None:
    said = run_on_small_disk(FULL, tmp_path, kilobytes=256)
    assert said.count("there is no room to write") == 2
    assert "No space left on device" in said
    assert "Traceback" not in said


def test_the_largest_file_allowed_is_said_too(tmp_path: Path) -> None:
    limited = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))\n" + FULL
    assert run(limited, tmp_path).count("there is no room to write") == 2


def test_disk_full_is_an_error_of_the_tree() -> None:
    assert issubclass(DiskFull, HeadstartError)
