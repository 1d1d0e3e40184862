"""AdaMax, NAdam and RAdam: Adam with another denominator, a look ahead, and a start that waits for a trusted scale.

Source: D. P. Kingma and J. Ba, Adam: A Method for Stochastic Optimization, 2015, Algorithm 2 (AdaMax),
https://arxiv.org/abs/1412.6980; T. Dozat, Incorporating Nesterov Momentum into Adam, 2016,
https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ; L. Liu, H. Jiang, P. He, W. Chen, X. Liu, J. Gao and J. Han, On
the Variance of the Adaptive Learning Rate and Beyond, 2020, Algorithm 2 (RAdam), https://arxiv.org/abs/1908.03265.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Real
from typing import Any

import torch
from torch import Tensor


def adamax(
    g: Tensor,
    p: Tensor,
    m: Tensor,
    u: Tensor,
    *,
    t: float,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
    maximize: bool,
) -> None:
    """AdaMax's step number `t` (from 1) of one tensor: `g` is read, `p`, `m` and `u` are changed in place."""
    g = with_decay(-g if maximize else g, p, lr, weight_decay, decoupled=False)
    m.lerp_(g, 1 - betas[0])  # m ← β₁ m + (1 − β₁) g
    torch.maximum(u.mul_(betas[1]), g.abs().add_(at_least_tiny(eps, p)), out=u)  # u ← max(β₂ u, |g| + ε)
    p.addcdiv_(m, u, value=-lr / (1 - betas[0] ** t))  # θ ← θ − lr m̂ / u: a maximum needs no correction


def nadam(
    g: Tensor,
    p: Tensor,
    m: Tensor,
    v: Tensor,
    *,
    t: float,
    mu: float,
    mu_next: float,
    product: float,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
    decoupled_weight_decay: bool,
    maximize: bool,
) -> None:
    """NAdam's step number `t` (from 1) of one tensor: `g` is read, `p`, `m` and `v` are changed in place.

    `mu` and `mu_next` are the momenta of this step and of the next, `product` is that of all momenta up to this step.
    """
    g = with_decay(-g if maximize else g, p, lr, weight_decay, decoupled=decoupled_weight_decay)
    m.lerp_(g, 1 - betas[0])  # m ← β₁ m + (1 − β₁) g
    v.mul_(betas[1]).addcmul_(g, g, value=1 - betas[1])  # v ← β₂ v + (1 − β₂) g²
    root = (v / (1 - betas[1] ** t)).sqrt_().add_(at_least_tiny(eps, p))
    # θ ← θ − lr ((1 − μₜ) g / (1 − μ₁⋯μₜ) + μₜ₊₁ m / (1 − μ₁⋯μₜ₊₁)) / (√v̂ + ε)
    p.addcdiv_(g, root, value=-lr * (1 - mu) / (1 - product))
    p.addcdiv_(m, root, value=-lr * mu_next / (1 - product * mu_next))


def momentum(t: Any, beta1: float, momentum_decay: float) -> Any:
    """NAdam's momentum of step `t`: μₜ = β₁ (1 − 0.96^(t · momentum_decay) / 2), from about β₁ / 2 up to β₁.

    `t` may be a tensor.
    """
    return beta1 * (1 - 0.5 * 0.96 ** (t * momentum_decay))


def radam(
    g: Tensor,
    p: Tensor,
    m: Tensor,
    v: Tensor,
    *,
    t: float,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
    decoupled_weight_decay: bool,
    maximize: bool,
) -> None:
    """RAdam's step number `t` (from 1) of one tensor: `g` is read, `p`, `m` and `v` are changed in place."""
    g = with_decay(-g if maximize else g, p, lr, weight_decay, decoupled=decoupled_weight_decay)
    m.lerp_(g, 1 - betas[0])  # m ← β₁ m + (1 − β₁) g
    v.mul_(betas[1]).addcmul_(g, g, value=1 - betas[1])  # v ← β₂ v + (1 − β₂) g²
    r = rectification(t, betas[1])
    size, root = -lr / (1 - betas[0] ** t), (1 - betas[1] ** t) ** 0.5
    eps = at_least_tiny(eps, p)
    if isinstance(r, Tensor):  # in a compiled graph both cases are computed, and one is taken
        p.addcdiv_(m, torch.where(r > 0, v.sqrt().add_(eps) / (r * root), 1), value=size)
    elif r > 0:
        p.addcdiv_(m, v.sqrt().add_(eps), value=size * r * root)  # θ ← θ − lr r m̂ √(1 − β₂ᵗ) / (√v + ε)
    else:
        p.add_(m, alpha=size)  # θ ← θ − lr m̂: the scale is not trusted yet


def rectification(t: Any, beta2: float) -> Any:
    """RAdam's factor r of step `t` (from 1), in (0, 1); 0 while ρₜ ≤ 5, where the second mean is not used.

    ρₜ counts the gradients that the second mean averages over: about t at first, in the end ρ∞ = 2 / (1 − β₂) − 1.
    The paper begins at ρₜ > 4; its authors' code, torch and this file a step later. `t` may be a tensor.
    """
    rho_inf = 2 / (1 - beta2) - 1
    rho = rho_inf - 2 * t * beta2**t / (1 - beta2**t)
    if rho_inf <= 5:
        return 0 * rho
    square = (rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho)
    return torch.where(rho > 5, square, 0).sqrt() if isinstance(rho, Tensor) else math.sqrt(square) if rho > 5 else 0.0


def with_decay(g: Tensor, p: Tensor, lr: float, weight_decay: float, *, decoupled: bool) -> Tensor:
    """The gradient with λθ added; if `decoupled`, θ is made smaller by the share lr · λ instead."""
    if weight_decay != 0 and decoupled:
        p.mul_(1 - lr * weight_decay)
    return g if weight_decay == 0 or decoupled else g.add(p, alpha=weight_decay)


def at_least_tiny(eps: float, p: Tensor) -> float:
    """`eps`, or the smallest normal number of the dtype: in float16 1e-8 rounds to 0, and 0 / 0 would be NaN."""
    return max(eps, torch.finfo(p.dtype).tiny)


class Adamax(torch.optim.Optimizer):
    """θ ← θ − lr · m̂ / u with u ← max(β₂ u, |g| + ε), element by element, with two numbers of state for each weight.

    Arguments, defaults and checkpoints are those of `torch.optim.Adamax`. Complex parameters are updated as pairs of
    real numbers. A parameter without a gradient is left alone, and its count of steps does not advance.

    Args:
        params: tensors, named tensors, or dicts of groups with options of their own.
        lr: step size, in [0, inf); a one-element tensor if a schedule changes it under `torch.compile`.
        betas: decay of the mean and of the maximum, each in [0, 1).
        eps: added to |g|, in [0, inf), as torch does; raised to the dtype's smallest normal number where it is below.
        weight_decay: λ in [0, inf); adds λθ to the gradient.
        maximize: step up the gradient.

    Raises:
        ValueError: an option is out of its range.
        RuntimeError: a gradient is sparse.
    """

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
        check(defaults)
        super().__init__(params, defaults)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        check(self.defaults | param_group)
        super().add_param_group(param_group)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Update every parameter that has a gradient; `closure` is called first, and its loss returned."""
        loss = call(closure)
        for _, tensors, options in turns(self, "exp_inf", "lr", "betas", "eps", "weight_decay", "maximize"):
            adamax(*tensors, **options)
        return loss


class NAdam(torch.optim.Optimizer):
    """Adam whose step already contains the present gradient with the weight that it will have in the next one.

    Arguments, defaults and checkpoints are those of `torch.optim.NAdam`. Complex parameters are updated as pairs of
    real numbers. A parameter without a gradient is left alone, and its count of steps does not advance.

    Args:
        params: tensors, named tensors, or dicts of groups with options of their own.
        lr: step size, in [0, inf); a one-element tensor if a schedule changes it under `torch.compile`.
        betas: decay of the mean and of the mean square, each in [0, 1); the momentum rises to the first.
        eps: added to √v̂, in [0, inf); raised to the dtype's smallest normal number where it is below.
        weight_decay: λ in [0, inf).
        momentum_decay: ψ in [0, inf): how fast the momentum rises; 0 keeps it at half of `betas[0]`.
        decoupled_weight_decay: take the share lr · λ from each weight, as AdamW, in place of adding λθ to the gradient.
        maximize: step up the gradient.

    Raises:
        ValueError: an option is out of its range.
        RuntimeError: a gradient is sparse.
    """

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
        defaults |= {"momentum_decay": momentum_decay, "decoupled_weight_decay": decoupled_weight_decay}
        check(defaults)
        super().__init__(params, defaults)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        check(self.defaults | param_group)
        super().add_param_group(param_group)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Update every parameter that has a gradient; `closure` is called first, and its loss returned."""
        loss = call(closure)
        names = ("lr", "betas", "eps", "weight_decay", "momentum_decay", "decoupled_weight_decay", "maximize")
        for state, tensors, options in turns(self, "exp_avg_sq", *names):
            schedule = options["betas"][0], options.pop("momentum_decay")
            mu, mu_next = momentum(options["t"], *schedule), momentum(options["t"] + 1, *schedule)
            # A Python number, since loading would cast a tensor to the dtype of the weight. torch's is a tensor.
            product = state.get("mu_product", 1.0)
            product = product if torch.compiler.is_compiling() else float(product)
            state["mu_product"] = product * mu
            nadam(*tensors, mu=mu, mu_next=mu_next, product=product * mu, **options)
        return loss


class RAdam(torch.optim.Optimizer):
    """θ ← θ − lr · r · m̂ / √v̂ with a factor r < 1 that rises to 1; the first five steps are lr · m̂.

    Arguments, defaults and checkpoints are those of `torch.optim.RAdam`. Complex parameters are updated as pairs of
    real numbers. A parameter without a gradient is left alone, and its count of steps does not advance.

    Args:
        params: tensors, named tensors, or dicts of groups with options of their own.
        lr: step size, in [0, inf); a one-element tensor if a schedule changes it under `torch.compile`.
        betas: decay of the mean and of the mean square, each in [0, 1); with the second at most 2/3, every step is
            one of momentum.
        eps: added to √v, in [0, inf), as torch does; raised to the dtype's smallest normal number where it is below.
        weight_decay: λ in [0, inf).
        decoupled_weight_decay: take the share lr · λ from each weight, as AdamW, in place of adding λθ to the gradient.
        maximize: step up the gradient.

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
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
        defaults["decoupled_weight_decay"] = decoupled_weight_decay
        check(defaults)
        super().__init__(params, defaults)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        check(self.defaults | param_group)
        super().add_param_group(param_group)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Update every parameter that has a gradient; `closure` is called first, and its loss returned."""
        loss = call(closure)
        names = ("lr", "betas", "eps", "weight_decay", "decoupled_weight_decay", "maximize")
        for _, tensors, options in turns(self, "exp_avg_sq", *names):
            radam(*tensors, **options)
        return loss


def turns(
    optimizer: torch.optim.Optimizer, second: str, *names: str
) -> list[tuple[dict[str, Any], list[Tensor], dict[str, Any]]]:
    """State, tensors (gradient, parameter, two of state) and options of each parameter that steps; its t advances."""
    compiling = torch.compiler.is_compiling()  # then t stays a tensor: a new number would compile anew
    found = []
    for group in optimizer.param_groups:
        options = {name: group[name] for name in names}
        if not compiling:
            options["lr"] = float(group["lr"])
        for p in group["params"]:
            if p.grad is None:
                continue
            if p.grad.is_sparse:
                raise RuntimeError(f"{type(optimizer).__name__} does not support sparse gradients")
            state = optimizer.state[p]
            if not state:
                state["step"] = torch.tensor(0.0) if compiling else 0
                state["exp_avg"], state[second] = torch.zeros_like(p), torch.zeros_like(p)
            state["step"] += 1
            t = state["step"] if compiling else float(state["step"])
            tensors = [p.grad, p, state["exp_avg"], state[second]]
            tensors = [torch.view_as_real(x) for x in tensors] if p.is_complex() else tensors
            found.append((state, tensors, options | {"t": t}))
    return found


def call(closure: Callable[[], float] | None) -> float | None:
    """The loss that `closure` returns, with gradients on."""
    with torch.enable_grad():
        return None if closure is None else closure()


def check(options: dict[str, Any]) -> None:
    """Refuse an option out of its range, NaN included."""
    betas = options["betas"]
    if not (isinstance(betas, tuple | list) and len(betas) == 2):
        raise ValueError(f"betas must be two numbers, got {betas!r}")
    names = [name for name in ("lr", "eps", "weight_decay", "momentum_decay") if name in options]
    ranges = [(name, options[name], math.inf) for name in names]
    for name, x, high in [*ranges, ("betas[0]", betas[0], 1), ("betas[1]", betas[1], 1)]:
        one_number = isinstance(x, Real) or (name == "lr" and isinstance(x, Tensor) and x.numel() == 1)
        if not (one_number and 0 <= x < high):
            raise ValueError(f"{name} must be in [0, {high}), got {x!r}")
