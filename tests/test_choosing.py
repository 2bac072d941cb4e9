"""A run asks the library which stages follow its first pass, and becomes a prior of it where that is wanted."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from conftest import draw
from headstart import api
from headstart.learn.snapshot import Noted, Snapshot
from headstart.meta import index
from headstart.meta.library import Library
from headstart.meta.record import Record
from headstart.running import default_plan
from headstart.words.clock import Budget
from headstart.words.config import Config, Stage

TAPS = ("d4", "d7", "d10", "head")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Pictures under classes that have little to do with them: no stage is ever good enough to end the run."""
    rng = np.random.default_rng(0)
    for number in range(36):
        label = int(rng.integers(3)) if number % 3 else number // 3 % 3
        folder = tmp_path / "shapes" / f"shape_{number % 3}"
        folder.mkdir(parents=True, exist_ok=True)
        draw(label, number, 64).save(folder / f"{number}.png")
    return tmp_path / "shapes"


def request(data: Path, out: Path, folder: Path | bool, **more: object) -> api.Request:
    library = folder if isinstance(folder, bool) else (folder,)
    return api.Request(data, Budget(60), out, workers=1, method="frozen", library=library, **more)  # type: ignore[arg-type]


def grown(folder: Path, data: Path, out: Path) -> Library:
    """A library of one prior, whose runs say that the first pass is enough."""
    list(api.run(request(data, out, False, remember=folder)))
    library = Library.open(folder)
    (name,) = library
    short = Config((Stage("pixels", 64, ("rgb16",)), Stage("lite0", 64, TAPS)))
    whole = default_plan(api._task(request(data, out, False))[0])
    runs = [
        Record.of(config, [(1.0, value)], clock="cpu", budget=1200.0)
        for config, value in ((short, 0.9), (whole, 0.5))
        for _ in range(1)
    ]
    library = library.add_runs(name, runs)
    index.build(folder)
    return Library.open(folder)


def test_what_worked_elsewhere_decides_the_stages_after_the_first_pass(data: Path, tmp_path: Path) -> None:
    grown(tmp_path / "library", data, tmp_path / "first")
    events = list(api.run(request(data, tmp_path / "run", tmp_path / "library")))
    (told,) = [event for event in events if isinstance(event, Noted)]
    assert told.text.startswith("resembles shapes (")
    document = json.loads((tmp_path / "run" / "run.json").read_text())
    assert [(s["backbone"], s["pixels"]) for s in document["config"]["stages"]] == [
        ("pixels", 64),
        ("lite0", 64),
    ]
    assert told.text in document["why"]
    assert document["timings"]["choose"] < 5
    assert [event for event in events if isinstance(event, Snapshot)]


def test_its_own_source_is_held_out(data: Path, tmp_path: Path) -> None:
    grown(tmp_path / "library", data, tmp_path / "first")
    events = list(api.run(request(data, tmp_path / "run", tmp_path / "library", held_out="shapes")))
    assert not [event for event in events if isinstance(event, Noted)]
    stages = json.loads((tmp_path / "run" / "run.json").read_text())["config"]["stages"]
    assert stages[-1]["pixels"] == 224


@pytest.mark.parametrize("empty", [True, False])
def test_an_empty_or_damaged_library_leaves_fit_as_it_was(data: Path, tmp_path: Path, empty: bool) -> None:
    folder = tmp_path / "library"
    if not empty:
        grown(folder, data, tmp_path / "first")
        for path in folder.rglob("*"):
            if path.is_file():
                path.write_bytes(path.read_bytes()[:20])
    events = list(api.run(request(data, tmp_path / "run", folder)))
    assert not [event for event in events if isinstance(event, Noted)]
    assert [event for event in events if isinstance(event, Snapshot)]


def test_fit_remembers_and_says_so(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADSTART_LIBRARY", str(tmp_path / "own"))
    command = [sys.executable, "-m", "headstart", "fit", str(data), "--out", str(tmp_path / "run")]
    command += ["--budget", "60s", "--method", "frozen", "--remember", "--no-report"]
    for number in range(2):
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        assert "remembered as the prior shapes" in done.stderr
        library = Library.open(tmp_path / "own")
        assert "shapes" in library
        assert sum(len(library.records(name)) for name in library) == number + 1
    prior = library.priors["shapes"]
    assert prior.samples == 36 and prior.classes == 3 and "lite0@64" in prior.landmarks
