"""Inner products that grow with the stream equal those of all samples at once."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart.heads.kernel import Matrix, unit
from headstart.learn.products import Products, Queries

DIM = 7
growth = st.lists(st.integers(0, 30), min_size=1, max_size=6)


def features(samples: int, seed: int = 0) -> Matrix:
    return unit(np.abs(np.random.default_rng(seed).normal(size=(samples, DIM))))


@settings(deadline=None, max_examples=40)
@given(growth, st.integers(0, 10**6))
def test_growing_by_any_pieces_gives_the_same_products(pieces: list[int], seed: int) -> None:
    block = features(sum(pieces), seed)
    grown, done = Products(DIM, 1000), 0
    for piece in pieces:
        grown.extend(block[done : done + piece])
        done += piece
    whole = Products(DIM, 1000)
    whole.extend(block)
    assert len(grown) == len(whole) == done
    for count in (0, done // 2, done):
        products, norms = grown.among(count)
        np.testing.assert_allclose(products, whole.among(count)[0], atol=1e-6)
        np.testing.assert_array_equal(norms, whole.norms[:count])
        np.testing.assert_allclose(products, block[:count] @ block[:count].T, atol=2e-3)


def test_more_samples_than_there_is_room_for_are_left_out() -> None:
    products = Products(DIM, 10)
    products.extend(features(8))
    products.extend(features(8, 1))
    products.extend(features(3, 2))
    assert len(products) == 10 and products.among(10)[0].shape == (10, 10)


def test_what_was_forgotten_is_computed_again_and_no_sample_is_added() -> None:
    products = Products(DIM, 100)
    products.extend(features(20))
    before = products.among(15)[0].copy()
    products.forget()
    products.extend(features(5, 1))
    assert len(products) == 20
    np.testing.assert_allclose(products.among(15)[0], before, atol=1e-6)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.tuples(st.integers(1, 15), st.lists(st.integers(0, 9), min_size=1)), min_size=1, max_size=6),
    st.integers(0, 10**6),
)
def test_queries_that_arrive_among_growing_landmarks_equal_products_at_once(
    steps: list[tuple[int, list[int]]], seed: int
) -> None:
    block, tests = features(sum(more for more, _ in steps), seed), features(10, seed + 1)
    products, queries, done = Products(DIM, 1000), Queries(DIM, 10), 0
    for more, asked in steps:
        products.extend(block[done : done + more])
        done += more
        rows = np.unique(asked)
        fresh = rows[~queries.done[rows]]
        queries.put(fresh, tests[fresh])
        for samples in (done, max(1, done // 2)):
            inner, norms = queries.against(products, rows, samples)
            np.testing.assert_allclose(inner, tests[rows] @ block[:samples].T, atol=2e-3)
            np.testing.assert_allclose(norms, 1, atol=2e-3)
