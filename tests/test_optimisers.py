"""How weights are moved: as torch's own optimisers do, at a rate per block and moment."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

import nets  # noqa: E402
from headstart.transfer.optimisers import Average, optimiser, parameters, rate, set_rate  # noqa: E402


def moved(moving: Any, module: Any, steps: int = 4) -> list[Any]:
    generator = torch.Generator().manual_seed(0)
    for _ in range(steps):
        x = torch.rand(8, 8, 8, 3, generator=generator)
        moving.zero_grad()
        module(x).square().mean().backward()
        moving.step()
    return [p.detach().clone() for p in module.parameters()]


def by_hand(kind: str, module: Any) -> Any:
    if kind == "sgd":
        return torch.optim.SGD(module.parameters(), 0.01, momentum=0.9, nesterov=True, weight_decay=1e-2)
    return {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[kind](
        module.parameters(), 0.01, weight_decay=1e-2
    )


@pytest.mark.parametrize("kind", ["sgd", "adam", "adamw"])
def test_it_is_the_optimiser_of_its_name(kind: str) -> None:
    one, other = nets.Net(dropout=0.0), nets.Net(dropout=0.0)
    ours = optimiser(nets.recipe(optimiser=kind, rate=0.01, weight_decay=1e-2), one)
    for found, exact in zip(moved(ours, one), moved(by_hand(kind, other), other), strict=True):
        assert torch.allclose(found, exact, rtol=1e-4, atol=1e-6)


def test_the_rate_falls_from_the_classifier_down() -> None:
    module = nets.Net()
    ours = optimiser(nets.recipe(layer_decay=0.5), module)
    set_rate(ours, 0.1)
    rates = {id(p): group["lr"] for group in ours.param_groups for p in group["params"]}
    assert rates[id(module.linear.weight)] == 0.1
    assert rates[id(module.parts[1][0].weight)] == pytest.approx(0.05)
    assert rates[id(module.parts[0][0].weight)] == pytest.approx(0.025)
    assert len(rates) == len(list(module.parameters())) == len(parameters(ours))


def test_frozen_blocks_are_not_moved() -> None:
    module = nets.Net()
    module.train_last(1)
    ours = optimiser(nets.recipe(layer_decay=0.5), module)
    assert {id(p) for p in parameters(ours)} == {id(p) for p in module.parameters() if p.requires_grad}
    assert [group["scale"] for group in ours.param_groups] == [1.0, 0.5]


def test_a_module_without_blocks_has_one_rate() -> None:
    ours = optimiser(nets.recipe(layer_decay=0.5), torch.nn.Linear(3, 2))
    assert [group["scale"] for group in ours.param_groups] == [1.0]


def test_the_rate_over_time() -> None:
    plain = nets.recipe()
    assert [rate(plain, epoch, 0) for epoch in (0.0, 1.0, 100.0)] == [1.0] * 3
    cosine = nets.recipe(epochs=10, schedule="cosine", warmup=0.2)
    course = [rate(cosine, epoch / 10, 10) for epoch in range(131)]
    top = course.index(1.0)
    assert top == 20
    assert course[:top] == sorted(course[:top])
    assert course[top:] == sorted(course[top:], reverse=True)
    assert course[10] == pytest.approx(0.5)
    assert course[60] == pytest.approx(0.505)
    assert min(course) == course[100] == course[130] == pytest.approx(0.01)
    assert rate(nets.recipe(warmup=0.5), 2.5, 0) == 0.5, "an open end: a share of ten passes"
    assert 0 < rate(nets.recipe(epochs=1, schedule="cosine", warmup=1.0), 1.0, 1) <= 1


def test_an_average_follows_weights_and_statistics() -> None:
    module = nets.Net(dropout=0.0)
    ours = optimiser(nets.recipe(rate=0.05), module)
    average = Average(module, parameters(ours))
    own = {key: value.clone().double() for key, value in module.state_dict().items()}
    for _ in range(5):
        moved(ours, module, 1)
        average.follow(0.8)
        for key, value in module.state_dict().items():
            if value.is_floating_point():
                own[key] = 0.8 * own[key] + 0.2 * value.double()
    for key, value in average.module.state_dict().items():
        assert torch.allclose(value.double(), own[key], atol=1e-5), key
    assert not average.module.training
    assert not any(p.requires_grad for p in average.module.parameters())
    assert module.training
