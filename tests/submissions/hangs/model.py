"""Does not come back from its second train."""

import time

import numpy as np


class Model:
    done_training = False
    calls = 0

    def __init__(self, metadata):
        self.outputs = metadata.get_output_size()

    def train(self, dataset, remaining_time_budget=None):
        self.calls += 1
        while self.calls == 2:
            time.sleep(60)

    def test(self, dataset, remaining_time_budget=None):
        return np.zeros((sum(1 for _ in dataset), self.outputs))
