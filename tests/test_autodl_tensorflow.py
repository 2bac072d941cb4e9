"""TensorFlow reads what we write, and we read what it writes.

Skipped without TensorFlow. It need not be in this interpreter: HEADSTART_TENSORFLOW names one that has it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from autodl_samples import jpeg_dataset, pixels, png, png_dataset, records_of
from headstart.data.autodl.dataset import AutoDL, open_dataset
from headstart.data.autodl.writer import Sample, write_dataset
from headstart.words.task import Skipped

CHILD = Path(__file__).parent / "tensorflow_child.py"
PYTHON = os.environ.get("HEADSTART_TENSORFLOW", sys.executable if find_spec("tensorflow") else "")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PYTHON, reason="no TensorFlow: HEADSTART_TENSORFLOW names an interpreter with it"),
]


def made(folder: Path) -> None:
    folder.mkdir()
    png_dataset(folder)
    jpeg_dataset(folder)
    clips = [Sample([png(100 * n + t) for t in range(1 + n % 3)], [n % 2, 2], (32, 32)) for n in range(6)]
    write_dataset(str(folder / "clips.data"), 3, clips, clips[:2])
    dense = [
        Sample(pixels(n, 300, 200)[None] / np.float32(255), [n % 2]) for n in range(5)
    ]  # many blocks of CRC
    write_dataset(str(folder / "dense.data"), 2, dense, dense[:2])


def checksums(opened: AutoDL, name: str) -> list[str]:
    """As the child makes them; of JPEGs nothing, for decoders may differ in a level."""
    example = opened.example(name)
    if example.numbers:
        steps = [np.concatenate(example.numbers).astype("<f4")]
    else:
        steps = [np.asarray(opened(name, 32))] if opened.kind == "image" else []
    return [hashlib.sha256(np.ascontiguousarray(step).tobytes()).hexdigest() for step in steps]


def test_tensorflow_and_we_read_each_others_records(tmp_path: Path) -> None:
    made(tmp_path / "ours")
    done = subprocess.run(
        [PYTHON, str(CHILD), str(tmp_path)], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    read = json.loads((tmp_path / "read.json").read_text())
    assert len(read) == 8
    for path in (tmp_path / "ours").glob("*"):  # metadata and solutions beside their records
        if path.is_file():
            shutil.copy(path, tmp_path / "theirs")
        for split in ("train", "test"):
            about = path / split / "metadata.textproto"
            if about.is_file():
                shutil.copy(about, tmp_path / "theirs" / path.name / split)
    for name in ("mini", "monkeys", "clips", "dense"):
        ours, theirs = (open_dataset(tmp_path / form / f"{name}.data") for form in ("ours", "theirs"))
        for split in ("train", "test"):
            (records,) = (found for path, found in read.items() if path.startswith(f"{name}.data/{split}/"))
            assert len(records) == len(ours.splits[split].index) == len(theirs.splits[split].index)
            for number, record in enumerate(records):
                sample = f"autodl:{split}:{number:06d}"
                mine, other = ours.example(sample), theirs.example(sample)
                assert mine.labels == other.labels and mine.images == other.images
                for one, two in zip(mine.numbers, other.numbers, strict=True):
                    np.testing.assert_array_equal(one, two)
                assert record["id"] == mine.labels.id
                assert record["labels"] == list(mine.labels.index)
                assert record["scores"] == list(mine.labels.score)
                if name in ("mini", "dense"):
                    assert record["steps"] == checksums(ours, sample)
                elif name == "monkeys":
                    size = ours.size(sample)
                    assert not isinstance(size, Skipped)
                    assert record["shapes"] == [[size[1], size[0], 3]]
                else:
                    assert record["shapes"] == [[32, 32, 3]] * mine.steps


def test_both_frame_records_alike(tmp_path: Path) -> None:
    """The same bytes in, the same file out."""
    made(tmp_path / "ours")
    code = (
        "import sys, tensorflow as tf\n"
        "w = tf.io.TFRecordWriter(sys.argv[2])\n"
        "[w.write(r.numpy()) for r in tf.data.TFRecordDataset([sys.argv[1]])]\n"
        "w.close()"
    )
    path, target = records_of(tmp_path / "ours" / "dense.data"), tmp_path / "again"
    subprocess.run([PYTHON, "-c", code, str(path), str(target)], check=True, capture_output=True, timeout=300)
    assert target.read_bytes() == path.read_bytes()
