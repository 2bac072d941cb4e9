"""Its second prediction lacks a row."""

import numpy as np


class Model:
    done_training = False
    calls = 0

    def __init__(self, metadata):
        self.outputs = metadata.get_output_size()

    def train(self, dataset, remaining_time_budget=None):
        self.calls += 1

    def test(self, dataset, remaining_time_budget=None):
        rows = sum(1 for _ in dataset)
        return np.zeros((rows - self.calls + 1, self.outputs))
