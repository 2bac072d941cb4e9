"""Where a network is trained: a CPU or a CUDA card, behind one interface, and whether half precision pays there."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from headstart.errors import BadInput

Name = Literal["cpu", "cuda"]
NAMES: tuple[Name, ...] = ("cpu", "cuda")
_GAIN = 1.1  # half precision costs digits: it must be so many times faster
_ROUNDS = 2  # timed steps of either precision, after one that is not
_SAMPLES = 16  # in a step of the probe
_HOPELESS = 5.0  # times as slow in its first step: nothing that comes later will make up for it


class Capability(Protocol):
    """What a machine has."""

    def has(self, name: Name) -> bool:
        """Whether the device is there."""
        ...

    def half(self, name: Name) -> bool:
        """Whether it may gain from bfloat16: its instructions do not merely emulate it."""
        ...


class Machine:
    """The capability of the machine that this runs on, as torch tells it."""

    def has(self, name: Name) -> bool:
        return name == "cpu" or bool(torch.cuda.is_available())

    def half(self, name: Name) -> bool:
        if (
            name == "cpu"
        ):  # with AVX2 alone bfloat16 is emulated: measured 9 to 12 times slower, on any network
            return bool(torch.backends.cpu.get_cpu_capability() != "AVX2")
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))


@dataclass(frozen=True)
class Device:
    """Where and in which precision steps are computed.

    half: forward passes of training run under bfloat16 autocast (weights stay float32; predictions never do).
    ahead: the next batch is gathered and sent while the present one is computed.
    check_every: steps between two looks at the loss; each look waits for the device.
    """

    name: Name = "cpu"
    half: bool = False
    ahead: bool = False
    check_every: int = 1

    @staticmethod
    def choose(prefer: str | None = None, capability: Capability | None = None) -> Device:
        """The card where there is one, else the CPU; `prefer` names one. Raises BadInput where that is not there."""
        machine = capability or Machine()
        if prefer is not None and prefer not in NAMES:
            raise BadInput(f"there is no device {prefer!r}: give one of {', '.join(NAMES)}")
        wanted: Sequence[Name] = [name for name in reversed(NAMES) if prefer in (None, name)]
        for name in wanted:
            if machine.has(name):
                card = name == "cuda"
                return Device(name, card and machine.half(name), ahead=card, check_every=10 if card else 1)
        raise BadInput(f"this machine has no device {prefer!r} that torch can use: leave it out, or give cpu")

    def probed(
        self, module: torch.nn.Module, pixels: NDArray[np.uint8], machine: Capability | None = None
    ) -> Device:
        """This device with `half` as a short measurement on the module says; the module is left as it was.

        pixels: uint8 [b, h, w, 3] or [b, m, h, w, 3], a batch as training will see it, of which 16 samples are used.
        On a card bfloat16 is taken where it is native, unmeasured. Costs up to six small training steps on a CPU that
        may gain from it, else nothing; a run whose results must not depend on measured times does without it.
        """
        if self.name != "cpu" or not (machine or Machine()).half(self.name):
            return self
        trial = self.placed(copy.deepcopy(module)).train()
        plain, half = replace(self, half=False), replace(self, half=True)
        some = pixels[:_SAMPLES]
        with self.seeded(0):
            single = _times(plain, trial, some, math.inf)
            other = _times(half, trial, some, _HOPELESS * max(single))
        return half if pays(single, other) else plain

    def placed(self, module: torch.nn.Module) -> torch.nn.Module:
        """The module (itself) on this device, its convolutions with channels last."""
        there: Any = module.to(self.name)
        there.to(memory_format=torch.channels_last)
        return module

    def upload(self, array: NDArray[Any]) -> torch.Tensor:
        """An array on this device, as it is (bytes stay bytes); shares memory with it on a CPU."""
        tensor = torch.from_numpy(array)
        if self.name == "cpu":
            return tensor
        return tensor.pin_memory().to(self.name, non_blocking=True)

    def mixed(self) -> AbstractContextManager[Any]:
        """Inside, forward passes are in half precision where this device is to do so."""
        if not self.half:
            return nullcontext()
        return torch.autocast(self.name, torch.bfloat16)

    @contextmanager
    def seeded(self, seed: int) -> Iterator[None]:
        """Inside, what torch draws on this device (dropout) follows from `seed`; the stream outside is untouched."""
        generator = self._generator()
        before = generator.get_state()
        generator.manual_seed(seed)
        try:
            yield
        finally:
            generator.set_state(before)

    def _generator(self) -> torch.Generator:
        if self.name == "cpu":
            return torch.default_generator
        return torch.cuda.default_generators[torch.cuda.current_device()]

    def finish(self) -> None:
        """Wait until everything sent to the device is computed."""
        if self.name == "cuda":
            torch.cuda.synchronize()


def pays(plain: Sequence[float], half: Sequence[float]) -> bool:
    """Whether half precision is worth it, by seconds of equal steps: the fastest of each decides."""
    return min(half) * _GAIN < min(plain)


def _times(device: Device, module: torch.nn.Module, pixels: NDArray[np.uint8], most: float) -> list[float]:
    """Seconds of some training steps, the first of which, with all that is set up in it, does not count.

    Where that alone takes more than `most` seconds, it is the answer: emulated arithmetic is slower by tens.
    """

    def step() -> float:
        started = time.perf_counter()
        with device.mixed():
            out = module(device.upload(pixels))
        out.float().square().mean().backward()
        module.zero_grad()
        device.finish()
        return time.perf_counter() - started

    first = step()
    return [first] if first > most else [step() for _ in range(_ROUNDS)]
