"""A challenger: networks that are trained by gradient beside the frozen stages, and judged by the same evidence.

For each recipe one network is trained without the first fold, and speaks about that fold. The recipe that helps most
there is trained again without other folds in turn, each network speaking about the samples that it has not seen, and
their average predicts. A recipe that does not help costs one network. All is done in slices of the caller's time, in
the caller's thread.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from headstart.heads.calibration import temperature
from headstart.heads.ensemble import blended
from headstart.heads.trained import Trained, averaged
from headstart.learn.challenger import Report, Stand
from headstart.learn.joining import SHARES, losses
from headstart.learn.material import Look, Material
from headstart.learn.truth import Truth
from headstart.transfer.device import Device
from headstart.transfer.fitting import Fitting, Steps
from headstart.transfer.keeping import Keeping
from headstart.transfer.rounds import HELPS, Tried
from headstart.words.clock import Clock
from headstart.words.recipe import Recipe
from headstart.words.scoring import score

_SPARE = 1.5  # times the longest step of late that must be left for another one
_PART = 0.4  # of the time that is left, at most, goes into one network


@dataclass(frozen=True)
class Shown:
    """The networks of one recipe that have something to say."""

    recipe: Recipe
    fittings: tuple[Fitting, ...]


class Challenge:
    """Implements `learn.challenger.Challenger`."""

    def __init__(
        self,
        material: Material,
        plan: Callable[[Report, Sequence[Tried]], Recipe | None],
        clock: Clock,
        seed: int,
        folds: int | None = None,
        device: Device | None = None,
    ) -> None:
        """plan: what to try next, after what was tried. folds: so many networks of a recipe at most (None: one per
        fold); with one the network is trained for all of the time, whether it helps or not (the paper's method 1).
        """
        self._material, self._clock, self._seed, self._device = material, clock, seed, device
        self._plan, self._most = plan, folds
        self._tried: list[Tried] = []
        self._truth = Truth(material.targets, material.classes)[:]
        self._keeping = Keeping(material.folder, material.mark, seed)
        self._fittings: list[Fitting] = []
        self._stand: Stand | None = None
        self._new, self._done = False, False
        self._task = "a network"
        self._longest = 0.0
        self._report: Report | None = None
        self._look: Look | None = None
        self._steps = self._all()

    @property
    def stand(self) -> Stand | None:
        """See `Challenger`."""
        return self._stand

    @property
    def done(self) -> bool:
        """See `Challenger`."""
        return self._done

    @property
    def doing(self) -> str:
        """See `Challenger`."""
        training = next((fit for fit in self._fittings if not fit.finished), None)
        if training is None:
            return self._task
        total = f" of {training.recipe.epochs}" if training.recipe.epochs else ""
        return f"{self._task}, pass {int(training.progress) + 1}{total}"

    def work(self, report: Report, seconds: float) -> bool:
        """See `Challenger`."""
        self._report, self._new = report, False
        end = self._clock.now() + seconds
        with _torch_threads(report.threads):
            while not self._done and not self._new:
                began = self._clock.now()
                if end - seconds + report.left - began < _SPARE * self._longest:
                    self._done = True  # the next step might end after the budget
                    break
                if next(self._steps, _END) is _END:
                    self._done = True
                now = self._clock.now()
                self._longest = max(now - began, 0.9 * self._longest)  # the first steps load and allocate
                if now >= end:
                    break
        return self._new

    def close(self) -> None:
        """See `Challenger`."""
        self._steps.close()
        self._look = None

    def _all(self) -> Steps:
        """Everything, a small step at a time."""
        folds = np.unique(self._material.folds).tolist()
        assert self._report is not None
        while (recipe := self._plan(self._report, self._tried)) is not None:
            yield from self._train(recipe, folds[0])
            self._tried.append(Tried(recipe, self._gain(self._of(recipe))))
        best = max(self._tried, key=lambda one: one.gain, default=None)
        if best is None or (best.gain < HELPS and self._most != 1):
            return
        for fold in folds[1 : self._most]:
            yield from self._train(best.recipe, fold)

    def _train(self, recipe: Recipe, fold: int) -> Steps:
        """One network to the end of its recipe."""
        look = yield from self._looked(recipe)
        hidden = (self._material.folds == fold) & look.readable
        seen = (self._material.folds != fold) & look.readable
        counts = self._truth[seen].sum(axis=0)
        if not hidden.any() or not ((counts > 0) & (counts < seen.sum())).any():
            return  # nothing can be told apart, or nothing judged
        number = len(self._of(recipe)) + 1
        self._task = f"{recipe.name}, network {number}"
        fitting = Fitting(
            self._material,
            recipe,
            fold,
            np.flatnonzero(hidden),
            np.flatnonzero(seen),
            self._truth,
            self._seed,
            self._clock,
            self._keeping,
            self._show,
        )
        self._fittings.append(fitting)
        assert self._report is not None
        most = self._report.left * (1.0 if self._most == 1 else _PART)
        yield from fitting.steps(look, self._device, most)

    def _looked(self, recipe: Recipe) -> Generator[None, None, Look]:
        if self._look is None or (self._look.pixels, self._look.frames) != (recipe.pixels, recipe.frames):
            self._task = f"{recipe.name}, reading pixels"
            self._look = self._material.look(recipe.pixels, recipe.frames)  # one at a time: pixels are large
            for _ in self._look.decoding():
                yield
        return self._look

    def _of(self, recipe: Recipe) -> tuple[Fitting, ...]:
        return tuple(fit for fit in self._fittings if fit.recipe == recipe and fit.kept is not None)

    def _show(self) -> None:
        """Let the recipe stand that helps most by now."""
        recipes = dict.fromkeys(fit.recipe for fit in self._fittings if fit.kept is not None)
        shown = [Shown(recipe, self._of(recipe)) for recipe in recipes]
        best = max(shown, key=lambda one: self._gain(one.fittings))
        self._stand = _stand(best, self._material, len(self._truth), self._truth)
        self._new = True

    def _gain(self, fittings: Sequence[Fitting]) -> float:
        """How many nats per sample the networks surely bring to the heads: at the best share, less a standard error.

        Alone: minus what they lose.
        """
        report = self._report
        if not fittings or report is None:
            return -np.inf
        if len(report.rows) == 0:
            return -float(np.mean([fit.kept.loss for fit in fittings if fit.kept is not None]))
        ours, theirs, known = [], [], []
        for fit in fittings:
            rows, mine, place = np.intersect1d(report.rows, fit.hidden, return_indices=True)
            ours.append(report.held_out[mine])
            theirs.append(self._said(fit)[place])
            known.append(self._truth[rows])
        truth, labels = np.concatenate(known), self._material.labels
        if len(truth) < 2:
            return -np.inf
        heads, networks = np.concatenate(ours), np.concatenate(theirs)
        base = losses(heads, truth, labels)
        gains = [base - losses(blended(heads, networks, share), truth, labels) for share in SHARES]
        return max(float(gain.mean() - gain.std(ddof=1) / np.sqrt(len(gain))) for gain in gains)

    def _said(self, fit: Fitting) -> NDArray[Any]:
        assert fit.kept is not None
        logits = fit.kept.held_out
        heat = temperature(logits.astype(np.float64), self._truth[fit.hidden], self._material.labels)
        return averaged([logits], heat, self._material.labels)


_END = object()


def _stand(shown: Shown, material: Material, count: int, truth: NDArray[Any]) -> Stand:
    """What the networks of one recipe say together; nothing in it changes any more."""
    recipe, labels = shown.recipe, material.labels
    frozen = [(fit, fit.kept) for fit in shown.fittings if fit.kept is not None]
    logits = np.full((count, material.classes), np.nan, np.float32)
    for fit, kept in frozen:
        logits[fit.hidden] = kept.held_out
    spoken = ~np.isnan(logits[:, 0])
    heat = temperature(logits[spoken].astype(np.float64), truth[spoken], labels)
    held_out = np.full_like(logits, np.nan)
    held_out[spoken] = averaged([logits[spoken]], heat, labels)
    test = averaged([kept.test for _, kept in frozen], heat, labels) if material.tests else None
    samples = np.unique(np.concatenate([fit.seen for fit, _ in frozen])).size
    evidence = score(truth[spoken], held_out[spoken])

    def trained() -> Trained:
        graphs = tuple(fit.graph_of(kept) for fit, kept in frozen)
        return Trained(recipe.name, recipe.pixels, recipe.frames, graphs, heat, evidence, samples)

    return Stand(held_out, test, samples, trained)


class _torch_threads:
    """So many threads for torch inside; as many as before outside."""

    def __init__(self, threads: int) -> None:
        self._threads = threads

    def __enter__(self) -> None:
        self._before = torch.get_num_threads()
        if self._before != self._threads:
            torch.set_num_threads(self._threads)

    def __exit__(self, *_: object) -> None:
        if self._before != self._threads:
            torch.set_num_threads(self._before)
