"""Schedule-Free beyond the contract: a step by hand, the average, the two modes, checkpoints, a β that changes."""

from __future__ import annotations

import copy
import io
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from livegrad.optimizers.schedule_free import AdamWScheduleFree, SGDScheduleFree

from .oracles import ORACLES, adamw_schedule_free, sgd_schedule_free

Cls = type[SGDScheduleFree] | type[AdamWScheduleFree]
BOTH = pytest.mark.parametrize("cls", [SGDScheduleFree, AdamWScheduleFree])
REFERENCES = {SGDScheduleFree: sgd_schedule_free, AdamWScheduleFree: adamw_schedule_free}


def slope(x: Any) -> Any:
    return 2 * x + 1.5 * (np.sin if isinstance(x, np.ndarray) else torch.sin)(3 * x)


def start(dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.linspace(-2, 2, 9, dtype=dtype).requires_grad_()


def walk(optimizer: Any, p: Tensor, steps: int) -> None:
    for _ in range(steps):
        p.grad = slope(p.detach())
        optimizer.step()


def test_two_steps_of_sgd_equal_those_computed_by_hand() -> None:
    p = torch.tensor([1.0], dtype=torch.float64, requires_grad=True)
    optimizer = SGDScheduleFree([p], lr=0.5, momentum=0.8)
    p.grad = torch.tensor([2.0], dtype=torch.float64)
    optimizer.step()  # z = 1 - 0.5 · 2 = 0, and x = y = z
    assert p.item() == pytest.approx(0.0, abs=1e-15)
    p.grad = torch.tensor([-4.0], dtype=torch.float64)
    optimizer.step()  # z = 0 + 0.5 · 4 = 2, x = (0 + 2) / 2 = 1, y = 0.2 · 2 + 0.8 · 1 = 1.2
    assert optimizer.state[p]["z"].item() == pytest.approx(2.0, rel=1e-15)
    assert p.item() == pytest.approx(1.2, rel=1e-15)
    optimizer.eval()
    assert p.item() == pytest.approx(1.0, rel=1e-15)


def test_the_first_step_of_adamw_has_the_length_of_the_rate_whatever_the_gradient() -> None:
    for g in (1e-4, 1.0, 1e4):
        p = torch.tensor([1.0], dtype=torch.float64, requires_grad=True)
        p.grad = torch.tensor([g], dtype=torch.float64)
        AdamWScheduleFree([p], lr=0.1, eps=0.0).step()  # √(1 − β₂) g / √((1 − β₂) g²) = 1
        assert p.item() == pytest.approx(0.9, rel=1e-14)


@BOTH
@pytest.mark.parametrize("case", [0, -1])
def test_in_evaluation_mode_the_parameters_hold_the_weighted_mean_of_all_z(cls: Cls, case: int) -> None:
    options = ORACLES[cls.__name__].cases[case] | {"lr": 0.05}
    p = start()
    before = p.detach().numpy().copy()
    optimizer = cls([p], **options)
    walk(optimizer, p, 50)
    optimizer.eval()
    want = REFERENCES[cls](before, slope, 50, **options, result="x")
    np.testing.assert_allclose(p.detach().numpy(), want, rtol=1e-9, atol=1e-11)


@BOTH
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.complex64])
def test_a_run_that_is_evaluated_is_the_run_that_is_not_bit_for_bit(cls: Cls, dtype: torch.dtype) -> None:
    watched, plain = start(dtype), start(dtype)
    one, other = cls([watched], lr=0.03), cls([plain], lr=0.03)
    for _ in range(6):
        walk(one, watched, 3)
        walk(other, plain, 3)
        y = watched.detach().clone()
        one.eval()
        x = watched.detach().clone()
        assert not torch.equal(x, y)
        one.eval()  # twice is once
        assert torch.equal(watched, x)
        one.train()
        assert torch.equal(watched, y)
        one.eval()  # there and back again is exact in this direction too
        assert torch.equal(watched, x)
        one.train()
        one.train()
    assert torch.equal(watched, plain)


@BOTH
def test_a_step_in_evaluation_mode_is_refused_before_the_closure_is_called(cls: Cls) -> None:
    p = start()
    optimizer = cls([p])
    walk(optimizer, p, 3)
    optimizer.eval()
    before = p.detach().clone()
    with pytest.raises(RuntimeError, match=rf"{cls.__name__}.step\(\) needs train\(\)"):
        optimizer.step(lambda: pytest.fail("called"))
    assert torch.equal(p, before)
    optimizer.train()
    walk(optimizer, p, 1)


@BOTH
def test_before_the_first_step_the_modes_change_nothing(cls: Cls) -> None:
    p = start()
    optimizer = cls([p])
    optimizer.eval()
    assert torch.equal(p, start())
    assert not optimizer.state
    optimizer.train()
    walk(optimizer, p, 5)
    plain = start()
    walk(cls([plain]), plain, 5)
    assert torch.equal(p, plain)


@BOTH
@pytest.mark.parametrize("evaluating", [False, True])
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_a_checkpoint_of_either_mode_continues_bit_for_bit(cls: Cls, evaluating: bool, dtype: torch.dtype) -> None:
    options = {"lr": 0.03, "warmup_steps": 5, "r": 1.0}
    plain = start(dtype)
    want = cls([plain], **options)
    walk(want, plain, 12)
    p = start(dtype)
    old = cls([p], **options)
    walk(old, p, 7)
    if evaluating:
        old.eval()
    buffer = io.BytesIO()
    torch.save({"model": p.detach(), "optimizer": old.state_dict()}, buffer)
    buffer.seek(0)
    saved = torch.load(buffer, weights_only=True)

    fresh = saved["model"].clone().requires_grad_()
    new = cls([fresh])
    new.load_state_dict(saved["optimizer"])
    if evaluating:
        with pytest.raises(RuntimeError, match="needs train"):
            new.step()
        new.train()
    walk(new, fresh, 5)
    assert torch.equal(fresh, plain)

    twin = copy.deepcopy(old)
    twin.train()
    (q,) = twin.param_groups[0]["params"]
    walk(twin, q, 5)
    assert torch.equal(q, plain)


@BOTH
def test_a_group_that_is_added_takes_the_mode_of_the_others(cls: Cls) -> None:
    first, second = start(), start()
    optimizer = cls([first])
    walk(optimizer, first, 3)
    optimizer.eval()
    optimizer.add_param_group({"params": [second]})
    with pytest.raises(RuntimeError, match="needs train"):
        optimizer.step()
    optimizer.train()
    first.grad, second.grad = slope(first.detach()), slope(second.detach())
    optimizer.step()
    alone = start()
    walk(cls([alone]), alone, 1)
    assert torch.equal(second, alone)


@BOTH
def test_a_beta_that_changes_does_not_move_the_average(cls: Cls) -> None:
    p = start()
    optimizer = cls([p], lr=0.03)
    walk(optimizer, p, 10)
    z = optimizer.state[p]["z"].clone()
    x = z + (p.detach() - z) / 0.9
    name = "momentum" if cls is SGDScheduleFree else "betas"
    optimizer.param_groups[0][name] = 0.5 if name == "momentum" else (0.5, 0.999)
    optimizer.eval()  # y was made with 0.9, and is read with 0.9
    torch.testing.assert_close(p.detach(), x, rtol=1e-14, atol=1e-14)
    optimizer.train()
    optimizer.param_groups[0]["lr"] = 0.0
    optimizer.step()  # the largest rate so far counts in the average, so x takes an eleventh of z
    weights = [1 - 0.999**t for t in range(1, 11)] if cls is AdamWScheduleFree else [1.0] * 10
    c = weights[-1] / (sum(weights) + weights[-1])
    x = (1 - c) * x + c * z
    torch.testing.assert_close(p.detach(), 0.5 * z + 0.5 * x, rtol=1e-12, atol=1e-13)


@BOTH
def test_a_rate_of_zero_leaves_everything_where_it_is(cls: Cls) -> None:
    p = start()
    optimizer = cls([p], lr=0.0)
    walk(optimizer, p, 5)
    assert torch.equal(p, start())
    optimizer.eval()
    assert torch.equal(p, start())


def test_warm_up_rises_in_a_straight_line_and_gives_early_steps_little_weight() -> None:
    p = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    optimizer = SGDScheduleFree([p], lr=1.0, momentum=0.5, warmup_steps=4)
    places = []
    for _ in range(6):
        p.grad = -torch.ones(1, dtype=torch.float64)
        optimizer.step()
        places.append(optimizer.state[p]["z"].item())
    assert places == [0.25, 0.75, 1.5, 2.5, 3.5, 4.5]
    weights = np.array([1, 4, 9, 16, 16, 16]) / 16
    optimizer.eval()
    assert p.item() == pytest.approx(float(weights @ places / weights.sum()), rel=1e-14)


@pytest.mark.parametrize(("rate", "calm"), [(19.0, True), (21.0, False)])
def test_on_a_bowl_rates_up_to_ten_times_those_of_descent_are_calm(rate: float, calm: bool) -> None:
    p = torch.ones(1, dtype=torch.float64, requires_grad=True)
    optimizer = SGDScheduleFree([p], lr=rate, warmup_steps=50)
    for _ in range(1000):
        p.grad = p.detach().clone()
        optimizer.step()
    assert (abs(p.item()) < 1e-3) == calm


@pytest.mark.parametrize(("cls", "numbers"), [(SGDScheduleFree, 1), (AdamWScheduleFree, 2)])
def test_the_state_is_that_of_momentum_or_adam_and_one_number_more_while_evaluating(cls: Cls, numbers: int) -> None:
    p = torch.ones(7, 3, requires_grad=True)
    optimizer = cls([p])
    walk(optimizer, p, 2)

    def held() -> int:
        return sum(x.numel() for x in optimizer.state[p].values() if isinstance(x, Tensor))

    assert held() == numbers * 21
    optimizer.eval()
    assert held() == (numbers + 1) * 21
    optimizer.train()
    assert held() == numbers * 21


def test_a_network_learns_with_the_modes_of_model_and_optimizer_switched_together() -> None:
    torch.manual_seed(0)
    x = torch.randn(64, 5)
    y = x.sum(dim=1, keepdim=True).tanh()
    model = nn.Sequential(nn.Linear(5, 16), nn.Tanh(), nn.Linear(16, 1))
    optimizer = AdamWScheduleFree(model.parameters(), lr=0.02)
    losses = []
    for _ in range(5):
        model.train(), optimizer.train()
        for _ in range(20):
            optimizer.zero_grad()
            nn.functional.mse_loss(model(x), y).backward()
            optimizer.step()
        model.eval(), optimizer.eval()
        losses.append(nn.functional.mse_loss(model(x), y).item())
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < losses[0] / 5
    assert math.isfinite(losses[-1])
