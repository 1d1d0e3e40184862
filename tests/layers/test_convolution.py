"""Convolution by loops, by im2col, transposed: torch's in value and gradient; the calculators against real passes."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from livegrad.layers.convolution import (
    Conv2d,
    ConvTranspose2d,
    Window,
    conv2d,
    conv2d_loops,
    conv_transpose2d,
    output_size,
    receptive_field,
    unfold,
)

F = nn.functional

# stride, padding, dilation, groups; the axes differ where the numbers are pairs.
SETTINGS = [
    (1, 0, 1, 1),
    (2, 1, 1, 1),
    (3, 2, 1, 2),
    (1, 2, 2, 4),
    ((2, 1), (0, 3), (1, 2), 2),
    ((1, 3), (2, 1), (3, 1), 1),
]


def double(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def value_and_gradients(function, *tensors: Tensor) -> list[Tensor]:
    leaves = [t.detach().clone().requires_grad_() for t in tensors]
    out = function(*leaves)
    coefficients = double(*out.shape, seed=9).to(out.dtype)
    return [out.detach(), *torch.autograd.grad((out * coefficients).sum(), leaves)]


@pytest.mark.parametrize(("stride", "padding", "dilation", "groups"), SETTINGS)
def test_im2col_gives_the_values_and_gradients_of_torch(stride, padding, dilation, groups) -> None:
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    x, w, b = double(2, 4, 8, 9), double(8, 4 // groups, 2, 3, seed=1), double(8, seed=2)
    ours = value_and_gradients(lambda *t: conv2d(*t, **options), x, w, b)
    torchs = value_and_gradients(lambda *t: F.conv2d(*t, **options), x, w, b)
    torch.testing.assert_close(ours, torchs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("stride", "padding", "dilation", "groups"), SETTINGS)
def test_the_loops_give_the_values_and_gradients_of_torch(stride, padding, dilation, groups) -> None:
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    x, w, b = double(1, 4, 5, 6), double(4, 4 // groups, 2, 2, seed=1), double(4, seed=2)
    ours = value_and_gradients(lambda *t: conv2d_loops(*t, **options), x, w, b)
    torchs = value_and_gradients(lambda *t: F.conv2d(*t, **options), x, w, b)
    torch.testing.assert_close(ours, torchs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("output_padding", [0, 1])
@pytest.mark.parametrize(("stride", "padding", "dilation", "groups"), SETTINGS)
def test_transposed_convolution_gives_the_values_and_gradients_of_torch(
    stride, padding, dilation, groups, output_padding
) -> None:
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    pairs = zip(*(v if isinstance(v, tuple) else (v, v) for v in (stride, dilation)), strict=True)
    options["output_padding"] = tuple(output_padding if max(p) > 1 else 0 for p in pairs)
    x, w, b = double(2, 4, 6, 5), double(4, 6 // groups if groups < 4 else 2, 2, 3, seed=1), double(8, seed=2)
    b = b[: w.shape[1] * groups]
    ours = value_and_gradients(lambda *t: conv_transpose2d(*t, **options), x, w, b)
    torchs = value_and_gradients(lambda *t: F.conv_transpose2d(*t, **options), x, w, b)
    torch.testing.assert_close(ours, torchs, rtol=1e-12, atol=1e-12)


def test_the_transposed_convolution_is_the_gradient_of_the_convolution() -> None:
    x, w = double(2, 3, 7, 7).requires_grad_(), double(5, 3, 3, 3, seed=1)
    out = conv2d(x, w, stride=2, padding=1)
    g = double(*out.shape, seed=2)
    (gradient,) = torch.autograd.grad(out, x, g)
    torch.testing.assert_close(conv_transpose2d(g, w, stride=2, padding=1), gradient, rtol=1e-12, atol=1e-12)


@given(
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    padding=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    dilation=st.tuples(st.integers(1, 3), st.integers(1, 3)),
)
@settings(deadline=None, max_examples=60)
def test_any_window_that_fits_agrees_with_torch_and_others_are_refused(size, kernel, stride, padding, dilation) -> None:
    x = double(2, 3, *size)
    fits = all(n + 2 * p >= d * (k - 1) + 1 for n, k, p, d in zip(size, kernel, padding, dilation, strict=True))
    if not fits:
        with pytest.raises(ValueError, match="input with padding must be at least as wide as the window"):
            unfold(x, kernel, dilation, padding, stride)
        return
    ours = unfold(x, kernel, dilation, padding, stride)
    assert torch.equal(ours, F.unfold(x, kernel, dilation, padding, stride))
    w = double(4, 3, *kernel, seed=1)
    found = conv2d(x, w, None, stride, padding, dilation)
    torch.testing.assert_close(found, F.conv2d(x, w, None, stride, padding, dilation), rtol=1e-12, atol=1e-12)
    sides = zip(size, kernel, stride, padding, dilation, strict=True)
    assert tuple(found.shape[2:]) == tuple(output_size(*side) for side in sides)


@given(
    st.lists(
        st.builds(Window, st.integers(1, 4), st.integers(1, 3), st.integers(0, 2), st.integers(1, 3)),
        min_size=1,
        max_size=4,
    )
)
@settings(deadline=None, max_examples=40)
def test_the_receptive_field_is_the_reach_of_a_real_backward_pass(windows: list[Window]) -> None:
    field = receptive_field(windows)
    n = field.kernel_size + 2 * field.padding + 4 * field.stride
    x = torch.zeros(1, 1, 1, n, dtype=torch.float64, requires_grad=True)
    h = x
    for k, s, p, d in windows:  # positive weights, so that nothing cancels
        h = F.conv2d(h, torch.ones(1, 1, 1, k, dtype=torch.float64), stride=(1, s), padding=(0, p), dilation=(1, d))
    for i in range(h.shape[3]):
        (g,) = torch.autograd.grad(h[0, 0, 0, i], x, retain_graph=True)
        reached = g[0, 0, 0].nonzero().flatten()
        first, last = i * field.stride - field.padding, i * field.stride - field.padding + field.kernel_size - 1
        if len(reached):
            assert first <= reached[0]
            assert reached[-1] <= last
        if all(w.padding == 0 for w in windows):  # nothing of the field lies outside: its ends are seen
            assert (reached[0], reached[-1]) == (first, last)


def test_pooling_and_convolution_make_one_receptive_field() -> None:
    # LeNet's first layers: 5×5, pool 2/2, 5×5, pool 2/2. By hand: 1 + 4 + 1 + 2·4 + 2·1 = 16, step 4.
    assert receptive_field([(5,), (2, 2), (5,), (2, 2)]) == Window(16, 4, 0)
    x = torch.zeros(1, 1, 32, 32, requires_grad=True)
    h = F.avg_pool2d(F.conv2d(x, torch.ones(1, 1, 5, 5)), 2)
    h = F.avg_pool2d(F.conv2d(h, torch.ones(1, 1, 5, 5)), 2)
    (g,) = torch.autograd.grad(h[0, 0, 1, 2], x)
    rows, columns = (g[0, 0].sum(axis).nonzero().flatten() for axis in (1, 0))
    assert (rows[0], rows[-1], columns[0], columns[-1]) == (4, 19, 8, 23)


def test_nothing_between_input_and_output_sees_one_number() -> None:
    assert receptive_field([]) == Window(1, 1, 0)


def test_the_module_draws_torchs_weights_from_one_seed_and_loads_them_both_ways() -> None:
    torch.manual_seed(0)
    torchs = nn.Conv2d(4, 6, (3, 2), stride=2, padding=1, dilation=(1, 2), groups=2)
    torch.manual_seed(0)
    ours = Conv2d(4, 6, (3, 2), stride=2, padding=1, dilation=(1, 2), groups=2)
    x = torch.randn(3, 4, 7, 8)
    assert all(torch.equal(ours.state_dict()[k], v) for k, v in torchs.state_dict().items())
    torch.testing.assert_close(ours(x), torchs(x))
    nn.init.ones_(ours.weight)
    torchs.load_state_dict(ours.state_dict())
    torch.testing.assert_close(ours(x), torchs(x))
    assert Conv2d(1, 2, 3, bias=False).bias is None
    assert ours.train()(x).equal(ours.eval()(x))


@pytest.mark.parametrize("padding_mode", ["zeros", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("padding", [1, (3, 0)])
def test_what_is_beyond_the_border_is_torchs_in_value_and_gradient(padding_mode, padding) -> None:
    options = {"stride": (1, 2), "padding": padding, "dilation": (2, 1), "padding_mode": padding_mode}
    torch.manual_seed(0)
    ours, torchs = Conv2d(2, 3, 3, **options), nn.Conv2d(2, 3, 3, **options)
    torchs.load_state_dict(ours.state_dict())
    x = double(2, 2, 6, 7)
    results = [value_and_gradients(layer.double(), x) for layer in (ours, torchs)]
    torch.testing.assert_close(*results, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    "options",
    [{}, {"stride": 2, "padding": 1, "output_padding": 1}, {"groups": 2, "dilation": (1, 3), "bias": False}],
)
def test_the_transposed_module_draws_torchs_weights_from_one_seed_and_loads_them_both_ways(options) -> None:
    torch.manual_seed(0)
    torchs = nn.ConvTranspose2d(4, 6, (3, 2), **options)
    torch.manual_seed(0)
    ours = ConvTranspose2d(4, 6, (3, 2), **options)
    assert ours.state_dict().keys() == torchs.state_dict().keys()
    assert all(torch.equal(ours.state_dict()[k], v) for k, v in torchs.state_dict().items())
    nn.init.uniform_(ours.weight)
    torchs.load_state_dict(ours.state_dict())
    x = double(2, 4, 5, 6)
    results = [value_and_gradients(layer.double(), x) for layer in (ours, torchs)]
    torch.testing.assert_close(*results, rtol=1e-12, atol=1e-12)


def test_a_single_picture_without_a_batch_is_taken_as_torch_takes_it() -> None:
    x = double(4, 6, 7)
    for ours in (Conv2d(4, 2, 3, padding=1, padding_mode="circular"), ConvTranspose2d(4, 2, 3, stride=2)):
        out = ours.double()(x)
        torch.testing.assert_close(out, ours(x[None])[0], rtol=1e-12, atol=1e-12)
        torchs = getattr(nn, type(ours).__name__)(4, 2, 3)
        assert out.ndim == torchs.double()(x).ndim == 3


def test_an_empty_batch_gives_an_empty_batch_and_gradients_of_zero() -> None:
    layer, x = Conv2d(2, 3, 3, padding=1), torch.empty(0, 2, 5, 6, requires_grad=True)
    out = layer(x)
    assert out.shape == (0, 3, 5, 6)
    out.sum().backward()
    assert x.grad is not None
    assert x.grad.shape == x.shape
    assert not layer.weight.grad.any()
    assert conv_transpose2d(x, torch.ones(2, 1, 2, 2), stride=2).shape == (0, 1, 10, 12)
    assert conv2d_loops(x, layer.weight, padding=1).shape == (0, 3, 5, 6)


@pytest.mark.parametrize("function", [conv2d, conv2d_loops, conv_transpose2d])
def test_the_layout_in_memory_does_not_matter(function) -> None:
    x, w = double(2, 3, 4, 5), double(3, 3, 2, 2, seed=1)
    expected = function(x, w)
    strided = double(2, 3, 4, 10)
    strided[..., ::2] = x
    for other in (x.to(memory_format=torch.channels_last), strided[..., ::2]):
        assert not other.is_contiguous()
        torch.testing.assert_close(function(other, w), expected, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(function(x, w.transpose(2, 3).contiguous().transpose(2, 3)), expected)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_stays_half_precision_and_near_the_exact_value(dtype) -> None:
    x, w, b = double(2, 3, 6, 6).to(dtype), double(4, 3, 3, 3, seed=1).to(dtype), double(4, seed=2).to(dtype)
    out = conv2d(x, w, b, padding=1)
    assert out.dtype == dtype
    exact = F.conv2d(x.double(), w.double(), b.double(), padding=1)
    # Two roundings, of the product and of the sum with the bias, each half a unit in the last place of at most 32.
    assert (out.double() - exact).abs().max() < 2 * 32 * torch.finfo(dtype).eps / 2


def test_under_autocast_the_output_has_torchs_type() -> None:
    torch.manual_seed(0)
    ours, x = Conv2d(3, 4, 3), torch.randn(2, 3, 6, 6)
    torchs = nn.Conv2d(3, 4, 3)
    torchs.load_state_dict(ours.state_dict())
    with torch.autocast("cpu", torch.bfloat16):
        out, expected = ours(x), torchs(x)
    assert out.dtype == expected.dtype == torch.bfloat16
    # A unit in the last place of bfloat16 at values up to 4 is 1/64; two roundings more than torch's one.
    torch.testing.assert_close(out.float(), expected.float(), rtol=0, atol=2 / 64)
    out.float().sum().backward()
    assert ours.weight.grad.dtype == torch.float32


def test_gradients_of_gradients_are_right() -> None:
    x, w = double(1, 2, 4, 4).requires_grad_(), double(2, 1, 2, 2, seed=1).requires_grad_()
    torch.autograd.gradcheck(lambda x, w: conv2d(x, w, stride=2, padding=1, groups=2), (x, w))
    torch.autograd.gradgradcheck(lambda x, w: conv2d(x, w, stride=2, padding=1, groups=2), (x, w))


def test_a_convolution_is_linear_and_moves_with_its_input() -> None:
    x, w = double(1, 1, 12, 12), double(1, 1, 3, 3, seed=1)
    x[..., :3, :] = x[..., -3:, :] = 0
    x[..., :3] = x[..., -3:] = 0
    y = conv2d(x, w, padding=1)
    for rows, columns in itertools.product((-2, 0, 1), repeat=2):
        moved = conv2d(x.roll((rows, columns), (2, 3)), w, padding=1)
        torch.testing.assert_close(moved, y.roll((rows, columns), (2, 3)), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((5, 0), "kernel_size must be at least 1, got 0"),
        ((5, 2, 0), "stride must be at least 1, got 0"),
        ((5, 2, 1, -1), "padding must be at least 0, got -1"),
        ((5, 2, 1, 0, 0), "dilation must be at least 1, got 0"),
        ((2, 3), "input with padding must be at least as wide as the window, 3, got 2"),
    ],
)
def test_impossible_sizes_are_refused(arguments, message) -> None:
    with pytest.raises(ValueError, match=message):
        output_size(*arguments)


def test_wrong_shapes_and_groups_are_refused() -> None:
    with pytest.raises(ValueError, match="groups must be at least 1 and divide the channels, 3 and 4, got 2"):
        Conv2d(3, 4, 3, groups=2)
    with pytest.raises(ValueError, match="groups must be at least 1"):
        Conv2d(3, 4, 3, groups=0)
    with pytest.raises(ValueError, match="stride must be at least 1, got 0"):
        Conv2d(3, 4, 3, stride=0)
    with pytest.raises(ValueError, match=r"padding_mode must be 'zeros', .* got 'mirror'"):
        Conv2d(3, 4, 3, padding_mode="mirror")
    with pytest.raises(ValueError, match=r"output_padding must be in \[0, 2\), got 2"):
        ConvTranspose2d(3, 4, 3, stride=2, output_padding=2)
    with pytest.raises(ValueError, match="dilation must be at least 1, got 0"):
        ConvTranspose2d(3, 4, 3, dilation=0)
    with pytest.raises(ValueError, match=r"input must have shape \(N, 3, H, W\), got \(3, 8, 8\)"):
        conv2d_loops(torch.zeros(3, 8, 8), torch.zeros(4, 3, 3, 3))
    for function in (conv2d, conv2d_loops):
        with pytest.raises(ValueError, match=r"input must have shape \(N, 3, H, W\), got \(1, 2, 8, 8\)"):
            function(torch.zeros(1, 2, 8, 8), torch.zeros(4, 3, 3, 3))
    with pytest.raises(ValueError, match=r"input must have shape \(N, C, H, W\), got \(8, 8\)"):
        unfold(torch.zeros(8, 8), 3)
    with pytest.raises(ValueError, match=r"output_padding must be in \[0, 2\), got 2"):
        conv_transpose2d(torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 2, 2), stride=2, output_padding=2)
