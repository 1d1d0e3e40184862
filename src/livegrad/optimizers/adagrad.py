"""Adagrad divides each gradient by the root of the sum of all its squares so far; Adadelta, by that of a running mean.

Source: J. Duchi, E. Hazan and Y. Singer, Adaptive Subgradient Methods for Online Learning and Stochastic Optimization,
2011, section 1.1 with a diagonal matrix, https://jmlr.org/papers/v12/duchi11a.html; M. D. Zeiler, ADADELTA: An
Adaptive Learning Rate Method, 2012, Algorithm 1, https://arxiv.org/abs/1212.5701. `lr_decay`, and a learning rate for
Adadelta, are torch's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from numbers import Real
from typing import Any

import torch
from torch import Tensor


def adagrad(
    g: Tensor,
    p: Tensor,
    s: Tensor,
    *,
    t: float,
    lr: float,
    lr_decay: float,
    weight_decay: float,
    eps: float,
    maximize: bool,
) -> None:
    """Adagrad's step number `t` (from 1) of one tensor: `g` is read, `p` and `s` are changed in place."""
    g = decayed(-g if maximize else g, p, weight_decay)
    s.addcmul_(g, g)  # s ← s + g²
    root = s.sqrt().add_(max(eps, torch.finfo(p.dtype).tiny))  # in float16 1e-10 rounds to 0, and 0 / 0 would be NaN
    p.addcdiv_(g, root, value=-lr / (1 + (t - 1) * lr_decay))  # θ ← θ − lr g / (√s + ε)


def adadelta(
    g: Tensor,
    p: Tensor,
    v: Tensor,
    d: Tensor,
    *,
    lr: float,
    rho: float,
    weight_decay: float,
    eps: float,
    maximize: bool,
) -> None:
    """Adadelta's step of one tensor: `g` is read, `p`, `v` and `d` are changed in place."""
    g = decayed(-g if maximize else g, p, weight_decay)
    eps = max(eps, torch.finfo(p.dtype).tiny * torch.finfo(p.dtype).eps)  # the dtype's smallest number above 0
    v.mul_(rho).addcmul_(g, g, value=1 - rho)  # v ← ρ v + (1 − ρ) g²
    x = d.add(eps).sqrt_().div_(v.add(eps).sqrt_()).mul_(g)  # x = g √(d + ε) / √(v + ε)
    d.mul_(rho).addcmul_(x, x, value=1 - rho)  # d ← ρ d + (1 − ρ) x²
    p.add_(x, alpha=-lr)  # θ ← θ − lr x


def decayed(g: Tensor, p: Tensor, weight_decay: float) -> Tensor:
    """The gradient `g` with that of the penalty weight_decay/2 · ‖p‖² added to it."""
    return g.add(p, alpha=weight_decay) if weight_decay != 0 else g


class Adagrad(torch.optim.Optimizer):
    """θ ← θ − lr · g / (√s + ε) with s ← s + g², element by element, with one number of state for each weight.

    Arguments, defaults and checkpoints are those of `torch.optim.Adagrad`. Of a sparse gradient only the rows that it
    holds are changed. Complex parameters are updated as pairs of real numbers.

    Args:
        params: tensors, named tensors, or dicts of groups with options of their own.
        lr: step size, in [0, inf); a one-element tensor if a schedule changes it under `torch.compile`.
        lr_decay: in [0, inf); step t is divided by 1 + (t − 1) · lr_decay besides.
        weight_decay: λ in [0, inf); adds λθ to the gradient.
        initial_accumulator_value: what s starts from, in [0, inf).
        eps: added to √s, in [0, inf); raised to the dtype's smallest normal number where it is below.
        maximize: step up the gradient.
        foreach: update small parameters of equal shape together, as one tensor; the numbers are the same.

    Raises:
        ValueError: an option is out of its range.
        RuntimeError: a gradient is sparse and there is weight decay.
    """

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        *,
        maximize: bool = False,
        foreach: bool = True,
    ) -> None:
        defaults = {"lr": lr, "lr_decay": lr_decay, "weight_decay": weight_decay, "eps": eps, "maximize": maximize}
        defaults["foreach"] = foreach
        defaults["initial_accumulator_value"] = initial_accumulator_value
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
            options = {name: group[name] for name in ("lr", "lr_decay", "weight_decay", "eps", "maximize")}
            if not compiling:
                options["lr"] = float(group["lr"])
            alike: dict[Any, list[dict[str, Any]]] = {}
            for p in group["params"]:
                g = p.grad
                if g is None:
                    continue
                if g.is_sparse and group["weight_decay"] != 0:
                    raise RuntimeError("weight_decay must be 0 with sparse gradients: it moves every row")
                state = self.state[p]
                if not state:
                    state["step"] = 0
                    first = group["initial_accumulator_value"]
                    state["sum"] = torch.full_like(p, complex(first, first) if p.is_complex() else first)
                if compiling:  # a new number would compile anew
                    state["step"] = torch.as_tensor(state["step"], dtype=torch.float32)
                state["step"] += 1
                t = state["step"].double() if compiling else float(state["step"])
                if g.is_sparse:
                    g = g.coalesce()  # a row that occurs twice gets the square of its sum
                    rows = tuple(g.indices())
                    place, s = p[rows], state["sum"][rows]
                    adagrad(**as_real(g=g.values(), p=place, s=s), t=t, **options)
                    p[rows], state["sum"][rows] = place, s
                    continue
                row = as_real(g=g, p=p, s=state["sum"])
                if group["foreach"] and not compiling and type(g) is Tensor:
                    alike.setdefault((t, p.shape, p.dtype, p.device), []).append(row)
                else:
                    adagrad(**row, t=t, **options)
            for (t, *_), equals in alike.items():
                for row in together(equals):
                    adagrad(**row, t=t, **options)
        return loss


class Adadelta(torch.optim.Optimizer):
    """θ ← θ − lr · g · √(d + ε) / √(v + ε) with the running means v of g² and d of the squared changes of θ.

    Arguments, defaults and checkpoints are those of `torch.optim.Adadelta`. Two numbers of state for each weight.
    Complex parameters are updated as pairs of real numbers.

    Args:
        params: tensors, named tensors, or dicts of groups with options of their own.
        lr: what the change is multiplied by, in [0, inf); 1 is the paper's rule.
        rho: decay of the running means, in [0, 1).
        eps: added inside both roots, in [0, inf); raised to the dtype's smallest number above 0.
        weight_decay: λ in [0, inf); adds λθ to the gradient.
        maximize: step up the gradient.
        foreach: update small parameters of equal shape together, as one tensor; the numbers are the same.

    Raises:
        ValueError: an option is out of its range.
        RuntimeError: a gradient is sparse.
    """

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        *,
        maximize: bool = False,
        foreach: bool = True,
    ) -> None:
        defaults = {"lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
        defaults["foreach"] = foreach
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
            options = {name: group[name] for name in ("lr", "rho", "weight_decay", "eps", "maximize")}
            if not compiling:
                options["lr"] = float(group["lr"])
            alike: dict[Any, list[dict[str, Any]]] = {}
            for p in group["params"]:
                g = p.grad
                if g is None:
                    continue
                if g.is_sparse:
                    raise RuntimeError("Adadelta does not support sparse gradients")
                state = self.state[p]
                if not state:
                    state["step"] = 0  # not used; torch's checkpoints have it
                    state["square_avg"], state["acc_delta"] = torch.zeros_like(p), torch.zeros_like(p)
                if compiling:  # a new number would compile anew
                    state["step"] = torch.as_tensor(state["step"], dtype=torch.float32)
                state["step"] += 1
                row = as_real(g=g, p=p, v=state["square_avg"], d=state["acc_delta"])
                if group["foreach"] and not compiling and type(g) is Tensor:
                    alike.setdefault((p.shape, p.dtype, p.device), []).append(row)
                else:
                    adadelta(**row, **options)
            for rows in alike.values():
                for row in together(rows):
                    for part in cut(row):
                        adadelta(**part, **options)
        return loss


def as_real(**tensors: Tensor) -> dict[str, Any]:
    """Views in which a complex number is a pair of real ones; real tensors as they are."""
    return {name: torch.view_as_real(x) if x.is_complex() else x for name, x in tensors.items()}


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


def cut(row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A row of large tensors in parts: the tensors that Adadelta makes on the way then stay in the cache."""
    p, size = row["p"], 2**18
    if p.numel() <= size:
        yield row
        return
    lines = max(1, size * len(p) // p.numel())
    for parts in zip(*(x.split(lines) for x in row.values()), strict=True):
        yield dict(zip(row, parts, strict=True))


def check(options: dict[str, Any]) -> None:
    """Refuse an option out of its range, NaN included."""
    names = {"lr", "lr_decay", "rho", "weight_decay", "initial_accumulator_value", "eps"}
    for name in (name for name in options if name in names):
        x, high = options[name], 1 if name == "rho" else math.inf
        one_number = isinstance(x, Real) or (name == "lr" and isinstance(x, Tensor) and x.numel() == 1)
        if not (one_number and 0 <= x < high):
            raise ValueError(f"{name} must be in [0, {high}), got {x!r}")
