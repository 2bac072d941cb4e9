"""A good submission: nearest class mean on small pictures, from more samples each time; all feeds, any Python."""

import numpy as np

PIXELS, ROUNDS = 8, 3


def items(dataset):
    return dataset.as_numpy_iterator() if hasattr(dataset, "as_numpy_iterator") else iter(dataset)


def small(example):
    """The first moment at 8 x 8 pixels, flat."""
    picture = np.asarray(example)[0]
    rows, columns = (np.arange(PIXELS) * side // PIXELS for side in picture.shape[:2])
    return picture[rows][:, columns].ravel()


class Model:
    def __init__(self, metadata):
        self.done_training = False
        self.size, self.outputs = metadata.size(), metadata.get_output_size()
        self.round, self.means, self.pictures = 0, None, None

    def train(self, dataset, remaining_time_budget=None):
        self.round += 1
        wanted = self.size * self.round // ROUNDS
        sums, counts = 0.0, np.zeros(self.outputs)
        for number, (example, labels) in enumerate(items(dataset)):
            if number >= wanted:
                break
            sums = sums + labels[:, None] * small(example)[None]
            counts += labels
        self.means = sums / np.maximum(counts, 1)[:, None]
        self.done_training = self.round == ROUNDS

    def test(self, dataset, remaining_time_budget=None):
        if self.pictures is None:
            self.pictures = np.stack([small(example) for example, _ in items(dataset)])
        distances = ((self.pictures[:, None] - self.means[None]) ** 2).sum(axis=2)
        likely = np.exp(distances.min(axis=1, keepdims=True) - distances)
        return likely / likely.sum(axis=1, keepdims=True)
