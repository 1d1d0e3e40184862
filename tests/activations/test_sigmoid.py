"""Sigmoid and hard sigmoid: what is special to them; the rest is in the contract."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from livegrad.activations.sigmoid import Hardsigmoid, Sigmoid, hardsigmoid, sigmoid

numbers = st.floats(-1e4, 1e4, width=32)


def slope(f, x: float, dtype: torch.dtype = torch.float32) -> float:
    at = torch.tensor(x, dtype=dtype, requires_grad=True)
    return torch.autograd.grad(f(at), at)[0].item()


def test_sigmoid_by_hand():
    # e^(ln 3) = 3: the value is 3/4, the slope 3/4 * 1/4.
    assert sigmoid(torch.zeros(())).item() == 0.5
    assert slope(sigmoid, 0.0) == 0.25
    assert sigmoid(torch.tensor(math.log(3), dtype=torch.float64)).item() == pytest.approx(0.75, rel=1e-15)
    assert slope(sigmoid, math.log(3), torch.float64) == pytest.approx(3 / 16, rel=1e-15)


def test_hardsigmoid_by_hand():
    x = torch.tensor([-5.0, -3.0, -1.5, 0.0, 1.5, 3.0, 5.0])
    torch.testing.assert_close(hardsigmoid(x), torch.tensor([0, 0, 0.25, 0.5, 0.75, 1, 1]))
    assert [slope(hardsigmoid, v) for v in (-4.0, -3.0, 3.0, 4.0)] == [0, 0, 0, 0]
    assert slope(hardsigmoid, 1.0) == pytest.approx(1 / 6, rel=1e-6)


@pytest.mark.parametrize("x", [17.0, 30.0, 80.0])
def test_the_right_tail_has_a_gradient_where_that_of_torch_is_zero(x):
    # e^-x / (1 + e^-x)^2, by the standard library; at 17 and beyond sigmoid(x) is 1 in float32.
    t = math.exp(-x)
    assert sigmoid(torch.tensor(x)).item() == 1
    assert slope(torch.sigmoid, x) == 0
    assert slope(sigmoid, x) == pytest.approx(t / (1 + t) ** 2, rel=1e-6)


def test_the_slope_is_the_same_on_both_sides_to_the_last_bit():
    x = torch.linspace(0, 90, 2001)
    for dtype in (torch.float64, torch.float32, torch.bfloat16, torch.float16):
        right, left = x.to(dtype).requires_grad_(), (-x).to(dtype).requires_grad_()
        (up,) = torch.autograd.grad(sigmoid(right).sum(), right)
        (down,) = torch.autograd.grad(sigmoid(left).sum(), left)
        assert torch.equal(up, down)


def test_the_second_derivative_keeps_its_digits_too():
    # s'' = s' (1 - 2 s), with s and s' in float64 from a form without cancellation.
    x = torch.linspace(1, 16, 61, requires_grad=True)
    (first,) = torch.autograd.grad(sigmoid(x).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x)
    t = (-x.detach().double()).exp()
    expected = -t * (1 - t) / (1 + t) ** 3
    torch.testing.assert_close(second.double(), expected, rtol=2e-6, atol=0)


@given(numbers)
def test_sigmoid_of_x_and_of_minus_x_add_up_to_one(x):
    at = torch.tensor(x, dtype=torch.float64)
    assert (sigmoid(at) + sigmoid(-at)).item() == pytest.approx(1, abs=3e-16)


@given(numbers)
def test_value_lies_between_0_and_1_and_slope_between_0_and_a_quarter(x):
    for f, steepest in ((sigmoid, 0.25), (hardsigmoid, 1 / 6)):
        assert 0 <= f(torch.tensor(x)).item() <= 1
        assert 0 <= slope(f, x) <= steepest * (1 + 1e-6)


def test_backward_keeps_the_input_and_nothing_else():
    kept = []
    x = torch.randn(100, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        sigmoid(x)
    assert [t.data_ptr() for t in kept] == [x.data_ptr()]


def test_changing_the_input_before_backward_is_an_error_and_not_a_wrong_gradient():
    hidden = torch.randn(5, requires_grad=True) * 1
    y = sigmoid(hidden)
    hidden.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_the_layers_say_what_they_are():
    assert repr(Sigmoid()) == "Sigmoid()"
    assert repr(Hardsigmoid()) == "Hardsigmoid()"
    assert repr(Hardsigmoid(inplace=True)) == "Hardsigmoid(inplace=True)"
