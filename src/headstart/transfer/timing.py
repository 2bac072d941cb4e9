"""One step of training and one batch of predictions, to be timed: what a cost table says of networks in training."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from headstart.transfer.device import Device
from headstart.transfer.networks import build, find
from headstart.transfer.training import Trainer
from headstart.words.recipe import Recipe

_CLASSES, _SAMPLES = 10, 64


def sides(network: str) -> tuple[int, ...]:
    """At which sizes a network is measured. Raises BadInput for an unknown one."""
    return tuple(size for size in (32, 64, 128) if size in find(network).pixels)


def work(network: str, pixels: int, batch: int) -> tuple[Callable[[], object], Callable[[], object]]:
    """A step by a batch, and predictions for as many samples; each call does it once more, in one thread."""
    torch.set_num_threads(1)
    row = find(network)
    weights = "pretrained" if row.source == "bundled" else "random"
    recipe = Recipe(network, pixels, weights, optimiser="adamw", batch=batch, rate=1e-4)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (_SAMPLES, pixels, pixels, 3), np.uint8)
    targets = np.arange(_SAMPLES) % _CLASSES
    module = build(recipe, _CLASSES, seed=0)
    module.settle([torch.from_numpy(images)])
    rows = np.arange(_SAMPLES)
    trainer = Trainer(module, recipe, _CLASSES, "single", images, targets, rows, 0, Device("cpu"))
    return trainer.step, lambda: trainer.predict(images, rows[:batch])
