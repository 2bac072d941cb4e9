"""The library: layers, runs, the table of areas, merging, packing, and everything that can be wrong with a file."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from conftest import Unprivileged
from headstart.errors import BadInput, HeadstartError
from headstart.meta import exchange
from headstart.meta import prior as stored
from headstart.meta.library import SHIPPED, Library, user_folder
from headstart.meta.prior import Features, Prior
from headstart.meta.record import Record
from headstart.words.config import Config, Stage
from test_prior import told

A = Config((Stage("pixels", 16, ("raw",)),))
B = Config((Stage("lite0", 64, ("d10",)),))


def ran(config: Config, score: float, seed: int = 0, **more: object) -> Record:
    """A run whose area is `score` at every t0 and T."""
    options: dict[str, object] = {"clock": "table:default", "budget": 1200.0} | more
    return Record.of(replace(config, seed=seed), [(0.0, score)], **options)  # type: ignore[arg-type]


def filled(root: Path, names: Sequence[str] = ("flags", "leaves")) -> Library:
    library = Library.open(root)
    for number, name in enumerate(names):
        library = library.add_prior(Prior(name, f"of_{name}", samples=10), Features.of(told(8, number)))
        library = library.add_runs(
            name, [ran(A, 0.5), ran(A, 0.7, 1), ran(B, 0.1 * number), ran(B, 0.1 * number, 1)]
        )
    return library


def files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_an_empty_library_is_a_library(tmp_path: Path) -> None:
    library = Library.open(tmp_path / "not" / "there")
    assert len(library) == 0 and not library.problems and not (tmp_path / "not").exists()
    assert library.matrix().values.shape == (0, 0)


def test_the_table_is_means_over_seeds_with_counts_and_spread(tmp_path: Path) -> None:
    library = filled(tmp_path)
    table = library.add_run("flags", ran(B, -0.3, 2)).matrix()
    assert table.priors == ("flags", "leaves") and table.sources == ("of_flags", "of_leaves")
    row, column = table.row("flags"), table.column(A.digest)
    assert table.values[row, column] == pytest.approx(0.6)
    assert table.spread[row, column] == pytest.approx(np.std([0.5, 0.7], ddof=1))
    assert table.n[row].tolist() == [2, 3] if column == 0 else [3, 2]
    assert table.values[row, table.column(B.digest)] == pytest.approx(-0.1)
    assert table.config(A.digest) == A and table.halves is None


def test_what_was_not_run_is_not_a_number_and_a_failure_is_nought(tmp_path: Path) -> None:
    library = filled(tmp_path)
    library = library.add_prior(Prior("drums", "of_drums")).add_run("drums", ran(A, 0.9, status="failed"))
    table = library.add_prior(Prior("never", "of_never")).matrix()
    row = table.row("drums")
    assert table.values[row, table.column(A.digest)] == 0
    assert np.isnan(table.values[row, table.column(B.digest)]) and table.n[row, table.column(B.digest)] == 0
    assert "never" not in table.priors


def test_the_table_follows_t0_and_budget(tmp_path: Path) -> None:
    run = Record.of(A, [(10.0, 0.4), (100.0, 0.9)], clock="cpu", budget=1200)
    library = Library.open(tmp_path).add_prior(Prior("flags", "flags")).add_run("flags", run)
    for t0, budget in ((60.0, 1200.0), (20.0, 1200.0), (60.0, 50.0)):
        assert library.matrix(t0, budget).values[0, 0] == pytest.approx(run.alc(t0, budget))


def test_runs_with_a_shorter_budget_count_only_where_there_are_no_longer_ones(tmp_path: Path) -> None:
    library = Library.open(tmp_path).add_prior(Prior("flags", "flags"))
    library = library.add_runs("flags", [ran(A, 0.2, budget=60.0), ran(A, 0.8, budget=1200.0)])
    assert library.matrix(60, 1200).values[0, 0] == pytest.approx(0.8)
    assert library.matrix(60, 60).values[0, 0] == pytest.approx(0.5)
    assert library.matrix(60, 9999).values[0, 0] == pytest.approx(0.8)


def test_a_clock_can_be_asked_for(tmp_path: Path) -> None:
    library = Library.open(tmp_path).add_prior(Prior("flags", "flags"))
    library = library.add_runs("flags", [ran(A, 0.2, clock="wall"), ran(A, 0.8, clock="cpu")])
    assert library.matrix(clock="cpu").values[0, 0] == pytest.approx(0.8)
    assert library.matrix(clock="none").values.shape == (0, 0)


def test_halves_and_origins_come_along(tmp_path: Path) -> None:
    run = Record.of(A, [(0.0, 0.5)], clock="cpu", budget=1200, halves=[(0.4, 0.6)], origin="of_flags")
    library = (
        Library.open(tmp_path).add_prior(Prior("flags", "of_flags")).add_runs("flags", [run, ran(B, 0.1)])
    )
    table = library.matrix()
    assert table.halves is not None and table.origins[table.column(A.digest)] == "of_flags"
    assert np.allclose(table.halves[:, 0, table.column(A.digest)], [0.4, 0.6])
    assert np.isnan(table.halves[:, 0, table.column(B.digest)]).all()
    assert library.matrix(halves=False).halves is None


def test_the_same_run_counts_once_wherever_it_lies(tmp_path: Path) -> None:
    own, theirs = filled(tmp_path / "own"), filled(tmp_path / "theirs")
    own.add_run("flags", ran(A, 0.5))  # the same again, in a file of its own
    both = Library.open(*own.roots, *theirs.roots)
    assert len(both.records("flags")) == 4 and both.matrix().n.max() == 2
    assert len(both.entry("flags").folders) == 2 and not both.problems


def test_what_is_added_goes_into_the_uppermost_folder(tmp_path: Path) -> None:
    filled(tmp_path / "shipped")
    before = files(tmp_path / "shipped")
    stack = Library.open(tmp_path / "shipped", tmp_path / "own")
    after = stack.add_run("flags", ran(B, 0.9, 7))
    assert files(tmp_path / "shipped") == before
    assert len(after.records("flags")) == 5
    alone = Library.open(tmp_path / "own")
    assert (
        list(alone) == ["flags"] and len(alone.records("flags")) == 1 and alone.features("flags") is not None
    )


def test_another_prior_of_the_name_is_said_and_left_out(tmp_path: Path) -> None:
    filled(tmp_path / "a")
    Library.open(tmp_path / "b").add_prior(Prior("flags", "elsewhere"))
    stack = Library.open(tmp_path / "a", tmp_path / "b")
    assert stack.priors["flags"].source == "of_flags" and "another one of this name" in stack.problems[0]
    with pytest.raises(BadInput, match="take another name"):
        stack.add_prior(Prior("flags", "third"))


def test_sources_can_be_left_out(tmp_path: Path) -> None:
    left = filled(tmp_path).without({"of_flags"})
    assert list(left) == ["leaves"] and left.matrix().priors == ("leaves",)
    assert list(left.all_features()) == ["leaves"]
    with pytest.raises(BadInput, match="no prior 'flags'"):
        left.entry("flags")


@pytest.mark.parametrize("cut", [0, 10, -1])
def test_damaged_runs_are_named_and_the_rest_stands(tmp_path: Path, cut: int) -> None:
    library = filled(tmp_path)
    path = next((tmp_path / "flags" / stored.RUNS).iterdir())
    path.write_bytes(path.read_bytes()[:cut])
    library = Library.open(tmp_path).add_run("flags", ran(A, 0.3, 5))
    assert len(library.records("flags")) == 1 and len(library.records("leaves")) == 4
    assert library.matrix().priors == ("flags", "leaves")
    assert [path.name in problem for problem in library.problems] == [True]


def test_runs_that_were_put_beside_another_prior_are_named(tmp_path: Path) -> None:
    filled(tmp_path)
    path = next((tmp_path / "flags" / stored.RUNS).iterdir())
    path.rename(tmp_path / "leaves" / stored.RUNS / path.name)
    library = Library.open(tmp_path)
    assert library.matrix().priors == ("leaves",) and "another prior" in library.problems[0]


def test_damaged_features_are_named_and_a_sound_copy_is_taken(tmp_path: Path) -> None:
    filled(tmp_path / "a")
    filled(tmp_path / "b")
    (tmp_path / "a" / "flags" / stored.FEATURES).write_bytes(b"x")
    alone = Library.open(tmp_path / "a")
    assert alone.features("flags") is None and list(alone.all_features()) == ["leaves"]
    assert len(alone.problems) == 1 and stored.FEATURES in alone.problems[0]
    assert Library.open(tmp_path / "a", tmp_path / "b").features("flags") is not None


def test_a_damaged_description_leaves_its_prior_out(tmp_path: Path) -> None:
    filled(tmp_path)
    (tmp_path / "flags" / stored.DESCRIPTION).write_text("{}")
    library = Library.open(tmp_path)
    assert list(library) == ["leaves"] and "flags" in library.problems[0]


def test_a_file_in_place_of_a_library_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(BadInput, match="must be a folder"):
        Library.open(tmp_path / "file")


def test_what_cannot_be_written_is_one_sentence(tmp_path: Path, unprivileged: Unprivileged) -> None:
    library = filled(tmp_path / "a")
    for path in (tmp_path / "a").rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    with unprivileged(), pytest.raises(HeadstartError, match="cannot be written"):
        library.add_run("flags", ran(A, 0.1, 9))


def test_recognition_reads_no_runs(tmp_path: Path) -> None:
    filled(tmp_path)
    for path in tmp_path.rglob(f"{stored.RUNS}/*"):
        path.write_bytes(b"")
    library = Library.open(tmp_path)
    assert len(library.all_features()) == 2 and not library.problems


def test_where_the_users_library_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HEADSTART_LIBRARY", str(tmp_path / "mine"))
    assert user_folder() == tmp_path / "mine"
    assert Library.open().roots == (SHIPPED, tmp_path / "mine")
    monkeypatch.delenv("HEADSTART_LIBRARY")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    if sys.platform == "linux":
        assert user_folder() == tmp_path / "data" / "headstart" / "library"


def test_two_processes_may_add_at_the_same_time(tmp_path: Path) -> None:
    filled(tmp_path)
    script = (
        "import sys; sys.path.insert(0, sys.argv[2]); from test_library import *\n"
        "library = Library.open(sys.argv[1])\n"
        "for k in range(10): library.add_run('flags', ran(A, 0.01 * k, int(sys.argv[3]) + k))\n"
    )
    children = [
        subprocess.Popen([sys.executable, "-c", script, str(tmp_path), os.path.dirname(__file__), str(first)])
        for first in (100, 200)
    ]
    assert [child.wait(60) for child in children] == [0, 0]
    library = Library.open(tmp_path)
    assert len(library.records("flags")) == 24 and not library.problems


def test_merging_copies_what_is_missing_and_twice_is_once(tmp_path: Path) -> None:
    filled(tmp_path / "a")
    Library.open(tmp_path / "b").add_prior(Prior("drums", "drums"))
    done = exchange.merge(tmp_path / "a", tmp_path / "b")
    assert done == exchange.Merged(("flags", "leaves"), 2, ())
    assert exchange.merge(tmp_path / "a", tmp_path / "b") == exchange.Merged((), 0, ())
    assert files(tmp_path / "a").items() <= files(tmp_path / "b").items()


def test_merging_goes_both_ways_to_the_same(tmp_path: Path) -> None:
    a, b = filled(tmp_path / "a"), filled(tmp_path / "b", ("flags",))
    a.add_run("flags", ran(A, 0.1, 8))
    b.add_run("flags", ran(A, 0.2, 9))
    exchange.merge(tmp_path / "a", tmp_path / "b")
    exchange.merge(tmp_path / "b", tmp_path / "a")
    assert files(tmp_path / "a") == files(tmp_path / "b")
    assert len(Library.open(tmp_path / "a").records("flags")) == 6


def test_merging_names_conflicts_and_damage_and_takes_the_rest(tmp_path: Path) -> None:
    filled(tmp_path / "a", ("flags", "leaves", "drums", "icons"))
    Library.open(tmp_path / "b").add_prior(Prior("flags", "elsewhere"))
    (tmp_path / "a" / "leaves" / stored.DESCRIPTION).write_text("{")
    next((tmp_path / "a" / "drums" / stored.RUNS).iterdir()).write_bytes(b"")
    done = exchange.merge(tmp_path / "a", tmp_path / "b")
    assert done.priors == ("drums", "icons") and done.runs == 1 and len(done.problems) == 3
    assert not Library.open(tmp_path / "b").problems
    with pytest.raises(BadInput, match="no folder"):
        exchange.merge(tmp_path / "nothing", tmp_path / "b")


def test_a_packed_library_unpacks_to_the_same(tmp_path: Path) -> None:
    library = filled(tmp_path / "a")
    assert exchange.pack(library, tmp_path / "out.zip") == 2
    assert exchange.unpack(tmp_path / "out.zip", tmp_path / "b") == exchange.Merged(
        ("flags", "leaves"), 2, ()
    )
    assert files(tmp_path / "a") == files(tmp_path / "b")
    first = (tmp_path / "out.zip").read_bytes()
    exchange.pack(Library.open(tmp_path / "b"), tmp_path / "out.zip")
    assert (tmp_path / "out.zip").read_bytes() == first
    assert exchange.pack(library, tmp_path / "one.zip", ["flags"]) == 1


def test_packing_leaves_damage_out_and_says_so(tmp_path: Path) -> None:
    filled(tmp_path / "a")
    (tmp_path / "a" / "flags" / stored.FEATURES).write_bytes(b"")
    library = Library.open(tmp_path / "a")
    assert exchange.pack(library, tmp_path / "out.zip") == 1 and len(library.problems) == 1
    with pytest.raises(BadInput, match="nothing to export"):
        exchange.pack(library, tmp_path / "out.zip", ["flags"])
    with pytest.raises(BadInput, match="no prior 'moon'"):
        exchange.pack(library, tmp_path / "out.zip", ["moon"])


def _inside(name: str, content: bytes = b"x") -> Callable[[zipfile.ZipFile], None]:
    return lambda packed: packed.writestr(zipfile.ZipInfo(name), content)


@pytest.mark.parametrize(
    "name",
    [
        "../evil", "/etc/evil", "flags/../../evil", "flags/runs/evil.py", "flags/runs/../../../evil", "evil",
        "flags\\..\\evil", "flags/prior.json/x", "..", "flags/runs/" + "0" * 64 + ".safetensors.gz/../x",
        ".a/prior.json", "C:/prior.json", "a\n/prior.json",
    ],
)  # fmt: skip
def test_a_packed_file_writes_nowhere_else(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as packed:
        _inside(name)(packed)
    with pytest.raises(BadInput, match="no packed library"):
        exchange.unpack(tmp_path / "bad.zip", tmp_path / "deep" / "library")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["bad.zip", "deep", "library"]


def test_a_link_in_a_packed_file_is_only_a_file_with_a_wrong_content(tmp_path: Path) -> None:
    member = zipfile.ZipInfo("flags/prior.json")
    member.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as packed:
        packed.writestr(member, "/etc/passwd")
    assert len(exchange.unpack(tmp_path / "bad.zip", tmp_path / "b").problems) == 1
    assert files(tmp_path / "b") == {}


def test_what_is_no_packed_library_is_said(tmp_path: Path) -> None:
    (tmp_path / "text.zip").write_text("hello")
    exchange.pack(filled(tmp_path / "a"), tmp_path / "whole.zip")
    whole = (tmp_path / "whole.zip").read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[: len(whole) // 2])
    flipped = bytearray(whole)
    flipped[len(whole) // 3] ^= 0xFF
    (tmp_path / "flipped.zip").write_bytes(flipped)
    for name in ("text.zip", "cut.zip", "flipped.zip", "none.zip"):
        with pytest.raises(BadInput, match=name):
            exchange.unpack(tmp_path / name, tmp_path / "b")
    assert files(tmp_path / "b") == {}


def test_a_bomb_in_a_packed_file_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("flags/features.safetensors", bytes(65 << 20))
    with pytest.raises(BadInput, match="far too large"):
        exchange.unpack(tmp_path / "bomb.zip", tmp_path / "b")
