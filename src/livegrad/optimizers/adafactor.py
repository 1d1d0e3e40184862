"""Adafactor: Adam's second moment of a matrix, kept as one number a row and one a column, with steps relative to θ.

Source: N. Shazeer and M. Stern, Adafactor: Adaptive Learning Rates with Sublinear Memory Cost, 2018, the algorithms for
matrices and vectors, https://arxiv.org/abs/1804.04235, with learning rate, weight decay and place of eps[0] from torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
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
    stacked: bool = False,
) -> None:
    """Step number `t` (from 1) of one tensor: `g` is read, `p` and `moments` are changed in place.

    `moments` are the row and the column means of g² for a matrix, and the mean of g² itself for a vector. `stacked`
    says that the tensors are stacks along the first dimension, and each slice has sizes of its own.
    """
    g = -g if maximize else g
    info = torch.finfo(p.dtype)
    eps1, eps2 = info.eps if eps[0] is None else eps[0], eps[1]
    new = t**beta2_decay  # 1 − β̂₂ₜ: the first gradient counts fully, so there is no bias to correct
    size = rms(p, stacked=stacked)  # before θ decays
    if weight_decay != 0:
        p.mul_(1 - lr * weight_decay)
    square = g.to(size.dtype).square()
    if len(moments) == 2:
        row, column = moments
        row.lerp_(mean(square, -1).to(p.dtype), new)  # R ← β̂₂ R + (1 − β̂₂) row means of G²
        column.lerp_(mean(square, -2).to(p.dtype), new)  # C ← β̂₂ C + (1 − β̂₂) column means of G²
        of_rows = row / mean(row, -2).clamp_(min=max(eps1, info.tiny))
        root = torch.mul(of_rows.sqrt_(), column.sqrt(), out=square)  # √V̂ with V̂ = R C / mean(R)
    else:
        root = moments[0].lerp_(square.to(p.dtype), new).sqrt()
    root.clamp_(min=max(eps1, info.tiny**0.5))
    u = torch.div(g, root, out=root)  # U = G / √V̂
    step = size.clamp(min=eps2).mul_(min(lr, 1 / math.sqrt(t)))  # αₜ = max(ε₂, RMS(θ)) ρₜ
    p.addcmul_(u, step / (rms(u, stacked=stacked) / d).clamp_(min=1), value=-1)  # θ ← θ − αₜ U / max(1, RMS(U) / d)


def rms(x: Tensor, *, stacked: bool = False) -> Tensor:
    """Root mean square of all elements, or of each tensor in a stack, in float32 at least; 0 of an empty tensor."""
    dims = tuple(range(1, x.ndim)) if stacked else None
    dtype = torch.promote_types(x.dtype, torch.float32)
    norm: Tensor = torch.linalg.vector_norm(x, dim=dims, keepdim=stacked, dtype=dtype)
    return norm.div_(math.sqrt(max(1, x.numel() // max(1, norm.numel()))))


def mean(x: Tensor, dim: int) -> Tensor:
    """Mean over one dimension, which is kept with size 1; 0 if it is empty."""
    return x.sum(dim, keepdim=True).div_(max(1, x.size(dim)))


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
        foreach: update small parameters of equal shape together, as one tensor: sooner if there are many, and equal
            to rounding, as sums are taken in another order.

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
        foreach: bool = True,
    ) -> None:
        defaults = {"lr": lr, "beta2_decay": beta2_decay, "eps": eps, "d": d, "weight_decay": weight_decay}
        defaults |= {"maximize": maximize, "foreach": foreach}
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
            names = ("beta2_decay", "eps", "d", "weight_decay", "maximize")
            options = {"lr": float(group["lr"])} | {name: group[name] for name in names}
            alike: dict[Any, list[list[Tensor]]] = {}
            for p in group["params"]:
                g = p.grad
                if g is None:
                    continue
                if p.is_complex():
                    raise TypeError("Adafactor does not support complex parameters")
                if hasattr(p, "device_mesh"):
                    raise TypeError("Adafactor does not support DTensor parameters: it needs whole matrices")
                if g.is_sparse:
                    raise RuntimeError("Adafactor does not support sparse gradients")
                state = self.state[p]
                moments = ("row_var", "col_var") if p.ndim > 1 else ("variance",)
                if not state:
                    state["step"] = 0
                    shapes = ((*p.shape[:-1], 1), (*p.shape[:-2], 1, p.shape[-1])) if p.ndim > 1 else (p.shape,)
                    state |= {name: p.new_zeros(shape) for name, shape in zip(moments, shapes, strict=True)}
                state["step"] += 1
                t = float(state["step"])
                tensors = [g, p, *(state[name] for name in moments)]
                if group["foreach"] and p.ndim > 0 and type(g) is Tensor:
                    alike.setdefault((t, p.shape, p.dtype, p.device), []).append(tensors)
                else:
                    adafactor(*tensors, t=t, **options)
            for (t, *_), rows in alike.items():
                for tensors, stacked in together(rows):
                    adafactor(*tensors, t=t, **options, stacked=stacked)
        return loss


def together(rows: list[list[Tensor]]) -> Iterator[tuple[list[Tensor], bool]]:
    """Rows of tensors of equal shape as fewer rows of stacked ones, and whether they are; what changed is copied back.

    Copying costs less than to call the update for each small tensor.
    """
    count = max(1, 2**16 // max(1, rows[0][0].numel()))
    for part in (rows[i : i + count] for i in range(0, len(rows), count)):
        if len(part) == 1:
            yield part[0], False
            continue
        columns = [list(column) for column in zip(*part, strict=True)]
        stacks = [torch.stack(column) for column in columns]
        yield stacks, True
        for changed, column in zip(stacks[1:], columns[1:], strict=True):  # the first are gradients
            torch.unbind_copy(changed, out=column)


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
