"""Uses the feed as submissions do: mapped, batched and iterated by TensorFlow. Based on the class that is lent."""

import algorithm
import numpy as np
import tensorflow as tf


class Model(algorithm.Algorithm):
    def __init__(self, metadata):
        super().__init__(metadata)
        self.outputs = self.metadata_.get_output_size()
        self.rows = self.metadata_.get_matrix_size()[0]

    def train(self, dataset, remaining_time_budget=None):
        means = dataset.map(lambda example, labels: (tf.reduce_mean(example, axis=[0, 1, 2]), labels))
        sums, counts = 0.0, 0.0
        for colours, labels in means.repeat(2).shuffle(64, seed=0).batch(5).prefetch(1):
            sums = sums + tf.linalg.matmul(labels, colours, transpose_a=True).numpy()
            counts = counts + labels.numpy().sum(axis=0)
        self.means = sums / np.maximum(counts, 1)[:, None]
        self.done_training = True

    def test(self, dataset, remaining_time_budget=None):
        colours = [example.numpy().mean(axis=(0, 1, 2)) for example, _ in dataset]
        distances = ((np.stack(colours)[:, None] - self.means[None]) ** 2).sum(axis=2)
        return tf.nn.softmax(-100 * distances).numpy()
