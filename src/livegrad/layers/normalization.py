"""Normalization: y = weight · (x − mean) / √(variance + eps) + bias; the layers differ in what the mean runs over.

Batch: all examples and pixels of one channel. Layer: all features of one example. Group: a group of channels of one
example. RMS: as layer, but nothing is subtracted, and the mean square stands for the variance.

Source: Ioffe & Szegedy 2015, algorithm 1, https://arxiv.org/abs/1502.03167; Ba, Kiros & Hinton 2016, equation 3,
https://arxiv.org/abs/1607.06450; Wu & He 2018, https://arxiv.org/abs/1803.08494; Zhang & Sennrich 2019, equation 4,
https://arxiv.org/abs/1910.07467
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn


class _BatchNorm(nn.Module):
    shapes: ClassVar[dict[int, str]]

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
    ) -> None:
        super().__init__()
        _check_eps(eps)
        if momentum is not None and not 0 <= momentum <= 1:
            raise ValueError(f"momentum must be in [0, 1] or None, got {momentum}")
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.weight = nn.Parameter(torch.ones(num_features)) if affine else None
        self.bias = nn.Parameter(torch.zeros(num_features)) if affine else None
        self.running_mean: Tensor | None
        self.running_var: Tensor | None
        self.num_batches_tracked: Tensor | None
        self.register_buffer("running_mean", torch.zeros(num_features) if track_running_stats else None)
        self.register_buffer("running_var", torch.ones(num_features) if track_running_stats else None)
        self.register_buffer("num_batches_tracked", torch.tensor(0) if track_running_stats else None)

    def forward(self, input: Tensor) -> Tensor:
        if input.ndim not in self.shapes or input.shape[1] != self.num_features:
            shapes = " or ".join(self.shapes.values()).replace("C", str(self.num_features))
            raise ValueError(f"input must have shape {shapes}, got {tuple(input.shape)}")
        x = _in_float(input)
        column = (1, -1) + (1,) * (x.ndim - 2)  # numbers of the channels, shaped to meet x
        if self.training or self.running_mean is None or self.running_var is None:
            count = x.numel() // max(self.num_features, 1)
            if count == 1:
                raise ValueError(f"input must have more than 1 value a channel in training, got {tuple(input.shape)}")
            over = [0, *range(2, x.ndim)]
            mean = x.mean(over)
            variance = (x - mean.view(column)).square().mean(over)  # divided by n: the biased one normalizes
            if self.training and count:
                self._track(mean.detach(), variance.detach() * count / (count - 1))  # the unbiased one is kept
        else:
            mean, variance = self.running_mean, self.running_var
        y = (x - mean.view(column)) / (variance.view(column) + self.eps).sqrt()
        if self.weight is not None and self.bias is not None:
            y = y * self.weight.view(column) + self.bias.view(column)
        return y.to(input.dtype)

    def _track(self, mean: Tensor, variance: Tensor) -> None:
        """running ← (1 − momentum) · running + momentum · new; momentum None weighs all batches the same."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked += 1
        momentum = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), momentum)
        self.running_var.lerp_(variance.to(self.running_var.dtype), momentum)


class BatchNorm1d(_BatchNorm):
    """Per feature over the batch, for (N, C), or per channel over batch and length, for (N, C, L).

    In training from the batch, in evaluation from the running mean and variance (from the batch too where these are
    not tracked). A single value a channel is refused. Differs from torch for an empty batch in training: torch turns
    its running statistics into NaN, here they stay.
    """

    shapes: ClassVar[dict[int, str]] = {2: "(N, C)", 3: "(N, C, L)"}


class BatchNorm2d(_BatchNorm):
    """Per channel over the batch and all pixels, for (N, C, H, W); otherwise as `BatchNorm1d`."""

    shapes: ClassVar[dict[int, str]] = {4: "(N, C, H, W)"}


class LayerNorm(nn.Module):
    """Over the last dimensions, whose sizes are `normalized_shape`; the same in training and evaluation."""

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
    ) -> None:
        super().__init__()
        _check_eps(eps)
        self.normalized_shape, self.eps = _shape(normalized_shape), eps
        self.weight = nn.Parameter(torch.ones(self.normalized_shape)) if elementwise_affine else None
        self.bias = nn.Parameter(torch.zeros(self.normalized_shape)) if elementwise_affine and bias else None

    def forward(self, input: Tensor) -> Tensor:
        x = _in_float(input)
        over = _last(input, self.normalized_shape)
        x = x - x.mean(over, keepdim=True)
        y = x / (x.square().mean(over, keepdim=True) + self.eps).sqrt()
        if self.weight is not None:
            y = y * self.weight
        return (y if self.bias is None else y + self.bias).to(input.dtype)


class RMSNorm(nn.Module):
    """weight · x / √(mean of x² + eps) over the last dimensions; eps None means `torch.finfo(input.dtype).eps`."""

    def __init__(
        self, normalized_shape: int | Sequence[int], eps: float | None = None, elementwise_affine: bool = True
    ) -> None:
        super().__init__()
        if eps is not None:
            _check_eps(eps)
        self.normalized_shape, self.eps = _shape(normalized_shape), eps
        self.weight = nn.Parameter(torch.ones(self.normalized_shape)) if elementwise_affine else None

    def forward(self, input: Tensor) -> Tensor:
        x = _in_float(input)
        over = _last(input, self.normalized_shape)
        eps = torch.finfo(input.dtype).eps if self.eps is None else self.eps
        y = x / (x.square().mean(over, keepdim=True) + eps).sqrt()
        return (y if self.weight is None else y * self.weight).to(input.dtype)


class GroupNorm(nn.Module):
    """Per example over each of `num_groups` groups of neighboring channels and all their pixels, for (N, C, ...)."""

    def __init__(self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True) -> None:
        super().__init__()
        _check_eps(eps)
        if not (num_groups >= 1 and num_channels % num_groups == 0):
            raise ValueError(f"num_groups must be at least 1 and divide num_channels, {num_channels}, got {num_groups}")
        self.num_groups, self.num_channels, self.eps = num_groups, num_channels, eps
        self.weight = nn.Parameter(torch.ones(num_channels)) if affine else None
        self.bias = nn.Parameter(torch.zeros(num_channels)) if affine else None

    def forward(self, input: Tensor) -> Tensor:
        if input.ndim < 2 or input.shape[1] != self.num_channels:
            raise ValueError(f"input must have shape (N, {self.num_channels}, ...), got {tuple(input.shape)}")
        per_group = math.prod(input.shape[1:]) // self.num_groups
        x = _in_float(input).reshape(len(input), self.num_groups, per_group)
        x = x - x.mean(2, keepdim=True)
        y = (x / (x.square().mean(2, keepdim=True) + self.eps).sqrt()).reshape(input.shape)
        if self.weight is not None and self.bias is not None:
            column = (1, -1) + (1,) * (input.ndim - 2)
            y = y * self.weight.view(column) + self.bias.view(column)
        return y.to(input.dtype)


def _in_float(x: Tensor) -> Tensor:
    # Half precision has too few digits for a sum of squares: float16 overflows at 65504.
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def _shape(normalized_shape: int | Sequence[int]) -> tuple[int, ...]:
    shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    if not shape:  # torch takes a mean over no dimension for one over all, and the examples would be mixed
        raise ValueError("normalized_shape must have at least 1 dimension, got ()")
    return shape


def _last(input: Tensor, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The dimensions to normalize over, counted from the end."""
    if tuple(input.shape[input.ndim - len(shape) :]) != shape:
        raise ValueError(f"input must end in the shape {shape}, got {tuple(input.shape)}")
    return tuple(range(-len(shape), 0))


def _check_eps(eps: float) -> None:
    if not 0 <= eps < math.inf:
        raise ValueError(f"eps must be in [0, inf), got {eps}")
