"""Growth against closed forms and NumPy's fit; overflow against numbers that overflow; the rescue step by step."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from livegrad.gradients.exploding import Growth, Rescue, first_nonfinite, growth

DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


# --- Growth -----------------------------------------------------------------------------------------------------


@given(st.floats(1e-3, 1e3), st.floats(0.3, 3), st.integers(2, 20))
@settings(deadline=None, max_examples=60)
def test_a_geometric_series_gives_back_its_start_and_its_rate(start: float, rate: float, count: int) -> None:
    found = growth([start * rate**k for k in range(count)])
    assert found == pytest.approx((start, rate), rel=1e-9)


@given(st.lists(st.floats(1e-6, 1e6), min_size=2, max_size=15))
@settings(deadline=None, max_examples=60)
def test_the_line_is_that_of_numpys_least_squares(sizes: list[float]) -> None:
    slope, height = np.polyfit(np.arange(len(sizes)), np.log(sizes), 1)
    found = growth(sizes)
    assert math.log(found.rate) == pytest.approx(slope, rel=1e-9, abs=1e-9)
    assert math.log(found.start) == pytest.approx(height, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("start", "rate"), [(1.0, 2.0), (3.0, 1.3), (0.01, 10.0)])
def test_the_predicted_index_is_where_a_number_of_that_format_becomes_infinite(
    dtype: torch.dtype, start: float, rate: float
) -> None:
    k = Growth(start, rate).overflow(dtype)
    number, exact, steps = torch.tensor(start, dtype=dtype), torch.tensor(start, dtype=torch.float64), 0
    while number.isfinite():
        exact, steps = exact * rate, steps + 1
        number = exact.to(dtype)
    # A number is rounded down to the largest one until half a unit above it, so it may take one index more.
    assert math.ceil(k) <= steps <= math.ceil(k) + 1


def test_what_does_not_grow_never_overflows_and_what_is_too_large_does_at_once() -> None:
    assert Growth(1.0, 1.0).overflow(torch.float16) == math.inf
    assert Growth(1.0, 0.5).overflow(torch.float16) == math.inf
    assert Growth(1e5, 0.5).overflow(torch.float16) == 0
    assert Growth(1e5, 2.0).overflow(torch.float16) == 0


@pytest.mark.parametrize("sizes", [[], [1.0]])
def test_fewer_than_two_sizes_are_refused(sizes: list[float]) -> None:
    with pytest.raises(ValueError, match=f"sizes must hold at least 2 numbers, got {len(sizes)}"):
        growth(sizes)


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf])
def test_sizes_that_have_no_logarithm_are_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="sizes must all be positive and finite"):
        growth([1.0, bad])


def test_the_first_broken_tensor_is_named() -> None:
    good, nan, inf = torch.ones(2, 2), torch.tensor([1.0, math.nan]), torch.tensor(-math.inf)
    assert first_nonfinite([good, good]) is None
    assert first_nonfinite([]) is None
    assert first_nonfinite([good, inf, nan]) == 1
    assert first_nonfinite([nan, inf]) == 0
    assert first_nonfinite([torch.empty(0), good, nan]) == 2
    assert first_nonfinite(iter([torch.tensor([1, 2]), inf])) == 1


# --- Rescue -----------------------------------------------------------------------------------------------------


def bowl(w: nn.Parameter) -> Tensor:
    return w.square().sum()


class Weight(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor([1.0, -2.0], dtype=torch.float64))


def take(rescue: Rescue, loss: float | None = None, gradient: float | None = None) -> bool:
    """One step on the bowl, with its loss or its gradient replaced."""
    model, optimizer = rescue.model, rescue.optimizer
    optimizer.zero_grad()
    value = bowl(model.w)
    value.backward()
    if gradient is not None:
        model.w.grad[0] = gradient
    return rescue.step(value if loss is None else torch.tensor(loss))


def made(**options: float) -> Rescue:
    model = Weight()
    return Rescue(model, torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9), **options)


def test_on_finite_numbers_it_is_the_optimizers_own_step() -> None:
    rescue = made()
    plain = Weight()
    optimizer = torch.optim.SGD(plain.parameters(), lr=0.1, momentum=0.9)
    for _ in range(50):
        assert take(rescue)
        optimizer.zero_grad()
        bowl(plain.w).backward()
        optimizer.step()
    assert torch.equal(plain.w, rescue.model.w)
    assert (rescue.steps, rescue.rescues) == (50, 0)


@pytest.mark.parametrize(
    "fault", [{"loss": math.nan}, {"loss": math.inf}, {"gradient": math.nan}, {"gradient": -math.inf}]
)
def test_a_broken_step_goes_back_to_the_last_snapshot_and_lowers_the_rate(fault: dict[str, float]) -> None:
    rescue = made(every=3)
    for _ in range(3):
        take(rescue)
    at_snapshot = rescue.model.w.detach().clone()  # the fourth step takes its snapshot before it moves
    buffer = copy.deepcopy(rescue.optimizer.state[rescue.model.w]["momentum_buffer"])
    for _ in range(2):
        take(rescue)
    assert not torch.equal(rescue.model.w, at_snapshot)
    assert take(rescue, **fault) is False
    assert torch.equal(rescue.model.w, at_snapshot)
    assert torch.equal(rescue.optimizer.state[rescue.model.w]["momentum_buffer"], buffer)
    assert rescue.optimizer.param_groups[0]["lr"] == 0.05
    assert (rescue.steps, rescue.rescues) == (5, 1)
    assert take(rescue)
    assert rescue.model.w.isfinite().all()


def test_rescues_in_a_row_lower_the_rate_again_and_do_not_spoil_the_snapshot() -> None:
    rescue = made(every=10)
    take(rescue)
    for number in (1, 2, 3):
        take(rescue, loss=math.nan)
        assert rescue.model.w.tolist() == [1.0, -2.0]
        assert rescue.optimizer.param_groups[0]["lr"] == pytest.approx(0.1 * 0.5**number)
        take(rescue)
        assert rescue.model.w.tolist() != [1.0, -2.0]


def test_a_broken_first_step_leaves_the_weights() -> None:
    rescue = made()
    assert take(rescue, loss=math.nan) is False
    assert rescue.model.w.tolist() == [1.0, -2.0]
    assert rescue.steps == 0
    assert take(rescue)


def test_with_factor_one_the_rate_stays() -> None:
    rescue = made(factor=1.0)
    take(rescue)
    take(rescue, gradient=math.inf)
    assert rescue.optimizer.param_groups[0]["lr"] == 0.1


def test_a_finite_spike_is_refused_only_on_request() -> None:
    watched, plain = made(spike=3.0), made()
    for rescue in (watched, plain):
        take(rescue)  # the loss at the snapshot is 5
    assert take(watched, loss=14.9)
    assert not take(watched, loss=15.1)
    assert take(plain, loss=1e30)


def test_a_parameter_without_gradient_is_no_fault() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1).requires_grad_(False))
    rescue = Rescue(model, torch.optim.SGD(model.parameters(), lr=0.1))
    loss = model(torch.ones(1, 2)).sum()
    loss.backward()
    assert rescue.step(loss)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"every": 0}, "every must be at least 1, got 0"),
        ({"factor": 0.0}, r"factor must be in \(0, 1\], got 0.0"),
        ({"factor": 1.5}, r"factor must be in \(0, 1\], got 1.5"),
        ({"factor": math.nan}, r"factor must be in \(0, 1\], got nan"),
        ({"spike": 1.0}, r"spike must be in \(1, inf\], got 1.0"),
        ({"spike": math.nan}, r"spike must be in \(1, inf\], got nan"),
    ],
)
def test_bad_options_are_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        made(**options)
