"""A small perceptron in numpy: linear layers with Swish and dropout between them, softmax at the end, Adam.

Two linear layers are the paper's "two layers". Everything is float32; gradients are checked against
differences in tests/test_similarity.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float32]
Draw = Callable[[np.random.Generator], tuple[Matrix, NDArray[np.intp]]]
"""The next training batch: inputs [b, d] and their classes [b]."""

_BETAS, _EPSILON = (0.9, 0.999), 1e-8


@dataclass(frozen=True)
class Schedule:
    """How a perceptron is trained. The rate falls along a cosine to `floor` times itself.

    dropout: the part of the hidden numbers that is left out in a step, below 1.
    """

    steps: int
    rate: float
    dropout: float = 0.0
    floor: float = 0.25


@dataclass(frozen=True)
class Perceptron:
    """weights: float32 [in, out] of each layer; biases: float32 [out]."""

    weights: tuple[Matrix, ...]
    biases: tuple[Matrix, ...]

    def __call__(self, inputs: Matrix) -> Matrix:
        """Logits, [b, classes]."""
        values = inputs
        for place, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            values = values @ weight + bias
            if place < len(self.weights) - 1:
                values = values * _sigmoid(values)
        return values


def drawn(sizes: tuple[int, ...], rng: np.random.Generator) -> Perceptron:
    """A network of layers between these sizes (inputs first, classes last), with He's weights."""
    weights = tuple(
        (rng.standard_normal((fan, out)) * math.sqrt(2 / max(fan, 1))).astype(np.float32)
        for fan, out in pairwise(sizes)
    )
    return Perceptron(weights, tuple(np.zeros(out, np.float32) for out in sizes[1:]))


def trained(network: Perceptron, draw: Draw, schedule: Schedule, rng: np.random.Generator) -> Perceptron:
    """A network trained on cross entropy over batches from `draw`; the one that is given does not change."""
    values = [array.copy() for array in (*network.weights, *network.biases)]
    half = len(network.weights)
    current = Perceptron(tuple(values[:half]), tuple(values[half:]))
    first, second = ([np.zeros_like(value) for value in values] for _ in range(2))
    for step in range(1, schedule.steps + 1):
        inputs, classes = draw(rng)
        masks = _masks(current, len(inputs), schedule.dropout, rng)
        _, slopes = loss_and_gradient(current, inputs, classes, masks)
        fall = (1 + math.cos(math.pi * (step - 1) / schedule.steps)) / 2
        rate = schedule.rate * (schedule.floor + (1 - schedule.floor) * fall)
        rate *= math.sqrt(1 - _BETAS[1] ** step) / (1 - _BETAS[0] ** step)
        for value, slope, mean, square in zip(values, slopes, first, second, strict=True):
            mean += (1 - _BETAS[0]) * (slope - mean)
            square += (1 - _BETAS[1]) * (slope * slope - square)
            value -= np.float32(rate) * mean / (np.sqrt(square) + np.float32(_EPSILON))
    return current


def loss_and_gradient(
    network: Perceptron, inputs: Matrix, classes: NDArray[np.intp], masks: list[Matrix] | None = None
) -> tuple[float, list[Matrix]]:
    """Mean cross entropy, and its slopes for all weights, then all biases. masks: factors of the hidden numbers."""
    values, gates, layers = inputs, [], [inputs]
    last = len(network.weights) - 1
    for place, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
        values = values @ weight + bias
        if place < last:
            gate = _sigmoid(values)
            swish = values * gate
            slope = gate + swish * (1 - gate)
            if masks is not None:
                swish, slope = swish * masks[place], slope * masks[place]
            values = swish
            gates.append(slope)
            layers.append(values)
    logs = values - values.max(axis=1, keepdims=True)
    logs = logs - np.log(np.exp(logs).sum(axis=1, keepdims=True))
    rows = np.arange(len(inputs))
    back = np.exp(logs)
    back[rows, classes] -= 1
    back /= np.float32(len(inputs))
    weights: list[Matrix] = []
    biases: list[Matrix] = []
    for place in range(last, -1, -1):
        weights.append(layers[place].T @ back)
        biases.append(back.sum(axis=0))
        if place:
            back = (back @ network.weights[place].T) * gates[place - 1]
    return float(-logs[rows, classes].mean()), weights[::-1] + biases[::-1]


def _masks(network: Perceptron, count: int, dropout: float, rng: np.random.Generator) -> list[Matrix] | None:
    """Kept numbers are enlarged, so that nothing changes on average and prediction needs no factor."""
    if dropout <= 0:
        return None
    keep = 1 - dropout
    widths = [weight.shape[1] for weight in network.weights[:-1]]
    return [
        (rng.random((count, width), np.float32) < keep).astype(np.float32) / np.float32(keep)
        for width in widths
    ]


def _sigmoid(values: Matrix) -> Matrix:
    # The limit only keeps exp from overflowing; beyond it the result is 0 or 1 in float32 anyway.
    return np.float32(1) / (np.float32(1) + np.exp(-np.clip(values, -80, 80)))
