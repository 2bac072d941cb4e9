"""A cost table gives back what was measured, and refuses what cannot have been."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.errors import BadInput
from headstart.words.costs import Cost, CostTable

POSITIVE = st.floats(1e-9, 1e6)


@st.composite
def tables(draw: st.DrawFn) -> CostTable:
    """Tables that pass: the costs of one kind and name grow with the pixels."""
    kinds = st.sampled_from(["forward", "decode", "solve"])
    keys = draw(st.sets(st.tuples(kinds, st.text(max_size=5)), max_size=4))
    rows = []
    for kind, name in sorted(keys):
        pixels = sorted(draw(st.sets(st.integers(0, 512), min_size=1, max_size=4)))
        fixed = sorted(draw(st.lists(st.just(0.0) | POSITIVE, min_size=len(pixels), max_size=len(pixels))))
        item = sorted(draw(st.sets(POSITIVE, min_size=len(pixels), max_size=len(pixels))))
        rows += [Cost(kind, name, *numbers) for numbers in zip(pixels, fixed, item, strict=True)]
    return CostTable(tuple(draw(st.permutations(rows))))


def _forward(pixels: int, fixed: float, per_item: float) -> Cost:
    return Cost("forward", "lite0", pixels, fixed, per_item)


@given(tables())
def test_good_tables_pass_and_round_trip(table: CostTable) -> None:
    table.check()
    assert CostTable.from_json(table.to_json()) == table


@given(tables().filter(lambda table: bool(table.rows)), st.integers(0, 1000), st.data())
def test_seconds_are_fixed_and_per_item(table: CostTable, n: int, data: st.DataObject) -> None:
    row = data.draw(st.sampled_from(table.rows))
    assert table.seconds(row.kind, row.name, row.size, n) == row.fixed + row.per_item * n


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (("forward", "lite0", 128), "forward lite0 at 128 pixels: it has forward lite0 at 32, 64 only;"),
        (("decode", "jpeg", 64), "no row for decode jpeg at 64 pixels: measure it"),
        (("solve", "lda", 0), "no row for solve lda: measure it"),
    ],
)
def test_a_missing_row_is_named(key: tuple[str, str, int], words: str) -> None:
    table = CostTable((_forward(64, 0, 1), _forward(32, 0, 1)))
    with pytest.raises(BadInput) as refusal:
        table.seconds(*key, 1)
    assert words in str(refusal.value)


def test_a_negative_number_of_items_is_refused() -> None:
    with pytest.raises(BadInput, match="-1 items"):
        CostTable((_forward(64, 0, 1),)).seconds("forward", "lite0", 64, -1)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([_forward(64, -1, 1)], "costs nothing or less for forward lite0 at 64 pixels"),
        ([_forward(64, 1, -1)], "costs nothing or less"),
        ([Cost("solve", "lda", 0, 0, 0)], "costs nothing or less for solve lda ("),
        ([_forward(64, 1, 0)], "images that cost nothing"),
        ([_forward(64, math.nan, 1)], "not finite"),
        ([_forward(64, 0, math.inf)], "not finite"),
        ([_forward(-1, 0, 1)], "negative number of pixels"),
        ([_forward(64, 0, 1), _forward(64, 0, 1)], "more than one row for forward lite0 at 64 pixels"),
        ([_forward(64, 0, 1)] * 2, "more than one row"),
        (
            [_forward(32, 0, 1), _forward(64, 0, 0.5)],
            "lite0 at 64 pixels (0 s a call and 0.5 s an item) cheaper",
        ),
        ([_forward(32, 5, 1), _forward(64, 0, 2)], "cheaper"),  # for few images
        ([_forward(32, 0, 1), _forward(64, 5, 0.5)], "cheaper"),  # for many images
        ([_forward(96, 0, 1), _forward(32, 0, 2), _forward(64, 0, 2)], "at 96 pixels"),
    ],
)
def test_check_refuses(rows: list[Cost], words: str) -> None:
    with pytest.raises(BadInput) as refusal:
        CostTable(tuple(rows)).check()
    assert words in str(refusal.value)


def test_check_compares_only_what_is_comparable() -> None:
    rows = (_forward(32, 0, 1), Cost("forward", "mini", 64, 0, 0.5), Cost("decode", "lite0", 64, 0, 0.5))
    CostTable((*rows, Cost("solve", "lda", 640, 1, 0), Cost("solve", "ridge", 1280, 0.5, 0))).check()


GOOD = {"kind": "forward", "name": "lite0", "size": 64, "fixed": 0, "per_item": 0.001}


def test_json_by_hand() -> None:
    assert CostTable.from_json(json.dumps({"rows": [GOOD]})) == CostTable((_forward(64, 0.0, 0.001),))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ([], 'a list "rows"'),
        ({"rows": {}}, 'a list "rows"'),
        ({"rows": [], "more": 1}, "nothing else"),
        ({"rows": [1]}, "row 0 (from 0)"),
        ({"rows": [GOOD, {**GOOD, "more": 1}]}, "row 1 (from 0)"),
        ({"rows": [{"kind": "forward"}]}, "exactly kind, name, size, fixed, per_item"),
        ({"rows": [{**GOOD, "size": 64.0}]}, '64.0 as "size", which must be a whole number'),
        ({"rows": [{**GOOD, "fixed": True}]}, 'True as "fixed", which must be a number'),
        ({"rows": [{**GOOD, "name": None}]}, 'None as "name", which must be text'),
        ({"rows": [{**GOOD, "fixed": math.nan}]}, "not finite"),
        ({"rows": [{**GOOD, "fixed": 10**400}]}, "not finite"),
        ({"rows": [GOOD, GOOD]}, "more than one row"),
    ],
)
def test_json_refused(content: Any, words: str) -> None:
    with pytest.raises(BadInput) as refusal:
        CostTable.from_json(content if isinstance(content, str) else json.dumps(content))
    assert words in str(refusal.value)
