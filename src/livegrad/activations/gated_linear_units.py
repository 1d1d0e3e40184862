"""Gated linear units: one half of the features, times a gate computed from the other half.

GLU: Y. N. Dauphin, A. Fan, M. Auli and D. Grangier, "Language modeling with gated convolutional networks", 2017,
https://arxiv.org/abs/1612.08083. ReGLU, GEGLU and SwiGLU: N. Shazeer, "GLU variants improve Transformer", 2020,
section 2, https://arxiv.org/abs/2002.05202
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

# Each gate, with the share p of b that it is made of, and its slope.


def _sigmoid(b: Tensor) -> tuple[Tensor, Tensor]:
    p = b.sigmoid()
    return p, p


def _sigmoid_slope(b: Tensor, gate: Tensor, p: Tensor) -> Tensor:
    return p * (-b).sigmoid()  # not p (1 - p): a difference loses its digits where p is nearly 1


def _gelu(b: Tensor) -> tuple[Tensor, Tensor]:
    p = torch.erfc(b * -math.sqrt(0.5)).mul_(0.5)  # not 1 + erf, which cancels on the left
    return b.clamp(min=-100).mul_(p), p  # the clamp: -inf · 0 would be NaN


def _gelu_slope(b: Tensor, gate: Tensor, p: Tensor) -> Tensor:
    b = b.clamp(-100, 100)
    bell = b.square().mul_(-0.5 / math.log(2)).exp2_()  # e^(-b²/2): in torch a power of 2 is the faster one
    return torch.addcmul(p, b, bell, value=1 / math.sqrt(2 * math.pi))  # p + b p'


def _silu(b: Tensor) -> tuple[Tensor, Tensor]:
    p = b.sigmoid()
    return b.clamp(min=-1000).mul_(p), p


def _silu_slope(b: Tensor, gate: Tensor, p: Tensor) -> Tensor:
    return torch.lerp(gate.clamp(max=1000), p.new_ones(()), p)  # p + b p (1 - p), as the mean of b p and 1


_KINDS = {"glu": (_sigmoid, _sigmoid_slope), "geglu": (_gelu, _gelu_slope), "swiglu": (_silu, _silu_slope)}


class _Gated(torch.autograd.Function):
    """a · gate(b). Saves the input alone; backward computes the gate again."""

    generate_vmap_rule = True

    @staticmethod
    def forward(input: Tensor, dim: int, kind: str) -> Tensor:
        a, b = input.to(torch.promote_types(input.dtype, torch.float32)).chunk(2, dim)
        gate, _ = _KINDS[kind][0](b)
        return gate.mul_(a).to(input.dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, int, str], output: Tensor) -> None:
        input, ctx.dim, ctx.kind = inputs
        ctx.save_for_backward(input)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (input,) = ctx.saved_tensors
        a, b = input.to(torch.promote_types(input.dtype, torch.float32)).chunk(2, ctx.dim)
        forward, slope = _KINDS[ctx.kind]
        gate, p = forward(b)
        da, db = grad * gate, grad * slope(b, gate, p).mul_(a)
        return torch.cat([da, db], ctx.dim).to(input.dtype), None, None


def _checked(input: Tensor, dim: int) -> Tensor:
    if not torch.is_floating_point(input):
        raise TypeError(f"input must be a floating-point tensor, got {input.dtype}")
    if not -input.ndim <= dim < input.ndim:
        raise IndexError(f"dim must be a dimension of the input, got {dim} for {input.ndim} dimensions")
    if input.shape[dim] % 2:
        raise ValueError(f"the size of dim {dim} must be even, got {input.shape[dim]}")
    return input


def _gated(input: Tensor, dim: int, kind: str) -> Tensor:
    result: Tensor = _Gated.apply(_checked(input, dim), dim, kind)
    return result


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """a · sigmoid(b), with a and b the first and the second half of `input` along `dim`.

    Takes any floating-point dtype and keeps it, half precision computed in float32; `dim` becomes half as long. Raises
    TypeError for other dtypes, ValueError for an odd size, IndexError for a dimension that is not there.

    Backward keeps the input alone and computes the gate again. That takes longer than a · sigmoid(b) written out, on
    small tensors by a fixed time that Python needs for each call; the formula loses the digits of its slope where the
    gate is nearly 1.
    """
    return _gated(input, dim, "glu")


def reglu(input: Tensor, dim: int = -1) -> Tensor:
    """a · max(0, b), with derivative 0 of the gate at b = 0; halves and arguments as for :func:`glu`.

    This formula is exact and fast as it stands. So it is left to autograd, which keeps the gate beside the input.
    """
    a, b = _checked(input, dim).chunk(2, dim)
    return a * b.relu()


def geglu(input: Tensor, dim: int = -1) -> Tensor:
    """a · b Φ(b), with Φ the normal distribution function; halves and arguments as for :func:`glu`."""
    return _gated(input, dim, "geglu")


def swiglu(input: Tensor, dim: int = -1) -> Tensor:
    """a · b sigmoid(b); halves and arguments as for :func:`glu`."""
    return _gated(input, dim, "swiglu")


class GLU(nn.Module):
    """:func:`glu` as a layer; it has no parameters, the linear layer before it has."""

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        return glu(input, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class ReGLU(GLU):
    """:func:`reglu` as a layer."""

    def forward(self, input: Tensor) -> Tensor:
        return reglu(input, self.dim)


class GEGLU(GLU):
    """:func:`geglu` as a layer."""

    def forward(self, input: Tensor) -> Tensor:
        return geglu(input, self.dim)


class SwiGLU(GLU):
    """:func:`swiglu` as a layer."""

    def forward(self, input: Tensor) -> Tensor:
        return swiglu(input, self.dim)
