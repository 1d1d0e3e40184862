"""ELU, CELU and SELU: x on the right, an exponential that ends at a floor on the left; with the alpha dropout of SELU.

ELU: D.-A. Clevert, T. Unterthiner and S. Hochreiter, "Fast and accurate deep network learning by exponential linear
units", 2016, https://arxiv.org/abs/1511.07289. CELU: J. T. Barron, "Continuously differentiable exponential
linear units", 2017, https://arxiv.org/abs/1704.07483. SELU and alpha dropout: G. Klambauer, T. Unterthiner, A. Mayr and
S. Hochreiter, "Self-normalizing neural networks", 2017, https://arxiv.org/abs/1706.02515
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

# SELU's two numbers solve: a standard normal z gives selu(z) with mean 0 and mean square 1. With F = e^(1/2) Φ(-1) and
# S = e² Φ(-2) the solution is alpha = 1 / (√(2π) (1/2 - F)) and scale = (1/2 + alpha² (S - 2 F + 1/2))^(-1/2), here
# rounded once: the closed form evaluated in float64 is off in the last place.
SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805


def _times(factor: float, x: Tensor) -> Tensor:
    return x if factor == 1 else factor * x  # a pass over x is not free


class _Elu(torch.autograd.Function):
    """scale · x where x > 0, scale · alpha · (e^(x / width) - 1) elsewhere. Saves the input.

    The derivative takes the exponential itself: formed from the output, as (e^x - 1) + 1, it loses its digits.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(input: Tensor, alpha: float, scale: float, width: float) -> Tensor:
        x = input if input.dtype == torch.float64 else input.float()
        left = _times(scale * alpha, torch.expm1(_times(1 / width, x.clamp(max=0))))
        return left.add_(x.relu(), alpha=scale).to(input.dtype)  # each is 0 where the other is not

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, float, float, float], output: Tensor) -> None:
        ctx.save_for_backward(inputs[0])
        ctx.numbers = inputs[1:]

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        (input,) = ctx.saved_tensors
        alpha, scale, width = ctx.numbers
        x = input if input.dtype == torch.float64 else input.float()
        # The clamp: the exponential of a large x is inf, and inf times the weight 0 below would be NaN.
        slope = _times(scale * alpha / width, _times(1 / width, x.clamp(max=0)).exp())
        if alpha != width:  # else the slope does not jump at 0: with e^0 it is right on the right too
            slope = torch.lerp(slope, slope.new_full((), scale), x.sign().clamp(min=0))
        return (grad * slope).to(input.dtype), None, None, None


def _apply(input: Tensor, alpha: float, scale: float, width: float, inplace: bool) -> Tensor:
    if not torch.is_floating_point(input):
        raise TypeError(f"input must be a floating-point tensor, got {input.dtype}")
    if not 0 < alpha < math.inf:
        raise ValueError(f"alpha must be positive and finite, got {alpha}")
    if inplace:
        return input.copy_(_apply(input.clone(), alpha, scale, width, False))
    result: Tensor = _Elu.apply(input, alpha, scale, width)
    return result


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where x > 0, alpha · (eˣ - 1) elsewhere; derivative alpha at x = 0, as in torch.

    Takes any floating-point dtype and shape and keeps both, half precision computed in float32; raises TypeError for
    other dtypes and ValueError unless alpha is positive and finite. Backward needs the input, so ``inplace=True``
    works from a copy of it and saves no memory.
    """
    return _apply(input, alpha, 1.0, 1.0, inplace)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where x > 0, alpha · (e^(x / alpha) - 1) elsewhere: slope 1 at 0 for every alpha; input as for :func:`elu`."""
    return _apply(input, alpha, 1.0, alpha, inplace)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """SELU_SCALE · elu(x, SELU_ALPHA), which keeps mean 0 and variance 1; input as for :func:`elu`."""
    return _apply(input, SELU_ALPHA, SELU_SCALE, 1.0, inplace)


def alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """In training set each element with probability p to the floor of SELU, then shift and scale all of them.

    An input of mean 0 and variance 1 keeps both. With p = 1 the result is 0, as in torch. Input as for :func:`elu`;
    raises ValueError for p outside [0, 1].
    """
    if not torch.is_floating_point(input):
        raise TypeError(f"input must be a floating-point tensor, got {input.dtype}")
    if not 0 <= p <= 1:
        raise ValueError(f"p must be in [0, 1], got {p}")
    if not training or p == 0:
        return input
    x = input if input.dtype == torch.float64 else input.float()
    q, floor = 1 - p, -SELU_SCALE * SELU_ALPHA
    a = 0.0 if q == 0 else (q + floor**2 * q * p) ** -0.5
    b = -a * p * floor
    output = (a * torch.where(torch.rand_like(x) < q, x, floor) + b).to(input.dtype)
    return input.copy_(output) if inplace else output


class ELU(nn.Module):
    """:func:`elu` as a layer."""

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        if not 0 < alpha < math.inf:
            raise ValueError(f"alpha must be positive and finite, got {alpha}")
        self.alpha = alpha
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return elu(input, self.alpha, self.inplace)

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}" + (", inplace=True" if self.inplace else "")


class CELU(ELU):
    """:func:`celu` as a layer."""

    def forward(self, input: Tensor) -> Tensor:
        return celu(input, self.alpha, self.inplace)


class SELU(nn.Module):
    """:func:`selu` as a layer. Its weights must start with variance 1 / fan_in (LeCun normal) and biases at 0."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return selu(input, self.inplace)

    def extra_repr(self) -> str:
        return "inplace=True" if self.inplace else ""


class AlphaDropout(nn.Module):
    """:func:`alpha_dropout` as a layer: it drops in training mode only."""

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"p must be in [0, 1], got {p}")
        self.p, self.inplace = p, inplace

    def forward(self, input: Tensor) -> Tensor:
        return alpha_dropout(input, self.p, self.training, self.inplace)

    def extra_repr(self) -> str:
        return f"p={self.p}" + (", inplace=True" if self.inplace else "")
