"""Features behind benchmarks/recognition.py: every set, by every encoder, computed once and kept in a folder.

Encoders: `lite0` (the inner layer that a run uses), `pixels` (16 x 16 means), `random` (lite0 with the numbers of
each weight array shuffled), `vae` (trained on the training parts), `vae0` (the same network, not trained: batch
normalisation has seen the training parts and nothing else has).
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from headstart.backbones.session import open_session
from headstart.backbones.table import read_weights
from headstart.data import images, videos
from headstart.data.order import balanced, balanced_multi
from headstart.data.scan import scan
from headstart.meta.fingerprint import from_block
from headstart.store import tensors
from headstart.words.task import Samples, Skipped, Task

TRAIN, TEST = 256, 400  # at most so many samples of each part
PIXELS, SMALL = 64, 32
Encoder = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


def pictures(data: Path, work: Path) -> list[str]:
    """Squares of 64 px of every set in the folder: work/pictures/NAME.safetensors, train and test. The names."""
    names = sorted(
        path.name for path in data.iterdir() if (path / "train").is_dir() and (path / "test").is_dir()
    )
    for name in names:
        path = work / "pictures" / f"{name}.safetensors"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            tensors.save(path, {part: _squares(data / name / part) for part in ("train", "test")})
            print(f"{name}: pictures, {time.process_time():.0f} CPU-s", file=sys.stderr)
    return names


def _squares(folder: Path) -> NDArray[np.uint8]:
    """uint8 [n, 64, 64, 3]; the training part balanced over classes, the test part without a look at its labels."""
    task = scan(folder)
    rng, count = np.random.default_rng(0), len(task.train)
    order = _balanced(task) if folder.name == "train" else rng.permutation(count)
    most = TRAIN if folder.name == "train" else TEST
    read = images.decode if task.kind == "image" else videos.poster
    found = (read(_path(task.train, row), PIXELS) for row in order.tolist())
    usable = [square for square, _ in zip((s for s in found if not isinstance(s, Skipped)), range(most))]  # noqa: B905
    return np.stack(usable)


def _balanced(task: Task) -> NDArray[np.int64]:
    if task.labels == "multi":
        return balanced_multi(task.indicator(), 0)
    return balanced(np.asarray(task.train.targets, np.int32), len(task.classes), 0)


def _path(samples: Samples, row: int) -> str:
    return os.path.join(samples.root, samples.paths[row])


def features(
    names: list[str], work: Path, vae_seconds: float
) -> dict[str, dict[str, dict[str, NDArray[np.float32]]]]:
    """By encoder, set and part: float32 [n, d]."""
    made: dict[str, dict[str, dict[str, NDArray[np.float32]]]] = {}
    for encoder in ("lite0", "pixels", "random", "vae0", "vae"):
        made[encoder], function = {}, None
        for name in names:
            path = work / encoder / f"{name}.safetensors"
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                function = function or _encoder(encoder, names, work, vae_seconds)
                squares, _ = tensors.load(work / "pictures" / path.name)
                tensors.save(path, {part: _encoded(function, squares[part]) for part in ("train", "test")})
            made[encoder][name] = tensors.load(path)[0]
        print(f"{encoder}: features, {time.process_time():.0f} CPU-s", file=sys.stderr)
    return made


def _encoded(function: Encoder, squares: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.concatenate([function(squares[start : start + 32]) for start in range(0, len(squares), 32)])


def _encoder(name: str, names: list[str], work: Path, vae_seconds: float) -> Encoder:
    if name == "lite0":
        session = open_session("lite0_cut", "fp32")
        return lambda squares: from_block(session(squares)["d10"])
    if name == "pixels":
        plain = open_session("pixels", "fp32")
        return lambda squares: plain(squares)["rgb16"]
    if name == "random":
        return _shuffled_lite0()
    vae = _vae(name == "vae", names, work, vae_seconds)
    return lambda squares: vae.latents(_small(squares))


def _shuffled_lite0() -> Encoder:
    """The same network without what it learnt: in each array of weights the numbers change places."""
    import onnx
    import onnxruntime
    from onnx import numpy_helper

    model, rng = onnx.load_from_string(read_weights("lite0_cut", "fp32")), np.random.default_rng(0)
    for array in model.graph.initializer:
        values = numpy_helper.to_array(array)
        if values.dtype.kind == "f" and values.size > 3:  # not the colours' normalisation
            array.CopyFrom(
                numpy_helper.from_array(rng.permuted(values.ravel()).reshape(values.shape), array.name)
            )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return lambda squares: from_block(session.run(["d10"], {"image": squares})[0])


def _small(squares: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """64 px to 32 px by means over 2 x 2."""
    n = len(squares)
    sums = squares.reshape(n, SMALL, 2, SMALL, 2, 3).sum(axis=(2, 4), dtype=np.uint16)
    return ((sums + 2) // 4).astype(np.uint8)


def _vae(train: bool, names: list[str], work: Path, seconds: float):  # type: ignore[no-untyped-def]
    """The autoencoder of our size, trained for so many CPU seconds, or only shown the pictures."""
    import torch

    from headstart.meta.autoencoder import SMALL as SIZE
    from headstart.meta.vae import Vae, training

    torch.set_num_threads(1)
    path = work / "vae.safetensors"
    if train and path.exists():
        return Vae.load(path)
    parts = [_small(tensors.load(work / "pictures" / f"{name}.safetensors")[0]["train"]) for name in names]
    vae = Vae(SIZE, seed=0)
    if not train:
        vae.settle(np.concatenate(parts))
        return vae
    # Each set counts the same, as everywhere here: small ones are repeated.
    rng = np.random.default_rng(0)
    squares = np.concatenate([part[rng.integers(len(part), size=TRAIN)] for part in parts])
    began, log = time.process_time(), []
    for told in training(vae, squares, seed=0):
        log.append(told)
        if time.process_time() - began > seconds:
            break
    first, last = np.mean(log[:20], axis=0), np.mean(log[-20:], axis=0)
    note = f"{len(log)} steps of 16 in {seconds:.0f} CPU-s: {first[0]:.2f} to {last[0]:.2f} bits per number"
    (work / "vae.txt").write_text(f"{note}, discrepancy {first[1]:.3f} to {last[1]:.3f}\n")
    print(note, file=sys.stderr)
    vae.save(path)
    return vae
