"""Leaky ReLU, x on the right and a x on the left: a fixed small slope a, a learned one (PReLU) or a random one (RReLU).

Leaky ReLU: A. L. Maas, A. Y. Hannun and A. Y. Ng, "Rectifier nonlinearities improve neural network acoustic models",
2013. PReLU: K. He et al., "Delving deep into rectifiers", 2015, equation 1, https://arxiv.org/abs/1502.01852.
RReLU: B. Xu et al., "Empirical evaluation of rectified activations in convolutional network", 2015,
https://arxiv.org/abs/1505.00853
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn


class _LeakyReLU(torch.autograd.Function):
    """max(x, 0) + a min(x, 0). Saves the input. torch.where says the same, but branches for each number: slow."""

    generate_vmap_rule = True

    @staticmethod
    def forward(input: Tensor, a: float) -> Tensor:
        return input.clamp(max=0).mul_(a).add_(input.relu())

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, float], output: Tensor) -> None:
        input, ctx.a = inputs
        ctx.save_for_backward(input)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (input,) = ctx.saved_tensors
        x = input if input.dtype == torch.float64 else input.float()
        on = x.sign().clamp(min=0)  # 1 where x > 0, else 0
        return (grad * torch.add(on, 1 - on, alpha=ctx.a)).to(input.dtype), None


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x where x > 0, and negative_slope · x elsewhere, also at the kink x = 0, as in torch.

    Takes any floating-point dtype and shape and keeps both; raises TypeError for other dtypes, ValueError for a
    slope that is not finite. Backward needs the input, so ``inplace=True`` works from a copy of it.
    """
    if not torch.is_floating_point(input):
        raise TypeError(f"input must be a floating-point tensor, got {input.dtype}")
    if not math.isfinite(negative_slope):
        raise ValueError(f"negative_slope must be finite, got {negative_slope}")
    if negative_slope == 0:  # 0 · -inf would be NaN
        return nn.functional.threshold(input, 0.0, 0.0, inplace)
    if inplace:
        return input.copy_(leaky_relu(input.clone(), negative_slope))
    # Not max(x, a x): that takes the wrong piece for a > 1, and the mean of both slopes at 0.
    result: Tensor = _LeakyReLU.apply(input, negative_slope)
    return result


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """x where x > 0, and weight · x elsewhere, with a derivative for the weight too.

    `weight` holds one slope for all, or one for each channel, which is dimension 1 of the input. Raises TypeError for
    an input that is not floating-point or a weight of another dtype, ValueError for a weight that does not fit.
    """
    if not torch.is_floating_point(input):
        raise TypeError(f"input must be a floating-point tensor, got {input.dtype}")
    if weight.dtype != input.dtype:
        raise TypeError(f"weight must have the dtype of input, {input.dtype}, got {weight.dtype}")
    channels = input.shape[1] if input.ndim >= 2 else 1
    if weight.ndim > 1 or weight.numel() not in (1, channels):
        raise ValueError(f"weight must hold 1 or {channels} slopes, got shape {tuple(weight.shape)}")
    slopes = weight.reshape(-1, *[1] * (input.ndim - 2)) if weight.numel() > 1 else weight.reshape(())
    # max(x, 0) + a min(x, 0), the paper's equation. At x = 0 the derivative is the weight: the least number above 0 is
    # the threshold.
    info = torch.finfo(input.dtype)
    right = nn.functional.threshold(input, 0.0, 0.0)
    left = -nn.functional.threshold(-input, -info.smallest_normal * info.eps, 0.0)
    return right + slopes * left


def rrelu(
    input: Tensor, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False, inplace: bool = False
) -> Tensor:
    """In training a leaky ReLU whose slope is drawn from U(lower, upper) for every element; else their mean.

    Input as for :func:`leaky_relu`; raises ValueError unless lower <= upper, both finite.
    """
    if not -math.inf < lower <= upper < math.inf:
        raise ValueError(f"lower and upper must be finite with lower <= upper, got {lower} and {upper}")
    if not training:
        return leaky_relu(input, (lower + upper) / 2, inplace)
    if not torch.is_floating_point(input):
        raise TypeError(f"input must be a floating-point tensor, got {input.dtype}")
    # Drawn in float32 at least: bfloat16 has few numbers between the bounds, and rounds above the upper one.
    slopes = torch.rand_like(input, dtype=torch.promote_types(input.dtype, torch.float32)) * (upper - lower) + lower
    output = torch.where(input > 0, input, (slopes * input).to(input.dtype))
    return input.copy_(output) if inplace else output


class LeakyReLU(nn.Module):
    """:func:`leaky_relu` as a layer."""

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__()
        if not math.isfinite(negative_slope):
            raise ValueError(f"negative_slope must be finite, got {negative_slope}")
        self.negative_slope = negative_slope
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return leaky_relu(input, self.negative_slope, self.inplace)

    def extra_repr(self) -> str:
        return f"negative_slope={self.negative_slope}" + (", inplace=True" if self.inplace else "")


class PReLU(nn.Module):
    """:func:`prelu` with its own `weight`: one slope, or one a channel, that starts at `init`.

    Give the weight no weight decay (He et al., section 2): it would pull the slope to 0, which is ReLU.
    """

    def __init__(self, num_parameters: int = 1, init: float = 0.25) -> None:
        super().__init__()
        if not num_parameters >= 1:
            raise ValueError(f"num_parameters must be at least 1, got {num_parameters}")
        if not math.isfinite(init):
            raise ValueError(f"init must be finite, got {init}")
        self.num_parameters = num_parameters
        self.weight = nn.Parameter(torch.full((num_parameters,), float(init)))

    def forward(self, input: Tensor) -> Tensor:
        return prelu(input, self.weight.to(input.dtype))  # autocast hands over a narrower input

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"


class RReLU(nn.Module):
    """:func:`rrelu` as a layer: random slopes in training mode, their mean in evaluation mode."""

    def __init__(self, lower: float = 1 / 8, upper: float = 1 / 3, inplace: bool = False) -> None:
        super().__init__()
        if not -math.inf < lower <= upper < math.inf:
            raise ValueError(f"lower and upper must be finite with lower <= upper, got {lower} and {upper}")
        self.lower, self.upper, self.inplace = lower, upper, inplace

    def forward(self, input: Tensor) -> Tensor:
        return rrelu(input, self.lower, self.upper, self.training, self.inplace)

    def extra_repr(self) -> str:
        return f"lower={self.lower}, upper={self.upper}" + (", inplace=True" if self.inplace else "")
