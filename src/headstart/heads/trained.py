"""Networks that were trained on the task itself, as they speak: from pixels to posteriors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headstart.heads.calibration import posteriors
from headstart.heads.kernel import Matrix
from headstart.words.task import LabelKind


@dataclass(frozen=True)
class Trained:
    """Networks of one recipe that were trained on different parts of the samples, and are averaged.

    name: network, pixels and frames, `small@64`. pixels, frames: of what they look at; frames are evenly spaced.
    graphs: each network as ONNX: input `image`, uint8 [b, pixels, pixels, 3] (of clips [b, frames, pixels, pixels,
    3]), output `logits`, float32 [b, classes]. temperature: of the posteriors. evidence: their score on
    training samples that the network had not seen; samples: training samples that they learnt from, together.
    """

    name: str
    pixels: int
    frames: int
    graphs: tuple[bytes, ...]
    temperature: float
    evidence: float
    samples: int

    @property
    def block(self) -> str:
        """Under which name their posteriors stand among a sample's features."""
        return f"trained {self.name}"

    def posteriors(self, logits: Sequence[NDArray[np.floating]], labels: LabelKind) -> Matrix:
        """The average over networks of posteriors float32 [m, classes] from each one's logits [m, classes]."""
        return averaged(logits, self.temperature, labels)


def averaged(logits: Sequence[NDArray[np.floating]], temperature: float, labels: LabelKind) -> Matrix:
    """The mean of the posteriors of several networks, float32 [m, classes]; at least one network."""
    total = np.zeros(logits[0].shape, np.float32)
    for one in logits:
        total += posteriors(one.astype(np.float64), temperature, labels)
    return total / np.float32(len(logits))
