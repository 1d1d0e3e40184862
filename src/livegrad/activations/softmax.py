"""Softmax, e^(xᵢ/T) / Σⱼ e^(xⱼ/T): any numbers become shares that add up to 1; with its logarithm.

J. S. Bridle, "Training stochastic model recognition algorithms as networks can lead to maximum mutual information
estimation of parameters", 1989, https://mlanthology.org/neurips/1989/bridle1989neurips-training/. The logarithm by
log1p: P. Blanchard, D. J. Higham and N. J. Higham, "Accurately computing the log-sum-exp and softmax functions",
2021, https://doi.org/10.1093/imanum/draa038
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn


def _put(x: Tensor, dim: int, place: Tensor, value: Tensor) -> Tensor:
    """x with another value at one place of each row. What scatter returns is contiguous; here the layout of x stays."""
    result = x.scatter(dim, place, value)
    return result if x.is_contiguous() else torch.empty_like(x).copy_(result)


def _below_the_largest(x: Tensor, dim: int, temperature: float) -> tuple[Tensor, Tensor]:
    """(x - its largest) / T, and the place of the largest. Written there, 0 is right even for inf - inf."""
    largest, winner = x.max(dim, keepdim=True)  # one winner, also in a tie
    below = x - largest
    if temperature != 1:
        below /= temperature
    return _put(below, dim, winner, torch.zeros_like(largest)), winner


class _Softmax(torch.autograd.Function):
    """Saves the output. Adding one number to every upstream gradient changes nothing, so backward first takes away
    their mean: then that of a nearly certain winner is nearly 0, and no 1 - p is formed where p is nearly 1.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(input: Tensor, dim: int, temperature: float) -> Tensor:
        powers = _below_the_largest(input, dim, temperature)[0].exp_()
        return powers.div_(powers.sum(dim, keepdim=True))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, int, float], output: Tensor) -> None:
        ctx.save_for_backward(output)
        _, ctx.dim, ctx.temperature = inputs

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (p,) = ctx.saved_tensors
        g = grad - (p * grad).sum(ctx.dim, keepdim=True)
        result = p * (g - (p * g).sum(ctx.dim, keepdim=True))
        return (result if ctx.temperature == 1 else result / ctx.temperature), None, None


class _LogSoftmax(torch.autograd.Function):
    """Saves the output, ln p, and each row's winner: only there p can be nearly 1, and a difference lose its digits."""

    generate_vmap_rule = True

    @staticmethod
    def forward(input: Tensor, dim: int, temperature: float) -> tuple[Tensor, Tensor]:
        below, winner = _below_the_largest(input, dim, temperature)
        others = below.exp().scatter(dim, winner, 0.0).sum(dim, keepdim=True)
        return below.sub_(others.log1p()), winner  # the powers add up to 1, the winner's, and the others'

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, int, float], output: tuple[Tensor, Tensor]) -> None:
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(*output)
        _, ctx.dim, ctx.temperature = inputs

    @staticmethod
    def backward(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Tensor, None, None]:
        log_p, winner = ctx.saved_tensors
        dim, total = ctx.dim, grad.sum(ctx.dim, keepdim=True)
        result = grad - log_p.exp() * total
        # At the winner p (grad - total) + (1 - p) grad, with 1 - p = -expm1(ln p).
        top, g = log_p.gather(dim, winner), grad.gather(dim, winner)
        result = _put(result, dim, winner, top.exp() * (g - total) - top.expm1() * g)
        return (result if ctx.temperature == 1 else result / ctx.temperature), None, None


def _apply(
    kind: type[torch.autograd.Function], input: Tensor, dim: int, dtype: torch.dtype | None, temperature: float
) -> Tensor:
    if not 0 < temperature < math.inf:
        raise ValueError(f"temperature must be positive and finite, got {temperature}")
    x = input if dtype is None else input.to(dtype)
    if not torch.is_floating_point(x):
        raise TypeError(f"input must be a floating-point tensor, got {x.dtype}")
    if not x.numel():
        return x.clone()
    result = kind.apply(x if x.dtype == torch.float64 else x.float(), dim, temperature)
    value: Tensor = result[0] if isinstance(result, tuple) else result
    return value.to(x.dtype)


def softmax(input: Tensor, dim: int, *, dtype: torch.dtype | None = None, temperature: float = 1.0) -> Tensor:
    """e^(xᵢ/T) / Σⱼ e^(xⱼ/T) along `dim`, as `torch.softmax`, which knows no temperature T.

    Takes any floating-point dtype and shape and keeps both, half precision computed in float32; `dtype` converts the
    input first. A single infinite logit gets all (torch: NaN), a row of -inf alone is NaN. Raises TypeError for
    other dtypes, ValueError unless 0 < temperature < inf, IndexError for a dimension that is not there.
    """
    return _apply(_Softmax, input, dim, dtype, temperature)


def log_softmax(input: Tensor, dim: int, *, dtype: torch.dtype | None = None, temperature: float = 1.0) -> Tensor:
    """The logarithm of :func:`softmax`, with all digits also where a share is nearly 1; arguments as there."""
    return _apply(_LogSoftmax, input, dim, dtype, temperature)


class Softmax(nn.Module):
    """:func:`softmax` as a layer. Unlike torch's it does not guess `dim`."""

    def __init__(self, dim: int, temperature: float = 1.0) -> None:
        super().__init__()
        if not 0 < temperature < math.inf:
            raise ValueError(f"temperature must be positive and finite, got {temperature}")
        self.dim, self.temperature = dim, temperature

    def forward(self, input: Tensor) -> Tensor:
        return softmax(input, self.dim, temperature=self.temperature)

    def extra_repr(self) -> str:
        return f"dim={self.dim}" + (f", temperature={self.temperature}" if self.temperature != 1 else "")


class LogSoftmax(Softmax):
    """:func:`log_softmax` as a layer."""

    def forward(self, input: Tensor) -> Tensor:
        return log_softmax(input, self.dim, temperature=self.temperature)
