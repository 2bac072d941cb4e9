"""Leaves the process politely in its second train."""

import sys

import numpy as np


class Model:
    done_training = False
    calls = 0

    def __init__(self, metadata):
        self.outputs = metadata.get_output_size()

    def train(self, dataset, remaining_time_budget=None):
        self.calls += 1
        if self.calls == 2:
            sys.exit(0)

    def test(self, dataset, remaining_time_budget=None):
        return np.zeros((sum(1 for _ in dataset), self.outputs))
