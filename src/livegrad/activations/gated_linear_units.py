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

# torch's derivative of softplus in one pass: g σ(beta b). From 40 on σ is 1 to the last bit.
_times_sigmoid = torch.ops.aten.softplus_backward
_silu_backward = torch.ops.aten.silu_backward.grad_input


def _glu(a: Tensor, b: Tensor) -> Tensor:
    result: Tensor = _times_sigmoid.default(a, b, 1, 40)
    return result


def _geglu(a: Tensor, b: Tensor) -> Tensor:
    below = torch.special.erfc(b * -math.sqrt(0.5))  # not 1 + erf, which cancels on the left
    result: Tensor = below.mul_(0.5).mul_(b.clamp(min=-100)).mul_(a)  # the clamp: -inf · 0 would be NaN
    return result


def _swiglu(a: Tensor, b: Tensor) -> Tensor:
    return nn.functional.silu(b.clamp(min=-1000), inplace=True).mul_(a)


# The gate and its slope at b, in operations that can be differentiated once more.


def _sigmoid(b: Tensor) -> tuple[Tensor, Tensor]:
    gate = b.sigmoid()
    return gate, gate * (-b).sigmoid()  # not s (1 - s): a difference loses its digits where s is nearly 1


def _gelu(b: Tensor) -> tuple[Tensor, Tensor]:
    w = b.clamp(-100, 100) * -math.sqrt(0.5)
    below = torch.special.erfc(w)
    # Φ(b) + b e^(-b²/2) / √(2π), with b = -√2 w.
    return b.clamp(min=-100) * below / 2, torch.addcmul(below, w, (-w * w).exp(), value=-2 / math.sqrt(math.pi)) / 2


def _silu(b: Tensor) -> tuple[Tensor, Tensor]:
    z = b.clamp(-1000, 1000)
    on = z.sigmoid()
    return b.clamp(min=-1000) * on, torch.lerp(z * on, on.new_ones(()), on)  # on + b on (1 - on), without a difference


# The same gradients, g times the gate into `da` and g a times its slope into `db`: each line is one pass over memory.


def _write_glu(g: Tensor, a: Tensor, b: Tensor, da: Tensor, db: Tensor) -> None:
    _times_sigmoid.grad_input(g, b, 1, 40, grad_input=da)
    torch.mul(da, a, out=db)
    _times_sigmoid.grad_input(db, b, -1, 40, grad_input=db)  # σ(-b) is 1 - σ(b) without the difference


def _write_geglu(g: Tensor, a: Tensor, b: Tensor, da: Tensor, db: Tensor) -> None:
    torch.clamp(b, min=-100, out=da)
    w = da.clamp(max=100).mul_(-math.sqrt(0.5))
    below = torch.special.erfc(w).mul_(0.5)
    torch.mul(w, w, out=db).mul_(-1 / math.log(2)).exp2_()  # e^(-w²): in torch a power of 2 is the faster one
    torch.addcmul(below, w, db, value=-1 / math.sqrt(math.pi), out=db)
    da.mul_(below).mul_(g)
    db.mul_(a).mul_(g)


def _write_swiglu(g: Tensor, a: Tensor, b: Tensor, da: Tensor, db: Tensor) -> None:
    torch.clamp(b, min=-1000, out=da)
    z = da.clamp(max=1000)
    nn.functional.silu(da, inplace=True).mul_(g)
    torch.mul(g, a, out=db)
    _silu_backward(db, z, grad_input=db)


# name: (forward, gate and slope, both written)
_KINDS = {
    "glu": (_glu, _sigmoid, _write_glu),
    "geglu": (_geglu, _gelu, _write_geglu),
    "swiglu": (_swiglu, _silu, _write_swiglu),
}


def _writable(grad: Tensor) -> bool:
    """Whether a gradient may be written into one tensor: not if it is to be differentiated, compiled or vmapped."""
    if torch.is_grad_enabled() or torch.compiler.is_compiling():
        return False
    try:
        grad.data_ptr()
    except RuntimeError:  # under vmap a tensor has no memory of its own
        return False
    return True


class _Gated(torch.autograd.Function):
    """Saves the input alone, where a · gate(b) written out would keep the gate and the steps to it too."""

    generate_vmap_rule = True

    @staticmethod
    def forward(input: Tensor, dim: int, kind: str) -> Tensor:
        a, b = input.to(torch.promote_types(input.dtype, torch.float32)).chunk(2, dim)
        return _KINDS[kind][0](a, b).to(input.dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, int, str], output: Tensor) -> None:
        input, ctx.dim, ctx.kind = inputs
        ctx.save_for_backward(input)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (input,) = ctx.saved_tensors
        x = input.to(torch.promote_types(input.dtype, torch.float32))
        a, b = x.chunk(2, ctx.dim)
        _, gate_and_slope, write = _KINDS[ctx.kind]
        if _writable(grad):
            result = torch.empty_like(x)
            write(grad.to(x.dtype), a, b, *result.chunk(2, ctx.dim))
        else:
            gate, slope = gate_and_slope(b)
            result = torch.cat([grad * gate, grad * a * slope], ctx.dim)
        return result.to(input.dtype), None, None


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

    Backward keeps the input alone. On small tensors this takes longer than a · sigmoid(b) written out, by a fixed time
    that Python needs for each call; the formula loses the digits of its slope where the gate is nearly 1.
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
