"""Binary step, straight-through step and linear: what is special to them; the rest is in the contract."""

from __future__ import annotations

import copy
import math
import pickle

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from livegrad.activations.binary_step_and_linear import (
    BinaryStep,
    Identity,
    StraightThroughStep,
    binary_step,
    linear,
    straight_through_step,
)

DTYPES = [torch.float32, torch.float64, torch.bfloat16, torch.float16]
every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=str)


def slopes(f, x: torch.Tensor, upstream: torch.Tensor | None = None) -> torch.Tensor:
    x = x.detach().requires_grad_()
    y = f(x)
    return torch.autograd.grad(y, x, torch.ones_like(y) if upstream is None else upstream)[0]


@every_dtype
def test_the_step_is_the_heaviside_function_of_torch(dtype):
    x = torch.tensor([-math.inf, -1e4, -1e-30, -0.0, 0.0, 1e-30, 1.0, math.inf]).to(dtype)
    for value in (0.0, 0.5, 1.0):
        expected = torch.heaviside(x, torch.tensor(value, dtype=dtype))
        torch.testing.assert_close(binary_step(x, value), expected, rtol=0, atol=0)
    torch.testing.assert_close(straight_through_step(x), binary_step(x), rtol=0, atol=0)


@every_dtype
def test_nan_stays_nan_where_torch_makes_it_zero(dtype):
    x = torch.tensor([math.nan], dtype=dtype)
    assert torch.heaviside(x, x.new_ones(())) == 0
    assert binary_step(x).isnan()
    assert straight_through_step(x).isnan()


def test_the_value_at_zero_is_the_one_asked_for_and_one_by_default():
    zeros = torch.tensor([0.0, -0.0])
    assert binary_step(zeros).tolist() == BinaryStep()(zeros).tolist() == [1, 1]
    assert binary_step(zeros, 0.25).tolist() == BinaryStep(0.25)(zeros).tolist() == [0.25, 0.25]


def test_the_gradient_of_the_step_is_exactly_zero_whatever_comes_from_above():
    x = torch.tensor([-2.0, 0.0, 1e-30, 3.0, math.inf, math.nan])
    for size in (1.0, -1e30, math.inf):
        assert torch.equal(slopes(binary_step, x, torch.full((6,), size)), torch.zeros(6))


@every_dtype
def test_straight_through_hands_the_gradient_on_inside_the_width_alone(dtype):
    x = torch.tensor([-math.inf, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, math.inf], dtype=dtype)
    upstream = torch.arange(1.0, 10.0, dtype=dtype)
    inside = (x.abs() <= 1).to(dtype)
    assert torch.equal(slopes(straight_through_step, x, upstream), upstream * inside)
    assert slopes(straight_through_step, x, upstream).dtype == dtype
    assert torch.equal(slopes(lambda z: straight_through_step(z, math.inf), x, upstream), upstream)
    narrow = slopes(lambda z: straight_through_step(z, 0.5), x, upstream)
    assert torch.equal(narrow.nonzero().flatten(), torch.tensor([3, 4, 5]))


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")  # torch's own tracer does it
def test_straight_through_works_with_vmap_compile_and_export():
    x = torch.linspace(-2, 2, 24).view(4, 6)
    torch.testing.assert_close(torch.func.vmap(straight_through_step)(x), binary_step(x))
    torch.testing.assert_close(
        torch.func.vmap(torch.func.grad(lambda row: straight_through_step(row).sum()))(x), (x.abs() <= 1).float()
    )
    torch.compiler.reset()
    compiled = torch.compile(straight_through_step, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(slopes(compiled, x), slopes(straight_through_step, x))
    batch = torch.export.Dim("batch", min=2, max=64)
    program = torch.export.export(StraightThroughStep().eval(), (x,), dynamic_shapes=({0: batch},))
    torch.testing.assert_close(program.module()(x[:3]), binary_step(x[:3]))


@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (2, 3, 4, 5)], ids=str)
def test_straight_through_keeps_every_shape(shape):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    assert torch.equal(straight_through_step(x), binary_step(x))
    assert slopes(straight_through_step, x).shape == shape


@given(st.floats(-1e6, 1e6, width=32).filter(bool))
def test_a_step_and_its_mirror_image_add_up_to_one(x):
    at = torch.tensor(x)
    assert binary_step(at) + binary_step(-at) == 1


@given(st.floats(-1e6, 1e6, width=32), st.integers(-20, 20))
def test_a_positive_factor_does_not_move_a_step(x, power):
    at = torch.tensor(x, dtype=torch.float64)
    assert binary_step(at * 2.0**power) == binary_step(at)


def test_gradient_descent_leaves_the_weights_before_a_step_alone_and_moves_those_before_a_straight_through_step():
    x = torch.randn(50, 3, generator=torch.Generator().manual_seed(1))
    for activation, moves in ((BinaryStep(), False), (StraightThroughStep(), True)):
        torch.manual_seed(2)
        model = torch.nn.Sequential(torch.nn.Linear(3, 8), activation, torch.nn.Linear(8, 1))
        model(x).square().sum().backward()
        assert bool(model[0].weight.grad.any()) is moves
        assert model[2].weight.grad.any()


def test_linear_is_the_input_and_a_stack_of_linear_layers_is_one_matrix():
    x = torch.randn(5, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    assert linear(x) is x
    torch.manual_seed(4)
    a, b = torch.nn.Linear(4, 7, dtype=torch.float64), torch.nn.Linear(7, 2, dtype=torch.float64)
    deep = torch.nn.Sequential(a, Identity(), b)
    torch.testing.assert_close(deep(x), x @ (b.weight @ a.weight).T + b.weight @ a.bias + b.bias)


@pytest.mark.parametrize("bad", [-0.1, 1.5, math.nan])
def test_a_value_at_zero_outside_the_step_is_refused(bad):
    for call in (lambda: binary_step(torch.zeros(1), bad), lambda: BinaryStep(bad)):
        with pytest.raises(ValueError, match=rf"value_at_zero must be in \[0, 1\], got {bad}"):
            call()


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan])
def test_a_width_that_is_not_positive_is_refused(bad):
    for call in (lambda: straight_through_step(torch.zeros(1), bad), lambda: StraightThroughStep(bad)):
        with pytest.raises(ValueError, match=f"width must be positive, got {bad}"):
            call()


def test_straight_through_refuses_whole_numbers():
    with pytest.raises(TypeError, match=r"torch\.int64"):
        straight_through_step(torch.arange(3))


def test_the_layers_say_what_they_are_and_survive_copy_and_pickle():
    assert repr(BinaryStep()) == "BinaryStep()"
    assert repr(BinaryStep(0.5)) == "BinaryStep(value_at_zero=0.5)"
    assert repr(StraightThroughStep()) == "StraightThroughStep(width=1.0)"
    assert repr(Identity(3, bias=True)) == "Identity()"
    x = torch.linspace(-2, 2, 9)
    for module in (BinaryStep(0.5), StraightThroughStep(0.5)):
        for each in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
            assert torch.equal(each(x), module(x))
            assert repr(each) == repr(module)
