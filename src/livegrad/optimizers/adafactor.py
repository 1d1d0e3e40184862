"""Adafactor: Adam's second moment of a matrix, kept as one number a row and one a column, with steps relative to θ.

Source: N. Shazeer and M. Stern, Adafactor: Adaptive Learning Rates with Sublinear Memory Cost, 2018, the algorithms for
matrices and vectors, https://arxiv.org/abs/1804.04235, with learning rate, weight decay and place of eps[0] from torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Real
from typing import Any

import torch
from torch import Tensor


def adafactor(
    g: Tensor,
    p: Tensor,
    *moments: Tensor,
    t: float,
    lr: float,
    beta2_decay: float,
    eps: tuple[float | None, float],
    d: float,
    weight_decay: float,
    maximize: bool,
) -> None:
    """Step number `t` (from 1) of one tensor: `g` is read, `p` and `moments` are changed in place.

    `moments` are the row and the column means of g² for a matrix, and the mean of g² itself for a vector.
    """
    g = -g if maximize else g
    info = torch.finfo(p.dtype)
    eps1, eps2 = info.eps if eps[0] is None else eps[0], eps[1]
    new = t**beta2_decay  # 1 − β̂₂ₜ: the first gradient counts fully, so there is no bias to correct
    alpha = max(eps2, rms(p)) * min(lr, 1 / math.sqrt(t))  # αₜ = max(ε₂, RMS(θ)) ρₜ: before θ decays
    if weight_decay != 0:
        p.mul_(1 - lr * weight_decay)
    if len(moments) == 2:
        row, column = moments
        row.lerp_(mean_square(g, -1), new)  # R ← β̂₂ R + (1 − β̂₂) row means of G²
        column.lerp_(mean_square(g, -2), new)  # C ← β̂₂ C + (1 − β̂₂) column means of G²
        v = (row @ column).div_(row.mean(dim=-2, keepdim=True).clamp_(min=max(eps1, info.tiny)))  # V̂ = R C / mean(R)
    else:
        v = moments[0].lerp_(g.square(), new).clone()
    u = v.clamp_(min=max(eps1**2, info.tiny)).rsqrt_().mul_(g)  # U = G / √V̂
    p.add_(u, alpha=-alpha / max(1.0, rms(u) / d))  # θ ← θ − αₜ U / max(1, RMS(U) / d)


def rms(x: Tensor) -> float:
    """Root mean square of all elements; 0 of an empty tensor."""
    return float(torch.linalg.vector_norm(x)) / math.sqrt(max(1, x.numel()))


def mean_square(g: Tensor, dim: int) -> Tensor:
    """Mean of g² over one dimension, which is kept with size 1, without a tensor of the size of g between."""
    norm: Tensor = torch.linalg.vector_norm(g, dim=dim, keepdim=True)
    return norm.square_().div_(max(1, g.size(dim)))


class Adafactor(torch.optim.Optimizer):
    """θ ← θ − α U / max(1, RMS(U) / d) with U = G / √V̂, where V̂ of a matrix is the product of a column and a row.

    Arguments, defaults and checkpoints are those of `torch.optim.Adafactor`. A matrix of r × c has r + c numbers of
    state; of a tensor with more dimensions the last two are factored, and vectors keep one number for each weight.
    A parameter without a gradient is left alone, and its count of steps does not advance.

    Args:
        params: tensors, named tensors, or dicts of groups with options of their own.
        lr: largest relative step size, in [0, inf): ρ is the smaller of `lr` and 1 / √t.
        beta2_decay: the new squares enter with the share t to this power, in (-inf, 0].
        eps: the smallest √V̂, in [0, inf), or None for the resolution of the parameter's dtype; and the smallest RMS(θ)
            that steps are relative to, in [0, inf).
        d: the largest RMS of an update before it is multiplied by α, in [1, inf).
        weight_decay: λ in [0, inf); a step takes the share lr · λ of each weight away.
        maximize: step up the gradient.

    Raises:
        ValueError: an option is out of its range.
        RuntimeError: a gradient is sparse.
        TypeError: a parameter is complex, or a DTensor.
    """

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {"lr": lr, "beta2_decay": beta2_decay, "eps": eps, "d": d, "weight_decay": weight_decay}
        defaults["maximize"] = maximize
        check(defaults)
        super().__init__(params, defaults)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        check(self.defaults | param_group)
        super().add_param_group(param_group)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Update every parameter that has a gradient; `closure` is called first, and its loss returned."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            options = {name: group[name] for name in ("beta2_decay", "eps", "d", "weight_decay", "maximize")}
            for p in group["params"]:
                if p.grad is None:
                    continue
                if p.is_complex():
                    raise TypeError("Adafactor does not support complex parameters")
                if hasattr(p, "device_mesh"):
                    raise TypeError("Adafactor does not support DTensor parameters: it needs whole matrices")
                if p.grad.is_sparse:
                    raise RuntimeError("Adafactor does not support sparse gradients")
                state = self.state[p]
                names = ("row_var", "col_var") if p.ndim > 1 else ("variance",)
                if not state:
                    state["step"] = 0
                    shapes = ((*p.shape[:-1], 1), (*p.shape[:-2], 1, p.shape[-1])) if p.ndim > 1 else (p.shape,)
                    state |= {name: p.new_zeros(shape) for name, shape in zip(names, shapes, strict=True)}
                state["step"] += 1
                moments = [state[name] for name in names]
                adafactor(p.grad, p, *moments, t=float(state["step"]), lr=float(group["lr"]), **options)
        return loss


def check(options: dict[str, Any]) -> None:
    """Refuse an option out of its range, NaN included."""
    eps = options["eps"]
    if not (isinstance(eps, tuple | list) and len(eps) == 2):
        raise ValueError(f"eps must be two numbers, got {eps!r}")
    first = [] if eps[0] is None else [("eps[0]", eps[0])]
    names = ("lr", "weight_decay")
    for name, x in [*first, ("eps[1]", eps[1]), *((name, options[name]) for name in names)]:
        one_number = isinstance(x, Real) or (name == "lr" and isinstance(x, Tensor) and x.numel() == 1)
        if not (one_number and 0 <= x < math.inf):
            raise ValueError(f"{name} must be in [0, inf), got {x!r}")
    beta2_decay, d = options["beta2_decay"], options["d"]
    if not (isinstance(beta2_decay, float | int) and -math.inf < beta2_decay <= 0):
        raise ValueError(f"beta2_decay must be in (-inf, 0], got {beta2_decay!r}")
    if not (isinstance(d, float | int) and 1 <= d < math.inf):
        raise ValueError(f"d must be in [1, inf), got {d!r}")
