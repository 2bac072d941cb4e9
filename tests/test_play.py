"""`headstart play` and `headstart judge` as commands, and the learners that come with them."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headstart.challenge.learners import BUILT_IN, learner
from headstart.challenge.play_headstart import arranged
from headstart.cli import judge as judging
from headstart.cli import play as playing
from headstart.data.autodl.writer import Sample, write_dataset
from headstart.errors import BadBudget, BadInput
from headstart.words.task import Samples, Task
from plays import make_task


def command(module: Any, *arguments: object) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    module.arguments(parser)
    code: int = module.run(parser.parse_args([str(argument) for argument in arguments]))
    return code


def test_play_and_judge(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    task, out = make_task(tmp_path), tmp_path / "out"
    assert command(playing, task, "--learner", "constant", "--budget", "30s", "--out", out, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["state"] == "finished" and document["predictions"] == 1
    assert command(judging, out, "--json") == 0
    verdict = json.loads(capsys.readouterr().out)
    assert verdict["alc"] == {"60": 0.0, "20": 0.0} and verdict["final_score"] == 0.0
    assert verdict["clock"] == "wall" and verdict["without_start_up"]["alc"] == {"60": 0.0, "20": 0.0}
    assert verdict["first_prediction_seconds"] == verdict["curve"][0][0] >= verdict["start_up_seconds"] > 0
    assert command(judging, out) == 0
    said = capsys.readouterr().out
    assert "t0 = 60 s" in said and "t0 = 20 s" in said and "1 count, 0 late, 0 refused" in said
    assert f"curve: {out}/curve.svg" in said


def test_our_own_learner_on_folders_and_records(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    task = make_task(tmp_path, each=8)
    draws = np.random.default_rng(0)
    samples = [
        Sample(
            np.clip(draws.normal(0.3 + 0.4 * (k % 2), 0.1, (1, 8, 8, 3)), 0, 1).astype(np.float32), (k % 2,)
        )
        for k in range(24)
    ]
    write_dataset(str(tmp_path / "NAME.data"), 2, samples, samples[:10])
    for one, out in ((task, tmp_path / "a"), (tmp_path / "NAME.data", tmp_path / "b")):
        assert command(playing, one, "--budget", "20s", "--seed", 1, "--out", out) == 0
        errors = (out / "learner.err").read_text()
        assert command(judging, out, "--json") == 0
        verdict = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert verdict["state"] == "finished", errors
        assert verdict["final_score"] > 0.9 and verdict["refused"] == [] and verdict["late"] == 0, errors
        assert verdict["start_up_seconds"] < verdict["first_prediction_seconds"]


def test_columns_are_those_of_the_referee() -> None:
    task = Task("t", "image", "single", ("b", "a"), Samples("", ["x"]), Samples("", ["0", "1"]))
    document = {"classes": ["a", "b", "c"]}
    rows = arranged(task, np.array([[0.75, 0.25], [0.5, 0.5]]), document)
    np.testing.assert_array_equal(rows, np.array([[0.25, 0.75, 0], [0.5, 0.5, 0]], np.float32))
    assert rows.dtype == np.float32


def test_learners(tmp_path: Path) -> None:
    for name in BUILT_IN:
        assert learner(name).command[0] == sys.executable and learner(name).name == name
    (tmp_path / "mine.py").touch()
    own = learner(f"command:{sys.executable} -S '{tmp_path / 'mine.py'}' --more 1")
    assert (
        own.command == (sys.executable, "-S", str(tmp_path / "mine.py"), "--more", "1")
        and own.name == "mine.py"
    )
    assert own.line("/t", "/o", 90.0, 3)[5:] == [
        "--task",
        "/t",
        "--out",
        "/o",
        "--budget",
        "90",
        "--seed",
        "3",
    ]
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "model.py").touch()
    other = learner(f"submission:{tmp_path / 'theirs'}", sys.executable)
    assert other.name == "theirs" and other.command[-2:] == ("--submission", str(tmp_path / "theirs"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nobody", "there is no learner 'nobody'"),
        ("command:", "needs a command"),
        ("command:'", "cannot be read"),
        ("command:no-such-program-here", "there is no program"),
        ("submission:", "is no submission"),
        ("submission:/no/such", "is no submission"),
    ],
)
def test_no_learner(text: str, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        learner(text)


def test_bad_options(tmp_path: Path) -> None:
    task = make_task(tmp_path)
    for options, error in (
        (("--budget", "soon"), BadBudget),
        (("--memory", "much"), BadInput),
        (("--seed", "-1"), BadInput),
        (("--python", "no-such-python"), BadInput),
    ):
        with pytest.raises(error):
            command(playing, task, "--learner", "constant", "--out", tmp_path / "out", *options)
    assert not (tmp_path / "out").exists()
