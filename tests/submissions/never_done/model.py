"""Never says that it is done."""

import time

import numpy as np


class Model:
    calls = 0

    def __init__(self, metadata):
        self.outputs = metadata.get_output_size()

    def train(self, dataset, remaining_time_budget=None):
        self.calls += 1
        time.sleep(0.1)

    def test(self, dataset, remaining_time_budget=None):
        return np.zeros((sum(1 for _ in dataset), self.outputs))
