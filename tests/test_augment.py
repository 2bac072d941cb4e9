"""Changed batches: in range, repeatable, alike over the frames of a clip, and mixed in the share that is told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from headstart.transfer.augment import MAPS, augmented, mixed  # noqa: E402

HOW: tuple[Any, ...] = ("none", "shift", "flip", "light")


def pictures(*shape: int) -> Any:
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("shape", [(5, 9, 9, 3), (4, 3, 8, 10, 3), (1, 8, 8, 3)])
def test_shape_and_range_stay(how: Any, shape: tuple[int, ...]) -> None:
    x = pictures(*shape)
    before = x.clone()
    changed = augmented(x, how, rng())
    assert changed.shape == x.shape
    assert 0 <= float(changed.min()) <= float(changed.max()) <= 255
    assert changed.dtype == (torch.uint8 if how in ("none", "flip") else torch.float32)
    assert torch.equal(x, before), "the caller's pixels are left alone"
    assert torch.equal(changed, augmented(x, how, rng()))


def test_nothing_is_done_where_nothing_is_asked_for() -> None:
    x = pictures(4, 8, 8, 3)
    assert augmented(x, "none", rng()) is x
    assert mixed(x, "none", rng()) == (x, 1.0)
    assert mixed(x[:1], "mixup", rng())[1] == 1.0


def test_a_flip_mirrors_about_half_left_to_right() -> None:
    x = pictures(200, 4, 5, 3)
    changed = augmented(x, "flip", rng())
    same = [bool((a == b).all()) for a, b in zip(x, changed, strict=True)]
    mirrored = [bool((a.flip(1) == b).all()) for a, b in zip(x, changed, strict=True)]
    assert all(a or b for a, b in zip(same, mirrored, strict=True))
    assert 70 < sum(same) < 130


def test_a_shift_moves_a_little() -> None:
    """The brightest spot of each picture stays within a tenth of the side and the scale's part of it."""
    x = torch.zeros(50, 40, 40, 3)
    x[:, 19:21, 19:21] = 255
    places = augmented(x, "shift", rng()).mean(3).flatten(1).argmax(1)
    rows, columns = places // 40, places % 40
    assert float((rows - 19.5).abs().max()) < 0.1 * 40 * 1.3 + 1
    assert len(set(zip(rows.tolist(), columns.tolist(), strict=True))) > 10
    flat = torch.full((3, 8, 8, 3), 100.0)
    assert torch.allclose(augmented(flat, "shift", rng()), flat), "borders are repeated, not blackened"


@pytest.mark.parametrize("how", HOW)
def test_the_frames_of_a_clip_change_alike(how: Any) -> None:
    x = pictures(6, 1, 8, 8, 3).expand(6, 4, 8, 8, 3).contiguous()
    changed = augmented(x, how, rng())
    assert all(torch.allclose(changed[:, 0], changed[:, k]) for k in range(4))
    alone = augmented(x[:, 0].contiguous(), how, rng())
    assert torch.allclose(changed[:, 0].float(), alone.float(), atol=1e-3)


def test_light_changes_brightness_and_contrast_for_each_picture() -> None:
    flat = torch.full((20, 8, 8, 3), 127.5)
    means = augmented(flat, "light", rng()).mean((1, 2, 3))
    assert 10 < float(means.max() - means.min()) <= 64
    assert len(set(means.tolist())) == 20


def test_mixup_is_the_mean_in_its_shares() -> None:
    x = pictures(6, 8, 8, 3)
    out, share = mixed(x, "mixup", rng(3))
    assert 0 < share < 1
    assert torch.allclose(out, share * x.float() + (1 - share) * x.float().flip(0), atol=1e-3)


@pytest.mark.parametrize("shape", [(6, 10, 12, 3), (6, 2, 10, 12, 3)])
def test_cutmix_puts_a_rectangle_of_the_other_in_its_place(shape: tuple[int, ...]) -> None:
    x = pictures(*shape)
    for seed in range(10):
        out, share = mixed(x, "cutmix", rng(seed))
        assert out.dtype == torch.uint8
        own, other = (out == x).all(-1), (out == x.flip(0)).all(-1)
        assert bool((own | other).all())
        assert float((~own).float().mean()) == pytest.approx(1 - share, abs=0.01)
        same = own.reshape(-1, *shape[-3:-1])
        assert bool((same == same[:1]).all()), "the same rectangle in all samples and frames"


def test_activations_are_cut_over_their_map() -> None:
    x = torch.randn(4, 1, 5, 6, 3)
    out, share = mixed(x, "cutmix", rng(2), MAPS)
    own = (out == x).all(2)
    assert float((~own).float().mean()) == pytest.approx(1 - share)


def test_vectors_are_mixed_instead_of_cut() -> None:
    x = torch.randn(4, 7)
    out, share = mixed(x, "cutmix", rng(2), None)
    assert torch.allclose(out, share * x + (1 - share) * x.flip(0))
