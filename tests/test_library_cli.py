"""`headstart library`: what it prints, in how many columns, and how it fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conftest import MakeFolder
from headstart.cli import library as verb
from headstart.cli import main as command
from headstart.meta import prior as stored
from headstart.meta.library import Library
from test_library import A, filled, ran
from test_matrices import PLAIN, SIZES, written

Call = Callable[..., tuple[str, str]]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Call:
    """Runs `headstart library …` in this process; returns stdout and stderr."""
    monkeypatch.setitem(command.VERBS, "library", "priors")
    monkeypatch.setenv("HEADSTART_LIBRARY", str(tmp_path / "mine"))

    def run(*arguments: object, code: int = 0) -> tuple[str, str]:
        given = command.main(["library", *map(str, arguments)])
        out, err = capsys.readouterr()
        assert given == code, err
        assert all(len(line) <= 80 for line in out.splitlines()) or "--json" in arguments or "/" in out
        return out, err

    return run


def told(call: Call, *arguments: object, code: int = 0) -> dict[str, Any]:
    found = json.loads(call(*arguments, "--json", code=code)[0])
    assert isinstance(found, dict)
    return found


def complaint(call: Call, *arguments: object) -> str:
    out, err = call(*arguments, code=2)
    assert out == "" and err.startswith("headstart: ") and err.count("\n") == 1
    return err


def test_a_labelled_folder_is_described_and_kept(call: Call, make_folder: MakeFolder, tmp_path: Path) -> None:
    folder = make_folder(classes=3, each=4)
    out, _ = call("add", folder, "--name", "shapes", "--source", "drawn", "--licence", "CC0")
    assert "shapes: 12 images of 3 classes, 12 looked at" in out
    library = Library.open(tmp_path / "mine")
    prior, features = library.priors["shapes"], library.features("shapes")
    assert (prior.source, prior.classes, prior.samples, prior.rarest, prior.pixels) == ("drawn", 3, 12, 4, 32)
    assert features is not None and features.rows.shape == (12, 672) and features.n == 12
    again = told(call, "add", folder, "--name", "shapes", "--source", "drawn", "--licence", "CC0")
    assert again["added"][0]["new"] is False
    assert "another prior" in complaint(call, "add", folder, "--name", "shapes", "--source", "other")


def test_the_name_comes_from_the_folder(call: Call, make_folder: MakeFolder, tmp_path: Path) -> None:
    folder = make_folder(root=tmp_path / "my shapes (1)")
    assert told(call, "add", folder)["added"][0]["name"] == "my_shapes_1"


def test_the_list_says_what_there_is(call: Call, tmp_path: Path) -> None:
    assert call("list", "--library", tmp_path / "none")[0].startswith("no priors yet")
    filled(tmp_path / "mine", ("flags", "x" * 90))
    out, err = call("list", "--library", tmp_path / "mine")
    lines = out.splitlines()
    assert len(lines) == 4 and all(len(line) <= 80 for line in lines) and err == ""
    assert lines[1].split() == ["flags", "of_flags", "image", "-", "10", "4", "yes"]
    assert lines[-1] == "2 priors of 2 sources, 8 runs"
    document = told(call, "list", "--library", tmp_path / "mine")
    assert [row["runs"] for row in document["priors"]] == [4, 4]


def test_what_is_damaged_is_named_and_the_rest_is_listed(call: Call, tmp_path: Path) -> None:
    filled(tmp_path / "mine")
    (tmp_path / "mine" / "flags" / stored.DESCRIPTION).write_text("")
    out, err = call("list", "--library", tmp_path / "mine")
    assert "leaves" in out and "flags" not in out and "flags" in err and "damaged" in err


def test_a_prior_is_shown_with_what_did_best(call: Call, tmp_path: Path) -> None:
    filled(tmp_path / "mine")
    out, _ = call("show", "leaves", "--best", 1, "--library", tmp_path / "mine")
    lines = out.splitlines()
    assert "2 configurations" in out and "0.6000" in out and A.digest in out and "pixels@16" in out
    assert "1 more" in lines[-1] and all(len(line) <= 80 for line in lines if not line.startswith("folder"))
    document = told(call, "show", "leaves", "--library", tmp_path / "mine")
    assert len(document["runs"]) == 4 and document["runs"][0]["alc"] == 0.5
    assert document["runs"][0]["config"]["stages"][0]["backbone"] == "pixels"


def test_merge_export_and_import(call: Call, tmp_path: Path) -> None:
    filled(tmp_path / "a")
    assert "2 new priors and 2 files of runs" in call("merge", tmp_path / "a")[0]
    assert "0 new priors and 0 files of runs" in call("merge", tmp_path / "a")[0]
    out, _ = call("export", tmp_path / "out.zip", "flags", "--library", tmp_path / "a")
    assert out.startswith("1 prior, ")
    assert told(call, "import", tmp_path / "out.zip", "--into", tmp_path / "b")["priors"] == ["flags"]
    assert len(Library.open(tmp_path / "b").records("flags")) == 4


def test_merge_says_what_it_left_out(call: Call, tmp_path: Path) -> None:
    filled(tmp_path / "a").add_run("flags", ran(A, 0.1, 5))
    next((tmp_path / "a" / "leaves" / stored.RUNS).iterdir()).write_bytes(b"")
    _, err = call("merge", tmp_path / "a", code=1)
    assert "left out" in err and err.count("\n") == 1


def test_a_matrix_is_imported(call: Call, tmp_path: Path) -> None:
    matrix, sizes = written(tmp_path / "net.csv", PLAIN), written(tmp_path / "sizes.csv", SIZES)
    assert "net: 2 data sets and 3 configurations" in call("import", matrix, "--described", sizes)[0]
    assert "net:flags" in call("show", "leaves")[0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("show", "moon"), "no prior 'moon'"),
        (("show", "moon", "--t0", "0"), "--t0"),
        (("show", "moon", "--best", "-1"), "--best"),
        (("show", "moon", "--budget", "soon"), "budget"),
        (("add", "a", "b", "--name", "c"), "one by one"),
        (("add", "nowhere"), "nowhere"),
        (("add", "nowhere", "--samples", "0"), "--samples"),
        (("merge", "nowhere"), "no folder"),
        (("export", "out.zip", "moon"), "no prior 'moon'"),
        (("import", "none.zip"), "cannot be read"),
        (("import", "none.zip", "--name", "x"), "matrices"),
        (("import", "a.csv", "b.zip"), "one sort"),
        (("import", "a.csv", "b.csv", "--name", "x"), "one by one"),
        (("import", "none.csv"), "cannot be read"),
    ],
)
def test_what_cannot_be_done_is_one_clear_sentence(
    call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert words in complaint(call, *arguments)


def test_a_verb_whose_file_is_not_there_is_not_offered(monkeypatch: pytest.MonkeyPatch, call: Call) -> None:
    monkeypatch.setitem(verb.VERBS, "moonwalk", "nothing")
    with pytest.raises(SystemExit, match="2"):
        call("moonwalk")
    assert "priors" in call("list")[0]
