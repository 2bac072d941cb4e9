"""Which stages follow the first pass: what worked on the priors of the library."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from headstart.errors import HeadstartError
from headstart.learn.features import Features
from headstart.learn.plan import passes
from headstart.words.clock import Budget
from headstart.words.config import Config, Stage
from headstart.words.meter import Meter
from headstart.words.task import Task

if TYPE_CHECKING:
    from headstart.meta.library import Library
    from headstart.meta.performance import Performance
    from headstart.meta.prior import Features as Looks

_LOOKED_AT = 256  # samples: more tell no more (docs/benchmarks.md, recognition)
_LEAST = 8  # samples: of fewer nothing can be said


@dataclasses.dataclass(frozen=True)
class Chosen:
    """What was decided. stages: of the whole run, the first pass included; reason: for the user, one line."""

    stages: tuple[Stage, ...]
    reason: str


@dataclasses.dataclass(frozen=True)
class _Known:
    """What can be said before a sample was seen. table: of the candidates, on priors of the task's kind."""

    library: Library
    table: Performance
    looks: Mapping[str, Looks]


class Chooser:
    """Asks the library what a run should go on with. Use from one thread.

    folders: of the library, None = the shipped one under the user's. held_out: a source that must not be used, for
    evaluation; "" = none.
    """

    def __init__(
        self, task: Task, config: Config, budget: Budget, folders: tuple[Path, ...] | None, held_out: str
    ) -> None:
        self._task, self._config, self._budget = task, config, budget
        self._folders, self._held_out = folders, held_out
        self._known: _Known | None = None
        self._reading: threading.Thread | None = None

    def prepare(self, meter: Meter) -> None:
        """Read the library beside the run, so that the run does not wait for it when the first pass is over."""
        if self._reading is None:
            self._reading = threading.Thread(target=self._read, args=(meter,), name="library")
            self._reading.start()

    def __call__(self, features: Features, evidence: Mapping[str, float]) -> Chosen | None:
        """What to go on with; None where the library says nothing. evidence: of the stages of the first pass."""
        self.prepare(Meter())
        assert self._reading is not None
        self._reading.join()
        if self._known is None:
            return None
        from headstart.meta.fingerprint import BLOCK, from_block

        if features.pass_of.get(BLOCK) != 0:
            return None
        rows, seen = features.raw(BLOCK, _LOOKED_AT)
        return self._selected(self._known, from_block(seen), evidence) if len(rows) >= _LEAST else None

    def _read(self, meter: Meter) -> None:
        # A damaged library must not end a run: `headstart library list` names what is wrong.
        with meter.measure("library"), suppress(HeadstartError):
            self._known = self._candidates()

    def _candidates(self) -> _Known | None:
        from headstart.meta.index import quick
        from headstart.meta.kinds import of_kind
        from headstart.meta.library import Library

        library = Library.open(*self._folders) if self._folders is not None else Library.open()
        if self._held_out:
            library = library.without({self._held_out})
        if len(library) == 0:
            return None
        kinds = {name: prior.kind for name, prior in library.priors.items()}
        table = of_kind(quick(library, self._budget.seconds), kinds, self._task.kind)
        able = [name for name in table.configs if continues(table.config(name), self._config)]
        if not able:
            return None
        import headstart.meta.select  # noqa: F401  # loaded here, beside the run

        return _Known(library, table.subset(configs=able), library.all_features())

    def _selected(
        self, known: _Known, seen: NDArray[np.float32], evidence: Mapping[str, float]
    ) -> Chosen | None:
        from headstart.meta.fingerprint import simple
        from headstart.meta.select import DEFAULT, select, situation
        from headstart.meta.selectors.evidence import Seen

        told = simple(self._task) if "simple" in DEFAULT.needs else None
        seen_here = Seen(seen, told, dict(evidence))
        try:
            found = select(situation(known.table, known.library.priors, known.looks, seen_here))
        except HeadstartError:
            return None
        if found is None:
            return None
        later = [stage.name for stage in found.config.stages[len(passes(self._config)[0].stages) :]]
        then = f"goes on with {', '.join(later)}" if later else "ends with this pass"
        return Chosen(found.config.stages, f"{found.likeness}{then}, which {found.choice.because}")


def continues(candidate: Config | None, config: Config) -> bool:
    """Whether a run that began by `config` can go on as `candidate`: only stages after the first pass differ.

    What the library knows of the candidate is then what becomes of the run.
    """
    if candidate is None or not candidate.stages:
        return False
    plain = [dataclasses.replace(one, stages=config.stages, seed=0, reason="") for one in (candidate, config)]
    names = {stage.backbone for stage in config.stages}
    return (
        plain[0] == plain[1]
        and passes(candidate)[0] == passes(config)[0]
        and {stage.backbone for stage in candidate.stages} <= names
    )
