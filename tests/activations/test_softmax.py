"""Softmax and its logarithm mix elements, so what the contract promises is tested here, with what is special."""

from __future__ import annotations

import copy
import math
import pickle

import mpmath
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from livegrad.activations.softmax import LogSoftmax, Softmax, log_softmax, softmax

# name: (ours, torch's, layer)
BOTH = {"softmax": (softmax, torch.softmax, Softmax), "log_softmax": (log_softmax, torch.log_softmax, LogSoftmax)}
# (significand bits, smallest normal exponent)
DTYPES = {
    torch.float32: (24, -126),
    torch.float64: (53, -1022),
    torch.bfloat16: (8, -126),
    torch.float16: (11, -14),
}
both = pytest.mark.parametrize("name", BOTH)
every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=str)
rows = st.lists(st.floats(-30, 30, width=32), min_size=2, max_size=6)


def exact(name: str, row: list, i: int) -> mpmath.mpf:
    """Element i by the definition, without a shift: high precision needs none."""
    total = mpmath.fsum(mpmath.exp(x) for x in row)
    return mpmath.exp(row[i]) / total if name == "softmax" else row[i] - mpmath.log(total)


def truth(name: str, row: list[float]) -> tuple[list, list[list]]:
    """Values and Jacobian, the latter by numerical differentiation of the definition."""
    with mpmath.workdps(80):
        row = [mpmath.mpf(x) for x in row]
        value = [exact(name, row, i) for i in range(len(row))]

        def slope(i, j):
            return mpmath.diff(lambda x: exact(name, [*row[:j], x, *row[j + 1 :]], i), row[j])

        return value, [[slope(i, j) for j in range(len(row))] for i in range(len(row))]


def ulps(got: float, true: mpmath.mpf, dtype: torch.dtype) -> float:
    bits, smallest = DTYPES[dtype]
    with mpmath.workdps(80):
        exponent = smallest if true == 0 else max(int(mpmath.floor(mpmath.log(abs(true), 2))), smallest)
        return float(abs(mpmath.mpf(got) - true) / mpmath.mpf(2) ** (exponent - bits + 1))


def jacobian(f, row: Tensor) -> tuple[list, list[list]]:
    row = row.detach().requires_grad_()
    y = f(row, 0)
    upstream = torch.eye(len(row), dtype=row.dtype)
    return y.tolist(), [torch.autograd.grad(y, row, g, retain_graph=True)[0].tolist() for g in upstream]


def grid(dtype: torch.dtype) -> list[Tensor]:
    """Rows between -10 and 10: random ones, ties, and rows with a nearly certain winner."""
    generator = torch.Generator().manual_seed(0)
    random = (torch.rand(24, 4, generator=generator) * 20 - 10).tolist()
    chosen = [[0.0, 0.0, 0.0, 0.0], [10.0, 10.0, -10.0, -10.0], [10.0, -10.0], [10.0, -7.5, -8.0, -10.0], [1.0, 0.5]]
    return [torch.tensor(row, dtype=dtype) for row in random + chosen]


@both
@every_dtype
def test_value_and_jacobian_are_right_to_the_last_places(name, dtype):
    worst = {}
    for who, f in zip(("ours", "torch"), BOTH[name][:2], strict=True):
        errors_y, errors_d = [], []
        for row in grid(dtype):
            true_y, true_d = truth(name, row.tolist())
            y, d = jacobian(f, row)
            errors_y += [ulps(*pair, dtype) for pair in zip(y, true_y, strict=True)]
            errors_d += [ulps(*pair, dtype) for a, b in zip(d, true_d, strict=True) for pair in zip(a, b, strict=True)]
        worst[who] = max(errors_y), max(errors_d)
    value, slope = worst["ours"]
    if dtype in (torch.bfloat16, torch.float16):
        # Computed in float32 and rounded once: half a unit, and the float32 error on top.
        assert value < 0.51
        assert slope < 0.51
        return
    # The difference of two logits up to 20 apart is rounded to half a unit of 16, which the exponential turns into a
    # relative error of 2^-20 in float32: 8 units, or 16 of a number that begins with 1.
    assert value <= 20
    assert slope <= 40
    # Half a unit of slack, as in the contract: the largest of a hundred errors is a random number.
    assert value <= worst["torch"][0] + 0.5
    assert slope <= worst["torch"][1] + 0.5


@pytest.mark.parametrize("gap", [15.0, 20.0, 40.0, 80.0])
def test_a_nearly_certain_winner_keeps_the_digits_that_torch_loses(gap):
    # For two logits, gap apart, ln p = -ln(1 + e^-gap) and 1 - p = 1 / (1 + e^gap), by the standard library.
    row = torch.tensor([gap, 0.0])
    (log_p, _), (slopes, _) = jacobian(log_softmax, row)
    assert log_p == pytest.approx(-math.log1p(math.exp(-gap)), rel=1e-6)
    assert slopes[0] == pytest.approx(1 / (1 + math.exp(gap)), rel=1e-5)
    p = 1 / (1 + math.exp(-gap))
    assert jacobian(softmax, row)[1][0][0] == pytest.approx(p / (1 + math.exp(gap)), rel=1e-5)
    if gap >= 20:
        assert torch.log_softmax(row, 0)[0] == 0
        assert jacobian(torch.log_softmax, row)[1][0][0] == 0
        assert jacobian(torch.softmax, row)[1][0][0] == 0


@both
@every_dtype
def test_extremes_give_the_true_value_and_gradient_and_no_nan(name, dtype):
    info = torch.finfo(dtype)
    tiny = info.smallest_normal
    for size in (0.0, tiny * info.eps, tiny, 88.0, 88.75, 95.0, 110.0, 1e4, 1e30, info.max):
        for x in (size, -size):
            row = torch.tensor([x, 0.0, -1.0], dtype=dtype)
            if row.isinf().any():
                continue
            with mpmath.workdps(80):
                at = [mpmath.mpf(v) for v in row.tolist()]
                top = max(at)  # the exponent of e^(1e30) is fine for mpmath, its digits are not: shift
                powers = [mpmath.exp(v - top) for v in at]
                share = [power / mpmath.fsum(powers) for power in powers]
                # Between numbers of size 1e30 and one a difference of 1 has no digits in eighty: use what remains.
                log_p = [v - top - mpmath.log(mpmath.fsum(powers)) for v in at]
                delta = lambda i, j: 1 if i == j else 0  # noqa: E731
                if name == "softmax":
                    true_y = share
                    true_d = [[share[i] * (delta(i, j) - share[j]) for j in range(3)] for i in range(3)]
                else:
                    true_y = log_p
                    true_d = [[delta(i, j) - share[j] for j in range(3)] for i in range(3)]
            y, d = jacobian(BOTH[name][0], row)
            for got, true in [
                *zip(y, true_y, strict=True),
                *((a, b) for pair in zip(d, true_d, strict=True) for a, b in zip(*pair, strict=True)),
            ]:
                if abs(true) > info.max * (1 + info.eps / 4):  # rounds to infinity
                    assert got == -math.inf
                else:
                    # A processor may flush to zero below the normal numbers. Rounded differences: see above.
                    assert abs(got - true) <= 2 * tiny or ulps(got, true, dtype) < 200, (row, got, true)


@both
def test_one_infinite_logit_takes_all_where_torch_gives_nan(name):
    row = torch.tensor([math.inf, 0.0, -1.0])
    assert BOTH[name][1](row, 0).isnan().all()
    y, d = jacobian(BOTH[name][0], row)
    if name == "softmax":
        assert y == [1, 0, 0]
        assert d == [[0, 0, 0]] * 3
    else:
        assert y == [0, -math.inf, -math.inf]
        assert d == [[0, 0, 0], [-1, 1, 0], [-1, 0, 1]]


@both
def test_minus_infinity_takes_nothing_and_gets_no_gradient(name):
    row = torch.tensor([-math.inf, 1.0, 1.0])
    y, d = jacobian(BOTH[name][0], row)
    assert y == pytest.approx([0, 0.5, 0.5] if name == "softmax" else [-math.inf, -math.log(2), -math.log(2)])
    assert [line[0] for line in d] == ([0, 0, 0] if name == "softmax" else [1, 0, 0])


@both
@pytest.mark.parametrize("row", [[math.nan, 0.0], [-math.inf, -math.inf], [math.inf, math.inf]], ids=str)
def test_nan_and_rows_without_a_true_value_are_nan(name, row):
    assert BOTH[name][0](torch.tensor(row), 0).isnan().any()


def test_softmax_by_hand():
    # e^ln1 : e^ln2 : e^ln5 = 1 : 2 : 5; at half the temperature the powers are squared, 1 : 4 : 25.
    row = torch.tensor([1.0, 2.0, 5.0], dtype=torch.float64).log()
    assert softmax(row, 0).tolist() == pytest.approx([1 / 8, 2 / 8, 5 / 8], rel=1e-15)
    assert softmax(row, 0, temperature=0.5).tolist() == pytest.approx([1 / 30, 4 / 30, 25 / 30], rel=1e-14)
    assert log_softmax(row, 0).exp().tolist() == pytest.approx([1 / 8, 2 / 8, 5 / 8], rel=1e-15)
    p = softmax(row, 0)
    assert torch.allclose(torch.func.jacrev(softmax)(row, 0), p.diag() - p.outer(p), rtol=1e-14)


def test_the_gradient_of_the_cross_entropy_is_share_minus_truth():
    z = torch.randn(7, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()
    y = torch.tensor([0, 1, 2, 3, 4, 0, 1])
    (gradient,) = torch.autograd.grad(torch.nn.functional.nll_loss(log_softmax(z, 1), y, reduction="sum"), z)
    torch.testing.assert_close(gradient, softmax(z, 1) - torch.nn.functional.one_hot(y, 5))
    (theirs,) = torch.autograd.grad(torch.nn.functional.cross_entropy(z, y, reduction="sum"), z)
    torch.testing.assert_close(gradient, theirs)


@given(rows)
def test_shares_are_a_distribution_in_the_order_of_the_logits(row):
    z = torch.tensor(row)
    p = softmax(z, 0)
    assert p.sum().item() == pytest.approx(1, abs=1e-6)
    assert (p >= 0).all()
    assert (p[z.argsort()].diff() >= 0).all()


@given(rows, st.integers(-64, 64))
def test_one_number_added_to_all_logits_changes_nothing(row, shift):
    z = torch.tensor(row, dtype=torch.float64)  # float32 numbers plus a whole number: exact enough in float64
    torch.testing.assert_close(softmax(z + shift, 0), softmax(z, 0), rtol=1e-12, atol=0)
    torch.testing.assert_close(log_softmax(z + shift, 0), log_softmax(z, 0), rtol=1e-12, atol=1e-14)


@both
@given(row=rows, power=st.integers(-3, 3))
def test_the_temperature_divides_the_logits(name, row, power):
    f = BOTH[name][0]
    z, t = torch.tensor(row, requires_grad=True), 2.0**power  # a power of two divides without rounding
    hot, divided = f(z, 0, temperature=t), f(z / t, 0)
    assert torch.equal(hot, divided)
    upstream = torch.linspace(-1, 1, len(row))
    a, b = (torch.autograd.grad(y, z, upstream)[0] for y in (hot, divided))
    torch.testing.assert_close(a, b)


def test_a_cold_softmax_of_large_logits_does_not_overflow():
    # Dividing first would give inf - inf.
    z = torch.tensor([1e30, 2e30, 2e30])
    assert softmax(z, 0, temperature=1e-20).tolist() == [0, 0.5, 0.5]


@both
@pytest.mark.parametrize("shape", [(), (0,), (1,), (3, 0, 2), (7,), (2, 3, 4, 5)], ids=str)
def test_every_shape_and_every_dim_gives_what_torch_gives(name, shape):
    ours, theirs, _ = BOTH[name]
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1)) * 4
    for dim in range(-max(x.ndim, 1), max(x.ndim, 1)):
        torch.testing.assert_close(ours(x, dim), theirs(x, dim))
    if x.numel():
        with pytest.raises(IndexError):
            ours(x, max(x.ndim, 1))


@both
def test_strided_and_channels_last_inputs_give_what_their_copies_give(name):
    f = BOTH[name][0]
    base = torch.randn(6, 8, generator=torch.Generator().manual_seed(2))
    image = torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last)
    for view in (base.t(), base[::2, 1::3], base[:, :1].expand(6, 4), image):
        for dim in (0, 1):
            (y, d), (y_copy, d_copy) = (
                (f(x, dim), torch.func.grad(lambda z, dim=dim: f(z, dim).square().sum())(x))
                for x in (view, view.contiguous())
            )
            torch.testing.assert_close(y, y_copy)
            torch.testing.assert_close(d, d_copy)
    assert f(image, 1).is_contiguous(memory_format=torch.channels_last)


@both
@every_dtype
def test_dtype_and_device_are_kept_and_dtype_converts_first(name, dtype):
    ours, theirs, _ = BOTH[name]
    x = torch.linspace(-3, 3, 7).to(dtype)
    assert ours(x, 0).dtype == dtype
    assert ours(torch.empty(4, 2, device="meta", dtype=dtype), 1).device.type == "meta"
    torch.testing.assert_close(ours(x, 0, dtype=torch.float64), theirs(x, 0, dtype=torch.float64))
    whole = torch.arange(4)
    torch.testing.assert_close(ours(whole, 0, dtype=dtype), theirs(whole, 0, dtype=dtype))


@both
def test_bad_arguments_are_refused_with_their_value(name):
    ours, _, layer = BOTH[name]
    for dtype in (torch.int64, torch.bool, torch.complex64):
        with pytest.raises(TypeError, match=str(dtype)):
            ours(torch.zeros(3, dtype=dtype), 0)
    for temperature in (0.0, -1.0, math.inf, math.nan):
        for call in (lambda t: ours(torch.zeros(3), 0, temperature=t), lambda t: layer(0, temperature=t)):
            with pytest.raises(ValueError, match=f"temperature must be positive and finite, got {temperature}"):
                call(temperature)


@both
@pytest.mark.parametrize("temperature", [1.0, 0.3])
def test_first_and_second_derivatives_pass_gradcheck(name, temperature):
    x = torch.randn(3, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64, requires_grad=True)
    f = lambda z: BOTH[name][0](z, 1, temperature=temperature)  # noqa: E731
    assert torch.autograd.gradcheck(f, x, check_batched_grad=True)
    assert torch.autograd.gradgradcheck(f, x)


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")  # torch's own tracer does it
@both
def test_works_with_vmap_compile_export_and_autocast(name):
    ours, theirs, layer = BOTH[name]
    x = torch.randn(5, 7, generator=torch.Generator().manual_seed(4))
    torch.testing.assert_close(torch.func.vmap(lambda row: ours(row, 0))(x), theirs(x, 1))
    torch.testing.assert_close(
        torch.func.vmap(torch.func.jacrev(lambda row: ours(row, 0)))(x),
        torch.func.vmap(torch.func.jacrev(lambda row: theirs(row, 0)))(x),
    )
    torch.compiler.reset()
    compiled = torch.compile(lambda z: ours(z, 1, temperature=2.0), backend="aot_eager", fullgraph=True)
    a, b = x.clone().requires_grad_(), x.clone().requires_grad_()
    compiled(a).square().sum().backward()
    theirs(b / 2, 1).square().sum().backward()
    torch.testing.assert_close(a.grad, b.grad)
    batch = torch.export.Dim("batch", min=2, max=1024)
    program = torch.export.export(layer(1).eval(), (x,), dynamic_shapes=({0: batch},))
    torch.testing.assert_close(program.module()(torch.cat([x, x])), theirs(torch.cat([x, x]), 1))
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), layer(-1))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = model(torch.randn(3, 4))
    out[:, 0].sum().backward()
    assert model[0].weight.grad.isfinite().all()


@both
def test_the_layer_equals_the_function_and_survives_copy_and_pickle(name):
    ours, _, layer = BOTH[name]
    module = layer(1, temperature=0.5)
    x = torch.randn(4, 5, generator=torch.Generator().manual_seed(5))
    before = x.clone()
    for each in (module, copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert torch.equal(each(x), ours(x, 1, temperature=0.5))
        assert repr(each) == f"{layer.__name__}(dim=1, temperature=0.5)"
    assert torch.equal(x, before)
    assert repr(layer(-1)) == f"{layer.__name__}(dim=-1)"


@both
def test_backward_keeps_the_output_and_for_the_logarithm_the_place_of_each_winner(name):
    kept = []
    x = torch.randn(10, 10, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        y = BOTH[name][0](x, 1)
    assert kept[0].data_ptr() == y.data_ptr()
    assert [t.tolist() for t in kept[1:]] == [x.argmax(1, keepdim=True).tolist()] * (name == "log_softmax")
