"""`calculate_gain` against mpmath's quadrature, closed forms and torch's table."""

import math

import mpmath
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from livegrad.initializers.gain import calculate_gain

mp = mpmath.mp
SELU_SCALE = mpmath.mpf("1.0507009873554804934193349852946")
SELU_ALPHA = mpmath.mpf("1.6732632423543772848170429916717")


def sigmoid(z):
    return 1 / (1 + mpmath.exp(-z))


def phi(z):
    return mpmath.exp(-z * z / 2) / mpmath.sqrt(2 * mpmath.pi)


def numeric_derivative(f):
    return lambda z: mpmath.diff(f, z)


# torch's function, and the same once more in mpmath.
SMOOTH = {
    "tanh": (torch.tanh, mpmath.tanh),
    "sigmoid": (torch.sigmoid, sigmoid),
    "silu": (nn.functional.silu, lambda z: z * sigmoid(z)),
    "gelu": (nn.functional.gelu, lambda z: z * mpmath.ncdf(z)),
    "mish": (nn.functional.mish, lambda z: z * mpmath.tanh(mpmath.log1p(mpmath.exp(z)))),
    "softplus": (nn.functional.softplus, lambda z: mpmath.log1p(mpmath.exp(z))),
    "sine of 7 z": (lambda z: (7 * z).sin(), lambda z: mpmath.sin(7 * z)),
    "square": (lambda z: z**2, lambda z: z * z),
}


def line(slope):
    return lambda z: slope * z


def constant(value):
    return lambda z: mpmath.mpf(value)


# Pieces between kinks: (function, derivative) for each interval; mpmath never integrates across a kink.
KINKED = {
    "relu": (torch.relu, [0], [(constant(0), constant(0)), (line(1), constant(1))]),
    "leaky_relu": (nn.LeakyReLU(0.2), [0], [(line(0.2), constant(0.2)), (line(1), constant(1))]),
    "elu": (nn.ELU(), [0], [(mpmath.expm1, mpmath.exp), (line(1), constant(1))]),
    "selu": (
        nn.SELU(),
        [0],
        [
            (lambda z: SELU_SCALE * SELU_ALPHA * mpmath.expm1(z), lambda z: SELU_SCALE * SELU_ALPHA * mpmath.exp(z)),
            (line(SELU_SCALE), constant(SELU_SCALE)),
        ],
    ),
    "step": (lambda z: (z > 0).double(), [0], [(constant(0), None), (constant(1), None)]),
    "step at 0.501": (lambda z: (z > 0.501).double(), [0.501], [(constant(0), None), (constant(1), None)]),
    "hardtanh": (
        nn.Hardtanh(-0.7371, 1.2345),
        [-0.7371, 1.2345],
        [(constant(-0.7371), constant(0)), (line(1), constant(1)), (constant(1.2345), constant(0))],
    ),
    "soft shrinkage": (
        nn.Softshrink(0.333),
        [-0.333, 0.333],
        [
            (lambda z: z + mpmath.mpf(0.333), constant(1)),
            (constant(0), constant(0)),
            (lambda z: z - mpmath.mpf(0.333), constant(1)),
        ],
    ),
    "hard shrinkage": (
        nn.Hardshrink(0.777),
        [-0.777, 0.777],
        [(line(1), constant(1)), (constant(0), constant(0)), (line(1), constant(1))],
    ),
    "relu6": (nn.ReLU6(), [0, 6], [(constant(0), constant(0)), (line(1), constant(1)), (constant(6), constant(0))]),
}


def oracle(kinks, pieces):
    """E[f], E[f²], E[f'²] by mpmath's own quadrature (tanh-sinh), piece by piece, 25 digits."""
    with mp.workdps(25):
        edges = [mpmath.mpf(-14), *map(mpmath.mpf, kinks), mpmath.mpf(14)]

        def integrate(choose):
            total = mpmath.mpf(0)
            for (f, slope), left, right in zip(pieces, edges, edges[1:], strict=False):
                inner = [left, *[e for e in range(-14, 15) if left < e < right], right]
                total += mpmath.quad(lambda z, f=f, slope=slope: choose(f, slope)(z) * phi(z), inner)
            return float(total)

        slopes = [slope for _, slope in pieces]
        return (
            integrate(lambda f, _: f),
            integrate(lambda f, _: lambda z: f(z) ** 2),
            None if None in slopes else integrate(lambda _, slope: lambda z: slope(z) ** 2),
        )


CASES = {name: (f, [], [(g, numeric_derivative(g))]) for name, (f, g) in SMOOTH.items()} | KINKED


@pytest.mark.parametrize("name", CASES)
def test_agrees_with_an_independent_quadrature_to_1e_6(name):
    f, kinks, pieces = CASES[name]
    mean, second, slope = oracle(kinks, pieces)
    assert calculate_gain(f) == pytest.approx(1 / math.sqrt(second), rel=1e-8)
    assert calculate_gain(f, moment="variance") == pytest.approx(1 / math.sqrt(second - mean**2), rel=1e-8)
    if slope is not None:
        backward = calculate_gain(f, direction="backward")
        assert backward == pytest.approx(1 / math.sqrt(slope), rel=1e-8)
        assert calculate_gain(f, direction="backward", moment="variance") == backward


def test_known_values():
    assert calculate_gain(torch.relu) == pytest.approx(math.sqrt(2), rel=1e-10)
    assert calculate_gain(torch.relu, direction="backward") == pytest.approx(math.sqrt(2), rel=1e-10)
    # Var[relu(z)] = 1/2 − 1/(2π)
    assert calculate_gain(torch.relu, moment="variance") == pytest.approx((0.5 - 0.5 / math.pi) ** -0.5, rel=1e-10)
    assert calculate_gain(torch.tanh) == pytest.approx(1.5925374, rel=1e-7)
    assert calculate_gain(nn.SELU()) == pytest.approx(1, rel=1e-10)
    assert calculate_gain(nn.SELU(), moment="variance") == pytest.approx(1, rel=1e-10)
    assert calculate_gain(torch.exp) == pytest.approx(math.exp(-1), rel=1e-10)  # E[exp(2z)] = e²


@pytest.mark.parametrize(
    "name",
    [
        *("linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"),
        *("relu", "leaky_relu"),
    ],
)
def test_agrees_with_the_table_of_torch_where_that_is_the_second_moment(name):
    assert calculate_gain(name) == pytest.approx(nn.init.calculate_gain(name), rel=1e-10)


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "selu"])
def test_departs_from_the_table_of_torch_where_that_is_something_else(name):
    assert abs(calculate_gain(name) / nn.init.calculate_gain(name) - 1) > 0.04


@given(slope=st.floats(-20, 20))
@settings(max_examples=50, deadline=None)
def test_the_slope_of_a_leaky_relu_is_passed_as_in_torch(slope):
    expected = nn.init.calculate_gain("leaky_relu", slope)
    assert calculate_gain("leaky_relu", slope) == pytest.approx(expected, rel=1e-9)
    assert calculate_gain("leaky_relu", slope, direction="backward") == pytest.approx(expected, rel=1e-9)


@given(at=st.floats(-2.5, 2.5), jump=st.floats(0.1, 10), kink=st.floats(-2.5, 2.5))
@settings(max_examples=100, deadline=None)
def test_a_jump_and_a_kink_anywhere_are_found(at, jump, kink):
    """f = jump·[z > at] + max(z − kink, 0): all moments are known in closed form."""

    def upper(a):  # P(z > a)
        return 0.5 * math.erfc(a / math.sqrt(2))

    def density(a):
        return math.exp(-a * a / 2) / math.sqrt(2 * math.pi)

    b, k = max(at, kink), kink
    mixed = density(b) - k * upper(b)  # E[(z − k)⁺ · [z > at]]
    second = jump**2 * upper(at) + 2 * jump * mixed + (1 + k * k) * upper(k) - k * density(k)
    gain = calculate_gain(lambda z: jump * (z > at).double() + (z - kink).clamp(min=0))
    assert gain == pytest.approx(1 / math.sqrt(second), rel=1e-6)


@given(scale=st.floats(1e-6, 1e6), shift=st.floats(-5, 5))
@settings(max_examples=30, deadline=None)
def test_the_gain_of_a_multiple_is_the_inverse_multiple(scale, shift):
    base = calculate_gain(lambda z: (z - shift).tanh())
    assert calculate_gain(lambda z: scale * (z - shift).tanh()) == pytest.approx(base / scale, rel=1e-9)


def test_names_modules_and_functions_give_the_same_number():
    for name, module in [("silu", nn.SiLU()), ("gelu", nn.GELU()), ("mish", nn.Mish()), ("elu", nn.ELU())]:
        gain = calculate_gain(name)
        assert gain == calculate_gain(module) == calculate_gain(getattr(nn.functional, name))


@pytest.mark.parametrize(
    ("name", "param", "module"),
    [
        ("elu", 0.5, nn.ELU(0.5)),
        ("celu", 0.5, nn.CELU(0.5)),
        ("softplus", 2, nn.Softplus(2)),
        ("hardshrink", 0.3, nn.Hardshrink(0.3)),
        ("softshrink", 0.3, nn.Softshrink(0.3)),
    ],
)
def test_the_parameter_of_a_name_is_the_one_of_its_module(name, param, module):
    assert calculate_gain(name, param) == calculate_gain(module)
    assert calculate_gain(name, param) != calculate_gain(name)


@pytest.mark.parametrize(
    "name",
    ["hardsigmoid", "hardswish", "hardtanh", "logsigmoid", "relu6", "selu", "softsign", "tanhshrink", "sigmoid"],
)
def test_every_other_name_works_both_ways_without_a_warning(name):
    for direction in ("forward", "backward"):
        assert 0 < calculate_gain(name, direction=direction) < math.inf


def test_the_gain_keeps_the_size_of_a_wide_network():
    generator = torch.Generator().manual_seed(0)
    gain = calculate_gain(nn.functional.mish)
    z = torch.randn(64, 2048, generator=generator)
    weight = torch.randn(2048, 2048, generator=generator) * gain / math.sqrt(2048)
    # 2,048 units and 64 examples: the mean square is known to about √(2/2048 · few) ≈ 0.05.
    assert float((nn.functional.mish(z) @ weight.T).square().mean()) == pytest.approx(1, abs=0.15)


def test_modules_and_the_state_of_torch_are_left_as_they_were():
    module = nn.PReLU()
    module.weight.grad = torch.ones(1)
    before = torch.get_rng_state()
    expected = nn.init.calculate_gain("leaky_relu", 0.25)
    assert calculate_gain(module) == pytest.approx(expected, rel=1e-9)
    assert calculate_gain(module, direction="backward") == pytest.approx(expected, rel=1e-9)
    assert module.weight.dtype == torch.float32
    assert torch.equal(module.weight.grad, torch.ones(1))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.is_grad_enabled()


def test_activations_that_work_in_place_are_measured_as_if_they_did_not():
    for direction in ("forward", "backward"):
        assert calculate_gain(nn.ReLU(inplace=True), direction=direction) == calculate_gain("relu", direction=direction)


def test_works_without_gradients_and_in_inference_mode():
    expected = calculate_gain("tanh", direction="backward")
    with torch.no_grad():
        assert calculate_gain("tanh", direction="backward") == expected
    with torch.inference_mode():
        assert calculate_gain("tanh", direction="backward") == expected
        assert torch.is_inference_mode_enabled()


def test_a_function_that_computes_in_float32_is_measured_to_float32():
    assert calculate_gain(lambda z: z.float().tanh()) == pytest.approx(calculate_gain("tanh"), rel=1e-6)


def test_a_point_where_the_function_is_undefined_does_no_harm():
    # The same function with its gap filled is the oracle.
    assert calculate_gain(lambda z: z.sin() / z) == pytest.approx(calculate_gain(lambda z: (z / math.pi).sinc()))
    # E[(log|z|)²] = Var + mean² = π²/8 + ((γ + log 2) / 2)²
    second = math.pi**2 / 8 + ((float(mpmath.euler) + math.log(2)) / 2) ** 2
    assert calculate_gain(lambda z: z.abs().log()) == pytest.approx(second**-0.5, rel=1e-6)


@pytest.mark.parametrize(
    ("f", "options", "message"),
    [
        (lambda z: 0 * z, {}, "activation must differ from zero, got an infinite gain"),
        (lambda z: 0 * z + 3.7, {"moment": "variance"}, "activation must not be constant, got an infinite gain"),
        (torch.sign, {"direction": "backward"}, "activation must pass a gradient, got an infinite gain"),
        (lambda z: (z > 0).double(), {"direction": "backward"}, "activation must pass a gradient"),
        (lambda z: torch.ones_like(z), {"direction": "backward"}, "activation must pass a gradient"),
        (torch.log, {}, r"activation must be finite on \[-16, 16\], also squared, got otherwise at -0\.0"),
        (lambda z: z / 0, {}, r"activation must be finite"),
        (lambda z: (50 * z).exp(), {}, r"activation must be finite on \[-16, 16\], also squared"),
        (lambda z: (z * z / 4).exp(), {}, "activation must grow more slowly"),
        (lambda z: (z * z).exp(), {}, "activation must grow more slowly"),
        (lambda z: 1 / z, {}, "activation must be smoother, got a moment that is infinite"),
        (lambda z: z.abs().sqrt(), {"direction": "backward"}, "activation must be smoother"),
        (lambda z: (1e9 * z).sin(), {}, "activation must be smoother"),
        (nn.Softmax(dim=0), {}, "activation must treat each element by itself"),
        (lambda z: z - z.mean(), {}, "activation must treat each element by itself"),
        (nn.Dropout(), {}, "activation must be deterministic"),
        (nn.RReLU(), {}, "activation must be deterministic"),
        (lambda z: z.sum(), {}, r"activation must keep the shape, got \(\) from \(64,\)"),
        (nn.GLU(dim=0), {}, r"activation must keep the shape, got \(32,\) from \(64,\)"),
        (lambda z: z > 0, {}, r"activation must return floating point numbers, got torch\.bool"),
        ("swish", {}, r"activation must be callable or one of celu, .*tanhshrink, got 'swish'"),
        ("softmax", {}, "activation must be callable or one of"),
        (torch.tanh, {"moment": "third"}, "moment must be 'second' or 'variance', got 'third'"),
        (torch.tanh, {"direction": "up"}, "direction must be 'forward' or 'backward', got 'up'"),
        ("tanh", {"param": 0.1}, "param must be None unless activation is one of celu, .*, got 0.1"),
        (torch.tanh, {"param": 0.1}, "param must be None unless"),
        ("leaky_relu", {"param": math.nan}, "param must be finite, got nan"),
    ],
)
def test_what_has_no_gain_is_refused_with_the_reason(f, options, message):
    with pytest.raises(ValueError, match=message):
        calculate_gain(f, **options)


def test_a_random_module_in_evaluation_mode_is_welcome():
    assert calculate_gain(nn.Dropout().eval()) == pytest.approx(1)
    slope = (1 / 8 + 1 / 3) / 2
    expected = nn.init.calculate_gain("leaky_relu", slope)
    assert calculate_gain(nn.RReLU().eval()) == pytest.approx(expected)


@pytest.mark.parametrize(("activation", "got"), [(3, "3"), (None, "None")])
def test_what_is_not_callable_is_refused(activation, got):
    with pytest.raises(TypeError, match=f"activation must be callable or a name, got {got}"):
        calculate_gain(activation)


def test_what_returns_no_tensor_is_refused():
    with pytest.raises(TypeError, match="activation must return a tensor, got list"):
        calculate_gain(lambda z: [z])
