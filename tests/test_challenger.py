"""Networks trained beside the stages, or alone: judged by evidence, published as models that need no torch."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")

from PIL import Image

import clips
import headstart
from headstart import api
from headstart.challenge import calibrate_training as training
from headstart.errors import BadConfig, BadInput
from headstart.learn.snapshot import Snapshot
from headstart.words.clock import Budget, CostClock
from headstart.words.config import Config, Stage
from headstart.words.costs import Cost, CostTable
from headstart.words.recipe import Recipe
from headstart.words.scoring import score
from invented import invented

pytestmark = pytest.mark.slow
WAYS = ("left", "right")
QUICK = Recipe(
    "small",
    32,
    weights="random",
    optimiser="adamw",
    rate=5e-3,
    epochs=25,
    batch=16,
    schedule="cosine",
    warmup=0.1,
)


def stripes(root: Path, each: int, seed: int) -> Path:
    """Two classes that differ by which way waves lean alone: phase and length are drawn, so that pixels tell little."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:32, 0:32]
    for label, sign in (("falls", 1), ("rises", -1)):
        folder = root / label
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(each):
            wave = (
                np.sin((x + sign * y) * rng.uniform(1.3, 1.9) + rng.uniform(0, 6.28)) * rng.uniform(30, 60)
                + 128
            )
            noisy = wave[..., None] + rng.normal(0, 12, (32, 32, 3))
            Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(folder / f"{number}.png")
    return root


@pytest.fixture
def task(tmp_path: Path) -> tuple[Path, Path]:
    return stripes(tmp_path / "train", 60, 0), stripes(tmp_path / "test", 40, 1)


def snapshots(request: api.Request) -> list[Snapshot]:
    return [event for event in api.run(request) if isinstance(event, Snapshot)]


def known(test: Path, names: list[str]) -> np.ndarray:
    return np.array([["falls" in name, "rises" in name] for name in names], float)


def predictions(run: Path) -> tuple[list[str], np.ndarray]:
    lines = (run / "predictions.csv").read_text().splitlines()[1:]
    rows = [line.split(",") for line in lines]
    return [row[0] for row in rows], np.array([[float(v) for v in row[3:]] for row in rows])


def test_a_network_joins_where_it_helps_and_the_model_says_the_same(
    task: tuple[Path, Path], tmp_path: Path
) -> None:
    train, test = task
    config = Config((Stage("pixels", 32, ("rgb16",)),), recipe=QUICK, folds=3)
    out = tmp_path / "run"
    found = snapshots(api.Request(train, Budget(100), out, test, config, None, 1))
    assert found[0].ensemble.trained is None  # the stages published first
    last = found[-1].ensemble.trained
    assert last is not None and last.name == "small@32" and 1 <= len(last.graphs) <= 3
    evidence = [one.evidence for one in found]
    assert evidence == sorted(evidence) and evidence[-1] > 0.9
    names, told = predictions(out)
    assert score(known(test, names), told) > 0.9
    again, skipped = headstart.load(out).posteriors([test / name for name in names])
    assert not skipped
    np.testing.assert_allclose(again, told, atol=5e-3)  # weights are stored in half precision
    exported = tmp_path / "model.onnx"
    done = subprocess.run([sys.executable, "-m", "headstart", "export", str(out), str(exported)], timeout=120)
    assert done.returncode == 0 and exported.stat().st_size > 100_000
    about = json.loads((out / "run.json").read_text())["trained"]
    assert about["name"] == "small@32" and 0 < about["share"] <= 1 and about["evidence"] > 0.9


def test_a_network_that_does_not_help_stays_out(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for label, grey in (("dark", 90), ("light", 160)):
        folder = tmp_path / "train" / label
        folder.mkdir(parents=True)
        for number in range(40):
            noise = rng.normal(grey, 40, (8, 8, 3)).clip(0, 255).astype(np.uint8)
            Image.fromarray(noise).resize((32, 32)).save(folder / f"{number}.png")
    hopeless = Recipe("small", 32, weights="random", rate=1e-5, epochs=1, optimiser="sgd")
    config = Config((Stage("pixels", 32, ("rgb16",)),), recipe=hopeless, enough=1.0)
    found = snapshots(api.Request(tmp_path / "train", Budget(100), tmp_path / "run", None, config, None, 1))
    assert all(one.ensemble.trained is None for one in found)


def test_the_recipe_alone_learns_images(task: tuple[Path, Path], tmp_path: Path) -> None:
    train, test = task
    config = Config(recipe=QUICK)
    out = tmp_path / "run"
    found = snapshots(api.Request(train, Budget(100), out, test, config, None, 1, method="transfer"))
    assert all(not one.ensemble.members for one in found)
    names, told = predictions(out)
    assert score(known(test, names), told) > 0.85
    assert found[-1].evidence == max(one.evidence for one in found)
    label = headstart.load(out).predict(test)[0].label
    assert label in ("falls", "rises")


def test_the_recipe_alone_learns_several_labels(tmp_path: Path) -> None:
    stripes(tmp_path / "all", 40, 0)
    lines = ["path,labels"]
    for path in sorted((tmp_path / "all").rglob("*.png")):
        name = path.relative_to(tmp_path / "all").as_posix()
        small = int(path.stem) % 2
        if small:
            Image.open(path).point(lambda v: v // 3).save(path)
        lines.append(f"{name},{path.parent.name}" + (";dark" if small else ""))
    (tmp_path / "all" / "labels.csv").write_text("\n".join(lines) + "\n")
    out = tmp_path / "run"
    config = Config(recipe=QUICK)
    found = snapshots(
        api.Request(
            tmp_path / "all" / "labels.csv", Budget(100), out, None, config, None, 1, method="transfer"
        )
    )
    assert found[-1].evidence > 0.6
    model = headstart.load(out)
    assert model.labels == "multi" and set(model.classes) == {"dark", "falls", "rises"}


def test_the_recipe_alone_learns_clips(tmp_path: Path) -> None:
    for way in WAYS:
        for number in range(24):
            clips.animate(tmp_path / "train" / way / f"{number}.gif", clips.moving(way, 8, seed=number))
    recipe = Recipe(
        "clip_small",
        32,
        weights="random",
        frames=6,
        optimiser="adamw",
        rate=5e-3,
        epochs=25,
        batch=16,
        schedule="cosine",
        warmup=0.1,
    )
    out = tmp_path / "run"
    found = snapshots(
        api.Request(
            tmp_path / "train",
            Budget(100),
            out,
            None,
            Config(recipe=recipe),
            None,
            1,
            kind="video",
            method="transfer",
        )
    )
    assert found[-1].evidence > 0.8
    files = sorted((tmp_path / "train").rglob("*.gif"))
    said = headstart.load(out).predict(files)
    assert np.mean([path.parent.name == one.label for path, one in zip(files, said, strict=True)]) > 0.8


def test_what_method_and_configuration_must_agree_on(task: tuple[Path, Path], tmp_path: Path) -> None:
    stage = Stage("pixels", 32, ("rgb16",))
    for config, method, words in (
        (Config((stage,)), "transfer", "needs a recipe"),
        (Config((stage,), recipe=QUICK), "transfer", "has no stages"),
        (Config(recipe=QUICK), "anytime", "--method transfer"),
    ):
        with pytest.raises(BadConfig, match=words):
            snapshots(api.Request(task[0], Budget(5), tmp_path / "run", None, config, None, 1, method=method))


def test_a_killed_training_goes_on_where_it_stopped(task: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "run"
    config = tmp_path / "config.json"
    config.write_text(Config((Stage("pixels", 32, ("rgb16",)),), recipe=QUICK, folds=3).to_json())
    command = [sys.executable, "-m", "headstart", "fit", os.fspath(task[0]), "--out", os.fspath(out)]
    command += ["--budget", "60s", "--config", os.fspath(config), "--no-report"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 60
    while not list((out / "cache").glob("network-*.done")) and time.monotonic() < end:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = {path.name: path.stat().st_mtime_ns for path in (out / "cache").glob("network-*.done")}
    assert done
    assert subprocess.run(command, capture_output=True, timeout=120).returncode == 0
    after = {path.name: path.stat().st_mtime_ns for path in (out / "cache").glob("network-*.done")}
    assert set(done) < set(after) and all(after[name] == done[name] for name in done)
    assert headstart.load(out).ensemble.trained is not None


def test_a_simulated_training_is_the_same_twice_and_is_charged(
    task: tuple[Path, Path], tmp_path: Path
) -> None:
    plain = invented(("pixels",), (32,))
    rows = (Cost("backward", "small", 32, 0.004, 6e-4), Cost("infer", "small", 32, 0.001, 2e-4))
    table = CostTable((*plain.rows, *rows))
    config = Config((Stage("pixels", 32, ("rgb16",)),), recipe=replace(QUICK, epochs=6), folds=3, enough=1.0)

    def run(name: str) -> tuple[list[Snapshot], CostClock]:
        clock = CostClock(table)
        request = api.Request(task[0], Budget(60), tmp_path / name, task[1], config, clock, 0)
        return snapshots(request), clock

    (one, clock), (other, _) = run("a"), run("b")
    assert [(a.seconds, a.evidence) for a in one] == [(b.seconds, b.evidence) for b in other]
    np.testing.assert_array_equal(one[-1].test, other[-1].test)
    # Three networks, each six passes over two thirds of 120 samples.
    assert clock.totals()["backward"] == pytest.approx(3 * 6 * (80 * 6e-4 + 5 * 0.004), rel=0.15)


def test_a_table_without_training_is_refused(task: tuple[Path, Path], tmp_path: Path) -> None:
    clock = CostClock(invented(("pixels",), (32,)))
    config = Config((Stage("pixels", 32, ("rgb16",)),), recipe=replace(QUICK, epochs=1), enough=1.0)
    with pytest.raises(BadInput, match="backward small"):
        snapshots(api.Request(task[0], Budget(60), tmp_path / "run", None, config, clock, 0))


def test_training_is_measured_for_a_table() -> None:
    cells = training.cells(["small"])
    assert {(cell.kind, cell.name, cell.size, cell.n) for cell in cells} == {
        (kind, "small", size, count)
        for kind in ("backward", "infer")
        for size in (32, 64, 128)
        for count in (8, 32)
    }
    for cell in cells[:2]:
        cell.measure()
        assert cell.seconds > 0
