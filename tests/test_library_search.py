"""`headstart library search` from a folder of pictures to runs in the library."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("optuna")

from conftest import draw
from headstart.backbones.table import BACKBONES
from headstart.challenge.calibrate_tables import save
from headstart.cli import library
from headstart.errors import BadInput
from headstart.meta.library import Library
from invented import invented

Command = Callable[..., int]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    for name, first in (("one", 0), ("two", 3)):
        for split, count in (("train", 8), ("test", 4)):
            for label in range(first, first + 2):
                folder = root / name / split / f"class {label}"
                folder.mkdir(parents=True)
                for seed in range(count):
                    draw(label if seed % 4 else label + 1, seed + 99 * (split == "test")).save(
                        folder / f"{seed}.png"
                    )
    return root


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.setenv("HEADSTART_LIBRARY", str(tmp_path / "library"))
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path / "cache"))
    save(
        invented([*BACKBONES, *(f"{name}:int8" for name in BACKBONES)], (32, 64, 96, 128)),
        tmp_path / "made.json",
    )

    def run(*words: object) -> int:
        parser = argparse.ArgumentParser()
        parser.add_argument("--json", action="store_true")
        parser.set_defaults(verb="library")
        library.arguments(parser)
        return library.run(parser.parse_args([str(word) for word in words]))

    return run


def test_it_searches_each_and_crosses_the_best_and_goes_on_where_it_was(
    command: Command,
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    command("add", data / "one", data / "two")
    words = (
        "search",
        data / "one",
        data / "two",
        "--trials",
        "9",
        "--table",
        tmp_path / "made.json",
        "--across",
    )
    assert command(*words, "--json") == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert set(told["best"]) == {"one", "two"}
    found = Library.open(tmp_path / "library")
    for name in ("one", "two"):
        records = found.records(name)
        assert {record.origin for record in records} == {"one", "two"}
        assert all(
            record.clock == "table:made" and record.budget == 1200.0 and record.n == 16 for record in records
        )
        assert told["best"][name]["digest"] in {r.name for r in records if r.origin == name}
        assert all(len(record.halves) == len(record.curve) for record in records)
    before = sorted(path for path in (tmp_path / "library").rglob("*") if path.is_file())

    from headstart.bench.replay import Replayer

    def refuses(*_: object) -> None:
        raise AssertionError("everything is done")

    monkeypatch.setattr(Replayer, "run", refuses)
    assert command(*words) == 0
    assert "one: " in capsys.readouterr().out
    assert sorted(path for path in (tmp_path / "library").rglob("*") if path.is_file()) == before


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "the library has no prior one: describe it first"),
        (("--trials", "0"), "--trials must be 1 or more"),
        (("--workers", "0"), "at least one process"),
        (("--space", "nothing"), "there is no space 'nothing'"),
        (("--space", "paper", "--network", "vgg"), "trains no network 'vgg'"),
        (("--table", "nowhere"), "there is no cost table 'nowhere'"),
        (("--store", "nonsense://a/b"), r"database of the search|needs a driver"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(
    command: Command, data: Path, tmp_path: Path, words: tuple[str, ...], sentence: str
) -> None:
    if words:
        command("add", data / "one")
    given = words if "--table" in words else ("--table", str(tmp_path / "made.json"), *words)
    with pytest.raises(BadInput, match=sentence):
        command("search", data / "one", *given)


def test_a_folder_without_answers_is_refused(command: Command, data: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no labelled test/"):
        command("search", data / "one" / "train", "--table", tmp_path / "made.json")
