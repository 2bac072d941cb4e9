"""Scores against scikit-learn and worked values; the area against an independent numerical integral."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from headstart.errors import BadInput
from headstart.words.scoring import alc, auc, column_scores, late, log_time, score

CASES = json.loads((Path(__file__).parent / "data" / "scoring_conformance.json").read_text("utf-8"))["cases"]
MOMENTS = st.floats(0, 2000, allow_subnormal=False)
SCORES = st.floats(-1, 1)
DTYPES = st.sampled_from([np.float16, np.float32, np.float64, np.int32])


@st.composite
def rankings(draw: st.DrawFn) -> tuple[NDArray[Any], NDArray[Any]]:
    """Labels with both values and predictions with many ties, [n]."""
    truth = draw(st.lists(st.booleans(), min_size=2, max_size=60).filter(lambda labels: len({*labels}) == 2))
    values = draw(npst.arrays(draw(DTYPES), len(truth), elements=st.integers(-9, 9)))
    return np.array(truth), values


@st.composite
def curves(draw: st.DrawFn) -> tuple[list[float], list[float]]:
    times = sorted(draw(st.lists(MOMENTS, max_size=12)))
    return times, draw(st.lists(SCORES, min_size=len(times), max_size=len(times)))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['behaviour']}: {case['case']}")
def test_conformance(case: dict[str, Any]) -> None:
    """Ours is what the list says; where that differs from the official result the list says why."""
    if case["measure"] == "score":
        measure: Any = score
        arguments: list[Any] = [np.array(case[key], np.float64) for key in ("truth", "prediction")]
    else:
        measure = alc
        arguments = [list(map(float, case[key])) for key in ("times", "scores")]
        assert late(arguments[0]) == case.get("late", 0)
    ours = case["ours"]
    if isinstance(ours, dict):
        with pytest.raises(BadInput) as refusal:
            measure(*arguments)
        assert ours["refused"] in str(refusal.value)
        ours = "raises"
    else:
        assert measure(*arguments) == pytest.approx(ours, abs=5.1e-5)
        if measure is score:
            assert np.isnan(column_scores(*arguments)).sum() == case.get("undefined", 0)
    differs = any(official != ours for official in case["official"].values())
    assert bool(case["why"]) == differs


def test_auc_worked_by_hand() -> None:
    # Pairs (in, out): (.8, .3) (.8, .4) (.8, .7) right, (.4, .3) right, (.4, .4) a tie, (.4, .7) wrong.
    assert auc([1, 1, 0, 0, 0], [0.8, 0.4, 0.3, 0.4, 0.7]) == 4.5 / 6


def test_score_worked_by_hand() -> None:
    truth = np.eye(3)[[0, 0, 1, 1]]  # the third class is in no sample
    prediction = np.array([[0.9, 0.1, 0], [0.4, 0.6, 0], [0.5, 0.5, 0], [0.1, 0.9, 0]], np.float32)
    np.testing.assert_array_equal(column_scores(truth, prediction), [0.5, 0.5, np.nan])
    assert score(truth, prediction) == 0.5


@given(rankings())
def test_auc_equals_scikit_learn(ranking: tuple[NDArray[Any], NDArray[Any]]) -> None:
    truth, prediction = ranking
    assert auc(truth, prediction) == pytest.approx(roc_auc_score(truth, prediction), abs=1e-12)


@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.integers(1, 6))
def test_score_equals_scikit_learn(seed: int, n: int, classes: int) -> None:
    random = np.random.default_rng(seed)
    truth = random.integers(0, 2, (n, classes))
    prediction = random.integers(0, 8, (n, classes)) / 8
    valid = (truth.min(0) == 0) & (truth.max(0) == 1)
    expected = 2 * roc_auc_score(truth[:, valid], prediction[:, valid]) - 1 if valid.any() else 0.0
    assert score(truth, prediction) == pytest.approx(expected, abs=1e-12)


@given(rankings())
def test_order_alone_counts_and_mirrors(ranking: tuple[NDArray[Any], NDArray[Any]]) -> None:
    truth, prediction = ranking
    column, wide = truth[:, None], prediction.astype(np.float64)[:, None]
    assert score(column, np.exp(wide) * 3 + 1) == score(column, wide)
    assert score(column, -wide) == -score(column, wide)
    assert score(column[::-1], wide[::-1]) == score(column, wide)
    assert -1 <= score(column, wide) <= 1


def test_undefined() -> None:
    assert math.isnan(auc([1, 1], [0.1, 0.2]))
    assert math.isnan(auc([], []))
    assert score(np.zeros((0, 3)), np.zeros((0, 3))) == 0.0
    assert score(np.zeros((2, 0)), np.zeros((2, 0))) == 0.0


@pytest.mark.parametrize(
    ("truth", "prediction", "words"),
    [
        ([0, 1], [[0.0], [1.0]], "must be equal"),
        ([0, 1], [0.0, 1.0], "of shape [samples, classes]"),
        ([[0], [2]], [[0.0], [1.0]], "truth is 2 in row 1, column 0"),
        ([[0], [np.nan]], [[0.0], [1.0]], "truth is nan in row 1, column 0"),
        ([[0], [1]], [[0.0], [1j]], "must hold real numbers"),
        ([[0], [1]], [["a"], ["b"]], "must hold real numbers"),
        (
            [[0, 1], [1, 0]],
            np.array([[1, 1], [1, np.inf]], np.half),
            "the prediction is inf in row 1, column 1",
        ),
    ],
)
def test_refused(truth: Any, prediction: Any, words: str) -> None:
    with pytest.raises(BadInput) as refusal:
        score(truth, prediction)
    assert words in str(refusal.value)


def test_auc_refuses_tables() -> None:
    with pytest.raises(BadInput, match=r"of shape \[samples\]"):
        auc([[0], [1]], [[0.0], [1.0]])


def test_ten_thousand_samples_of_hundred_classes() -> None:
    random = np.random.default_rng(0)
    truth = np.eye(100, dtype=np.uint8)[random.integers(0, 100, 10_000)]
    prediction = random.random((10_000, 100), np.float32)
    start = time.process_time()
    assert abs(score(truth, prediction)) < 0.02
    assert time.process_time() - start < 0.5


@pytest.mark.parametrize(
    ("t0", "weights"),
    [
        (60.0, {1: 0.0054, 5: 0.0263, 10: 0.0506, 20: 0.0945, 30: 0.1332, 60: 0.2277, 120: 0.3608,
                300: 0.5885, 600: 0.7876, 900: 0.9107, 1200: 1.0}),
        (20.0, {1: 0.0119, 5: 0.0543, 10: 0.0986, 20: 0.1686, 30: 0.2229, 60: 0.3372, 120: 0.4734,
                300: 0.6745, 600: 0.8353, 900: 0.9313, 1200: 1.0}),
    ],
)  # fmt: skip
def test_log_time_golden(t0: float, weights: dict[int, float]) -> None:
    for t, weight in weights.items():
        assert log_time(t, 1200.0, t0) == pytest.approx(weight, abs=5.1e-5)
    assert log_time(0, 1200.0, t0) == 0.0
    assert log_time(2400, 1200.0, t0) > 1


def test_alc_golden() -> None:
    assert alc([10], [0.9]) == pytest.approx(0.8544, abs=5.1e-5)
    assert alc([10], [0.9], t0=20) == pytest.approx(0.8112, abs=5.1e-5)
    assert alc([10], [0.5]) == pytest.approx(0.4747, abs=5.1e-5)
    # log(1+3)/log(1+15) = 1/2 and log(1+1)/log(1+15) = 1/4, so .4 holds for a quarter and .8 for a half.
    assert alc([1, 3], [0.4, 0.8], budget=15, t0=1) == pytest.approx(0.5)


@given(curves(), st.floats(5, 1500), st.sampled_from([1.0, 20.0, 60.0]))
def test_alc_equals_a_numerical_integral(
    curve: tuple[list[float], list[float]], budget: float, t0: float
) -> None:
    """The mean of the score over many points of the log axis, each looked up on the plain time axis."""
    times, scores = curve
    points = 4000
    axis = (np.arange(points) + 0.5) / points
    seconds = t0 * ((1 + budget / t0) ** axis - 1)
    last = np.searchsorted(times, seconds, side="right")
    expected = np.array([0.0, *scores])[last].mean()
    assert alc(times, scores, budget, t0) == pytest.approx(expected, abs=2 * (len(times) + 1) / points)


@given(curves())
def test_alc_is_bounded_and_ignores_late_ones(curve: tuple[list[float], list[float]]) -> None:
    times, scores = curve
    value = alc(times, scores)
    assert min([0.0, *scores]) - 1e-12 <= value <= max([0.0, *scores]) + 1e-12
    kept = len(times) - late(times)
    assert alc(times[:kept], scores[:kept]) == value


@pytest.mark.parametrize(
    ("times", "scores", "budget", "t0", "words"),
    [
        ([1.0], [math.nan], 10.0, 1.0, "number 0 (from 0) is nan"),
        ([1.0, math.inf], [0.1, 0.2], 10.0, 1.0, "number 1 (from 0) is inf"),
        ([math.nan], [0.1], 10.0, 1.0, "number 0 (from 0) is nan"),
        ([], [], 0.0, 1.0, "budget must be"),
        ([], [], math.inf, 1.0, "budget must be"),
        ([1.0], [0.1], 10.0, -1.0, "t0 must be"),
    ],
)
def test_alc_refuses(times: list[float], scores: list[float], budget: float, t0: float, words: str) -> None:
    with pytest.raises(BadInput) as refusal:
        alc(times, scores, budget, t0)
    assert words in str(refusal.value)


@pytest.mark.parametrize("t", [-1.0, math.nan, math.inf])
def test_log_time_refuses(t: float) -> None:
    with pytest.raises(BadInput, match="0 s or later"):
        log_time(t)


def test_words_import_numpy_at_most() -> None:
    """The words are on the way to the first prediction."""
    modules = ", ".join(f"headstart.words.{name}" for name in ("scoring", "clock", "costs", "config", "task"))
    heavy = "{'scipy', 'sklearn', 'torch', 'onnxruntime', 'PIL', 'pandas', 'matplotlib'}"
    program = f"import sys, {modules}; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
