"""Networks on disk, in the cache of a run: those that are done, and how far the one in training was when saved."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from headstart.errors import BadModel, HeadstartError
from headstart.heads.kernel import Matrix
from headstart.store import tensors as safetensors
from headstart.words.recipe import Recipe

State = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Kept:
    """The best copy of a network: its weights, and what it says.

    held_out: logits float32 [k, classes] of the training samples that it does not see; test: of all test samples.
    loss: mean log loss on the former.
    """

    weights: State
    held_out: Matrix
    test: Matrix
    loss: float


class Keeping:
    """Files in `folder`, told apart by what the network is trained on and how. All may be deleted at any time."""

    def __init__(self, folder: Path, mark: str, seed: int) -> None:
        """mark: of the training and test samples and their folds."""
        self._folder, self._mark, self._seed = folder, mark, seed

    def finished(self, recipe: Recipe, fold: int) -> Kept | None:
        """A network that an earlier run trained to the end."""
        found = self._read(self._path(recipe, fold, "done"))
        if found is None:
            return None
        tensors, about = found
        weights = {
            key.removeprefix("weights/"): value
            for key, value in tensors.items()
            if key.startswith("weights/")
        }
        return Kept(weights, tensors["held_out"], tensors["test"], float(about["loss"]))

    def finish(self, recipe: Recipe, fold: int, kept: Kept) -> None:
        """Keep a network that is done. Raises DiskFull."""
        tensors = {f"weights/{key}": value for key, value in kept.weights.items()}
        tensors |= {"held_out": kept.held_out, "test": kept.test}
        self._write(self._path(recipe, fold, "done"), tensors, {"loss": kept.loss})
        self._path(recipe, fold, "begun").unlink(missing_ok=True)

    def begun(self, recipe: Recipe, fold: int) -> tuple[State, dict[str, Any]] | None:
        """What `Trainer.restore` takes, of a training that was cut short."""
        return self._read(self._path(recipe, fold, "begun"))

    def begin(self, recipe: Recipe, fold: int, state: tuple[State, Mapping[str, Any]]) -> None:
        """Keep what `Trainer.state` gave. Raises DiskFull."""
        self._write(self._path(recipe, fold, "begun"), *state)

    def forget(self, recipe: Recipe, fold: int) -> None:
        """Of a state that no longer fits."""
        self._path(recipe, fold, "begun").unlink(missing_ok=True)

    def _path(self, recipe: Recipe, fold: int, state: str) -> Path:
        told = json.dumps([dataclasses.asdict(recipe), fold, self._seed, self._mark], sort_keys=True)
        return self._folder / f"network-{hashlib.sha256(told.encode()).hexdigest()[:16]}.{state}"

    def _write(self, path: Path, tensors: State, about: Mapping[str, Any]) -> None:
        safetensors.save(path, tensors, {"about": json.dumps(about)})

    def _read(self, path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]] | None:
        """None where there is none, or it is damaged: then the network is trained anew."""
        if not path.is_file():
            return None
        with suppress(BadModel, HeadstartError, ValueError, KeyError):
            tensors, metadata = safetensors.load(path)
            return tensors, json.loads(metadata["about"])
        return None
