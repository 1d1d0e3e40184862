"""Clip gradients before the step: by the norm of all together, by value, or each unit by the size of its weights.

Source: by norm, R. Pascanu, T. Mikolov and Y. Bengio, On the Difficulty of Training Recurrent Neural Networks, 2013,
Algorithm 1, https://proceedings.mlr.press/v28/pascanu13.html; adaptive, A. Brock, S. De, S. L. Smith and K. Simonyan,
High-Performance Large-Scale Image Recognition Without Normalization, 2021, https://arxiv.org/abs/2102.06171
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

Parameters = Tensor | Iterable[Tensor]


def clip_grad_norm_(
    parameters: Parameters, max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False
) -> Tensor:
    """g ← g · min(1, max_norm / ‖g‖), with ‖g‖ the norm of all gradients taken as one vector; returns ‖g‖ before.

    Arguments and result are those of `torch.nn.utils.clip_grad_norm_`, with torch's 10⁻⁶ beside ‖g‖. The norm of half
    precision is summed in float32, so that it does not overflow before the gradient does. An infinite element makes
    the factor 0 and becomes NaN itself; one NaN makes all NaN; `error_if_nonfinite` raises RuntimeError instead.
    """
    if not 0 <= max_norm < math.inf:
        raise ValueError(f"max_norm must be in [0, inf), got {max_norm}")
    if not norm_type > 0:
        raise ValueError(f"norm_type must be in (0, inf], got {norm_type}")
    gradients = [p.grad for p in _listed(parameters) if p.grad is not None]
    if not gradients:
        return torch.tensor(0.0)
    norms = [torch.linalg.vector_norm(magnitude(g), norm_type) for g in gradients]
    total: Tensor = torch.linalg.vector_norm(torch.stack([n.to(norms[0]) for n in norms]), norm_type)
    if error_if_nonfinite and not bool(total.isfinite()):
        raise RuntimeError(f"the gradients must have a finite norm, got {total.item()}")
    factor = (max_norm / (total + 1e-6)).clamp(max=1.0)
    for g in gradients:
        g.mul_(factor.to(g.device))
    return total


def clip_grad_value_(parameters: Parameters, clip_value: float) -> None:
    """Every element of every gradient is brought into [−clip_value, clip_value]; the direction changes."""
    if not 0 <= clip_value < math.inf:
        raise ValueError(f"clip_value must be in [0, inf), got {clip_value}")
    for p in _listed(parameters):
        if p.grad is not None:
            p.grad.clamp_(-clip_value, clip_value)


def adaptive_clip_grad_(parameters: Parameters, clip_factor: float = 0.01, eps: float = 1e-3) -> None:
    """g_i ← g_i · min(1, λ max(‖w_i‖, ε) / ‖g_i‖) for each unit i with its weights w_i and their gradient g_i.

    λ is `clip_factor`. A unit is a row of a matrix, or the filter of one output channel; a tensor with fewer than two
    dimensions, such as a bias, is one unit, as in the authors' code. They leave out the last linear layer: do not
    pass it if you want the same. A unit with an infinite gradient gets NaN there and 0 elsewhere.
    """
    if not 0 <= clip_factor < math.inf:
        raise ValueError(f"clip_factor must be in [0, inf), got {clip_factor}")
    if not 0 < eps < math.inf:
        raise ValueError(f"eps must be in (0, inf), got {eps}")
    for p in _listed(parameters):
        if p.grad is not None:
            longest = clip_factor * unit_norms(p.detach()).clamp(min=eps)
            size = unit_norms(p.grad)
            size.clamp_(min=torch.finfo(size.dtype).tiny)  # 0 / 0 would be NaN
            p.grad.mul_((longest / size).clamp(max=1.0))


def unit_norms(x: Tensor) -> Tensor:
    """The norm of every unit, in a shape that multiplies x."""
    over = tuple(range(1, x.ndim)) if x.ndim > 1 else None
    norms: Tensor = torch.linalg.vector_norm(magnitude(x), dim=over, keepdim=True)
    return norms


def magnitude(x: Tensor) -> Tensor:
    """|x| in float32, or in float64 if x has that precision."""
    size = x.detach().abs()
    return size if size.dtype == torch.float64 else size.float()


def _listed(parameters: Parameters) -> list[Tensor]:
    return [parameters] if isinstance(parameters, Tensor) else list(parameters)
