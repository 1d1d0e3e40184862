"""AdaMax, NAdam and RAdam: Adam with another denominator, a look ahead, and a start that waits for a trusted scale.

Source: D. P. Kingma and J. Ba, Adam: A Method for Stochastic Optimization, 2015, Algorithm 2 (AdaMax),
https://arxiv.org/abs/1412.6980; T. Dozat, Incorporating Nesterov Momentum into Adam, 2016,
https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ; L. Liu, H. Jiang, P. He, W. Chen, X. Liu, J. Gao and J. Han, On
the Variance of the Adaptive Learning Rate and Beyond, 2020, Algorithm 2 (RAdam), https://arxiv.org/abs/1908.03265.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
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
    p.addcdiv_(m, u, value=-lr / (1 - power(betas[0], t)))  # θ ← θ − lr m̂ / u: a maximum needs no correction


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
    root = (v / (1 - power(betas[1], t))).sqrt_().add_(at_least_tiny(eps, p))
    # θ ← θ − lr ((1 − μₜ) g / (1 − μ₁⋯μₜ) + μₜ₊₁ m / (1 − μ₁⋯μₜ₊₁)) / (√v̂ + ε)
    p.addcdiv_(g, root, value=-lr * (1 - mu) / (1 - product))
    p.addcdiv_(m, root, value=-lr * mu_next / (1 - product * mu_next))


def momentum(t: Any, beta1: float, momentum_decay: float) -> Any:
    """NAdam's momentum of step `t`: μₜ = β₁ (1 − 0.96^(t · momentum_decay) / 2), from about β₁ / 2 up to β₁.

    `t` may be a tensor.
    """
    return beta1 * (1 - 0.5 * power(0.96, t * momentum_decay))


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
    size, root = -lr / (1 - power(betas[0], t)), (1 - power(betas[1], t)) ** 0.5
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
    rho = rho_inf - 2 * t * power(beta2, t) / (1 - power(beta2, t))
    if rho_inf <= 5:
        return 0 * rho
    square = (rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho)
    return torch.where(rho > 5, square, 0).sqrt() if isinstance(rho, Tensor) else math.sqrt(square) if rho > 5 else 0.0


def power(beta: float, t: Any) -> Any:
    """βᵗ. In a compiled step t is a tensor: it computes an exp once, but a power anew for every few weights."""
    return torch.exp(t * math.log(beta or 1e-300)) if isinstance(t, Tensor) else beta**t


def with_decay(g: Tensor, p: Tensor, lr: float, weight_decay: float, *, decoupled: bool) -> Tensor:
    """The gradient with λθ added; if `decoupled`, θ is made smaller by the share lr · λ instead."""
    if weight_decay != 0 and decoupled:
        p.mul_(1 - lr * weight_decay)
    return g if weight_decay == 0 or decoupled else g.add(p, alpha=weight_decay)


def at_least_tiny(eps: float, p: Tensor) -> float:
    """`eps`, or the smallest normal number of the dtype: in float16 1e-8 rounds to 0, and 0 / 0 would be NaN."""
    return max(eps, torch.finfo(p.dtype).tiny)


class _TwoMoments(torch.optim.Optimizer):
    """The loop of the three classes: each names its update, the options of it, and its second tensor of state."""

    update: Callable[..., None]
    options: tuple[str, ...]
    second = ("v", "exp_avg_sq")  # the name in the update, and that in the state

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
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
        letter, second = self.second
        for group in self.param_groups:
            options = {name: group[name] for name in self.options}
            if not compiling:
                options["lr"] = float(group["lr"])
            alike: dict[Any, tuple[dict[str, Any], list[dict[str, Any]]]] = {}
            for p in group["params"]:
                g = p.grad
                if g is None:
                    continue
                if g.is_sparse:
                    raise RuntimeError(f"{type(self).__name__} does not support sparse gradients")
                state = self.state[p]
                if not state:
                    state["step"] = 0
                    state["exp_avg"], state[second] = torch.zeros_like(p), torch.zeros_like(p)
                if compiling:  # a new number would compile anew
                    state["step"] = torch.as_tensor(state["step"], dtype=torch.float32)
                state["step"] += 1
                numbers = self._numbers(state["step"].double() if compiling else float(state["step"]), state, group)
                row: dict[str, Any] = {"g": g, "p": p, "m": state["exp_avg"], letter: state[second]}
                if p.is_complex():
                    row = {name: torch.view_as_real(x) for name, x in row.items()}
                if group["foreach"] and not compiling and type(g) is Tensor:
                    key = (*numbers.values(), p.shape, p.dtype, p.device)
                    alike.setdefault(key, (numbers, []))[1].append(row)
                else:
                    self.update(**row, **numbers, **options)
            for numbers, rows in alike.values():
                for row in together(rows):
                    self.update(**row, **numbers, **options)
        return loss

    def _numbers(self, t: Any, state: dict[str, Any], group: dict[str, Any]) -> dict[str, Any]:
        """What the update of one parameter needs besides tensors and options: its step number t."""
        return {"t": t}


class Adamax(_TwoMoments):
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
        foreach: update small parameters of equal shape together, as one tensor; the numbers are the same.

    Raises:
        ValueError: an option is out of its range.
        RuntimeError: a gradient is sparse.
    """

    update = staticmethod(adamax)
    options = ("lr", "betas", "eps", "weight_decay", "maximize")
    second = ("u", "exp_inf")

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        *,
        maximize: bool = False,
        foreach: bool = True,
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        defaults |= {"maximize": maximize, "foreach": foreach}
        super().__init__(params, defaults)


class NAdam(_TwoMoments):
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
        foreach: update small parameters of equal shape together, as one tensor; the numbers are the same.

    Raises:
        ValueError: an option is out of its range.
        RuntimeError: a gradient is sparse.
    """

    update = staticmethod(nadam)
    options = ("lr", "betas", "eps", "weight_decay", "decoupled_weight_decay", "maximize")

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
        foreach: bool = True,
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        defaults |= {"maximize": maximize, "foreach": foreach}
        defaults |= {"momentum_decay": momentum_decay, "decoupled_weight_decay": decoupled_weight_decay}
        super().__init__(params, defaults)

    def _numbers(self, t: Any, state: dict[str, Any], group: dict[str, Any]) -> dict[str, Any]:
        schedule = group["betas"][0], group["momentum_decay"]
        mu, mu_next = momentum(t, *schedule), momentum(t + 1, *schedule)
        # A Python number, since loading would cast a tensor to the dtype of the weight. torch's is a tensor.
        product = state.get("mu_product", 1.0)
        state["mu_product"] = product = (product if torch.compiler.is_compiling() else float(product)) * mu
        return {"t": t, "mu": mu, "mu_next": mu_next, "product": product}


class RAdam(_TwoMoments):
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
        foreach: update small parameters of equal shape together, as one tensor; the numbers are the same.

    Raises:
        ValueError: an option is out of its range.
        RuntimeError: a gradient is sparse.
    """

    update = staticmethod(radam)
    options = ("lr", "betas", "eps", "weight_decay", "decoupled_weight_decay", "maximize")

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
        foreach: bool = True,
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        defaults |= {"maximize": maximize, "foreach": foreach}
        defaults["decoupled_weight_decay"] = decoupled_weight_decay
        super().__init__(params, defaults)


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
    names = [name for name in ("lr", "eps", "weight_decay", "momentum_decay") if name in options]
    ranges = [(name, options[name], math.inf) for name in names]
    for name, x, high in [*ranges, ("betas[0]", betas[0], 1), ("betas[1]", betas[1], 1)]:
        one_number = isinstance(x, Real) or (name == "lr" and isinstance(x, Tensor) and x.numel() == 1)
        if not (one_number and 0 <= x < high):
            raise ValueError(f"{name} must be in [0, {high}), got {x!r}")
