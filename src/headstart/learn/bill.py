"""What solving costs, told to the clock as candidates come: a kernel and a fit are shared by several heads."""

from __future__ import annotations

from collections.abc import Sequence

from headstart.heads.kernel import Kernel
from headstart.learn.candidates import Candidate, Problem, Spec
from headstart.words.clock import Clock

_FITTED = ("ridge", "lda")  # heads that share one inverse


class Bill:
    """The charges for one problem on all pairs."""

    def __init__(self, clock: Clock, problem: Problem) -> None:
        self._clock = clock
        self._samples, self._classes = problem.indicator.shape
        self._several = " several" if problem.labels == "multi" else ""
        self._kernel: Kernel | None = None
        self._fitted: set[Spec] = set()
        clock.charge("solve", "sum", 0, len(problem.blocks) * self._samples**2)

    def add(self, candidate: Candidate) -> None:
        """One more candidate was solved."""
        head = candidate.member.head
        self._kernel_of(candidate.spec)
        if head in _FITTED:
            self._fit(candidate.spec)
        self._clock.charge("solve", head + self._several, self._classes, self._samples)

    def close(self, specs: Sequence[Spec]) -> None:
        """All candidates came: what was solved for specs of which none was wanted."""
        for spec in specs:
            if spec not in self._fitted:
                self._kernel_of(spec)
                self._fit(spec)

    def _kernel_of(self, spec: Spec) -> None:
        if spec.kernel != self._kernel:
            self._kernel = spec.kernel
            self._clock.charge("solve", f"kernel {spec.kernel.name}", 0, self._samples)

    def _fit(self, spec: Spec) -> None:
        if spec not in self._fitted:
            self._fitted.add(spec)
            self._clock.charge("solve", "fit", self._classes, self._samples)
