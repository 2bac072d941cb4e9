"""The pool keeps the best few, on equal terms, in bounded memory."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from headstart.heads.calibration import sharpened
from headstart.heads.ensemble import Member
from headstart.heads.kernel import Kernel
from headstart.learn.candidates import Candidate, Spec
from headstart.learn.pool import Pool
from headstart.words.scoring import score

CLASSES, SAMPLES = 3, 90
TRUTH: NDArray[np.float64] = np.eye(CLASSES)[np.arange(SAMPLES) % CLASSES]


def candidate(
    noise: float, seed: int, *, head: str = "lda", block: str = "a", seen: int = SAMPLES
) -> Candidate:
    rng = np.random.default_rng(seed)
    raw = np.exp(2 * TRUTH[:seen] + noise * rng.normal(size=(seen, CLASSES)))
    held_out = (raw / raw.sum(axis=1, keepdims=True)).astype(np.float32)
    evidence = score(TRUTH[:seen], held_out)
    weights, offset = np.zeros((seen, CLASSES)), np.zeros(CLASSES)
    member = Member(head, (block,), Kernel("linear"), seen, weights, offset, 1.0, evidence)
    return Candidate(member, held_out, Spec(Kernel("linear")))


def test_an_empty_pool_has_no_choice() -> None:
    assert Pool(3).choose(TRUTH) is None


def test_the_best_by_evidence_are_averaged_and_the_average_is_judged() -> None:
    pool = Pool(2)
    found = [candidate(noise, i, block=f"b{i}") for i, noise in enumerate((4.0, 1.0, 6.0, 1.5))]
    for one in found:
        pool.add(one)
    choice = pool.choose(TRUTH)
    assert choice is not None
    assert {c.member.blocks for c in choice.members} == {("b1",), ("b3",)}
    together = (found[1].held_out + found[3].held_out) / 2
    np.testing.assert_allclose(choice.held_out, sharpened(together, choice.temperature), atol=1e-6)
    assert choice.evidence == score(TRUTH, choice.held_out)


def test_a_head_that_is_solved_again_replaces_its_older_self_also_when_it_is_worse() -> None:
    pool = Pool(3)
    pool.add(candidate(1.0, 0, seen=60))
    pool.add(candidate(5.0, 1, seen=90))
    choice = pool.choose(TRUTH)
    assert choice is not None and len(choice.members) == 1 and len(choice.held_out) == 90


def test_candidates_are_compared_on_the_samples_that_all_have_spoken_about() -> None:
    pool = Pool(2)
    pool.add(candidate(1.0, 0, block="a", seen=90))
    pool.add(candidate(1.0, 1, block="b", seen=60))
    choice = pool.choose(TRUTH)
    assert choice is not None and choice.held_out.shape == (60, CLASSES)
    assert choice.evidence == score(TRUTH[:60], choice.held_out)


def test_a_stage_that_has_seen_little_is_heard_where_it_is_better_beyond_doubt() -> None:
    pool = Pool(5)
    pool.add(candidate(9.0, 0, block="looks", seen=90))
    pool.add(candidate(0.1, 1, block="motion", seen=15))
    assert (choice := pool.choose(TRUTH)) is not None
    assert [c.member.blocks for c in choice.members] == [("looks",)], "fifteen samples say nothing"
    pool.add(candidate(0.1, 1, block="motion", seen=24))
    assert (choice := pool.choose(TRUTH)) is not None
    assert [c.member.blocks for c in choice.members] == [("motion",)] and len(choice.held_out) == 24


def test_a_stage_that_has_seen_little_waits_for_its_turn() -> None:
    pool = Pool(5)
    pool.add(candidate(1.0, 0, block="a", seen=90))
    pool.add(candidate(0.1, 1, block="b", seen=20))
    choice = pool.choose(TRUTH)
    assert choice is not None and [c.member.blocks for c in choice.members] == [("a",)]
    pool.add(candidate(0.1, 1, block="b", seen=60))
    choice = pool.choose(TRUTH)
    assert choice is not None and choice.members[0].member.blocks == ("b",)


def test_however_many_candidates_come_few_are_kept() -> None:
    pool = Pool(4)
    for i in range(300):
        pool.add(candidate(2.0, i, block=f"b{i}"))
        choice = pool.choose(TRUTH)
        assert choice is not None and len(choice.members) <= 4
    assert len(pool._candidates) <= 3 * 4 + 1


def test_several_kinds_of_heads_share_the_places() -> None:
    pool = Pool(4)
    for i in range(6):
        pool.add(candidate(0.5, i, block=f"b{i}"))
    for i in range(2):
        pool.add(candidate(4.0, i, block=f"b{i}", head="ridge"))
    choice = pool.choose(TRUTH, thorough=False)
    assert choice is not None
    assert sorted(c.member.head for c in choice.members) == ["lda", "lda", "ridge", "ridge"]
