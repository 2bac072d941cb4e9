"""Evaluations on several processes or machines, by Dask's `distributed` (the `cluster` extra).

The search itself stays in one process, which writes everything down; workers are told a job and return an outcome,
so one that dies costs that job only.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from typing import Any

from headstart.errors import BadInput
from headstart.meta.objective import Evaluate, Job, Outcome

_PATIENCE = 30.0  # seconds for a scheduler or the first worker to answer
_THREADS = "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"


def distributed() -> Any:
    """The library, loaded when it is needed. Raises BadInput where it is not installed."""
    try:
        import distributed as library
    except ImportError:
        raise BadInput('several workers need Dask: pip install "headstart[cluster]"') from None
    return library


class Cluster:
    """A pool of Dask workers. workers: how many jobs it is given at a time."""

    def __init__(self, client: Any, workers: int) -> None:
        self._client, self.workers = client, workers
        self._killed = distributed().KilledWorker

    def submit(self, evaluate: Evaluate, job: Job) -> Future[Outcome]:
        """Have a worker do it; another does it again where that one dies, up to four."""
        inner = self._client.submit(evaluate, job, pure=False, retries=0)
        outer: Future[Outcome] = Future()
        inner.add_done_callback(lambda done: _passed_on(done, outer))
        return outer

    def lost(self, error: BaseException) -> bool:
        """Whether several workers died over the job."""
        return isinstance(error, self._killed)


def _passed_on(inner: Any, outer: Future[Outcome]) -> None:
    """Whatever happens here must reach the one who waits."""
    try:
        outer.set_result(inner.result(timeout=_PATIENCE))
    except CancelledError:
        outer.set_exception(
            BadInput("the cluster ended while it was in use: what was done stands, start again")
        )
    except BaseException as error:
        outer.set_exception(error)


@contextmanager
def opened(workers: int = 0, scheduler: str | None = None) -> Iterator[Cluster]:
    """Workers of a running scheduler by its address, else so many processes of this machine with a thread each.

    Raises BadInput where the scheduler does not answer, or has no workers.
    """
    library = distributed()
    if scheduler is not None:
        with _joined(library, scheduler) as client:
            threads = sum(client.nthreads().values())
            if threads == 0:
                raise BadInput(
                    f"the scheduler {scheduler} has no workers: start some with `dask worker {scheduler}`"
                )
            yield Cluster(client, threads)
        return
    if workers < 1:
        raise BadInput(f"{workers} workers are none: give 1 or more, or the address of a scheduler")
    with (
        library.LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            env=dict.fromkeys(_THREADS, "1"),
            silence_logs=50,
        ) as cluster,
        library.Client(cluster, timeout=_PATIENCE, set_as_default=False) as client,
    ):
        client.wait_for_workers(workers, timeout=_PATIENCE)
        yield Cluster(client, workers)


def _joined(library: Any, scheduler: str) -> Any:
    try:
        return library.Client(scheduler, timeout=_PATIENCE, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise BadInput(
            f"the scheduler {scheduler} does not answer: {str(error).splitlines()[0]:.120}"
        ) from None
