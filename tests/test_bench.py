"""`headstart bench`: every pair, resumed, with tables and ranks."""

from __future__ import annotations

import csv
import json
import shlex
import shutil
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from headstart.challenge.bench import Bench, Pair, named_learners, named_tasks, pairs
from headstart.challenge.bench_figure import Line, compared
from headstart.challenge.bench_table import (
    Row,
    average_ranks,
    chosen,
    markdown,
    mean,
    ranks,
    summary,
    write_rows,
)
from headstart.cli import bench as benching
from headstart.errors import BadInput
from plays import make_task
from test_play import command

SCRIPT = """
import argparse, json, os
import sys
parser = argparse.ArgumentParser()
for name in ("task", "out", "budget", "seed"):
    parser.add_argument("--" + name)
options = parser.parse_args()
task = json.load(open(os.path.join(options.task, "task.json")))
rows = ["".join(f"{(k + j) % 3 / 2} " for j in range(len(task["classes"]))) for k in range(task["n_test"])]
path = os.path.join(options.out, task["name"] + ".predict_0")
open(path + ".part", "w").write("\\n".join(rows) + "\\n")
os.rename(path + ".part", path)
sys.exit(int(options.seed == "1") * 3)
"""


@pytest.fixture
def no_arrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)


def table(out: Path) -> list[dict[str, str]]:
    with (out / "runs.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.usefixtures("no_arrow")
def test_every_pair_and_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    task, out = make_task(tmp_path), tmp_path / "out"
    script = tmp_path / "tiny.py"
    script.write_text(SCRIPT)
    learners = f"constant,tiny=command:{shlex.quote(sys.executable)} {shlex.quote(str(script))}"
    words = [task, "--learners", learners, "--seeds", 2, "--budget", "20s", "--out", out]
    assert command(benching, *words) == 0
    said = capsys.readouterr()
    assert "| task | constant | tiny |" in said.out and "pip install 'headstart[bench]'" in said.err
    assert sorted(path.name for path in (out / "runs").iterdir()) == [
        f"shapes-{name}-{seed}" for name in ("constant", "tiny") for seed in (0, 1)
    ]
    rows = table(out)
    assert [(row["learner"], row["seed"], row["state"]) for row in rows] == [
        ("constant", "0", "finished"), ("tiny", "0", "finished"),
        ("constant", "1", "finished"), ("tiny", "1", "crashed"),
    ]  # fmt: skip
    for row in rows:
        verdict = json.loads(
            (out / "runs" / f"shapes-{row['learner']}-{row['seed']}/verdict.json").read_text()
        )
        assert float(row["alc60"]) == verdict["alc"]["60"] and json.loads(row["curve"]) == verdict["curve"]
        assert (
            row["clock"] == "wall" and json.loads(row["versions"])["headstart"] and float(row["peak_mb"]) > 1
        )
    content = json.loads((out / "table.json").read_text())
    assert content["machine"] and [one["seed"] for one in content["unusual"]] == [1]
    assert "the learner ended with code 3" in (out / "table.md").read_text()
    drawing = ET.parse(out / "shapes.svg")
    assert "tiny: ALC" in ET.tostring(drawing.getroot(), encoding="unicode")
    _again(words, out, capsys)


def _again(words: list[Any], out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Only what was deleted, cut short or not judged is done again."""
    shutil.rmtree(out / "runs" / "shapes-constant-1")
    (out / "runs" / "shapes-constant-0" / "verdict.json").unlink()
    stamps = {path: path.stat().st_mtime_ns for path in (out / "runs").glob("*/events.jsonl")}
    assert len(stamps) == 3
    assert command(benching, *words, "--json") == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["runs"] == 4 and said.err.count("there already") == 2
    assert len(table(out)) == 4 and (out / "runs" / "shapes-constant-1" / "verdict.json").is_file()
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in stamps.items())
    with pytest.raises(BadInput, match=r"budget of 20\.0 s"):
        command(benching, *words, "--budget", "30s")


@pytest.mark.usefixtures("no_arrow")
def test_a_pair_that_fails_does_not_stop_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad, good, out = tmp_path / "bad", make_task(tmp_path, name="good"), tmp_path / "out"
    shutil.copytree(good / "train", bad / "train")  # no test split
    words = ["--learners", "constant", "--seeds", 1, "--budget", "20s", "--out", out]
    assert command(benching, bad, good, *words) == 1
    first, second = table(out)
    assert first["state"] == "failed" and "no test split" in first["ended"] and first["alc60"] == ""
    assert second["state"] == "finished" and second["alc60"] == "0.0"
    assert "| bad | – |" in (out / "table.md").read_text() and "no test split" in capsys.readouterr().err
    shutil.copytree(good / "test", bad / "test")  # mended: the next call tries again
    assert command(benching, bad, good, *words) == 0


def row(task: str, learner: str, seed: int, alc60: float | None, alc20: float = 0.0) -> Row:
    if alc60 is None:
        return Row(task, learner, seed, 60.0, "failed", "why | not")
    return Row(task, learner, seed, 60.0, "finished", "the learner ended with code 0", alc60, alc20, 1.0, 0.5)


def test_ranks_by_hand() -> None:
    assert ranks([0.5, 0.9, 0.5, 0.1]) == [2.5, 1, 2.5, 4]
    assert ranks([None, -0.2, None]) == [2.5, 1, 2.5]
    assert ranks([0.1 + 0.2, 0.3]) == [1.5, 1.5]
    # Two tasks, three learners: ranks 1, 2, 3 and 2.5, 2.5, 1.
    assert average_ranks([[0.9, 0.8, 0.7], [0.1, 0.1, 0.6]]) == [1.75, 2.25, 2.0]


def test_means_errors_and_the_page() -> None:
    found = mean([0.1, 0.2, 0.3])
    assert found and found.n == 3 and found.words() == "0.2000 ± 0.0577"
    one = mean([0.25])
    assert one and one.error is None and one.words() == "0.2500" and mean([]) is None
    rows = [
        row("t", "a", 0, 0.5, 0.3), row("t", "a", 1, 0.7, 0.3), row("t", "b", 0, 0.9, 0.2),
        row("t", "b", 1, None), row("u", "a", 0, 0.4, 0.1), row("u", "b", 0, None),
    ]  # fmt: skip
    content = summary(rows)
    assert content["average_rank"] == {"alc60": {"a": 1.5, "b": 1.5}, "alc20": {"a": 1.0, "b": 2.0}}
    page = markdown(content)
    assert "| t | 0.6000 ± 0.1000 | 0.9000 (n = 1) |\n| u | 0.4000 | – |\n" in page
    assert "| **average rank** | **1.50** | **1.50** |" in page
    assert "- t, b, seed 1: why \\| not\n" in page


def test_names(tmp_path: Path) -> None:
    (tmp_path / "x" / "shapes.data").mkdir(parents=True)
    (tmp_path / "shapes").mkdir()
    assert list(named_tasks([str(tmp_path / "x" / "shapes.data")])) == ["shapes"]
    with pytest.raises(BadInput, match="both called 'shapes'"):
        named_tasks([str(tmp_path / "x" / "shapes.data"), str(tmp_path / "shapes")])
    with pytest.raises(BadInput, match="no task"):
        named_tasks([str(tmp_path / "nothing")])
    found = named_learners(["constant,r=random", rf"list=command:{sys.executable} 1\,2"])
    assert [one.name for one in found] == ["constant", "r", "list"] and found[2].command[1:] == ("1,2",)
    with pytest.raises(BadInput, match="two learners are called 'constant'"):
        named_learners(["constant", "constant"])
    with pytest.raises(BadInput, match="no learner"):
        named_learners([","])
    both = {"a": "/a", "a-b": "/b"}
    clash = [named_learners(["b-c=constant"])[0], named_learners(["c=constant"])[0]]
    with pytest.raises(BadInput, match="two runs"):
        pairs(Bench(both, clash, 1, 60.0, tmp_path))
    order: list[Pair] = pairs(Bench({"t": "/t", "u": "/u"}, found[:2], 2, 60.0, tmp_path))
    assert [(one.seed, one.task, one.learner.name) for one in order[:3]] == [
        (0, "t", "constant"), (0, "t", "r"), (0, "u", "constant"),
    ]  # fmt: skip


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    task, out = make_task(tmp_path), tmp_path / "out"
    (out / "runs").mkdir(parents=True)
    (out / "runs" / "mine").write_text("kept")
    with pytest.raises(BadInput, match="holds something else"):
        command(benching, task, "--learners", "constant", "--out", out, "--format", "csv")
    assert (out / "runs" / "mine").read_text() == "kept"


def test_format_without_pyarrow(no_arrow: None) -> None:
    form, notice = chosen(None)
    assert form == "csv" and notice and "headstart[bench]" in notice
    assert chosen("csv") == ("csv", None)
    with pytest.raises(BadInput, match=r"headstart\[bench\]"):
        chosen("parquet")


def test_parquet(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    assert chosen(None) == ("parquet", None)
    write_rows(tmp_path, [row("t", "a", 0, None)], "csv")
    path = write_rows(tmp_path, [row("t", "a", 0, None), row("t", "b", 1, 0.5)], "parquet")
    assert not (tmp_path / "runs.csv").exists()
    read = parquet.read_table(path)
    assert read.column("alc60").to_pylist() == [None, 0.5] and str(read.schema.field("late").type) == "int64"
    assert read.to_pylist()[1]["learner"] == "b"


def test_a_figure_of_many_learners() -> None:
    lines = [Line(f"l<{k}", [1.0, 5.0], [0.1, 0.2 + k / 10], 0.1) for k in range(7)]
    drawing = compared([*lines, Line("none", [], [], None)], 60.0, 60.0, "a & b")
    root = ET.fromstring(drawing)
    assert "none: not played" in drawing and "stroke-dasharray:7 3" in drawing
    assert len([one for one in root.iter() if one.get("class", "").startswith("line")]) == 8
