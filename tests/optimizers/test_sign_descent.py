"""Lion beyond the contract: steps by hand, what moves a weight and how far, its box, its floor, its state."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from livegrad.optimizers.sign_descent import Lion, update


def vector(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_three_steps_equal_those_computed_by_hand() -> None:
    p, m = vector(1.0, -2.0), vector(0.0, 0.0)
    options = {"lr": 0.1, "betas": (0.75, 0.5), "weight_decay": 0.5, "maximize": False}
    update(vector(4.0, -1.0), p, m, **options)
    assert p.tolist() == pytest.approx([0.95 - 0.1, -1.9 + 0.1], rel=1e-15)
    assert m.tolist() == pytest.approx([2.0, -0.5], rel=1e-15)
    update(vector(-5.0, 5.0), p, m, **options)
    # c = 0.75 m + 0.25 g = (0.25, 0.875): the first gradient is still felt in one weight, outvoted in the other.
    assert p.tolist() == pytest.approx([0.95 * 0.85 - 0.1, -0.95 * 1.8 - 0.1], rel=1e-15)
    assert m.tolist() == pytest.approx([-1.5, 2.25], rel=1e-15)
    before = p.tolist()
    update(vector(4.5, 0.0), p, m, **options)
    # c = (0, 1.6875): a sign of 0 leaves the decay alone.
    assert p.tolist() == pytest.approx([0.95 * before[0], 0.95 * before[1] - 0.1], rel=1e-14)


@settings(deadline=None, max_examples=30)
@given(st.floats(1e-5, 1), st.lists(st.floats(-1e6, 1e6).filter(bool), min_size=1, max_size=8))
def test_every_step_has_the_length_lr_whatever_the_gradients(lr: float, gradients: list[float]) -> None:
    p = vector(0.5).requires_grad_()
    optimizer = Lion([p], lr=lr, betas=(0.9, 0.99))
    for g in gradients:
        before = p.item()
        p.grad = vector(g)
        optimizer.step()
        assert abs(p.item() - before) in (pytest.approx(lr, rel=1e-9, abs=1e-15), 0.0)


@pytest.mark.parametrize("scale", [2.0**-60, 2.0**60])
def test_a_multiplied_loss_changes_nothing(scale: float) -> None:
    ends = []
    for factor in (1.0, scale):
        p = torch.linspace(-2, 2, 9, dtype=torch.float64).requires_grad_()
        optimizer = Lion([p], lr=0.01, weight_decay=0.1)
        for _ in range(60):
            p.grad = factor * (torch.sin(3 * p.detach()) + 0.3 * p.detach())
            optimizer.step()
        ends.append(p.detach())
    assert torch.equal(*ends)  # a power of two does not even round


def test_with_betas_of_zero_it_is_sign_descent() -> None:
    p, w = vector(1.0, -2.0, 0.0).requires_grad_(), vector(1.0, -2.0, 0.0)
    optimizer = Lion([p], lr=0.1, betas=(0.0, 0.0))
    for t in range(20):
        g = torch.sin(3 * w + t)
        p.grad = g.clone()
        w = w - 0.1 * g.sign()
        optimizer.step()
    torch.testing.assert_close(p.detach(), w, rtol=1e-13, atol=1e-13)


def test_the_step_sees_the_present_gradient_ten_times_as_strongly_as_the_mean() -> None:
    p = vector(0.0).requires_grad_()
    optimizer = Lion([p], lr=1.0)  # betas 0.9 and 0.99
    p.grad = vector(1.0)
    for _ in range(5):
        optimizer.step()
    m = optimizer.state[p]["exp_avg"].item()
    assert m == pytest.approx(1 - 0.99**5, rel=1e-12)
    for sign, opposite in ((1, 8.9 * m), (-1, 9.1 * m)):  # c = 0.9 m + 0.1 g changes its sign at g = -9 m
        trial = p.detach().clone(), vector(m)
        update(vector(-opposite), *trial, lr=1.0, betas=(0.9, 0.99), weight_decay=0.0, maximize=False)
        assert (trial[0] - p).item() == -sign


@pytest.mark.parametrize("target", [-3.0, 50.0])
def test_it_rests_at_the_minimum_inside_the_box_and_at_the_wall_outside(target: float) -> None:
    p = vector(0.0).requires_grad_()
    optimizer = Lion([p], betas=(0.5, 0.5), weight_decay=0.1)  # a short memory rests sooner
    for step in range(600):
        optimizer.param_groups[0]["lr"] = 0.3 / (1 + step / 60)
        p.grad = p.detach() - target
        optimizer.step()
    assert p.item() == pytest.approx(min(max(target, -10), 10), rel=0.03)


def test_noise_leaves_the_floor_that_the_chapter_predicts() -> None:
    lr, noise, generator = 0.01, 2.0, torch.Generator().manual_seed(0)
    p = torch.zeros(2000, dtype=torch.float64, requires_grad=True)
    optimizer, seen = Lion([p], lr=lr, betas=(0.0, 0.0)), []
    for t in range(2500):
        p.grad = p.detach() + noise * torch.randn(2000, dtype=torch.float64, generator=generator)
        optimizer.step()
        if t >= 1500 and t % 50 == 0:
            seen.append(p.detach().square().mean().item())
    # 2000 weights at some 8 independent times: a standard error of about 1 %; the formula itself is exact for small lr.
    assert sum(seen) / len(seen) == pytest.approx(lr * noise * math.sqrt(math.pi / 2) / 2, rel=0.05)


def test_the_state_is_one_number_a_weight() -> None:
    p = torch.ones(7, 3, requires_grad=True)
    optimizer = Lion([p])
    p.grad = torch.ones(7, 3)
    optimizer.step()
    assert sum(x.nbytes for x in optimizer.state[p].values()) == 4 * 21
