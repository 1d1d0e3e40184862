"""LARS and LAMB: each tensor moves by a share of its own length, the same share in every layer.

Sources: Y. You, I. Gitman and B. Ginsburg, Large Batch Training of Convolutional Networks, 2017, Algorithm 1,
https://arxiv.org/abs/1708.03888; Y. You, J. Li, S. Reddi, J. Hseu, S. Kumar, S. Bhojanapalli, X. Song, J. Demmel,
K. Keutzer and C.-J. Hsieh, Large Batch Optimization for Deep Learning: Training BERT in 76 minutes, 2020,
Algorithm 2, https://arxiv.org/abs/1904.00962. Where a length is 0, so that the rule would freeze a tensor or divide
0 by 0, the ratio is 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Real
from typing import Any

import torch
from torch import Tensor


def length(x: Tensor, *, stacked: bool = False) -> Tensor:
    """The 2-norm of a tensor, or of each tensor in a stack; in float32 at least, as float16 ends at 65504."""
    dims = tuple(range(1, x.ndim)) if stacked else None
    dtype = torch.promote_types(x.dtype, torch.float32)
    norm: Tensor = torch.linalg.vector_norm(x, dim=dims, keepdim=stacked, dtype=dtype)
    return norm


def lars(
    g: Tensor,
    w: Tensor,
    v: Tensor,
    *,
    lr: float,
    momentum: float,
    weight_decay: float,
    trust_coefficient: float,
    adapt: bool,
    maximize: bool,
) -> None:
    """One step of LARS on one tensor: `g` is read, `w` and `v` are changed in place."""
    if maximize:
        g = -g
    local: float | Tensor = 1.0
    if adapt:  # λ ← η ‖w‖ / (‖g‖ + β ‖w‖)
        size = length(w)
        against = length(g) + weight_decay * size
        local = torch.where((size > 0) & (against > 0), trust_coefficient * size / against, 1.0)
    v.mul_(momentum).add_(g.add(w, alpha=weight_decay).mul_(lr * local))  # v ← m v + γ λ (g + β w)
    w.sub_(v)  # w ← w − v


def lamb(
    g: Tensor,
    x: Tensor,
    m: Tensor,
    v: Tensor,
    *,
    t: float,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
    phi: tuple[float, float],
    adapt: bool,
    maximize: bool,
    stacked: bool = False,
) -> None:
    """Step number `t` (from 1) of LAMB on one tensor: `g` is read, `x`, `m` and `v` are changed in place.

    `stacked` says that the tensors are stacks along the first dimension, and each slice has a ratio of its own.
    """
    beta1, beta2 = betas
    if maximize:
        g = -g
    m.lerp_(g, 1 - beta1)  # m ← β₁ m + (1 − β₁) g
    v.mul_(beta2).addcmul_(g, g, value=1 - beta2)  # v ← β₂ v + (1 − β₂) g²
    root = (1 - beta2**t) ** 0.5  # r ← m̂ / (√v̂ + ε), with both corrections moved into numbers
    eps = max(eps, torch.finfo(x.dtype).tiny)  # 0 / 0 would be NaN
    u = v.sqrt().add_(eps * root)
    torch.div(m, u, out=u).mul_(root / (1 - beta1**t))  # a second tensor as large would cost its memory's first touch
    u.add_(x, alpha=weight_decay)  # u ← r + λ x
    ratio: float | Tensor = 1.0
    if adapt:  # φ(‖x‖) / ‖u‖ with φ(z) = min(max(z, γₗ), γᵤ)
        size, against = length(x, stacked=stacked).clamp(*phi), length(u, stacked=stacked)
        ratio = torch.where((size > 0) & (against > 0), size / against, 1.0)
    x.sub_(u.mul_(lr * ratio))


class LARS(torch.optim.Optimizer):
    """v ← μ v + lr · η ‖w‖ / (‖g‖ + λ‖w‖) · (g + λ w), w ← w − v, with the norms of each whole tensor.

    Complex parameters are updated as pairs of real numbers. A parameter without a gradient is left alone.

    Args:
        params: tensors, named tensors, or dicts of groups with options of their own.
        lr: global rate γ in [0, inf); the first step moves a tensor by at most the share lr · η of its length.
        momentum: μ in [0, 1); the velocity contains the rate, so a schedule acts with delay, as in the paper.
        weight_decay: λ in [0, inf), added to the gradient and to its length.
        trust_coefficient: η in [0, inf).
        adapt: whether the group follows the rule; without, its tensors move as by `torch.optim.SGD`. Meant for
            biases and the scales of normalization layers.
        maximize: step up the gradient.

    Raises:
        ValueError: an option is out of its range.
        RuntimeError: a gradient is sparse.
    """

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1.0,
        momentum: float = 0.9,
        weight_decay: float = 5e-4,
        trust_coefficient: float = 1e-3,
        *,
        adapt: bool = True,
        maximize: bool = False,
    ) -> None:
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        defaults |= {"trust_coefficient": trust_coefficient, "adapt": adapt, "maximize": maximize}
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
            names = ("momentum", "weight_decay", "trust_coefficient", "adapt", "maximize")
            options = {"lr": float(group["lr"])} | {name: group[name] for name in names}
            for p in group["params"]:
                if p.grad is None:
                    continue
                if p.grad.is_sparse:
                    raise RuntimeError("LARS does not support sparse gradients")
                state = self.state[p]
                if not state:
                    state["momentum_buffer"] = torch.zeros_like(p)
                tensors = [p.grad, p, state["momentum_buffer"]]
                lars(*map(torch.view_as_real, tensors) if p.is_complex() else tensors, **options)
        return loss


class LAMB(torch.optim.Optimizer):
    """x ← x − lr · φ(‖x‖) / ‖r + λx‖ · (r + λx), r = m̂ / (√v̂ + ε), with the norms of each whole tensor.

    Complex parameters are updated as pairs of real numbers. A parameter without a gradient is left alone, and its
    count of steps does not advance.

    Args:
        params: tensors, named tensors, or dicts of groups with options of their own.
        lr: step size in [0, inf): the share of its length by which each tensor moves.
        betas: decay of the mean and of the mean square, each in [0, 1).
        eps: added to √v̂, in [0, inf); raised to the dtype's smallest normal number where it is below.
        weight_decay: λ in [0, inf), added to r before the lengths are compared.
        phi: the bounds γₗ and γᵤ of φ(z) = min(max(z, γₗ), γᵤ), 0 <= γₗ <= γᵤ; the default is φ(z) = z.
        adapt: whether the group follows the rule; without, its tensors move as by AdamW. Meant for biases and the
            scales of normalization layers.
        maximize: step up the gradient.
        foreach: update small parameters of equal shape together, as one tensor: sooner if there are many, and
            equal to rounding, as norms are summed in another order.

    Raises:
        ValueError: an option is out of its range.
        RuntimeError: a gradient is sparse.
    """

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-6,
        weight_decay: float = 1e-2,
        *,
        phi: tuple[float, float] = (0.0, math.inf),
        adapt: bool = True,
        maximize: bool = False,
        foreach: bool = True,
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        defaults |= {"phi": phi, "adapt": adapt, "maximize": maximize, "foreach": foreach}
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
            names = ("betas", "eps", "weight_decay", "phi", "adapt", "maximize")
            options = {"lr": float(group["lr"])} | {name: group[name] for name in names}
            batches: dict[Any, list[list[Tensor]]] = {}
            for p in group["params"]:
                if p.grad is None:
                    continue
                if p.grad.is_sparse:
                    raise RuntimeError("LAMB does not support sparse gradients")
                state = self.state[p]
                if not state:
                    state["step"] = 0
                    state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(p), torch.zeros_like(p)
                state["step"] += 1
                t = float(state["step"])
                tensors = [p.grad, p, state["exp_avg"], state["exp_avg_sq"]]
                if p.is_complex():
                    tensors = [torch.view_as_real(x) for x in tensors]
                if group["foreach"] and p.ndim > 0 and p.numel() <= 2**15 and type(p.grad) is Tensor:
                    batches.setdefault((t, p.shape, p.dtype, p.device), []).append(tensors)
                else:
                    lamb(*tensors, t=t, **options)
            for (t, *_), batch in batches.items():  # copying costs less than calling lamb for each
                columns = list(zip(*batch, strict=True))
                stacks = [torch.stack(column) for column in columns]
                lamb(*stacks, t=t, **options, stacked=True)
                for column, changed in zip(columns[1:], stacks[1:], strict=True):
                    torch.unbind_copy(changed, out=column)
        return loss


def check(options: dict[str, Any]) -> None:
    """Refuse an option out of its range, NaN included; those that only one of the classes has may be missing."""
    missing = {"betas": (0.0, 0.0), "eps": 0.0, "phi": (0.0, 1.0), "momentum": 0.0, "trust_coefficient": 0.0}
    options = {**missing, **options}
    for name in ("betas", "phi"):
        if not (isinstance(options[name], tuple | list) and len(options[name]) == 2):
            raise ValueError(f"{name} must be two numbers, got {options[name]!r}")
    ranges = [(name, options[name], math.inf) for name in ("lr", "eps", "weight_decay", "trust_coefficient")]
    ranges += [(f"betas[{i}]", options["betas"][i], 1) for i in (0, 1)]
    ranges += [("momentum", options["momentum"], 1), ("phi[0]", options["phi"][0], math.inf)]
    for name, x, high in ranges:
        one_number = isinstance(x, Real) or (name == "lr" and isinstance(x, Tensor) and x.numel() == 1)
        if not (one_number and 0 <= x < high):
            raise ValueError(f"{name} must be in [0, {high}), got {x!r}")
    low, high = options["phi"]
    if not (isinstance(high, int | float) and high > 0 and high >= low):
        raise ValueError(f"phi[1] must be above 0 and at least phi[0], got {high!r}")
