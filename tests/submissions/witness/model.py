"""Writes down what it was given, to the file that WITNESS names; tells nothing in its predictions."""

import json
import os
import sys

import numpy as np


def items(dataset):
    if hasattr(dataset, "as_numpy_iterator"):
        return dataset.as_numpy_iterator()
    if hasattr(dataset, "make_one_shot_iterator"):
        return by_session(dataset)
    return iter(dataset)


def by_session(dataset):
    """As submissions of 2019 read the feed, with TensorFlow 1."""
    import tensorflow as tf

    following = dataset.make_one_shot_iterator().get_next()
    with tf.Session() as session:
        while True:
            try:
                yield session.run(following)
            except tf.errors.OutOfRangeError:
                return


class Model:
    done_training = False

    def __init__(self, metadata):
        names = [name for name in dir(metadata) if name.startswith(("get_", "is_")) or name == "size"]
        self.told = {name: getattr(metadata, name)() for name in names}
        # As submissions find out how large the test split is, for nobody tells them.
        path = os.path.join(metadata.get_dataset_name().replace("train", "test"), "metadata.textproto")
        with open(path) as file:
            counts = [line for line in file.read().split("\n")[:3] if "sample_count" in line]
        self.told["test_size"] = int(counts[0].split(":")[1])
        self.told["started"] = os.path.exists(os.path.join(os.environ["WITNESS_OUT"], "started"))
        self.told["lefts"], self.told["tags"] = [], []
        self.found = {}

    def train(self, dataset, remaining_time_budget=None):
        self.told["started_then"] = os.path.exists(os.path.join(os.environ["WITNESS_OUT"], "started"))
        self.told["lefts"].append(remaining_time_budget)
        self.told["feed"] = type(dataset).__module__.split(".")[0]
        self.note("train", dataset)
        self.note("again", dataset)
        self.done_training = len(self.told["lefts"]) == 7

    def test(self, dataset, remaining_time_budget=None):
        self.told["lefts"].append(remaining_time_budget)
        self.rows = self.note("test", dataset)
        self.told["modules"] = sorted(name for name in sys.modules if name.startswith("headstart"))
        self.told["places"] = [place for place in sys.path if place.endswith("challenge")]
        with open(os.environ["WITNESS"], "w") as file:
            json.dump(self.told, file)
        np.savez(os.environ["WITNESS"] + ".npz", **self.found)
        return np.zeros((self.rows, self.told["get_output_size"]))

    def note(self, split, dataset):
        rows = 0
        for rows, (example, labels) in enumerate(items(dataset), 1):
            self.found[f"{split}_{rows - 1}"] = np.asarray(example)
            self.found[f"{split}_{rows - 1}_labels"] = np.asarray(labels)
        return rows
