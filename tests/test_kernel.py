"""Unit-length features and kernels on them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart.heads.kernel import Kernel, centred, unit


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 20), st.integers(1, 30), st.floats(1e-3, 1e4), st.integers(0, 10**6))
def test_unit_features_have_length_one_whatever_the_scale(
    samples: int, dim: int, scale: float, seed: int
) -> None:
    features = scale * np.random.default_rng(seed).uniform(0.01, 1, (samples, dim))
    found = unit(features)
    assert found.dtype == np.float32
    np.testing.assert_allclose((found**2).sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(found, unit(features * 7), atol=1e-6)


def test_features_without_anything_in_them_stay_nought() -> None:
    assert (unit(np.zeros((2, 5))) == 0).all()
    assert (unit(np.full((2, 5), -3.0)) == 0).all()


@pytest.mark.parametrize("kernel", [Kernel("linear"), Kernel("rbf", 0.3), Kernel("rbf", 3.0)])
def test_a_kernel_is_symmetric_and_positive(kernel: Kernel) -> None:
    block = unit(np.abs(np.random.default_rng(0).normal(size=(40, 12))))
    products, norms = block @ block.T, (block**2).sum(axis=1)
    values = kernel.fitted(products, norms)(products, norms, norms)
    np.testing.assert_allclose(values, values.T, atol=1e-6)
    assert np.linalg.eigvalsh(values).min() > -1e-5


def test_the_scale_is_the_median_squared_distance_and_equal_samples_do_not_count() -> None:
    block = np.array([[0.0], [1.0], [3.0], [3.0]], np.float32)
    kernel = Kernel("rbf", 1.0).fitted(block @ block.T, (block**2).sum(axis=1))
    assert kernel.scale == pytest.approx(np.median([1, 9, 9, 4, 4]))
    same = np.ones((5, 5), np.float32)
    assert Kernel("rbf", 1.0).fitted(same, np.ones(5, np.float32)).scale == 1.0


def test_an_rbf_kernel_falls_with_the_squared_distance() -> None:
    block = np.random.default_rng(1).normal(size=(9, 3)).astype(np.float32)
    other = np.random.default_rng(2).normal(size=(4, 3)).astype(np.float32)
    found = Kernel("rbf", 0.5, 2.0)(other @ block.T, (other**2).sum(axis=1), (block**2).sum(axis=1))
    distances = ((other[:, None] - block[None]) ** 2).sum(axis=2)
    np.testing.assert_allclose(found, np.exp(-0.5 * distances / 2.0), rtol=1e-4)


def test_centring_a_kernel_is_centring_its_features() -> None:
    features = np.random.default_rng(3).normal(size=(15, 4)) + 5
    z = features - features.mean(axis=0)
    np.testing.assert_allclose(centred(features @ features.T), z @ z.T, atol=1e-9)
