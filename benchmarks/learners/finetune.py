"""All of the pretrained network, fine-tuned: Adam 1e-3, batch 32, BatchNorm momentum .1, a prediction per epoch."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from benchmarks.learners.network import pretrained, scaled
from benchmarks.learners.pictures import load_all
from benchmarks.learners.protocol import (
    Labels,
    Matrix,
    Publisher,
    labelled,
    network_options,
    parser,
    unlabelled,
)

_BATCH, _RATE, _MOMENTUM = 32, 1e-3, 0.1


def prepared(network: Any, classes: int) -> Any:
    """A new last layer, and running statistics that follow a short training."""
    network._fc = torch.nn.Linear(network._fc.in_features, classes)
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = _MOMENTUM
    return network


def epochs(
    network: Any, images: np.ndarray[Any, Any], targets: Labels, until: float, seed: int
) -> Iterator[None]:
    """Trains; yields after every epoch. Stops within one, should the CPU seconds of this process reach `until`."""
    rng = np.random.default_rng(seed)
    optimiser = torch.optim.Adam(network.parameters(), lr=_RATE)
    wanted = torch.from_numpy(targets)
    while True:
        network.train()
        order = rng.permutation(len(images))
        for first in range(0, len(order), _BATCH):
            if time.process_time() >= until:
                return
            rows = order[first : first + _BATCH]
            if len(rows) < 2:
                continue  # no batch statistics from one image
            optimiser.zero_grad()
            loss = torch.nn.functional.cross_entropy(network(scaled(images[rows])), wanted[rows])
            torch.autograd.backward(loss)
            optimiser.step()
        yield


def predicted(network: Any, images: np.ndarray[Any, Any]) -> Matrix:
    """Posteriors, float32 [n, classes]."""
    network.eval()
    with torch.inference_mode():
        parts = [network(scaled(images[i : i + _BATCH])).softmax(1) for i in range(0, len(images), _BATCH)]
        return torch.cat(parts).numpy()


def main() -> None:
    given = network_options(parser(__doc__ or ""))
    given.add_argument("--cut", type=float, default=60.0, help="CPU seconds after which nothing new is begun")
    chosen = given.parse_args()
    torch.manual_seed(chosen.seed)
    files, targets, classes = labelled(chosen.train)
    tests = unlabelled(chosen.test)
    network = prepared(pretrained(chosen.weights, chosen.package), len(classes))
    train, test = load_all(files, chosen.pixels), load_all(tests, chosen.pixels)
    publisher = Publisher(chosen.out, chosen.test, tests, classes)
    for _ in epochs(network, train, targets, chosen.cut, chosen.seed):
        publisher.publish(predicted(network, test))
    publisher.save()


if __name__ == "__main__":
    main()
