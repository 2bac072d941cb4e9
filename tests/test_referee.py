"""The referee against real learners that go wrong: times, endings, and what is left of them.

benchmarks/faults plays many more; `pytest -m slow` plays every fault once.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from headstart.challenge import landlock
from headstart.challenge.judge import Verdict, judge
from headstart.challenge.learners import Learner
from headstart.challenge.limits import Limits
from headstart.challenge.processes import kill, marked
from headstart.challenge.record import Event, read_events
from headstart.challenge.referee import Play, play
from headstart.errors import BadInput
from headstart.words.scoring import score
from plays import make_task

sys.path.append(str(Path(__file__).parents[1]))  # benchmarks/ is no part of the package
faulty = pytest.importorskip("benchmarks.faults.faulty", reason="needs the sources' folder benchmarks/")
harness = pytest.importorskip("benchmarks.faults.referee", reason="needs the sources' folder benchmarks/")
LATE = 2.0
LIMITS = Limits(memory=400 << 20, disk=150 << 20)


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_task(tmp_path_factory.mktemp("data"), name="task")


@pytest.fixture
def token() -> Iterator[str]:
    """A mark in the environment of every learner; no process with it may be left."""
    token = f"FAULTY_TOKEN_{os.getpid()}_{time.monotonic_ns()}"
    os.environ[token] = "1"
    yield token
    del os.environ[token]
    left = marked(token)
    kill(left)
    assert left == []


def learner(fault: str, good: int = 2, at: float = 0.3) -> Learner:
    return Learner(
        fault, (sys.executable, "-S", faulty.__file__, "--fault", fault, "--good", str(good), "--at", f"{at}")
    )


def played(
    task: Path, out: Path, fault: str, budget: float = 20.0, polling: bool = False
) -> tuple[dict, Verdict, float]:
    """What a fault came to: play.json, the verdict, and how long after T the referee ended."""
    began: list[float] = []

    def say(event: Event) -> None:
        if event.event == "start":
            began.append(time.monotonic())

    document = play(Play(str(task), learner(fault), budget, out, limits=LIMITS, polling=polling), say)
    over = time.monotonic() - began[0] - budget
    assert json.loads((out / "play.json").read_text()) == document
    return document, judge(out), over


def expected(out: Path, number: int) -> float:
    with np.load(out / "answers.npz") as found:
        truth = found["truth"]
    return score(truth, np.array(faulty.good(number, *truth.shape)))


@pytest.mark.parametrize(
    ("fault", "state", "words"),
    [
        ("hang", "stopped", "the budget was used up"),
        ("raises", "crashed", "with code 1"),
        ("killed", "crashed", "by signal 9"),
        ("memory", "stopped", "of memory"),
        ("ends", "finished", "with code 0"),
        ("children", "stopped", "the budget was used up"),
        ("daemon", "finished", "with code 0"),
        ("guard killed", "crashed", "guard"),
    ],
)
def test_endings(task: Path, tmp_path: Path, token: str, fault: str, state: str, words: str) -> None:
    budget = 20.0 if state != "stopped" or fault == "memory" else 0.9
    document, verdict, over = played(task, tmp_path / "out", fault, budget)
    assert over < LATE
    assert document["state"] == state and words in document["ended"]
    for number, point in enumerate(verdict.curve[:2]):
        assert point.score == pytest.approx(expected(tmp_path / "out", number), abs=1e-9)
    assert len(verdict.curve) >= 2 and all(point.seconds <= budget for point in verdict.curve)
    assert not (tmp_path / "out" / "scratch").exists()


@pytest.mark.slow
@pytest.mark.parametrize("fault", [*faulty.FAULTS, *harness.ENDINGS])
def test_every_fault(tmp_path: Path, fault: str) -> None:
    trial = harness.run_trial(0, fault, harness.make_task(tmp_path / "task"), tmp_path, seed=1)
    assert trial.failures == []


@pytest.mark.parametrize("fault", ["NaN", "sparse terabyte", "replaces"])
def test_garbage_is_refused_and_the_rest_counts(task: Path, tmp_path: Path, token: str, fault: str) -> None:
    document, verdict, over = played(task, tmp_path / "out", fault)
    assert over < LATE and document["state"] == "finished"
    counted = [point.file for point in verdict.curve]
    assert "task.predict_0.npy" in counted
    assert len(verdict.refused) == 1
    if fault != "replaces":  # after garbage there is one more that is good
        assert counted == ["task.predict_0.npy", "task.predict_1", "task.predict_3"]
    size = sum(path.stat().st_size for path in (tmp_path / "out" / "predictions").iterdir())
    assert size < 1 << 24


def test_refused_while_it_runs(task: Path, tmp_path: Path, token: str) -> None:
    _, _, _ = played(task, tmp_path / "out", "a column more")
    events = read_events(tmp_path / "out")
    kinds = [event.event for event in events]
    assert kinds[0] == "start" and kinds[-1] == "end" and "exit" in kinds
    refused = next(event for event in events if event.event == "refused")
    assert refused.file == "task.predict_2.npy" and "has the shape" in refused.words
    times = [event.t for event in events]
    assert times[0] == 0.0 and all(event.cpu is not None for event in events)


@pytest.mark.parametrize("polling", [False, True])
def test_stamps_are_exact(task: Path, tmp_path: Path, token: str, polling: bool) -> None:
    script = tmp_path / "learner.py"
    script.write_text(
        "import json, os, sys, time\n"
        "task, out = (sys.argv[sys.argv.index(name) + 1] for name in ('--task', '--out'))\n"
        "about = json.load(open(os.path.join(task, 'task.json')))\n"
        "row = ' '.join(['0'] * len(about['classes'])) + '\\n'\n"
        "for k in range(20):\n"
        "    time.sleep(.02)\n"
        "    with open(out + '/part', 'w') as file: file.write(row * about['n_test'])\n"
        "    before = time.monotonic()\n"
        "    os.replace(out + '/part', f'{out}/task.predict_{k}')\n"
        "    print(before, time.monotonic(), flush=True)\n"
    )
    out = tmp_path / "out"
    document = play(
        Play(str(task), Learner("exact", (sys.executable, "-S", str(script))), 10.0, out, polling=polling)
    )
    assert document["watch"] == ("polling" if polling else "inotify")
    moments = [tuple(map(float, line.split())) for line in (out / "learner.out").read_text().splitlines()]
    stamps = [e.t + document["monotonic_start"] for e in read_events(out) if e.event == "prediction"]
    assert len(stamps) == len(moments) == 20
    outside = [
        max(0.0, s - after) + max(0.0, before - s) for s, (before, after) in zip(stamps, moments, strict=True)
    ]
    assert np.median(outside) < 0.02  # of single ones a loaded machine may make more


def test_answers_are_closed_to_the_learner(task: Path, tmp_path: Path, token: str) -> None:
    script = tmp_path / "elsewhere" / "peek.py"
    script.parent.mkdir()
    script.write_text(
        "import json, os, sys\n"
        "out = sys.argv[sys.argv.index('--out') + 1]\n"
        f"for path in (out + '/../answers.npz', {str(task / 'test')!r}, {str(task / 'test/shape_0/0.png')!r}):\n"
        "    try:\n"
        "        os.listdir(path) if os.path.isdir(path) else open(path, 'rb').read()\n"
        "        print('open')\n"
        "    except OSError: print('closed')\n"
        "print(len(os.listdir(out + '/../public/test')), open(__file__).read(6))\n"
        "open('own', 'w').write('own'); print(open('own').read(), open('own', 'rb').read() and os.getcwd())\n"
        f"print([n for n, v in os.environ.items() if {str(task)!r} in v])\n"
    )
    os.environ["WHERE_IT_IS"] = str(task)
    try:
        document = play(
            Play(str(task), Learner("peek", (sys.executable, str(script))), 10.0, tmp_path / "out")
        )
    finally:
        del os.environ["WHERE_IT_IS"]
    said = (tmp_path / "out" / "learner.out").read_text().splitlines()
    assert document["code"] == 0, (tmp_path / "out" / "learner.err").read_text()
    assert said[3:] == ["12 import", f"own {tmp_path / 'out' / 'scratch'}", "[]"]
    if "closed" in document["answers"]:
        assert said[:3] == ["closed"] * 3


def test_landlock_says_why_it_cannot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landlock, "_call", lambda *_: -1)
    with pytest.raises(landlock.Unavailable, match="no Landlock"):
        landlock.prepare([str(tmp_path)], [], [])


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_referee_itself_is_ended(task: Path, tmp_path: Path, token: str, number: int) -> None:
    """No process of the learner is left, and what was published can be judged."""
    out = tmp_path / "out"
    words = shlex.join(learner("children", 2, 0.3).command)
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "headstart", "play", str(task), "--learner", f"command:{words}",
         "--budget", "60", "--out", str(out)], stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    for line in process.stderr:
        if "predict_1" in line:
            break
    time.sleep(0.2)
    assert len(marked(token)) >= 2
    process.send_signal(number)
    said = process.communicate(timeout=10)[1]
    assert process.returncode == (130 if number == signal.SIGINT else -number)
    assert "Traceback" not in said
    until = time.monotonic() + 3
    while marked(token) and time.monotonic() < until:
        time.sleep(0.02)
    assert marked(token) == []
    verdict = judge(out)
    assert [point.file for point in verdict.curve] == ["task.predict_0.npy", "task.predict_1"]
    assert verdict.state == ("interrupted" if number == signal.SIGINT else "running")


def test_what_cannot_be_played(task: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(BadInput, match="is not empty"):
        play(Play(str(task), learner("ends"), 1.0, tmp_path / "full"))
    with pytest.raises(BadInput, match="could not be started: No such file"):
        play(Play(str(task), Learner("none", ("/no/such/program",)), 1.0, tmp_path / "out"))
    assert json.loads((tmp_path / "out" / "play.json").read_text())["state"] == "failed"


@pytest.mark.slow
def test_output_is_kept_short(task: Path, tmp_path: Path, token: str) -> None:
    _, verdict, over = played(task, tmp_path / "out", "talks", budget=2.5)
    assert over < LATE and len(verdict.curve) == 2
    assert (tmp_path / "out" / "learner.out").stat().st_size <= 1 << 24


@pytest.mark.slow
def test_no_more_than_so_many_predictions(
    task: Path, tmp_path: Path, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headstart.challenge.stamps.MOST", 5)
    document, verdict, _ = played(task, tmp_path / "out", "flood", budget=0.9)
    assert document["predictions"] <= 6 and len(verdict.curve) <= 6
    assert any(event.event == "surplus" for event in read_events(tmp_path / "out"))
