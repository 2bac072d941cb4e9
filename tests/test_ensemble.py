"""Members and their average: a published model says what its parts say."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart.heads.ensemble import Ensemble, Member, average, choose, grow
from headstart.heads.kernel import Kernel, Matrix, unit
from headstart.learn.candidates import SPECS, Candidate, Problem, candidates
from headstart.words.config import HEADS
from headstart.words.scoring import score
from headstart.words.task import LabelKind

DIMS = {"a": 6, "b": 9}


def blocks(samples: int, seed: int = 0) -> dict[str, Matrix]:
    rng = np.random.default_rng(seed)
    labels = np.arange(samples) % 3
    return {
        name: unit(np.abs(rng.normal(size=(samples, dim)) + 3 * np.eye(dim)[labels]))
        for name, dim in DIMS.items()
    }


def solved(features: dict[str, Matrix], labels: LabelKind = "single") -> list[Candidate]:
    samples = len(features["a"])
    products = sum(f @ f.T for f in features.values())
    norms = sum((f**2).sum(axis=1) for f in features.values())
    indicator = np.eye(3)[np.arange(samples) % 3]
    problem = Problem(
        tuple(features), products, norms, sum(DIMS.values()), indicator, np.arange(samples) // 3 % 4, labels
    )
    return list(candidates(problem, SPECS, HEADS))


@pytest.mark.parametrize("labels", ["single", "multi"])
def test_an_ensemble_is_the_average_of_its_members(labels: LabelKind) -> None:
    train, new = blocks(30), blocks(300, 1)
    products = np.sum([new[name] @ train[name].T for name in DIMS], axis=0)
    rows = np.sum([(new[name] ** 2).sum(axis=1) for name in DIMS], axis=0)
    columns = np.sum([(train[name] ** 2).sum(axis=1) for name in DIMS], axis=0)
    members = tuple(c.member for c in solved(train, labels))
    apart = [m.posteriors(products, rows, columns, labels) for m in members]
    found = Ensemble(members, train, labels)(new)
    assert found.dtype == np.float32 and found.shape == (300, 3)
    np.testing.assert_allclose(found, np.mean(apart, axis=0), atol=2e-5)


def test_members_may_know_fewer_landmarks_than_others() -> None:
    train, new = blocks(30), blocks(8, 1)
    few = solved({name: values[:12] for name, values in train.items()})[0].member
    many = solved(train)[0].member
    both = Ensemble((few, many), train, "single")(new)
    alone = [
        Ensemble((few,), {name: v[:12] for name, v in train.items()}, "single")(new),
        Ensemble((many,), train, "single")(new),
    ]
    np.testing.assert_allclose(both, np.mean(alone, axis=0), atol=1e-5)


def test_each_sample_gets_the_same_answer_alone_and_among_many() -> None:
    train, new = blocks(30), blocks(600, 2)
    ensemble = Ensemble(tuple(c.member for c in solved(train)[:3]), train, "single")
    together = ensemble(new)
    for row in (0, 255, 256, 599):
        alone = ensemble({name: values[row : row + 1] for name, values in new.items()})
        np.testing.assert_allclose(alone[0], together[row], atol=1e-5)


def test_weights_as_they_are_stored_change_posteriors_next_to_nothing() -> None:
    train, new = blocks(60), blocks(20, 3)
    for candidate in solved(train):
        member = candidate.member
        stored = replace(
            member, weights=member.weights.astype(np.float32), offset=member.offset.astype(np.float32)
        )
        before, after = (Ensemble((m,), train, "single")(new) for m in (member, stored))
        np.testing.assert_allclose(after, before, atol=1e-3)


def test_a_model_needs_the_features_of_all_its_members_once() -> None:
    weights, offset = np.zeros((2, 3)), np.zeros(3)
    members = tuple(
        Member("ridge", names, Kernel("linear"), 2, weights, offset, 1.0, 0.0)
        for names in (("b",), ("a", "b"), ("c",))
    )
    assert Ensemble(members, {}, "single").blocks == ("b", "a", "c")


def test_averages_may_be_weighted() -> None:
    parts = [np.zeros((2, 2), np.float32), np.ones((2, 2), np.float32)]
    np.testing.assert_allclose(average(parts), 0.5)
    np.testing.assert_allclose(average(parts, [1, 3]), 0.75)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.floats(-1, 1), st.sampled_from(HEADS)), min_size=1, max_size=30), st.integers(1, 7)
)
def test_the_best_are_chosen_once_each_and_no_kind_takes_more_than_half_while_others_wait(
    found: list[tuple[float, str]], members: int
) -> None:
    evidence, kinds = [e for e, _ in found], [k for _, k in found]
    chosen = choose(evidence, kinds, members)
    assert len(chosen) == min(members, len(found)) == len(set(chosen))
    assert evidence[chosen[0]] == max(evidence)
    most = (members + 1) // 2
    for kind in set(kinds):
        others = sum(min(kinds.count(other), most) for other in set(kinds) - {kind})
        if others >= members // 2:
            assert sum(kinds[i] == kind for i in chosen) <= most


@given(st.integers(1, 9), st.integers(1, 6), st.integers(0, 99))
def test_a_grown_average_scores_at_least_as_much_as_its_best_member(
    count: int, members: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    truth = np.eye(3)[np.arange(24) % 3]
    held_out = [
        np.exp(truth * rng.uniform(0, 2) + rng.normal(size=truth.shape)).astype(np.float32)
        for _ in range(count)
    ]
    evidence = [score(truth, one) for one in held_out]
    chosen = grow(held_out, truth, evidence, members)
    assert 1 <= len(chosen) <= min(members, count) and len(set(chosen)) == len(chosen)
    assert evidence[chosen[0]] == max(evidence)
    along = [
        score(truth, np.sum([held_out[i] for i in chosen[:n]], axis=0)) for n in range(1, len(chosen) + 1)
    ]
    assert all(later > earlier for earlier, later in pairwise(along))


def test_a_member_that_errs_elsewhere_is_taken_before_one_that_errs_alike() -> None:
    """By hand: the second best repeats the first's mistake (sample 0), the third is right there."""
    truth = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], np.float64)
    one = np.array([[0.4, 0.6], [0.9, 0.1], [0.3, 0.7], [0.5, 0.5]], np.float32)
    alike = np.array([[0.35, 0.65], [0.9, 0.1], [0.3, 0.7], [0.45, 0.55]], np.float32)
    other = np.array([[0.9, 0.1], [0.45, 0.55], [0.2, 0.8], [0.5, 0.5]], np.float32)
    evidence = [score(truth, posteriors) for posteriors in (one, alike, other)]
    assert grow([one, alike, other], truth, [evidence[0], evidence[1], evidence[2] - 1], 2) == [0, 2]


def test_nothing_grows_from_nothing() -> None:
    assert grow([], np.zeros((0, 2)), [], 5) == []
