"""RMSprop beyond the contract: steps by hand, its bound, a steady gradient, Adam without a mean, its state."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from livegrad.optimizers.rmsprop import RMSprop, update

OPTIONS = {"lr": 0.1, "alpha": 0.9, "eps": 1e-8, "weight_decay": 0.0, "momentum": 0.0, "maximize": False}


def one(x: float) -> torch.Tensor:
    return torch.tensor(x, dtype=torch.float64)


def test_two_steps_equal_those_computed_by_hand() -> None:
    p, v = one(1.0), one(0.0)
    update(one(2.0), p, v, **OPTIONS)
    # v = 0.1 · 4 = 0.4: a step of 0.1 · 2 / √0.4.
    first = 1 - 0.2 / (math.sqrt(0.4) + 1e-8)
    assert (v.item(), p.item()) == (pytest.approx(0.4, rel=1e-15), pytest.approx(first, rel=1e-14))
    update(one(-1.0), p, v, **OPTIONS)
    # v = 0.9 · 0.4 + 0.1 = 0.46.
    assert v.item() == pytest.approx(0.46, rel=1e-15)
    assert p.item() == pytest.approx(first + 0.1 / (math.sqrt(0.46) + 1e-8), rel=1e-14)


def test_a_centered_step_with_momentum_equals_one_computed_by_hand() -> None:
    p, v, mean, m = one(1.0), one(0.4), one(0.2), one(3.0)
    update(one(-1.0), p, v, mean, m, **(OPTIONS | {"momentum": 0.5}))
    # v = 0.46, mean = 0.9 · 0.2 - 0.1 = 0.08; m = 0.5 · 3 - 1 / √(0.46 - 0.0064).
    want = 1.5 - 1 / (math.sqrt(0.46 - 0.0064) + 1e-8)
    assert mean.item() == pytest.approx(0.08, rel=1e-14)
    assert m.item() == pytest.approx(want, rel=1e-14)
    assert p.item() == pytest.approx(1 - 0.1 * want, rel=1e-14)


@settings(deadline=None, max_examples=50)
@given(st.floats(0, 0.999), st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=30))
def test_no_step_is_longer_than_lr_over_the_root_of_one_minus_alpha(alpha: float, gradients: list[float]) -> None:
    p = one(0.0).requires_grad_()
    optimizer = RMSprop([p], lr=1.0, alpha=alpha)
    for g in gradients:
        before = p.item()
        p.grad = one(g)
        optimizer.step()
        assert abs(p.item() - before) <= (1 + 1e-9) / math.sqrt(1 - alpha)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("gradient", [0.1, 0.3, 1.0, 3.7])
def test_centered_on_a_steady_gradient_it_stays_finite(dtype: torch.dtype, gradient: float) -> None:
    p = torch.zeros(1, dtype=dtype, requires_grad=True)
    optimizer = RMSprop([p], centered=True)
    p.grad = torch.full((1,), gradient, dtype=dtype)
    for _ in range(4000):
        optimizer.step()
    assert p.isfinite().all()


def test_there_torch_takes_the_root_of_a_negative_number() -> None:
    """Why the file departs from torch; when this fails, torch has mended it, and the docstring may say less."""
    p = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.RMSprop([p], centered=True)
    p.grad = torch.full((1,), 0.1, dtype=torch.float64)
    for _ in range(4000):
        optimizer.step()
    assert p.isnan().all()


def test_with_a_rate_that_corrects_the_cold_start_it_is_torchs_adam_without_a_mean() -> None:
    p, q = torch.linspace(-2, 2, 9).double().requires_grad_(), torch.linspace(-2, 2, 9).double().requires_grad_()
    mine, adam = RMSprop([p], alpha=0.99, eps=0.0), torch.optim.Adam([q], lr=0.02, betas=(0.0, 0.99), eps=1e-300)
    for t in range(1, 51):
        mine.param_groups[0]["lr"] = 0.02 * math.sqrt(1 - 0.99**t)
        for w in (p, q):
            w.grad = torch.sin(3 * w.detach()) + 0.3 * w.detach()
        mine.step()
        adam.step()
    torch.testing.assert_close(p, q, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("options", "numbers"),
    [({}, 1), ({"centered": True}, 2), ({"momentum": 0.9}, 2), ({"centered": True, "momentum": 0.9}, 3)],
)
def test_the_state_is_one_number_a_weight_and_one_more_for_each_option(options: dict[str, float], numbers: int) -> None:
    p = torch.ones(7, 3, requires_grad=True)
    optimizer = RMSprop([p], **options)
    p.grad = torch.ones(7, 3)
    optimizer.step()
    assert sum(x.numel() for x in optimizer.state[p].values() if isinstance(x, torch.Tensor)) == numbers * 21


def test_centered_and_momentum_may_be_switched_on_in_mid_run() -> None:
    p = one(1.0).requires_grad_()
    optimizer = RMSprop([p])
    for options in ({}, {"momentum": 0.9}, {"centered": True}, {"momentum": 0.0}):
        optimizer.param_groups[0].update(options)
        p.grad = p.detach().clone()
        optimizer.step()
        assert p.isfinite()
