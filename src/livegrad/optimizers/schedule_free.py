"""Schedule-Free SGD and AdamW: no schedule and no last step; the result is an average that moves along with the run.

Source: A. Defazio, X. A. Yang, H. Mehta, K. Mishchenko, A. Khaled and A. Cutkosky, The Road Less Scheduled, 2024,
equations (1) to (3) and Algorithm 1, https://arxiv.org/abs/2405.15682; arguments, defaults and the weights of the
average (`r`, `weight_lr_power`, the largest rate so far) are those of the authors' package `schedulefree`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Real
from typing import Any

import torch
from torch import Tensor


def move(y: Tensor, z: Tensor, step: Tensor, *, lr: float, c: float, beta: float) -> None:
    """z ← z − γ · step; x ← (1 − c) x + c z; y ← (1 − β) z + β x: with x = z + (y − z) / β put in, no x is needed."""
    y.mul_(1 - c).add_(z, alpha=c)  # y ← (1 − c) y + c z, with the old z, and then its part of the step
    y.add_(step, alpha=-lr * (1 - beta * (1 - c)))
    z.add_(step, alpha=-lr)


class _Modes:
    """The part that both classes share: two modes, the loop over the parameters, the weights of the average."""

    param_groups: list[dict[str, Any]]
    state: Any
    defaults: dict[str, Any]

    def direction(self, g: Tensor, y: Tensor, state: dict[str, Any], group: dict[str, Any], t: float) -> Any:
        """What z walks along, as tensors of real numbers, and the factor of the rate at step `t`."""
        raise NotImplementedError

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters with options of their own, in the mode of the others."""
        check(self.defaults | param_group)
        super().add_param_group(param_group)  # type: ignore[misc]
        self.param_groups[-1]["train_mode"] = self.param_groups[0]["train_mode"]

    @torch.no_grad()
    def eval(self) -> None:
        """Put the average x into the parameters: call it before evaluating or saving the model."""
        for group in self.param_groups:
            for p in group["params"]:
                if group["train_mode"] and p in self.state:
                    state = self.state[p]
                    state["y"] = p.clone()  # kept: computed back from x and z it would differ by rounding
                    p.copy_(torch.lerp(state["z"], p, 1 / state["beta"]))
            group["train_mode"] = False

    @torch.no_grad()
    def train(self) -> None:
        """Put y, where gradients are taken, back into the parameters, bit for bit: call it before training goes on."""
        for group in self.param_groups:
            for p in group["params"]:
                if not group["train_mode"] and p in self.state:
                    p.copy_(self.state[p].pop("y"))
            group["train_mode"] = True

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Update every parameter that has a gradient; `closure` is called first, and its loss returned."""
        name = type(self).__name__
        if not all(group["train_mode"] for group in self.param_groups):
            raise RuntimeError(f"{name}.step() needs train() before it: after eval() the parameters hold the average x")
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        compiling = torch.compiler.is_compiling()  # then numbers stay tensors: a new one would compile anew
        for group in self.param_groups:
            beta = group["momentum"] if "momentum" in group else group["betas"][0]
            for p in group["params"]:
                if p.grad is None:
                    continue
                if p.grad.is_sparse:
                    raise RuntimeError(f"{name} does not support sparse gradients")
                state = self.state[p]
                if not state:
                    for number in ("step", "weight_sum", "lr_max"):
                        state[number] = torch.tensor(0.0, dtype=torch.float64) if compiling else 0.0
                    state["z"], state["beta"] = p.clone(), beta  # x = y = z
                state["step"] += 1
                t = state["step"] if compiling else float(state["step"])
                tensors = [p.grad, p, state["z"]]
                if p.is_complex():
                    tensors = [torch.view_as_real(tensor) for tensor in tensors]
                g, y, z = tensors
                step, factor = self.direction(g, y, state, group, t)
                lr = group["lr"] if compiling else float(group["lr"])
                lr = lr * factor * min(t / max(group["warmup_steps"], 1), 1.0)
                state["lr_max"] = max(state["lr_max"], lr)
                weight = t ** group["r"] * state["lr_max"] ** group["weight_lr_power"]
                state["weight_sum"] = state["weight_sum"] + weight
                c = weight / max(state["weight_sum"], 1e-300)  # 0 and not 0 / 0 while the rate is 0
                if state["beta"] != beta:  # a schedule has changed β: y moves along the line from z to x
                    y.copy_(torch.lerp(z, y, beta / state["beta"]))
                    state["beta"] = beta
                move(y, z, step, lr=lr, c=c, beta=beta)
        return loss


class SGDScheduleFree(_Modes, torch.optim.Optimizer):  # type: ignore[misc]
    """z walks like SGD with gradients taken at y = (1 − β) z + β x, and x is the average of all z.

    While training the parameters hold y. The result is x: `eval()` puts it in, `train()` puts y back, and both leave
    the run as it was, bit for bit. Training mode is on at first; a checkpoint may be written in either mode.
    One number of state for each weight, as SGD with momentum has, and one more in evaluation mode.

    Args:
        params: tensors, named tensors, or dicts of groups with options of their own.
        lr: step size γ, in [0, inf), often ten times that of SGD with momentum.
        momentum: β in (0, 1]; near 1 the gradient is taken near the average.
        weight_decay: λ in [0, inf); λ y is added to the gradient.
        warmup_steps: the rate rises in a straight line over so many steps of a parameter.
        r: step t counts tʳ times in the average, r in [0, inf); above 0 the past is forgotten sooner.
        weight_lr_power: a step also counts as this power of the largest rate so far, in [0, inf).

    Raises:
        ValueError: an option is out of its range.
        RuntimeError: a step in evaluation mode, or a sparse gradient.
    """

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1.0,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        warmup_steps: int = 0,
        r: float = 0.0,
        weight_lr_power: float = 2.0,
    ) -> None:
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "warmup_steps": warmup_steps}
        defaults |= {"r": r, "weight_lr_power": weight_lr_power, "train_mode": True}
        check(defaults)
        super().__init__(params, defaults)

    def direction(self, g: Tensor, y: Tensor, state: dict[str, Any], group: dict[str, Any], t: float) -> Any:
        """The gradient, with the decay of the weights that it was taken at."""
        return (g.add(y, alpha=group["weight_decay"]) if group["weight_decay"] else g), 1.0


class AdamWScheduleFree(_Modes, torch.optim.Optimizer):  # type: ignore[misc]
    """z walks like AdamW without momentum, with gradients taken at y = (1 − β₁) z + β₁ x; x is the average of all z.

    _Modes and checkpoints are those of `SGDScheduleFree`. Two numbers of state for each weight, as Adam has. As in
    the paper γ = lr · √(1 − β₂ᵗ), also in the weights of the average; version 1.4.1 of the package corrects v instead.

    Args:
        params: tensors, named tensors, or dicts of groups with options of their own.
        lr: step size, in [0, inf), up to ten times that of AdamW.
        betas: β₁ in (0, 1], the place of y between z and x; β₂ in [0, 1), the decay of the mean square.
        eps: added to √v, in [0, inf); raised to the dtype's smallest normal number where it is below.
        weight_decay: λ in [0, inf); γ λ y is taken from z.
        warmup_steps: the rate rises in a straight line over so many steps of a parameter.
        r: step t counts tʳ times in the average, r in [0, inf); above 0 the past is forgotten sooner.
        weight_lr_power: a step also counts as this power of the largest rate so far, in [0, inf).

    Raises:
        ValueError: an option is out of its range.
        RuntimeError: a step in evaluation mode, or a sparse gradient.
    """

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 0.0025,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        warmup_steps: int = 0,
        r: float = 0.0,
        weight_lr_power: float = 2.0,
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "warmup_steps": warmup_steps}
        defaults |= {"r": r, "weight_lr_power": weight_lr_power, "train_mode": True}
        check(defaults)
        super().__init__(params, defaults)

    def direction(self, g: Tensor, y: Tensor, state: dict[str, Any], group: dict[str, Any], t: float) -> Any:
        """The gradient divided by its usual size, with the decay of y; the factor corrects v, which starts at 0."""
        beta2 = group["betas"][1]
        if "exp_avg_sq" not in state:
            state["exp_avg_sq"] = torch.zeros_like(state["z"])
        v = torch.view_as_real(state["exp_avg_sq"]) if state["z"].is_complex() else state["exp_avg_sq"]
        v.mul_(beta2).addcmul_(g, g, value=1 - beta2)  # v ← β₂ v + (1 − β₂) g²
        eps = max(group["eps"], torch.finfo(v.dtype).tiny)  # in float16 1e-8 rounds to 0, and 0 / 0 would be NaN
        step = g / v.sqrt().add_(eps)
        if group["weight_decay"]:
            step.add_(y, alpha=group["weight_decay"])
        return step, (1 - power(beta2, t)) ** 0.5


def power(beta: float, t: Any) -> Any:
    """βᵗ. In a compiled step t is a tensor: it computes an exp once, but a power anew for every few weights."""
    return torch.exp(t * math.log(beta or 1e-300)) if isinstance(t, Tensor) else beta**t


def check(options: dict[str, Any]) -> None:
    """Refuse an option out of its range, NaN included."""
    betas: Any = options.get("betas", (options.get("momentum"), 0.0))
    if not (isinstance(betas, tuple | list) and len(betas) == 2):
        raise ValueError(f"betas must be two numbers, got {betas!r}")
    for name in ("lr", "eps", "weight_decay", "warmup_steps", "r", "weight_lr_power"):
        x: Any = options.get(name, 0)
        one_number = isinstance(x, Real) or (name == "lr" and isinstance(x, Tensor) and x.numel() == 1)
        if not (one_number and 0 <= x < math.inf):
            raise ValueError(f"{name} must be in [0, inf), got {x!r}")
    beta, is_number = betas[0], isinstance(betas[0], Real)
    if not (is_number and 0 < beta <= 1):
        raise ValueError(f"{'momentum' if 'momentum' in options else 'betas[0]'} must be in (0, 1], got {beta!r}")
    beta, is_number = betas[1], isinstance(betas[1], Real)
    if not (is_number and 0 <= beta < 1):
        raise ValueError(f"betas[1] must be in [0, 1), got {beta!r}")
