"""Training a network by gradient, one step at a time, so that the caller decides after each how its time goes on."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from headstart.errors import BadModel
from headstart.transfer.augment import MAPS, PIXELS, augmented, mixed
from headstart.transfer.batches import Activations, Ahead, Order, Pixels, Rows, changes
from headstart.transfer.device import Device
from headstart.transfer.losses import Labels, Loss, balance
from headstart.transfer.optimisers import Average, optimiser, parameters, rate, set_rate
from headstart.transfer.training_state import Weights, arrays, copied, moments, put, read, remember
from headstart.words.recipe import Recipe

CACHE_BYTES = 1 << 30
_AT_ONCE = 64  # frames in one slice of a prediction
_SAVE_EVERY = 50  # steps between two copies to go back to
_GOOD, _LOST = 2.0, 20.0  # times the loss of knowing nothing: weights worth a copy; training has gone astray
_SLOWER = 0.3  # factor of the rate after that
_RECENT = 0.9  # decay per step of the mean loss
Logits = NDArray[np.float32]
_PLAIN = ("steps", "relapses", "epochs")
State = tuple[dict[str, NDArray[Any]], dict[str, Any]]


class Trainer:
    """Trains `module` by `recipe`, in the caller's thread, step by step.

    What is drawn at random follows from `seed` and the number of the step; a trainer that is restored from `state`
    goes on to the last bit as if it had never stopped, on the same machine. A loss that is not a number, or runs
    away, puts the last good weights back and lowers the rate; it never ends in an error.
    """

    def __init__(
        self,
        module: torch.nn.Module,
        recipe: Recipe,
        classes: int,
        labels: Labels,
        pixels: NDArray[np.uint8],
        targets: NDArray[Any],
        rows: NDArray[np.int64],
        seed: int = 0,
        device: Device | None = None,
        *,
        epochs: float = 0.0,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        """module: uint8 or float32 pixels from 0 to 255, [b, h, w, 3] or [b, m, h, w, 3], to logits [b, classes].

        It is trained in place, and moved to the device. If the recipe says how many `blocks` are trained, it must
        have `train_last`, `bottom` and `top` as `Classifier` has.
        pixels: uint8 [n, h, w, 3] or [n, pool, h, w, 3], with as many frames of a clip as the recipe takes, or more.
        targets: int [k] or uint8 [k, classes] of the first k <= n samples. rows: which of these are trained on.
        epochs: an end of training for the schedule, where the recipe has none. cache_bytes: for activations.
        Raises ValueError where `rows` is empty, or the module has no blocks and the recipe names some.
        """
        self.recipe, self.device, self.seed = recipe, device or Device("cpu"), seed
        self.epochs = float(recipe.epochs or epochs)
        self.steps, self.relapses, self.loss = 0, 0, float("nan")
        self._factor, self._classes = 1.0, classes
        self.module = self.device.placed(module)
        self._limit(recipe)
        self._order = Order(rows, recipe.batch, seed)
        self._pixels = Pixels(pixels, recipe.frames, recipe.selection, seed)
        self._activations = self._cache(cache_bytes)
        self._batches = Ahead(self._batch, self.device.ahead)
        self._targets = self.device.upload(targets.astype(np.int64 if labels == "single" else np.float32))
        self._loss = self._criterion(labels, classes, targets[rows])
        self._optimiser = optimiser(recipe, self.module)
        self._moved = parameters(self._optimiser)
        self._average = Average(self.module, self._moved) if recipe.averaging else None
        self._good = self._copies()
        self._best: Weights | None = None

    def _criterion(self, labels: Labels, classes: int, targets: NDArray[Any]) -> Loss:
        weights = self.device.upload(balance(labels, targets, classes)) if self.recipe.balanced else None
        return Loss(labels, classes, self.recipe.smoothing, weights)

    def _limit(self, recipe: Recipe) -> None:
        if recipe.blocks is not None:
            if not hasattr(self.module, "train_last"):
                raise ValueError("this module has no blocks, so that none of them can be left untrained")
            train_last: Any = self.module.train_last
            train_last(recipe.blocks)
        for layer in self.module.modules():
            if isinstance(layer, torch.nn.modules.batchnorm._BatchNorm):
                layer.momentum = recipe.norm_momentum

    def _cache(self, limit: int) -> Activations | None:
        """Only what never changes can be cached: a frozen bottom, the same pixels in each step."""
        frozen = any(not p.requires_grad for p in self.module.parameters())
        if not frozen or self.recipe.augmentation != "none" or self._pixels.drawn:
            return None
        bottom: Any = getattr(self.module, "bottom", None)
        return Activations(self._pixels, bottom, self.device, limit) if bottom else None

    @property
    def epoch(self) -> float:
        """Passes over the training samples so far."""
        return self._order.epoch(self.steps)

    @property
    def done(self) -> bool:
        """Whether the recipe's last pass is over; never, where the recipe has no end."""
        return 0 < self.recipe.epochs <= self.epoch

    @property
    def cached_bytes(self) -> int:
        """Of the memory set aside for activations."""
        return self._activations.nbytes if self._activations else 0

    def step(self) -> int:
        """One step of the optimiser. Returns the number of samples in it."""
        if not self.module.training:
            self.module.train()
        x, targets, share = self._batches.at(self.steps)
        with self.device.seeded((self.seed * 1_000_003 + self.steps) % (1 << 62)):
            with self.device.mixed():
                logits = self._forward(x)
            loss = self._loss(logits, targets, share)
            if self.steps % self.device.check_every or self._sound(float(loss.detach())):
                self._move(loss)
            else:
                self._go_back()
        self.steps += 1
        self._batches.prepare(self.steps)
        return len(targets)

    def _batch(self, step: int) -> tuple[torch.Tensor, torch.Tensor, float]:
        """Input of a step, its targets, and the share of each sample that is its own."""
        rows = self._order.at(step)
        targets = self._targets[self.device.upload(rows)]
        recipe, rng = self.recipe, changes(self.seed, step)
        if self._activations is not None:
            x = self._activations.at(rows)
            x, share = mixed(x, recipe.mixing, rng, MAPS if x.ndim >= 4 else None)
            return x, targets, share
        x = augmented(self.device.upload(self._pixels.training(rows, step)), recipe.augmentation, rng)
        x, share = mixed(x, recipe.mixing, rng, PIXELS)
        return x, targets, share

    def _forward(self, x: torch.Tensor) -> torch.Tensor:
        module: Any = self.module
        out: torch.Tensor = module(x) if self._activations is None else module.top(x)
        return out

    def _move(self, loss: torch.Tensor) -> None:
        now = rate(self.recipe, self.epoch, self.epochs)
        set_rate(self._optimiser, self.recipe.rate * self._factor * now)
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimiser.step()
        if self._average is not None:
            # the first steps count for little: the average starts from weights that know nothing
            self._average.follow(min(self.recipe.averaging, (1 + self.steps) / (10 + self.steps)))

    def _sound(self, loss: float) -> bool:
        """Whether the weights that gave this loss are worth going on from; now and then they are copied."""
        if not loss < _LOST * self._loss.chance:  # also what is not a number
            return False
        self.loss = loss if np.isnan(self.loss) else _RECENT * self.loss + (1 - _RECENT) * loss
        if self.steps and self.steps % _SAVE_EVERY == 0 and self.loss < _GOOD * self._loss.chance:
            self._good = self._copies()
        return True

    def _go_back(self) -> None:
        """To the last good weights, more slowly from there on, the optimiser's memory lost."""
        self.relapses += 1
        self._factor *= _SLOWER
        for module, weights in zip(self._modules(), self._good, strict=True):
            put(module, weights)
        self._optimiser.state.clear()
        self.loss = float("nan")

    def _modules(self) -> list[torch.nn.Module]:
        return [self.module] if self._average is None else [self.module, self._average.module]

    def _copies(self) -> list[Weights]:
        return [copied(module) for module in self._modules()]

    @property
    def _predictor(self) -> torch.nn.Module:
        return self.module if self._average is None else self._average.module

    def predict(
        self, pixels: NDArray[np.uint8] | None = None, rows: NDArray[np.int64] | None = None
    ) -> Logits:
        """Logits float32 [n, classes] of the present weights; see `predict_batches`."""
        parts = list(self.predict_batches(pixels, rows))
        return np.concatenate(parts) if parts else np.zeros((0, self._classes), np.float32)

    def predict_batches(
        self, pixels: NDArray[np.uint8] | None = None, rows: NDArray[np.int64] | None = None
    ) -> Iterator[Logits]:
        """The same in slices float32 [some, classes], each computed when it is asked for.

        In eval mode, in float32, by the averaged weights where the recipe averages. pixels: as the trainer was given
        (None: those themselves, with the activations that are cached). rows: int64, which of them, in this order
        (None: all). Steps that are made between two slices change the later ones.
        """
        source = self._pixels
        if pixels is not None and pixels is not source.array:
            source = Pixels(pixels, self.recipe.frames, self.recipe.selection, self.seed)
        wanted = np.arange(len(source)) if rows is None else np.asarray(rows, np.int64)
        size = max(1, _AT_ONCE // self.recipe.frames)
        for first in range(0, len(wanted), size):
            some = wanted[first : first + size]
            logits = self._told(source, some)
            if not np.isfinite(logits).all():
                self._go_back()  # the last step broke the weights, and no loss has shown it yet
                logits = np.nan_to_num(self._told(source, some), posinf=0.0, neginf=0.0)
            yield logits

    def _told(self, source: Pixels, rows: Rows) -> Logits:
        module: Any = self._predictor
        if module.training:
            module.eval()
        with torch.no_grad():
            if source is self._pixels and self._activations is not None:
                logits = module.top(self._activations.at(rows))
            else:
                logits = module(self.device.upload(source.still(rows)))
        result: Logits = logits.float().cpu().numpy()
        return result

    def copy(self) -> dict[str, NDArray[Any]]:
        """A true copy of the weights that predict now, under the names of `state_dict`."""
        return arrays("", copied(self._predictor))

    def keep(self) -> None:
        """Take the weights that predict now for the best ones so far."""
        self._best = copied(self._predictor)

    def best(self) -> dict[str, NDArray[Any]] | None:
        """A true copy of the weights that were kept last; None before."""
        return None if self._best is None else arrays("", self._best)

    def finished(self) -> torch.nn.Module:
        """A module of its own with the best weights (without any: the present ones), in eval mode."""
        module = copy.deepcopy(self._predictor).eval()
        if self._best is not None:
            put(module, self._best)
        return module

    def state(self) -> State:
        """All that `restore` needs beside the constructor's arguments: named arrays (copies), and plain JSON."""
        named = arrays("weights", copied(self.module)) | moments(self._optimiser, self._moved)
        if self._average is not None:
            named |= arrays("average", copied(self._average.module))
        for part, weights in zip(("good", "good-average"), self._good, strict=False):
            named |= arrays(part, weights)
        if self._best is not None:
            named |= arrays("best", self._best)
        plain = {key: getattr(self, key) for key in _PLAIN}
        plain["loss"] = None if np.isnan(self.loss) else self.loss
        return named, plain | {"factor": self._factor, "half": self.device.half}

    def restore(self, named: Mapping[str, NDArray[Any]], plain: Mapping[str, Any]) -> None:
        """Go on from what `state` gave to a trainer with the same arguments. Raises BadModel where it does not fit."""
        like = self.module
        found = {part: read(part, named, like) for part in ("weights", "good")}
        if self._average is not None:
            found |= {part: read(part, named, like) for part in ("average", "good-average")}
        try:
            values = {key: type(getattr(self, key))(plain[key]) for key in _PLAIN}
            loss = float("nan") if plain["loss"] is None else float(plain["loss"])
            factor, half = float(plain["factor"]), bool(plain["half"])
        except (KeyError, TypeError, ValueError) as error:
            raise BadModel(f"the stored training is damaged ({error}): delete it to train anew") from error
        remember(self._optimiser, self._moved, named)
        for module, part in zip(self._modules(), ("weights", "average"), strict=False):
            put(module, found[part])
        self._good = [found[part] for part in ("good", "good-average") if part in found]
        self._best = read("best", named, like) if any(key[:5] == "best/" for key in named) else None
        for key, value in values.items():
            setattr(self, key, value)
        self.loss, self._factor, self.device = loss, factor, replace(self.device, half=half)
