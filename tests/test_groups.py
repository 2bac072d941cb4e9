"""Folds that are balanced, keep sources together, and leave every class something to learn from."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from headstart.data import groups as module
from headstart.data.groups import Groups, folds, folds_multi, merge, name_groups, near_duplicates
from headstart.data.scan import scan
from headstart.errors import BadDataset

LABELS = st.lists(st.integers(0, 6), max_size=70)
NONE = np.array([], np.int32)


def alone(count: int) -> Groups:
    return np.full(count, -1, np.int32)


def numbered(values: list[int]) -> Groups:
    return np.array(values, np.int32)


def same(groups: Groups) -> set[frozenset[int]]:
    """The groups as sets of samples."""
    return {frozenset(np.flatnonzero(groups == number).tolist()) for number in set(groups.tolist()) - {-1}}


@given(LABELS, st.integers(2, 7), st.integers(0, 2**32))
def test_without_groups_folds_are_of_equal_size(labels: list[int], k: int, seed: int) -> None:
    targets = numbered(labels)
    fold = folds(targets, k, alone(len(labels)), seed)
    assert fold.dtype == np.int8 and fold.shape == targets.shape
    sizes = np.bincount(fold, minlength=k)
    assert sizes.max() - sizes.min() <= 1
    for label in set(labels):
        of_class = np.bincount(fold[targets == label], minlength=k)
        assert of_class.max() - of_class.min() <= 1


@given(LABELS, st.integers(2, 7), st.integers(0, 2**32))
def test_blocks_follow_the_list(labels: list[int], k: int, seed: int) -> None:
    targets = numbered(labels)
    fold = folds(targets, k, alone(len(labels)), seed)
    for label in set(labels):
        steps = np.diff(fold[targets == label].astype(int)) % k
        assert set(steps.tolist()) <= {0, 1}


@settings(max_examples=300)
@given(LABELS, st.integers(2, 7), st.integers(0, 2**32), st.data())
def test_with_groups_every_class_of_two_is_in_two_folds(
    labels: list[int], k: int, seed: int, data: st.DataObject
) -> None:
    count = len(labels)
    targets = numbered(labels)
    groups = numbered(data.draw(st.lists(st.integers(-1, 12), min_size=count, max_size=count)))
    fold = folds(targets, k, groups, seed)
    assert ((fold >= 0) & (fold < k)).all()
    for label in set(labels):
        if (targets == label).sum() > 1:
            assert len(set(fold[targets == label].tolist())) > 1
    assert (fold == folds(targets, k, groups, seed)).all()


@settings(max_examples=200)
@given(st.integers(2, 6), st.integers(2, 7), st.integers(0, 2**32), st.data())
def test_groups_never_straddle_folds(classes: int, k: int, seed: int, data: st.DataObject) -> None:
    """Groups within classes, none of them a whole class nor larger than a fold."""
    rng = np.random.default_rng(seed)
    each = data.draw(st.integers(4 * k, 40))
    targets = rng.permutation(np.repeat(np.arange(classes), each)).astype(np.int32)
    groups = (targets * 1000 + rng.integers(0, each, len(targets))).astype(np.int32)
    groups[rng.random(len(targets)) < 0.3] = -1
    fold = folds(targets, k, groups, seed)
    for members in same(groups):
        assert len(members) > len(targets) / k or len(set(fold[list(members)].tolist())) == 1


def test_groups_across_classes_stay_together() -> None:
    targets = numbered([0] * 10 + [1] * 10)
    groups = alone(20)
    groups[[3, 13]] = 0
    groups[[7, 8, 11]] = 1
    for seed in range(20):
        fold = folds(targets, 5, groups, seed)
        assert fold[3] == fold[13] and len(set(fold[[7, 8, 11]].tolist())) == 1


def test_groups_too_large_or_whole_classes_are_ignored() -> None:
    targets = numbered([0] * 10 + [1] * 10)
    half = numbered([0] * 9 + [-1] * 11)
    assert len(set(folds(targets, 5, half, 0)[:9].tolist())) == 5
    pairs = numbered([0, 0, *[-1] * 8])
    fold = folds(numbered([0, 0, *[1] * 8]), 2, pairs, 0)
    assert fold[0] != fold[1]


def test_folds_of_unequal_groups_are_still_about_equal() -> None:
    rng = np.random.default_rng(0)
    targets = np.repeat(np.arange(10), 100).astype(np.int32)
    groups = (np.arange(1000) // 100 * 100 + rng.integers(0, 30, 1000)).astype(np.int32)
    sizes = np.bincount(folds(targets, 5, groups, 0))
    assert sizes.max() < 1.2 * sizes.min()


def test_the_seed_turns_the_folds_and_odd_sizes_work() -> None:
    targets = np.arange(300, dtype=np.int32) % 11
    first = folds(targets, 5, alone(300), 0)
    assert any((first != folds(targets, 5, alone(300), seed)).any() for seed in range(1, 4))
    assert folds(NONE, 5, NONE, 0).shape == (0,)
    assert folds(numbered([2]), 5, alone(1), 0).shape == (1,)
    for k in (1, 128):
        with pytest.raises(ValueError, match="2 to 127"):
            folds(targets, k, alone(300), 0)


def test_folds_of_a_million_samples_take_a_second() -> None:
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 1000, 1_000_000).astype(np.int32)
    groups = rng.integers(-1, 300_000, 1_000_000).astype(np.int32)
    start = time.process_time()
    folds(targets, 5, groups, 0)
    assert time.process_time() - start < 2


def names(pattern: str, sources: int = 12, each: int = 3, classes: int = 4) -> list[str]:
    return [
        pattern.format(label=n % classes, source=n, number=i, letter="abcdefg"[i])
        for n in range(sources)
        for i in range(each)
    ]


@pytest.mark.parametrize(
    "pattern",
    [
        "c{label}/cam{source}_{number:04d}.jpg",
        "c{label}/patient{source}-{letter}.png",
        "c{label}/Film{source} ({number}).jpeg",
        "c{label}/walk{source}.frame{number}.jpg",
        "train/c{label}/cam{source}_{number}.jpg",
        "c{label}/video{source}/{number:05d}.jpg",
        "val/c{label}/{source}/{number:05d}.jpg",
    ],
)
def test_sources_are_read_from_names(pattern: str) -> None:
    groups = name_groups(names(pattern))
    assert same(groups) == {frozenset(range(3 * n, 3 * n + 3)) for n in range(12)}


@pytest.mark.parametrize(
    "paths",
    [
        [],
        names("c{label}/{source}_{number}.jpg"),  # numbers
        names("c{label}/IMG_{source}{number:02d}.jpg"),  # one name for all
        names("c{label}/cam{source}_{number}.jpg", sources=8),  # few sources
        names("c{label}/c{label}_{source}{number:02d}.jpg", sources=40, classes=20),  # names of classes
        names("c{label}/2021-03-{source}_{number}.jpg"),
        names("train/c{label}/{source}.{number}.jpg"),  # the split is no source
    ],
)
def test_names_that_do_not_tell_sources(paths: list[str]) -> None:
    groups = name_groups(paths)
    assert groups.shape == (len(paths),) and groups.dtype == np.int32 and (groups == -1).all()


def test_the_same_source_in_two_classes_is_one_and_a_single_file_is_none() -> None:
    paths = [*names("c{label}/cam{source}_{number}.jpg"), "c9/cam0_77.jpg", "c9/lonely_1.jpg", "c9/other.jpg"]
    groups = name_groups(paths)
    assert groups[36] == groups[0] and groups[37] == groups[38] == -1


@given(st.lists(st.text(st.characters(), max_size=15), max_size=40))
def test_no_name_is_too_odd(paths: list[str]) -> None:
    assert name_groups(paths).shape == (len(paths),)


def pictures(count: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).uniform(0, 255, (count, 768)).astype(np.float32)


def test_near_equal_pictures_are_found_whatever_their_brightness() -> None:
    tiny = pictures(50)
    rng = np.random.default_rng(1)
    tiny[7] = tiny[3] + rng.normal(0, 2, 768)
    tiny[20] = 0.5 * tiny[3] + 60
    tiny[41] = tiny[40]
    assert same(near_duplicates(tiny)) == {frozenset({3, 7, 20}), frozenset({40, 41})}


def test_pictures_without_contrast_are_compared_with_none() -> None:
    tiny = np.repeat(np.arange(6, dtype=np.float32)[:, None] * 50, 768, 1)
    assert (near_duplicates(tiny) == -1).all()
    assert near_duplicates(np.zeros((0, 768), np.float32)).shape == (0,)
    assert near_duplicates(np.zeros((3, 1), np.float32)).tolist() == [-1, -1, -1]


def test_pairs_are_those_of_a_full_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BLOCK", 16)
    rng = np.random.default_rng(3)
    centres = rng.normal(0, 1, (30, 100))
    tiny = (centres[rng.integers(0, 30, 150)] + rng.normal(0, 0.07, (150, 100))).astype(np.float32)
    centred = tiny - tiny.mean(1, keepdims=True)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    alike = centred @ centred.T > module.ALIKE
    reach = np.linalg.matrix_power(alike.astype(float), 1)
    for _ in range(8):
        reach = (reach @ reach > 0).astype(float)
    expected = {frozenset(np.flatnonzero(row).tolist()) for row in reach if row.sum() > 1}
    assert same(near_duplicates(tiny)) == expected and 5 < len(expected) <= 30


def test_a_chain_is_one_group() -> None:
    angle = np.linspace(0, np.pi / 2, 60)
    one, two = pictures(2) - 127.5
    tiny = (np.cos(angle)[:, None] * one + np.sin(angle)[:, None] * two).astype(np.float32)
    assert same(near_duplicates(tiny)) == {frozenset(range(60))}


def test_many_samples_are_compared_by_their_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = pictures(80)
    tiny[[5, 9]] = tiny[70]
    monkeypatch.setattr(module, "COMPARED", 10)
    assert same(near_duplicates(tiny)) == {frozenset({5, 9, 70})}


def test_the_worst_case_of_5000_equal_pictures_is_bounded() -> None:
    tiny = np.repeat(pictures(1), 5000, 0) + pictures(5000, 1) * 0.001
    start = time.process_time()
    assert (near_duplicates(tiny) == 0).all()
    assert time.process_time() - start < 8
    start = time.process_time()
    assert (near_duplicates(pictures(5000)) == -1).all()
    assert time.process_time() - start < 2


@given(st.lists(st.tuples(st.integers(-1, 6), st.integers(-1, 6)), max_size=40))
def test_merging_joins_what_either_joins(pairs: list[tuple[int, int]]) -> None:
    one, two = numbered([pair[0] for pair in pairs]), numbered([pair[1] for pair in pairs])
    merged = merge(one, two)
    assert merged.dtype == np.int32
    for part in (*same(one), *same(two)):
        if len(part) > 1:
            assert len(set(merged[list(part)].tolist())) == 1 and merged[next(iter(part))] >= 0
    assert same(merge(merged, merged)) == same(merged) == same(merge(two, one))
    assert all(len(part) > 1 for part in same(merged))
    joined_by_none = [i for i in range(len(pairs)) if (one == one[i]).sum() == (two == two[i]).sum() == 1]
    assert all(merged[i] == -1 for i in joined_by_none)


def test_real_folders_give_even_folds(datasets: Path) -> None:
    for root in sorted(datasets.iterdir()):
        try:
            task = scan(root)
        except BadDataset:
            continue
        assert task.train.targets is not None
        groups = name_groups(task.train.paths)
        sizes = np.bincount(folds(task.train.targets.astype(np.int32), 5, groups, 0), minlength=5)
        assert sizes.max() - sizes.min() <= 1


@given(
    st.integers(2, 6),
    st.integers(0, 9),
    st.lists(st.lists(st.integers(0, 5), max_size=1), min_size=6, max_size=60),
    st.data(),
)
def test_folds_of_several_labels_part_every_label_and_keep_groups_together(
    k: int, seed: int, labels: list[list[int]], data: st.DataObject
) -> None:
    indicator = np.zeros((len(labels), 6), np.uint8)
    for row, found in enumerate(labels):
        indicator[row, found] = 1
    alone = np.full(len(labels), -1, np.int32)
    fold = folds_multi(indicator, k, alone, seed)
    assert fold.dtype == np.int8 and fold.shape == (len(labels),) and fold.min() >= 0 and fold.max() < k
    assert np.array_equal(fold, folds_multi(indicator, k, alone, seed))
    for label in range(6):
        rows = np.flatnonzero(indicator[:, label])
        assert len(rows) < 2 or len(set(fold[rows])) > 1, "a label of two samples or more is in two folds"
    groups = np.array(
        data.draw(st.lists(st.integers(-1, 9), min_size=len(labels), max_size=len(labels))), np.int32
    )
    together = folds_multi(indicator, k, groups, seed)
    for group in set(groups[groups >= 0].tolist()):
        members = np.flatnonzero(groups == group)
        assert len(members) > len(labels) / k or len(set(together[members])) == 1


def test_folds_of_several_labels_are_stratified() -> None:
    rng = np.random.default_rng(0)
    indicator = (rng.random((500, 8)) < np.linspace(0.02, 0.5, 8)).astype(np.uint8)
    fold = folds_multi(indicator, 5, np.full(500, -1, np.int32), 0)
    shares = np.array([[indicator[fold == f, label].sum() for f in range(5)] for label in range(8)])
    assert (shares.max(axis=1) - shares.min(axis=1) <= 1 + indicator.sum(axis=0) * 0.04).all()
    assert np.bincount(fold).max() - np.bincount(fold).min() <= 12


@given(st.integers(2, 7), st.integers(0, 9), st.lists(st.integers(0, 4), min_size=1, max_size=80))
def test_samples_without_groups_are_dealt_as_groups_of_one_would_be(
    k: int, seed: int, labels: list[int]
) -> None:
    targets = np.array(labels, np.int32)
    alone = np.full(len(labels), -1, np.int32)
    of_one = np.concatenate([alone[1:], [0]]).astype(np.int32)  # a group of one sample takes the general way
    assert np.array_equal(folds(targets, k, alone, seed), folds(targets, k, of_one, seed))
