"""Which samples come in which step, which frames of a clip, and the bounded memory of activations."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

import nets  # noqa: E402
from headstart.transfer.batches import Activations, Ahead, Order, Pixels, changes  # noqa: E402
from headstart.transfer.device import Device  # noqa: E402


@settings(deadline=None)
@given(n=st.integers(2, 40), batch=st.integers(1, 50), seed=st.integers(0, 5))
def test_every_pass_sees_every_sample_once(n: int, batch: int, seed: int) -> None:
    rows = np.arange(n) * 3
    order = Order(rows, batch, seed)
    steps = -(-3 * n // order.batch)
    stream = np.concatenate([order.at(step) for step in range(steps)])
    assert len(stream) == steps * order.batch
    for number in range(3):
        assert sorted(stream[number * n : (number + 1) * n]) == rows.tolist()
    again = Order(rows, batch, seed)
    last = steps - 1
    assert np.array_equal(again.at(last), order.at(last)), "a step is known without those before it"
    assert order.epoch(steps) == len(stream) / n


def test_passes_differ_and_so_do_seeds() -> None:
    order = Order(np.arange(30), 30, 0)
    assert not np.array_equal(order.at(0), order.at(1))
    assert not np.array_equal(order.at(0), Order(np.arange(30), 30, 1).at(0))
    assert Order(np.array([4]), 16, 0).at(7).tolist() == [4, 4]


def test_random_numbers_belong_to_their_step() -> None:
    assert changes(3, 7).random() == changes(3, 7).random()
    assert len({changes(seed, step).random() for seed in range(3) for step in range(3)}) == 9


def test_pictures_come_as_they_are() -> None:
    pixels, _ = nets.task(n=9)
    source = Pixels(pixels, 1, "random", 0)
    rows = np.array([8, 0, 8])
    assert np.array_equal(source.training(rows, 3), pixels[rows])
    assert not source.drawn
    assert len(source) == 9


def test_frames_are_drawn_for_training_and_fixed_for_predictions() -> None:
    pixels = np.arange(4 * 10, dtype=np.uint8).reshape(4, 10, 1, 1, 1).repeat(3, axis=4)
    rows = np.array([1, 3])
    for how in ("random", "segments", "middle"):
        source = Pixels(pixels, 3, how, 0)  # type: ignore[arg-type]
        assert source.drawn
        taken = source.training(rows, 5)
        assert taken.shape == (2, 3, 1, 1, 3)
        assert (taken[0] // 10 == 1).all()
        assert (taken[1] // 10 == 3).all()
        assert np.array_equal(taken, source.training(rows, 5))
        assert any(not np.array_equal(taken, source.training(rows, step)) for step in range(5))
        assert source.still(rows)[0, :, 0, 0, 0].tolist() == [11, 15, 18]
    first = Pixels(pixels, 3, "keyframe", 0)
    assert not first.drawn
    assert first.training(rows, 0)[0, :, 0, 0, 0].tolist() == [10, 11, 12]
    assert np.array_equal(Pixels(pixels, 10, "random", 0).training(rows, 0), pixels[rows])


def cache(limit: int, n: int = 50) -> tuple[Activations, nets.Net, Pixels]:
    pixels, _ = nets.task(n=n)
    module = nets.Net()
    module.train_last(1)
    source = Pixels(pixels, 1, "even", 0)
    return Activations(source, module.bottom, Device("cpu"), limit), module, source


OF_ONE = 8 * 4 * 4 * 2  # bytes: channels, height, width, half precision


@pytest.mark.parametrize("room", [0, 1, 20, 49, 50, 1000])
def test_activations_are_right_in_any_memory(room: int) -> None:
    activations, module, source = cache(room * OF_ONE)
    rng = np.random.default_rng(0)
    for _ in range(12):
        rows = rng.integers(0, 50, 12)
        found = activations.at(rows)
        assert activations.nbytes <= room * OF_ONE
        exact = module.bottom(torch.from_numpy(source.still(rows)))
        assert found.dtype == torch.float32
        assert torch.allclose(found, exact, rtol=1e-3, atol=1e-4)
    assert activations.nbytes == min(room, 50) * OF_ONE


def test_activations_do_not_depend_on_their_company() -> None:
    one, other = cache(1 << 20)[0], cache(0)[0]
    one.at(np.arange(50))
    for rows in (np.array([3, 40]), np.arange(17), np.array([49] * 3)):
        assert torch.equal(one.at(rows), other.at(rows))


def test_what_is_kept_is_not_computed_again() -> None:
    activations, module, _ = cache(1 << 20)
    activations.at(np.arange(32))
    assert module.bottoms == 32
    activations.at(np.arange(32)[::-1].copy())
    assert module.bottoms == 32
    activations.at(np.arange(30, 40))
    assert module.bottoms == 48, "eight new ones, in a chunk of sixteen"


def test_activations_beyond_half_precision_are_held_at_its_edge() -> None:
    pixels, _ = nets.task(n=4)
    large = Activations(Pixels(pixels, 1, "even", 0), lambda x: x.float() * 1e6, Device("cpu"), 1 << 20)
    assert torch.isfinite(large.at(np.arange(4))).all()


def test_batches_ahead_are_made_once_and_are_the_same() -> None:
    for ahead in (False, True):
        made: list[int] = []

        def make(step: int, made: list[int] = made) -> int:
            made.append(step)
            return step * step

        batches = Ahead(make, ahead)
        for step in (0, 1, 2, 7):
            assert batches.at(step) == step * step
            batches.prepare(step + 1)
        assert made == ([0, 1, 2, 3, 7, 8] if ahead else [0, 1, 2, 7])
