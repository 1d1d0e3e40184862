"""RMSprop: each weight steps by its gradient over the root of a running mean of the gradient's square.

Source: T. Tieleman and G. Hinton, Neural Networks for Machine Learning, lecture 6.5, 2012,
https://www.cs.toronto.edu/~tijmen/csc321/slides/lecture_slides_lec6.pdf; `centered` after A. Graves, Generating
Sequences With Recurrent Neural Networks, 2013, https://arxiv.org/abs/1308.0850, with ε outside the
root and the learning rate outside the momentum, as torch has it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from numbers import Real
from typing import Any

import torch
from torch import Tensor

OPTIONS = ("lr", "alpha", "eps", "weight_decay", "momentum", "maximize")


def update(
    g: Tensor,
    p: Tensor,
    v: Tensor,
    mean: Tensor | None = None,
    m: Tensor | None = None,
    *,
    lr: float,
    alpha: float,
    eps: float,
    weight_decay: float,
    momentum: float,
    maximize: bool,
) -> None:
    """Step of one tensor: `g` is read, the others are changed in place; `mean` is for `centered`, `m` for momentum."""
    if maximize:
        g = -g
    if weight_decay != 0:
        g = g.add(p, alpha=weight_decay)
    v.mul_(alpha).addcmul_(g, g, value=1 - alpha)  # v ← α v + (1 − α) g²
    if mean is None:
        root = v.sqrt()
    else:
        mean.lerp_(g, 1 - alpha)  # ḡ ← α ḡ + (1 − α) g
        root = v.addcmul(mean, mean, value=-1).clamp_(min=0).sqrt_()  # v − ḡ² may round to less than 0
    root.add_(max(eps, torch.finfo(p.dtype).tiny))  # in float16 1e-8 rounds to 0, and 0 / 0 would be NaN
    if m is None:
        p.addcdiv_(g, root, value=-lr)  # θ ← θ − lr g / (√v + ε)
    else:
        m.mul_(momentum).addcdiv_(g, root)  # m ← μ m + g / (√v + ε)
        p.add_(m, alpha=-lr)  # θ ← θ − lr m


class RMSprop(torch.optim.Optimizer):
    """θ ← θ − lr · g / (√v + ε) with v ← α v + (1 − α) g², element by element.

    Arguments, defaults and checkpoints are those of `torch.optim.RMSprop`; its later positional arguments are keywords
    here. The state is one number for each weight, one more with `centered`, one more with momentum. Complex parameters
    are updated as pairs of real numbers. Where torch takes the root of a variance that rounding made negative, and
    returns NaN, this file takes the root of 0.

    Args:
        params: tensors, named tensors, or dicts of groups with options of their own.
        lr: step size, in [0, inf); a one-element tensor if a schedule changes it under `torch.compile`.
        alpha: decay of the running means, in [0, 1).
        eps: added to the root, in [0, inf); raised to the dtype's smallest normal number where it is below.
        weight_decay: λ in [0, inf); adds λθ to the gradient.
        momentum: μ in [0, 1); sums the divided gradients, as in heavy-ball momentum.
        centered: divide by the standard deviation of the gradient instead of its root mean square.
        maximize: step up the gradient.
        foreach: update small parameters of equal shape together, as one tensor; the numbers are the same.

    Raises:
        ValueError: an option is out of its range.
        RuntimeError: a gradient is sparse.
    """

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        *,
        maximize: bool = False,
        foreach: bool = True,
    ) -> None:
        defaults = {"lr": lr, "alpha": alpha, "eps": eps, "weight_decay": weight_decay}
        defaults |= {"momentum": momentum, "centered": centered, "maximize": maximize, "foreach": foreach}
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
            # The step count is not used; torch's checkpoints have it.
            names = {"v": "square_avg"}
            names |= {"mean": "grad_avg"} if group["centered"] else {}
            names |= {"m": "momentum_buffer"} if group["momentum"] > 0 else {}
            alike: dict[Any, list[dict[str, Any]]] = {}
            for p in group["params"]:
                g = p.grad
                if g is None:
                    continue
                if g.is_sparse:
                    raise RuntimeError("RMSprop does not support sparse gradients")
                state = self.state[p]
                if not state:
                    state["step"] = 0
                if compiling:  # a new number would compile anew
                    state["step"] = torch.as_tensor(state["step"], dtype=torch.float32)
                state["step"] += 1
                for name in names.values():
                    if name not in state:
                        state[name] = torch.zeros_like(p)
                row: dict[str, Any] = {"g": g, "p": p} | {letter: state[name] for letter, name in names.items()}
                if p.is_complex():
                    row = {letter: torch.view_as_real(x) for letter, x in row.items()}
                if group["foreach"] and not compiling and type(g) is Tensor:
                    alike.setdefault((p.shape, p.dtype, p.device), []).append(row)
                else:
                    update(**row, **options)
            for rows in alike.values():
                for row in together(rows):
                    update(**row, **options)
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
    ranges = {"lr": math.inf, "alpha": 1, "eps": math.inf, "weight_decay": math.inf, "momentum": 1}
    for name, high in ranges.items():
        x = options[name]
        one_number = isinstance(x, Real) or (name == "lr" and isinstance(x, Tensor) and x.numel() == 1)
        if not (one_number and 0 <= x < high):
            raise ValueError(f"{name} must be in [0, {high}), got {x!r}")
