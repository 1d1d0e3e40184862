"""LARS and LAMB beyond the contract: steps by hand, the share they move, their limits, what they are without ratio."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from livegrad.optimizers.large_batch import LAMB, LARS, lamb, lars

Optimizer = type[torch.optim.Optimizer]


def vector(*values: float, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.tensor(values, dtype=dtype)


def test_two_steps_of_lars_equal_those_computed_by_hand() -> None:
    w, v = vector(3.0, 4.0), vector(0.0, 0.0)
    options = {"momentum": 0.5, "weight_decay": 0.1, "trust_coefficient": 0.02, "adapt": True, "maximize": False}
    lars(vector(0.0, 2.0), w, v, lr=10.0, **options)
    # ‖w‖ = 5 and ‖g‖ = 2: λ = 0.02 · 5 / (2 + 0.1 · 5) = 0.04; g + β w = (0.3, 2.4).
    assert v.tolist() == pytest.approx([0.12, 0.96], rel=1e-14)
    assert w.tolist() == pytest.approx([2.88, 3.04], rel=1e-14)
    lars(vector(-1.0, 0.0), w, v, lr=1.0, **options)
    size = math.hypot(2.88, 3.04)
    local = 0.02 * size / (1 + 0.1 * size)
    want = [0.5 * 0.12 + local * (-1 + 0.288), 0.5 * 0.96 + local * 0.304]
    assert v.tolist() == pytest.approx(want, rel=1e-14)  # what the velocity holds keeps the rate it was made with
    assert w.tolist() == pytest.approx([2.88 - want[0], 3.04 - want[1]], rel=1e-14)


def test_two_steps_of_lamb_equal_those_computed_by_hand() -> None:
    x, m, v = vector(3.0, 4.0), vector(0.0, 0.0), vector(0.0, 0.0)
    options = {"lr": 0.1, "betas": (0.9, 0.99), "eps": 0.0, "weight_decay": 0.5, "phi": (0.0, math.inf)}
    options |= {"adapt": True, "maximize": False}
    lamb(vector(2.0, -7.0), x, m, v, t=1, **options)
    # r = (1, -1), so r + λ x = (2.5, 1): of length √7.25, made as long as a tenth of ‖x‖ = 5.
    first = [3 - 0.1 * 5 / math.sqrt(7.25) * 2.5, 4 - 0.1 * 5 / math.sqrt(7.25)]
    assert x.tolist() == pytest.approx(first, rel=1e-14)
    lamb(vector(2.0, 0.0), x, m, v, t=2, **options)
    # m̂ = (2, -0.63 / 0.19), v̂ = (4, 0.4851 / 0.0199)
    u = [1 + 0.5 * first[0], -0.63 / 0.19 / math.sqrt(0.4851 / 0.0199) + 0.5 * first[1]]
    step = 0.1 * math.hypot(*first) / math.hypot(*u)
    assert x.tolist() == pytest.approx([first[0] - step * u[0], first[1] - step * u[1]], rel=1e-13)


@settings(deadline=None, max_examples=25)
@given(st.floats(1e-3, 0.9), st.floats(0, 2), st.floats(-6, 6), st.floats(-6, 6), st.integers(0, 99))
def test_a_step_of_lamb_is_the_share_lr_of_the_length_whatever_the_scales(
    lr: float, decay: float, of_weights: float, of_gradients: float, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    p = (10**of_weights * torch.randn(3, 4, dtype=torch.float64, generator=generator)).requires_grad_()
    optimizer = LAMB([p], lr=lr, weight_decay=decay, eps=0.0)
    for _ in range(3):
        before = p.detach().clone()
        p.grad = 10**of_gradients * torch.randn(3, 4, dtype=torch.float64, generator=generator)
        optimizer.step()
        assert ((p - before).norm() / before.norm()).item() == pytest.approx(lr, rel=1e-9)


@settings(deadline=None, max_examples=25)
@given(st.floats(0.01, 100), st.floats(0, 2), st.floats(-6, 6), st.integers(0, 99))
def test_a_first_step_of_lars_is_at_most_the_share_lr_times_trust(
    lr: float, decay: float, of_gradients: float, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    p = torch.randn(3, 4, dtype=torch.float64, generator=generator).requires_grad_()
    before = p.detach().clone()
    p.grad = 10**of_gradients * torch.randn(3, 4, dtype=torch.float64, generator=generator)
    LARS([p], lr=lr, weight_decay=decay).step()
    share = ((p - before).norm() / before.norm()).item()
    assert share <= lr * 1e-3 * (1 + 1e-9)
    if decay == 0:
        assert share == pytest.approx(lr * 1e-3, rel=1e-9)


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (
            lambda p: LARS(p, lr=0.05, momentum=0.9, weight_decay=0.1, adapt=False),
            lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, weight_decay=0.1),
        ),
        (
            lambda p: LAMB(p, lr=0.05, weight_decay=0.1, eps=1e-8, adapt=False),
            lambda p: torch.optim.AdamW(p, lr=0.05, weight_decay=0.1),
        ),
    ],
    ids=["LARS is SGD", "LAMB is AdamW"],
)
def test_without_the_ratio_it_is_an_optimizer_of_torch(mine: object, theirs: object) -> None:
    ends = []
    for make in (mine, theirs):
        p = vector(1.0, -2.0, 0.5).requires_grad_()
        optimizer = make([p])  # type: ignore[operator]
        for _ in range(30):
            p.grad = torch.sin(3 * p.detach()) + p.detach()
            optimizer.step()
        ends.append(p.detach())
    torch.testing.assert_close(*ends, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("cls", [LARS, LAMB])
def test_a_tensor_of_zeros_leaves_zero(cls: Optimizer) -> None:
    p = torch.zeros(3, requires_grad=True)
    p.grad = vector(1.0, -2.0, 0.0, dtype=torch.float32)
    cls([p], lr=0.1).step()
    want = {LARS: [-0.1, 0.2, 0.0], LAMB: [-0.1, 0.1, 0.0]}[cls]  # a ratio of 1: a step of SGD, of Adam
    torch.testing.assert_close(p.detach(), torch.tensor(want), rtol=1e-5, atol=0.0)


def test_with_a_lower_bound_phi_decides_what_a_tensor_of_zeros_does() -> None:
    p = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    p.grad = torch.ones_like(p)
    LAMB([p], lr=0.1, phi=(0.5, 10.0), eps=0.0).step()
    assert p.norm().item() == pytest.approx(0.1 * 0.5, rel=1e-12)


@pytest.mark.parametrize("cls", [LARS, LAMB])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_lengths_of_zero_never_give_nan(cls: Optimizer, decay: float) -> None:
    for weights, gradient in ((0.0, 0.0), (0.0, 1.0), (1.0, 0.0)):
        p = torch.full((3,), weights, requires_grad=True)
        optimizer = cls([p], weight_decay=decay)
        for _ in range(3):
            p.grad = torch.full((3,), gradient)
            optimizer.step()
        assert p.isfinite().all()
        assert (p == weights).all() == (gradient == 0 and (weights == 0 or decay == 0))


@pytest.mark.parametrize("cls", [LARS, LAMB])
def test_the_length_of_a_large_tensor_in_float16_does_not_overflow(cls: Optimizer) -> None:
    p = torch.full((300, 300), 300.0, dtype=torch.float16, requires_grad=True)  # of length 90,000 > 65,504
    p.grad = torch.full_like(p, 300.0)
    options = {"lr": 10.0} if cls is LARS else {"lr": 0.01}
    cls([p], weight_decay=0.0, **options).step()
    torch.testing.assert_close(p.detach(), torch.full_like(p, 297.0), rtol=1e-3, atol=0.0)


@pytest.mark.parametrize("cls", [LARS, LAMB])
def test_one_number_can_never_change_its_sign_with_a_share_below_one(cls: Optimizer) -> None:
    p = vector(1.0).requires_grad_()
    options = {"lr": 0.2, "trust_coefficient": 1.0, "momentum": 0.0} if cls is LARS else {"lr": 0.2}
    optimizer = cls([p], weight_decay=0.0, **options)
    for _ in range(100):
        p.grad = p.detach() + 1  # the minimum is at -1
        optimizer.step()
        assert p.item() > 0


def test_stacked_tensors_each_have_a_ratio_of_their_own() -> None:
    generator = torch.Generator().manual_seed(0)
    sizes = [10.0**k for k in range(-3, 3)]
    apart = [(s * torch.randn(4, 5, dtype=torch.float64, generator=generator)).requires_grad_() for s in sizes]
    together = [p.detach().clone().requires_grad_() for p in apart]
    one_by_one, stacked = LAMB(apart, lr=0.1, foreach=False), LAMB(together, lr=0.1)
    for _ in range(5):
        for p, q in zip(apart, together, strict=True):
            p.grad = torch.randn(4, 5, dtype=torch.float64, generator=generator)
            q.grad = p.grad.clone()
        one_by_one.step()
        stacked.step()
    for p, q in zip(apart, together, strict=True):
        torch.testing.assert_close(p, q, rtol=1e-13, atol=0.0)


@pytest.mark.parametrize(("cls", "numbers"), [(LARS, 1), (LAMB, 2)])
def test_the_state_is_one_number_a_weight_for_lars_and_two_for_lamb(cls: Optimizer, numbers: int) -> None:
    p = torch.ones(7, 3, requires_grad=True)
    optimizer = cls([p])
    p.grad = torch.ones(7, 3)
    optimizer.step()
    assert sum(x.numel() for x in optimizer.state[p].values() if isinstance(x, torch.Tensor)) == numbers * 21
