"""The samples of a challenge task as a submission sees them: float32 (T, H, W, C) with labels float32 (classes).

For the runner beside this file; runs in any Python from 3.6 on with numpy (and Pillow, where samples are images
in files). A split is iterated again and again, and reads its files anew each time, as the official feed does.
"""

import io
import os
import random
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headstart.challenge import submission_folder as folders
    from headstart.challenge import submission_metadata as metadata
    from headstart.challenge import submission_records as files

    Floats = NDArray[np.float32]
else:
    import submission_folder as folders
    import submission_metadata as metadata
    import submission_records as files


class RecordSplit:
    """A split in the challenge's own form. metadata: its `Metadata`; shards: its files in their order."""

    def __init__(self, folder: str) -> None:
        self.metadata = metadata.read(folder)
        self.shards = files.shards(folder)
        if not self.shards:
            raise files.Broken(f"{folder} holds no file of records (sample*)")
        if self.metadata.is_sparse():
            raise files.Broken(f"{folder} holds text or a table: only images and videos are played here")
        fixed = min(self.metadata.get_matrix_size()) > 0
        if not self.metadata.is_compressed() and not fixed:
            raise files.Broken(f"{folder}: dense samples whose size is not told")

    def __len__(self) -> int:
        return self.metadata.size()

    def __iter__(self) -> "Iterator[tuple[Floats, Floats]]":
        for path in self.shards:
            for record in files.records(path):
                index, score, images, numbers = files.parse(record)
                labels = np.zeros(self.metadata.get_output_size(), np.float32)
                labels[index] = score
                yield self._example(images, numbers), labels

    def _example(self, images: "list[bytes]", numbers: "list[Floats]") -> "Floats":
        rows, columns, channels = self.metadata.get_tensor_size()
        if not self.metadata.is_compressed():
            return np.concatenate(numbers).reshape(-1, rows, columns, channels)
        return np.stack([folders.decoded(io.BytesIO(image), channels) for image in images])


class FolderSplit:
    """Files in folders, told to the submission as compressed samples of varying size.

    paths: of the samples in their order; targets: columns of each one's classes. video: whether samples are
    clips (folders of frames, animated pictures, films).
    """

    def __init__(self, about: "metadata.Metadata", paths: "list[str]", targets: Any, video: bool) -> None:
        self.metadata, self.paths, self.targets, self.video = about, paths, targets, video
        about.sequence_size = -1 if video else 1

    def __len__(self) -> int:
        return len(self.paths)

    def __iter__(self) -> "Iterator[tuple[Floats, Floats]]":
        for number in range(len(self.paths)):
            yield self.example(number), self.labels(number)

    def labels(self, number: int) -> "Floats":
        """1 in the columns of the sample's classes."""
        labels = np.zeros(self.metadata.get_output_size(), np.float32)
        labels[list(self.targets[number])] = 1
        return labels

    def example(self, number: int) -> "Floats":
        """The sample, (T, H, W, 3) in 0 to 1; a small black picture where the file cannot be read."""
        path = self.paths[int(number)]
        try:
            return folders.clip(path) if self.video else folders.decoded(path, 3)[None]
        except folders.NoReader:
            raise
        except Exception as error:  # whatever a decoder throws; a test sample must keep its row
            print(f"runner: {path} cannot be read ({error}): black instead", file=sys.stderr)
            return np.zeros((1, 32, 32, 3), np.float32)


def open_task(public: str, task: "dict[str, Any]", scratch: str, seed: int) -> "tuple[Any, Any]":
    """The training and the test split of a task. scratch: a folder for metadata files of tasks in folders.

    Raises Broken where something is missing.
    """
    if task["form"] == "autodl":
        names = [name for name in sorted(os.listdir(public)) if name.lower().endswith(".data")]
        if len(names) != 1:
            raise files.Broken(f"{public} must hold one folder NAME.data, but holds {len(names)}")
        inside = os.path.join(public, names[0])
        return RecordSplit(os.path.join(inside, "train")), RecordSplit(os.path.join(inside, "test"))
    classes, video = task["classes"], task["kind"] == "video"
    listed = folders.labelled(os.path.join(public, "train"), classes, video)
    # Class by class is no order to learn from: donors' records come mixed, too.
    random.Random(seed).shuffle(listed)
    tests = [os.path.join(public, "test", name) for name in task["test"]]
    columns = {name: column for column, name in enumerate(classes)}
    about = []
    for split, count in (("train", len(listed)), ("test", len(tests))):
        folder = os.path.join(scratch, "{}.data".format(task["name"]), split)
        about.append(metadata.Metadata(folder, count, columns, len(classes)))
        os.makedirs(folder)
    train = FolderSplit(about[0], [path for path, _ in listed], [found for _, found in listed], video)
    test = FolderSplit(about[1], tests, [()] * len(tests), video)
    for one in about:
        with open(os.path.join(one.get_dataset_name(), metadata.FILE), "w") as file:
            file.write(one.text())
    return train, test
