"""Two-dimensional convolution (the cross-correlation that deep learning calls so): by loops, by im2col, transposed.

y[o, i, j] = b[o] + Σ_{c,u,v} w[o, c, u, v] · x[c, s·i + d·u − p, s·j + d·v − p], with stride s, padding p, dilation d.

Source: LeCun et al. 1989, https://doi.org/10.1162/neco.1989.1.4.541 (shared weights); Chellapilla, Puri & Simard 2006,
https://inria.hal.science/inria-00112631 (im2col); Dumoulin & Visin 2016, https://arxiv.org/abs/1603.07285 (sizes);
Araujo, Norris & Sim 2019, https://doi.org/10.23915/distill.00021 (receptive fields).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn

Size = int | tuple[int, int]  # one number for both axes, or (height, width)


class Window(NamedTuple):
    """How one axis is looked at: output i sees the inputs i·stride − padding + dilation·(0, …, kernel_size − 1)."""

    kernel_size: int
    stride: int = 1
    padding: int = 0
    dilation: int = 1


def output_size(n: int, kernel_size: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> int:
    """⌊(n + 2·padding − dilation·(kernel_size − 1) − 1) / stride⌋ + 1 outputs for n inputs along one axis.

    Raises ValueError if a number is out of range or the window does not fit once.
    """
    for name, value, least in (("kernel_size", kernel_size, 1), ("stride", stride, 1), ("dilation", dilation, 1)):
        if not value >= least:
            raise ValueError(f"{name} must be at least {least}, got {value}")
    if not padding >= 0:
        raise ValueError(f"padding must be at least 0, got {padding}")
    span = dilation * (kernel_size - 1) + 1
    if not n + 2 * padding >= span:
        raise ValueError(f"input with padding must be at least as wide as the window, {span}, got {n + 2 * padding}")
    return (n + 2 * padding - span) // stride + 1


def receptive_field(windows: Iterable[Window | tuple[int, ...]]) -> Window:
    """The one window (without holes) that sees what a stack of windows sees, given from the input to the output.

    Its `kernel_size` is the side of the receptive field, its `stride` the step from one field to the next.
    """
    size, step, before = 1, 1, 0
    for kernel_size, stride, padding, dilation in (Window(*w) for w in windows):
        size += step * dilation * (kernel_size - 1)
        before += step * padding
        step *= stride
    return Window(size, step, before)


def unfold(input: Tensor, kernel_size: Size, dilation: Size = 1, padding: Size = 0, stride: Size = 1) -> Tensor:
    """im2col: (N, C, H, W) → (N, C·kh·kw, L), one column for each of the L places where the window stops."""
    if input.ndim != 4:
        raise ValueError(f"input must have shape (N, C, H, W), got {tuple(input.shape)}")
    (kh, kw), (dh, dw), (ph, pw), (sh, sw) = map(_pair, (kernel_size, dilation, padding, stride))
    rows, columns = output_size(input.shape[2], kh, sh, ph, dh), output_size(input.shape[3], kw, sw, pw, dw)
    x = nn.functional.pad(input, (pw, pw, ph, ph))
    at_row = sh * torch.arange(rows)[:, None] + dh * torch.arange(kh)  # (rows, kh): which rows each stop sees
    at_column = sw * torch.arange(columns)[:, None] + dw * torch.arange(kw)
    patches = x[:, :, at_row[:, None, :, None], at_column[None, :, None, :]]  # (N, C, rows, columns, kh, kw)
    return patches.permute(0, 1, 4, 5, 2, 3).reshape(len(x), x.shape[1] * kh * kw, rows * columns)


def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Size = 1,
    padding: Size = 0,
    dilation: Size = 1,
    groups: int = 1,
) -> Tensor:
    """Convolve (N, C, H, W) or (C, H, W) with weight (O, C/groups, kh, kw): im2col, then one matrix product a group."""
    if input.ndim == 3:
        return conv2d(input[None], weight, bias, stride, padding, dilation, groups)[0]
    _check_groups(weight.shape[1] * groups, weight.shape[0], groups, input)
    (kh, kw), (dh, dw), (ph, pw), (sh, sw) = map(_pair, (weight.shape[2:], dilation, padding, stride))
    rows, columns = output_size(input.shape[2], kh, sh, ph, dh), output_size(input.shape[3], kw, sw, pw, dw)
    patches = unfold(input, (kh, kw), dilation, padding, stride)
    patches = patches.reshape(len(input), groups, weight[0].numel(), rows * columns)
    out = weight.reshape(groups, -1, weight[0].numel()) @ patches  # (N, groups, O/groups, L)
    out = out.reshape(len(input), weight.shape[0], rows, columns)
    return out if bias is None else out + bias.to(out.dtype)[:, None, None]


def conv2d_loops(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Size = 1,
    padding: Size = 0,
    dilation: Size = 1,
    groups: int = 1,
) -> Tensor:
    """The definition, one output number at a time: to be read and to test the others with, far too slow to use."""
    _check_groups(weight.shape[1] * groups, weight.shape[0], groups, input)
    (kh, kw), (dh, dw), (ph, pw), (sh, sw) = map(_pair, (weight.shape[2:], dilation, padding, stride))
    rows, columns = output_size(input.shape[2], kh, sh, ph, dh), output_size(input.shape[3], kw, sw, pw, dw)
    x = nn.functional.pad(input, (pw, pw, ph, ph))
    out = x.new_zeros(len(x), weight.shape[0], rows, columns)
    per_group, filters = weight.shape[1], weight.shape[0] // groups
    for n in range(len(x)):
        for o in range(weight.shape[0]):
            c = o // filters * per_group  # the first channel of the filter's group
            for i in range(rows):
                for j in range(columns):
                    top, left = i * sh, j * sw
                    patch = x[n, c : c + per_group, top : top + dh * kh : dh, left : left + dw * kw : dw]
                    out[n, o, i, j] = (weight[o] * patch[:, :kh, :kw]).sum() + (0 if bias is None else bias[o])
    return out


def conv_transpose2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Size = 1,
    padding: Size = 0,
    output_padding: Size = 0,
    groups: int = 1,
    dilation: Size = 1,
) -> Tensor:
    """Every input number stamps its filter, scaled, into the output: the gradient of `conv2d` as a layer of its own.

    input has shape (N, C, H, W) or (C, H, W), weight (C, O/groups, kh, kw). The output has (n − 1)·stride
    + dilation·(k − 1) + 1 − 2·padding + output_padding numbers along an axis; output_padding, less than stride or
    dilation, adds on the far side only.
    """
    if input.ndim == 3:
        return conv_transpose2d(input[None], weight, bias, stride, padding, output_padding, groups, dilation)[0]
    _check_groups(weight.shape[0], weight.shape[1] * groups, groups, input)
    (kh, kw), (dh, dw), (ph, pw), (sh, sw) = map(_pair, (weight.shape[2:], dilation, padding, stride))
    extra = _pair(output_padding)
    _check_output_padding(extra, (sh, sw), (dh, dw))
    n, c, rows, columns = input.shape
    w = weight.reshape(groups, c // groups, -1)
    stamps = w.transpose(1, 2) @ input.reshape(n, groups, c // groups, rows * columns)
    stamps = stamps.reshape(n, weight.shape[1] * groups, kh, kw, rows, columns)
    height, width = sh * (rows - 1) + dh * (kh - 1) + 1, sw * (columns - 1) + dw * (kw - 1) + 1
    out = stamps.new_zeros(n, stamps.shape[1], height + extra[0], width + extra[1])
    for u in range(kh):
        for v in range(kw):
            top, left = dh * u, dw * v
            out[:, :, top : top + sh * rows : sh, left : left + sw * columns : sw] += stamps[:, :, u, v]
    out = out[:, :, ph : height + extra[0] - ph, pw : width + extra[1] - pw]
    return out if bias is None else out + bias.to(out.dtype)[:, None, None]


class Conv2d(nn.Module):
    """`torch.nn.Conv2d` with its names and, from one seed, its weights.

    `padding_mode` says what is beyond the border: "zeros"; "replicate", the outermost number again; "reflect", the
    picture mirrored there; "circular", its other side.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
    ) -> None:
        super().__init__()
        _check_groups(in_channels, out_channels, groups)
        if padding_mode not in ("zeros", "reflect", "replicate", "circular"):
            raise ValueError(
                f"padding_mode must be 'zeros', 'reflect', 'replicate' or 'circular', got {padding_mode!r}"
            )
        self.padding_mode = padding_mode
        self.kernel_size, self.stride = _pair(kernel_size), _pair(stride)
        self.padding, self.dilation, self.groups = _pair(padding), _pair(dilation), groups
        for k, s, p, d in zip(self.kernel_size, self.stride, self.padding, self.dilation, strict=True):
            output_size(d * k, k, s, p, d)  # refuses what is out of range
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels // groups, *self.kernel_size))
        self.bias = nn.Parameter(torch.empty(out_channels)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Uniform in ±1/√fan_in, as torch draws."""
        _reset(self.weight, self.bias)

    def forward(self, input: Tensor) -> Tensor:
        padding = self.padding
        if self.padding_mode != "zeros":
            (ph, pw), padding = padding, (0, 0)
            input = nn.functional.pad(input, (pw, pw, ph, ph), mode=self.padding_mode)
        return conv2d(input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class ConvTranspose2d(nn.Module):
    """`conv_transpose2d` as a layer: `torch.nn.ConvTranspose2d` with its names and, from one seed, its weights."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        output_padding: Size = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Size = 1,
    ) -> None:
        super().__init__()
        _check_groups(in_channels, out_channels, groups)
        self.kernel_size, self.stride, self.padding = _pair(kernel_size), _pair(stride), _pair(padding)
        self.output_padding, self.dilation, self.groups = _pair(output_padding), _pair(dilation), groups
        for k, s, p, d in zip(self.kernel_size, self.stride, self.padding, self.dilation, strict=True):
            output_size(d * k, k, s, p, d)  # refuses what is out of range
        _check_output_padding(self.output_padding, self.stride, self.dilation)
        self.weight = nn.Parameter(torch.empty(in_channels, out_channels // groups, *self.kernel_size))
        self.bias = nn.Parameter(torch.empty(out_channels)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """As torch draws: uniform in ±1/√n with n = out_channels/groups · kh · kw, which is the fan-out by meaning."""
        _reset(self.weight, self.bias)

    def forward(self, input: Tensor) -> Tensor:
        options = self.stride, self.padding, self.output_padding, self.groups, self.dilation
        return conv_transpose2d(input, self.weight, self.bias, *options)


def _reset(weight: Tensor, bias: Tensor | None) -> None:
    bound = 1 / math.sqrt(weight[0].numel())
    nn.init.kaiming_uniform_(weight, a=math.sqrt(5))
    if bias is not None:
        nn.init.uniform_(bias, -bound, bound)


def _pair(size: Size | torch.Size) -> tuple[int, int]:
    if isinstance(size, int):
        return size, size
    height, width = size
    return height, width


def _check_output_padding(extra: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int]) -> None:
    for more, step, hole in zip(extra, stride, dilation, strict=True):
        if not 0 <= more < max(step, hole):
            raise ValueError(f"output_padding must be in [0, {max(step, hole)}), got {more}")


def _check_groups(in_channels: int, out_channels: int, groups: int, input: Tensor | None = None) -> None:
    if not (groups >= 1 and in_channels % groups == 0 and out_channels % groups == 0):
        raise ValueError(
            f"groups must be at least 1 and divide the channels, {in_channels} and {out_channels}, got {groups}"
        )
    if input is not None and not (input.ndim == 4 and input.shape[1] == in_channels):
        raise ValueError(f"input must have shape (N, {in_channels}, H, W), got {tuple(input.shape)}")
