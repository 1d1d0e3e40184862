"""The two ends of the scale: the binary step, 1 if x ≥ 0 else 0, and the linear activation, x itself.

Threshold units: W. S. McCulloch and W. Pitts, "A logical calculus of the ideas immanent in nervous activity", 1943,
https://doi.org/10.1007/BF02478259. Straight-through estimator: Y. Bengio, N. Léonard and A. Courville, "Estimating or
propagating gradients through stochastic neurons for conditional computation", 2013, https://arxiv.org/abs/1308.3432;
stopped where |x| > 1: I. Hubara et al., "Binarized neural networks", 2016, https://arxiv.org/abs/1602.02830
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn


class _Step(torch.autograd.Function):
    """Backward hands the gradient on where |x| ≤ width, and nothing elsewhere."""

    generate_vmap_rule = True

    @staticmethod
    def forward(input: Tensor, value_at_zero: float, width: float) -> Tensor:
        sign = input.sign()
        step = sign.clamp(min=0).add_(1 - sign.abs(), alpha=value_at_zero)
        return step.add_(input.clamp(-1, 1), alpha=0)  # sign and heaviside make NaN 0 and so hide an error upstream

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, float, float], output: Tensor) -> None:
        input, _, ctx.width = inputs
        ctx.save_for_backward(input)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (input,) = ctx.saved_tensors
        return torch.where(input.abs() <= ctx.width, grad, 0.0), None, None  # not grad * 0: inf * 0 is NaN


def binary_step(input: Tensor, value_at_zero: float = 1.0) -> Tensor:
    """1 where x > 0, 0 where x < 0. At x = 0 the value is a convention, and so is the derivative, here 0 as elsewhere.

    `torch.heaviside`, which asks for the value at 0 too, has no gradient and turns NaN into 0. Takes any floating-point
    dtype and shape and keeps both; raises TypeError for other dtypes, ValueError unless 0 <= value_at_zero <= 1.
    """
    if not torch.is_floating_point(input):
        raise TypeError(f"input must be a floating-point tensor, got {input.dtype}")
    if not 0 <= value_at_zero <= 1:
        raise ValueError(f"value_at_zero must be in [0, 1], got {value_at_zero}")
    result: Tensor = _Step.apply(input, value_at_zero, -1.0)
    return result


def straight_through_step(input: Tensor, width: float = 1.0) -> Tensor:
    """:func:`binary_step` forward; backward pretends that it was x where |x| <= width, and constant elsewhere.

    The gradient is *not* that of the value. ``width=math.inf`` is the form of 2013, 1 that of 2016. Raises
    ValueError unless width > 0; input as for :func:`binary_step`.
    """
    if not torch.is_floating_point(input):
        raise TypeError(f"input must be a floating-point tensor, got {input.dtype}")
    if not 0 < width <= math.inf:
        raise ValueError(f"width must be positive, got {width}")
    result: Tensor = _Step.apply(input, 1.0, width)
    return result


def linear(input: Tensor) -> Tensor:
    """The input itself, with derivative 1; as an activation it adds no depth. Input as for :func:`binary_step`."""
    if not torch.is_floating_point(input):
        raise TypeError(f"input must be a floating-point tensor, got {input.dtype}")
    return input


class BinaryStep(nn.Module):
    """:func:`binary_step` as a layer."""

    def __init__(self, value_at_zero: float = 1.0) -> None:
        super().__init__()
        if not 0 <= value_at_zero <= 1:
            raise ValueError(f"value_at_zero must be in [0, 1], got {value_at_zero}")
        self.value_at_zero = value_at_zero

    def forward(self, input: Tensor) -> Tensor:
        return binary_step(input, self.value_at_zero)

    def extra_repr(self) -> str:
        return "" if self.value_at_zero == 1 else f"value_at_zero={self.value_at_zero}"


class StraightThroughStep(nn.Module):
    """:func:`straight_through_step` as a layer."""

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        if not 0 < width <= math.inf:
            raise ValueError(f"width must be positive, got {width}")
        self.width = width

    def forward(self, input: Tensor) -> Tensor:
        return straight_through_step(input, self.width)

    def extra_repr(self) -> str:
        return f"width={self.width}"


class Identity(nn.Module):
    """:func:`linear` as a layer; takes and ignores any arguments, as torch's."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Tensor) -> Tensor:
        return linear(input)
