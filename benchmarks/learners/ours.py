"""headstart as it comes: one worker, the clock on CPU seconds, every published snapshot kept."""

from __future__ import annotations

import dataclasses

from benchmarks.learners.protocol import Publisher, parser
from headstart import api
from headstart.learn.snapshot import Snapshot
from headstart.words.clock import Budget, CpuClock
from headstart.words.config import Config
from headstart.words.task import Task


def seeded(seed: int) -> None:
    """Only the seed of the default configuration changes, and nothing is scanned twice to make it."""
    plan = api._plan

    def with_seed(task: Task) -> Config:
        return dataclasses.replace(plan(task), seed=seed)

    api._plan = with_seed


def main() -> None:
    given = parser(__doc__ or "")
    given.add_argument("--budget", type=float, default=1200.0, help="CPU seconds")
    chosen = given.parse_args()
    seeded(chosen.seed)
    publisher: Publisher | None = None
    request = api.Request(
        chosen.train, Budget(chosen.budget), chosen.out / "run", chosen.test, None, CpuClock(), workers=1
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
