"""The engine against torch, operation by operation and as a whole network, and against slopes found by nudging."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from livegrad.foundations.backpropagation import MLP, Value

# Each is written once and run with Values and with float64 tensors.
EXPRESSIONS: dict[str, Callable[..., Any]] = {
    "add": lambda a, b: a + b,
    "add number": lambda a, b: 2.5 + a + 1 + b * 0,
    "subtract": lambda a, b: a - b,
    "subtract from number": lambda a, b: 3.0 - a - b,
    "multiply": lambda a, b: 2.0 * a * b,
    "divide": lambda a, b: a / b,
    "divide number": lambda a, b: 2.0 / b + a,
    "negate": lambda a, b: -a - -b,
    "power": lambda a, b: a**3 + b**-2 + b**0.5 + a**0,
    "exp": lambda a, b: (a * b).exp(),
    "log": lambda a, b: b.log() * a,
    "tanh": lambda a, b: (a + b).tanh(),
    "relu": lambda a, b: (a * b).relu() + (-a * b).relu(),
    "used twice": lambda a, b: a * a + a * b + a,
    "used by different depths": lambda a, b: ((a * b).tanh() + a) * ((a * b).tanh() * b + a * b).exp(),
    "unused": lambda a, b: b * 3,
}

numbers = st.floats(-3, 3).filter(lambda x: abs(x) > 1e-3)


@pytest.mark.parametrize("name", EXPRESSIONS)
@settings(deadline=None, max_examples=25)
@given(a=numbers, b=numbers.map(abs))
def test_value_and_gradients_are_those_of_torch(name: str, a: float, b: float) -> None:
    ours = Value(a), Value(b)
    theirs = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in (a, b)]
    result, expected = EXPRESSIONS[name](*ours), EXPRESSIONS[name](*theirs)
    result.backward()
    slopes = torch.autograd.grad(expected, theirs, allow_unused=True)
    assert result.data == pytest.approx(expected.item(), rel=1e-12, abs=1e-12)
    for value, slope in zip(ours, slopes, strict=True):
        assert value.grad == pytest.approx(0.0 if slope is None else slope.item(), rel=1e-10, abs=1e-10)


def test_a_gradient_computed_by_hand() -> None:
    # (a·b + c)² with a = 2, b = -3, c = 10: the bracket is 4, so the slopes are 8b, 8a and 8.
    a, b, c = Value(2), Value(-3), Value(10)
    out = (a * b + c) ** 2
    out.backward()
    assert (out.data, a.grad, b.grad, c.grad, out.grad) == (16, -24, 16, 8, 1)


def test_gradients_add_up_over_calls_of_backward_as_in_torch() -> None:
    a = Value(3.0)
    middle = a * a
    out = middle * 2.0
    out.backward()
    out.backward()
    assert a.grad == 2 * 12
    assert middle.grad == 2 * 2  # not 2 + 2·2: what arrived the first time is not sent on again


def test_slopes_at_the_edges_are_those_of_torch() -> None:
    for n in (0, 0.5, 1, 2, 3.0):
        ours, theirs = Value(0.0), torch.tensor(0.0, dtype=torch.float64, requires_grad=True)
        (ours**n).backward()
        (theirs**n).backward()
        assert ours.grad == theirs.grad.item()
    zero = Value(0.0)
    zero.relu().backward()
    assert zero.grad == 0


def test_the_history_lists_every_number_once_and_after_its_parents() -> None:
    a, b = Value(1.0), Value(2.0)
    c = a * b
    out = (c + a) * (c + b) + c
    order = out.history()
    assert len(order) == len(set(order)) == 7
    position = {value: k for k, value in enumerate(order)}
    assert all(position[parent] < position[value] for value in order for parent in value.parents)
    assert order[-1] is out


def test_graphs_deeper_than_pythons_limit_of_calls_work() -> None:
    x = out = Value(1.0)
    for _ in range(3 * sys.getrecursionlimit()):
        out = out + 1.0
    out.backward()
    assert x.grad == 1


def torch_twin(model: MLP, sizes: list[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for weights, biases in zip(model.weights, model.biases, strict=True):
        linear = nn.Linear(len(weights[0]), len(weights), dtype=torch.float64)
        with torch.no_grad():
            linear.weight.copy_(torch.tensor([[w.data for w in row] for row in weights], dtype=torch.float64))
            linear.bias.copy_(torch.tensor([b.data for b in biases], dtype=torch.float64))
        layers += [linear, nn.Tanh()]
    return nn.Sequential(*layers[:-1])


@pytest.mark.parametrize("sizes", [[1, 1], [3, 2], [2, 4, 1], [3, 5, 4, 2]])
def test_the_network_and_all_its_gradients_are_those_of_torch(sizes: list[int]) -> None:
    model = MLP(sizes, seed=3)
    twin = torch_twin(model, sizes)
    x = [0.3 * k - 0.4 for k in range(sizes[0])]
    out = model(x)
    expected = twin(torch.tensor(x, dtype=torch.float64))
    assert [v.data for v in out] == pytest.approx(expected.tolist(), rel=1e-13)
    sum((v**2 for v in out), Value(0.0)).backward()
    expected.square().sum().backward()
    theirs = torch.cat([p.grad.flatten() for p in twin.parameters() if p.grad is not None]).tolist()
    assert [p.grad for p in model.parameters()] == pytest.approx(theirs, rel=1e-12, abs=1e-15)


def test_the_seed_fixes_the_weights_and_their_range_is_that_of_torch() -> None:
    first, again, other = (MLP([100, 50, 2], seed=seed) for seed in (0, 0, 1))
    data = [[p.data for p in model.parameters()] for model in (first, again, other)]
    assert data[0] == data[1] != data[2]
    weights = [w.data for row in first.weights[0] for w in row]
    assert max(map(abs, weights)) <= 0.1
    # 5000 draws of U(-r, r): variance r²/3, and its estimate has a relative standard error of √(4/5/5000) = 1.3 %
    assert sum(w * w for w in weights) / 5000 == pytest.approx(0.01 / 3, rel=0.06)
    assert all(b.data == 0 for b in first.biases[0])


def test_wrong_arguments_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"sizes must hold at least 2 widths, all at least 1, got \[3\]"):
        MLP([3])
    with pytest.raises(ValueError, match="sizes must hold"):
        MLP([3, 0])
    with pytest.raises(ValueError, match="x must hold 2 numbers, got 3"):
        MLP([2, 1])([1.0, 2.0, 3.0])
    with pytest.raises(TypeError, match="n must be a number, got Value"):
        Value(2.0) ** Value(3.0)  # type: ignore[operator]


def test_infinities_travel_as_they_do_in_torch() -> None:
    a = Value(math.inf)
    (a * 2.0).backward()
    assert a.grad == 2
