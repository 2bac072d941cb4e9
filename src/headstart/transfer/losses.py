"""What training minimises: cross entropy for classes, binary cross entropy for several labels."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

Labels = Literal["single", "multi"]
_MOST = 20.0  # a class or label weighs at most so much more than with equal weights


class Loss:
    """The loss of a batch.

    labels: "single" (targets int64 [b]) or "multi" (targets float32 [b, classes] of 0 and 1).
    smoothing: each target is moved so far towards knowing nothing. weights: of the classes (single) or of the
    positive side of each label (multi), float32 [classes], or None. chance: the loss of knowing nothing, about.
    """

    def __init__(
        self, labels: Labels, classes: int, smoothing: float = 0.0, weights: torch.Tensor | None = None
    ) -> None:
        self._single = labels == "single"
        self._smoothing = smoothing
        self._weights = weights
        self.chance = math.log(max(2, classes)) if self._single else math.log(2)

    def __call__(self, logits: torch.Tensor, targets: torch.Tensor, share: float = 1.0) -> torch.Tensor:
        """The mean loss, a float32 scalar.

        logits: [b, classes]. share: of each sample in a batch that was mixed with itself reversed (`augment.mixed`);
        the other sample's targets count for the rest.
        """
        logits = logits.float()
        if not self._single:
            wanted = targets if share == 1.0 else share * targets + (1 - share) * targets.flip(0)
            if self._smoothing:
                wanted = wanted * (1 - self._smoothing) + self._smoothing / 2
            return F.binary_cross_entropy_with_logits(logits, wanted, pos_weight=self._weights)
        loss = self._classes(logits, targets)
        return loss if share == 1.0 else share * loss + (1 - share) * self._classes(logits, targets.flip(0))

    def _classes(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(logits, targets, weight=self._weights, label_smoothing=self._smoothing)


def balance(labels: Labels, targets: NDArray[Any], classes: int) -> NDArray[np.float32]:
    """Weights, float32 [classes], with which classes count equally; none exceeds 20.

    targets: int [n] or uint8 [n, classes]. Single: inverse frequency, its mean over the samples 1; a class without
    samples weighs 1. Multi: the negatives of a label over its positives; 1 for a label without positives.
    """
    n = len(targets)
    if labels == "single":
        counts = np.bincount(targets, minlength=classes)
        present = max(1, int((counts > 0).sum()))
        weights = np.where(counts > 0, n / (present * np.maximum(counts, 1)), 1.0)
    else:
        counts = np.asarray(targets, np.int64).sum(0)
        weights = np.where(counts > 0, (n - counts) / np.maximum(counts, 1), 1.0)
    return np.clip(weights, 1 / _MOST, _MOST).astype(np.float32)
