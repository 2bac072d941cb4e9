"""The paper's Table 1 as data."""

from __future__ import annotations

import pytest

from headstart.data.catalogue import find, table
from headstart.errors import BadInput


def test_all_rows_are_there() -> None:
    rows = table()
    assert len(rows) == 42 and len({row.key for row in rows}) == 42
    assert [sum(row.kind == kind for row in rows) for kind in ("image", "video")] == [31, 11]
    sources = {
        source: sum(row.source == source for row in rows) for source in ("tfds", "AutoDL", "inet", "own")
    }
    assert sources == {"tfds": 26, "AutoDL": 8, "inet": 6, "own": 2}
    assert all((row.tfds is not None) == (row.source == "tfds") for row in rows)


def test_numbers_are_those_that_are_printed() -> None:
    totals = [sum(getattr(row, field) for row in table()) for field in ("train", "test")]
    assert totals == [5423478, 828749]
    assert (find("imagenet").train, find("imagenet").test, find("imagenet").classes) == (
        1281167,
        100000,
        1000,
    )
    assert find("EPIC-Kitchens").classes == 125 * 331


@pytest.mark.parametrize("name", ["the small norb", "THE small NORB", "the_small_norb", "smallnorb"])
def test_names_are_found_however_they_are_written(name: str) -> None:
    assert find(name).name == "THE small NORB"


def test_an_unknown_name_gets_a_hint() -> None:
    with pytest.raises(BadInput, match="did you mean cifar_10 or cifar_100"):
        find("cifar")
    with pytest.raises(BadInput, match="datasets list"):
        find("zebra")


def test_slips_and_sources_are_told() -> None:
    assert {row.name for row in table() if row.labels == "multi"} == {
        "Decal",
        "Pedro",
        "Youtube8m",
        "YFCC100m",
    }
    own = {row.name for row in table() if any("split is the authors' own" in slip for slip in row.slips)}
    assert {"Cats and Dogs", "DeepWeeds", "COIL-100", "tf flowers"} <= own
    assert any("angles" in slip for slip in find("COIL-100").slips)
    origins = {row.origin for row in table()}
    assert {"KTH", "CIFAR-100", "MNIST", "HAM10000"} <= origins
    assert (
        find("chucky").origin == find("CIFAR-100").origin and find("munster").origin == find("mnist").origin
    )
    assert [find(name).classes for name in ("Katze", "Kreatur", "Kraut")] == [6, 4, 4]


def test_splits_that_are_not_the_sources_own_are_marked() -> None:
    for row in table():
        if row.tfds is not None:
            assert (row.tfds.test is None) == any("authors' own" in slip for slip in row.slips)
