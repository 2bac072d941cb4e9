"""Whether a trained network joins the closed-form heads, and with which share: by training evidence alone.

Both have spoken about training samples that they had not seen. The share is the one of a few whose average has
the least log loss there; it is taken only where the gain is larger than its own standard error and the score does
not fall. Log loss, because it says more about few samples than a score that compares their order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headstart.heads.ensemble import blended
from headstart.heads.kernel import Matrix
from headstart.heads.ridge import Array
from headstart.words.scoring import score
from headstart.words.task import LabelKind

SHARES = (0.15, 0.3, 0.5, 0.7, 0.85, 1.0)
_LEAST = 16  # samples: evidence on fewer says nothing
_ERRORS = 1.0  # standard errors that the gain in log loss must exceed
_TINY = 1e-4  # a network that is sure and wrong counts, but not without bound


@dataclass(frozen=True)
class Joined:
    """A share for the networks, and what the average says of training samples: float32 [n, classes].

    gain: in mean log loss per sample, error: its standard error, on `samples` samples that both spoke about.
    """

    share: float
    held_out: Matrix
    gain: float
    error: float
    samples: int


def joined(closed: Matrix, trained: Matrix, truth: Array, labels: LabelKind) -> Joined | None:
    """The best average of the heads' held-out posteriors with the networks', or None where none is better.

    closed, truth: [n, classes] of the same samples; trained: [n, classes], NaN rows where it has not spoken:
    there the average is what the heads say.
    """
    both = ~np.isnan(trained[:, 0])
    if int(both.sum()) < _LEAST:
        return None
    ours, theirs, known = closed[both], trained[both], truth[both]
    base = losses(ours, known, labels)
    parts = [blended(ours, theirs, share) for share in SHARES]
    gains = [base - losses(part, known, labels) for part in parts]
    best = int(np.argmax([gain.mean() for gain in gains]))
    gain = gains[best]
    error = float(gain.std(ddof=1) / np.sqrt(len(gain)))
    if gain.mean() <= _ERRORS * error or score(known, parts[best]) < score(known, ours):
        return None
    held_out = closed.copy()
    held_out[both] = parts[best]
    return Joined(SHARES[best], held_out, float(gain.mean()), error, len(gain))


def losses(posteriors: Matrix, truth: Array, labels: LabelKind) -> NDArray[np.float64]:
    """The negative log posterior of the truth of each sample (with several labels: their mean), float64 [n]."""
    sure = np.clip(posteriors.astype(np.float64), _TINY, 1 - _TINY)
    if labels == "multi":
        return np.asarray(-(truth * np.log(sure) + (1 - truth) * np.log(1 - sure)).mean(axis=1))
    return np.asarray(-np.log((sure * truth).sum(axis=1)))
