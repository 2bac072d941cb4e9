"""The curve is a valid CSV after every append, whenever its writer is killed."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart.errors import BadModel
from headstart.store.run import CurveRow, RunFolder

ROW = CurveRow(1.5, 2.25, 0.875, "lite0@64", 128)

numbers = st.floats(0, 1e5)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.builds(
            CurveRow,
            numbers,
            numbers,
            st.floats(-1, 1) | st.just(math.nan),
            st.text(st.characters(codec="utf-8", exclude_characters="\r\n")),
            st.integers(0, 10**9),
        ),
        max_size=5,
    )
)
def test_the_curve_comes_back(tmp_path_factory: pytest.TempPathFactory, rows: list[CurveRow]) -> None:
    with RunFolder.open(tmp_path_factory.mktemp("run")) as run:
        for row in rows:
            run.append_curve(row)
        found = run.read_curve()
        assert [(row.stage, row.samples_seen) for row in found] == [(r.stage, r.samples_seen) for r in rows]
        for one, other in zip(found, rows, strict=True):
            assert one.seconds == pytest.approx(other.seconds, abs=6e-4)
            assert one.score == pytest.approx(other.score, rel=1e-5, nan_ok=True)
        run.start_curve()
        assert run.read_curve() == []


def test_the_curve_is_plain_and_refuses_two_line_stages(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path) as run:
        run.append_curve(ROW)
        with pytest.raises(ValueError, match="more than one line"):
            run.append_curve(CurveRow(0, 0, 0, "a\nb", 0))
        assert run.curve_path.read_text() == (
            "seconds,cpu_seconds,score,stage,samples_seen\n1.500,2.250,0.875,lite0@64,128\n"
        )


def test_a_row_torn_anywhere_is_repaired_and_hidden_before(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path) as run:
        run.append_curve(ROW)
        run.append_curve(ROW)
        whole = run.curve_path.read_bytes()
    for cut in range(len(whole)):
        run.curve_path.write_bytes(whole[:cut])
        rows = max(whole[:cut].count(b"\n") - 1, 0)
        if b"\n" in whole[:cut]:
            assert len(RunFolder.open(tmp_path, exclusive=False).read_curve()) == rows
        with RunFolder.open(tmp_path) as again:
            again.append_curve(ROW)
            assert again.read_curve() == [ROW] * (rows + 1)


@pytest.mark.parametrize(
    "content", ["a,b\n1,2\n", "seconds,cpu_seconds,score,stage,samples_seen\n1,2,x,s,3\n"]
)
def test_other_curves_are_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "curve.csv").write_text(content)
    with pytest.raises(BadModel, match=r"curve.csv is (no curve|damaged)"):
        RunFolder.open(tmp_path, exclusive=False).read_curve()
