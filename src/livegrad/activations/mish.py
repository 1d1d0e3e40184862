"""Mish, x tanh(softplus(x)) with softplus(x) = ln(1 + eˣ): a smooth curve that dips below zero.

D. Misra, "Mish: a self regularized non-monotonic activation function", BMVC 2020,
https://arxiv.org/abs/1908.08681
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class _Mish(torch.autograd.Function):
    """x b / (1 + b) with b = eˣ + e²ˣ/2, which is the same function with one exponential and no logarithm.

    Saves the input alone; backward computes b again. No term is a difference, so none cancels.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(input: Tensor) -> Tensor:
        x = input if input.dtype == torch.float64 else input.float()
        t = x.exp()
        b = torch.addcmul(t, t, t, value=0.5)  # may be inf: then 1 / b is 0
        return (x.clamp(min=-1000) / b.reciprocal_().add_(1)).to(input.dtype)  # the clamp: -inf / inf would be NaN

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (input,) = ctx.saved_tensors
        x = input if input.dtype == torch.float64 else input.float()
        x = x.clamp(-1000, 21)  # at 21 the derivative is 1 to the last bit of float64, and b² is far from overflow
        t = x.exp()
        b = torch.addcmul(t, t, t, value=0.5)
        db = torch.addcmul(t, t, t)  # the derivative of b
        below = 1 / (1 + b)
        result: Tensor = grad * (torch.addcmul(b, x * db, below) * below)
        return result.to(input.dtype)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """x tanh(softplus(x)).

    Takes any floating-point dtype and shape and keeps both, half precision computed in float32; raises
    TypeError for other dtypes. Backward needs the input, so ``inplace=True`` works from a copy of it and
    saves no memory, as in torch.
    """
    if not torch.is_floating_point(input):
        raise TypeError(f"input must be a floating-point tensor, got {input.dtype}")
    if inplace:
        return input.copy_(mish(input.clone()))
    result: Tensor = _Mish.apply(input)
    return result


class Mish(nn.Module):
    """:func:`mish` as a layer."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return mish(input, self.inplace)

    def extra_repr(self) -> str:
        return "inplace=True" if self.inplace else ""
