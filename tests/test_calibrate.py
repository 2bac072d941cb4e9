"""Measured costs become a table that grows with the work, is found by name, and times a run the same way twice."""

from __future__ import annotations

import json
import math
import os
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from conftest import MakeFolder, draw
from headstart.challenge import calibrate_tables as tables
from headstart.challenge.calibrate import calibrate
from headstart.challenge.calibrate_cells import LEAST, ROUNDS, Cell, again, measure, noisy
from headstart.challenge.calibrate_decoding import drawn
from headstart.challenge.calibrate_laws import entries
from headstart.cli import calibrate as verb
from headstart.cli.main import main
from headstart.data.effort import Effort, Efforts
from headstart.data.squares import LARGE
from headstart.errors import BadInput
from headstart.words.clock import CostClock
from headstart.words.cost_checks import check_rows
from headstart.words.costs import Cost, CostTable, Point
from headstart.words.growth import along, isotonic
from invented import invented

NETWORKS = ("lite0", "lite0_cut", "pixels", "motion")


def cell(seconds: float, n: int = 1, size: int = 0, name: str = "a", parts: tuple[int, ...] = ()) -> Cell:
    """A cell that was measured without noise."""
    return Cell("solve", name, size, n, lambda: None, parts, [seconds] * 3)


# Values between measured ones


@given(
    st.dictionaries(st.integers(1, 10**6), st.floats(1e-6, 1e3), min_size=1, max_size=6),
    st.integers(1, 10**7),
)
def test_values_between_lie_between_and_measured_ones_are_met(known: dict[int, float], at: int) -> None:
    grown = dict(zip(sorted(known), sorted(known.values()), strict=True))
    for place, value in grown.items():
        assert along(grown, place) == pytest.approx(value)
    found, first, last = along(grown, at), min(grown), max(grown)
    assert found >= grown[first] * (1 - 1e-9)
    if at <= last:
        assert found <= grown[last] * (1 + 1e-9)
    else:
        assert grown[last] * (1 - 1e-9) <= found <= grown[last] * (at / last) ** 3 * (1 + 1e-9)


def test_beyond_the_last_value_growth_goes_on_as_it_was() -> None:
    assert along({100: 1.0, 200: 4.0}, 400) == pytest.approx(16.0)
    assert along({100: 1.0, 200: 1.0}, 400) == 1.0
    assert along({100: 1.0, 200: 4.0}, 10) == 1.0


@given(st.lists(st.floats(1e-9, 1e3), min_size=1, max_size=12))
def test_isotonic_values_do_not_fall_and_rising_ones_stay(values: list[float]) -> None:
    found = isotonic(values)
    assert all(a <= b * (1 + 1e-12) for a, b in pairwise(found))
    assert isotonic(sorted(values)) == pytest.approx(sorted(values))


# Measuring


def test_cells_are_measured_in_turns_and_short_work_is_repeated_within_one() -> None:
    order: list[str] = []
    cells = [Cell("k", name, 0, 1, partial(order.append, name)) for name in "abc"]
    measure(cells, math.inf)
    assert all(len(one.taken) == ROUNDS and one.times > 1 for one in cells)
    assert [one.seconds > 0 for one in cells] == [True] * 3
    turns = [name for place, name in enumerate(order) if place == 0 or order[place - 1] != name]
    assert len(turns) > 2 * ROUNDS  # no cell has all its repeats in a row


def test_without_time_every_cell_is_measured_the_least_number_of_times() -> None:
    cells = [Cell("k", name, 0, 1, lambda: None) for name in "ab"]
    measure(cells, -math.inf)
    assert [len(one.taken) for one in cells] == [LEAST] * 2
    again(cells, -math.inf)
    assert [len(one.taken) for one in cells] == [LEAST] * 2
    again(cells, math.inf, rounds=2)
    assert [len(one.taken) for one in cells] == [LEAST + 2] * 2


def test_what_another_process_says_that_it_took_is_taken() -> None:
    one = Cell("start", "process", 0, 1, lambda: 0.25)
    one.measure()
    assert one.seconds == 0.25


def test_cells_whose_repeats_disagree_are_noisy() -> None:
    calm, wild = cell(1.0), cell(1.0)
    wild.taken = [1.0, 1.6, 1.0, 1.7, 0.9]
    assert noisy([calm, wild]) == [wild]


# From cells to entries


def test_lines_are_found_again() -> None:
    cells = [cell(0.01 + 0.002 * size * n, n, size) for size in (1, 2) for n in (4, 32, 100)]
    found = entries(cells, [], [])
    assert not found.doubtful and not found.points
    for row, slope in zip(found.rows, (0.002, 0.004), strict=True):
        assert row.per_item == pytest.approx(slope) and row.fixed == pytest.approx(0.01)
    CostTable(found.rows).check()


def test_a_single_number_of_items_is_all_per_item() -> None:
    (row,) = entries([cell(0.5, 5)], [], []).rows
    assert (row.fixed, row.per_item) == (0.0, pytest.approx(0.1))


def test_points_grow_where_noise_made_them_fall_a_little() -> None:
    seconds = {(2, 10): 1.0, (2, 100): 3.0, (5, 10): 0.97, (5, 100): 3.2}
    found = entries([], [cell(value, n, size) for (size, n), value in seconds.items()], [])
    assert not found.doubtful
    CostTable((), found.points).check()
    assert {(p.size, p.n): p.seconds for p in found.points} == pytest.approx(seconds, rel=0.05)


@given(st.lists(st.floats(1e-5, 10), min_size=9, max_size=9))
def test_whatever_was_measured_the_points_do_not_fall(values: list[float]) -> None:
    keys = [(size, n) for size in (1, 2, 3) for n in (1, 10, 100)]
    found = entries([], [cell(value, n, size) for (size, n), value in zip(keys, values, strict=True)], [])
    grid = {(p.size, p.n): p.seconds for p in found.points}
    for size, n in keys:
        assert all(grid[size, n] <= grid[other, m] for other, m in keys if other >= size and m >= n)


def test_more_work_that_was_clearly_cheaper_is_doubtful_with_what_it_is_compared_to() -> None:
    fine, dear, cheap = cell(1.0, 10), cell(4.0, 100), cell(2.0, 1000)
    assert entries([], [fine, dear, cheap], []).doubtful == (dear, cheap)
    assert entries([fine, dear, cheap], [], []).doubtful == (dear, cheap)
    assert entries([], [cell(1.0, 10, name="a"), cell(0.1, 100, name="b")], []).doubtful == ()


def test_decoding_is_told_apart_by_file_bytes_and_numbers() -> None:
    cells = []
    for size, call in ((64, 1e-4), (128, 3e-4)):
        for weight, numbers in ((1000, 3000), (50_000, 30_000), (9000, 900_000), (400_000, 900_000)):
            seconds = call + 2e-8 * weight + 1e-9 * numbers
            cells.append(cell(seconds, 1, size, "jpeg", (weight, numbers)))
    rows = {(row.name, row.size): row.per_item for row in entries([], [], cells).rows}
    assert rows["jpeg bytes", 0] == pytest.approx(2e-8)
    assert rows["jpeg numbers", 0] == pytest.approx(1e-9)
    assert rows["jpeg", 64] == pytest.approx(1e-4, rel=0.01)


# What decoding a file is charged with


def test_a_picture_is_charged_by_kind_bytes_and_decoded_numbers(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    drawn((640, 480), 0).save(path, quality=80)
    weight = path.stat().st_size
    # 480 pixels hold 64 seven times: decoded at a quarter of each side.
    wanted = [
        Effort("jpeg", 64, 1),
        Effort("jpeg bytes", 0, weight),
        Effort("jpeg numbers", 0, 160 * 120 * 3),
    ]
    assert Efforts()(str(path), 64) == wanted
    assert Efforts()(str(path), 448)[2] == Effort("jpeg numbers", 0, 640 * 480 * 3)


@pytest.mark.parametrize(
    ("mode", "name", "kind", "channels"),
    [("L", "a.png", "png", 1), ("RGB", "a.png", "png", 3), ("RGBA", "a.png", "png", 4), ("P", "a.gif", "gif", 4),
     ("RGB", "a.webp", "webp", 4), ("RGB", "a.bmp", "png", 4), ("L", "a.jpg", "jpeg", 1)],
)  # fmt: skip
def test_numbers_are_pixels_times_channels(
    tmp_path: Path, mode: str, name: str, kind: str, channels: int
) -> None:
    path = tmp_path / name
    Image.new(mode, (50, 40)).save(path)
    first, _, numbers = Efforts()(str(path), 64)
    assert (first.name, numbers.n) == (kind, 50 * 40 * channels)


def test_large_files_are_charged_once_and_then_as_kept(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    noise = np.random.default_rng(0).integers(0, 256, (400, 400, 3), np.uint8)
    Image.fromarray(noise).save(path)
    assert path.stat().st_size > LARGE
    efforts = Efforts()
    assert [one.name for one in efforts(str(path), 64)] == ["png", "png bytes", "png numbers", "kept"]
    assert efforts(str(path), 128) == [Effort("kept", 0, 1)]
    assert efforts(str(path), 320)[0] == Effort("png", 320, 1)  # larger than what is kept


@pytest.mark.parametrize("content", [b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF0000WEBP", b"text"])
def test_a_broken_file_is_charged_all_the_same(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.jpg"
    path.write_bytes(content)
    assert Efforts()(str(path), 64)[0].n == 1
    assert Efforts("video")(str(path), 64, 8)[0].n == 16
    assert Efforts()(str(tmp_path / "nothing.jpg"), 64) == [Effort("array", 0, 1)]


def test_clips_are_charged_by_their_frames(tmp_path: Path) -> None:
    for place in range(6):
        draw(0, place, 64).save(tmp_path / f"{place}.png")
    efforts = Efforts("video")
    assert len(efforts(str(tmp_path), 64)) == 3  # the first frame
    assert len(efforts(str(tmp_path), 64, 2)) == 4 * 3


# Workers on a simulated clock


def test_while_learning_goes_on_workers_extract_and_that_is_paid_for() -> None:
    table = CostTable((Cost("solve", "lda", 0, 0.0, 1.0), Cost("forward", "lite0", 64, 0.0, 1.0)))
    alone, beside = CostClock(table), CostClock(table, workers=1)
    for clock in (alone, beside):
        clock.charge("solve", "lda", 0, 2)
        clock.beside(2.0)
    assert (alone.now(), beside.now()) == (2.0, 4.0)
    for clock in (alone, beside):
        clock.charge("forward", "lite0", 64, 3)
    assert alone.now() == beside.now() == 5.0  # what was done is the same in the end
    assert beside.totals() == {"solve": 2.0, "forward": 3.0}


# Tables as files


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of tables, empty."""
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "costs"


def test_tables_of_several_machines_lie_side_by_side(place: Path) -> None:
    one = CostTable(
        (Cost("solve", "lda", 0, 0.0, 1.0),), (Point("solve", "fit", 2, 10, 0.5),), {"date": "today"}
    )
    other = invented(NETWORKS, (64, 128))
    for name, table in (("laptop", one), ("server-2", other)):
        tables.save(table, tables.path_of(name))
    assert [name for name, _ in tables.tables()] == ["laptop", "server-2"]
    assert tables.load("laptop") == one and tables.load("laptop").about == {"date": "today"}
    assert tables.load(str(place / "server-2.json")) == other


@pytest.mark.parametrize("name", ["", "..", "a/b", "a b", "-x", "\x1b"])
def test_a_name_that_is_none_is_refused(place: Path, name: str) -> None:
    with pytest.raises(BadInput, match="cannot name a cost table"):
        tables.path_of(name)


def test_a_table_that_is_not_there_is_named_with_those_that_are(place: Path) -> None:
    with pytest.raises(BadInput, match=r"no cost table 'laptop': .* holds none; `headstart calibrate`"):
        tables.load("laptop")
    tables.save(invented(NETWORKS, (64,)), tables.path_of("server"))
    with pytest.raises(BadInput, match="holds server"):
        tables.load("laptop")


def test_the_name_of_this_machine_can_name_a_table(place: Path) -> None:
    assert tables.path_of(tables.own_name()).parent == place


def test_a_changed_table_and_a_later_format_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    tables.save(CostTable((Cost("solve", "lda", 0, 0.0, 1.0),)), path)
    content = json.loads(path.read_text())
    for change, words in (
        ({"rows": [{**content["rows"][0], "per_item": 2.0}]}, "changed after it was measured"),
        ({"about": {"date": "tomorrow"}}, "changed after it was measured"),
        ({"format": 2}, "of format 2"),
        ({"points": {}}, '"points" of a cost table'),
    ):
        path.write_text(json.dumps({**content, **change}))
        with pytest.raises(BadInput, match=words) as refusal:
            tables.load(str(path))
        assert str(refusal.value).startswith(f"{path}: ")
    del content["sha256"]
    content["rows"][0]["per_item"] = 2.0
    path.write_text(json.dumps(content))
    assert tables.load(str(path)).seconds("solve", "lda", 0, 1) == 2.0


@pytest.mark.parametrize(
    ("points", "words"),
    [
        (
            [(2, 10, 2.0), (2, 100, 1.0)],
            "lda of size 2, 100 items (1 s) cheaper than solve lda of size 2, 10 items",
        ),
        ([(2, 10, 2.0), (5, 10, 1.0), (5, 20, 3.0), (2, 20, 2.5)], "cheaper"),
        ([(2, 10, 2.0), (2, 100, 2.0)], "must grow with the items"),
        ([(2, 10, 2.0), (2, 10, 3.0)], "more than one point"),
        ([(2, 10, 0.0)], "costs nothing or less"),
        ([(2, 10, math.nan)], "costs nothing or less"),
        ([(2, 0, 1.0)], "without items"),
    ],
)
def test_points_that_do_not_grow_are_refused_by_name(
    points: list[tuple[int, int, float]], words: str
) -> None:
    table = CostTable((), tuple(Point("solve", "lda", *numbers) for numbers in points))
    with pytest.raises(BadInput) as refusal:
        table.check()
    assert words in str(refusal.value)


def test_networks_that_cost_the_same_at_every_size_are_refused() -> None:
    flat = tuple(Cost("forward", "lite0", side, 0.0, 1.0) for side in (64, 128))
    with pytest.raises(BadInput, match=r"lite0 at 128 pixels .* no dearer than forward lite0 at 64 pixels"):
        CostTable(flat).check()
    points = tuple(Point("forward", "lite0", side, n, float(n)) for side in (64, 128) for n in (1, 2))
    with pytest.raises(BadInput, match="must grow with the pixels"):
        CostTable((), points).check()


def test_between_measured_sizes_costs_are_interpolated_and_beyond_images_are_refused() -> None:
    table = CostTable(tuple(Cost("forward", "lite0", side, 0.0, side**2 / 64**2) for side in (64, 128, 256)))
    assert table.seconds("forward", "lite0", 96, 2) == pytest.approx(2 * 2.25)
    with pytest.raises(
        BadInput, match=r"no row for forward lite0 at 320 pixels: it has .* 64, 128, 256 only"
    ):
        table.seconds("forward", "lite0", 320, 1)
    heads = CostTable(
        (), tuple(Point("solve", "fit", c, n, 1e-6 * c * n) for c in (2, 20) for n in (10, 1000))
    )
    assert heads.seconds("solve", "fit", 6, 100) == pytest.approx(6e-4)
    assert heads.seconds("solve", "fit", 200, 4000) == pytest.approx(0.8)
    assert heads.seconds("solve", "fit", 1, 0) == 0.0


# The command


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def options(*arguments: str) -> object:
    import argparse

    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    verb.arguments(parser)
    return parser.parse_args(arguments)


def test_the_list_shows_good_and_bad_tables(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verb.run(options("--list")) == 0  # type: ignore[arg-type]
    assert "no cost tables" in capsys.readouterr().out
    tables.save(
        CostTable((Cost("solve", "lda", 0, 0.0, 1.0),), (), {"date": "today"}), tables.path_of("good")
    )
    (place / "bad.json").write_text("{")
    assert verb.run(options("--list", "--json")) == 0  # type: ignore[arg-type]
    shown = json.loads(capsys.readouterr().out)["tables"]
    assert [row["table"] for row in shown] == ["bad", "good"]
    assert "not JSON" in shown[0]["error"] and shown[1]["date"] == "today"


def test_too_short_a_calibration_is_refused(place: Path) -> None:
    with pytest.raises(BadInput, match="give 20s or more"):
        verb.run(options("--budget", "5s"))  # type: ignore[arg-type]


def test_a_run_on_a_table_is_the_same_to_the_last_bit_twice(
    make_folder: MakeFolder, tmp_path: Path, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = make_folder(3, 10)
    tables.save(invented(NETWORKS, (64, 128, 224)), tables.path_of("made"))
    for name in ("a", "b"):
        code = run(
            "fit", data, "--test", data, "--out", tmp_path / name, "--clock", "table:made", "--no-report"
        )
        assert code == 0, capsys.readouterr().err
    one, other = (
        [row.split(",") for row in (tmp_path / name / "curve.csv").read_text().split()] for name in "ab"
    )
    assert [row[:1] + row[2:] for row in one] == [
        row[:1] + row[2:] for row in other
    ]  # all but the CPU seconds
    assert len(one) > 1
    for file in ("predictions.csv", "model/model.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    written = json.loads((tmp_path / "a" / "run.json").read_text())
    assert written["clock"] == "cost" and "cost table" in written["why"]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--clock", "sundial"), "must be wall, cpu, table:NAME"),
        (("--clock", "table:nobody"), "no cost table 'nobody'"),
        (("--clock", "table:made", "--workers", "1"), "no worker threads"),
    ],
)
def test_a_clock_that_is_none_is_refused(
    image_folder: Path,
    tmp_path: Path,
    place: Path,
    capsys: pytest.CaptureFixture[str],
    more: tuple[str, ...],
    words: str,
) -> None:
    tables.save(invented(NETWORKS, (64,)), tables.path_of("made"))
    assert run("fit", image_folder, "--out", tmp_path / "run", *more) == 2
    assert words in capsys.readouterr().err


def test_lines_of_noisy_cells_make_a_table_that_is_accepted() -> None:
    """Also where rounding would leave a call with one item a little cheaper than at a smaller size."""
    rng = np.random.default_rng(0)
    for _ in range(300):
        seconds = rng.uniform(1e-6, 1e-3, (4, 3))
        cells = [
            cell(float(seconds[i, j]), n, size)
            for i, size in enumerate((16, 64, 480, 960))
            for j, n in enumerate((1, 8, 32))
        ]
        check_rows(entries(cells, [], []).rows)


@pytest.mark.slow
def test_a_measured_table_times_runs_of_every_kind(
    make_folder: MakeFolder, tmp_path: Path, place: Path
) -> None:
    """Short, so rough; that nothing which a run charges for is missing shows all the same."""
    for _ in range(3):  # a busy machine may refuse to be measured, as it should
        try:
            table = calibrate("here", seconds=30)
            break
        except BadInput as error:
            assert "too busy" in str(error)
    else:
        pytest.skip("this machine is too busy to be measured")
    tables.save(table, tables.path_of("here"))
    table = tables.load("here")
    assert table.about["machine"]["cores"] == os.cpu_count() and len(table.rows) > 50
    assert all(entry.repeats >= LEAST for entry in (*table.rows, *table.points))
    many = make_folder(5, 240, 16, root=tmp_path / "many")  # beyond the dual form
    several = tmp_path / "several" / "labels.csv"
    make_folder(2, 12, root=tmp_path / "several")
    names = [f"shape_{label}/{number}.png" for label in range(2) for number in range(12)]
    lines = [f"{name},{'ab'[i % 2]};{'cd'[i // 2 % 2]}" for i, name in enumerate(names)]
    several.write_text("\n".join(["path,labels", *lines]) + "\n")
    frames = tmp_path / "clips"
    for label in range(2):
        for number in range(6):
            clip = frames / f"class {label}" / f"clip {number}"
            clip.mkdir(parents=True)
            for frame in range(6):
                draw(label, 10 * number + frame).save(clip / f"{frame}.png")
    for data in (many, several, frames):
        out = tmp_path / f"run {data.parent.name} {data.name}"
        assert run("fit", data, "--out", out, "--clock", "table:here", "--budget", "6s", "--no-report") == 0
        document = json.loads((out / "run.json").read_text())
        assert document["clock"] == "cost" and document["seconds"] > 0.1
