"""AdamW beyond the contract: its first step by hand, what its decay does and does not depend on, its box, its state."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from livegrad.optimizers.adamw import AdamW, update

OPTIONS = {"lr": 0.1, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.5, "maximize": False}


def one(x: float) -> torch.Tensor:
    return torch.tensor(x, dtype=torch.float64)


def test_two_steps_equal_those_computed_by_hand() -> None:
    p, m, v = one(4.0), one(0.0), one(0.0)
    update(one(2.0), p, m, v, t=1, **OPTIONS)
    # The decay takes 0.1 · 0.5 of the weight, 4 → 3.8; m̂ = 2 and v̂ = 4 know nothing of it: a step of 0.1.
    assert m.item() == pytest.approx(0.2, rel=1e-15)
    assert v.item() == pytest.approx(0.004, rel=1e-15)
    first = 3.8 - 0.1 * 2 / (2 + 1e-8)
    assert p.item() == pytest.approx(first, rel=1e-14)
    update(one(-1.0), p, m, v, t=2, **OPTIONS)
    step = 0.1 * (0.08 / 0.19) / (math.sqrt(0.004996 / 0.001999) + 1e-8)
    assert p.item() == pytest.approx(0.95 * first - step, rel=1e-14)


@settings(deadline=None, max_examples=50)
@given(st.floats(1e-4, 0.5), st.floats(0, 2), st.floats(-5, 5), st.lists(st.floats(-10, 10), min_size=1, max_size=20))
def test_it_is_a_step_of_torchs_adam_and_a_share_of_the_old_weight(
    lr: float, decay: float, start: float, gradients: list[float]
) -> None:
    p, plain = one(start).requires_grad_(), one(start).requires_grad_()
    mine, adam = AdamW([p], lr=lr, weight_decay=decay), torch.optim.Adam([plain], lr=lr)
    for g in gradients:
        before = p.item()
        with torch.no_grad():
            plain.copy_(p)
        p.grad, plain.grad = one(g), one(g)
        mine.step()
        adam.step()
        assert p.item() == pytest.approx(plain.item() - lr * decay * before, rel=1e-9, abs=1e-12)


@settings(deadline=None, max_examples=50)
@given(st.floats(1e-3, 0.3), st.floats(0.01, 2), st.integers(1, 60))
def test_without_gradients_the_weight_is_a_geometric_series(lr: float, decay: float, steps: int) -> None:
    p = one(3.0).requires_grad_()
    p.grad = one(0.0)
    optimizer = AdamW([p], lr=lr, weight_decay=decay)
    for _ in range(steps):
        optimizer.step()
    assert p.item() == pytest.approx(3 * (1 - lr * decay) ** steps, rel=1e-10)


def test_the_share_that_decays_does_not_depend_on_the_size_of_the_gradient() -> None:
    ends = []
    for size in (1e-3, 1.0, 1e3):
        p = torch.ones(500, dtype=torch.float64, requires_grad=True)
        optimizer, generator = AdamW([p], lr=0.01, weight_decay=0.5), torch.Generator().manual_seed(0)
        for _ in range(200):
            p.grad = size * torch.randn(500, dtype=torch.float64, generator=generator)
            optimizer.step()
        ends.append(p.detach().clone())
    # eps is 1e-8 beside gradients of 1e-3, which is the only difference.
    torch.testing.assert_close(ends[0], ends[1], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(ends[1], ends[2], rtol=1e-4, atol=1e-4)
    assert ends[1].mean().item() == pytest.approx(0.995**200, abs=0.05)


@pytest.mark.parametrize("target", [-50.0, -3.0, 7.0, 50.0])
def test_it_rests_at_the_minimum_inside_the_box_and_at_the_wall_outside(target: float) -> None:
    p = one(0.0).requires_grad_()
    optimizer = AdamW([p], lr=0.1, betas=(0.9, 0.9), weight_decay=0.1)  # a short memory rests sooner
    for step in range(3000):
        optimizer.param_groups[0]["lr"] = 0.1 / math.sqrt(1 + step / 50)
        p.grad = p.detach() - target
        optimizer.step()
    assert p.item() == pytest.approx(min(max(target, -10), 10), rel=0.03)


def test_the_decay_is_on_by_default_and_zero_switches_it_off() -> None:
    weights = {}
    for name, options in {"default": {}, "off": {"weight_decay": 0.0}}.items():
        p = one(1.0).requires_grad_()
        p.grad = one(0.0)
        AdamW([p], lr=0.1, **options).step()
        weights[name] = p.item()
    assert weights == {"default": 1 - 0.1 * 0.01, "off": 1.0}


def test_a_group_without_decay_keeps_its_weights() -> None:
    matrix, bias = torch.ones(2, 2, requires_grad=True), torch.ones(2, requires_grad=True)
    optimizer = AdamW([{"params": [matrix], "weight_decay": 0.5}, {"params": [bias], "weight_decay": 0.0}], lr=0.1)
    matrix.grad, bias.grad = torch.zeros(2, 2), torch.zeros(2)
    optimizer.step()
    torch.testing.assert_close(matrix.detach(), torch.full((2, 2), 0.95))
    assert bias.tolist() == [1.0, 1.0]


@pytest.mark.parametrize(("amsgrad", "numbers"), [(False, 2), (True, 3)])
def test_the_state_is_two_numbers_a_weight_and_three_with_amsgrad(amsgrad: bool, numbers: int) -> None:
    p = torch.ones(7, 3, requires_grad=True)
    optimizer = AdamW([p], amsgrad=amsgrad)
    p.grad = torch.ones(7, 3)
    optimizer.step()
    assert sum(x.numel() for x in optimizer.state[p].values() if isinstance(x, torch.Tensor)) == numbers * 21
