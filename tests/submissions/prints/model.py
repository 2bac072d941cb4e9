"""Prints megabytes, and stops after its second prediction."""

import sys

import numpy as np


class Model:
    done_training = False
    calls = 0

    def __init__(self, metadata):
        self.outputs = metadata.get_output_size()

    def train(self, dataset, remaining_time_budget=None):
        self.calls += 1
        for _ in range(400):
            print("x" * 9999)
            print("y" * 9999, file=sys.stderr)
        self.done_training = self.calls == 2

    def test(self, dataset, remaining_time_budget=None):
        return np.zeros((sum(1 for _ in dataset), self.outputs))
