"""The stream: every row once, errors are not swallowed, and nothing runs on after a stop."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart.learn.stream import Job, Stream, jobs

WORKERS = (0, 1, 2, 4)


def some(train: int, test: int = 0, batch: int = 4) -> list[Job]:
    return list(jobs(0, np.arange(train), np.arange(test), batch))


def drained(stream: Stream) -> list[Job]:
    found, end = [], time.monotonic() + 20
    while not stream.ended:
        assert time.monotonic() < end
        if (job := stream.next(0.2)) is not None:
            found.append(job)
    return found


@settings(max_examples=60)
@given(st.integers(0, 200), st.integers(0, 200), st.integers(1, 33))
def test_jobs_cover_each_row_of_each_split_once_in_the_order_given(train: int, test: int, batch: int) -> None:
    rng = np.random.default_rng(train + test)
    given_rows = {"train": rng.permutation(train), "test": rng.permutation(test)}
    made = list(jobs(3, given_rows["train"], given_rows["test"], batch))
    for split, rows in given_rows.items():
        parts = [job.rows for job in made if job.split == split]
        np.testing.assert_array_equal(np.concatenate(parts) if parts else np.zeros(0), rows)
    assert all(job.passing == 3 and 0 < len(job.rows) <= batch for job in made)


@settings(max_examples=40)
@given(st.integers(1, 200), st.integers(1, 200))
def test_both_splits_advance_at_the_same_pace(train: int, test: int) -> None:
    made = some(train, test, 5)
    totals = {split: sum(job.split == split for job in made) for split in ("train", "test")}
    done = {"train": 0, "test": 0}
    for job in made:
        done[job.split] += 1
        shares = [done[split] / totals[split] for split in done]
        assert abs(shares[0] - shares[1]) <= 1 / totals["train"] + 1 / totals["test"] + 1e-9


@pytest.mark.parametrize("workers", WORKERS)
def test_every_job_is_done_once_and_handed_out_once(workers: int) -> None:
    lock, done = threading.Lock(), []

    def extract(job: Job) -> None:
        with lock:
            done.append(job)

    made = some(101, 37)
    found = drained(Stream(iter(made), extract, workers))
    for jobs_ in (done, found):
        assert sorted(map(id, jobs_)) == sorted(map(id, made))


@pytest.mark.parametrize("workers", WORKERS)
def test_an_empty_stream_ends_at_once(workers: int) -> None:
    assert drained(Stream(iter(()), lambda job: None, workers)) == []


@pytest.mark.parametrize("workers", WORKERS)
def test_the_error_of_a_job_is_raised_where_the_next_job_is_asked_for(workers: int) -> None:
    def extract(job: Job) -> None:
        if 20 in job.rows:
            raise OSError("the disk is full")

    stream = Stream(iter(some(40)), extract, workers)
    with pytest.raises(OSError, match="the disk is full"):
        drained(stream)
    stream.stop()


@pytest.mark.parametrize("workers", (1, 3))
def test_an_error_while_jobs_are_made_is_raised_too(workers: int) -> None:
    def broken():  # type: ignore[no-untyped-def]
        yield some(4)[0]
        raise ValueError("no more plan")

    stream = Stream(broken(), lambda job: None, workers)
    with pytest.raises(ValueError, match="no more plan"):
        drained(stream)
    stream.stop()


@pytest.mark.parametrize("workers", (1, 2))
def test_after_a_stop_no_job_is_begun(workers: int) -> None:
    begun = []

    def extract(job: Job) -> None:
        begun.append(job)
        time.sleep(0.01)

    before = threading.active_count()
    stream = Stream(iter(some(4000)), extract, workers)
    stream.next(1.0)
    stream.stop()
    count = len(begun)
    assert threading.active_count() == before
    time.sleep(0.05)
    assert len(begun) == count < 200


def test_stop_does_not_wait_for_a_job_that_hangs() -> None:
    release = threading.Event()
    stream = Stream(iter(some(8)), lambda job: release.wait(20) and None, 1)
    started = time.monotonic()
    assert stream.next(0.05) is None and not stream.ended
    stream.stop()
    assert time.monotonic() - started < 2
    release.set()


def test_without_workers_nothing_is_computed_before_it_is_asked_for() -> None:
    done = []
    stream = Stream(iter(some(12)), done.append, 0)
    assert done == []
    stream.next(0.0)
    assert len(done) == 1 and not stream.ended
