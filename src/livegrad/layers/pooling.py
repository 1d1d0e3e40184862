"""Pooling: one number for every window of a feature map, its largest or its mean; or one for the whole map.

max: y[i, j] = max over u, v of x[s·i + d·u − p, s·j + d·v − p]; avg: their mean. Nothing is learned.

Source: Fukushima 1980, https://doi.org/10.1007/BF00344251 (cells that tolerate shifts); LeCun et al. 1989,
https://doi.org/10.1162/neco.1989.1.4.541 (subsampling); Lin, Chen & Yan 2013, section 3.2,
https://arxiv.org/abs/1312.4400 (global average).
"""

from __future__ import annotations

import math

from torch import Tensor, nn

Size = int | tuple[int, int]  # one number for both axes, or (height, width)


def max_pool2d(
    input: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
) -> Tensor:
    """The largest number of each window of (N, C, H, W) or (C, H, W).

    Its gradient goes to that one number, the first among equals. `stride` None means windows side by side. The padding
    is −∞, so that it never wins. A last window that would stick out is left out, or with `ceil_mode` kept, if it begins
    on the picture or its near padding.
    """
    windows = _windows(input, kernel_size, stride, padding, dilation, -math.inf, ceil_mode, -math.inf)
    # Values of max over one axis, not amax: amax divides the gradient among equals.
    values: Tensor = windows.flatten(-2).max(dim=-1).values
    return values


def avg_pool2d(
    input: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """The mean of each window of (N, C, H, W) or (C, H, W); its gradient is shared out evenly.

    Zeros of the padding count or not. What `ceil_mode` lets stick out beyond the padding never counts.
    """
    means = _windows(input, kernel_size, stride, padding, 1, 0.0, ceil_mode, 0.0).mean(dim=(-2, -1))
    if count_include_pad and not ceil_mode:
        return means
    ones = input.new_ones(1, *input.shape[-2:])
    counted = _windows(ones, kernel_size, stride, padding, 1, float(count_include_pad), ceil_mode, 0.0)
    return means / counted.mean(dim=(-2, -1))


def global_avg_pool2d(input: Tensor) -> Tensor:
    """(N, C, H, W) → (N, C, 1, 1): the mean of each map, as `torch.nn.functional.adaptive_avg_pool2d(input, 1)`."""
    return input.mean(dim=(-2, -1), keepdim=True)


def global_max_pool2d(input: Tensor) -> Tensor:
    """(N, C, H, W) → (N, C, 1, 1): the largest number of each map, as `adaptive_max_pool2d(input, 1)`."""
    values: Tensor = input.flatten(-2).max(dim=-1).values
    return values[..., None, None]


class MaxPool2d(nn.Module):
    """`max_pool2d` as a layer."""

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        dilation: Size = 1,
        *,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        _check(kernel_size, stride, padding, dilation)
        self.kernel_size, self.stride, self.padding, self.dilation = kernel_size, stride, padding, dilation
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor) -> Tensor:
        return max_pool2d(input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode)


class AvgPool2d(nn.Module):
    """`avg_pool2d` as a layer."""

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__()
        _check(kernel_size, stride, padding, 1)
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding
        self.ceil_mode, self.count_include_pad = ceil_mode, count_include_pad

    def forward(self, input: Tensor) -> Tensor:
        options = self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad
        return avg_pool2d(input, *options)


def _windows(
    x: Tensor,
    kernel_size: Size,
    stride: Size | None,
    padding: Size,
    dilation: Size,
    fill: float,
    ceil_mode: bool,
    beyond: float,
) -> Tensor:
    """A view of the padded input, (N, C, rows, columns, kh, kw): the windows are not copied.

    The padding is filled with `fill`; what the last windows need beyond it in `ceil_mode`, with `beyond`.
    """
    if x.ndim not in (3, 4):
        raise ValueError(f"input must have shape (N, C, H, W) or (C, H, W), got {tuple(x.shape)}")
    (kh, kw), (sh, sw), (ph, pw), (dh, dw) = _check(kernel_size, stride, padding, dilation)
    span_h, span_w = dh * (kh - 1) + 1, dw * (kw - 1) + 1
    more_h, more_w = (
        _sticks_out(n, span, s, p) if ceil_mode else 0
        for n, span, s, p in zip(x.shape[-2:], (span_h, span_w), (sh, sw), (ph, pw), strict=True)
    )
    x = nn.functional.pad(x, (pw, pw, ph, ph), value=fill)
    if more_h or more_w:
        x = nn.functional.pad(x, (0, more_w, 0, more_h), value=beyond)
    if not (x.shape[-2] >= span_h and x.shape[-1] >= span_w):
        raise ValueError(
            f"input with padding must be at least as large as the window, {(span_h, span_w)}, got {tuple(x.shape[-2:])}"
        )
    return x.unfold(-2, span_h, sh).unfold(-2, span_w, sw)[..., ::dh, ::dw]


def _sticks_out(n: int, span: int, stride: int, padding: int) -> int:
    """By how much the last window of `ceil_mode` passes the padding."""
    steps = -((span - n - 2 * padding) // stride)  # rounded up
    if steps * stride >= n + padding:  # it would begin in the far padding, with nothing of the picture in it
        steps -= 1
    return max(0, steps * stride + span - n - 2 * padding)


def _check(kernel_size: Size, stride: Size | None, padding: Size, dilation: Size) -> list[tuple[int, int]]:
    sizes = (kernel_size, kernel_size if stride is None else stride, padding, dilation)
    pairs = [(size, size) if isinstance(size, int) else size for size in sizes]
    for name, pair in zip(("kernel_size", "stride", "dilation"), (pairs[0], pairs[1], pairs[3]), strict=True):
        if not min(pair) >= 1:
            raise ValueError(f"{name} must be at least 1, got {pair}")
    for k, p in zip(pairs[0], pairs[2], strict=True):
        if not 0 <= p <= k // 2:  # else a window could lie in the padding alone
            raise ValueError(f"padding must be in [0, kernel_size / 2], kernel_size {k}, got {p}")
    return pairs
