"""Maxout mixes elements, so what the contract promises is tested here, with what is special."""

from __future__ import annotations

import copy
import math
import pickle

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from livegrad.activations.maxout import Maxout, maxout

every_dtype = pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16], ids=str)
floats = st.floats(-100, 100)


def slopes(f, x: torch.Tensor, upstream: torch.Tensor | None = None) -> torch.Tensor:
    x = x.detach().requires_grad_()
    y = f(x)
    return torch.autograd.grad(y, x, torch.ones_like(y) if upstream is None else upstream)[0]


def test_maxout_by_hand():
    x = torch.tensor([[1.0, 3.0, -2.0, -5.0], [0.0, -1.0, 7.0, 8.0]])
    assert maxout(x).tolist() == [[3, -2], [0, 8]]
    assert maxout(x, 4).tolist() == [[3], [8]]
    assert maxout(x, 1).tolist() == x.tolist()
    assert maxout(x, 2, dim=0).tolist() == [[1, 3, 7, 8]]
    assert slopes(maxout, x, torch.tensor([[1.0, 2.0], [3.0, 4.0]])).tolist() == [[0, 1, 2, 0], [3, 0, 0, 4]]


@pytest.mark.parametrize("pieces", [1, 2, 3, 6])
def test_it_is_max_pooling_over_the_features_and_so_is_its_gradient(pieces):
    x = torch.randn(5, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    pool = lambda z: nn.functional.max_pool1d(z[:, None], pieces)[:, 0]  # noqa: E731
    upstream = torch.randn(5, 12 // pieces, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert torch.equal(maxout(x, pieces), pool(x))
    assert torch.equal(slopes(lambda z: maxout(z, pieces), x, upstream), slopes(pool, x, upstream))


def test_pieces_that_tie_share_the_gradient_equally():
    assert slopes(lambda x: maxout(x, 3), torch.tensor([2.0, 2.0, 1.0])).tolist() == [0.5, 0.5, 0]
    assert slopes(lambda x: maxout(x, 4), torch.zeros(4)).tolist() == [0.25] * 4
    assert slopes(maxout, torch.tensor([0.0, -0.0])).tolist() == [0.5, 0.5]


@every_dtype
def test_extremes_are_kept_as_they_are_and_nan_stays_nan(dtype):
    info = torch.finfo(dtype)
    tiny = info.smallest_normal * info.eps
    numbers = [-math.inf, info.min, -1e4, -tiny, 0.0, tiny, 88.75, 1e4, info.max, math.inf]
    x = torch.tensor(numbers, dtype=dtype)
    pairs = torch.cartesian_prod(x, x)
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    y, d = maxout(pairs)[:, 0], slopes(maxout, pairs)
    assert y.dtype == d.dtype == dtype
    # A maximum is exact: not one bit is rounded, and the gradient is 1 for the larger and 0 for the smaller.
    assert y.tolist() == [max(pair) for pair in pairs.tolist()]
    assert d.tolist() == [[float(a > b), float(b > a)] for a, b in pairs.tolist()]
    assert maxout(torch.tensor([math.nan, 1.0], dtype=dtype)).isnan().all()


def test_two_pieces_are_exactly_the_absolute_value_and_relu():
    x = torch.cat([torch.linspace(-5, 5, 101), torch.tensor([0.0, 1e30, -1e30, 1e-40])])[:, None]
    for weight, f in (([[1.0], [-1.0]], torch.abs), ([[1.0], [0.0]], torch.relu), ([[1.0], [0.01]], nn.LeakyReLU())):
        y = maxout(x @ torch.tensor(weight).T)
        assert torch.equal(y, f(x))


@given(st.lists(st.tuples(floats, floats), min_size=1, max_size=5), floats, floats, st.floats(0, 1))
def test_a_maxout_unit_of_linear_pieces_is_convex(pieces, a, b, share):
    w, c = torch.tensor(pieces, dtype=torch.float64).T
    f = lambda x: maxout(w * x + c, len(pieces)).item()  # noqa: E731
    middle = f(share * a + (1 - share) * b)
    assert middle <= share * f(a) + (1 - share) * f(b) + 1e-9  # rounding of numbers up to 10,000


@given(st.lists(floats, min_size=6, max_size=6), floats)
def test_a_number_added_to_all_pieces_is_added_to_the_result(values, shift):
    x = torch.tensor(values, dtype=torch.float64)
    assert torch.equal(maxout(x + shift, 3), maxout(x, 3) + shift)


@pytest.mark.parametrize("shape", [(4,), (0, 4), (3, 4), (4, 2, 0), (2, 4, 4, 4)], ids=str)
def test_every_shape_and_every_dim_that_can_be_split(shape):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(2))
    for dim in range(-x.ndim, x.ndim):
        if shape[dim] == 4:
            expected = torch.stack([x.select(dim, 0), x.select(dim, 1)]).amax(0)
            y = maxout(x, 2, dim)
            assert y.shape[dim] == 2
            assert torch.equal(y.select(dim, 0), expected)
            assert slopes(lambda z, dim=dim: maxout(z, 2, dim), x).shape == x.shape


def test_strided_inputs_give_what_their_copies_give():
    base = torch.randn(6, 8, generator=torch.Generator().manual_seed(3))
    image = torch.randn(2, 4, 3, 5).to(memory_format=torch.channels_last)
    for view, dim in ((base.t(), 1), (base[::2, ::2], 1), (base[:, :1].expand(6, 4), 1), (image, 1)):
        f = lambda x, dim=dim: maxout(x, 2, dim)  # noqa: E731
        assert torch.equal(f(view), f(view.contiguous()))
        assert torch.equal(slopes(f, view), slopes(f, view.contiguous()))
    assert maxout(torch.empty(3, 4, device="meta")).device.type == "meta"


def test_first_and_second_derivatives_pass_gradcheck():
    x = torch.randn(3, 6, generator=torch.Generator().manual_seed(4), dtype=torch.float64, requires_grad=True)
    for pieces in (2, 3):
        f = lambda z, pieces=pieces: maxout(z, pieces)  # noqa: E731
        assert torch.autograd.gradcheck(f, x, check_batched_grad=True)
        assert torch.autograd.gradgradcheck(lambda z, f=f: f(z) ** 2, x)


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")  # torch's own tracer does it
def test_works_with_vmap_compile_export_and_autocast():
    x = torch.randn(5, 6, generator=torch.Generator().manual_seed(5))
    assert torch.equal(torch.func.vmap(maxout)(x), maxout(x))
    assert torch.equal(torch.func.vmap(torch.func.grad(lambda row: maxout(row).sum()))(x), slopes(maxout, x))
    torch.compiler.reset()
    compiled = torch.compile(maxout, backend="aot_eager", fullgraph=True)
    assert torch.equal(compiled(x), maxout(x))
    assert torch.equal(slopes(compiled, x), slopes(maxout, x))
    batch = torch.export.Dim("batch", min=2, max=1024)
    program = torch.export.export(Maxout(3).eval(), (x,), dynamic_shapes=({0: batch},))
    assert torch.equal(program.module()(x[:3]), maxout(x[:3], 3))
    model = nn.Sequential(nn.Linear(4, 6), Maxout(), nn.Linear(3, 1))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = model(torch.randn(3, 4))
    out.sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_bad_arguments_are_refused_with_their_value():
    for pieces in (0, -2):
        with pytest.raises(ValueError, match=f"num_pieces must be at least 1, got {pieces}"):
            maxout(torch.zeros(4), pieces)
        with pytest.raises(ValueError, match=f"num_pieces must be at least 1, got {pieces}"):
            Maxout(pieces)
    with pytest.raises(ValueError, match="must be a multiple of num_pieces = 3, got 4"):
        maxout(torch.zeros(2, 4), 3)
    for dim in (1, -2):
        with pytest.raises(IndexError, match=f"got {dim} for 1 dimensions"):
            maxout(torch.zeros(4), 2, dim)
    with pytest.raises(IndexError, match="for 0 dimensions"):
        maxout(torch.zeros(()))
    for dtype in (torch.int64, torch.bool, torch.complex64):
        with pytest.raises(TypeError, match=str(dtype)):
            maxout(torch.zeros(4, dtype=dtype))


def test_the_layer_equals_the_function_and_survives_copy_and_pickle():
    x = torch.randn(4, 6, generator=torch.Generator().manual_seed(6))
    before, module = x.clone(), Maxout(3)
    for each in (module, copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert torch.equal(each(x), maxout(x, 3))
        assert repr(each) == "Maxout(num_pieces=3, dim=-1)"
    assert torch.equal(x, before)
    assert not list(module.parameters())
