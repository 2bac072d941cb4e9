"""The index: the same table in one file, never out of date, never needed."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from headstart.meta import index
from headstart.meta import prior as stored
from headstart.meta.library import Library
from headstart.meta.performance import Performance
from headstart.meta.prior import Prior
from headstart.meta.record import Record
from test_library import A, B, filled, ran


def same(left: Performance, right: Performance) -> None:
    order = [left.priors.index(name) for name in right.priors]
    for key in ("configs", "settings", "origins"):
        assert getattr(left, key) == getattr(right, key)
    assert sorted(left.priors) == sorted(right.priors)
    assert np.allclose(left.values[order], right.values, atol=1e-6, equal_nan=True)
    assert np.allclose(left.spread[order], right.spread, atol=1e-3, equal_nan=True)
    assert np.array_equal(left.n[order], right.n)


def hide_runs(root: Path) -> None:
    """The names of runs stay, their content goes: whoever reads them finds damage."""
    for path in root.rglob(f"{stored.RUNS}/*"):
        path.write_bytes(b"")


def test_the_index_tells_what_the_runs_tell(tmp_path: Path) -> None:
    library = filled(tmp_path)
    run = Record.of(A, [(10.0, 0.4), (100.0, 0.9)], clock="table:default", budget=1200, origin="of_flags")
    library = library.add_run("leaves", run)
    assert index.build(tmp_path) == 2
    whole = {budget: library.matrix(60, budget, halves=False) for budget in index.BUDGETS}
    hide_runs(tmp_path)
    opened = Library.open(tmp_path)
    for budget in index.BUDGETS:
        same(index.quick(opened, budget), whole[budget])
    assert not opened.problems  # nobody read the runs


def test_the_nearest_budget_is_taken(tmp_path: Path) -> None:
    library = Library.open(tmp_path).add_prior(Prior("flags", "flags"))
    library = library.add_run("flags", Record.of(A, [(100.0, 0.9)], clock="cpu", budget=1200))
    index.build(tmp_path)
    assert index.quick(library, 1100.0).values == pytest.approx(library.matrix(60, 1200).values)
    assert index.quick(library, 5.0).values == pytest.approx(0)


def test_runs_that_came_later_are_seen(tmp_path: Path) -> None:
    filled(tmp_path)
    index.build(tmp_path)
    library = Library.open(tmp_path).add_run("flags", ran(B, 0.9, 5))
    library = library.add_prior(Prior("drums", "drums")).add_run("drums", ran(A, 0.3))
    same(index.quick(library, 1200), library.matrix(halves=False))


def test_layers_are_joined(tmp_path: Path) -> None:
    filled(tmp_path / "shipped")
    index.build(tmp_path / "shipped")
    own = Library.open(tmp_path / "own").add_prior(Prior("drums", "drums")).add_run("drums", ran(B, 0.3))
    both = Library.open(tmp_path / "shipped", tmp_path / "own")
    both = both.add_run("flags", ran(A, 0.9, 4))  # now in both folders: its runs are read
    same(index.quick(both, 1200), both.matrix(halves=False))
    index.build(tmp_path / "own")
    same(index.quick(both, 1200), both.matrix(halves=False))
    assert list(own) == ["drums"]


def test_sources_that_are_left_out_are_not_in_it(tmp_path: Path) -> None:
    library = filled(tmp_path).add_prior(Prior("drums", "drums"))
    index.build(tmp_path)
    assert index.quick(library.without({"of_flags"}), 1200).priors == ("leaves",)
    assert index.quick(library.without({"of_flags", "of_leaves"}), 1200).values.shape == (0, 0)


def test_without_runs_there_is_no_index(tmp_path: Path) -> None:
    Library.open(tmp_path).add_prior(Prior("drums", "drums"))
    assert index.build(tmp_path) == 0 and not (tmp_path / index.FILE).exists()
    assert index.quick(Library.open(tmp_path), 1200).values.shape == (0, 0)


def test_a_damaged_index_is_as_none(tmp_path: Path) -> None:
    library = filled(tmp_path)
    index.build(tmp_path)
    path, table = tmp_path / index.FILE, library.matrix(halves=False)
    whole = path.read_bytes()
    for at in range(0, len(whole), 11):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        same(index.quick(library, 1200), table)
    for wrong in (b"", whole[: len(whole) // 2], gzip.compress(b"hello"), gzip.compress(b"\0" * 64)):
        path.write_bytes(wrong)
        assert index.read(tmp_path) is None
        same(index.quick(library, 1200), table)
