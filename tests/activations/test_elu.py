"""ELU, CELU, SELU and alpha dropout: what is special to them; the rest is in the contract."""

from __future__ import annotations

import copy
import math
import pickle

import mpmath
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from livegrad.activations.elu import (
    CELU,
    ELU,
    SELU,
    SELU_ALPHA,
    SELU_SCALE,
    AlphaDropout,
    alpha_dropout,
    celu,
    elu,
    selu,
)

numbers = st.floats(-1e4, 1e4, width=32)
alphas = st.floats(0.125, 8, width=32)


def slope(f, x: float, dtype: torch.dtype = torch.float32) -> float:
    at = torch.tensor(x, dtype=dtype, requires_grad=True)
    return torch.autograd.grad(f(at), at)[0].item()


def test_elu_by_hand():
    # e^(-ln 2) = 1/2: the value is alpha (1/2 - 1), the slope alpha / 2.
    x = -math.log(2)
    for alpha in (1.0, 3.0):
        f = lambda x, alpha=alpha: elu(x, alpha)  # noqa: E731
        assert f(torch.tensor(x, dtype=torch.float64)).item() == pytest.approx(-alpha / 2, rel=1e-15)
        assert slope(f, x, torch.float64) == pytest.approx(alpha / 2, rel=1e-15)
        assert f(torch.tensor(2.0)).item() == 2
        assert slope(f, 2.0) == 1


def test_selu_keeps_mean_zero_and_mean_square_one():
    # The integrals of its definition, by mpmath's quadrature, with the constants of this file.
    with mpmath.workdps(30):
        density = lambda z: mpmath.exp(-z * z / 2) / mpmath.sqrt(2 * mpmath.pi)  # noqa: E731
        f = lambda z: SELU_SCALE * (z if z > 0 else SELU_ALPHA * mpmath.expm1(z))  # noqa: E731
        mean = mpmath.quad(lambda z: f(z) * density(z), [-15, -3, 0, 3, 15])
        square = mpmath.quad(lambda z: f(z) ** 2 * density(z), [-15, -3, 0, 3, 15])
    assert float(mean) == pytest.approx(0, abs=1e-15)
    assert float(square) == pytest.approx(1, abs=1e-15)


def test_the_constants_are_those_printed_in_the_paper():
    assert pytest.approx(1.6732632423543772848170429916717, rel=4e-16) == SELU_ALPHA
    assert pytest.approx(1.0507009873554804934193349852946, rel=4e-16) == SELU_SCALE


@pytest.mark.parametrize("f", [elu, celu, selu])
def test_a_large_input_has_a_gradient_where_the_naive_choice_gives_nan(f):
    naive = lambda x: torch.where(x > 0, x, x.exp() - 1)  # noqa: E731
    assert math.isnan(slope(naive, 100.0))
    assert slope(f, 100.0) == pytest.approx(SELU_SCALE if f is selu else 1, rel=1e-7)


def test_the_left_tail_has_a_gradient_where_that_of_expm1_is_zero():
    by_expm1 = lambda x: torch.where(x > 0, x, torch.expm1(x.clamp(max=0)))  # noqa: E731
    assert slope(by_expm1, -18.0) == 0
    assert slope(elu, -18.0) == pytest.approx(math.exp(-18), rel=1e-6)


@pytest.mark.parametrize("x", [200.0, math.inf])
def test_no_derivative_of_any_order_is_nan_on_the_right(x):
    at = torch.tensor(x, requires_grad=True)
    y = elu(at, 2.0)
    for _ in range(2):
        (y,) = torch.autograd.grad(y, at, create_graph=True)
        assert y.isfinite()


@given(st.floats(-1e3, 1e3, width=32), alphas)
def test_celu_is_one_function_stretched(x, alpha):
    at = torch.tensor(x, dtype=torch.float64)
    assert celu(at, alpha).item() == pytest.approx(alpha * celu(at / alpha).item(), rel=1e-14, abs=1e-300)


@given(numbers, alphas)
def test_values_lie_above_the_floor_and_below_relu_or_on_it(x, alpha):
    at = torch.tensor(x, dtype=torch.float64)
    for y, floor in ((elu(at, alpha), alpha), (celu(at, alpha), alpha), (selu(at) / SELU_SCALE, SELU_ALPHA)):
        assert -floor * (1 + 1e-15) <= y.item() <= max(x, 0) * (1 + 1e-15)


@pytest.mark.parametrize("f", [elu, celu, selu])
def test_backward_keeps_the_input_and_nothing_else(f):
    kept = []
    x = torch.randn(100, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        f(x)
    assert [t.data_ptr() for t in kept] == [x.data_ptr()]


@pytest.mark.parametrize("alpha", [0.0, -1.0, math.nan, math.inf])
def test_an_alpha_that_is_not_positive_and_finite_is_refused(alpha):
    for make in (lambda a: elu(torch.zeros(2), a), lambda a: celu(torch.zeros(2), a), ELU, CELU):
        with pytest.raises(ValueError, match=f"alpha must be positive and finite, got {alpha}"):
            make(alpha)


def test_variance_stays_near_one_in_a_deep_selu_network_and_nowhere_near_it_with_he_weights():
    torch.manual_seed(0)
    fitting = wrong = torch.randn(256, 256, dtype=torch.float64)
    for _ in range(30):
        weight = torch.randn(256, 256, dtype=torch.float64) / 16
        fitting, wrong = selu(fitting @ weight), selu(wrong @ weight * 2**0.5)
    assert 0.6 < fitting.var() < 1.6
    assert wrong.var() > 20


# --- alpha dropout ----------------------------------------------------------------------------------------------

DTYPES = [torch.float32, torch.float64, torch.bfloat16, torch.float16]


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_alpha_dropout_keeps_mean_zero_and_variance_one(p):
    torch.manual_seed(0)
    y = alpha_dropout(selu(torch.randn(400_000, dtype=torch.float64)), p, training=True)
    # Five standard errors of a mean, and of a variance whose fourth moment is below 6.
    assert abs(y.mean()) < 5 / 400_000**0.5
    assert abs(y.var() - 1) < 5 * (5 / 400_000) ** 0.5


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_alpha_dropout_maps_what_is_kept_and_what_is_dropped_as_torch_does(dtype):
    x = torch.linspace(-1.5, 3, 2000).to(dtype)
    for f in (alpha_dropout, nn.functional.alpha_dropout):
        torch.manual_seed(0)
        y = f(x, 0.3, True)
        assert y.dtype == dtype
        floor, a = -1.7580993408473766, (0.7 + 0.7 * 0.3 * 1.7580993408473766**2) ** -0.5
        kept, gone = a * x.double() - a * 0.3 * floor, a * 0.7 * floor
        # torch computes in the narrow type: a few of its last places.
        error = torch.minimum((y.double() - kept).abs(), (y.double() - gone).abs())
        assert error.max() < 16 * torch.finfo(dtype).eps
        share = ((y.double() - gone).abs() < (y.double() - kept).abs()).double().mean()
        assert abs(share - 0.3) < 5 * (0.3 * 0.7 / 2000) ** 0.5


def test_alpha_dropout_sends_a_gradient_through_what_is_kept_alone():
    torch.manual_seed(0)
    x = torch.linspace(-1, 2, 100, requires_grad=True)
    y = alpha_dropout(x, 0.5, training=True)
    (slopes,) = torch.autograd.grad(y.sum(), x)
    gone = y == y.min()
    assert 20 < gone.sum() < 80
    assert (slopes[gone] == 0).all()
    a = (0.5 + 0.25 * 1.7580993408473766**2) ** -0.5
    torch.testing.assert_close(slopes[~gone], torch.full((100,), a)[~gone])


def test_alpha_dropout_does_nothing_outside_of_training_and_all_at_one():
    x = torch.randn(50, generator=torch.Generator().manual_seed(1))
    assert torch.equal(alpha_dropout(x, 0.5), x)
    assert torch.equal(alpha_dropout(x, 0.0, training=True), x)
    assert torch.equal(AlphaDropout(0.5).eval()(x), x)
    assert torch.equal(alpha_dropout(x, 1.0, training=True), torch.zeros(50))
    assert torch.equal(nn.functional.alpha_dropout(x, 1.0, training=True), torch.zeros(50))


def test_alpha_dropout_in_place_overwrites_the_input_and_keeps_the_gradient():
    x = torch.randn(50, generator=torch.Generator().manual_seed(1), requires_grad=True)
    torch.manual_seed(2)
    expected = alpha_dropout(x, 0.4, training=True)
    torch.manual_seed(2)
    hidden = x * 1
    out = alpha_dropout(hidden, 0.4, training=True, inplace=True)
    assert out.data_ptr() == hidden.data_ptr()
    assert torch.equal(out, expected)
    assert torch.equal(*(torch.autograd.grad(y.sum(), x)[0] for y in (out, expected)))


def test_alpha_dropout_follows_the_seed_copies_and_works_under_autocast_and_vmap():
    layer = AlphaDropout(0.3)
    x = torch.randn(4, 30, generator=torch.Generator().manual_seed(1))
    results = []
    for each in (layer, copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        torch.manual_seed(3)
        results.append(each(x))
        assert repr(each) == repr(layer)
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])
    assert torch.func.vmap(layer, randomness="different")(x).shape == x.shape
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert nn.Sequential(nn.Linear(30, 5), layer)(x).dtype == torch.bfloat16


@pytest.mark.parametrize("p", [-0.1, 1.1, math.nan])
def test_a_share_outside_of_0_and_1_is_refused(p):
    for make in (lambda p: alpha_dropout(torch.zeros(2), p), AlphaDropout):
        with pytest.raises(ValueError, match=r"p must be in \[0, 1\]"):
            make(p)
    with pytest.raises(TypeError, match=r"torch\.int64"):
        alpha_dropout(torch.zeros(2, dtype=torch.int64))


def test_the_layers_say_what_they_are():
    assert repr(ELU()) == "ELU(alpha=1.0)"
    assert repr(CELU(0.5, inplace=True)) == "CELU(alpha=0.5, inplace=True)"
    assert repr(SELU()) == "SELU()"
    assert repr(SELU(inplace=True)) == "SELU(inplace=True)"
    assert repr(AlphaDropout()) == "AlphaDropout(p=0.5)"
