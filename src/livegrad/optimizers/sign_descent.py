"""Lion: step by the sign of a running mean, so that every weight moves by the same amount.

Source: X. Chen, C. Liang, D. Huang, E. Real and others, Symbolic Discovery of Optimization Algorithms, 2023,
Algorithm 2, https://arxiv.org/abs/2302.06675. With betas of 0 and no decay it is signSGD: J. Bernstein, Y.-X. Wang,
K. Azizzadenesheli and A. Anandkumar, signSGD: Compressed Optimisation for Non-Convex Problems, 2018, Algorithm 1,
https://arxiv.org/abs/1802.04434.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any

import torch
from torch import Tensor

SMALL = 2**15  # numbers of a tensor whose arithmetic takes less time than to call it


def update(
    g: Tensor,
    p: Tensor,
    m: Tensor,
    *,
    lr: float,
    betas: tuple[float, float],
    weight_decay: float,
    maximize: bool,
) -> None:
    """One step of one tensor: `g` is read, `p` and `m` are changed in place."""
    beta1, beta2 = betas
    if maximize:
        g = g.neg()
    c = torch.lerp(m, g, 1 - beta1)  # c ← β₁ m + (1 − β₁) g
    if weight_decay != 0:
        p.mul_(1 - lr * weight_decay)
    p.add_(c.sign_(), alpha=-lr)  # θ ← θ − lr (sign(c) + λ θ)
    m.lerp_(g, 1 - beta2)  # m ← β₂ m + (1 − β₂) g, after c, which sees more of g than m does


class Lion(torch.optim.Optimizer):
    """θ ← (1 − lr λ) θ − lr · sign(β₁ m + (1 − β₁) g), then m ← β₂ m + (1 − β₂) g: one number of state a weight.

    Complex parameters are updated as pairs of real numbers. A parameter without a gradient is left alone. A weight
    whose gradient has always been 0 is moved by the decay only, as sign(0) = 0.

    Args:
        params: tensors, named tensors, or dicts of groups with options of their own.
        lr: step size, in [0, inf), the distance by which each weight moves; a one-element tensor if a schedule
            changes it under `torch.compile`.
        betas: share of the running mean in the step, and in the next mean, each in [0, 1).
        weight_decay: λ in [0, inf); a step takes the share lr · λ of each weight away.
        maximize: step up the gradient.
        foreach: call each operation of the update once for all small parameters; on a CPU the bits are the same.

    Raises:
        ValueError: an option is out of its range.
        RuntimeError: a gradient is sparse.
    """

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
        foreach: bool = True,
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "weight_decay": weight_decay}
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
        compiling = torch.compiler.is_compiling()
        for group in self.param_groups:
            options = {name: group[name] for name in ("lr", "betas", "weight_decay", "maximize")}
            if not compiling:
                options["lr"] = float(group["lr"])
            together = group["foreach"] and not compiling
            small: list[tuple[Tensor, ...]] = []
            for p in group["params"]:
                g = p.grad
                if g is None:
                    continue
                if g.is_sparse:
                    raise RuntimeError("Lion does not support sparse gradients")
                state = self.state[p]
                if not state:
                    state["exp_avg"] = torch.zeros_like(p)
                row: tuple[Tensor, ...] = (g, p, state["exp_avg"])
                if p.is_complex():
                    row = tuple(map(torch.view_as_real, row))
                if together and p.numel() <= SMALL and type(g) is Tensor:
                    small.append(row)
                else:
                    update(*row, **options)
            if small:
                lists: list[Any] = [_Many(tensors) for tensors in zip(*small, strict=True)]
                update(*lists, **options)
        return loss


class _Many:
    """A list of tensors that `update` takes for one: `x.mul(2)` is torch's operation on lists, `torch._foreach_mul`.

    An operation on a small tensor takes less time than to call it, so that one call for all is sooner done.
    """

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self.tensors = tensors

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **options: self.call(name, self, *args, **options)

    @classmethod
    def __torch_function__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return cls.call(function.__name__, *args, **kwargs or {})

    @classmethod
    def call(cls, name: str, *args: Any, out: Any = None, **options: Any) -> Any:
        """The operation `name` on lists; a name that ends with `_` changes the first."""
        lists = [x.tensors if isinstance(x, cls) else x for x in args]
        result = getattr(torch, f"_foreach_{name}")(*lists, **options)
        if out is not None:
            torch._foreach_copy_(out.tensors, result)
            return out
        return args[0] if name.endswith("_") else cls(list(result))


def check(options: dict[str, Any]) -> None:
    """Refuse an option out of its range, NaN included."""
    betas = options["betas"]
    if not (isinstance(betas, tuple | list) and len(betas) == 2):
        raise ValueError(f"betas must be two numbers, got {betas!r}")
    ranges = [(name, options[name], math.inf) for name in ("lr", "weight_decay")]
    for name, x, high in [*ranges, ("betas[0]", betas[0], 1), ("betas[1]", betas[1], 1)]:
        one_number = isinstance(x, Real) or (name == "lr" and isinstance(x, Tensor) and x.numel() == 1)
        if not (one_number and 0 <= x < high):
            raise ValueError(f"{name} must be in [0, {high}), got {x!r}")
