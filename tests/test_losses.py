"""Losses against their formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from headstart.transfer.losses import Loss, balance  # noqa: E402

LOGITS = torch.tensor([[1.0, -1.0, 0.5], [0.2, 2.0, -3.0]])


def test_cross_entropy_by_hand() -> None:
    targets = torch.tensor([2, 1])
    logs = LOGITS.log_softmax(1)
    exact = -(logs[0, 2] + logs[1, 1]) / 2
    assert float(Loss("single", 3)(LOGITS, targets)) == pytest.approx(float(exact))
    smooth = 0.9 * exact - 0.1 * logs.mean()
    assert float(Loss("single", 3, 0.1)(LOGITS, targets)) == pytest.approx(float(smooth), rel=1e-5)


def test_classes_that_weigh_more_count_more() -> None:
    targets = torch.tensor([2, 1])
    logs = LOGITS.log_softmax(1)
    exact = -(3 * logs[0, 2] + logs[1, 1]) / 4
    loss = Loss("single", 3, weights=torch.tensor([1.0, 1.0, 3.0]))(LOGITS, targets)
    assert float(loss) == pytest.approx(float(exact))


def test_several_labels_by_hand() -> None:
    targets = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    p = LOGITS.sigmoid()
    exact = -(targets * p.log() + (1 - targets) * (1 - p).log()).mean()
    assert float(Loss("multi", 3)(LOGITS, targets)) == pytest.approx(float(exact), rel=1e-5)
    soft = targets * 0.8 + 0.1
    smooth = -(soft * p.log() + (1 - soft) * (1 - p).log()).mean()
    assert float(Loss("multi", 3, 0.2)(LOGITS, targets)) == pytest.approx(float(smooth), rel=1e-5)


@pytest.mark.parametrize("labels", ["single", "multi"])
def test_a_mixed_batch_counts_both_samples(labels: str) -> None:
    targets = torch.tensor([2, 1]) if labels == "single" else torch.eye(3)[:2]
    loss = Loss(labels, 3)  # type: ignore[arg-type]
    own, other = float(loss(LOGITS, targets)), float(loss(LOGITS, targets.flip(0)))
    assert float(loss(LOGITS, targets, 0.7)) == pytest.approx(0.7 * own + 0.3 * other, rel=1e-5)
    assert float(loss(LOGITS, targets, 1.0)) == own


def test_the_loss_of_knowing_nothing() -> None:
    for labels, classes, chance in (("single", 5, math.log(5)), ("multi", 5, math.log(2))):
        loss = Loss(labels, classes)  # type: ignore[arg-type]
        targets = torch.zeros(4, dtype=torch.int64) if labels == "single" else torch.zeros(4, classes)
        assert loss.chance == pytest.approx(chance)
        assert float(loss(torch.zeros(4, classes), targets)) == pytest.approx(chance)
    assert Loss("single", 1).chance > 0


def test_half_precision_is_widened_first() -> None:
    loss = Loss("single", 3)(LOGITS.bfloat16(), torch.tensor([2, 1]))
    assert loss.dtype == torch.float32


def test_balance_of_classes() -> None:
    weights = balance("single", np.array([0, 0, 0, 1]), 3)
    assert weights.dtype == np.float32
    assert weights.tolist() == pytest.approx([4 / 6, 2.0, 1.0])
    assert balance("single", np.array([0, 1, 2] * 5), 3).tolist() == [1.0, 1.0, 1.0]
    assert balance("single", np.array([0] * 999 + [1]), 2)[1] == 20.0


def test_balance_of_labels() -> None:
    targets = np.array([[1, 0, 1], [1, 0, 0], [1, 0, 0], [0, 0, 0]], np.uint8)
    assert balance("multi", targets, 3).tolist() == pytest.approx([1 / 3, 1.0, 3.0])
    assert (balance("multi", np.ones((9, 2), np.uint8), 2) > 0).all(), "nothing is switched off"
