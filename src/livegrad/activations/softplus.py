"""Softplus, ln(1 + eˣ): ReLU with a round corner, whose derivative is the sigmoid; and squareplus, with a root instead.

C. Dugas et al., "Incorporating second-order functional knowledge for better option pricing", 2000,
https://papers.nips.cc/paper/1920-incorporating-second-order-functional-knowledge-for-better-option-pricing.
Squareplus: J. T. Barron, "Squareplus: a softplus-like algebraic rectifier", 2021, equation 3,
https://arxiv.org/abs/2112.11687
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn


def _cut(threshold: float, beta: float, x: Tensor) -> float | None:
    """Where z = beta x counts as large, or None if the formula gives the same digits: a comparison is a slow pass."""
    if beta == 1 and threshold >= -math.log(torch.finfo(x.dtype).eps / 8):
        return None
    return min(threshold, 100.0)  # far below the place where z overflows


class _Softplus(torch.autograd.Function):
    """ln(e^z + e^0) / beta with z = beta x. Saves the input.

    `logaddexp` forms max(z, 0) + ln(1 + e^-|z|) in one pass: no exponential of a positive number.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(input: Tensor, beta: float, threshold: float) -> Tensor:
        x = input if input.dtype == torch.float64 else input.float()
        z = x if beta == 1 else beta * x
        y = torch.logaddexp(z, z.new_zeros(()))
        cut = _cut(threshold, beta, x)
        return (y if cut is None else torch.where(z > cut, x, y / beta)).to(input.dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, float, float], output: Tensor) -> None:
        ctx.save_for_backward(inputs[0])
        ctx.beta, ctx.threshold = inputs[1:]

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (input,) = ctx.saved_tensors
        x = input if input.dtype == torch.float64 else input.float()
        z = x if ctx.beta == 1 else ctx.beta * x
        slope = z.sigmoid()
        if (cut := _cut(ctx.threshold, ctx.beta, x)) is not None:
            slope = torch.where(z > cut, 1.0, slope)
        return (grad * slope).to(input.dtype), None, None


class _Squareplus(torch.autograd.Function):
    """(x + √(x² + b)) / 2 as max(x, 0) + (b / 2) / (√(x² + b) + |x|): no term is a difference. Saves the input."""

    generate_vmap_rule = True

    @staticmethod
    def forward(input: Tensor, b: float) -> Tensor:
        x = input if input.dtype == torch.float64 else input.float()
        # hypot, because x² overflows; halves before the sum, because the sum may overflow too.
        half = torch.add(0.5 * torch.hypot(x, x.new_full((), math.sqrt(b))), x.abs(), alpha=0.5)
        return (x.relu() + b / 4 / half).to(input.dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, float], output: Tensor) -> None:
        ctx.save_for_backward(inputs[0])
        ctx.b = inputs[1]

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (input,) = ctx.saved_tensors
        x = input if input.dtype == torch.float64 else input.float()
        largest = torch.finfo(x.dtype).max
        x = x.clamp(-largest, largest)  # inf / inf would be NaN
        root, right = torch.hypot(x, x.new_full((), math.sqrt(ctx.b))), x.relu()
        # right - x / 2, not |x| / 2: both kinks at 0 must be on the same side for a second derivative.
        half = 0.5 * root + (right - 0.5 * x)
        return (grad * ((right + ctx.b / 4 / half) / root)).to(input.dtype), None


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """ln(1 + e^(beta x)) / beta, and x itself where beta x > threshold, as in torch.

    Takes any floating-point dtype and shape and keeps both, half precision computed in float32; raises TypeError for
    other dtypes and ValueError unless beta is positive and finite and threshold a number. No threshold is needed here:
    with ``threshold=math.inf`` float64 keeps the digits that the default drops between 20 and 37.
    """
    if not torch.is_floating_point(input):
        raise TypeError(f"input must be a floating-point tensor, got {input.dtype}")
    if not 0 < beta < math.inf:
        raise ValueError(f"beta must be positive and finite, got {beta}")
    if math.isnan(threshold):
        raise ValueError(f"threshold must be a number, got {threshold}")
    result: Tensor = _Softplus.apply(input, beta, threshold)
    return result


def squareplus(input: Tensor, b: float = 4.0) -> Tensor:
    """(x + √(x² + b)) / 2; b = 4 gives the slope and curvature of softplus at 0; input as for :func:`softplus`."""
    if not torch.is_floating_point(input):
        raise TypeError(f"input must be a floating-point tensor, got {input.dtype}")
    if not 0 < b < math.inf:
        raise ValueError(f"b must be positive and finite, got {b}")
    result: Tensor = _Squareplus.apply(input, b)
    return result


class Softplus(nn.Module):
    """:func:`softplus` as a layer."""

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        if not 0 < beta < math.inf:
            raise ValueError(f"beta must be positive and finite, got {beta}")
        if math.isnan(threshold):
            raise ValueError(f"threshold must be a number, got {threshold}")
        self.beta, self.threshold = beta, threshold

    def forward(self, input: Tensor) -> Tensor:
        return softplus(input, self.beta, self.threshold)

    def extra_repr(self) -> str:
        return f"beta={self.beta}, threshold={self.threshold}"


class Squareplus(nn.Module):
    """:func:`squareplus` as a layer."""

    def __init__(self, b: float = 4.0) -> None:
        super().__init__()
        if not 0 < b < math.inf:
            raise ValueError(f"b must be positive and finite, got {b}")
        self.b = b

    def forward(self, input: Tensor) -> Tensor:
        return squareplus(input, self.b)

    def extra_repr(self) -> str:
        return f"b={self.b}"
