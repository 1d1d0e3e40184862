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


def _silu(b: Tensor) -> Tensor:
    return nn.functional.silu(b.clamp(min=-1000))  # -inf · 0 would be NaN


def _gelu(b: Tensor) -> Tensor:
    b = b.clamp(min=-100)
    below: Tensor = torch.special.erfc(b * -math.sqrt(0.5)) / 2  # not (1 + erf) / 2, which cancels on the left
    return b * below


# The pulls: g times the slope of the gate at b.


def _pull_sigmoid(g: Tensor, b: Tensor, gate: Tensor) -> Tensor:
    return g * gate * (-b).sigmoid()  # not s (1 - s): a difference loses its digits where s is nearly 1


def _pull_relu(g: Tensor, b: Tensor, gate: Tensor) -> Tensor:
    return torch.where(b > 0, g, 0.0)


def _pull_silu(g: Tensor, b: Tensor, gate: Tensor) -> Tensor:
    b = b.clamp(-1000, 1000)
    on = b.sigmoid()
    return g * torch.lerp(b * on, on.new_ones(()), on)  # on + b on (1 - on), without a difference


def _pull_gelu(g: Tensor, b: Tensor, gate: Tensor) -> Tensor:
    w = b.clamp(-100, 100) * -math.sqrt(0.5)
    # Φ(b) + b e^(-b²/2) / √(2π), with b = -√2 w.
    return g * (torch.addcmul(torch.special.erfc(w), w, (-w * w).exp(), value=-2 / math.sqrt(math.pi)) / 2)


# name: (gate of b, its pull)
_GATES = {
    "glu": (torch.sigmoid, _pull_sigmoid),
    "reglu": (torch.relu, _pull_relu),
    "geglu": (_gelu, _pull_gelu),
    "swiglu": (_silu, _pull_silu),
}


class _Gated(torch.autograd.Function):
    """Saves the input alone, where a · gate(b) written out would keep the gate and the steps to it too."""

    generate_vmap_rule = True

    @staticmethod
    def forward(input: Tensor, dim: int, kind: str) -> Tensor:
        a, b = input.to(torch.promote_types(input.dtype, torch.float32)).chunk(2, dim)
        return (a * _GATES[kind][0](b)).to(input.dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, int, str], output: Tensor) -> None:
        input, ctx.dim, ctx.kind = inputs
        ctx.save_for_backward(input)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (input,) = ctx.saved_tensors
        a, b = input.to(torch.promote_types(input.dtype, torch.float32)).chunk(2, ctx.dim)
        gate, pull = _GATES[ctx.kind]
        gated = gate(b)
        return torch.cat([grad * gated, pull(grad * a, b, gated)], ctx.dim).to(input.dtype), None, None


def _gated(input: Tensor, dim: int, kind: str) -> Tensor:
    if not torch.is_floating_point(input):
        raise TypeError(f"input must be a floating-point tensor, got {input.dtype}")
    if not -input.ndim <= dim < input.ndim:
        raise IndexError(f"dim must be a dimension of the input, got {dim} for {input.ndim} dimensions")
    if input.shape[dim] % 2:
        raise ValueError(f"the size of dim {dim} must be even, got {input.shape[dim]}")
    result: Tensor = _Gated.apply(input, dim, kind)
    return result


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """a · sigmoid(b), with a and b the first and the second half of `input` along `dim`.

    Takes any floating-point dtype and keeps it, half precision computed in float32; `dim` becomes half as long.
    Raises TypeError for other dtypes, ValueError for an odd size, IndexError for a dimension that is not there.
    """
    return _gated(input, dim, "glu")


def reglu(input: Tensor, dim: int = -1) -> Tensor:
    """a · max(0, b), with derivative 0 of the gate at b = 0; halves and arguments as for :func:`glu`."""
    return _gated(input, dim, "reglu")


def geglu(input: Tensor, dim: int = -1) -> Tensor:
    """a · b Φ(b), with Φ the normal distribution function; halves and arguments as for :func:`glu`."""
    return _gated(input, dim, "geglu")


def swiglu(input: Tensor, dim: int = -1) -> Tensor:
    """a · b sigmoid(b); halves and arguments as for :func:`glu`."""
    return _gated(input, dim, "swiglu")


class GLU(nn.Module):
    """:func:`glu` as a layer; it has no parameters, the linear layer before it has."""

    kind = "glu"

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        return _gated(input, self.dim, self.kind)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class ReGLU(GLU):
    """:func:`reglu` as a layer."""

    kind = "reglu"


class GEGLU(GLU):
    """:func:`geglu` as a layer."""

    kind = "geglu"


class SwiGLU(GLU):
    """:func:`swiglu` as a layer."""

    kind = "swiglu"
