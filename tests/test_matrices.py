"""Matrices of areas from CSV: names, sizes, origins, and cells that are wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from headstart.errors import BadInput
from headstart.meta.library import Library
from headstart.meta.matrices import add, read

LONG = "_num_classes_10_num_dev_examples_900_num_test_examples_100_resolution_32_num_channels_3_original"
PLAIN = ",flags,default,icons\nflags,.5,0.0,.25\nleaves,.75,,-.5\n"
SIZES = (
    "name,num_channels,num_classes,num_test,num_train,resolution_0,resolution_1\n"
    "flags,3,4,10,80,64,16\nleaves,3,2,5,10,-1,-1\n"
)


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_matrix_becomes_priors_and_runs(tmp_path: Path) -> None:
    matrix = read(written(tmp_path / "net.csv", PLAIN), written(tmp_path / "sizes.csv", SIZES))
    library = add(Library.open(tmp_path / "library"), matrix)
    assert list(library) == ["flags", "leaves"]
    flags = library.priors["flags"]
    assert (flags.classes, flags.samples, flags.test, flags.per_class, flags.pixels) == (4, 80, 10, 20, 32)
    assert library.priors["leaves"].pixels == 0
    table = library.matrix()
    assert table.configs == ("net:default", "net:flags", "net:icons")
    assert np.array_equal(table.values, [[0, 0.5, 0.25], [np.nan, 0.75, -0.5]], equal_nan=True)
    assert table.origins == ("", "flags", "") and table.settings == (None, None, None)
    assert [record.status for record in library.records("flags")] == ["ok", "failed", "ok"]
    assert np.array_equal(library.matrix(20, 60).values, table.values, equal_nan=True)


def test_the_table_of_a_matrix_is_the_same_without_a_library(tmp_path: Path) -> None:
    table = read(written(tmp_path / "net.csv", PLAIN)).performance()
    assert table.origins == ("flags", "", "") and table.without_source("flags").configs == (
        "default",
        "icons",
    )


def test_adding_twice_is_adding_once_and_two_matrices_share_their_priors(tmp_path: Path) -> None:
    path = written(tmp_path / "net.csv", PLAIN)
    library = add(Library.open(tmp_path / "library"), read(path))
    library = add(add(library, read(path)), read(path, name="other"))
    table = library.matrix()
    assert len(table.configs) == 6 and table.n.max() == 1
    assert library.matrix(clock="matrix:other").configs == ("other:default", "other:flags", "other:icons")


def test_sizes_in_a_name_are_read_and_cut_off(tmp_path: Path) -> None:
    text = f",a{LONG},default\na{LONG},.5,.6\nb_1{LONG},.5,.6\n"
    matrix = read(written(tmp_path / "net.csv", text))
    assert matrix.rows == ("a", "b_1") and matrix.columns == ("a", "default")
    prior = matrix.described["b_1"]
    assert (prior.classes, prior.samples, prior.test, prior.pixels) == (10, 900, 100, 32)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "needs a row"),
        (",a\n", "needs a row"),
        (",a,b\nx,.1\n", "row 2"),
        (",a\nx,1.5\n", "from -1 to 1"),
        (",a\nx,inf\n", "from -1 to 1"),
        (",a\nx,many\n", "'many'"),
        (",a,a\nx,.1,.2\n", "column 'a' twice"),
        (",a\nx,.1\nx,.2\n", "row 'x' twice"),
        (",a\n../x,.1\n", "name"),
        (",a b\nx,.1\n", "name"),
        (',a\n"x,.1\n', "cannot be read"),
    ],
)
def test_what_is_no_matrix_is_said(tmp_path: Path, text: str, words: str) -> None:
    path = written(tmp_path / "net.csv", text)
    with pytest.raises(BadInput, match=words):
        read(path)


def test_what_describes_no_data_sets_is_said(tmp_path: Path) -> None:
    path = written(tmp_path / "net.csv", PLAIN)
    with pytest.raises(BadInput, match="lacks the column num_classes"):
        read(path, written(tmp_path / "sizes.csv", "name,size\nflags,3\n"))
    with pytest.raises(BadInput, match="row 'flags'"):
        read(path, written(tmp_path / "sizes.csv", SIZES.replace("flags,3,4", "flags,3,four")))
    with pytest.raises(BadInput, match="cannot be read"):
        read(tmp_path / "none.csv")
    with pytest.raises(BadInput, match="cannot name a matrix"):
        read(path, name="a b")
