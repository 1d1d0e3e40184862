"""Mish: what is special to it; the rest is in the contract."""

from __future__ import annotations

import math

import mpmath
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from livegrad.activations.mish import mish

numbers = st.floats(-1e4, 1e4, width=32)


def test_mish_by_hand():
    # At x = 0 the gate is tanh(ln 2) = (2 - 1/2) / (2 + 1/2) = 3/5, which is also the slope there.
    x = torch.zeros((), dtype=torch.float64, requires_grad=True)
    y = mish(x)
    assert y.item() == 0
    assert torch.autograd.grad(y, x)[0].item() == pytest.approx(0.6, rel=1e-15)
    assert mish(torch.tensor(1.0, dtype=torch.float64)).item() == pytest.approx(
        math.tanh(math.log(1 + math.e)), rel=1e-15
    )


def test_minimum_is_where_mpmath_finds_it():
    with mpmath.workdps(30):
        gate = lambda x: mpmath.tanh(mpmath.log1p(mpmath.exp(x)))  # noqa: E731
        lowest = mpmath.findroot(lambda x: mpmath.diff(lambda z: z * gate(z), x), -1.2)
        depth = lowest * gate(lowest)
    x = torch.tensor(float(lowest), dtype=torch.float64, requires_grad=True)
    y = mish(x)
    assert y.item() == pytest.approx(float(depth), rel=1e-14)
    assert torch.autograd.grad(y, x)[0].item() == pytest.approx(0, abs=1e-14)


def test_minus_infinity_gives_zero_where_torch_gives_nan():
    x = torch.tensor([-torch.inf], requires_grad=True)
    y = mish(x)
    assert y.item() == 0
    assert torch.autograd.grad(y, x)[0].item() == 0


def test_backward_keeps_the_input_and_nothing_else():
    kept = []
    x = torch.randn(100, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        mish(x)
    assert [t.data_ptr() for t in kept] == [x.data_ptr()]


def test_changing_the_input_before_backward_is_an_error_and_not_a_wrong_gradient():
    x = torch.randn(5, requires_grad=True)
    hidden = x * 1
    y = mish(hidden)
    hidden.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_second_derivative_agrees_with_torch_everywhere():
    x = torch.linspace(-30, 30, 241, dtype=torch.float64, requires_grad=True)

    def second(f):
        (first,) = torch.autograd.grad(f(x).sum(), x, create_graph=True)
        return torch.autograd.grad(first.sum(), x)[0]

    torch.testing.assert_close(second(mish), second(torch.nn.functional.mish), rtol=1e-10, atol=1e-14)


@given(numbers)
def test_mish_lies_between_its_minimum_and_relu(x):
    y = mish(torch.tensor(x, dtype=torch.float64)).item()
    assert -0.30885 < y <= max(x, 0)


@given(st.floats(-30, 30))
def test_the_gate_is_the_rational_function_of_one_plus_the_exponential(x):
    # tanh(ln s) = (s² - 1) / (s² + 1) with s = 1 + eˣ; in fifty digits the difference may be taken.
    with mpmath.workdps(50):
        s = 1 + mpmath.exp(x)
        expected = float(x * (s**2 - 1) / (s**2 + 1))
    assert mish(torch.tensor(x, dtype=torch.float64)).item() == pytest.approx(expected, rel=1e-15, abs=1e-320)
