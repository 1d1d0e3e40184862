"""SGD: each weight steps against the gradient of a minibatch, or against a decaying sum of such gradients (momentum).

Source: H. Robbins and S. Monro, A Stochastic Approximation Method, 1951, https://doi.org/10.1214/aoms/1177729586;
momentum: B. T. Polyak, Some Methods of Speeding Up the Convergence of Iteration Methods, 1964,
https://doi.org/10.1016/0041-5553(64)90137-5; `nesterov` in the form of I. Sutskever, J. Martens, G. Dahl and
G. Hinton, On the Importance of Initialization and Momentum in Deep Learning, 2013,
https://proceedings.mlr.press/v28/sutskever13.html, written for the point where the gradient is taken, as torch has it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any

import torch
from torch import Tensor

OPTIONS = ("lr", "momentum", "dampening", "weight_decay", "nesterov", "maximize")
SMALL = 2**15  # numbers of a tensor whose arithmetic takes less time than to call it


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
        g = g.neg()
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
        foreach: call each operation of the update once for all small parameters; on a CPU the bits are the same.

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
            tau, together = group["dampening"], group["foreach"] and not compiling
            small: dict[float, list[tuple[Tensor, ...]]] = {}
            for p in group["params"]:
                g = p.grad
                if g is None:
                    continue
                sparse = g.is_sparse
                if sparse and every_row_moves:
                    g, sparse = g.to_dense(), False
                row: tuple[Tensor, ...] = (g, p)
                dampening = tau
                if momentum:
                    state = self.state[p]
                    if state.get("momentum_buffer") is None:
                        state["momentum_buffer"], dampening = torch.zeros_like(p), 0.0
                    row = (g, p, state["momentum_buffer"])
                if together and p.numel() <= SMALL and type(g) is Tensor and not sparse:
                    small.setdefault(dampening, []).append(row)
                else:
                    update(*row, **options | {"dampening": dampening})
            for dampening, rows in small.items():
                lists: list[Any] = [_Many(tensors) for tensors in zip(*rows, strict=True)]
                update(*lists, **options | {"dampening": dampening})
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
    for name, high in (("lr", math.inf), ("momentum", 1), ("dampening", 1), ("weight_decay", math.inf)):
        x = options[name]
        one_number = isinstance(x, Real) or (name == "lr" and isinstance(x, Tensor) and x.numel() == 1)
        if not (one_number and 0 <= x < high):
            raise ValueError(f"{name} must be in [0, {high}), got {x!r}")
    momentum, dampening = options["momentum"], options["dampening"]
    if options["nesterov"] and not (momentum > 0 and dampening == 0):
        raise ValueError(f"nesterov needs momentum above 0 and dampening 0, got {momentum!r} and {dampening!r}")
