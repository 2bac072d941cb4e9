"""From the features of frames to those of a clip."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from typing import get_args

import pytest

if importlib.util.find_spec("torch") is None:
    pytest.skip("needs headstart[torch]", allow_module_level=True)

import torch

from headstart.transfer.aggregation import Mean, Recurrent, TemporalConvolution, aggregation
from headstart.words.recipe import Aggregation

HOW = get_args(Aggregation)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Other tests want the cores too, and threads that wait for a core are slow."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def frames(b: int = 3, m: int = 5, dim: int = 12) -> torch.Tensor:
    return torch.randn(b, m, dim, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("m", [1, 2, 5])
def test_each_gives_what_it_says_for_any_number_of_frames(how: Aggregation, m: int) -> None:
    module = aggregation(how, 12).eval()
    x = frames(m=m)
    out = module(x)
    assert out.shape == (3, module.dim) and out.dtype == torch.float32
    assert torch.equal(module(x), out)
    assert torch.allclose(module(x[:1]), out[:1], atol=1e-5)  # no sample sees another


@pytest.mark.parametrize("how", HOW)
def test_each_starts_with_the_mean(how: Aggregation) -> None:
    x = frames()
    assert torch.allclose(aggregation(how, 12).eval()(x)[:, :12], x.mean(1), atol=1e-6)


def test_only_what_is_learnt_knows_the_order() -> None:
    torch.manual_seed(0)
    x = frames()
    backwards = x.flip(1)
    assert torch.allclose(Mean(12)(x), Mean(12)(backwards), atol=1e-6)
    for module in (TemporalConvolution(12).eval(), Recurrent(12).eval()):
        assert not torch.allclose(module(x), module(backwards), atol=1e-3)


@pytest.mark.parametrize("how", ["convolution", "gru"])
def test_motion_is_learnt_where_the_mean_is_blind(how: Aggregation) -> None:
    """Two classes, the same frames, played forwards or backwards."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        x = torch.linspace(-1, 1, 6).view(1, 6, 1) * torch.ones(1, 1, 4) + 0.3 * torch.randn(64, 6, 4)
        truth = torch.arange(64) % 2
        x[truth == 1] = x[truth == 1].flip(1)
        module = aggregation(how, 4)
        linear = torch.nn.Linear(module.dim, 2)
        optimiser = torch.optim.Adam([*module.parameters(), *linear.parameters()], 0.01)
        for _ in range(40):
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(linear(module(x)), truth).backward()
            optimiser.step()
        module.eval()
        assert (linear(module(x)).argmax(1) == truth).float().mean() > 0.95
