"""SiLU, x σ(x) with the sigmoid σ, and its family: Swish, x σ(βx), hard swish in straight pieces, and GELU, x Φ(x).

SiLU: S. Elfwing, E. Uchibe and K. Doya, 2018, https://arxiv.org/abs/1702.03118. Swish: P. Ramachandran, B. Zoph and
Q. V. Le, "Searching for activation functions", 2017, https://arxiv.org/abs/1710.05941. Hard swish: A. Howard et al.,
"Searching for MobileNetV3", 2019, https://arxiv.org/abs/1905.02244. GELU: D. Hendrycks and K. Gimpel, "Gaussian error
linear units", 2016, https://arxiv.org/abs/1606.08415
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

_A = 2 * math.sqrt(2 / math.pi)  # GELU by tanh: 0.5 x (1 + tanh(u)) = x σ(2u), and 2u = _A (x + 0.044715 x³)
_B = _A * 0.044715


def _wide(input: Tensor) -> Tensor:
    return input if input.dtype == torch.float64 else input.float()


def _above(x: Tensor) -> Tensor:
    """x without -inf, which times a gate of 0 would be NaN."""
    return x.clamp(min=torch.finfo(x.dtype).min)


def _slope(z: Tensor, on: Tensor) -> Tensor:
    """σ(z) + z σ(z) (1 - σ(z)) for on = σ(z), as the mean of z on and 1, weighed with on. Changes z."""
    return torch.lerp(z.mul_(on), on.new_ones(()), on)


class _Swish(torch.autograd.Function):
    """x σ(βx) for a number β, not 0. Saves the input; backward computes σ(βx) again."""

    generate_vmap_rule = True

    @staticmethod
    def forward(input: Tensor, beta: float) -> Tensor:
        x = _wide(input)
        most = torch.finfo(x.dtype).max
        x = x.clamp(min=-most) if beta > 0 else x.clamp(max=most)  # where the gate closes, inf · 0 would be NaN
        gate = x.sigmoid() if beta == 1 else (beta * x).sigmoid_()
        return x.mul_(gate).to(input.dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, float], output: Tensor) -> None:
        input, ctx.beta = inputs
        ctx.save_for_backward(input)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (input,) = ctx.saved_tensors
        x = _wide(input)
        z = (x if ctx.beta == 1 else ctx.beta * x).clamp(-1000, 1000)  # inf · 0 would be NaN
        return (grad * _slope(z, z.sigmoid())).to(input.dtype), None


class _LearnedSwish(torch.autograd.Function):
    """x σ(βx) for a tensor β of one number, which gets a gradient too."""

    generate_vmap_rule = True

    @staticmethod
    def forward(input: Tensor, beta: Tensor) -> Tensor:
        x = _wide(input)
        most = torch.finfo(x.dtype).max
        gate = (beta * x.clamp(-most, most)).sigmoid_()  # the clamp: at beta = 0 an infinite x would make NaN
        # On the side where the gate closes, inf · 0 would be NaN; on the other one infinity stays.
        low, high = (torch.where(side, x.new_full((), most), math.inf) for side in (beta > 0, beta < 0))
        return (x.maximum(-low).minimum(high) * gate).to(input.dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor | None]:
        input, beta = ctx.saved_tensors
        x = _wide(input)
        most = torch.finfo(x.dtype).max
        x = x.clamp(-most, most)
        z = (beta * x).clamp(-1000, 1000)
        on = z.sigmoid()
        d_beta = (grad * (x * (x * (on * (-z).sigmoid())))).sum().to(beta.dtype) if ctx.needs_input_grad[1] else None
        return (grad * _slope(z, on)).to(input.dtype), d_beta


class _Gelu(torch.autograd.Function):
    """x Φ(x) = x erfc(-x / √2) / 2. Saves the input.

    erfc and not 1 + erf: left of zero erf tends to -1, and the sum loses its digits.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(input: Tensor) -> Tensor:
        x = _wide(input)
        return torch.erfc(x * -math.sqrt(0.5)).mul_(0.5).mul_(_above(x)).to(input.dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (input,) = ctx.saved_tensors
        x = _wide(input).clamp(-100, 100)
        below = torch.erfc(x * -math.sqrt(0.5)).mul_(0.5)
        bell = (x * x).mul_(-0.5 / math.log(2)).exp2_()  # e^(-x²/2): in torch a power of 2 is the faster one
        result: Tensor = grad * torch.addcmul(below, x, bell, value=1 / math.sqrt(2 * math.pi))
        return result.to(input.dtype)


class _GeluTanh(torch.autograd.Function):
    """x σ(z) with z = _A x + _B x³: the sigmoid in place of 1 + tanh, which would cancel. Saves the input."""

    generate_vmap_rule = True

    @staticmethod
    def forward(input: Tensor) -> Tensor:
        x = _wide(input)
        at = x.clamp(-100, 100)  # x³ would overflow
        z = torch.addcmul(at.new_full((), _A), at, at, value=_B).mul_(at)
        return z.sigmoid_().mul_(_above(x)).to(input.dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (input,) = ctx.saved_tensors
        x = _wide(input).clamp(-100, 100)
        a = x.new_full((), _A)
        on = (x * torch.addcmul(a, x, x, value=_B)).sigmoid()
        # on + x z' on (1 - on), as in _Swish, with z' = _A + 3 _B x².
        result: Tensor = grad * torch.lerp(x * on * torch.addcmul(a, x, x, value=3 * _B), on.new_ones(()), on)
        return result.to(input.dtype)


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """x σ(x) = x / (1 + e⁻ˣ).

    Takes any floating-point dtype and shape and keeps both, half precision computed in float32; raises TypeError for
    other dtypes. 0 at -inf, where torch gives NaN. Backward needs the input, so ``inplace=True`` works from a copy.
    """
    if not torch.is_floating_point(input):
        raise TypeError(f"input must be a floating-point tensor, got {input.dtype}")
    if inplace:
        return input.copy_(silu(input.clone()))
    result: Tensor = _Swish.apply(input, 1)
    return result


def swish(input: Tensor, beta: float | Tensor = 1.0) -> Tensor:
    """x σ(βx): x / 2 at β = 0, SiLU at 1, ReLU in the limit; a tensor β of one element gets a gradient too.

    Input as for :func:`silu`; raises ValueError for a number β that is not finite or a tensor of another size.
    """
    if not torch.is_floating_point(input):
        raise TypeError(f"input must be a floating-point tensor, got {input.dtype}")
    if isinstance(beta, Tensor):
        if beta.numel() != 1:
            raise ValueError(f"beta must have 1 element, got shape {tuple(beta.shape)}")
        result: Tensor = _LearnedSwish.apply(input, beta.reshape(()))
        return result
    if not math.isfinite(beta):
        raise ValueError(f"beta must be finite, got {beta}")
    return input / 2 if beta == 0 else _Swish.apply(input, beta)


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """x · min(max(0, x + 3), 6) / 6, with derivative 0 at -3 and 1 at 3; 0 at -inf; input as for :func:`silu`."""
    if not torch.is_floating_point(input):
        raise TypeError(f"input must be a floating-point tensor, got {input.dtype}")
    if inplace:
        return input.copy_(hardswish(input.clone()))
    x = _wide(input)
    gate = nn.functional.hardtanh(x + 3, 0.0, 6.0) / 6
    return (nn.functional.threshold(x, -4.0, -4.0) * gate).to(input.dtype)  # -inf · 0 would be NaN


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """x Φ(x), Φ the share of a standard normal distribution below x; or ``approximate="tanh"``, within 5e-4 of it.

    Input as for :func:`silu`; raises ValueError for another `approximate`. Left of zero it keeps its digits; torch adds
    1 and erf, which cancel: below -3.7 or so float32 is wrong by 5e-4 of the value and more.
    """
    if not torch.is_floating_point(input):
        raise TypeError(f"input must be a floating-point tensor, got {input.dtype}")
    if approximate not in ("none", "tanh"):
        raise ValueError(f"approximate must be 'none' or 'tanh', got {approximate!r}")
    result: Tensor = (_Gelu if approximate == "none" else _GeluTanh).apply(input)
    return result


class SiLU(nn.Module):
    """:func:`silu` as a layer."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return silu(input, self.inplace)

    def extra_repr(self) -> str:
        return "inplace=True" if self.inplace else ""


class Swish(nn.Module):
    """:func:`swish` with its own `beta`, a parameter that starts where you say and is learned."""

    def __init__(self, beta: float = 1.0) -> None:
        super().__init__()
        if not math.isfinite(beta):
            raise ValueError(f"beta must be finite, got {beta}")
        self.beta = nn.Parameter(torch.tensor(float(beta)))

    def forward(self, input: Tensor) -> Tensor:
        return swish(input, self.beta)


class Hardswish(SiLU):
    """:func:`hardswish` as a layer."""

    def forward(self, input: Tensor) -> Tensor:
        return hardswish(input, self.inplace)


class GELU(nn.Module):
    """:func:`gelu` as a layer."""

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        if approximate not in ("none", "tanh"):
            raise ValueError(f"approximate must be 'none' or 'tanh', got {approximate!r}")
        self.approximate = approximate

    def forward(self, input: Tensor) -> Tensor:
        return gelu(input, self.approximate)

    def extra_repr(self) -> str:
        return f"approximate={self.approximate!r}"
