"""The trainer: it learns, goes on as if it had never stopped, keeps true copies, and does not crash."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import nets  # noqa: E402
from headstart.errors import BadModel  # noqa: E402
from headstart.store import tensors as safetensors  # noqa: E402
from headstart.transfer.device import Device  # noqa: E402
from headstart.transfer.training import Trainer  # noqa: E402

RECIPES: dict[str, dict[str, Any]] = {
    "adam": {},
    "sgd": {"optimiser": "sgd", "weight_decay": 1e-6},
    "adamw": {"optimiser": "adamw", "epochs": 9, "schedule": "cosine", "warmup": 0.3, "layer_decay": 0.5},
    "averaged": {"averaging": 0.9, "dropout": 0.5, "smoothing": 0.1, "balanced": True},
    "mixup": {"mixing": "mixup", "augmentation": "light"},
    "cutmix": {"mixing": "cutmix", "augmentation": "shift"},
    "last block": {"blocks": 1, "averaging": 0.9, "mixing": "cutmix"},
    "classifier": {"blocks": 0, "norm_momentum": 0.3},
    "frozen and changed": {"blocks": 1, "augmentation": "flip"},
}


def run(trainer: Trainer, steps: int) -> Trainer:
    for _ in range(steps):
        trainer.step()
    return trainer


def same(one: dict[str, Any] | None, other: dict[str, Any] | None) -> bool:
    assert one is not None
    assert other is not None
    assert one.keys() == other.keys()
    return all(np.array_equal(one[key], other[key]) for key in one)


def stored(state: tuple[dict[str, Any], dict[str, Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """As it comes back from a file: read-only arrays, JSON."""
    content = b"".join(safetensors.encode(state[0]))
    return safetensors.decode(np.frombuffer(content, np.uint8), "x")[0], json.loads(json.dumps(state[1]))


def accuracy(trainer: Trainer, pixels: Any, targets: Any) -> float:
    logits = trainer.predict(pixels)
    assert logits.shape == (len(pixels), 3)
    assert logits.dtype == np.float32
    return float((logits.argmax(1) == targets).mean())


@pytest.mark.parametrize("change", RECIPES.values(), ids=RECIPES.keys())
def test_it_learns_what_is_easy(change: dict[str, Any]) -> None:
    if change.get("blocks") == 0:
        pytest.skip("random features of a frozen network need not suffice")
    pixels, targets = nets.task()
    trainer = run(nets.trainer(nets.recipe(**change), pixels, targets), 50)
    assert accuracy(trainer, *nets.task(seed=1)) > 0.8
    assert trainer.relapses == 0


def test_several_labels_are_learnt() -> None:
    pixels, targets = nets.task()
    both = np.zeros((len(targets), 3), np.uint8)
    both[np.arange(len(targets)), targets] = 1
    for change in ({}, {"balanced": True, "mixing": "mixup", "smoothing": 0.1}):
        trainer = run(nets.trainer(nets.recipe(**change), pixels, both), 50)
        assert accuracy(trainer, pixels, targets) > 0.9


@pytest.mark.parametrize("how", ["even", "random", "segments", "middle", "keyframe"])
def test_clips_are_learnt_from_some_of_their_frames(how: str) -> None:
    pixels, targets = nets.task(frames=6)
    trainer = run(nets.trainer(nets.recipe(frames=3, selection=how), pixels, targets), 50)
    assert accuracy(trainer, *nets.task(frames=6, seed=1)) > 0.8


@pytest.mark.parametrize("change", RECIPES.values(), ids=RECIPES.keys())
def test_a_restored_training_equals_one_that_never_stopped(change: dict[str, Any]) -> None:
    pixels, targets = nets.task(n=50)
    recipe = nets.recipe(**change)
    whole = run(nets.trainer(recipe, pixels, targets), 7)
    whole.keep()
    state = stored(whole.state())
    run(whole, 8)

    again = nets.trainer(recipe, pixels, targets, module=nets.Net(seed=0))
    run(again, 2)  # whatever happened before
    again.restore(*state)
    assert (again.steps, again.epoch) == (7, 7 * 16 / 50)
    run(again, 8)
    assert same(whole.copy(), again.copy())
    assert same(whole.best(), again.best())
    assert same(whole.state()[0], again.state()[0])
    assert whole.state()[1] == again.state()[1]
    assert np.array_equal(whole.predict(), again.predict())


CHILD = """
import json, sys, time
import nets, numpy as np
from pathlib import Path
from headstart.store import tensors
pixels, targets = nets.task(n=50)
trainer = nets.trainer(nets.recipe(averaging=0.9, mixing="mixup"), pixels, targets)
while True:
    trainer.step()
    named, plain = trainer.state()
    tensors.save(Path(sys.argv[1]), named, {"plain": json.dumps(plain)})
    time.sleep(0.02)
"""


def test_a_killed_process_loses_nothing_that_was_stored(tmp_path: Path) -> None:
    path = tmp_path / "state"
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(path)], cwd=Path(__file__).parent)
    end = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < end
        time.sleep(0.05)
    time.sleep(0.1)
    child.send_signal(signal.SIGKILL)
    child.wait()

    named, metadata = safetensors.load(path)
    pixels, targets = nets.task(n=50)
    recipe = nets.recipe(averaging=0.9, mixing="mixup")
    again = nets.trainer(recipe, pixels, targets)
    again.restore(named, json.loads(metadata["plain"]))
    steps = again.steps
    assert steps >= 1
    whole = run(nets.trainer(recipe, pixels, targets), steps + 5)
    assert same(whole.copy(), run(again, 5).copy())


def test_copies_stay_as_they_were() -> None:
    for change in ({}, {"averaging": 0.9}, {"blocks": 1}):
        pixels, targets = nets.task()
        trainer = run(nets.trainer(nets.recipe(**change), pixels, targets), 5)
        assert trainer.best() is None
        trainer.keep()
        said = trainer.predict()
        kept, best, state = trainer.copy(), trainer.best(), trainer.state()[0]
        before = {key: value.copy() for key, value in kept.items()}
        state_before = {key: value.copy() for key, value in state.items()}
        run(trainer, 10)
        assert same(kept, before)
        assert same(best, before)
        assert same(trainer.best(), before)
        assert same(state, state_before)
        assert not same(trainer.copy(), before)
        best["linear.bias"][:] = 7.0  # type: ignore[index]
        assert same(trainer.best(), before), "what is handed out is a copy too"
        finished = trainer.finished()
        assert not finished.training
        with torch.no_grad():
            assert np.allclose(finished(torch.from_numpy(pixels)).numpy(), said, atol=1e-3)


def test_a_loss_that_runs_away_lowers_the_rate_and_goes_back() -> None:
    pixels, targets = nets.task()
    trainer = nets.trainer(nets.recipe(optimiser="sgd", rate=1e-2), pixels, targets)
    run(trainer, 60)
    good = accuracy(trainer, pixels, targets)
    with torch.no_grad():
        for parameter in trainer.module.parameters():
            parameter.fill_(float("nan"))
    trainer.step()
    assert trainer.relapses == 1
    assert trainer.steps == 61
    run(trainer, 10)
    assert np.isfinite(trainer.loss)
    assert accuracy(trainer, pixels, targets) > good - 0.2


@pytest.mark.parametrize("optimiser", ["sgd", "adam", "adamw"])
@pytest.mark.parametrize("averaging", [0.0, 0.9])
def test_absurd_rates_do_not_crash(optimiser: str, averaging: float) -> None:
    pixels, targets = nets.task()
    recipe = nets.recipe(optimiser=optimiser, rate=10.0, weight_decay=0.5, averaging=averaging)
    trainer = run(nets.trainer(recipe, pixels, targets), 80)
    assert np.isfinite(trainer.predict()).all()
    assert all(np.isfinite(value).all() for value in trainer.copy().values())


def test_broken_weights_do_not_reach_a_prediction() -> None:
    pixels, targets = nets.task()
    trainer = run(nets.trainer(nets.recipe(), pixels, targets), 5)
    with torch.no_grad():
        trainer.module.linear.weight.fill_(float("inf"))
    assert np.isfinite(trainer.predict()).all()
    assert trainer.relapses == 1


def test_a_prediction_is_made_in_slices() -> None:
    pixels, targets = nets.task(n=150)
    trainer = run(nets.trainer(nets.recipe(), pixels, targets), 3)
    slices = trainer.predict_batches()
    first = next(slices)
    assert len(first) < 150
    trainer.step()
    assert trainer.module.training
    assert sum(map(len, slices), len(first)) == 150
    assert not trainer.module.training
    rows = np.array([5, 0, 5, 149])
    assert np.allclose(trainer.predict(rows=rows), trainer.predict()[rows], atol=1e-5)
    assert np.allclose(trainer.predict(pixels.copy(), rows), trainer.predict(rows=rows), atol=1e-5)
    assert trainer.predict(rows=np.zeros(0, np.int64)).shape == (0, 3)


def test_the_average_predicts() -> None:
    pixels, targets = nets.task()
    plain = run(nets.trainer(nets.recipe(), pixels, targets), 20)
    averaged = run(nets.trainer(nets.recipe(averaging=0.95), pixels, targets), 20)
    live = {k: v.numpy() for k, v in averaged.module.state_dict().items()}
    assert same(live, plain.copy()), "the average does not change training"
    assert not np.allclose(averaged.predict(), plain.predict())


def test_a_frozen_bottom_is_computed_once_and_never_changes() -> None:
    pixels, targets = nets.task()
    module = nets.Net()
    before = {k: v.clone() for k, v in module.parts[0].state_dict().items()}
    trainer = run(nets.trainer(nets.recipe(blocks=1), pixels, targets, module=module), 20)
    assert module.bottoms <= len(pixels) + 16 * 10, "filled up chunks of the first pass alone"
    trainer.predict()
    assert module.bottoms <= len(pixels) + 16 * 10
    after = module.parts[0].state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
    changed = run(nets.trainer(nets.recipe(blocks=1, augmentation="flip"), pixels, targets), 1)
    assert changed.cached_bytes == 0


def test_the_cache_keeps_to_its_bound_and_changes_nothing() -> None:
    pixels, targets = nets.task()
    of_one = 8 * 4 * 4 * 2
    found = []
    for limit in (1 << 20, 20 * of_one + 5, 0):
        trainer = nets.trainer(nets.recipe(blocks=1, averaging=0.9), pixels, targets, cache_bytes=limit)
        run(trainer, 20)
        assert trainer.cached_bytes <= limit
        found.append(trainer.copy())
    assert same(found[0], found[1])
    assert same(found[0], found[2])


def test_seeds_decide_and_nothing_else() -> None:
    pixels, targets = nets.task()
    recipe = nets.recipe(dropout=0.5, mixing="mixup", augmentation="light")
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one = run(nets.trainer(recipe, pixels, targets), 4)
    assert torch.equal(before, torch.get_rng_state()), "the caller's random numbers are left alone"
    torch.manual_seed(2)
    assert same(one.copy(), run(nets.trainer(recipe, pixels, targets), 4).copy())
    other = nets.trainer(recipe, pixels, targets, seed=1, module=nets.Net(seed=0))
    assert not same(one.copy(), run(other, 4).copy())


def test_the_way_of_a_card_gives_the_same_weights() -> None:
    pixels, targets = nets.task()
    recipe = nets.recipe(mixing="mixup")
    one = run(nets.trainer(recipe, pixels, targets), 12)
    ahead = Device("cpu", ahead=True, check_every=10)
    assert same(one.copy(), run(nets.trainer(recipe, pixels, targets, device=ahead), 12).copy())


def test_half_precision_trains_weights_of_single_precision() -> None:
    pixels, targets = nets.task()
    trainer = run(nets.trainer(nets.recipe(), pixels, targets, device=Device(half=True)), 60)
    assert accuracy(trainer, pixels, targets) > 0.8
    assert all(value.dtype == np.float32 for key, value in trainer.copy().items() if "num_batches" not in key)


def test_the_end_is_that_of_the_recipe() -> None:
    pixels, targets = nets.task(n=32)
    trainer = nets.trainer(nets.recipe(epochs=2), pixels, targets)
    used = 0
    while not trainer.done:
        used += trainer.step()
    assert (used, trainer.epoch) == (64, 2.0)
    assert not run(nets.trainer(nets.recipe(), pixels, targets), 9).done


@pytest.mark.parametrize("n", [1, 2, 5])
def test_a_handful_of_samples_will_do(n: int) -> None:
    pixels, targets = nets.task(n=n)
    trainer = run(nets.trainer(nets.recipe(mixing="cutmix", augmentation="light"), pixels, targets), 3)
    assert np.isfinite(trainer.predict()).all()


def test_samples_without_targets_are_predicted_only() -> None:
    pixels, targets = nets.task()
    trainer = Trainer(nets.Net(), nets.recipe(), 3, "single", pixels, targets[:20], np.arange(5, 20))
    assert run(trainer, 3).predict().shape == (60, 3)


def test_what_does_not_fit_is_refused() -> None:
    pixels, targets = nets.task()
    trainer = run(nets.trainer(nets.recipe(), pixels, targets), 2)
    named, plain = trainer.state()
    wider = nets.trainer(nets.recipe(), pixels, targets, module=nets.Net(width=9))
    with pytest.raises(BadModel, match=r"parts\.0\.0\.weight has the shape \[8, 3, 3, 3\]"):
        wider.restore(named, plain)
    with pytest.raises(BadModel, match=r"linear\.bias is missing"):
        trainer.restore({k: v for k, v in named.items() if k != "weights/linear.bias"}, plain)
    with pytest.raises(BadModel, match="optimiser/99/step"):
        trainer.restore(named | {"optimiser/99/step": np.float32(1)}, plain)
    with pytest.raises(BadModel, match="damaged"):
        trainer.restore(named, {"steps": 3})
    with pytest.raises(ValueError, match="no samples"):
        Trainer(nets.Net(), nets.recipe(), 3, "single", pixels, targets, np.zeros(0, np.int64))
    with pytest.raises(ValueError, match="no blocks"):
        nets.trainer(nets.recipe(blocks=1), pixels, targets, module=torch.nn.Flatten())
