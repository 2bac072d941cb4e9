"""Which samples a step takes, and how they come to the device: as pixels, or as cached activations.

Everything is a function of the seed and the number of the step, so that a training that goes on from a stored state
sees the same batches as one that never stopped, without storing any generator.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from headstart.data.selection import select
from headstart.transfer.device import Device
from headstart.words.recipe import Selection

Rows = NDArray[np.int64]
_ORDER, _FRAMES, _CHANGES = 1, 2, 3  # streams of random numbers
_CHUNK = 16  # samples in one call of a frozen bottom: always so many, so that a sample's numbers never differ
_LARGEST = float(np.finfo(np.float16).max)


def changes(seed: int, step: int) -> np.random.Generator:
    """The random numbers that the batch of a step is changed with."""
    return np.random.default_rng((seed, _CHANGES, step))


class Order:
    """A new random order of the samples for each pass; batches run on over the end of one into the next.

    So every batch has the same size, and none is too small for BatchNorm: with fewer samples than `batch` it is
    their number, but at least 2 (one sample comes twice).
    """

    def __init__(self, rows: Rows, batch: int, seed: int) -> None:
        """rows: int64 [n], 1 or more. Raises ValueError for none."""
        if not len(rows):
            raise ValueError("there are no samples to train on")
        self._rows, self._seed = np.asarray(rows, np.int64), seed
        self.batch = max(2, min(batch, len(rows)))
        self._passes: dict[int, Rows] = {}

    def epoch(self, step: int) -> float:
        """Passes over the samples before that step."""
        return step * self.batch / len(self._rows)

    def at(self, step: int) -> Rows:
        """The samples of a step, int64 [batch]."""
        n, first = len(self._rows), step * self.batch
        last = first + self.batch
        number, end = first // n, (last - 1) // n
        if number == end:
            return self._pass(number)[first - number * n : last - number * n]
        whole = np.concatenate([self._pass(k) for k in range(number, end + 1)])
        return whole[first - number * n : last - number * n]

    def _pass(self, number: int) -> Rows:
        if number not in self._passes:
            rng = np.random.default_rng((self._seed, _ORDER, number))
            self._passes = {k: v for k, v in self._passes.items() if k >= number - 1}
            self._passes[number] = rng.permutation(self._rows)
        return self._passes[number]


class Pixels:
    """Batches out of uint8 [n, h, w, 3] or, of clips, [n, pool, h, w, 3], of which `frames` are taken.

    Where the pool is larger than `frames`, training takes them as `how` says, anew in each step and for each clip;
    predictions take the same ones always: evenly spaced, where `how` draws them.
    """

    def __init__(self, pixels: NDArray[np.uint8], frames: int, how: Selection, seed: int) -> None:
        self.array, self._frames, self._how, self._seed = pixels, frames, how, seed
        self._picked = pixels.ndim == 5 and pixels.shape[1] > frames
        self.drawn = self._picked and how not in ("even", "keyframe")

    def __len__(self) -> int:
        return len(self.array)

    def training(self, rows: Rows, step: int) -> NDArray[np.uint8]:
        """Of a step, uint8 [b, h, w, 3] or [b, frames, h, w, 3]."""
        if not self.drawn:
            return self.still(rows)
        rng, pool = np.random.default_rng((self._seed, _FRAMES, step)), self.array.shape[1]
        frames = np.stack([select(pool, self._frames, self._how, rng) for _ in rows])
        return self.array[rows[:, None], frames]

    def still(self, rows: Rows) -> NDArray[np.uint8]:
        """As predictions see them."""
        if not self._picked:
            return self.array[rows]
        how = "even" if self.drawn else self._how
        frames = select(self.array.shape[1], self._frames, how, np.random.default_rng(0))
        return self.array[rows[:, None], frames]


class Activations:
    """What the frozen bottom of a network gives for samples, computed once, in half precision, in bounded memory.

    The first samples that are asked for are kept until the bound is reached; the others are computed each time.
    """

    def __init__(
        self, pixels: Pixels, bottom: Callable[[torch.Tensor], torch.Tensor], device: Device, limit: int
    ) -> None:
        """bottom: pixels [b, ...] to activations [b, ...]. limit: bytes."""
        self._pixels, self._bottom, self._device, self._limit = pixels, bottom, device, limit
        self._places = np.full(len(pixels), -1, np.int64)
        self._kept: torch.Tensor | None = None
        self._count = 0

    @property
    def nbytes(self) -> int:
        """Of the memory set aside."""
        return 0 if self._kept is None else self._kept.nbytes

    def at(self, rows: Rows) -> torch.Tensor:
        """Activations of samples, float32 [b, ...] on the device; as if each had been computed by itself."""
        missing = np.unique(rows[self._places[rows] < 0])
        new = self._computed(missing) if len(missing) else None
        if new is not None:
            self._keep(missing, new)
        places = self._places[rows]
        if new is None or self._kept is None or (places >= 0).all():
            out = new if self._kept is None else self._kept
            index = np.searchsorted(missing, rows) if self._kept is None else places
            assert out is not None
            return out[self._device.upload(index)].float()
        known = self._device.upload(np.flatnonzero(places >= 0))
        rest = self._device.upload(np.flatnonzero(places < 0))
        result = new.new_empty((len(rows), *new.shape[1:]))
        result[known] = self._kept[self._device.upload(places[places >= 0])]
        result[rest] = new[self._device.upload(np.searchsorted(missing, rows[places < 0]))]
        return result.float()

    def _computed(self, rows: Rows) -> torch.Tensor:
        parts = []
        for first in range(0, len(rows), _CHUNK):
            some = rows[first : first + _CHUNK]
            filled = np.concatenate([some, np.repeat(some[:1], _CHUNK - len(some))])
            with torch.no_grad():
                part = self._bottom(self._device.upload(self._pixels.still(filled)))
            parts.append(part[: len(some)].float().clamp_(-_LARGEST, _LARGEST).half())
        return torch.cat(parts)

    def _keep(self, rows: Rows, new: torch.Tensor) -> None:
        if self._kept is None:
            capacity = min(len(self._pixels), self._limit // max(1, new[0].nbytes))
            if capacity == 0:
                return
            # not touched before it is written: the system gives the memory as it fills
            self._kept = new.new_empty((capacity, *new.shape[1:]))
        room = min(len(rows), len(self._kept) - self._count)
        if room:
            self._kept[self._count : self._count + room] = new[:room]
            self._places[rows[:room]] = np.arange(self._count, self._count + room)
            self._count += room


class Ahead:
    """Batches by step; on a device that computes by itself the next one is made while the present one is used."""

    def __init__(self, make: Callable[[int], Any], ahead: bool) -> None:
        self._make, self._ahead = make, ahead
        self._waiting: dict[int, Any] = {}

    def at(self, step: int) -> Any:
        """What `make(step)` gives."""
        return self._waiting.pop(step) if step in self._waiting else self._make(step)

    def prepare(self, step: int) -> None:
        """Make that batch now, where this is to be done ahead."""
        if self._ahead:
            self._waiting = {step: self._make(step)}
