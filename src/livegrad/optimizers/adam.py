"""Adam: each weight steps by the running mean of its gradient over the root of its running mean square.

Source: D. P. Kingma and J. Ba, Adam: A Method for Stochastic Optimization, 2015, Algorithm 1,
https://arxiv.org/abs/1412.6980; `amsgrad` is Algorithm 2 of S. J. Reddi, S. Kale and S. Kumar, On the Convergence
of Adam and Beyond, 2018, https://arxiv.org/abs/1904.09237, with Adam's bias corrections kept, as torch has it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from numbers import Real
from typing import Any

import torch
from torch import Tensor


def update(
    g: Tensor,
    p: Tensor,
    m: Tensor,
    v: Tensor,
    v_max: Tensor | None = None,
    *,
    t: float,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
    maximize: bool,
) -> None:
    """Step number `t` (from 1) of one tensor: `g` is read, `p`, `m`, `v` and `v_max` are changed in place."""
    beta1, beta2 = betas
    if maximize:
        g = -g
    if weight_decay != 0:
        g = g.add(p, alpha=weight_decay)
    m.lerp_(g, 1 - beta1)  # m ← β₁ m + (1 − β₁) g
    v.mul_(beta2).addcmul_(g, g, value=1 - beta2)  # v ← β₂ v + (1 − β₂) g²
    if v_max is not None:
        v = torch.maximum(v_max, v, out=v_max)
    # θ ← θ − lr m̂ / (√v̂ + ε) with m̂ = m / (1 − β₁ᵗ), v̂ = v / (1 − β₂ᵗ). Both corrections are moved into numbers
    # (end of the paper's section 2): what costs time is every further tensor as large as the weights.
    root = (1 - power(beta2, t)) ** 0.5
    eps = max(eps, torch.finfo(p.dtype).tiny)  # in float16 1e-8 rounds to 0, and 0 / 0 would be NaN
    p.addcdiv_(m, v.sqrt().add_(eps * root), value=-lr * root / (1 - power(beta1, t)))


class Adam(torch.optim.Optimizer):
    """θ ← θ − lr · m̂ / (√v̂ + ε), element by element, with two numbers of state for each weight.

    Arguments, defaults and checkpoints are those of `torch.optim.Adam`. Complex parameters are updated as pairs of
    real numbers. A parameter without a gradient is left alone, and its count of steps does not advance.

    Args:
        params: tensors, named tensors, or dicts of groups with options of their own.
        lr: step size, in [0, inf); a one-element tensor if a schedule changes it under `torch.compile`.
        betas: decay of the mean and of the mean square, each in [0, 1).
        eps: added to √v̂, in [0, inf); raised to the dtype's smallest normal number where it is below.
        weight_decay: λ in [0, inf); adds λθ to the gradient (the decoupled kind is AdamW).
        amsgrad: divide by the root of the largest v so far instead of the present one.
        maximize: step up the gradient.
        foreach: update small parameters of equal shape together, as one tensor; the numbers are the same.

    Raises:
        ValueError: an option is out of its range.
        RuntimeError: a gradient is sparse.
    """

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool = True,
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        defaults |= {"amsgrad": amsgrad, "maximize": maximize, "foreach": foreach}
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
        compiling = torch.compiler.is_compiling()
        for group in self.param_groups:
            options = {name: group[name] for name in ("lr", "betas", "eps", "weight_decay", "maximize")}
            if not compiling:
                options["lr"] = float(group["lr"])
            alike: dict[Any, list[dict[str, Any]]] = {}
            for p in group["params"]:
                g = p.grad
                if g is None:
                    continue
                if g.is_sparse:
                    raise RuntimeError("Adam does not support sparse gradients")
                state = self.state[p]
                if not state:
                    state["step"] = 0
                    state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(p), torch.zeros_like(p)
                    if group["amsgrad"]:
                        state["max_exp_avg_sq"] = torch.zeros_like(p)
                if compiling:  # a new number would compile anew
                    state["step"] = torch.as_tensor(state["step"], dtype=torch.float32)
                state["step"] += 1
                t = state["step"].double() if compiling else float(state["step"])
                row: dict[str, Any] = {"g": g, "p": p, "m": state["exp_avg"], "v": state["exp_avg_sq"]}
                if group["amsgrad"]:
                    row["v_max"] = state["max_exp_avg_sq"]
                if p.is_complex():
                    row = {name: torch.view_as_real(x) for name, x in row.items()}
                if group["foreach"] and not compiling and type(g) is Tensor:
                    alike.setdefault((t, p.shape, p.dtype, p.device), []).append(row)
                else:
                    update(**row, t=t, **options)
            for (t, *_), rows in alike.items():
                for row in together(rows):
                    update(**row, t=t, **options)
        return loss


def power(beta: float, t: Any) -> Any:
    """βᵗ. In a compiled step t is a tensor: it computes an exp once, but a power anew for every few weights."""
    return torch.exp(t * math.log(beta or 1e-300)) if isinstance(t, Tensor) else beta**t


def together(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Rows of tensors of equal shape as fewer rows of stacked ones; what is done to those is copied back, save for `g`.

    Copying costs less than to call the update for each small tensor, and element by element nothing else changes.
    """
    count = max(1, 2**16 // max(1, rows[0]["p"].numel()))
    for part in (rows[i : i + count] for i in range(0, len(rows), count)):
        if len(part) == 1:
            yield part[0]
            continue
        stacks = {name: torch.stack([row[name] for row in part]) for name in part[0]}
        yield stacks
        for name in stacks.keys() - {"g"}:
            torch.unbind_copy(stacks[name], out=[row[name] for row in part])


def check(options: dict[str, Any]) -> None:
    """Refuse an option out of its range, NaN included."""
    betas = options["betas"]
    if not (isinstance(betas, tuple | list) and len(betas) == 2):
        raise ValueError(f"betas must be two numbers, got {betas!r}")
    ranges = [(name, options[name], math.inf) for name in ("lr", "eps", "weight_decay")]
    for name, x, high in [*ranges, ("betas[0]", betas[0], 1), ("betas[1]", betas[1], 1)]:
        one_number = isinstance(x, Real) or (name == "lr" and isinstance(x, Tensor) and x.numel() == 1)
        if not (one_number and 0 <= x < high):
            raise ValueError(f"{name} must be in [0, {high}), got {x!r}")
