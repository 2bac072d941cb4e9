"""When files arrive, and how much a learner takes: what the referee looks at."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from headstart.challenge.limits import Limits, Room, bytes_of
from headstart.challenge.watch import watch
from headstart.errors import BadInput


@pytest.mark.parametrize("polling", [False, True])
def test_watch(tmp_path: Path, polling: bool) -> None:
    """Renamed, linked and written files, from another thread; also more than one call can take."""
    seen = watch(str(tmp_path), polling)
    assert (seen.descriptor is None) == polling

    def write() -> None:
        for number in range(500):
            (tmp_path / "part").write_text("x")
            (tmp_path / "part").rename(tmp_path / f"file{number}")
        os.link(tmp_path / "file0", tmp_path / "linked")

    thread = threading.Thread(target=write)
    thread.start()
    found: list[str] = []
    until = time.monotonic() + 10
    while "linked" not in found and time.monotonic() < until:
        found += seen.arrivals()
        time.sleep(0.001)
    thread.join()
    seen.close()
    files = [name for name in found if name.startswith("file")]
    assert set(files) == {f"file{number}" for number in range(500)} and "linked" in found


def test_limits(tmp_path: Path) -> None:
    assert [bytes_of(text) for text in ("8G", "500M", "1.5k", "12", "2 GiB")] == [
        8 << 30,
        500 << 20,
        1536,
        12,
        2 << 31 - 1,
    ]
    for text in ("", "8X", "-1", "0", "many"):
        with pytest.raises(BadInput, match="cannot be read"):
            bytes_of(text)
    (tmp_path / "file").write_bytes(b"x" * 100_000)
    room = Room([str(tmp_path)], [])
    assert Limits(10, 1 << 30).exceeded(11, room) is not None
    assert Limits(10, 50_000).exceeded(1, room) is not None
    assert Limits(10, 1 << 30).exceeded(1, room) is None
