"""What every activation of the shelf promises. Functions and layers are found in the folder, not listed here."""

from __future__ import annotations

import copy
import functools
import importlib
import inspect
import math
import pickle
import pkgutil
from types import ModuleType

import mpmath
import pytest
import torch
from torch import Tensor, nn

import livegrad.activations

from .oracles import NOT_POINTWISE, ORACLES

FILES = {
    info.name: importlib.import_module(f"livegrad.activations.{info.name}")
    for info in pkgutil.iter_modules(livegrad.activations.__path__)
}


def defined_in(file: ModuleType, kind: type | None = None) -> list[str]:
    """Public functions of a file, or its public classes below `kind`."""
    found = []
    for name, value in vars(file).items():
        if name.startswith("_") or getattr(value, "__module__", None) != file.__name__:
            continue
        if inspect.isfunction(value) if kind is None else (inspect.isclass(value) and issubclass(value, kind)):
            found.append(name)
    return found


HOME = {name: file for file in FILES.values() for name in defined_in(file)}
CASES = sorted(name for name in ORACLES if name.partition("[")[0] in HOME)

# name: (significand bits, smallest normal exponent)
DTYPES = {
    torch.float32: (24, -126),
    torch.float64: (53, -1022),
    torch.bfloat16: (8, -126),
    torch.float16: (11, -14),
}


def function(name: str):
    return functools.partial(getattr(HOME[name.partition("[")[0]], name.partition("[")[0]), **ORACLES[name].arguments)


def layer(name: str) -> nn.Module:
    return getattr(HOME[name.partition("[")[0]], ORACLES[name].module)(**ORACLES[name].arguments)


def value_and_derivative(f, x: Tensor) -> tuple[Tensor, Tensor]:
    x = x.detach().requires_grad_()
    y = f(x)
    return y.detach(), torch.autograd.grad(y, x, torch.ones_like(y))[0]


@functools.cache
def truth(name: str, x: float) -> tuple[mpmath.mpf, mpmath.mpf]:
    """f(x) and f'(x) to sixty digits, from the definition alone."""
    oracle = ORACLES[name]
    if math.isinf(x):
        return oracle.limits[x > 0]
    # A large or tiny x needs digits for the small step beside it, and where f is flat f(x + step) agrees with f(x)
    # in many.
    with mpmath.workdps(60 + abs(math.frexp(x)[1]) + min(int(abs(x)), 1000)):
        at = mpmath.mpf(x)
        if x in oracle.kinks:
            return oracle.f(at), mpmath.mpf(oracle.kinks[x])
        # The default step, 1e-30 or so, would reach across a kink at 0 from a subnormal x: step away from 0.
        step = {"h": at * mpmath.mpf(10) ** -8} if 0 < abs(x) < 1e-20 else {}
        return oracle.f(at), mpmath.diff(oracle.f, at, **step)


def ulps(got: float, true: mpmath.mpf, dtype: torch.dtype) -> float:
    """|got - true| in units of the last place of `true` in `dtype`."""
    bits, smallest = DTYPES[dtype]
    if math.isinf(got) and mpmath.isinf(true):
        return 0.0 if got == true else math.inf
    with mpmath.workdps(60):
        exponent = smallest if true == 0 else max(int(mpmath.floor(mpmath.log(abs(true), 2))), smallest)
        return float(abs(mpmath.mpf(got) - true) / mpmath.mpf(2) ** (exponent - bits + 1))


@functools.cache
def grid(name: str) -> Tensor:
    """-10 to 10 in sixteenths, which every dtype holds exactly, and 200 points that only wide ones hold."""
    generator = torch.Generator().manual_seed(0)
    return torch.cat([torch.arange(-160, 161) / 16, torch.rand(200, generator=generator) * 20 - 10])


def near(x: float, points: tuple[float, ...]) -> bool:
    return any(abs(x - point) < 0.25 for point in points)


def worst(name: str, f, dtype: torch.dtype) -> tuple[float, float]:
    """Largest error of value and of derivative over the grid, in ULP."""
    x = grid(name).to(dtype)
    y, d = value_and_derivative(f, x)
    error_y, error_d = 0.0, 0.0
    for at, value, slope in zip(x.tolist(), y.tolist(), d.tolist(), strict=True):
        true_value, true_slope = truth(name, at)
        error_y = max(error_y, ulps(value, true_value, dtype))
        if not near(at, ORACLES[name].stationary):
            error_d = max(error_d, ulps(slope, true_slope, dtype))
    return error_y, error_d


pointwise = pytest.mark.parametrize("name", CASES)
every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=str)


def test_every_function_of_the_shelf_has_an_oracle_and_every_oracle_a_function():
    named = {name.partition("[")[0] for name in ORACLES} | set(NOT_POINTWISE)
    assert named == set(HOME)


def test_every_layer_of_the_shelf_belongs_to_an_oracle():
    layers = {name for file in FILES.values() for name in defined_in(file, nn.Module)}
    reached = {oracle.module for oracle in ORACLES.values()}
    alone = {name for name, file in HOME.items() if name in NOT_POINTWISE for name in defined_in(file, nn.Module)}
    assert reached <= layers <= reached | alone


@pointwise
@every_dtype
def test_value_and_derivative_are_right_to_the_last_places(name, dtype):
    value, derivative = worst(name, function(name), dtype)
    if dtype in (torch.bfloat16, torch.float16):
        # Computed in float32 and rounded once: half a unit, and the float32 error on top.
        assert value < 0.51
        assert derivative < 0.51
        return
    assert value <= ORACLES[name].ulp
    assert derivative <= 200
    theirs = ORACLES[name].torch
    if theirs is not None:
        # "No worse than torch's own", with half a unit of slack: the largest of 521 errors is a random number.
        their_value, their_derivative = worst(name, theirs, dtype)
        assert value <= their_value + 0.5
        assert derivative <= their_derivative + 0.5


@pointwise
@every_dtype
def test_derivative_is_right_where_it_crosses_zero(name, dtype):
    points = [p + step for p in ORACLES[name].stationary for step in (-0.24, -0.1, -0.01, 0.0, 0.01, 0.1, 0.24)]
    x = torch.tensor(points, dtype=dtype)
    _, slopes = value_and_derivative(function(name), x)
    for at, slope in zip(x.tolist(), slopes.tolist(), strict=True):
        assert abs(slope - truth(name, at)[1]) < 4 * torch.finfo(dtype).eps


def beyond(true: mpmath.mpf, info: torch.finfo) -> bool:
    """Whether `true` rounds to infinity: from half a unit above the largest number on."""
    with mpmath.workdps(60):
        return bool(abs(true) >= mpmath.mpf(info.max) * (1 + mpmath.mpf(info.eps) / 4))


@pointwise
@every_dtype
def test_extremes_give_the_true_value_and_derivative_and_no_nan(name, dtype):
    info = torch.finfo(dtype)
    numbers = [
        0.0,
        info.smallest_normal,
        info.smallest_normal * info.eps,
        88.0,
        95.0,
        110.0,
        1e4,
        1e30,
        info.max,
        math.inf,
    ]
    x = torch.tensor([sign * number for number in numbers for sign in (1, -1)], dtype=dtype)
    y, d = value_and_derivative(function(name), x)
    for at, value, slope in zip(x.tolist(), y.tolist(), d.tolist(), strict=True):
        for got, true in zip((value, slope), truth(name, at), strict=True):
            if mpmath.isinf(true) or beyond(true, info):
                assert got == (math.inf if true > 0 else -math.inf), at
            else:
                # Below the normal numbers a processor may flush to zero; x eˣ then loses up to |x| of the smallest.
                flushed = min(max(1.0, abs(at)), 1000.0) * info.smallest_normal
                assert abs(got - true) <= flushed or ulps(got, true, dtype) < 200, at


@pointwise
@every_dtype
def test_nan_in_is_nan_out(name, dtype):
    assert function(name)(torch.tensor([math.nan], dtype=dtype)).isnan().all()


@pointwise
def test_agrees_with_torch_on_every_shape(name):
    theirs = ORACLES[name].torch or function(name)
    for shape in [(), (0,), (1,), (3, 0, 2), (7,), (2, 3, 4, 5)]:
        x = torch.randn(shape, generator=torch.Generator().manual_seed(1)) * 4
        y = function(name)(x)
        assert y.shape == x.shape
        torch.testing.assert_close(y, theirs(x))


@pointwise
def test_a_strided_input_gives_what_its_copy_gives(name):
    base = torch.randn(6, 8, generator=torch.Generator().manual_seed(2))
    for view in (base.t(), base[::2, 1::3], base[:, :1].expand(6, 4)):
        y, d = value_and_derivative(function(name), view)
        y_copy, d_copy = value_and_derivative(function(name), view.contiguous())
        torch.testing.assert_close(y, y_copy)
        torch.testing.assert_close(d, d_copy)


@pointwise
def test_channels_last_stays_channels_last(name):
    x = torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last)
    y, d = value_and_derivative(function(name), x)
    assert y.is_contiguous(memory_format=torch.channels_last)
    assert d.is_contiguous(memory_format=torch.channels_last)


@pointwise
@every_dtype
def test_dtype_and_device_are_kept(name, dtype):
    y, d = value_and_derivative(function(name), torch.linspace(-3, 3, 7).to(dtype))
    assert y.dtype == d.dtype == dtype
    assert function(name)(torch.empty(4, device="meta", dtype=dtype)).device.type == "meta"


@pointwise
@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.uint8, torch.bool, torch.complex64], ids=str)
def test_refuses_a_dtype_that_is_not_floating_point_and_names_it(name, dtype):
    for call in (function(name), layer(name)):
        with pytest.raises(TypeError, match=str(dtype)):
            call(torch.zeros(3, dtype=dtype))


@pointwise
def test_the_input_is_left_alone(name):
    x = torch.linspace(-3, 3, 9)
    before = x.clone()
    function(name)(x)
    assert torch.equal(x, before)


def away_from_kinks(name: str) -> Tensor:
    x = torch.tensor([-6.3, -3.1, -1.4, -0.6, -0.05, 0.04, 0.7, 1.9, 3.3, 5.2, 7.7], dtype=torch.float64)
    assert all(abs(x - kink).min() > 0.01 for kink in ORACLES[name].kinks)
    return x.requires_grad_()


@pointwise
def test_first_and_second_derivatives_pass_gradcheck(name):
    x = away_from_kinks(name)
    assert torch.autograd.gradcheck(function(name), x, check_batched_grad=True)
    assert torch.autograd.gradgradcheck(function(name), x)


@pointwise
def test_second_derivative_at_zero_is_right_where_the_function_is_smooth(name):
    if 0.0 in ORACLES[name].kinks:
        pytest.skip("kink at 0")
    x = torch.zeros((), dtype=torch.float64, requires_grad=True)
    (first,) = torch.autograd.grad(function(name)(x), x, create_graph=True)
    (second,) = torch.autograd.grad(first, x) if first.requires_grad else (torch.zeros(()),)
    with mpmath.workdps(60):
        assert float(second) == pytest.approx(float(mpmath.diff(ORACLES[name].f, 0, 2)), abs=1e-12)


@pointwise
def test_vmap_and_grad_of_torch_func_agree_with_autograd(name):
    x = away_from_kinks(name).detach()
    y, d = value_and_derivative(function(name), x)
    torch.testing.assert_close(torch.func.vmap(function(name))(x), y)
    torch.testing.assert_close(torch.func.vmap(torch.func.grad(function(name)))(x), d)
    torch.testing.assert_close(torch.func.jacrev(function(name))(x), d.diag())
    rows = x.expand(3, -1).t()
    torch.testing.assert_close(torch.func.vmap(function(name), in_dims=1, out_dims=1)(rows), function(name)(rows))


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")  # torch's own tracer does it
@pointwise
def test_compiles_to_one_graph_forward_and_backward(name):
    # aot_eager traces both passes as inductor would, then runs torch's own kernels: seconds instead of minutes,
    # and no C++ compiler. Compiled speed is the business of benchmarks/.
    torch.compiler.reset()
    compiled = torch.compile(function(name), backend="aot_eager", fullgraph=True)
    x = torch.randn(5, 7, generator=torch.Generator().manual_seed(3)) * 3
    for ours, theirs in zip(value_and_derivative(compiled, x), value_and_derivative(function(name), x), strict=True):
        torch.testing.assert_close(ours, theirs)


@pointwise
def test_exports_with_a_free_batch_size(name):
    batch = torch.export.Dim("batch", min=2, max=1024)
    program = torch.export.export(layer(name).eval(), (torch.randn(4, 3),), dynamic_shapes=({0: batch},))
    x = torch.randn(9, 3)
    torch.testing.assert_close(program.module()(x), layer(name).eval()(x))


@pointwise
def test_works_under_autocast(name):
    model = nn.Sequential(nn.Linear(4, 4), layer(name), nn.Linear(4, 1))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = model(torch.randn(3, 4))
    assert out.dtype == torch.bfloat16
    out.sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@pointwise
def test_the_layer_equals_the_function_and_survives_copy_pickle_and_state_dict(name):
    module = layer(name)
    x = torch.randn(50, generator=torch.Generator().manual_seed(4))
    expected = function(name)(x)
    again = layer(name)
    again.load_state_dict(module.state_dict())
    for each in (module, copy.deepcopy(module), pickle.loads(pickle.dumps(module)), again):
        assert torch.equal(each(x), expected)
        assert repr(each) == repr(module)


LAYERS = {name: file for file in FILES.values() for name in defined_in(file, nn.Module)}


@pytest.mark.parametrize("name", [name for name in LAYERS if hasattr(nn, name)])
def test_names_order_and_defaults_of_the_arguments_of_a_layer_are_those_of_torch(name):
    def arguments(module):
        return [(p.name, p.default) for p in inspect.signature(module).parameters.values()]

    theirs = [a for a in arguments(getattr(nn, name)) if a[0] not in ("device", "dtype")]
    if name in ("Softmax", "LogSoftmax"):  # ours does not guess `dim`, and has a temperature after it
        theirs = [("dim", inspect.Parameter.empty), ("temperature", 1.0)]
    assert arguments(getattr(LAYERS[name], name)) == theirs


def arguments_in_torch(name: str) -> list[tuple[str, object]]:
    """Names and defaults from the signature, or from the schema where the function is not written in Python."""
    function = getattr(torch if "softmax" in name else nn.functional, name)
    try:
        return [(p.name, p.default) for p in inspect.signature(function).parameters.values()]
    except ValueError:
        schema = getattr(torch.ops.aten, name)
        schema = getattr(schema, "int" if "softmax" in name else "default")._schema
        return [
            (
                "input" if a.name == "self" else a.name,
                a.default_value if a.has_default_value() else inspect.Parameter.empty,
            )
            for a in schema.arguments
        ]


@pytest.mark.parametrize("name", [name for name in HOME if hasattr(nn.functional, name) and name != "linear"])
def test_names_order_and_defaults_of_the_arguments_of_a_function_are_those_of_torch(name):
    ours = [(p.name, p.default) for p in inspect.signature(getattr(HOME[name], name)).parameters.values()]
    theirs = arguments_in_torch(name)
    if "softmax" in name:
        theirs.append(("temperature", 1.0))
    assert ours == theirs


@pointwise
def test_in_place_overwrites_the_input_and_keeps_the_gradient(name):
    if "inplace" not in inspect.signature(function(name).func).parameters:
        pytest.skip("has no inplace argument")
    x = torch.randn(20, generator=torch.Generator().manual_seed(5), requires_grad=True)
    y, d = value_and_derivative(function(name), x)
    hidden = x * 1
    out = function(name)(hidden, inplace=True)
    assert out.data_ptr() == hidden.data_ptr()
    assert torch.equal(out, y)
    assert torch.equal(torch.autograd.grad(out.sum(), x)[0], d)
    assert "inplace=True" in repr(type(layer(name))(**ORACLES[name].arguments, inplace=True))
    with pytest.raises(RuntimeError, match="leaf"):
        function(name)(x, inplace=True)


# --- What mixes elements or draws random numbers ----------------------------------------------------------------

MIXING = [
    ("PReLU", {"num_parameters": 4}),
    ("RReLU", {}),
    ("AlphaDropout", {}),
    ("StraightThroughStep", {}),
    ("Softmax", {"dim": 1}),
    ("LogSoftmax", {"dim": 1, "temperature": 0.5}),
    ("Maxout", {"dim": 1}),
    ("GLU", {"dim": 1}),
    ("ReGLU", {"dim": 1}),
    ("GEGLU", {"dim": 1}),
    ("SwiGLU", {"dim": 1}),
]
mixing = pytest.mark.parametrize(("name", "arguments"), MIXING, ids=[name for name, _ in MIXING])
IMAGES = (2, 4, 3, 5)


def seeded(module: nn.Module):
    def f(x: Tensor) -> Tensor:
        torch.manual_seed(0)
        return module(x)

    return f


def test_every_layer_without_an_oracle_is_among_those_that_mix():
    assert {name for name, _ in MIXING} == set(LAYERS) - {oracle.module for oracle in ORACLES.values()}


@mixing
def test_a_layer_that_mixes_keeps_channels_last(name, arguments):
    x = torch.randn(IMAGES).to(memory_format=torch.channels_last)
    y, d = value_and_derivative(getattr(LAYERS[name], name)(**arguments), x)
    if name == "Maxout":  # a maximum over neighbors is written anew, and in the usual order
        assert y.is_contiguous()
        return
    assert y.is_contiguous(memory_format=torch.channels_last)
    assert d.is_contiguous(memory_format=torch.channels_last)


@mixing
def test_a_layer_that_mixes_gives_for_a_strided_input_what_it_gives_for_its_copy(name, arguments):
    module = getattr(LAYERS[name], name)(**arguments).eval()
    base = torch.randn(5, 3, 4, 2, generator=torch.Generator().manual_seed(1))
    for view in (
        base.permute(3, 2, 1, 0),
        base.transpose(1, 2)[::2],
        base[:, :, :, :1].transpose(1, 2).expand(5, 4, 3, 2),
    ):
        for ours, copied in zip(
            value_and_derivative(module, view), value_and_derivative(module, view.contiguous()), strict=True
        ):
            torch.testing.assert_close(ours, copied)


@mixing
@every_dtype
def test_a_layer_that_mixes_keeps_dtype_device_and_an_empty_batch(name, arguments, dtype):
    module = getattr(LAYERS[name], name)(**arguments)
    y, d = value_and_derivative(module, torch.linspace(-3, 3, math.prod(IMAGES)).view(IMAGES).to(dtype))
    assert y.dtype == d.dtype == dtype
    assert module.to("meta")(torch.empty(IMAGES, device="meta", dtype=dtype)).device.type == "meta"
    empty = torch.zeros(0, *IMAGES[1:], dtype=dtype)
    y, d = value_and_derivative(getattr(LAYERS[name], name)(**arguments), empty)
    assert y.shape == (0, *IMAGES[1:]) or y.shape == (0, IMAGES[1] // 2, *IMAGES[2:])
    assert d.shape == empty.shape


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")  # torch's own tracer does it
@mixing
def test_a_layer_that_mixes_compiles_and_exports(name, arguments):
    x = torch.randn(IMAGES, generator=torch.Generator().manual_seed(2))
    torch.compiler.reset()
    module = getattr(LAYERS[name], name)(**arguments)
    compiled = seeded(torch.compile(module, backend="aot_eager", fullgraph=True))
    for ours, theirs in zip(value_and_derivative(compiled, x), value_and_derivative(seeded(module), x), strict=True):
        torch.testing.assert_close(ours, theirs)
    batch = torch.export.Dim("batch", min=2, max=1024)
    program = torch.export.export(module.eval(), (x,), dynamic_shapes=({0: batch},))
    twice = torch.cat([x, x])
    torch.testing.assert_close(program.module()(twice), module(twice))
