"""The datasets of the paper's table, made ready: from TensorFlow Datasets, or from a folder that was downloaded."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from PIL import Image

from headstart.challenge.contents import Form, ending, png, size_of
from headstart.challenge.convert import Conversion, convert, to_autodl
from headstart.challenge.labelled import split_off
from headstart.challenge.layouts import task_of
from headstart.challenge.placing import new_folder, place
from headstart.challenge.unpack import safe_names
from headstart.data.autodl.index import OnCorrupt
from headstart.data.autodl.layout import is_autodl
from headstart.data.autodl.writer import Sample, write_dataset
from headstart.data.catalogue import InTfds, Row
from headstart.data.images import decode_bytes
from headstart.errors import BadInput
from headstart.words.task import Skipped

As = Literal["folder", "autodl"]
_TRIED = 16  # pixels at which a file is decoded to see whether it can be
EXTRA = "TensorFlow Datasets is needed: pip install 'headstart[tfds]'"


def prepare(
    row: Row,
    folder: str | os.PathLike[str],
    as_: As = "folder",
    *,
    downloaded: str | os.PathLike[str] | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    corrupt: OnCorrupt = "skip",
    seed: int = 0,
    form: Form | None = None,
) -> Conversion:
    """Write a dataset to `folder/NAME` (a folder of ours) or `folder/NAME.data` (the AutoDL form).

    downloaded: a folder into which it was downloaded by hand, in its own layout (challenge/layouts.py), class
    folders, a list, or AutoDL; without it, TensorFlow Datasets downloads it to `data_dir` (its own default).
    seed: of a test split where there is none. Raises BadInput: one sentence with the way out.
    """
    above = os.fspath(folder)
    target = os.path.join(above, row.key + (".data" if as_ == "autodl" else ""))
    if downloaded is None and row.tfds is None:
        raise BadInput(_by_hand(row))
    if os.path.lexists(target):
        raise BadInput(f"{target!r} exists: give another folder, or remove it first.")
    os.makedirs(above, exist_ok=True)
    if downloaded is None:
        assert row.tfds is not None
        return _Tfds(row, row.tfds, None if data_dir is None else os.fspath(data_dir), seed).write(
            target, as_
        )
    given = os.fspath(downloaded)
    if is_autodl(given):
        if as_ == "autodl":
            raise BadInput(f"{given!r} is in the AutoDL form already: use it as it is.")
        return convert(given, target, "folder", corrupt=corrupt)
    task = task_of(row, given)
    if task.test is None:
        task = split_off(task, row.test / (row.train + row.test), seed)
    if as_ == "autodl":
        return to_autodl(task, target, corrupt=corrupt, seed=seed, form=form)
    place(task, target)
    assert task.test is not None
    return Conversion(
        given, target, "folder", task.kind, task.labels, len(task.classes), len(task.train), len(task.test),
        task.test.targets is not None, task.skipped, task.notes,
    )  # fmt: skip


def _by_hand(row: Row) -> str:
    where = {
        "AutoDL": "from the AutoDL challenge's own site",
        "inet": "from its authors' site",
        "own": "by the links in its list (the paper's part of it is not published)",
    }[row.source]
    return f"{row.name} is not in TensorFlow Datasets: download it {where} and give its folder with --from."


@dataclass(frozen=True)
class _Tfds:
    """A dataset of TensorFlow Datasets, read through its data sources: numpy and array_record, no TensorFlow."""

    row: Row
    about: InTfds
    data_dir: str | None
    seed: int

    def write(self, target: str, as_: As) -> Conversion:
        """Read all samples and write them. Raises BadInput."""
        sources, classes = self._opened()
        parts = self._parts(sources)
        skipped: list[Skipped] = []
        notes = [f"TensorFlow Datasets: {self.about.name}"]
        if self.about.test is None:
            notes.append(
                f"the test split was drawn at random (seed {self.seed}); the paper's is not published"
            )
        split = {name: self._samples(sources[of], places, skipped) for name, (of, places) in parts.items()}
        if as_ == "autodl":
            columns = {name: place for place, name in enumerate(classes)}
            train, test = write_dataset(target, columns, split["train"], split["test"])
        else:
            train, test = _write_files(target, classes, split)
        return Conversion(
            self.about.name, target, as_, "image", "single", len(classes), train, test, True,
            tuple(skipped), tuple(notes),
        )  # fmt: skip

    def _opened(self) -> tuple[dict[str, Any], list[str]]:
        """The data source of each split, and the names of the classes."""
        try:
            import tensorflow_datasets as tfds  # type: ignore[import-not-found,unused-ignore]
        except ImportError as error:
            raise BadInput(f"{EXTRA} (or give a downloaded folder with --from).") from error
        try:
            builder = tfds.builder(self.about.name, data_dir=self.data_dir, file_format="array_record")
            builder.download_and_prepare()
            wanted = [self.about.train, *([self.about.test] if self.about.test else [])]
            raw = {self.about.image: tfds.decode.SkipDecoding()}  # the bytes of the files as they are stored
            sources = {one: builder.as_data_source(one, decoders=raw) for one in wanted}
            return sources, list(builder.info.features[self.about.label].names)
        except Exception as error:  # whatever a network, a disk or a changed site does
            if "tensorflow" in str(error) and isinstance(error, ImportError):
                raise BadInput(
                    f"{self.about.name} is not prepared in the format array_record, and preparing it needs TensorFlow "
                    "(reading it does not): pip install tensorflow, or give a downloaded folder with --from."
                ) from error
            first = (str(error).strip() or type(error).__name__).splitlines()[0][:150]
            raise BadInput(
                f"TensorFlow Datasets could not prepare {self.about.name} ({first}): connect this machine to the "
                "network, or download the data by hand and give their folder with --from."
            ) from error

    def _parts(self, sources: dict[str, Any]) -> dict[str, tuple[str, Sequence[int]]]:
        """For train and test, of which source they are and which of its samples."""
        train = self.about.train
        count = len(sources[train])
        if self.about.test is not None:
            return {
                "train": (train, range(count)),
                "test": (self.about.test, range(len(sources[self.about.test]))),
            }
        share = self.row.test / (self.row.train + self.row.test)
        order = np.random.default_rng(self.seed).permutation(count)
        held = max(1, round(share * count))
        return {
            "train": (train, np.sort(order[held:]).tolist()),
            "test": (train, np.sort(order[:held]).tolist()),
        }

    def _samples(self, source: Any, places: Sequence[int], skipped: list[Skipped]) -> Iterator[Sample]:
        for number in places:
            entry = source[number]
            data = self._bytes(entry[self.about.image])
            tried = decode_bytes(f"{self.about.name} {number}", data, _TRIED)
            if isinstance(tried, Skipped):
                skipped.append(tried)
            else:
                yield Sample([data], [int(entry[self.about.label])], size_of(data))

    def _bytes(self, image: Any) -> bytes:
        """An image as the bytes of a file; one whose white is not 255 is written anew."""
        if self.about.white != 255 and not isinstance(image, np.ndarray):
            with Image.open(io.BytesIO(image)) as picture:
                values = np.asarray(picture)
                image = values[:, :, None] if values.ndim == 2 else values
        if isinstance(image, np.ndarray):
            return png(image * np.uint8(255 // self.about.white))
        return bytes(image)


def _write_files(target: str, classes: Sequence[str], split: dict[str, Iterator[Sample]]) -> tuple[int, int]:
    """Class folders in `train/` and `test/`; returns how many samples each has."""
    counts = []
    folders = safe_names(classes)
    with new_folder(target) as folder:
        for name, samples in split.items():
            count = 0
            for count, sample in enumerate(samples, 1):
                inside = os.path.join(folder, name, folders[sample.labels[0]])
                os.makedirs(inside, exist_ok=True)
                data = bytes(sample.content[0])
                with open(os.path.join(inside, f"{count - 1:06d}.{ending(data)}"), "wb") as file:
                    file.write(data)
            counts.append(count)
    return counts[0], counts[1]
