"""Schedules against torch's schedulers and by hand; the range test against its own rates, and all that it puts back."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.optim.lr_scheduler import CosineAnnealingLR, CosineAnnealingWarmRestarts, LambdaLR, OneCycleLR, StepLR

from livegrad.optimizers.learning_rate import (
    RangeTest,
    cosine,
    cosine_restarts,
    one_cycle,
    range_test,
    step_decay,
    warmup,
    warmup_stable_decay,
)


def rates(make: object, steps: int, lr: float = 0.5) -> list[float]:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr)
    scheduler, found = make(optimizer), []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


@pytest.mark.parametrize(
    ("ours", "theirs", "steps"),
    [
        (lambda t: step_decay(t, 7, 0.3), lambda o: StepLR(o, 7, 0.3), 40),
        (lambda t: cosine(t, 30), lambda o: CosineAnnealingLR(o, 30), 31),
        (lambda t: cosine(t, 30, 0.2), lambda o: CosineAnnealingLR(o, 30, eta_min=0.1), 31),
        (lambda t: cosine_restarts(t, 8), lambda o: CosineAnnealingWarmRestarts(o, 8), 40),
        (lambda t: cosine_restarts(t, 5, 2, 0.1), lambda o: CosineAnnealingWarmRestarts(o, 5, 2, eta_min=0.05), 60),
        (lambda t: one_cycle(t, 50), lambda o: OneCycleLR(o, 0.5, total_steps=50, cycle_momentum=False), 49),
        (
            lambda t: one_cycle(t, 40, 0.5, 0.1, 0.001),
            lambda o: OneCycleLR(
                o, 0.5, total_steps=40, pct_start=0.5, div_factor=10, final_div_factor=100, cycle_momentum=False
            ),
            39,
        ),
    ],
)
def test_with_lambdalr_a_schedule_gives_the_rates_of_torchs_own(ours: object, theirs: object, steps: int) -> None:
    mine = rates(lambda o: LambdaLR(o, ours), steps)
    # torch computes the cosine from the last rate, step by step, so rounding adds up.
    assert mine == pytest.approx(rates(theirs, steps), rel=1e-9, abs=1e-12)


def test_warm_up_rises_in_equal_steps_to_one() -> None:
    assert [warmup(t, 4) for t in range(7)] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0, 1.0, 1.0])
    assert warmup(0, 0) == 1


def test_warm_up_stable_decay_has_three_parts_and_ends_at_its_floor() -> None:
    values = [warmup_stable_decay(t, 20, warm=4, decay=0.25, floor=0.1) for t in range(24)]
    assert values[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert values[4:16] == [1.0] * 12
    assert values[15:21] == pytest.approx([1.0, 0.82, 0.64, 0.46, 0.28, 0.1])
    assert values[20:] == pytest.approx([0.1] * 4)


@settings(deadline=None, max_examples=60)
@given(st.integers(3, 200), st.floats(0, 1.5))
def test_every_schedule_stays_between_zero_and_one_and_begins_or_peaks_at_one(total: int, part: float) -> None:
    step = part * total
    schedules = [
        lambda t: step_decay(t, total),
        lambda t: cosine(t, total),
        lambda t: cosine_restarts(t, total),
        lambda t: one_cycle(t, total, up=0.5),
        lambda t: warmup_stable_decay(t, total),
    ]
    assert all(0 <= schedule(step) <= 1 for schedule in schedules)
    assert all(schedules[i](0) == 1 for i in (0, 1, 2, 4))
    assert one_cycle(0.5 * total - 1, total, up=0.5) == pytest.approx(1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: step_decay(1, 0), "every must be at least 1, got 0"),
        (lambda: cosine(1, 0), "total must be at least 1, got 0"),
        (lambda: cosine_restarts(1, 0), "period must be at least 1, got 0"),
        (lambda: cosine_restarts(1, 5, 0.5), "longer must be at least 1, got 0.5"),
        (lambda: warmup(1, -1), "steps must be at least 0, got -1"),
        (lambda: one_cycle(1, 0), "total must be at least 1, got 0"),
        (lambda: one_cycle(1, 9, up=1.0), r"up must be in \(0, 1\), got 1.0"),
        (lambda: warmup_stable_decay(1, 9, decay=0.0), r"decay must be in \(0, 1\], got 0.0"),
        (lambda: warmup_stable_decay(1, 9, decay=math.nan), r"decay must be in \(0, 1\], got nan"),
    ],
)
def test_what_makes_no_schedule_is_refused(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


# --- The range test ---------------------------------------------------------------------------------------------


def made() -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.2), nn.Linear(8, 1))
    optimizer = torch.optim.Adam([{"params": model[0].parameters(), "lr": 0.1}, {"params": model[1:].parameters()}])
    return model, optimizer


def loss_of(model: nn.Module) -> Tensor:
    x = torch.randn(16, 4)
    return (model(x) - x.sum(dim=1, keepdim=True)).square().mean()


@pytest.mark.parametrize("fails", [False, True])
def test_the_range_test_puts_back_all_that_it_changed_also_after_an_error(fails: bool) -> None:
    model, optimizer = made()
    loss_of(model).backward()
    optimizer.step()  # so that there is a state, and gradients
    model.eval()
    model[2].train()
    weights, state = copy.deepcopy(model.state_dict()), copy.deepcopy(optimizer.state_dict())
    gradients = [p.grad.clone() for p in model.parameters()]
    modes, random = [m.training for m in model.modules()], torch.get_rng_state()
    calls = 0

    def loss() -> Tensor:
        nonlocal calls
        calls += 1
        if fails and calls == 9:
            raise RuntimeError("no more data")
        model.train()
        return loss_of(model)

    if fails:
        with pytest.raises(RuntimeError, match="no more data"):
            range_test(model, optimizer, loss, steps=20)
    else:
        range_test(model, optimizer, loss, steps=20)
    assert calls > 5
    torch.testing.assert_close(model.state_dict(), weights, rtol=0, atol=0)
    torch.testing.assert_close(optimizer.state_dict(), state, rtol=0, atol=0)
    assert all(torch.equal(p.grad, g) for p, g in zip(model.parameters(), gradients, strict=True))
    assert [m.training for m in model.modules()] == modes
    assert torch.equal(torch.get_rng_state(), random)


def test_gradients_that_were_none_are_none_again() -> None:
    model, optimizer = made()
    range_test(model, optimizer, lambda: loss_of(model), steps=5)
    assert all(p.grad is None for p in model.parameters())
    assert not optimizer.state


def test_the_rates_grow_by_equal_factors_and_the_steps_are_taken_with_them() -> None:
    w = nn.Parameter(torch.tensor(1.0, dtype=torch.float64))
    model = nn.Module()
    model.register_parameter("w", w)
    seen = []

    def loss() -> Tensor:
        seen.append(w.item())
        return w**2 / 2

    optimizer = torch.optim.SGD([w], lr=0.5)
    found = range_test(model, optimizer, loss, low=1e-3, high=0.1, steps=5, smooth=0.0)
    assert found.rates == pytest.approx([10 ** (-3 + i / 2) for i in range(5)], rel=1e-12)
    assert seen == pytest.approx([math.prod(1 - r for r in found.rates[:i]) for i in range(5)], rel=1e-12)
    assert found.losses == pytest.approx([x**2 / 2 for x in seen], rel=1e-12)
    assert (w.item(), optimizer.param_groups[0]["lr"]) == (1.0, 0.5)


def test_it_stops_where_the_loss_explodes_or_is_no_number() -> None:
    w = nn.Parameter(torch.tensor(1.0, dtype=torch.float64))
    model = nn.Module()
    model.register_parameter("w", w)
    found = range_test(model, torch.optim.SGD([w], lr=1.0), lambda: w**2 / 2, low=0.1, high=1e4, steps=50, smooth=0.0)
    assert found.rates[-1] < 100
    values = iter([1.0, 1.0, math.nan, 1.0, 1.0])
    broken = range_test(model, torch.optim.SGD([w], lr=1.0), lambda: w * 0 + next(values), steps=5, smooth=0.0)
    assert len(broken.losses) == 2


def test_the_steepest_rate_is_where_the_loss_falls_fastest() -> None:
    found = RangeTest([0.001, 0.01, 0.1, 1.0, 10.0], [2.0, 1.9, 1.5, 0.4, 0.3])
    assert found.steepest() == 0.1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"low": 0.0}, "low and high must fulfil 0 < low < high, got 0.0 and 10.0"),
        ({"low": 20.0}, "low and high must fulfil 0 < low < high, got 20.0 and 10.0"),
        ({"high": math.inf}, "low and high must fulfil 0 < low < high, got 1e-06 and inf"),
        ({"steps": 2}, "steps must be at least 3, got 2"),
    ],
)
def test_bad_options_of_the_range_test_are_refused(options: dict[str, float], message: str) -> None:
    model, optimizer = made()
    with pytest.raises(ValueError, match=message):
        range_test(model, optimizer, lambda: loss_of(model), **options)
