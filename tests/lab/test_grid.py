"""Networks trained side by side end where each would have ended alone."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from livegrad.foundations.training import accuracy
from livegrad.lab.grid import Grid
from livegrad.lab.networks import mlp


def data() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(10, 3, generator=generator), torch.randint(0, 2, (10,), generator=generator)


def nets(n: int) -> list[nn.Module]:
    torch.manual_seed(0)
    return [mlp([3, 5, 2], nn.Tanh) for _ in range(n)]


def test_each_model_takes_the_steps_it_would_take_alone() -> None:
    x, y = data()
    models, lrs = nets(3), [0.1, 0.5, 2.0]
    ensemble = Grid(models, lrs)
    losses = ensemble.fit(x, y, steps=4, batch_size=10)
    for i, (model, lr) in enumerate(zip(models, lrs, strict=True)):
        sgd = torch.optim.SGD(model.parameters(), lr=lr)
        for step in range(4):
            sgd.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            torch.testing.assert_close(losses[step, i], loss.detach())
            loss.backward()
            sgd.step()
        torch.testing.assert_close(ensemble(x)[i], model(x).detach())
        assert ensemble.accuracy(x, y)[i] == accuracy(model, x, y)


def test_an_epoch_holds_whole_batches_only_and_sees_no_example_twice() -> None:
    count = nn.Linear(10, 1, bias=False)
    nn.init.zeros_(count.weight)
    grid = Grid([count], [1.0])
    # With one-hot inputs and the loss -sum(out), each step adds 1 to the weights of the examples it saw.
    grid.fit(torch.eye(10), torch.zeros(10), steps=3, batch_size=3, loss=lambda out, _: -out.sum())
    assert sorted(grid(torch.eye(10)).flatten().tolist()) == [0.0] + [1.0] * 9
    grid.fit(torch.eye(10), torch.zeros(10), steps=6, batch_size=3, loss=lambda out, _: -out.sum())
    assert grid(torch.eye(10)).sum() == 27


def test_the_given_models_are_not_changed() -> None:
    x, y = data()
    models = nets(2)
    before = [p.clone() for model in models for p in model.parameters()]
    Grid(models, [1.0, 1.0]).fit(x, y, steps=2, batch_size=5)
    after = [p for model in models for p in model.parameters()]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_the_seed_fixes_the_batches() -> None:
    x, y = data()

    def run(seed: int) -> Tensor:
        return Grid(nets(1), [0.1]).fit(x, y, steps=6, batch_size=4, seed=seed)

    assert torch.equal(run(0), run(0))
    assert not torch.equal(run(0), run(1))


def test_a_model_that_ran_away_has_no_accuracy() -> None:
    x, y = data()
    models = nets(2)
    with torch.no_grad():
        next(models[1].parameters()).fill_(math.nan)
    found = Grid(models, [0.1, 0.1]).accuracy(x, y)
    assert math.isfinite(found[0])
    assert math.isnan(found[1])


@pytest.mark.parametrize(
    ("models", "lrs", "message"),
    [
        (0, [], "lrs must hold one rate per model, at least 1, got 0 for 0"),
        (2, [0.1], "lrs must hold one rate per model, at least 1, got 1 for 2"),
        (1, [0.0], r"lrs must all be positive and finite, got \[0\.0\]"),
        (1, [math.nan], r"lrs must all be positive and finite, got \[nan\]"),
    ],
)
def test_models_and_rates_must_fit(models: int, lrs: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Grid(nets(models), lrs)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps must be at least 1, got 0"),
        ({"steps": 1, "batch_size": 11}, r"batch_size must be in \[1, 10\], got 11"),
        ({"steps": 1, "batch_size": 0}, r"batch_size must be in \[1, 10\], got 0"),
    ],
)
def test_wrong_counts_are_refused(options: dict[str, int], message: str) -> None:
    x, y = data()
    with pytest.raises(ValueError, match=message):
        Grid(nets(1), [0.1]).fit(x, y, **options)
