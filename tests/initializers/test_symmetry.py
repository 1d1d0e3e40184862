"""Constant initializers against torch's, and the count of distinct units against counts made by hand."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from livegrad.initializers.symmetry import constant_, distinct_units, ones_, zeros_


@given(shape=st.lists(st.integers(0, 4), max_size=4), val=st.floats(-(2.0**99), 2.0**99, width=32))
def test_any_shape_and_value_agree_with_torch(shape, val):
    assert torch.equal(constant_(torch.full(shape, torch.nan), val), nn.init.constant_(torch.empty(shape), val))
    assert torch.equal(zeros_(torch.full(shape, torch.nan)), torch.zeros(shape))
    assert torch.equal(ones_(torch.full(shape, torch.nan)), torch.ones(shape))


@pytest.mark.parametrize("val", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_is_refused_and_nothing_is_changed(val):
    tensor = torch.tensor([1.0, 2.0])
    with pytest.raises(ValueError, match=f"val must be finite, got {val}"):
        constant_(tensor, val)
    assert tensor.tolist() == [1.0, 2.0]


def test_distinct_units_are_counted_by_weights_in_bias_and_weights_out():
    weight = torch.tensor([[1.0, 2.0], [1.0, 2.0], [1.0, 3.0], [1.0, 2.0]])
    assert distinct_units(weight) == 2
    assert distinct_units(weight, torch.tensor([0.0, 0.0, 0.0, 1.0])) == 3
    assert distinct_units(weight, None, torch.tensor([[5.0, 6.0, 5.0, 5.0]])) == 3
    assert distinct_units(weight, torch.tensor([0.0, 0.0, 0.0, 1.0]), torch.tensor([[5.0, 6.0, 5.0, 5.0]])) == 4


def test_the_last_bit_counts_as_a_difference():
    one = torch.tensor(1.0)
    assert distinct_units(torch.stack([one, torch.nextafter(one, 2 * one)])[:, None]) == 2


def test_kernels_of_a_convolution_are_units():
    layer = nn.Conv2d(3, 5, 2)
    assert distinct_units(layer.weight, layer.bias) == 5
    constant_(layer.weight, 0.1)
    assert distinct_units(layer.weight) == 1
    assert distinct_units(layer.weight, layer.bias) == 5


def test_parts_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match=r"must have one entry a unit, got \[3, 2\] units"):
        distinct_units(torch.zeros(3, 4), torch.zeros(2))
    with pytest.raises(ValueError, match=r"got \[3, 3, 4\] units"):
        distinct_units(torch.zeros(3, 4), torch.zeros(3), torch.zeros(2, 4))


@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.Adam])
def test_units_that_start_alike_stay_alike_in_exact_arithmetic(optimizer):
    # Powers of two and few of them: every sum is exact, so no rounding can tell the units apart.
    model = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1))
    for parameter in model.parameters():
        constant_(parameter, 0.5)
    steps = optimizer(model.parameters(), lr=0.125)
    for _ in range(3):
        steps.zero_grad()
        model(torch.tensor([[1.0, 0.5]])).sum().backward()
        steps.step()
    assert distinct_units(model[0].weight, model[0].bias, model[2].weight) == 1
    assert not torch.equal(model[0].weight, torch.full((4, 2), 0.5))
