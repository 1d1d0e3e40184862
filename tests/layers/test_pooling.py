"""Max, average and global pooling: torch's in value and gradient, among equals and with NaN too."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from livegrad.layers.pooling import (
    AvgPool2d,
    MaxPool2d,
    avg_pool2d,
    global_avg_pool2d,
    global_max_pool2d,
    max_pool2d,
)

F = nn.functional

# kernel_size, stride, padding
SETTINGS = [(2, None, 0), (3, 2, 1), (2, 3, 1), ((2, 3), (1, 2), (1, 0)), (1, 1, 0), (4, 1, 2)]


def double(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def value_and_gradient(function, x: Tensor) -> list[Tensor]:
    leaf = x.detach().clone().requires_grad_()
    out = function(leaf)
    return [out.detach(), *torch.autograd.grad((out * double(*out.shape, seed=9)).sum(), leaf)]


@pytest.mark.parametrize("dilation", [1, 2, (1, 3)])
@pytest.mark.parametrize(("kernel_size", "stride", "padding"), SETTINGS)
def test_max_pooling_has_the_values_and_gradients_of_torch(kernel_size, stride, padding, dilation) -> None:
    x = double(2, 3, 11, 13)
    ours = value_and_gradient(lambda x: max_pool2d(x, kernel_size, stride, padding, dilation), x)
    torchs = value_and_gradient(lambda x: F.max_pool2d(x, kernel_size, stride, padding, dilation), x)
    torch.testing.assert_close(ours, torchs, rtol=1e-12, atol=1e-12)
    assert torch.equal(MaxPool2d(kernel_size, stride, padding, dilation)(x), ours[0])


@pytest.mark.parametrize("count_include_pad", [True, False])
@pytest.mark.parametrize(("kernel_size", "stride", "padding"), SETTINGS)
def test_average_pooling_has_the_values_and_gradients_of_torch(kernel_size, stride, padding, count_include_pad) -> None:
    x = double(2, 3, 7, 8)
    options = {"stride": stride, "padding": padding, "count_include_pad": count_include_pad}
    ours = value_and_gradient(lambda x: avg_pool2d(x, kernel_size, **options), x)
    torchs = value_and_gradient(lambda x: F.avg_pool2d(x, kernel_size, **options), x)
    torch.testing.assert_close(ours, torchs, rtol=1e-12, atol=1e-12)
    assert torch.equal(AvgPool2d(kernel_size, **options)(x), ours[0])


@given(
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    share=st.tuples(st.sampled_from([0, 0.5, 1]), st.sampled_from([0, 0.5, 1])),
    dilation=st.integers(1, 2),
    count_include_pad=st.booleans(),
)
@settings(deadline=None, max_examples=80)
def test_windows_that_stick_out_are_torchs_in_value_and_gradient(
    size, kernel, stride, share, dilation, count_include_pad
) -> None:
    padding = tuple(int(s * (k // 2)) for s, k in zip(share, kernel, strict=True))
    x = double(2, 3, *size)
    average = {"stride": stride, "padding": padding, "ceil_mode": True, "count_include_pad": count_include_pad}
    if any(padding):  # holes and padding can leave a window without the picture: torch then reads outside of its memory
        dilation = 1
    maximum = {"stride": stride, "padding": padding, "dilation": dilation, "ceil_mode": True}
    for ours, torchs, module, options in (
        (avg_pool2d, F.avg_pool2d, AvgPool2d, average),
        (max_pool2d, F.max_pool2d, MaxPool2d, maximum),
    ):
        try:
            expected = value_and_gradient(lambda x, f=torchs, o=options: f(x, kernel, **o), x)
        except RuntimeError:  # torch finds no window that fits
            with pytest.raises(ValueError, match="at least as large as the window"):
                ours(x, kernel, **options)
            continue
        found = value_and_gradient(lambda x, f=ours, o=options: f(x, kernel, **o), x)
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
        assert torch.equal(module(kernel, **options)(x), found[0])


def test_a_last_window_is_kept_only_if_it_begins_on_the_picture() -> None:
    x = torch.arange(5.0).expand(1, 1, 5, 5)
    assert max_pool2d(x, 2).shape == (1, 1, 2, 2)
    assert max_pool2d(x, 2, ceil_mode=True)[0, 0, 0].tolist() == [1, 3, 4]
    assert avg_pool2d(x, 2, ceil_mode=True)[0, 0, 0].tolist() == [0.5, 2.5, 4]  # what is beyond never counts
    assert avg_pool2d(x, 2, 2, 1, ceil_mode=True)[0, 0, 1].tolist() == [0, 1.5, 3.5]  # the fourth would begin beyond


def test_a_single_picture_without_a_batch_is_taken_as_torch_takes_it() -> None:
    x = double(3, 5, 6)
    for ours, torchs in (
        (lambda x: max_pool2d(x, 3, 2, 1), lambda x: F.max_pool2d(x, 3, 2, 1)),
        (lambda x: avg_pool2d(x, 2, ceil_mode=True), lambda x: F.avg_pool2d(x, 2, ceil_mode=True)),
        (global_avg_pool2d, lambda x: F.adaptive_avg_pool2d(x, 1)),
        (global_max_pool2d, lambda x: F.adaptive_max_pool2d(x, 1)),
    ):
        torch.testing.assert_close(ours(x), torchs(x), rtol=1e-12, atol=1e-12)


def test_global_pooling_has_the_values_and_gradients_of_torchs_adaptive_pooling() -> None:
    x = double(2, 3, 5, 6)
    for ours, torchs in (
        (global_avg_pool2d, lambda x: F.adaptive_avg_pool2d(x, 1)),
        (global_max_pool2d, lambda x: F.adaptive_max_pool2d(x, 1)),
    ):
        results = [value_and_gradient(f, x) for f in (ours, torchs)]
        torch.testing.assert_close(*results, rtol=1e-12, atol=1e-12)


def test_among_equals_the_gradient_goes_to_the_first_as_in_torch() -> None:
    x = torch.zeros(1, 1, 4, 4, dtype=torch.float64)
    ours, torchs = (value_and_gradient(lambda x, f=f: f(x, 2), x) for f in (max_pool2d, F.max_pool2d))
    assert torch.equal(ours[1], torchs[1])
    assert ours[1].count_nonzero() == 4
    assert torch.equal(
        *(value_and_gradient(f, x)[1] for f in (global_max_pool2d, lambda x: F.adaptive_max_pool2d(x, 1)))
    )


def test_padding_never_wins_and_nan_always_does() -> None:
    x = torch.full((1, 1, 4, 4), -5.0)
    assert (max_pool2d(x, 3, 1, 1) == -5).all()
    x[0, 0, 0, 0] = math.nan
    assert torch.equal(max_pool2d(x, 2).isnan(), F.max_pool2d(x, 2).isnan())
    x[0, 0, 0, 0] = -math.inf
    assert torch.equal(max_pool2d(x, 2, 2, 1), F.max_pool2d(x, 2, 2, 1))


@pytest.mark.parametrize(
    "function", [lambda x: max_pool2d(x, 2), lambda x: avg_pool2d(x, 2), global_avg_pool2d, global_max_pool2d]
)
def test_empty_batches_memory_layouts_and_half_precision(function) -> None:
    empty = torch.empty(0, 3, 4, 4, requires_grad=True)
    out = function(empty)
    assert out.shape[:2] == (0, 3)
    out.sum().backward()
    x = double(2, 3, 4, 6)
    for other in (x.to(memory_format=torch.channels_last), torch.stack((x, x), -1)[..., 0]):
        assert not other.is_contiguous()
        torch.testing.assert_close(function(other), function(x))
    for dtype in (torch.bfloat16, torch.float16):
        low = x.to(dtype)
        assert function(low).dtype == dtype
        # One rounding of a number of size up to 3: half a unit in the last place is below eps · 2.
        assert (function(low).double() - function(low.double())).abs().max() <= 2 * torch.finfo(dtype).eps
    with torch.autocast("cpu", torch.bfloat16):
        assert function(x.bfloat16()).dtype == torch.bfloat16


def test_layers_have_no_parameters_and_are_the_same_in_training_and_evaluation() -> None:
    x = double(2, 3, 6, 6)
    for layer in (MaxPool2d(2), AvgPool2d(3, 1, 1)):
        assert not layer.state_dict()
        assert torch.equal(layer.train()(x), layer.eval()(x))


def test_a_shift_by_the_stride_shifts_the_result_by_one() -> None:
    x = F.pad(double(1, 1, 8, 8), (4, 4, 4, 4))
    for function in (max_pool2d, avg_pool2d):
        torch.testing.assert_close(function(x.roll(2, 3), 2), function(x, 2).roll(1, 3))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: MaxPool2d(0), r"kernel_size must be at least 1, got \(0, 0\)"),
        (lambda: AvgPool2d(2, (1, 0)), r"stride must be at least 1, got \(1, 0\)"),
        (lambda: MaxPool2d(2, dilation=0), "dilation must be at least 1"),
        (lambda: MaxPool2d(3, padding=2), r"padding must be in \[0, kernel_size / 2\], kernel_size 3, got 2"),
        (lambda: AvgPool2d(3, padding=-1), r"padding must be in \[0, kernel_size / 2\], kernel_size 3, got -1"),
        (lambda: max_pool2d(torch.ones(1, 1, 2, 5), 3), r"input with padding must be at least as large as the window"),
        (lambda: avg_pool2d(torch.ones(4, 4), 2), r"must have shape \(N, C, H, W\) or \(C, H, W\), got \(4, 4\)"),
    ],
)
def test_impossible_windows_are_refused(call, message) -> None:
    with pytest.raises(ValueError, match=message):
        call()
