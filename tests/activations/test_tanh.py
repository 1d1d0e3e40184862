"""Tanh and softsign: what is special to them; the rest is in the contract."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from livegrad.activations.tanh import Softsign, Tanh, softsign, tanh

numbers = st.floats(-1e4, 1e4, width=32)


def slope(f, x: float, dtype: torch.dtype = torch.float32) -> float:
    at = torch.tensor(x, dtype=dtype, requires_grad=True)
    return torch.autograd.grad(f(at), at)[0].item()


def test_tanh_by_hand():
    # e^(ln 2) = 2: the value is (2 - 1/2) / (2 + 1/2) = 3/5, the slope 1 - 9/25 = 16/25.
    x = math.log(2)
    assert tanh(torch.zeros(())).item() == 0
    assert slope(tanh, 0.0) == 1
    assert tanh(torch.tensor(x, dtype=torch.float64)).item() == pytest.approx(3 / 5, rel=1e-15)
    assert slope(tanh, x, torch.float64) == pytest.approx(16 / 25, rel=1e-15)


def test_softsign_by_hand():
    x = torch.tensor([-3.0, -1.0, 0.0, 1.0, 3.0])
    assert softsign(x).tolist() == [-0.75, -0.5, 0.0, 0.5, 0.75]
    assert [slope(softsign, v) for v in x.tolist()] == [1 / 16, 1 / 4, 1, 1 / 4, 1 / 16]


@pytest.mark.parametrize("x", [-40.0, -9.5, 9.5, 40.0])
def test_both_tails_have_a_gradient_where_that_of_torch_is_zero(x):
    # 1 / cosh^2, by the standard library; from about 9 on tanh(x) is 1 in float32.
    assert abs(tanh(torch.tensor(x)).item()) == 1
    assert slope(torch.tanh, x) == 0
    assert slope(tanh, x) == pytest.approx(1 / math.cosh(x) ** 2, rel=1e-6)


def test_softsign_at_infinity_gives_one_where_torch_gives_nan():
    x = torch.tensor([-torch.inf, torch.inf])
    assert torch.nn.functional.softsign(x).isnan().all()
    assert softsign(x).tolist() == [-1, 1]
    assert slope(softsign, torch.inf) == 0


def test_softsign_has_a_gradient_where_that_of_torch_cancels():
    assert slope(torch.nn.functional.softsign, 1e8) == 0
    assert slope(softsign, 1e8) == pytest.approx(1e-16, rel=1e-6)


def test_the_second_derivative_of_tanh_keeps_its_digits_too():
    # -2 tanh / cosh^2 in float64, by a form without cancellation.
    x = torch.linspace(0.5, 16, 63, requires_grad=True)
    (first,) = torch.autograd.grad(tanh(x).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x)
    at = x.detach().double()
    torch.testing.assert_close(second.double(), -2 * at.tanh() / at.cosh() ** 2, rtol=4e-6, atol=0)


@given(numbers)
def test_both_are_odd_to_the_last_bit(x):
    at = torch.tensor(x)
    for f in (tanh, softsign):
        assert torch.equal(f(-at), -f(at))
        assert slope(f, -x) == slope(f, x)


@given(st.floats(-20, 20))
def test_tanh_is_a_stretched_sigmoid(x):
    at = torch.tensor(x, dtype=torch.float64)
    assert tanh(at).item() == pytest.approx(2 * torch.sigmoid(2 * at).item() - 1, abs=4e-16)


@given(numbers)
def test_softsign_lies_between_zero_and_tanh(x):
    # ln(1 + y) <= y gives 1 + 2|x| <= e^(2|x|), hence |x| / (1 + |x|) <= tanh |x|.
    at = torch.tensor(abs(x), dtype=torch.float64)
    assert 0 <= softsign(at).item() <= tanh(at).item() * (1 + 4e-16)


@pytest.mark.parametrize("f", [tanh, softsign])
def test_backward_keeps_the_input_and_nothing_else(f):
    kept = []
    x = torch.randn(100, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        f(x)
    assert [t.data_ptr() for t in kept] == [x.data_ptr()]


@pytest.mark.parametrize("f", [tanh, softsign])
def test_changing_the_input_before_backward_is_an_error_and_not_a_wrong_gradient(f):
    hidden = torch.randn(5, requires_grad=True) * 1
    y = f(hidden)
    hidden.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_the_layers_say_what_they_are():
    assert repr(Tanh()) == "Tanh()"
    assert repr(Softsign()) == "Softsign()"
