"""SGD: each weight steps against the gradient of a minibatch, or against a decaying sum of such gradients (momentum).

Source: H. Robbins and S. Monro, A Stochastic Approximation Method, 1951, https://doi.org/10.1214/aoms/1177729586;
momentum: B. T. Polyak, Some Methods of Speeding Up the Convergence of Iteration Methods, 1964,
https://doi.org/10.1016/0041-5553(64)90137-5; `nesterov` in the form of I. Sutskever, J. Martens, G. Dahl and
G. Hinton, On the Importance of Initialization and Momentum in Deep Learning, 2013,
https://proceedings.mlr.press/v28/sutskever13.html, written for the point where the gradient is taken, as torch has it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from numbers import Real
from typing import Any

import torch
from torch import Tensor

OPTIONS = ("lr", "momentum", "dampening", "weight_decay", "nesterov", "maximize")


def update(
    g: Tensor,
    p: Tensor,
    m: Tensor | None = None,
    *,
    lr: float,
    momentum: float,
    dampening: float,
    weight_decay: float,
    nesterov: bool,
    maximize: bool,
) -> None:
    """Step of one tensor: `g` is read, `p` and `m` are changed in place; without `m` there is no momentum."""
    if maximize:
        g = -g
    if weight_decay != 0:
        g = g.add(p, alpha=weight_decay)
    if m is not None:
        share = g if dampening == 0 else g.mul(1 - dampening)
        torch.add(share, m, alpha=momentum, out=m)  # m ← μ m + (1 − τ) g; m.mul_(μ).add_(g) reads and writes m twice
        g = g.add(m, alpha=momentum) if nesterov else m
    p.add_(g, alpha=-lr)  # θ ← θ − lr m, with Nesterov θ − lr (g + μ m)


class SGD(torch.optim.Optimizer):
    """θ ← θ − lr · m with m ← μ m + (1 − τ) g, momentum μ and dampening τ; with μ = 0, m is the gradient g itself.

    Arguments, defaults and checkpoints are those of `torch.optim.SGD`. As there, the first m is g, not (1 − τ) g.
    The state is nothing without momentum and one number for each weight with it. A sparse gradient changes only the
    rows that it holds; with momentum or weight decay, which move every row, it is made dense first.

    Args:
        params: tensors, named tensors, or dicts of groups with options of their own.
        lr: step size, in [0, inf); a one-element tensor if a schedule changes it under `torch.compile`.
        momentum: μ in [0, 1); a steady gradient is summed up to 1 / (1 − μ) times itself.
        dampening: τ in [0, 1); with τ = μ, m is a running mean and the step keeps its size.
        weight_decay: λ in [0, inf); adds λθ to the gradient.
        nesterov: step by g + μ m, which is the gradient taken where momentum is about to lead.
        maximize: step up the gradient.
        foreach: with momentum or weight decay, update small parameters of equal shape together, as one tensor; the
            numbers are the same.

    Raises:
        ValueError: an option is out of its range, or `nesterov` is given without momentum or with dampening.
    """

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool = True,
    ) -> None:
        defaults = {"lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay}
        defaults |= {"nesterov": nesterov, "maximize": maximize, "foreach": foreach}
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
            options = {name: group[name] for name in OPTIONS}
            if not compiling:
                options["lr"] = float(group["lr"])
            momentum, every_row_moves = group["momentum"] != 0, group["momentum"] != 0 or group["weight_decay"] != 0
            alike: dict[Any, list[dict[str, Any]]] = {}
            for p in group["params"]:
                g = p.grad
                if g is None:
                    continue
                if not every_row_moves:
                    update(g, p, **options)  # one operation: to stack would cost more
                    continue
                g = g.to_dense() if g.is_sparse else g
                row: dict[str, Any] = {"g": g, "p": p}
                dampening = group["dampening"]
                if momentum:
                    state = self.state[p]
                    if state.get("momentum_buffer") is None:
                        state["momentum_buffer"], dampening = torch.zeros_like(p), 0.0
                    row["m"] = state["momentum_buffer"]
                if group["foreach"] and not compiling and type(g) is Tensor:
                    alike.setdefault((dampening, p.shape, p.dtype, p.device), []).append(row)
                else:
                    update(**row, **options | {"dampening": dampening})
            for (dampening, *_), rows in alike.items():
                for row in together(rows):
                    update(**row, **options | {"dampening": dampening})
        return loss


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
    for name, high in (("lr", math.inf), ("momentum", 1), ("dampening", 1), ("weight_decay", math.inf)):
        x = options[name]
        one_number = isinstance(x, Real) or (name == "lr" and isinstance(x, Tensor) and x.numel() == 1)
        if not (one_number and 0 <= x < high):
            raise ValueError(f"{name} must be in [0, {high}), got {x!r}")
    momentum, dampening = options["momentum"], options["dampening"]
    if options["nesterov"] and not (momentum > 0 and dampening == 0):
        raise ValueError(f"nesterov needs momentum above 0 and dampening 0, got {momentum!r} and {dampening!r}")
