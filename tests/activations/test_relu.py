"""ReLU, ReLU6 and the squared ReLU: what is special to them; the rest is in the contract."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from livegrad.activations.relu import ReLU, ReLU6, SquaredReLU, relu, relu6, squared_relu

numbers = st.floats(-1e6, 1e6, width=32)


def slope(f, x: float) -> float:
    at = torch.tensor(x, requires_grad=True)
    return torch.autograd.grad(f(at), at)[0].item()


def test_relu_by_hand():
    x = torch.tensor([-2.0, -0.5, 0.0, 0.5, 7.0])
    assert relu(x).tolist() == [0.0, 0.0, 0.0, 0.5, 7.0]
    assert relu6(x).tolist() == [0.0, 0.0, 0.0, 0.5, 6.0]
    assert squared_relu(x).tolist() == [0.0, 0.0, 0.0, 0.25, 49.0]


def test_the_derivative_at_a_kink_is_zero_by_convention_as_in_torch():
    for zero in (0.0, -0.0):
        assert slope(relu, zero) == slope(torch.relu, zero) == 0
        assert slope(relu6, zero) == 0
        assert slope(squared_relu, zero) == 0
    assert slope(relu6, 6.0) == slope(torch.nn.functional.relu6, 6.0) == 0
    assert slope(lambda x: x.clamp(min=0), 0.0) == 1  # why relu is not written with clamp


def test_values_and_gradients_equal_those_of_torch_exactly():
    x = torch.randn(10_000, generator=torch.Generator().manual_seed(0)) * 5
    upstream = torch.randn(10_000, generator=torch.Generator().manual_seed(1))
    for ours, theirs in ((relu, torch.relu), (relu6, torch.nn.functional.relu6)):
        a, b = x.clone().requires_grad_(), x.clone().requires_grad_()
        y, z = ours(a), theirs(b)
        assert torch.equal(y, z)
        assert torch.equal(torch.autograd.grad(y, a, upstream)[0], torch.autograd.grad(z, b, upstream)[0])


def test_an_infinite_upstream_gradient_is_stopped_where_the_unit_is_off():
    x = torch.tensor([-1.0, 1.0], requires_grad=True)
    (gradient,) = torch.autograd.grad(relu(x), x, torch.tensor([torch.inf, torch.inf]))
    assert gradient.tolist() == [0, torch.inf]


@given(numbers)
def test_relu_applied_twice_is_relu_applied_once(x):
    y = relu(torch.tensor(x))
    assert torch.equal(relu(y), y)


@given(numbers, st.integers(0, 20))
def test_relu_commutes_with_a_positive_factor(x, power):
    factor = 2.0**power  # a power of two multiplies without rounding
    assert torch.equal(relu(torch.tensor(x) * factor), relu(torch.tensor(x)) * factor)


@given(numbers)
def test_relu_of_x_minus_relu_of_minus_x_is_x(x):
    at = torch.tensor(x)
    assert torch.equal(relu(at) - relu(-at), at)


def test_backward_of_relu_keeps_one_tensor():
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        relu(torch.randn(100, requires_grad=True))
    assert [t.numel() for t in kept] == [100]


def test_the_layers_say_what_they_are():
    assert repr(ReLU()) == "ReLU()"
    assert repr(ReLU6(inplace=True)) == "ReLU6(inplace=True)"
    assert repr(SquaredReLU()) == "SquaredReLU()"
