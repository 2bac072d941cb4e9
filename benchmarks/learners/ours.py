"""headstart by its automatic plan: one worker, the clock on CPU seconds, every published snapshot kept.

Without the library of priors, which knows these data sets, and without a network that is trained beside.
"""

from __future__ import annotations

import dataclasses

from benchmarks.learners.protocol import Publisher, parser
from headstart import api
from headstart.learn.plan import default_config
from headstart.learn.snapshot import Snapshot
from headstart.words.clock import Budget, CpuClock
from headstart.words.config import Config
from headstart.words.task import Task


def variant(name: str) -> Config | None:
    """The default for clips without what it has over plain ones; None = the default itself.

    average: no motion, no statistics over time, only means of frame features. whole: no first keyframes.
    """
    if name == "default":
        return None
    config = default_config(300, 10, [(80, 80)], "video")
    if name == "whole":
        return dataclasses.replace(config, stages=tuple(s for s in config.stages if s.frames > 1))
    stages = [
        dataclasses.replace(stage, outputs=tuple(o for o in stage.outputs if "+" not in o))
        for stage in config.stages
        if stage.backbone != "motion"
    ]
    return dataclasses.replace(config, stages=tuple(stages))


def main() -> None:
    given = parser(__doc__ or "")
    given.add_argument("--budget", type=float, default=1200.0, help="CPU seconds")
    given.add_argument("--variant", choices=("default", "average", "whole"), default="default")
    chosen = given.parse_args()
    publisher: Publisher | None = None
    request = api.Request(
        chosen.train,
        Budget(chosen.budget),
        chosen.out / "run",
        chosen.test,
        variant(chosen.variant),
        CpuClock(),
        workers=1,
        seed=chosen.seed,
        method="frozen",
        library=False,
    )
    for event in api.run(request):
        if isinstance(event, Task):
            assert event.test is not None
            files = [f"{event.test.root}/{path}" for path in event.test.paths]
            publisher = Publisher(chosen.out, chosen.test, files, list(event.classes))
        elif isinstance(event, Snapshot) and publisher is not None and event.test is not None:
            publisher.publish(event.test)
    if publisher is not None:
        publisher.save()


if __name__ == "__main__":
    main()
