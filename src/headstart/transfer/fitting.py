"""One network of a challenger: trained without one fold in small steps, judged on that fold as it goes."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from headstart.errors import BadModel
from headstart.heads.calibration import posteriors, temperature
from headstart.heads.kernel import Matrix
from headstart.heads.ridge import Array
from headstart.learn.joining import losses
from headstart.learn.material import Look, Material
from headstart.transfer.classifier import Classifier
from headstart.transfer.classifier_graph import export
from headstart.transfer.device import Device
from headstart.transfer.keeping import Keeping, Kept
from headstart.transfer.networks import build
from headstart.transfer.training import Trainer
from headstart.words.clock import Clock
from headstart.words.recipe import Recipe

Steps = Generator[None, None, None]
_SETTLED = 256  # pictures whose statistics a network with folded norms starts from
_AGAIN = 1.35  # the factor of time between two judgements of a network in training
_RARE = 8.0  # times its own cost that must lie between two judgements
_WARM, _PROBED = 2, 4  # steps: the first ones are dearer
_SPARE = 0.85  # of the time that a network may take is planned for steps, the rest for judging it
_SAVED = 20.0  # seconds of training that a kill may cost


@dataclass
class Fitting:
    """A network in training, or done; `kept` is its best copy so far.

    truth: float64 [n, classes] of all training samples in the order of the run. hidden, seen: int64, the samples
    that it is judged on, and those that it learns from. changed: is called whenever `kept` has changed.
    """

    material: Material
    recipe: Recipe
    fold: int
    hidden: NDArray[np.int64]
    seen: NDArray[np.int64]
    truth: Array
    seed: int
    clock: Clock
    keeping: Keeping
    changed: Callable[[], None]
    kept: Kept | None = None
    finished: bool = False
    progress: float = 0.0
    _graph: tuple[Kept, bytes] | None = None

    def steps(self, look: Look, device: Device | None, most: float) -> Steps:
        """Train to the end of the recipe, or for `most` seconds; an earlier run's network is taken as it is."""
        found = self.keeping.finished(self.recipe, self.fold)
        if found is not None:
            self.kept, self.finished = found, True
            self.changed()
            return
        trainer = self._trainer(look, device, self.recipe)
        yield
        if self.recipe.epochs and trainer.steps == 0:
            fits = yield from self._passes_that_fit(trainer, most)
            if fits < self.recipe.epochs:
                if fits < 1:
                    return
                trainer = self._trainer(look, device, replace(self.recipe, epochs=fits))
        start = judged = saved = self.clock.now()
        cost = 0.0
        while not trainer.done:
            done = trainer.step()
            self._charge("backward", done)
            self.progress = trainer.epoch
            yield
            now = self.clock.now()
            if now - start > most:
                break
            if now - saved > _SAVED:
                self.keeping.begin(self.recipe, self.fold, trainer.state())
                saved = now
            if now > _AGAIN * judged and now - judged > _RARE * cost:
                yield from self._judge(trainer, look)
                judged, cost = self.clock.now(), self.clock.now() - now
        yield from self._judge(trainer, look)
        self.finished = True
        if self.kept is not None:
            self.keeping.finish(self.recipe, self.fold, self.kept)

    def _passes_that_fit(self, trainer: Trainer, most: float) -> Generator[None, None, int]:
        """How many passes `most` seconds are enough for, from a few steps that are made anyway."""
        for number in range(_WARM + _PROBED):
            if number == _WARM:
                started = self.clock.now()
            self._charge("backward", trainer.step())
            yield
        seconds = (self.clock.now() - started) / _PROBED
        return int(_SPARE * most / max(seconds * len(self.seen) / self.recipe.batch, 1e-9))

    def graph_of(self, kept: Kept) -> bytes:
        """A copy as ONNX; that of the newest one is made once."""
        if self._graph is None or self._graph[0] is not kept:
            module = self._module()
            module.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in kept.weights.items()})
            self._graph = kept, export(module.eval(), self.recipe.pixels, self.recipe.frames)
        return self._graph[1]

    def _module(self) -> Classifier:
        material = self.material
        return build(self.recipe, material.classes, labels=material.labels, seed=self.seed + self.fold)

    def _trainer(self, look: Look, device: Device | None, recipe: Recipe) -> Trainer:
        material, seed = self.material, self.seed + self.fold
        module = self._module()
        begun = self.keeping.begun(self.recipe, self.fold)
        if begun is None:
            module.settle([torch.from_numpy(np.ascontiguousarray(look.train[self.seen[:_SETTLED]]))])
        trainer = Trainer(
            module,
            recipe,
            material.classes,
            material.labels,
            look.train,
            material.targets,
            self.seen,
            seed,
            device or Device.choose(),
        )
        if begun is not None:
            try:
                trainer.restore(*begun)
            except BadModel:  # made by another version: anew
                self.keeping.forget(self.recipe, self.fold)
                return self._trainer(look, device, recipe)
        return trainer

    def _judge(self, trainer: Trainer, look: Look) -> Steps:
        """What the network says of samples that it has not seen; it is kept where that is better than before."""
        held = yield from self._told(trainer, look.train, self.hidden)
        loss = loss_of(held, self.truth[self.hidden], self.material)
        if self.kept is not None and not loss < self.kept.loss:
            return
        test = yield from self._told(trainer, look.test, np.arange(len(look.test)))
        self.kept = Kept(trainer.copy(), held, test, loss)
        self.changed()

    def _told(
        self, trainer: Trainer, pixels: NDArray[np.uint8], rows: NDArray[np.int64]
    ) -> Generator[None, None, Matrix]:
        parts = [np.zeros((0, self.material.classes), np.float32)]
        for part in trainer.predict_batches(pixels, rows):
            parts.append(part)
            self._charge("infer", len(part))
            yield
        return np.concatenate(parts)

    def _charge(self, kind: str, samples: int) -> None:
        self.clock.charge(kind, self.recipe.network, self.recipe.pixels, samples * self.recipe.frames)


def loss_of(logits: Matrix, truth: Array, material: Material) -> float:
    """The mean log loss of logits [k, classes] at the temperature that suits them best."""
    scores = logits.astype(np.float64)
    heat = temperature(scores, truth, material.labels)
    said = posteriors(scores, heat, material.labels)
    return float(losses(said, truth, material.labels).mean())
