"""Damaged datasets of the AutoDL form. One file holds all of one: metadata, solution, records of train and test.

Half of the damaged ones get right checksums again: else a reader would see nothing beyond the first of them.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import struct
import tempfile
import unicodedata
import zlib
from pathlib import Path

import numpy as np

from benchmarks.faults.seeds import Seeds, picture
from headstart.data.autodl.crc32c import masked
from headstart.data.autodl.dataset import AutoDL, open_dataset
from headstart.data.autodl.writer import Sample, write_dataset
from headstart.data.frames import Clip
from headstart.errors import BadDataset
from headstart.words.task import Skipped

CUT = b"\n%%%%\n"
TOKENS = (
    b"0_compressed",
    b"0_dense_input",
    b"label_index",
    b"label_score",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    b"\x0a",
    b"\x12",
    b"\x1a",
    b"matrix_spec {",
    b"output_dim: 99999999",
    b"row_count: -1",
    b"format: DENSE",
    b"'",
    b"{",
    b"1 0 ",
    CUT,
)
# Records first, for half of all damage goes to the first bytes of a file.
_PARTS = (
    "train/sample-x",
    "test/sample-x",
    "x.solution",
    "test/metadata.textproto",
    "train/metadata.textproto",
)
_PIXELS, _FRAMES = 16, 3


def _coded(form: str, phase: float, width: int = 24, height: int = 20) -> bytes:
    file = io.BytesIO()
    picture(width, height, phase).save(file, form)
    return file.getvalue()


def seeds() -> Seeds:
    """Whole datasets: PNG of one size, JPEG of any, dense pictures, clips of both sorts, several labels."""
    kinds = {
        "png": [Sample([_coded("PNG", n / 9)], [n % 2], (24, 20)) for n in range(6)],
        "jpeg": [Sample([_coded("JPEG", n / 9, 20 + n)], [n % 2], (20 + n, 20)) for n in range(6)],
        "dense": [Sample(np.full((1, 4, 5, 3), n / 6, np.float32), [n % 2]) for n in range(6)],
        "clips": [
            Sample([_coded("PNG", t / 9, 8, 8) for t in range(1 + n)], [n % 2], (8, 8)) for n in range(5)
        ],
        "dense clips": [Sample(np.full((4, 3, 3, 1), 40.0 * n, np.float32), [n % 2]) for n in range(5)],
        "several": [Sample([_coded("PNG", n / 9, 8, 8)], list(range(n % 3)), (8, 8)) for n in range(6)],
    }
    return {name: _packed(samples) for name, samples in kinds.items()}


def _packed(samples: list[Sample]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "x.data"
        write_dataset(str(data), {"cat": 0, "dog's": 1}, samples, samples[:3])
        (test,), (train,) = (data / "test").glob("sample*"), (data / "train").glob("sample*")
        about = [data / "test" / "metadata.textproto", data / "train" / "metadata.textproto"]
        return CUT.join(path.read_bytes() for path in (train, test, Path(folder) / "x.solution", *about))


def _unpacked(content: bytes, folder: Path) -> Path:
    """The dataset in the bytes, as files; parts that are missing are empty."""
    mend = zlib.crc32(content) & 1
    parts = content.split(CUT, len(_PARTS) - 1)
    for number, name in enumerate(_PARTS):
        place = folder / name if name.endswith("solution") else folder / "x.data" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        part = parts[number] if number < len(parts) else b""
        place.write_bytes(_with_checksums(part) if mend and "sample" in name else part)
    return folder / "x.data"


def _with_checksums(data: bytes) -> bytes:
    fixed, at = bytearray(data), 0
    while at + 16 <= len(fixed):
        (length,) = struct.unpack_from("<Q", fixed, at)
        if at + 16 + length > len(fixed):
            break
        struct.pack_into("<I", fixed, at + 8, masked(bytes(fixed[at : at + 8])))
        struct.pack_into("<I", fixed, at + 12 + length, masked(bytes(fixed[at + 12 : at + 12 + length])))
        at += 16 + length
    return bytes(fixed)


def check(path: str) -> str:
    """`open_dataset` gives samples that are squares, clips or reasons; or raises the sentence that a user reads."""
    from benchmarks.faults.targets import Wrong

    folder = Path(path).parent / "dataset"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    data = _unpacked(Path(path).read_bytes(), folder)
    strict = ""
    try:
        open_dataset(data)
    except BadDataset as error:
        strict = _sentence(error)
    try:
        opened = open_dataset(data, corrupt="skip")
        found = _looked_through(opened)
    except BadDataset as error:
        if not strict:
            raise Wrong("skipping raises where raising does not") from error
        return f"skipped: {_sentence(error)}"
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return "pixels" if found else "skipped: no sample can be read"


def _sentence(error: BadDataset) -> str:
    from benchmarks.faults.targets import Wrong

    text = str(error)
    if not text or len(text) > 2000 or any(unicodedata.category(c) == "Cc" for c in text):
        raise Wrong(f"a sentence that nobody can read: {text!r:.100}")
    text = re.sub(r"'[^']*'|[-0-9.]+", "_", text.replace(os.sep, "/"))
    return text[:50]


def _looked_through(opened: AutoDL) -> int:
    """Looks at every sample; returns how many gave pixels."""
    from benchmarks.faults.targets import Wrong, outcome

    task, pixels = opened.task, 0
    targets, shape = task.train.targets, (len(task.train), len(task.classes))
    if targets is None or targets.shape != (shape if task.labels == "multi" else shape[:1]):
        raise Wrong("targets that do not fit the samples")
    if len(set(task.classes)) != shape[1] or int(targets.max(initial=0)) >= max(shape[1], 2):
        raise Wrong("classes that do not fit the targets")
    for name in [*task.train.paths, *(task.test.paths if task.test else ())]:
        square, clip, size = opened(name, _PIXELS), opened(name, _PIXELS, _FRAMES), opened.size(name)
        outcome(size)
        if isinstance(square, Skipped) or isinstance(clip, Skipped):
            outcome(square)
            outcome(clip)
            continue
        if not isinstance(square, np.ndarray) or square.shape != (_PIXELS, _PIXELS, 3):
            raise Wrong("a square that is none")
        if not isinstance(clip, Clip) or not 1 <= len(clip.frames) <= _FRAMES or clip.after.dtype != np.uint8:
            raise Wrong("a clip that is none")
        pixels += 1
    for split in ("train", "test"):
        for one in opened.check(split):
            outcome(one)
    try:
        solution = opened.solution()
    except BadDataset as error:
        _sentence(error)
        solution = None
    if solution is not None and (task.test is None or solution.shape != (len(task.test), shape[1])):
        raise Wrong("a solution that does not fit the test split")
    return pixels
