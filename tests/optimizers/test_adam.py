"""Adam beyond the contract: its first step by hand, its bound, its switch, its state."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from livegrad.optimizers.adam import Adam, update

OPTIONS = {"lr": 0.1, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.0, "maximize": False}


def one(x: float) -> torch.Tensor:
    return torch.tensor(x, dtype=torch.float64)


def test_two_steps_equal_those_computed_by_hand() -> None:
    p, m, v = one(1.0), one(0.0), one(0.0)
    update(one(2.0), p, m, v, t=1, **OPTIONS)
    # m = 0.1 · 2, v = 0.001 · 4; corrected m̂ = 2, v̂ = 4: a step of 0.1 · 2 / 2.
    assert m.item() == pytest.approx(0.2, rel=1e-15)
    assert v.item() == pytest.approx(0.004, rel=1e-15)
    assert p.item() == pytest.approx(1 - 0.1 * 2 / (2 + 1e-8), rel=1e-14)
    update(one(-1.0), p, m, v, t=2, **OPTIONS)
    # m = 0.9 · 0.2 - 0.1 = 0.08, m̂ = 0.08 / 0.19; v = 0.999 · 0.004 + 0.001 = 0.004996, v̂ = v / 0.001999.
    step = 0.1 * (0.08 / 0.19) / (math.sqrt(0.004996 / 0.001999) + 1e-8)
    assert p.item() == pytest.approx(1 - 0.1 * 2 / (2 + 1e-8) - step, rel=1e-14)


@settings(deadline=None, max_examples=50)
@given(st.floats(1e-3, 1e3), st.floats(1e-4, 1e4), st.sampled_from([-1.0, 1.0]))
def test_the_first_step_is_lr_whatever_the_size_of_the_gradient(lr: float, size: float, sign: float) -> None:
    p = torch.zeros((), dtype=torch.float64, requires_grad=True)
    p.grad = one(sign * size)
    Adam([p], lr=lr).step()
    assert p.item() == pytest.approx(-sign * lr, rel=1.1e-8 / size + 1e-12)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=30))
def test_no_step_is_longer_than_the_papers_bound(gradients: list[float]) -> None:
    p = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimizer = Adam([p], lr=1.0)
    for g in gradients:
        before = p.item()
        p.grad = one(g)
        optimizer.step()
        # Section 2.1 of the paper: lr (1 - β₁) / √(1 - β₂) where 1 - β₁ > √(1 - β₂), as it is for the defaults.
        assert abs(p.item() - before) <= 0.1 / math.sqrt(0.001) * (1 + 1e-12)


def test_amsgrad_never_divides_by_less_than_before() -> None:
    p = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimizer = Adam([p], betas=(0.9, 0.5), amsgrad=True)
    largest = 0.0
    for g in (1.0, 10.0, 0.1, 0.1, 3.0):
        p.grad = one(g)
        optimizer.step()
        state = optimizer.state[p]
        largest = max(largest, state["exp_avg_sq"].item())
        assert state["max_exp_avg_sq"].item() == largest
    assert state["exp_avg_sq"].item() < largest


@pytest.mark.parametrize("amsgrad", [False, True])
def test_foreach_groups_by_shape_dtype_and_step_count_and_changes_no_number(amsgrad: bool) -> None:
    shapes = [(3, 4)] * 3 + [(4, 3), (), (), (200, 200), (200, 200)]
    runs = []
    for foreach in (False, True):
        generator = torch.Generator().manual_seed(0)
        ps = [torch.randn(s, generator=generator, dtype=torch.float64).requires_grad_() for s in shapes]
        ps.append(torch.ones(3, 4, dtype=torch.float32, requires_grad=True))
        optimizer = Adam(ps, amsgrad=amsgrad, foreach=foreach)
        for step in range(5):
            for i, p in enumerate(ps):
                p.grad = None if i == 1 and step < 2 else torch.sin(p.detach() + step)
            optimizer.step()
        runs.append([p.detach() for p in ps] + [optimizer.state[p]["exp_avg_sq"] for p in ps])
        assert [optimizer.state[p]["step"] for p in ps[:3]] == [5, 3, 5]
    for plain, together in zip(*runs, strict=True):
        torch.testing.assert_close(together, plain, rtol=1e-14, atol=1e-15)


def test_the_state_is_two_numbers_a_weight_and_three_with_amsgrad() -> None:
    for amsgrad, numbers in ((False, 2), (True, 3)):
        p = torch.ones(7, 3, requires_grad=True)
        optimizer = Adam([p], amsgrad=amsgrad)
        p.grad = torch.ones(7, 3)
        optimizer.step()
        assert sum(x.numel() for x in optimizer.state[p].values() if isinstance(x, torch.Tensor)) == numbers * 21


def test_a_tensor_as_lr_is_read_at_every_step() -> None:
    p = torch.zeros(1, requires_grad=True)
    lr = torch.tensor(0.5)
    optimizer = Adam([p], lr=lr)
    p.grad = torch.ones(1)
    optimizer.step()
    lr.fill_(0.0)
    optimizer.step()
    assert p.item() == pytest.approx(-0.5)
