"""What the report says about multi-label tasks and about calibration, against counting by hand."""

from __future__ import annotations

import math
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from headstart.report.label_measures import (
    Labels,
    average_precision,
    by_label,
    confused,
    decided,
    exact_match,
    label_counts,
    micro_f1,
    together,
    worst,
)
from headstart.report.reading import Evidence
from headstart.report.reliability import bins, calibration_error, diagram, undecided
from headstart.report.sorting import Column, sortable

BITS = arrays.arrays(np.uint8, st.tuples(st.integers(1, 25), st.integers(1, 8)), elements=st.integers(0, 1))


def labels_of(has: NDArray[np.uint8], given: NDArray[np.uint8], seed: int = 0) -> Labels:
    """Labels with posteriors on the right side of one half for the decisions."""
    posteriors = (given * 0.5 + np.random.default_rng(seed).uniform(0, 0.5, given.shape)).astype(np.float32)
    half = np.full(has.shape[1], 0.5, np.float32)
    return Labels(posteriors, has.astype(bool), given.astype(bool), half, np.tile(half, (len(has), 1)))


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=1, max_size=40))
def test_average_precision_is_precision_over_the_recall_gained(pairs: list[tuple[bool, int]]) -> None:
    has, posteriors = np.array([p[0] for p in pairs]), np.array([p[1] / 6 for p in pairs], np.float32)
    found = average_precision(has, posteriors)
    if not has.any():
        assert math.isnan(found)
        return
    area, before = 0.0, 0.0
    for threshold in sorted(set(posteriors.tolist()), reverse=True):
        given = posteriors >= threshold
        recall = float(has[given].sum() / has.sum())
        area += (recall - before) * float(has[given].mean())
        before = recall
    assert found == pytest.approx(area)


def test_micro_f1_and_exact_match() -> None:
    has = np.array([[1, 0, 1], [0, 1, 0], [0, 0, 0]], bool)
    given = np.array([[1, 0, 0], [0, 1, 0], [1, 0, 0]], bool)
    assert micro_f1(has, given) == pytest.approx(2 * 2 / (3 + 3))
    assert exact_match(has, given) == pytest.approx(1 / 3)
    assert math.isnan(micro_f1(has & False, has & False)) and exact_match(has, has) == 1.0


@given(BITS, st.integers(0, 99))
def test_every_label_is_measured_and_decided_by_thresholds_from_other_samples(
    targets: NDArray[np.uint8], seed: int
) -> None:
    posteriors = np.random.default_rng(seed).random(targets.shape).astype(np.float16)
    labels = decided(Evidence(targets, posteriors))
    measures = by_label(labels)
    assert sorted(c.index for c in measures) == list(range(targets.shape[1]))
    for c in measures:
        both = int((labels.given[:, c.index] & labels.has[:, c.index]).sum())
        assert c.support == targets[:, c.index].sum()
        assert math.isnan(c.recall) if not c.support else c.recall == pytest.approx(both / c.support)
        assert 0 < c.threshold < 1 and math.isnan(c.score) == (c.support in (0, len(targets)))


def test_labels_that_occur_together_are_found_once_and_chance_is_not() -> None:
    rng = np.random.default_rng(0)
    has = (rng.random((400, 70)) < 0.1).astype(np.uint8)
    has[:, 66] = has[:, 1] & (rng.random(400) < 0.9)  # labels of different blocks of columns
    found = together(labels_of(has, has), 5)
    assert (found[0].first, found[0].second) == (1, 66)
    assert found[0].count == (has[:, 1] & has[:, 66]).sum()
    assert found[0].chance == pytest.approx(has[:, 1].mean() * has[:, 66].sum(), rel=1e-5)
    assert len({frozenset((p.first, p.second)) for p in found}) == len(found)
    assert all(p.first < p.second and p.count > p.chance for p in found)


def test_confused_is_the_label_wrongly_given_where_another_is_true() -> None:
    rng = np.random.default_rng(1)
    has = (rng.random((500, 6)) < 0.15).astype(np.uint8)
    given = has.copy()
    given[:, 4] |= has[:, 2] & (rng.random(500) < 0.6)
    found = confused(labels_of(has, given), 5)
    assert [(p.first, p.second) for p in found][:1] == [(2, 4)]
    wrong = (given[:, 4] == 1) & (has[:, 4] == 0)
    assert found[0].count == (wrong & (has[:, 2] == 1)).sum()
    assert found[0].chance == pytest.approx(wrong.sum() * has[has[:, 4] == 0, 2].mean(), rel=1e-5)
    assert confused(labels_of(has, has), 5) == []


@given(BITS, st.integers(1, 6), st.integers(0, 9))
def test_label_counts_hold_every_sample_once(targets: NDArray[np.uint8], rows: int, seed: int) -> None:
    given = (np.random.default_rng(seed).random(targets.shape) < 0.5).astype(np.uint8)
    found = label_counts(labels_of(targets, given), rows)
    assert 1 <= len(found) <= rows and found[0][0] == 0
    assert sum(row[2] for row in found) == sum(row[3] for row in found) == len(targets)
    assert all(low <= high for low, high, _, _ in found)
    for low, high, have, _ in found:
        assert have == sum(low <= n <= high for n in targets.sum(axis=1))


def test_the_worst_errors_come_first_with_what_was_missed_and_wrongly_given() -> None:
    has = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 1]], bool)
    posteriors = np.array([[0.1, 0.3, 0.9], [0.9, 0.6, 0.1], [0.1, 0.1, 0.9]], np.float32)
    half = np.full(3, 0.5, np.float32)
    found = worst(Labels(posteriors, has, posteriors >= 0.5, half, np.tile(half, (3, 1))), 9)
    assert [m.sample for m in found] == [0, 1]
    assert [k for k, _ in found[0].missed] == [0, 1] and [k for k, _ in found[0].wrong] == [2]
    assert found[0].right == () and found[1].right == (0,) and found[1].missed == ()
    assert found[1].wrong == ((1, pytest.approx(0.6)),)


def test_a_calibrated_model_has_next_to_no_calibration_error_and_a_boastful_one_has() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.2, 1, 50_000)
    right = rng.random(50_000) < confidence
    found = bins(confidence, right)
    assert sum(b.count for b in found) == 50_000 and [b.low for b in found] == [k / 10 for k in range(2, 10)]
    assert all(b.low <= b.confidence <= b.high for b in found)
    assert calibration_error(found) < 0.01
    assert calibration_error(bins(np.full(100, 0.9), np.arange(100) < 60)) == pytest.approx(0.3)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60))
def test_the_reliability_diagram_is_well_formed_and_inside_its_frame(pairs: list[tuple[float, bool]]) -> None:
    svg = diagram(
        bins(np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs])), "confidence", "right"
    )
    assert "nan" not in svg
    for element in ElementTree.fromstring(svg).iter():
        for key, most in (("x", 372), ("cx", 372), ("y", 364), ("cy", 364), ("y1", 364), ("y2", 364)):
            assert 0 <= float(element.get(key, 0)) <= most


def test_what_stays_undecided_and_how_good_the_rest_is() -> None:
    posteriors = np.array([[0.4, 0.3, 0.3], [0.6, 0.2, 0.2], [0.1, 0.8, 0.1], [0.02, 0.03, 0.95]], np.float16)
    found = undecided(Evidence(np.array([0, 1, 1, 2]), posteriors), None)
    assert [(u.least, u.below, u.rest) for u in found] == [(0.5, 1, 3), (0.7, 2, 2), (0.9, 3, 1)]
    assert [u.right for u in found] == [pytest.approx(2 / 3), 1.0, 1.0]
    none = undecided(Evidence(np.array([0]), np.array([[0.4, 0.3]], np.float16)), None)
    assert [u.rest for u in none] == [0, 0, 0] and all(math.isnan(u.right) for u in none)


def test_what_stays_undecided_with_several_labels() -> None:
    has = np.array([[1, 1], [0, 1], [0, 0]], np.uint8)
    posteriors = np.array([[0.8, 0.4], [0.1, 0.95], [0.3, 0.2]], np.float16)
    half = np.full(2, 0.5, np.float32)
    labels = Labels(posteriors.astype(np.float32), has == 1, posteriors >= 0.5, half, np.tile(half, (3, 1)))
    found = undecided(Evidence(has, posteriors), labels)
    assert [(u.below, u.right, u.exact) for u in found] == [(1, 1.0, 0.5), (1, 1.0, 0.5), (2, 1.0, 1.0)]


def test_a_table_ranks_names_without_case_and_undefined_numbers_last() -> None:
    columns = [
        Column("name", "Class", ["b", "A", "c"], ["b", "A", "c"]),
        Column("samples", "Samples", [3.0, 1.0, 2.0], ["3", "1", "2"]),
        Column("score", "Score", [math.nan, 0.5, -0.5], ["–", ".5", "-.5"]),
    ]
    html = sortable(columns, "score")
    for ranks in (
        "--name:1;--samples:2;--score:2",
        "--name:0;--samples:0;--score:1",
        "--name:2;--samples:1;--score:0",
    ):
        assert ranks in html
