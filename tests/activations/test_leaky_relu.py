"""Leaky ReLU, PReLU and RReLU: what is special to them; the rest is in the contract."""

from __future__ import annotations

import copy
import math
import pickle
from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from livegrad.activations.leaky_relu import LeakyReLU, PReLU, RReLU, leaky_relu, prelu, rrelu

numbers = st.floats(-1e6, 1e6, width=32)
slopes = st.floats(-4, 4, width=32)
DTYPES = [torch.float32, torch.float64, torch.bfloat16, torch.float16]
every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=str)


def test_leaky_relu_by_hand():
    x = torch.tensor([-8.0, -2.0, 0.0, 3.0], requires_grad=True)
    y = leaky_relu(x, 0.25)
    assert y.tolist() == [-2, -0.5, 0, 3]
    assert torch.autograd.grad(y.sum(), x)[0].tolist() == [0.25, 0.25, 0.25, 1]


@given(numbers, slopes)
def test_value_and_gradient_equal_those_of_torch_for_any_slope(x, a):
    ours, theirs = (torch.tensor(x, requires_grad=True) for _ in range(2))
    y, z = leaky_relu(ours, a), nn.functional.leaky_relu(theirs, a)
    assert torch.equal(y, z)
    assert torch.equal(torch.autograd.grad(y, ours)[0], torch.autograd.grad(z, theirs)[0])


@given(st.floats(-1e6, 1e6, width=32), st.floats(0.125, 8, width=32))
def test_the_reciprocal_slope_inverts(x, a):
    at = torch.tensor(x, dtype=torch.float64)
    assert leaky_relu(leaky_relu(at, a), 1 / a).item() == pytest.approx(at.item(), rel=1e-15)


def test_backward_of_leaky_relu_keeps_the_input_and_nothing_else():
    kept = []
    x = torch.randn(100, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        leaky_relu(x)
    assert [t.data_ptr() for t in kept] == [x.data_ptr()]


@every_dtype
def test_an_upstream_gradient_is_rounded_once_and_stopped_by_a_slope_of_zero(dtype):
    x = torch.linspace(-2, 2, 8).to(dtype).requires_grad_()
    upstream = torch.rand(8, generator=torch.Generator().manual_seed(9)).to(dtype)
    (ours,), (theirs,) = (torch.autograd.grad(f(x, 0.3), x, upstream) for f in (leaky_relu, nn.functional.leaky_relu))
    assert torch.equal(ours, theirs)
    (stopped,) = torch.autograd.grad(leaky_relu(x, 0.0), x, torch.full_like(x, math.inf))
    assert stopped.tolist() == [0] * 4 + [math.inf] * 4


@pytest.mark.parametrize("make", [lambda a: leaky_relu(torch.zeros(2), a), LeakyReLU])
@pytest.mark.parametrize("a", [math.nan, math.inf])
def test_a_slope_that_is_not_finite_is_refused(make, a):
    with pytest.raises(ValueError, match=f"negative_slope must be finite, got {a}"):
        make(a)


# --- PReLU ------------------------------------------------------------------------------------------------------


def both_gradients(f, x, weight):
    x, weight = x.clone().requires_grad_(), weight.clone().requires_grad_()
    y = f(x, weight)
    upstream = torch.randn(y.shape, generator=torch.Generator().manual_seed(7)).to(y.dtype)
    return y.detach(), *torch.autograd.grad(y, (x, weight), upstream)


@every_dtype
@pytest.mark.parametrize(
    ("shape", "count"), [((), 1), ((5,), 1), ((0, 3), 3), ((4, 3), 3), ((4, 3), 1), ((2, 3, 4, 5), 3)]
)
def test_prelu_and_both_its_gradients_agree_with_torch(shape, count, dtype):
    x = (torch.randn(shape, generator=torch.Generator().manual_seed(1)) * 3).to(dtype)
    weight = torch.linspace(-0.5, 1.5, count).to(dtype)
    # The weight's gradient is a sum, which two kernels round in another order: torch.testing's default for the dtype.
    results = both_gradients(prelu, x, weight), both_gradients(nn.functional.prelu, x, weight)
    for ours, theirs in zip(*results, strict=True):
        assert ours.dtype == dtype
        torch.testing.assert_close(ours, theirs)


@every_dtype
def test_prelu_rounds_once(dtype):
    # Products of its numbers are exact in fractions: value and both derivatives are the nearest number to the true one.
    x = torch.cat([torch.arange(-160, 161) / 16, torch.rand(200, generator=torch.Generator().manual_seed(8)) * 20 - 10])
    x, weight = x.to(dtype).requires_grad_(), torch.tensor(0.3, dtype=dtype)
    y = prelu(x, weight)
    (slopes,) = torch.autograd.grad(y.sum(), x)
    exact = [Fraction(v) * (1 if v > 0 else Fraction(weight.item())) for v in x.tolist()]
    # float() rounds a fraction to the nearest float64; from there to a narrower type is exact enough: the product of
    # two of its numbers fits in float64.
    assert torch.equal(y.detach(), torch.tensor([float(v) for v in exact], dtype=torch.float64).to(dtype))
    assert torch.equal(slopes, torch.where(x > 0, 1.0, weight).to(dtype))
    for one in x.detach()[:3].reshape(3, 1):
        learned = weight.clone().requires_grad_()
        assert torch.equal(torch.autograd.grad(prelu(one, learned).sum(), learned)[0], one[0])


def test_the_gradient_of_a_slope_is_finite_beside_an_infinite_input():
    # By hand: the derivative for the slope is x on the left, 0 on the right.
    x, weight = torch.tensor([-3.0, 0.0, torch.inf]), torch.tensor([0.25], requires_grad=True)
    y = prelu(x, weight)
    assert y.tolist() == [-0.75, 0, math.inf]
    assert torch.autograd.grad(y.sum(), weight)[0].item() == -3


@every_dtype
def test_prelu_at_the_extremes(dtype):
    largest = torch.finfo(dtype).max
    x = torch.tensor([math.nan, -math.inf, -largest, -0.0, 0.0, largest, math.inf], dtype=dtype, requires_grad=True)
    y = prelu(x, torch.tensor(0.25, dtype=dtype))
    assert y.isnan().tolist() == [True] + [False] * 6
    assert y[1:].tolist() == [-math.inf, -largest / 4, 0, 0, largest, math.inf]
    assert torch.autograd.grad(y[1:].sum(), x)[0][1:].tolist() == [0.25] * 4 + [1, 1]


def test_prelu_passes_gradcheck_in_input_and_weight():
    x = torch.tensor([[-2.0, 0.4], [1.5, -0.3], [-0.7, -4.0]], dtype=torch.float64, requires_grad=True)
    for count in (1, 2):
        weight = torch.linspace(0.1, 1.7, count, dtype=torch.float64).requires_grad_()
        assert torch.autograd.gradcheck(prelu, (x, weight), check_batched_grad=True)
        assert torch.autograd.gradgradcheck(prelu, (x, weight))


def test_prelu_refuses_a_weight_that_does_not_fit():
    with pytest.raises(ValueError, match=r"weight must hold 1 or 3 slopes, got shape \(4,\)"):
        prelu(torch.zeros(2, 3), torch.zeros(4))
    with pytest.raises(ValueError, match=r"weight must hold 1 or 1 slopes, got shape \(3,\)"):
        prelu(torch.zeros(3), torch.zeros(3))
    with pytest.raises(TypeError, match=r"weight must have the dtype of input, torch\.float64, got torch\.float32"):
        prelu(torch.zeros(3, dtype=torch.float64), torch.zeros(1))
    with pytest.raises(TypeError, match=r"torch\.int64"):
        prelu(torch.zeros(3, dtype=torch.int64), torch.zeros(1))


def test_prelu_starts_at_a_quarter_learns_and_has_the_state_of_torch():
    layer, theirs = PReLU(3), nn.PReLU(3)
    assert layer.weight.tolist() == [0.25] * 3
    theirs.load_state_dict({"weight": torch.tensor([0.1, 0.2, 0.3])})
    layer.load_state_dict(theirs.state_dict())
    x = torch.randn(4, 3, 5, generator=torch.Generator().manual_seed(2))
    for each in (layer, copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert torch.equal(each(x), theirs(x))
    layer(-x.abs()).sum().backward()
    assert (layer.weight.grad < 0).all()


@pytest.mark.parametrize("bad", [0, -1, math.nan])
def test_prelu_refuses_fewer_than_one_parameter_and_a_start_that_is_not_finite(bad):
    with pytest.raises(ValueError, match="num_parameters must be at least 1"):
        PReLU(bad)
    with pytest.raises(ValueError, match="init must be finite, got nan"):
        PReLU(init=math.nan)


# --- RReLU ------------------------------------------------------------------------------------------------------


def test_rrelu_outside_of_training_is_the_leaky_relu_of_the_mean_slope():
    x = torch.randn(100, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(rrelu(x), nn.functional.rrelu(x))
    assert torch.equal(rrelu(x, 0.0, 0.5), leaky_relu(x, 0.25))
    layer = RReLU(0.0, 0.5).eval()
    assert torch.equal(layer(x), layer(x))


@every_dtype
def test_rrelu_in_training_draws_every_slope_evenly_between_its_bounds(dtype):
    torch.manual_seed(0)
    x = torch.full((20_000,), -1.0, dtype=dtype, requires_grad=True)
    y = rrelu(x, training=True)
    (drawn,) = torch.autograd.grad(y.sum(), x)
    assert torch.equal(y, -drawn)  # the slope of the value is the slope of the gradient
    drawn = drawn.double()
    rounding = torch.finfo(dtype).eps / 4
    assert drawn.min() >= 1 / 8 - rounding
    assert drawn.max() <= 1 / 3 + rounding
    width = 1 / 3 - 1 / 8
    # Mean and variance of even draws, within five standard errors.
    assert abs(drawn.mean() - 11 / 48) < 5 * width / 12**0.5 / 20_000**0.5
    assert drawn.var() == pytest.approx(width**2 / 12, rel=0.05)


def test_rrelu_leaves_the_right_side_alone_and_follows_the_seed():
    x = torch.linspace(-2, 2, 9)
    torch.manual_seed(5)
    first = rrelu(x, training=True)
    torch.manual_seed(5)
    assert torch.equal(rrelu(x, training=True), first)
    assert torch.equal(first[x > 0], x[x > 0])
    assert not torch.equal(rrelu(x, training=True), first)


def test_rrelu_in_place_overwrites_the_input_and_keeps_the_gradient():
    x = torch.linspace(-2, 2, 9, requires_grad=True)
    for training in (True, False):
        torch.manual_seed(5)
        expected = torch.autograd.grad(rrelu(x, training=training).sum(), x)[0]
        torch.manual_seed(5)
        hidden = x * 1
        out = rrelu(hidden, training=training, inplace=True)
        assert out.data_ptr() == hidden.data_ptr()
        assert torch.equal(torch.autograd.grad(out.sum(), x)[0], expected)


@every_dtype
def test_rrelu_at_the_extremes(dtype):
    x = torch.tensor([math.nan, -math.inf, -0.0, 0.0, math.inf], dtype=dtype, requires_grad=True)
    y = rrelu(x, training=True)
    assert y.dtype == dtype
    assert y.isnan().tolist() == [True, False, False, False, False]
    assert y[1:].tolist() == [-math.inf, 0, 0, math.inf]
    assert torch.autograd.grad(y[1:].sum(), x)[0].isfinite().all()


@pytest.mark.parametrize("bounds", [(0.5, 0.25), (math.nan, 1.0), (0.0, math.inf)])
def test_rrelu_refuses_bounds_that_bound_nothing(bounds):
    for make in (lambda *b: rrelu(torch.zeros(2), *b), RReLU):
        with pytest.raises(ValueError, match="lower and upper must be finite with lower <= upper"):
            make(*bounds)
    for training in (True, False):
        with pytest.raises(TypeError, match=r"torch\.int64"):
            rrelu(torch.zeros(3, dtype=torch.int64), training=training)


@pytest.mark.parametrize("module", [PReLU(), PReLU(3), RReLU(), RReLU().eval()], ids=repr)
def test_works_under_autocast_vmap_and_export(module):
    x = torch.randn(4, 3, generator=torch.Generator().manual_seed(6))
    model = nn.Sequential(nn.Linear(3, 3), copy.deepcopy(module), nn.Linear(3, 1))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = model(x)
    assert out.dtype == torch.bfloat16
    out.sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    each = torch.func.vmap(lambda row: module(row[None])[0], randomness="different")(x)
    assert each.shape == x.shape
    assert torch.equal(each[x > 0], x[x > 0])
    if not (isinstance(module, RReLU) and module.training):
        torch.testing.assert_close(each, module(x))
        exported = torch.export.export(module, (x,)).module()
        torch.testing.assert_close(exported(x), module(x))


def test_the_layers_say_what_they_are():
    assert repr(LeakyReLU()) == "LeakyReLU(negative_slope=0.01)"
    assert repr(LeakyReLU(0.2, inplace=True)) == "LeakyReLU(negative_slope=0.2, inplace=True)"
    assert repr(PReLU(3)) == "PReLU(num_parameters=3)"
    assert repr(RReLU(0.1, 0.2)) == "RReLU(lower=0.1, upper=0.2)"
    assert repr(RReLU(0.1, 0.2, inplace=True)) == "RReLU(lower=0.1, upper=0.2, inplace=True)"
