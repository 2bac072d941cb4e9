"""Its second prediction holds NaN, the third infinity, and then it stops."""

import numpy as np


class Model:
    done_training = False
    calls = 0

    def __init__(self, metadata):
        self.outputs = metadata.get_output_size()

    def train(self, dataset, remaining_time_budget=None):
        self.calls += 1

    def test(self, dataset, remaining_time_budget=None):
        if self.calls == 4:
            return None
        found = np.zeros((sum(1 for _ in dataset), self.outputs))
        found[0] = (0, np.nan, np.inf)[self.calls - 1]
        return found
