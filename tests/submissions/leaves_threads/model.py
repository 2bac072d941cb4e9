"""Is done after one prediction, but a thread of its goes on."""

import threading
import time

import numpy as np


class Model:
    done_training = False
    calls = 0

    def __init__(self, metadata):
        self.outputs = metadata.get_output_size()

    def train(self, dataset, remaining_time_budget=None):
        self.calls += 1
        threading.Thread(target=time.sleep, args=(60,)).start()
        self.done_training = True

    def test(self, dataset, remaining_time_budget=None):
        return np.zeros((sum(1 for _ in dataset), self.outputs))
