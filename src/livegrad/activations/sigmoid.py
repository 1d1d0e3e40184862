"""Sigmoid, 1 / (1 + e⁻ˣ): any number becomes one between 0 and 1; with the hard sigmoid, three straight pieces.

The logistic function of P.-F. Verhulst, 1838, named by him in 1845; in neural networks since D. E. Rumelhart,
G. E. Hinton and R. J. Williams, "Learning representations by back-propagating errors", 1986, equation 2,
https://doi.org/10.1038/323533a0. Hard sigmoid: A. Howard et al., "Searching for MobileNetV3", 2019,
https://arxiv.org/abs/1905.02244
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class _Sigmoid(torch.autograd.Function):
    """Saves the input, not the output s: in s (1 - s) the difference loses all digits where s is rounded to 1."""

    generate_vmap_rule = True

    @staticmethod
    def forward(input: Tensor) -> Tensor:
        return input.sigmoid()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (input,) = ctx.saved_tensors
        x = input if input.dtype == torch.float64 else input.float()
        result: Tensor = grad * (x.sigmoid() * (-x).sigmoid())  # 1 - sigmoid(x) is sigmoid(-x), without a difference
        return result.to(input.dtype)


def sigmoid(input: Tensor) -> Tensor:
    """1 / (1 + e⁻ˣ), with derivative sigmoid(x) sigmoid(-x), at most 1/4.

    Takes any floating-point dtype and shape and keeps both, half precision computed in float32; raises
    TypeError for other dtypes. The gradient keeps its digits in both tails; torch's, formed from the output,
    does so only in the left one.
    """
    if not torch.is_floating_point(input):
        raise TypeError(f"input must be a floating-point tensor, got {input.dtype}")
    result: Tensor = _Sigmoid.apply(input)
    return result


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(0, x + 3), 6) / 6, with derivative 0 at both kinks, as in torch; input as for :func:`sigmoid`.

    Unlike torch's it can be differentiated twice, and in float64 it divides by 6, not by a 6 of float32 precision.
    """
    if not torch.is_floating_point(input):
        raise TypeError(f"input must be a floating-point tensor, got {input.dtype}")
    if inplace:
        return input.copy_(hardsigmoid(input.clone()))
    x = input if input.dtype == torch.float64 else input.float()
    # x + 3 first: it is exact near the kink at -3, where x / 6 + 1 / 2 would cancel.
    return (nn.functional.hardtanh(x + 3, 0.0, 6.0) / 6).to(input.dtype)


class Sigmoid(nn.Module):
    """:func:`sigmoid` as a layer."""

    def forward(self, input: Tensor) -> Tensor:
        return sigmoid(input)


class Hardsigmoid(nn.Module):
    """:func:`hardsigmoid` as a layer."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return hardsigmoid(input, self.inplace)

    def extra_repr(self) -> str:
        return "inplace=True" if self.inplace else ""
