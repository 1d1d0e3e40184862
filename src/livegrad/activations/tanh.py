"""Tanh, (eˣ - e⁻ˣ) / (eˣ + e⁻ˣ): any number becomes one between -1 and 1; with softsign, its slow cousin x / (1 + |x|).

Y. LeCun, L. Bottou, G. B. Orr and K.-R. Müller, "Efficient BackProp", 1998, which
recommends symmetric sigmoids, http://leon.bottou.org/papers/lecun-98x. Softsign: X. Glorot and Y. Bengio,
"Understanding the difficulty of training deep feedforward neural networks", 2010,
https://proceedings.mlr.press/v9/glorot10a.html
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn


class _Tanh(torch.autograd.Function):
    """Saves the input, not the output y: in 1 - y² the difference loses all digits where y is rounded to ±1."""

    generate_vmap_rule = True

    @staticmethod
    def forward(input: Tensor) -> Tensor:
        return input.tanh()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (input,) = ctx.saved_tensors
        x = input if input.dtype == torch.float64 else input.float()
        # tanh'(x) = 1 / cosh(x)². No difference; squared last, because cosh(x)² overflows where its inverse is not 0.
        largest = math.log(torch.finfo(x.dtype).max)
        r = 1 / x.clamp(-largest, largest).cosh()
        result: Tensor = grad * (r * r)
        return result.to(input.dtype)


class _Softsign(torch.autograd.Function):
    """Saves the input; the chain rule on x / (1 + |x|) would subtract two nearly equal numbers where |x| is large."""

    generate_vmap_rule = True

    @staticmethod
    def forward(input: Tensor) -> Tensor:
        x = input if input.dtype == torch.float64 else input.float()
        largest = torch.finfo(x.dtype).max
        x = x.clamp(-largest, largest)  # inf / inf would be NaN
        return (x / (1 + x.abs())).to(input.dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (input,) = ctx.saved_tensors
        x = input if input.dtype == torch.float64 else input.float()
        r = x.abs().add_(1).reciprocal_()  # squared after the division: (1 + |x|)² may overflow
        result: Tensor = grad * (r * r)
        return result.to(input.dtype)


def tanh(input: Tensor) -> Tensor:
    """(eˣ - e⁻ˣ) / (eˣ + e⁻ˣ), with derivative 1 / cosh²(x), which is 1 at x = 0 and smaller elsewhere.

    Takes any floating-point dtype and shape and keeps both, half precision computed in float32; raises
    TypeError for other dtypes. The gradient keeps its digits in both tails; torch's, formed from the output,
    loses them.
    """
    if not torch.is_floating_point(input):
        raise TypeError(f"input must be a floating-point tensor, got {input.dtype}")
    result: Tensor = _Tanh.apply(input)
    return result


def softsign(input: Tensor) -> Tensor:
    """x / (1 + |x|), with derivative 1 / (1 + |x|)²; ±1 at ±inf, where torch gives NaN; input as for :func:`tanh`."""
    if not torch.is_floating_point(input):
        raise TypeError(f"input must be a floating-point tensor, got {input.dtype}")
    result: Tensor = _Softsign.apply(input)
    return result


class Tanh(nn.Module):
    """:func:`tanh` as a layer."""

    def forward(self, input: Tensor) -> Tensor:
        return tanh(input)


class Softsign(nn.Module):
    """:func:`softsign` as a layer."""

    def forward(self, input: Tensor) -> Tensor:
        return softsign(input)
