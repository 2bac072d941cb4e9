"""Where training runs: chosen by what is there, and half precision only where it is measured to pay."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import nets  # noqa: E402
from headstart.errors import BadInput  # noqa: E402
from headstart.transfer.device import Device, Machine, pays  # noqa: E402


@dataclass(frozen=True)
class Described:
    """A machine that is described rather than looked at."""

    card: bool
    native: bool

    def has(self, name: str) -> bool:
        return name == "cpu" or self.card

    def half(self, name: str) -> bool:
        return self.native


def test_a_card_is_taken_where_there_is_one() -> None:
    assert Device.choose(None, Described(False, False)) == Device("cpu")
    card = Device.choose(None, Described(True, True))
    assert (card.name, card.half, card.ahead) == ("cuda", True, True)
    assert not Device.choose(None, Described(True, False)).half
    assert card.check_every > 1, "to look at the loss is to wait for the card"
    assert Device.choose("cpu", Described(True, True)) == Device("cpu")


def test_what_is_not_there_is_refused() -> None:
    with pytest.raises(BadInput, match=r"no device 'cuda' that torch can use"):
        Device.choose("cuda", Described(False, False))
    with pytest.raises(BadInput, match=r"no device 'tpu': give one of cpu, cuda"):
        Device.choose("tpu")


def test_this_machine_has_a_processor() -> None:
    assert Machine().has("cpu")
    assert Device.choose("cpu", Machine()) == Device.choose("cpu")


def test_half_precision_must_pay() -> None:
    assert pays([1.0, 1.2], [0.8, 3.0])
    assert not pays([1.0, 1.2], [0.95, 0.96])
    assert not pays([1.0], [2.0])


def test_a_probe_measures_and_leaves_no_trace() -> None:
    module, (pixels, _) = nets.Net(), nets.task(n=8)
    before = {key: value.clone() for key, value in module.state_dict().items()}
    random = torch.get_rng_state()
    found = Device("cpu").probed(module, pixels, Described(False, True))
    assert found in (Device("cpu"), Device("cpu", half=True))
    assert module.training
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())
    assert all(parameter.grad is None for parameter in module.parameters())
    assert torch.equal(random, torch.get_rng_state())


def test_a_probe_gives_up_early_where_half_precision_is_hopeless() -> None:
    """A network that is slow in half precision alone is not asked twice."""
    calls = []

    class Slow(nets.Net):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            half = torch.is_autocast_enabled("cpu")
            calls.append(half)
            time.sleep(1.5 if half else 0.0)
            return super().forward(x)

    pixels, _ = nets.task(n=20)
    assert Device("cpu").probed(Slow(), pixels, Described(False, True)) == Device("cpu")
    assert calls == [False, False, False, True]


def test_no_probe_where_there_is_nothing_to_choose() -> None:
    module, (pixels, _) = nets.Net(), nets.task(n=8)
    assert Device("cpu").probed(module, pixels, Described(False, False)) == Device("cpu")
    card = Device("cuda", half=True)
    assert card.probed(module, pixels, Described(True, True)) is card


def test_half_precision_is_in_the_forward_pass_alone() -> None:
    layer = torch.nn.Linear(3, 2)
    for half, dtype in ((True, torch.bfloat16), (False, torch.float32)):
        with Device("cpu", half=half).mixed():
            assert layer(torch.ones(1, 3)).dtype == dtype
    assert layer.weight.dtype == torch.float32


def test_a_seed_holds_inside_only() -> None:
    device = Device("cpu")
    torch.manual_seed(5)
    first = torch.rand(3)
    torch.manual_seed(5)
    with device.seeded(9):
        inside = torch.rand(3)
    assert torch.equal(torch.rand(3), first)
    with device.seeded(9):
        assert torch.equal(torch.rand(3), inside)
    with pytest.raises(KeyError), device.seeded(9):
        raise KeyError
    torch.manual_seed(5)
    assert torch.equal(torch.rand(3), first)


def test_bytes_stay_bytes_and_channels_come_last() -> None:
    device = Device("cpu")
    array = np.arange(6, dtype=np.uint8)
    there = device.upload(array)
    assert there.dtype == torch.uint8
    assert there.tolist() == array.tolist()
    module = nets.Net()
    assert device.placed(module) is module
    assert module.parts[1][0].weight.is_contiguous(memory_format=torch.channels_last)
    device.finish()
