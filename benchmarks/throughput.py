"""Training: our Trainer beside a bare torch loop of the same network and batch, interleaved, images per CPU second.

    python -m benchmarks.throughput [--networks small@32,small@64,lite0@64] [--rounds 7] [--out FILE.md]

The bare loop is what one writes by hand: the pixels in one uint8 tensor with channels last, a random order per
epoch, forward, cross entropy, backward, the optimiser of torch as it comes, and nothing else: no copies to go back
to, no watch over the loss, no schedule. One thread. Each round times both for the same number of steps, the order
turned around from round to round; the ratio is that of each round, so that what else the machine does cancels out.
With "last 2 blocks" the bare loop trains on activations that were computed before, in float32, all of them in memory.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from headstart.transfer.networks import build
from headstart.transfer.training import Trainer
from headstart.words.recipe import Recipe

CLASSES, SAMPLES, SECONDS = 20, 512, 1.5
PLAIN = ("adam", "sgd")
EXTRAS = {
    "augmentation shift": {"augmentation": "shift"},
    "augmentation light": {"augmentation": "light"},
    "mixup": {"mixing": "mixup"},
    "averaging .99": {"averaging": 0.99},
}


@dataclass(frozen=True)
class Line:
    """Images per CPU second in each round, of the bare loop and of ours."""

    what: str
    bare: NDArray[np.float64]
    ours: NDArray[np.float64]

    def cells(self) -> list[str]:
        ratio = self.ours / self.bare
        low, high = np.percentile(ratio, (25, 75))
        rates = [f"{np.median(part):.0f}" for part in (self.bare, self.ours)]
        return [self.what, *rates, f"{np.median(ratio):.3f}", f"{low:.3f} to {high:.3f}"]


def bare_loop(recipe: Recipe, pixels: NDArray[np.uint8], targets: NDArray[np.int64]) -> Callable[[], None]:
    """One step by hand."""
    module = build(recipe, CLASSES, seed=0).to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    kinds = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
    if recipe.optimiser == "sgd":
        moving: torch.optim.Optimizer = torch.optim.SGD(
            module.parameters(), recipe.rate, momentum=0.9, nesterov=True
        )
    else:
        moving = kinds[recipe.optimiser](module.parameters(), recipe.rate)
    x, y = torch.from_numpy(pixels), torch.from_numpy(targets)
    waiting: list[torch.Tensor] = []
    forward = module
    if recipe.blocks is not None:
        module.train_last(recipe.blocks)
        x, forward = torch.cat([module.bottom(part) for part in x.split(64)]), module.top

    def step() -> None:
        if not waiting:
            waiting.extend(torch.randperm(len(x)).split(recipe.batch))
        rows = waiting.pop()
        loss = F.cross_entropy(forward(x[rows]), y[rows])
        moving.zero_grad()
        loss.backward()
        moving.step()

    return step


def measured(what: str, recipe: Recipe, plain: Recipe, rounds: int) -> Line:
    """Ours by `recipe` against the bare loop by `plain`."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (SAMPLES, recipe.pixels, recipe.pixels, 3), dtype=np.uint8)
    targets = rng.integers(0, CLASSES, SAMPLES)
    bare = bare_loop(plain, pixels, targets)
    trainer = Trainer(
        build(recipe, CLASSES, seed=0), recipe, CLASSES, "single", pixels, targets, np.arange(SAMPLES), 0
    )
    runners: list[Callable[[], object]] = [bare, trainer.step]
    steps = _enough(bare)
    seconds(
        trainer.step, 2 if recipe.blocks is None else 2 * SAMPLES // recipe.batch
    )  # a cache fills in one pass
    found: list[list[float]] = [[], []]
    for round_ in range(rounds):
        for side in (0, 1) if round_ % 2 else (1, 0):
            found[side].append(recipe.batch * steps / seconds(runners[side], steps))
    return Line(what, np.array(found[0]), np.array(found[1]))


def _enough(step: Callable[[], object]) -> int:
    """Steps that take about `SECONDS`."""
    seconds(step, 2)
    return max(4, round(SECONDS / (seconds(step, 3) / 3)))


def seconds(step: Callable[[], object], steps: int) -> float:
    """CPU seconds of some steps."""
    started = time.process_time()
    for _ in range(steps):
        step()
    return time.process_time() - started


def lines(names: list[str], rounds: int) -> list[Line]:
    """Each network with both optimisers, then what the additions cost on the first one."""
    found = []
    for place, name in enumerate(names):
        network, pixels = name.split("@")
        weights = "random" if network != "lite0" else "pretrained"
        for batch in (128, 16) if place == 0 else (32,):
            for kind in PLAIN:
                recipe = Recipe(network, int(pixels), weights=weights, optimiser=kind, batch=batch)  # type: ignore[arg-type]
                found.append(measured(f"{name}, batch {batch}, {kind}", recipe, recipe, rounds))
                print("  ".join(found[-1].cells()), flush=True)
    last = Recipe("lite0", 64, blocks=2)
    found.append(measured("lite0@64, batch 32, adam, last 2 blocks", last, last, rounds))
    print("  ".join(found[-1].cells()), flush=True)
    network, pixels = names[0].split("@")
    plain = Recipe(network, int(pixels), weights="random", batch=64)
    for what, change in EXTRAS.items():
        found.append(measured(f"{names[0]}, batch 64, adam, {what}", replace(plain, **change), plain, rounds))  # type: ignore[arg-type]
        print("  ".join(found[-1].cells()), flush=True)
    return found


def table(found: list[Line]) -> str:
    """Markdown."""
    head = ["network, batch, optimiser", "bare loop", "Trainer", "ratio, median", "its middle half"]
    rows = [head, ["---", *["--:"] * 4], *(line.cells() for line in found)]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--networks", default="small@32,small@64,lite0@64")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    text = table(lines(options.networks.split(","), options.rounds))
    if options.out:  # the table alone: the words around it name the machine
        options.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
