"""Gated linear units mix elements, so what the contract promises is tested here, with what is special."""

from __future__ import annotations

import copy
import math
import pickle

import mpmath
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from livegrad.activations.gated_linear_units import GEGLU, GLU, ReGLU, SwiGLU, geglu, glu, reglu, swiglu


def below(b):
    """The normal distribution function; beyond 200 it is 0 or 1 to 8,000 digits, and mpmath overflows far out."""
    return mpmath.erfc(-b / mpmath.sqrt(2)) / 2 if abs(b) < 200 else mpmath.mpf(b > 0)


# name: (ours, layer, the gate in torch, the gate in mpmath)
FAMILY = {
    "glu": (glu, GLU, torch.sigmoid, lambda b: 1 / (1 + mpmath.exp(-b))),
    "reglu": (reglu, ReGLU, torch.relu, lambda b: max(b, mpmath.mpf(0))),
    "geglu": (geglu, GEGLU, F.gelu, lambda b: b * below(b)),
    "swiglu": (swiglu, SwiGLU, F.silu, lambda b: b / (1 + mpmath.exp(-b))),
}
# Where the slope of the gate crosses zero no relative error can be small: an absolute one is asked for close by.
STATIONARY = {"glu": None, "reglu": None, "geglu": -0.7517915, "swiglu": -1.2784645}
DTYPES = {
    torch.float32: (24, -126),
    torch.float64: (53, -1022),
    torch.bfloat16: (8, -126),
    torch.float16: (11, -14),
}
every_name = pytest.mark.parametrize("name", FAMILY)
every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=str)


def value_and_slopes(f, x: torch.Tensor, upstream: torch.Tensor | None = None):
    x = x.detach().requires_grad_()
    y = f(x)
    return y.detach(), torch.autograd.grad(y, x, torch.ones_like(y) if upstream is None else upstream)[0]


def written_out(name: str, dim: int = -1):
    def f(x):
        a, b = x.chunk(2, dim)
        return a * FAMILY[name][2](b)

    return f


def ulps(got: float, true, dtype: torch.dtype) -> float:
    bits, smallest = DTYPES[dtype]
    with mpmath.workdps(60):
        exponent = smallest if true == 0 else max(int(mpmath.floor(mpmath.log(abs(true), 2))), smallest)
        return float(abs(mpmath.mpf(got) - true) / mpmath.mpf(2) ** (exponent - bits + 1))


def pairs(dtype: torch.dtype) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    b = torch.cat([torch.arange(-80, 81) / 8, torch.rand(60, generator=generator) * 20 - 10])
    return torch.stack([torch.rand(len(b), generator=generator) * 8 - 4, b], dim=1).to(dtype)


@every_name
@every_dtype
def test_value_and_both_slopes_are_right_to_the_last_places(name, dtype):
    x = pairs(dtype)
    y, d = value_and_slopes(FAMILY[name][0], x)
    errors, half = [], dtype in (torch.bfloat16, torch.float16)
    for (a, b), value, (slope_a, slope_b) in zip(x.tolist(), y[:, 0].tolist(), d.tolist(), strict=True):
        with mpmath.workdps(60):
            gate = FAMILY[name][3]
            true_gate = gate(mpmath.mpf(b))
            kink = name == "reglu" and b == 0
            true_slope = 0 if kink else mpmath.mpf(a) * mpmath.diff(gate, mpmath.mpf(b))
            errors += [ulps(value, a * true_gate, dtype), ulps(slope_a, true_gate, dtype)]
            if STATIONARY[name] is not None and abs(b - STATIONARY[name]) < 0.25:
                assert abs(slope_b - true_slope) < 8 * torch.finfo(dtype).eps
            else:
                errors.append(ulps(slope_b, true_slope, dtype))
    # Half precision is computed in float32 and rounded once. In the tail of the normal distribution b² / 2, up to 50
    # with half a unit of 32 lost, goes through an exponential: 32 units, doubled where a number begins with 1.
    assert max(errors) < (0.52 if half else 100)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_glu_is_no_further_off_than_that_of_torch_and_keeps_the_slope_that_torch_loses(dtype):
    x = pairs(dtype)
    worst = {}
    for f in (glu, F.glu):
        y, d = value_and_slopes(f, x)
        errors = []
        for (a, b), value, (slope_a, slope_b) in zip(x.tolist(), y[:, 0].tolist(), d.tolist(), strict=True):
            with mpmath.workdps(60):
                gate = FAMILY["glu"][3](mpmath.mpf(b))
                true = a * gate, gate, a * mpmath.diff(FAMILY["glu"][3], mpmath.mpf(b))
            errors.append([ulps(*pair, dtype) for pair in zip((value, slope_a, slope_b), true, strict=True)])
        worst[f] = [max(column) for column in zip(*errors, strict=True)]
    # Half a unit of slack, as in the contract: the largest of 221 errors is a random number.
    assert all(ours <= theirs + 0.5 for ours, theirs in zip(worst[glu], worst[F.glu], strict=True))
    assert worst[glu][2] < 10 < 1000 < worst[F.glu][2]


@every_name
@every_dtype
def test_extremes_give_the_true_value_and_slopes_and_no_nan(name, dtype):
    info = torch.finfo(dtype)
    tiny = info.smallest_normal
    numbers = [0.0, tiny * info.eps, tiny, 88.75, 110.0, 1e4, 1e30, info.max, math.inf]
    for b in torch.tensor([sign * number for number in numbers for sign in (1, -1)], dtype=dtype).tolist():
        y, d = value_and_slopes(FAMILY[name][0], torch.tensor([2.0, b], dtype=dtype))
        if math.isinf(b):
            limit = {"glu": 1.0}.get(name, math.inf) if b > 0 else 0.0
            true = [2 * limit, limit, 2.0 if b > 0 and name != "glu" else 0.0]
        else:
            with mpmath.workdps(60 + abs(math.frexp(b)[1]) + min(int(abs(b)), 1000)):
                gate, at = FAMILY[name][3], mpmath.mpf(b)
                step = {"h": at * mpmath.mpf(10) ** -8} if 0 < abs(b) < 1e-20 else {}
                slope = 0 if name == "reglu" and b == 0 else mpmath.diff(gate, at, **step)
                true = [2 * gate(at), gate(at), 2 * slope]
        for got, expected in zip([y.item(), *d.tolist()], true, strict=True):
            if abs(expected) > info.max:
                assert got == math.inf, b
            else:
                # Below the normal numbers a processor may flush to zero.
                assert abs(got - expected) <= 200 * tiny or ulps(got, expected, dtype) < 200, (b, got, expected)


@every_name
@every_dtype
@pytest.mark.parametrize("b", [-10.0, -0.5, 0.0, 0.5, 10.0])
def test_an_extreme_content_gives_the_true_value_and_slopes_and_no_nan(name, dtype, b):
    info = torch.finfo(dtype)
    numbers = [0.0, info.smallest_normal * info.eps, info.smallest_normal, 1e4, 1e30, info.max, math.inf]
    gate = FAMILY[name][3]
    with mpmath.workdps(60):
        share = gate(mpmath.mpf(b))
        slope = mpmath.mpf(0) if name == "reglu" and b == 0 else mpmath.diff(gate, mpmath.mpf(b))
    for a in torch.tensor([sign * number for number in numbers for sign in (1, -1)], dtype=dtype).tolist():
        if math.isinf(a) and 0 in (share, slope):
            continue  # infinity times 0 has no true value
        y, d = value_and_slopes(FAMILY[name][0], torch.tensor([a, b], dtype=dtype))
        with mpmath.workdps(60):
            true = [a * share, share, a * slope]
        for got, expected in zip([y.item(), *d.tolist()], true, strict=True):
            if abs(expected) > info.max * (1 + info.eps / 4):  # rounds to infinity
                assert got == (math.inf if expected > 0 else -math.inf), a
            else:
                # Below the normal numbers a processor may flush to zero.
                assert abs(got - expected) <= info.smallest_normal or ulps(got, expected, dtype) < 200, (
                    a,
                    got,
                    expected,
                )


@every_name
def test_nan_in_is_nan_out(name):
    for x in ([math.nan, 1.0], [1.0, math.nan]):
        assert FAMILY[name][0](torch.tensor(x)).isnan().all()


def test_glu_by_hand():
    # sigmoid(ln 3) = 3/4 with slope 3/16.
    x = torch.tensor([8.0, math.log(3)], dtype=torch.float64)
    y, d = value_and_slopes(glu, x)
    assert y.item() == pytest.approx(6, rel=1e-15)
    assert d.tolist() == pytest.approx([0.75, 1.5], rel=1e-15)
    assert swiglu(x).item() == pytest.approx(6 * math.log(3), rel=1e-15)


def test_reglu_by_hand():
    y, d = value_and_slopes(reglu, torch.tensor([[8.0, 3.0], [8.0, -3.0], [8.0, 0.0]]))
    assert y.tolist() == [[24], [0], [0]]
    assert d.tolist() == [[3, 8], [0, 0], [0, 0]]


@every_name
@pytest.mark.parametrize("shape", [(2,), (0,), (3, 0, 2), (4, 6), (2, 4, 6, 2)], ids=str)
def test_every_shape_and_every_even_dim_gives_the_formula_in_torch(name, shape):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1)) * 3
    for dim in range(-x.ndim, x.ndim):
        if shape[dim] % 2 == 0:
            (y, d), (y0, d0) = (
                value_and_slopes(lambda z, dim=dim: FAMILY[name][0](z, dim), x),
                value_and_slopes(written_out(name, dim), x),
            )
            torch.testing.assert_close(y, y0)
            torch.testing.assert_close(d, d0)
            if name == "glu" and x.numel():
                torch.testing.assert_close(y, F.glu(x, dim))


@every_name
def test_strided_inputs_give_what_their_copies_give(name):
    f = lambda x: FAMILY[name][0](x, 1)  # noqa: E731
    base = torch.randn(6, 8, generator=torch.Generator().manual_seed(2))
    image = torch.randn(2, 4, 3, 5).to(memory_format=torch.channels_last)
    for view in (base.t(), base[::2, ::2], base[:, :1].expand(6, 4), image):
        for ours, copied in zip(value_and_slopes(f, view), value_and_slopes(f, view.contiguous()), strict=True):
            torch.testing.assert_close(ours, copied)
    assert f(torch.empty(3, 4, device="meta")).device.type == "meta"


@every_name
@every_dtype
def test_dtype_is_kept(name, dtype):
    y, d = value_and_slopes(FAMILY[name][0], torch.linspace(-3, 3, 8).to(dtype))
    assert y.dtype == d.dtype == dtype


@every_name
def test_first_and_second_derivatives_pass_gradcheck(name):
    x = torch.randn(3, 6, generator=torch.Generator().manual_seed(3), dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(FAMILY[name][0], x, check_batched_grad=True)
    assert torch.autograd.gradgradcheck(FAMILY[name][0], x)


@every_name
@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")  # torch's own tracer does it
def test_works_with_vmap_compile_export_and_autocast(name):
    f, layer = FAMILY[name][:2]
    x = torch.randn(5, 6, generator=torch.Generator().manual_seed(4))
    y, d = value_and_slopes(f, x)
    torch.testing.assert_close(torch.func.vmap(f)(x), y)
    torch.testing.assert_close(torch.func.vmap(torch.func.grad(lambda row: f(row).sum()))(x), d)
    torch.compiler.reset()
    compiled = torch.compile(f, backend="aot_eager", fullgraph=True)
    for ours, theirs in zip(value_and_slopes(compiled, x), (y, d), strict=True):
        torch.testing.assert_close(ours, theirs)
    batch = torch.export.Dim("batch", min=2, max=1024)
    program = torch.export.export(layer().eval(), (x,), dynamic_shapes=({0: batch},))
    torch.testing.assert_close(program.module()(x[:3]), y[:3])
    model = nn.Sequential(nn.Linear(4, 6), layer(), nn.Linear(3, 1))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = model(torch.randn(3, 4))
    out.sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@every_name
def test_backward_keeps_the_input_and_reglu_its_gate_too_and_nothing_else(name):
    kept = {}
    x = torch.randn(10, 10, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(
        lambda t: kept.setdefault(t.untyped_storage().data_ptr(), t), lambda t: t
    ):
        FAMILY[name][0](x)
    assert x.data_ptr() in kept
    assert sorted(t.untyped_storage().nbytes() for t in kept.values()) == ([200, 400] if name == "reglu" else [400])


@every_name
def test_gradients_of_a_batch_of_directions_at_once_are_those_one_by_one(name):
    generator = torch.Generator().manual_seed(6)
    x = torch.randn(4, 6, generator=generator, requires_grad=True)
    y = FAMILY[name][0](x)
    directions = torch.randn(5, *y.shape, generator=generator)
    (batch,) = torch.autograd.grad(y, x, directions, is_grads_batched=True, retain_graph=True)
    alone = [torch.autograd.grad(y, x, direction, retain_graph=True)[0] for direction in directions]
    torch.testing.assert_close(batch, torch.stack(alone))
    mapped = torch.func.vmap(FAMILY[name][0])(x)
    (d,) = torch.autograd.grad(mapped, x, directions[0])
    torch.testing.assert_close(d, alone[0])


@every_name
def test_bad_arguments_are_refused_with_their_value(name):
    f = FAMILY[name][0]
    with pytest.raises(ValueError, match="the size of dim -1 must be even, got 3"):
        f(torch.zeros(2, 3))
    with pytest.raises(IndexError, match="got 1 for 1 dimensions"):
        f(torch.zeros(4), 1)
    with pytest.raises(IndexError, match="for 0 dimensions"):
        f(torch.zeros(()))
    for dtype in (torch.int64, torch.bool, torch.complex64):
        with pytest.raises(TypeError, match=str(dtype)):
            f(torch.zeros(4, dtype=dtype))


@every_name
def test_the_layer_equals_the_function_and_survives_copy_and_pickle(name):
    f, layer = FAMILY[name][:2]
    x = torch.randn(4, 6, generator=torch.Generator().manual_seed(5))
    before, module = x.clone(), layer(0)
    for each in (module, copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert torch.equal(each(x), f(x, 0))
        assert repr(each) == f"{layer.__name__}(dim=0)"
    assert torch.equal(x, before)
    assert repr(layer()) == f"{layer.__name__}(dim=-1)"
