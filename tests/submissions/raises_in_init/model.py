"""Raises when it is made."""

import numpy as np


class Model:
    done_training = False
    calls = 0

    def __init__(self, metadata):
        raise RuntimeError("no such luck")

    def train(self, dataset, remaining_time_budget=None):
        self.calls += 1

    def test(self, dataset, remaining_time_budget=None):
        return np.zeros((sum(1 for _ in dataset), self.outputs))
