"""SiLU, Swish, hard swish and GELU: what is special to them; the rest is in the contract."""

from __future__ import annotations

import math

import mpmath
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from livegrad.activations.swish import GELU, Hardswish, SiLU, Swish, gelu, hardswish, silu, swish

numbers = st.floats(-1e4, 1e4, width=32)


def gelu_tanh(x):
    return gelu(x, approximate="tanh")


SMOOTH = [silu, swish, gelu, gelu_tanh]


def slope(f, x: float, dtype: torch.dtype = torch.float32) -> float:
    at = torch.tensor(x, dtype=dtype, requires_grad=True)
    return torch.autograd.grad(f(at), at)[0].item()


def test_silu_by_hand():
    # sigmoid(ln 3) = 3/4: the value is 3/4 ln 3, the slope 3/4 (1 + 1/4 ln 3).
    x = math.log(3)
    assert silu(torch.tensor(x, dtype=torch.float64)).item() == pytest.approx(0.75 * x, rel=1e-15)
    assert slope(silu, x, torch.float64) == pytest.approx(0.75 * (1 + x / 4), rel=1e-15)


def test_hardswish_by_hand():
    x = torch.tensor([-5.0, -3.0, -1.5, 0.0, 3.0, 5.0])
    assert hardswish(x).tolist() == [0, 0, -0.375, 0, 3, 5]
    assert [slope(hardswish, v) for v in (-4.0, -3.0, -1.5, 0.0, 3.0, 4.0)] == [0, 0, 0, 0.5, 1, 1]


def test_gelu_is_x_times_the_normal_distribution_of_the_standard_library():
    from statistics import NormalDist

    for x in (-3.0, -1.0, -0.1, 0.0, 0.5, 2.0):
        assert gelu(torch.tensor(x, dtype=torch.float64)).item() == pytest.approx(x * NormalDist().cdf(x), rel=1e-12)


@pytest.mark.parametrize(
    ("f", "gate", "start"),
    [
        (silu, lambda x: 1 / (1 + mpmath.exp(-x)), -1.3),
        (gelu, lambda x: mpmath.erfc(-x / mpmath.sqrt(2)) / 2, -0.75),
    ],
)
def test_minimum_is_where_mpmath_finds_it(f, gate, start):
    with mpmath.workdps(30):
        lowest = mpmath.findroot(lambda x: mpmath.diff(lambda z: z * gate(z), x), start)
        depth = lowest * gate(lowest)
    x = torch.tensor(float(lowest), dtype=torch.float64, requires_grad=True)
    y = f(x)
    assert y.item() == pytest.approx(float(depth), rel=1e-14)
    assert torch.autograd.grad(y, x)[0].item() == pytest.approx(0, abs=1e-14)


def test_the_minimum_of_silu_is_its_place_plus_one():
    with mpmath.workdps(30):
        place = -1 - mpmath.lambertw(mpmath.exp(-1))
    assert float(place) == pytest.approx(-1.2784645, abs=1e-7)
    assert silu(torch.tensor(float(place), dtype=torch.float64)).item() == pytest.approx(float(place + 1), rel=1e-14)


def test_gelu_keeps_its_digits_where_those_of_torch_cancel():
    x = torch.linspace(-10, -4, 601)
    with mpmath.workdps(30):
        true = torch.tensor([float(v * mpmath.erfc(-v / mpmath.sqrt(2)) / 2) for v in map(mpmath.mpf, x.tolist())])
    assert ((nn.functional.gelu(x) / true - 1).abs() > 5e-4).double().mean() > 0.9
    # x² = 100 times the rounding of x / √2, and a little for erfc.
    assert (gelu(x) / true - 1).abs().max() < 150 * torch.finfo(torch.float32).eps


def test_the_tanh_form_is_within_half_a_thousandth_and_equals_that_of_torch():
    x = torch.linspace(-8, 8, 160_001, dtype=torch.float64)
    assert 4.7e-4 < (gelu_tanh(x) - gelu(x)).abs().max() < 4.8e-4
    # torch's 1 + tanh is off by one unit of 1 at most, times x / 2.
    torch.testing.assert_close(gelu_tanh(x), nn.functional.gelu(x, approximate="tanh"), rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("f", [*SMOOTH, hardswish])
def test_minus_infinity_gives_zero_where_torch_gives_nan(f):
    assert nn.functional.silu(torch.tensor(-math.inf)).isnan()
    assert f(torch.tensor(-math.inf)) == 0
    assert f(torch.tensor(math.inf)) == math.inf
    assert [slope(f, x) for x in (-math.inf, math.inf)] == [0, 1]


@given(numbers)
def test_value_minus_mirror_image_is_x(x):
    # x g(x) + (-x)(-1) g(-x) = x where the gates of x and -x add up to 1.
    at = torch.tensor(x, dtype=torch.float64)
    for f in (*SMOOTH, hardswish):
        assert (f(at) - f(-at)).item() == pytest.approx(x, rel=1e-14)


@given(numbers)
def test_values_lie_between_the_dip_and_relu(x):
    at = torch.tensor(x, dtype=torch.float64)
    for f, dip in ((silu, 0.27847), (gelu, 0.17), (gelu_tanh, 0.1701), (hardswish, 0.375)):
        assert -dip <= f(at).item() <= max(x, 0)


def test_swish_is_half_the_line_at_beta_zero_and_nearly_relu_at_a_large_beta():
    x = torch.linspace(-3, 3, 61)
    assert torch.equal(swish(x, 0.0), x / 2)
    assert torch.equal(swish(x, 1.0), silu(x))
    assert (swish(x, 1e4) - x.clamp(min=0)).abs().max() < 1e-4


def test_beta_gets_the_gradient_that_autograd_gives_the_formula():
    x = torch.linspace(-6, 6, 41, dtype=torch.float64)
    ours = torch.tensor(1.3, dtype=torch.float64, requires_grad=True)
    theirs = ours.detach().clone().requires_grad_()
    upstream = torch.cos(x)
    (a,) = torch.autograd.grad((swish(x, ours) * upstream).sum(), ours)
    (b,) = torch.autograd.grad((x * torch.sigmoid(theirs * x) * upstream).sum(), theirs)
    torch.testing.assert_close(a, b, rtol=1e-12, atol=0)
    at = x[::4].clone().requires_grad_()
    assert torch.autograd.gradcheck(swish, (at, ours), check_batched_grad=True)
    assert torch.autograd.gradgradcheck(swish, (at, ours))


def test_beta_is_learned_and_its_gradient_is_finite_beside_infinite_inputs():
    layer = Swish(0.5)
    layer(torch.tensor([-math.inf, -1e30, -2.0, 3.0, 1e30, math.inf])).nan_to_num(0, 0, 0).sum().backward()
    assert layer.beta.grad.isfinite()
    assert layer.beta.grad > 0
    assert layer.state_dict()["beta"] == 0.5


@pytest.mark.parametrize("f", SMOOTH[:1] + SMOOTH[2:])
def test_backward_keeps_the_input_and_nothing_else(f):
    kept = []
    x = torch.randn(100, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        f(x)
    assert [t.data_ptr() for t in kept] == [x.data_ptr()]


@pytest.mark.parametrize("f", SMOOTH)
def test_changing_the_input_before_backward_is_an_error_and_not_a_wrong_gradient(f):
    hidden = torch.randn(5, requires_grad=True) * 1
    y = f(hidden)
    hidden.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_arguments_without_sense_are_refused():
    for make in (lambda a: gelu(torch.zeros(2), a), GELU):
        with pytest.raises(ValueError, match="approximate must be 'none' or 'tanh', got 'erf'"):
            make("erf")
    for make in (lambda b: swish(torch.zeros(2), b), Swish):
        with pytest.raises(ValueError, match="beta must be finite, got nan"):
            make(math.nan)
    with pytest.raises(ValueError, match=r"beta must have 1 element, got shape \(3,\)"):
        swish(torch.zeros(3), torch.zeros(3))


def test_the_layers_say_what_they_are():
    assert repr(SiLU()) == "SiLU()"
    assert repr(Hardswish(inplace=True)) == "Hardswish(inplace=True)"
    assert repr(GELU()) == repr(nn.GELU())
    assert repr(GELU("tanh")) == "GELU(approximate='tanh')"
    assert repr(Swish()) == "Swish()"
