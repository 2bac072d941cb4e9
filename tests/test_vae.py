"""The autoencoder: what its decoder may see, that its likelihood is one, that it learns, that it is kept."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pytest

from conftest import draw

torch = pytest.importorskip("torch")

from headstart.errors import BadModel  # noqa: E402
from headstart.meta.autoencoder import PAPER, SMALL, VaeConfig  # noqa: E402
from headstart.meta.similarity.contract import nearest  # noqa: E402
from headstart.meta.similarity.vae_ttest import TTest  # noqa: E402
from headstart.meta.vae import Vae, as_pictures, discrepancy, log_likelihood, training  # noqa: E402

TINY = VaeConfig(8, (2, 2), 4, 8, latent=6, channels=6, resnets=1, levels=3, mixtures=2)
LEAST = dataclasses.replace(TINY, blocks=(1, 1), levels=1)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def squares(label: int, count: int, pixels: int, first: int = 0) -> np.ndarray:
    return np.stack([np.asarray(draw(label, first + n, 32).resize((pixels, pixels))) for n in range(count)])


def test_the_papers_network_has_the_papers_size() -> None:
    def count(module: torch.nn.Module) -> int:
        return sum(value.numel() for value in module.parameters())

    vae = Vae(PAPER)
    assert count(vae.encoder) == 7_347_976  # "only around 7m parameters"
    first = vae.encoder[0]
    assert (first.kernel_size, first.stride, first.padding) == ((3, 3), (1, 1), (0, 0))
    assert vae.spread.out_features == 64 * 64 * 3
    with torch.no_grad():
        assert vae.eval().encode(torch.zeros(1, 3, 64, 64))[0].shape == (1, 196)
    assert count(Vae(SMALL)) < 1_500_000


def test_a_pixel_is_told_by_those_before_it_and_the_latent_vector_only() -> None:
    vae = Vae(TINY).eval()
    generator = torch.Generator().manual_seed(0)
    x, z = torch.rand(1, 3, 8, 8, generator=generator), torch.randn(1, 6, generator=generator)
    with torch.no_grad():
        told = vae.decode(x, z)
        for row, column in itertools.product(range(8), range(8)):
            other = x.clone()
            other[:, :, row, column] -= 0.7
            moved = (vae.decode(other, z) - told).abs().sum(1).flatten()
            place = 8 * row + column
            assert moved[: place + 1].max() < 1e-6
            assert place == 63 or moved[place + 1 :].max() > 1e-6
        assert (vae.decode(x, z + 1) - told).abs().sum(1).min() > 1e-4


def test_probabilities_of_all_colours_add_up_to_one() -> None:
    generator = torch.Generator().manual_seed(0)
    parameters = torch.randn(1, 30, 1, 1, generator=generator)
    steps = torch.linspace(-1, 1, 256)
    for colour in range(3):
        # All values of one colour, the other two as they are; without coefficients colours are independent.
        fixed = parameters.clone()
        fixed.view(1, 30)[:, 3:].view(3, 3, 3)[:, 2] = 0
        fixed.view(1, 30)[:, :3] = torch.tensor([50.0, 0, 0])  # one distribution has all the weight
        pictures = torch.zeros(256, 3, 1, 1)
        pictures[:, colour, 0, 0] = steps
        logs = torch.stack([log_likelihood(one[None], fixed) for one in pictures]).double()
        rest = _of_others(torch.zeros(1, 3, 1, 1), fixed, colour)
        assert float((logs - rest).exp().sum()) == pytest.approx(1, abs=1e-3)


def _of_others(picture: torch.Tensor, fixed: torch.Tensor, colour: int) -> torch.Tensor:
    """Log probability of the colours that stay: from logistic functions directly."""
    means, scales, _ = fixed.view(1, 30)[:, 3:].view(3, 3, 3).unbind(1)
    total = torch.zeros((), dtype=torch.float64)
    for other in {0, 1, 2} - {colour}:
        mean, scale = means[other, 0].double(), scales[other, 0].double().exp()
        upper = torch.sigmoid((picture[0, other, 0, 0] + 1 / 255 - mean) / scale)
        total = total + torch.log(upper - torch.sigmoid((picture[0, other, 0, 0] - 1 / 255 - mean) / scale))
    return total


def test_far_tails_have_finite_slopes() -> None:
    parameters = torch.full((1, 20, 1, 1), -6.9).requires_grad_()
    log_likelihood(torch.full((1, 3, 1, 1), 0.9), parameters).backward()
    assert parameters.grad is not None and torch.isfinite(parameters.grad).all()


def test_discrepancy_is_small_for_equal_distributions_only() -> None:
    generator = torch.Generator().manual_seed(0)
    one, two = (torch.randn(500, 4, generator=generator) for _ in range(2))
    assert float(discrepancy(one, two)) < 0.01 < 0.1 < float(discrepancy(one, two + 2))
    assert float(discrepancy(one, one)) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("regulariser", ["mmd", "kl"])
def test_training_learns_and_equal_seeds_give_equal_networks(regulariser: str) -> None:
    config = dataclasses.replace(LEAST, regulariser=regulariser, weight=1.0)
    images = np.concatenate([squares(label, 8, 8) for label in range(2)])
    ends = []
    for steps in (16, 4, 4):
        vae = Vae(config, seed=1)
        told = list(itertools.islice(training(vae, images, seed=2, batch=4, rate=1e-2), steps))
        assert np.isfinite(told).all()
        ends.append(vae.latents(images))
        if steps == 16:
            assert np.mean(told[-3:], axis=0)[0] < told[0][0] - 0.5
    assert np.array_equal(ends[1], ends[2]) and not np.array_equal(ends[0], ends[1])
    assert ends[0].shape == (16, 6) and ends[0].std(0).max() > 0


def test_the_global_generator_is_left_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    vae = Vae(TINY, seed=3)
    next(training(vae, squares(0, 4, 8), seed=0, batch=2))
    assert torch.equal(torch.rand(1), expected)


def test_latents_do_not_depend_on_the_company_and_tell_sets_apart() -> None:
    vae = Vae(TINY)
    sets = {f"set_{label}": squares(label, 24, 8) for label in range(3)}
    vae.settle(np.concatenate(list(sets.values())))
    whole = vae.latents(sets["set_1"])
    assert np.allclose(whole[:1], vae.latents(sets["set_1"][:1]), atol=1e-5)
    ranker = TTest().fit({name: vae.latents(rows) for name, rows in sets.items()})
    for label in range(3):
        assert nearest(ranker.rank(vae.latents(squares(label, 16, 8, first=100)))) == f"set_{label}"
    with pytest.raises(ValueError, match="8, 8, 3"):
        vae.latents(squares(0, 2, 16))
    assert vae.latents(np.zeros((0, 8, 8, 3), np.uint8)).shape == (0, 6)


def test_settling_leaves_the_statistics_of_what_was_shown() -> None:
    vae = Vae(TINY)
    images = squares(0, 32, 8)
    vae.settle(images, batch=32)
    norm = vae.encoder[1]
    with torch.no_grad():
        seen = vae.encoder[0](as_pictures(images)).mean((0, 2, 3))
    assert torch.allclose(norm.running_mean, seen, atol=1e-5)
    assert norm.momentum == 0.1


def test_what_is_kept_is_what_comes_back(tmp_path: Path) -> None:
    vae, path = Vae(TINY, seed=4), tmp_path / "vae.safetensors"
    images = squares(0, 6, 8)
    next(training(vae, images, seed=0, batch=4))
    vae.save(path)
    back = Vae.load(path)
    assert back.config == TINY
    assert np.array_equal(back.latents(images), vae.latents(images))
    content = bytearray(path.read_bytes())
    path.write_bytes(content[:-4])
    with pytest.raises(BadModel):
        Vae.load(path)
    path.write_bytes(bytes(content).replace(b"latent", b"patent", 1))
    with pytest.raises(BadModel, match="no autoencoder of this version"):
        Vae.load(path)
