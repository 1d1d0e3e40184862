"""SAM: climb a little, take the gradient there, go back, and step with it: a step for the neighborhood, not the point.

Source: P. Foret, A. Kleiner, H. Mobahi and B. Neyshabur, Sharpness-Aware Minimization for Efficiently Improving
Generalization, 2021, Algorithm 1 with p = 2 in equation (2), https://arxiv.org/abs/2010.01412
"""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Real
from typing import Any

import torch
from torch import Tensor


class SAM(torch.optim.Optimizer):
    """The base optimizer's step at w, with the gradient taken at w + ε, where ε = ρ g / ‖g‖ and g the gradient at w.

    `step(closure)` does it all: the closure clears the gradients, computes them anew and returns the loss; it is called
    twice, and the loss of the first call, at w, is returned. Without a closure, call `first_step()` after the first
    backward pass and `second_step()` after the second. ‖g‖ is the norm of all gradients of all groups, taken as one
    vector. Groups, state and checkpoints are those of the base optimizer, with `rho` added to each group.

    Args:
        params: tensors, named tensors, or dicts of groups with options of their own.
        base_optimizer: the class that makes the step, called with `params` and `options`.
        rho: ρ, how far to climb, in [0, inf); at 0 only the base optimizer is left, at twice its price.
        options: arguments of the base optimizer, such as `lr`.

    Raises:
        ValueError: `rho` is out of its range.
        TypeError: a step without a closure, or an option that the base optimizer does not know.
        RuntimeError: `first_step` and `second_step` do not take turns, or a gradient is sparse.
    """

    def __init__(
        self,
        params: Any,
        base_optimizer: Callable[..., torch.optim.Optimizer] = torch.optim.SGD,
        rho: float = 0.05,
        **options: Any,
    ) -> None:
        self.base_optimizer = base_optimizer(params, **options)
        self.left: list[tuple[Tensor, Tensor]] | None = None  # between the two steps: parameters, and where they were
        super().__init__(self.base_optimizer.param_groups, {"rho": rho, **self.base_optimizer.defaults})
        self.state, self.base_optimizer.param_groups = self.base_optimizer.state, self.param_groups  # one and the same

    def __getstate__(self) -> dict[str, Any]:
        return super().__getstate__() | {"base_optimizer": self.base_optimizer, "left": self.left}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # also called by load_state_dict, which makes new groups and a new state
        self.base_optimizer.__setstate__({"state": self.state, "param_groups": self.param_groups})

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        rho = param_group.setdefault("rho", self.defaults["rho"])
        if not (isinstance(rho, Real) and 0 <= float(rho) < math.inf):
            raise ValueError(f"rho must be in [0, inf), got {rho!r}")
        if self.param_groups is self.base_optimizer.param_groups:
            self.base_optimizer.add_param_group(param_group)
        else:  # called by __init__, with the groups of the base optimizer
            super().add_param_group(param_group)

    @torch.no_grad()
    def first_step(self) -> None:
        """Climb: w ← w + ρ g / ‖g‖, with the gradients that are there."""
        if self.left is not None:
            raise RuntimeError("first_step() was called twice, second_step() must come between")
        climbing = [(p, p.grad, group["rho"]) for group in self.param_groups for p in group["params"]]
        climbing = [(p, g, rho) for p, g, rho in climbing if g is not None]
        if any(g.is_sparse for _, g, _ in climbing):
            raise RuntimeError("SAM does not support sparse gradients")
        norm = length([g for _, g, _ in climbing])
        self.left = [(p, p.clone()) for p, _, _ in climbing]  # w + ε − ε would differ from w by rounding
        for p, g, rho in climbing:
            if norm > 0:
                p.add_((wide(g) * (rho / norm)).to(p.dtype))

    @torch.no_grad()
    def second_step(self) -> None:
        """Go back to w, bit for bit, and let the base optimizer step with the gradients that are there now."""
        if self.left is None:
            raise RuntimeError("second_step() needs first_step() before it")
        self.back()
        self.base_optimizer.step()

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Both steps; `closure` is called at w and at w + ε, and its loss at w returned."""
        if closure is None:
            gradients = [p.grad for group in self.param_groups for p in group["params"] if p.grad is not None]
            if not any(g.is_sparse for g in gradients) and length(gradients) == 0:
                return self.base_optimizer.step()  # nowhere to climb: torch's tools for checkpoints make state so
            raise TypeError(
                "SAM.step() needs a closure, because it takes two gradients; or use first_step, second_step"
            )
        try:
            with torch.enable_grad():
                loss = closure()
            self.first_step()
            with torch.enable_grad():
                closure()
        except BaseException:  # an interrupt too: nobody should be left on the hill
            self.back()
            raise
        self.second_step()
        return loss

    @torch.no_grad()
    def back(self) -> None:
        """Undo `first_step`: put the parameters back where they were."""
        for p, old in self.left or ():
            p.copy_(old)
        self.left = None


def length(gradients: list[Tensor]) -> float:
    """The norm of all gradients as one vector; of tensors that lie in pieces on several machines, of the whole."""
    norms = [torch.linalg.vector_norm(wide(g)) for g in gradients]
    return math.hypot(*(float(n.full_tensor() if hasattr(n, "full_tensor") else n) for n in norms))


def wide(g: Tensor) -> Tensor:
    """At least float32: the squares of float16 gradients would overflow or vanish."""
    return g.to(torch.promote_types(g.dtype, torch.float32))
