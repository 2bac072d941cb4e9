"""The command as users run it: real processes, real files, real faults."""

from __future__ import annotations

import csv
import dataclasses
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import headstart
from conftest import MakeFolder, draw
from headstart.learn.plan import default_config

# Every stage, however good the evidence: small folders are learnt too soon to be interrupted.
THOROUGH = dataclasses.replace(default_config(0, 0, []), enough=1.0)
COMMAND = [sys.executable, "-W", "error", "-m", "headstart"]


def call(*arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """A training folder, a folder to predict and the run folder of a finished `fit`."""
    root = tmp_path_factory.mktemp("finished")
    for label in range(3):
        for part, count in (("train", 12), ("new", 5)):
            folder = root / part / f"shape {label}"
            folder.mkdir(parents=True)
            for number in range(count):
                draw(label, number + (100 if part == "new" else 0), 48).save(folder / f"{number}é.png")
    (root / "train" / "shape 0" / "broken.png").write_bytes(b"")
    (root / "train" / "shape 1" / "lie.jpg").write_text("no image")
    (root / "new" / "cut.jpg").write_bytes(b"\xff\xd8\xff\xe0 not all of it")
    done = call("fit", root / "train", "--test", root / "new", "--budget", "60s", "--out", root / "run")
    lines = done.stdout.strip().splitlines()
    assert lines[-2] == f"model: {root / 'run' / 'model'}" and "headstart predict" in lines[-1]
    return root / "train", root / "new", root / "run"


def test_fit_leaves_a_documented_run_folder(finished: tuple[Path, Path, Path]) -> None:
    _, _, run = finished
    curve = rows(run / "curve.csv")
    assert list(curve[0]) == ["seconds", "cpu_seconds", "score", "stage", "samples_seen"]
    assert float(curve[-1]["score"]) > 0.9 and int(curve[-1]["samples_seen"]) == 36
    document = json.loads((run / "run.json").read_text())
    assert document["state"] == "finished" and document["ended"]
    assert document["data"]["classes"] == ["shape 0", "shape 1", "shape 2"]
    assert "<html" in (run / "report.html").read_text()[:500]


def test_unreadable_files_are_listed_with_their_reason(finished: tuple[Path, Path, Path]) -> None:
    skipped = {Path(row["path"]).name: row["reason"] for row in rows(finished[2] / "skipped.csv")}
    assert set(skipped) == {"broken.png", "lie.jpg", "cut.jpg"} and all(skipped.values())


def test_predict_says_what_the_run_said(finished: tuple[Path, Path, Path], tmp_path: Path) -> None:
    _, new, run = finished
    call("predict", run, new, "--csv", tmp_path / "out.csv")
    said = {row["path"]: row for row in rows(tmp_path / "out.csv")}
    before = {row["path"]: row for row in rows(run / "predictions.csv")}
    assert len(said) == 15
    for path, row in said.items():
        assert row["label"] == before[path]["label"] == Path(path).parent.name
        for name in ("shape 0", "shape 1", "shape 2"):
            assert float(row[name]) == pytest.approx(float(before[path][name]), abs=2e-3)


def test_json_is_one_object_on_stdout(finished: tuple[Path, Path, Path], tmp_path: Path) -> None:
    train, new, run = finished
    out = json.loads(call("fit", train, "--budget", "20s", "--out", tmp_path / "r", "--json").stdout)
    assert out["state"] == "finished" and out["curve"] and out["evidence"] > 0.9
    out = json.loads(call("predict", run, new, "--json").stdout)
    assert out["labelled"] == 15 and len(out["skipped"]) == 1
    assert Path(json.loads(call("report", run, "--json").stdout)["report"]).exists()


def test_from_python_it_is_the_same(finished: tuple[Path, Path, Path], tmp_path: Path) -> None:
    train, new, _ = finished
    snapshots = list(headstart.watch(train, "20s", tmp_path / "run", test=new, workers=1))
    assert snapshots and snapshots[-1].evidence > 0.9
    model = headstart.load(tmp_path / "run")
    predictions = model.predict(new)
    assert all(p.label == Path(p.path).parent.name for p in predictions)
    values, skipped = model.posteriors([str(new / "cut.jpg"), str(new / predictions[0].path)])
    assert np.isnan(values[0]).all() and len(skipped) == 1
    np.testing.assert_allclose(values[1].sum(), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nothing", "no such folder|does not exist|there is no"),
        ("empty", "two classes"),
        ("alone", "single class"),
        ("budget", "budget"),
        ("config", "configuration"),
    ],
)
def test_bad_input_ends_in_one_sentence_and_code_2(
    name: str, words: str, tmp_path: Path, make_folder: MakeFolder
) -> None:
    folder, budget, more = tmp_path / name, "10s", []
    if name == "empty":
        folder.mkdir()
    elif name != "nothing":
        make_folder(classes=1 if name == "alone" else 2, root=folder)
    if name == "budget":
        budget = "soon"
    if name == "config":
        (tmp_path / "c.json").write_text('{"stages": 3}')
        more = ["--config", tmp_path / "c.json"]
    done = call("fit", folder, "--budget", budget, "--out", tmp_path / "run", *more, code=2)
    lines = done.stderr.strip().splitlines()
    assert lines[-1].startswith("headstart: ") and any(w in done.stderr for w in words.split("|"))
    assert done.stdout == ""


def test_a_run_folder_serves_one_writer(tmp_path: Path, make_folder: MakeFolder) -> None:
    folder = make_folder(classes=3, each=60, pixels=64)
    (tmp_path / "c.json").write_text(THOROUGH.to_json())
    command = [
        *COMMAND,
        "fit",
        str(folder),
        "--out",
        str(tmp_path / "run"),
        "--config",
        str(tmp_path / "c.json"),
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as first:
        while not (tmp_path / "run" / "model" / "model.json").exists():
            time.sleep(0.05)
            assert first.poll() is None
        done = call("fit", folder, "--budget", "5s", "--out", tmp_path / "run", code=1)
        assert str(first.pid) in done.stderr
        call("predict", tmp_path / "run", folder)  # also while it runs
        first.kill()


def test_no_run_folder_and_a_damaged_model_are_refused(
    finished: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    assert "model" in call("predict", tmp_path, finished[1], code=2).stderr
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in (finished[2] / "model").iterdir():
        content = bytearray(file.read_bytes())
        if file.suffix == ".safetensors":
            content[len(content) // 2] ^= 1
        (copy / file.name).write_bytes(content)
    assert "checksum" in call("predict", copy, finished[1], code=2).stderr


@pytest.mark.slow
def test_at_its_budget_a_run_ends_within_a_second(tmp_path: Path, make_folder: MakeFolder) -> None:
    folder = make_folder(classes=4, each=500, pixels=96)
    for budget in (3.0, 4.3):
        started = time.monotonic()
        call("fit", folder, "--budget", f"{budget}s", "--out", tmp_path / f"run{budget}")
        assert time.monotonic() - started < budget + 1.0
        assert headstart.load(tmp_path / f"run{budget}").samples_seen > 0


@pytest.mark.slow
def test_a_killed_run_predicts_and_goes_on(tmp_path: Path, make_folder: MakeFolder) -> None:
    folder, dice = make_folder(classes=3, each=40, pixels=64), random.Random(1)
    run = tmp_path / "run"
    (tmp_path / "c.json").write_text(THOROUGH.to_json())
    command = [*COMMAND, "fit", str(folder), "--out", str(run), "--config", str(tmp_path / "c.json")]
    published = 0
    for _ in range(8):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(dice.uniform(0.3, 2.5))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        if (run / "model" / "model.json").exists():
            published += 1
            call("predict", run, folder / "shape_0")
    assert published
    done = json.loads(call("fit", folder, "--budget", "60s", "--out", run, "--json").stdout)
    assert done["state"] == "finished" and done["samples_seen"] == 120
