"""AdaMax, NAdam and RAdam beyond the contract: steps by hand, limits, and what each is there for."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from livegrad.optimizers.adam_variants import Adamax, NAdam, RAdam, adamax, momentum, nadam, radam, rectification

OPTIONS = {"lr": 0.1, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.0, "maximize": False}


def one(x: float) -> torch.Tensor:
    return torch.tensor(x, dtype=torch.float64)


def test_two_steps_of_adamax_equal_those_computed_by_hand() -> None:
    p, m, u = one(1.0), one(0.0), one(0.0)
    adamax(one(2.0), p, m, u, t=1, **OPTIONS)
    assert u.item() == pytest.approx(2 + 1e-8, rel=1e-15)
    assert p.item() == pytest.approx(1 - 0.1 * 2 / (2 + 1e-8), rel=1e-15)
    first = p.item()
    adamax(one(-1.0), p, m, u, t=2, **OPTIONS)
    assert u.item() == pytest.approx(0.999 * (2 + 1e-8), rel=1e-15)  # the new gradient is smaller
    assert p.item() == pytest.approx(first - 0.1 * (0.08 / 0.19) / u.item(), rel=1e-14)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=30))
def test_no_step_of_adamax_is_much_longer_than_lr(gradients: list[float]) -> None:
    p = one(0.0).requires_grad_()
    optimizer = Adamax([p], lr=1.0)
    for t, g in enumerate(gradients, 1):
        before = p.item()
        p.grad = one(g)
        optimizer.step()
        # |m| ≤ Σ 0.1 · 0.9^a |g| and |g| ≤ u / 0.999^a: each gradient of age a adds at most 0.1 (0.9 / 0.999)^a u.
        bound = sum(0.1 * (0.9 / 0.999) ** a for a in range(t)) / (1 - 0.9**t)
        assert abs(p.item() - before) <= bound * (1 + 1e-12) <= 1.01


def test_one_large_gradient_shrinks_the_steps_of_adamax_for_thousands_of_steps() -> None:
    p = one(0.0).requires_grad_()
    optimizer = Adamax([p])
    p.grad = one(100.0)
    optimizer.step()
    steps = 0
    p.grad = one(1.0)
    while optimizer.state[p]["exp_inf"].item() > 1.1:
        optimizer.step()
        steps += 1
    assert steps == math.ceil(math.log(100 / 1.1) / -math.log(0.999))


def test_the_first_step_of_nadam_by_hand() -> None:
    p, m, v = one(1.0), one(0.0), one(0.0)
    mu, mu_next = 0.9 * (1 - 0.96**0.004 / 2), 0.9 * (1 - 0.96**0.008 / 2)
    assert momentum(1, 0.9, 0.004) == pytest.approx(mu, rel=1e-15)
    nadam(one(2.0), p, m, v, mu=mu, mu_next=mu_next, product=mu, decoupled_weight_decay=False, t=1, **OPTIONS)
    ahead = 2.0 + mu_next * 0.2 / (1 - mu * mu_next)  # the share of the gradient itself is corrected to 1
    assert p.item() == pytest.approx(1 - 0.1 * ahead / (2 + 1e-8), rel=1e-14)


def test_the_momentum_of_nadam_rises_from_half_of_beta_to_beta() -> None:
    values = [momentum(t, 0.9, 0.004) for t in (0, 1, 100, 10_000, 1_000_000)]
    assert values == sorted(values)
    assert values[0] == 0.45
    assert values[-1] == pytest.approx(0.9)


def test_the_product_of_momenta_is_a_number_that_a_checkpoint_keeps_exactly() -> None:
    p = torch.ones(3, dtype=torch.bfloat16, requires_grad=True)
    optimizer = NAdam([p])
    p.grad = torch.ones_like(p)
    for _ in range(3):
        optimizer.step()
    want = math.prod(momentum(t, 0.9, 0.004) for t in (1, 2, 3))
    fresh = NAdam([p])
    fresh.load_state_dict(optimizer.state_dict())
    assert fresh.state[p]["mu_product"] == optimizer.state[p]["mu_product"] == pytest.approx(want, rel=1e-15)


def test_the_first_five_steps_of_radam_are_momentum_and_the_sixth_is_short() -> None:
    p, m, v = one(0.0), one(0.0), one(0.0)
    lengths = []
    for t in range(1, 7):
        before = p.item()
        radam(one(3.0), p, m, v, decoupled_weight_decay=False, t=t, **OPTIONS)
        lengths.append(before - p.item())
    assert lengths[:5] == pytest.approx([0.3] * 5, rel=1e-12)  # lr times the gradient, whatever its scale
    assert lengths[5] == pytest.approx(0.1 * rectification(6, 0.999), rel=1e-6)


def test_the_rectification_is_the_root_of_a_ratio_of_variances_and_rises_to_one() -> None:
    values = [rectification(t, 0.999) for t in (6, 7, 10, 100, 1000, 20_000)]
    assert values == sorted(values)
    assert values[-1] == pytest.approx(1, abs=1e-3)
    assert [rectification(t, 0.999) for t in range(1, 6)] == [0.0] * 5
    # With so slow a mean rho is t, but for a thousandth; the variance of 1 / √v is rho / (2 (rho - 2) (rho - 4)).
    want = math.sqrt((1999 / (1997 * 1995)) / (6 / (4 * 2)))
    assert values[0] == pytest.approx(want, rel=1e-2)


@pytest.mark.parametrize("beta2", [0.0, 0.5, 0.6, 2 / 3])
def test_a_mean_square_of_few_gradients_is_never_used(beta2: float) -> None:
    assert all(rectification(t, beta2) == 0 for t in (1, 10, 1000))


@pytest.mark.parametrize("cls", [NAdam, RAdam])
def test_decoupled_decay_takes_the_share_lr_times_decay(cls: type[torch.optim.Optimizer]) -> None:
    weights = []
    for decay in (0.0, 0.5):
        p = one(4.0).requires_grad_()
        p.grad = one(1.0)
        cls([p], lr=0.1, weight_decay=decay, decoupled_weight_decay=True).step()
        weights.append(p.item())
    assert weights[0] - weights[1] == pytest.approx(0.1 * 0.5 * 4, rel=1e-12)
