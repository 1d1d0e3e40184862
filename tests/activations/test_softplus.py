"""Softplus and squareplus: what is special to them; the rest is in the contract."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from livegrad.activations.sigmoid import sigmoid
from livegrad.activations.softplus import Softplus, Squareplus, softplus, squareplus

numbers = st.floats(-1e4, 1e4, width=32)


def slope(f, x: float, dtype: torch.dtype = torch.float32) -> float:
    at = torch.tensor(x, dtype=dtype, requires_grad=True)
    return torch.autograd.grad(f(at), at)[0].item()


def test_softplus_by_hand():
    # 1 + e^(ln 3) = 4, and the slope is 3/4.
    x = math.log(3)
    assert softplus(torch.tensor(x, dtype=torch.float64)).item() == pytest.approx(math.log(4), rel=1e-15)
    assert slope(softplus, x, torch.float64) == pytest.approx(0.75, rel=1e-15)
    assert softplus(torch.zeros((), dtype=torch.float64)).item() == pytest.approx(math.log(2), rel=1e-15)


def test_squareplus_by_hand():
    # At 1.5 the root is 2.5: value (1.5 + 2.5) / 2 and slope (1 + 1.5 / 2.5) / 2; at -1.5 with the minus sign.
    assert squareplus(torch.tensor([1.5, 0.0, -1.5])).tolist() == [2, 1, 0.5]
    assert [slope(squareplus, x) for x in (1.5, 0.0, -1.5)] == pytest.approx([0.8, 0.5, 0.2], rel=1e-7)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_nothing_overflows_at_a_thousand_and_the_derivative_is_the_sigmoid(dtype):
    x = torch.linspace(-1000, 1000, 2001, dtype=dtype, requires_grad=True)
    y = softplus(x)
    (d,) = torch.autograd.grad(y.sum(), x)
    assert y.isfinite().all()
    assert y[0] == 0
    assert y[-1] == 1000
    # rtol: a few units in the last place; beyond the threshold the derivative is 1 by agreement, off by e^-20.
    torch.testing.assert_close(d, sigmoid(x.detach()), rtol=2.1e-9 if dtype == torch.float64 else 1e-6, atol=0)


def test_the_slope_at_zero_is_one_half_where_that_of_the_two_kinked_parts_is_zero():
    parts = lambda x: torch.relu(x) + (-x.abs()).exp().log1p()  # noqa: E731
    assert slope(parts, 0.0) == 0
    for zero in (0.0, -0.0):
        assert slope(softplus, zero) == slope(squareplus, zero) == 0.5


def test_without_threshold_float64_keeps_the_digits_that_torch_drops():
    x = torch.tensor(25.0, dtype=torch.float64)
    true = 25 + math.log1p(math.exp(-25))
    assert nn.functional.softplus(x).item() == softplus(x).item() == 25
    assert softplus(x, threshold=math.inf).item() == true
    assert slope(lambda x: softplus(x, threshold=math.inf), 25.0, torch.float64) < 1


def test_the_threshold_is_honored_as_in_torch():
    x = torch.tensor([1.0, 1.5, 2.0, 4.0])
    for beta in (1.0, 2.0):
        torch.testing.assert_close(softplus(x, beta, 3.0), nn.functional.softplus(x, beta, 3.0))
    assert softplus(torch.tensor(2.0), 2.0, 3.0) == 2
    assert slope(lambda x: softplus(x, 2.0, 3.0), 2.0) == 1
    assert softplus(torch.tensor(2.0), 2.0, 5.0) > 2


@given(numbers, st.floats(0.125, 8, width=32))
def test_softplus_minus_its_mirror_image_is_x(x, beta):
    at = torch.tensor(x, dtype=torch.float64)
    difference = softplus(at, beta, math.inf) - softplus(-at, beta, math.inf)
    assert difference.item() == pytest.approx(x, rel=1e-14, abs=1e-15 / beta * 8)


@given(numbers, st.floats(0.125, 8, width=32))
def test_softplus_lies_above_relu_by_at_most_ln_2_over_beta(x, beta):
    gap = softplus(torch.tensor(x, dtype=torch.float64), beta, math.inf).item() - max(x, 0)
    assert -1e-12 <= gap <= math.log(2) / beta + 1e-12


@given(numbers)
def test_squareplus_of_x_and_of_minus_x_multiply_to_a_quarter_of_b(x):
    # (r + x)(r - x) / 4 = (r² - x²) / 4 = b / 4: right only if neither side has canceled.
    at = torch.tensor(x, dtype=torch.float64)
    for b in (4.0, 0.5):
        assert (squareplus(at, b) * squareplus(-at, b)).item() == pytest.approx(b / 4, rel=1e-14)


def test_squareplus_reaches_the_largest_number_without_overflow():
    for dtype in (torch.float32, torch.float64, torch.bfloat16, torch.float16):
        largest = torch.finfo(dtype).max
        assert squareplus(torch.tensor(largest, dtype=dtype)).item() == largest


def test_squareplus_has_the_curvature_of_softplus_at_zero():
    for f in (softplus, squareplus):
        x = torch.zeros((), dtype=torch.float64, requires_grad=True)
        (first,) = torch.autograd.grad(f(x), x, create_graph=True)
        assert torch.autograd.grad(first, x)[0].item() == pytest.approx(0.25, rel=1e-14)


@pytest.mark.parametrize("f", [softplus, squareplus])
def test_backward_keeps_the_input_and_nothing_else(f):
    kept = []
    x = torch.randn(100, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        f(x)
    assert [t.data_ptr() for t in kept] == [x.data_ptr()]


@pytest.mark.parametrize("f", [softplus, squareplus])
def test_changing_the_input_before_backward_is_an_error_and_not_a_wrong_gradient(f):
    hidden = torch.randn(5, requires_grad=True) * 1
    y = f(hidden)
    hidden.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf])
def test_a_sharpness_that_is_not_positive_and_finite_is_refused(bad):
    for make in (lambda v: softplus(torch.zeros(2), v), Softplus):
        with pytest.raises(ValueError, match=f"beta must be positive and finite, got {bad}"):
            make(bad)
    for make in (lambda v: squareplus(torch.zeros(2), v), Squareplus):
        with pytest.raises(ValueError, match=f"b must be positive and finite, got {bad}"):
            make(bad)


def test_a_threshold_that_is_no_number_is_refused():
    for make in (lambda v: softplus(torch.zeros(2), 1.0, v), lambda v: Softplus(1.0, v)):
        with pytest.raises(ValueError, match="threshold must be a number, got nan"):
            make(math.nan)


def test_the_layers_say_what_they_are():
    assert repr(Softplus()) == repr(nn.Softplus())
    assert repr(Softplus(2.0, 30.0)) == "Softplus(beta=2.0, threshold=30.0)"
    assert repr(Squareplus()) == "Squareplus(b=4.0)"
