"""The figures: the numbers behind them by hand, well-formed SVG, and the command."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

from headstart.errors import BadInput
from headstart.learn.plan import default_config
from headstart.meta.figures import best_scores, final_scores, kind_of, model_of, recognised
from headstart.meta.library import Library
from headstart.meta.performance import Performance
from headstart.meta.record import Record
from headstart.meta.similarity.kmeans import KMeansVote
from headstart.meta.similarity.mlp_moments import MlpMoments
from headstart.meta.similarity.mlp_vote import MlpVote
from headstart.meta.similarity.nearest_mean import NearestMean
from headstart.report.library_charts import Dot, Level, Line, Panel, Strip, nice, panels, strips
from headstart.report.library_figures import Scores, write_scores
from headstart.words.config import Config, Stage
from test_select import CONFIGS, library

SVG = "{http://www.w3.org/2000/svg}"


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def command(*words: str | Path) -> subprocess.CompletedProcess[str]:
    script = (
        "import argparse, sys, importlib\n"
        "from headstart.errors import BadInput\n"
        "module = importlib.import_module('headstart.cli.library_' + sys.argv[1])\n"
        "parser = argparse.ArgumentParser()\n"
        "parser.add_argument('--json', action='store_true')\n"
        "module.arguments(parser)\n"
        "try:\n    sys.exit(module.run(parser.parse_args(sys.argv[2:])))\n"
        "except BadInput as error:\n    sys.exit(f'headstart: {error}')\n"
    )
    return subprocess.run([sys.executable, "-c", script, *map(str, words)], capture_output=True, text=True)


def test_the_best_of_a_model_is_over_its_heads_and_kinds_are_told() -> None:
    ridge, lda = (Config((Stage("lite0", 64, ("d10",)),), heads=(head,)) for head in ("ridge", "lda"))
    pixels = Config((Stage("pixels", 16, ("raw",)),))
    settings = (ridge, lda, pixels, CONFIGS[2], None)
    values = np.array([[0.5, 0.6, 0.2, np.nan, 0.1], [0.7, np.nan, 0.3, 0.9, 0.2]])
    table = Performance.of("xy", [c.digest if c else "named" for c in settings], values, settings=settings)
    found = best_scores(table)
    assert found.models == ("lite0@64/d10", "pixels@16/raw", "small@32", "named")
    assert found.kinds == ("frozen", "pixels", "trained", "other")
    assert np.array_equal(found.scores, [[0.6, 0.2, np.nan, 0.1], [0.7, 0.3, 0.9, 0.2]], equal_nan=True)
    assert model_of("id", CONFIGS[1]) == "lite0@64/head, lite0@128/d10+head" and kind_of(None) == "other"
    plan = default_config(0, 0, (), "video")
    assert model_of("id", plan) == (
        "pixels@64, lite0@64, pixels@64x8 moving, motion@64x8, lite0@64+128+224x8 moving"
    )


def test_final_scores_are_the_last_points_and_failures_are_nothing(tmp_path: Path) -> None:
    told, _ = library(tmp_path, count=2)
    name = next(iter(told))
    failed = Record.of(CONFIGS[0], [(1.0, 0.4)], clock="wall", budget=60.0, status="failed")
    told = told.add_runs(
        name, [failed, Record.of(CONFIGS[1], [(1, 0.1), (2, 0.5)], clock="wall", budget=60.0)]
    )
    table = final_scores(told, "wall")
    assert table.priors == (name,)
    assert table.values[0, table.column(CONFIGS[0].digest)] == 0.0
    assert table.values[0, table.column(CONFIGS[1].digest)] == 0.5
    with pytest.raises(BadInput, match="no run to draw"):
        final_scores(told, "never")


def test_recognition_takes_the_incumbent_of_the_nearest_prior_of_another_source(tmp_path: Path) -> None:
    told, _ = library(tmp_path, count=6)
    features = {name: part.rows.astype(np.float32) for name, part in told.all_features().items()}
    found = recognised(told.matrix(), features, [NearestMean()], (1, 8, 64), trials=4)
    assert found.reached.shape == (1, 6, 3)
    assert (found.reached[0] > 0.85).all()  # each kind's incumbent is that of the other priors of the kind
    assert (found.same >= found.reached.max(axis=(0, 2)) - 1e-9).all()
    for name, others in zip(found.priors, found.others, strict=True):
        assert name not in others and len(others) == 5
    again = recognised(told.matrix(), features, [NearestMean()], (1, 8, 64), trials=4)
    assert np.array_equal(again.reached, found.reached)
    with pytest.raises(BadInput, match="two sources or more"):
        recognised(told.matrix(), {}, [NearestMean()])


def test_figure_6_takes_the_papers_first_three_meta_classifiers(tmp_path: Path) -> None:
    told, _ = library(tmp_path, count=4)
    features = {name: part.rows.astype(np.float32) for name, part in told.all_features().items()}
    methods = [
        KMeansVote(clusters=5, starts=2),
        MlpVote(neurons=16, steps=60, rate=1e-2),
        MlpMoments(batch=16, neurons=16, vectors=8, steps=60, rate=1e-2),
    ]
    found = recognised(told.matrix(), features, methods, (1, 16), trials=2)
    assert found.methods == ("k-means, vote", "MLP, vote", "MLP on moments")
    assert (found.reached[:, :, 1] > 0.85).all()  # with 16 samples each finds a prior of the set's kind
    for same, others in zip(found.same, found.others, strict=True):
        assert same >= max(others.values())  # "same-config" is the best of all that was run on the set


def test_steps_of_axes() -> None:
    assert [nice(x) for x in (0.2, 0.21, 0.03, 1.0)] == pytest.approx([0.2, 0.5, 0.05, 1.0])


def test_drawings_are_well_formed_and_hold_what_they_are_given() -> None:
    odd = '<b> & "x"\u202e\x07'
    drawing = strips([Strip(odd, [Dot(0.5, "frozen", odd), Dot(0.7, "other", "b")], 0.6)], odd, "score")
    tree = ElementTree.fromstring(drawing)
    assert len(tree.findall(f".//{SVG}circle")) == 4  # two dots, two in the legend
    many = [Panel(f"set {i}", [Line("a", [0.1, float("nan"), 0.3]), Line("b", [0.2] * 3)]) for i in range(5)]
    many.append(Panel("levels", [Line("a", [0.1] * 3)], [Level("p", 0.4, "thin"), Level("s", 0.5, "same")]))
    tree = ElementTree.fromstring(panels(many, ["1", "2", "4"], "title", "axis"))
    assert len([p for p in tree.iter(f"{SVG}path") if p.find(f"{SVG}title") is not None]) == 11
    words = [text.text for text in tree.iter(f"{SVG}text")]
    assert {"each prior's incumbent", "same-config"} <= set(words) and "strongest peer" not in words
    ElementTree.fromstring(strips([], "nothing", "score"))
    ElementTree.fromstring(panels([], [], "nothing", "axis"))


def test_both_orders_are_sorted_by_median(tmp_path: Path) -> None:
    values = np.array([[0.2, 0.4, np.nan], [0.6, 0.8, 0.9], [np.nan, np.nan, 0.5]])
    files = write_scores(tmp_path, Scores("xyz", "abc", ("frozen", "pixels", "trained"), values, "score"))
    names = [[t.text for t in ElementTree.parse(f).iter(f"{SVG}text")] for f in files if f.suffix == ".svg"]
    assert [n for n in names[0] if n in ("x", "y", "z")] == ["y", "z", "x"]
    assert [n for n in names[1] if n in ("a", "b", "c")] == ["c", "b", "a"]
    assert len(rows(tmp_path / "fig4_by_set.csv")) == 6
    assert rows(tmp_path / "fig5_by_model.csv")[0] == {
        "model": "c", "kind": "trained", "sets": "2", "median": "0.70000", "mean": "0.70000",
    }  # fmt: skip


def test_the_command_writes_every_figure_with_its_numbers(tmp_path: Path) -> None:
    library(tmp_path / "lib", count=6)
    peers = tmp_path / "table.json"
    peers.write_text(
        json.dumps({"sets": {"letters0": {"ours": {"alc60": [0.99, 0]}, "cnn": {"alc60": [0.7, 0.1]}}}})
    )
    out = tmp_path / "out"
    words = ("figures", out, "--library", tmp_path / "lib", "--quick", "--trials", "2", "--peers", peers)
    done = command(*words, "--json")
    assert done.returncode == 0, done.stderr
    files = [Path(file) for file in json.loads(done.stdout)["files"]]
    assert len(files) == 8 and all(file.exists() for file in files)
    for file in files:
        if file.suffix == ".svg":
            ElementTree.parse(file)
    lines = rows(out / "fig6_batch_size.csv")
    assert {"same-config", "nearest mean", "peer cnn"} <= {
        row["line"] for row in lines if row["set"] == "letters0"
    }
    grown = rows(out / "fig7_portfolio.csv")
    assert [row["size"] for row in grown] == ["1", "2", "3"]
    assert float(grown[-1]["inside"]) == pytest.approx(float(grown[-1]["oracle"]))
    final = command(
        "figures", out, "--library", tmp_path / "lib", "--score", "final", "--quick", "--trials", "1"
    )
    assert final.returncode == 0 and {float(r["best"]) for r in rows(out / "fig4_by_set.csv")} >= {
        0.905,
        0.755,
    }


def test_the_command_names_what_is_wrong(tmp_path: Path) -> None:
    empty = command("figures", tmp_path / "out", "--library", tmp_path / "none")
    assert "no run to draw" in empty.stderr and "Traceback" not in empty.stderr
    library(tmp_path / "lib", count=4)
    (tmp_path / "file").write_text("{}")
    for words, said in (
        (("--sizes", "0"), "--sizes is 0"),
        (("--t0", "0"), "above 0 s"),
        (("--quick", "--peers", tmp_path / "file"), "no table.json"),
        (("--quick", "--peers", tmp_path / "missing"), "cannot be read"),
    ):
        done = command("figures", tmp_path / "out", "--library", tmp_path / "lib", *words)
        assert done.returncode and said in done.stderr and "Traceback" not in done.stderr
    assert "is a file" in command("figures", tmp_path / "file", "--library", tmp_path / "lib").stderr


def test_matrices_without_features_lack_only_figure_six(tmp_path: Path) -> None:
    from headstart.meta.matrices import add, read

    source = tmp_path / "table.csv"
    source.write_text(",a,b\na,0.5,0.4\nc,0.3,0.6\nd,0.3,0.7\n")
    add(Library.open(tmp_path / "lib"), read(source))
    done = command("figures", tmp_path / "out", "--library", tmp_path / "lib", "--score", "final")
    assert done.returncode == 0 and "Fig. 6 is left out" in done.stderr
    assert len(done.stdout.splitlines()) == 6


def test_the_rules_are_compared_by_the_command(tmp_path: Path) -> None:
    library(tmp_path / "lib", count=8)
    page = tmp_path / "rules.md"
    done = command("evaluate", "--library", tmp_path / "lib", "--out", page)
    assert done.returncode == 0, done.stderr
    assert "regret model, guarded" in done.stdout and "Not tried: portfolio of 5" in done.stdout
    assert "**regret model, guarded**" in page.read_text()
    data = json.loads(command("evaluate", "--library", tmp_path / "lib", "--json").stdout)
    assert data["rules"] == 10 and len(data["sources"]) == 8
    wrong = command("evaluate", "--library", tmp_path / "lib", "--out", tmp_path / "no" / "rules.md")
    assert "make it first" in wrong.stderr
    assert "holds no run" in command("evaluate", "--library", tmp_path / "none").stderr
