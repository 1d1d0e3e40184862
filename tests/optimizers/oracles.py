"""What every optimizer must equal: a second, independent implementation and the options to compare it over.

The contract (`test_contract.py`) finds the classes of the shelf by itself and fails for one that is not in `ORACLES`.
A reference is a class of `torch.optim`, or a function written from the paper in NumPy:

    reference(x, gradient, steps, **options) -> x

where `x` is a float64 vector, `gradient(x)` the gradient there, and `options` one of the cases.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Options = dict[str, Any]
Reference = type[torch.optim.Optimizer] | Callable[..., Vector]


@dataclass(frozen=True)
class Oracle:
    """References and cases of one class."""

    references: tuple[Reference, ...]
    cases: tuple[Options, ...]
    """Options to run over; the first must be empty: the defaults are compared too."""
    refused: tuple[tuple[Options, str], ...]
    """Options that must raise `ValueError`, with the start of the message: name, rule, value."""
    sparse: bool = False
    """Whether sparse gradients are supported; otherwise they are refused by name."""
    complex: bool = True
    """Whether complex parameters are supported; otherwise they are refused by name."""
    scale_free: bool = True
    """Whether a step keeps its length when the loss is multiplied; otherwise lr is divided by the factor, so that the
    scaled run walks the same path instead of leaving the bowl, where rounding grows without bound."""
    elementwise: bool = True
    """Whether the step is element by element, and so runs under `torch.compile(fullgraph=True)`."""
    closure: bool = False
    """Whether a step takes two gradients: it needs a closure, and each parameter's step depends on all gradients."""
    base: type[torch.optim.Optimizer] | None = None
    """The optimizer to which a keyword that the class does not know is handed on."""
    calm: Options = field(default_factory=dict)
    """What to run with in low precision, if the default rate throws the run across the bowl, where rounding grows."""


def adam(
    x: Vector,
    gradient: Callable[[Vector], Vector],
    steps: int,
    *,
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0,
    amsgrad: bool = False,
    maximize: bool = False,
) -> Vector:
    """Kingma and Ba (2015), Algorithm 1, line by line; the maximum of Reddi et al. (2018), Algorithm 2."""
    m, v, v_max = np.zeros_like(x), np.zeros_like(x), np.zeros_like(x)
    for t in range(1, steps + 1):
        g = (-1 if maximize else 1) * gradient(x) + weight_decay * x
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g**2
        v_max = np.maximum(v_max, v)
        m_hat = m / (1 - betas[0] ** t)
        v_hat = (v_max if amsgrad else v) / (1 - betas[1] ** t)
        x = x - lr * m_hat / (np.sqrt(v_hat) + eps)
    return x


def sgd(
    x: Vector,
    gradient: Callable[[Vector], Vector],
    steps: int,
    *,
    lr: float = 1e-3,
    momentum: float = 0,
    dampening: float = 0,
    weight_decay: float = 0,
    nesterov: bool = False,
    maximize: bool = False,
) -> Vector:
    """Heavy ball by positions alone, after Polyak (1964); Nesterov by looking ahead, after Sutskever et al. (2013).

    The second takes its gradient at x + μ v, and what a torch-like class holds is that point.
    """

    def g(x: Vector) -> Vector:
        return (-1 if maximize else 1) * gradient(x) + weight_decay * x

    if nesterov:
        v = np.zeros_like(x)
        for _ in range(steps):
            v = momentum * v - lr * g(x + momentum * v)
            x = x + v
        return x + momentum * v
    before = x
    for t in range(steps):
        share = 1 if t == 0 else 1 - dampening
        x, before = x - lr * share * g(x) + momentum * (x - before), x
    return x


def adamw(
    x: Vector,
    gradient: Callable[[Vector], Vector],
    steps: int,
    *,
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 1e-2,
    amsgrad: bool = False,
    maximize: bool = False,
) -> Vector:
    """Loshchilov and Hutter (2019), Algorithm 2, line 12, with the decay multiplied by lr: both changes from one x."""
    m, v, v_max = np.zeros_like(x), np.zeros_like(x), np.zeros_like(x)
    for t in range(1, steps + 1):
        g = (-1 if maximize else 1) * gradient(x)
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g**2
        v_max = np.maximum(v_max, v)
        m_hat = m / (1 - betas[0] ** t)
        v_hat = (v_max if amsgrad else v) / (1 - betas[1] ** t)
        x = x - lr * (m_hat / (np.sqrt(v_hat) + eps) + weight_decay * x)
    return x


def rmsprop(
    x: Vector,
    gradient: Callable[[Vector], Vector],
    steps: int,
    *,
    lr: float = 1e-2,
    alpha: float = 0.99,
    eps: float = 1e-8,
    weight_decay: float = 0,
    momentum: float = 0,
    centered: bool = False,
    maximize: bool = False,
) -> Vector:
    """The means as explicit weighted sums over all gradients so far, not as recursions."""
    gradients: list[Vector] = []
    velocity = np.zeros_like(x)
    for t in range(steps):
        gradients.append((-1 if maximize else 1) * gradient(x) + weight_decay * x)
        weights = (1 - alpha) * alpha ** np.arange(t, -1, -1)
        mean = sum(w * g for w, g in zip(weights, gradients, strict=True))
        square = sum(w * g**2 for w, g in zip(weights, gradients, strict=True))
        root = np.sqrt(square - mean**2 if centered else square)
        velocity = momentum * velocity + gradients[-1] / (root + eps)
        x = x - lr * velocity
    return x


def adagrad(
    x: Vector,
    gradient: Callable[[Vector], Vector],
    steps: int,
    *,
    lr: float = 1e-2,
    lr_decay: float = 0,
    weight_decay: float = 0,
    initial_accumulator_value: float = 0,
    eps: float = 1e-10,
    maximize: bool = False,
) -> Vector:
    """Duchi, Hazan and Singer (2011): the root of the sum of the squares of all gradients so far."""
    gradients: list[Vector] = []
    for t in range(steps):
        gradients.append((-1 if maximize else 1) * gradient(x) + weight_decay * x)
        root = np.sqrt(initial_accumulator_value + np.sum(np.square(gradients), axis=0))
        x = x - lr / (1 + t * lr_decay) * gradients[-1] / (root + eps)
    return x


def adadelta(
    x: Vector,
    gradient: Callable[[Vector], Vector],
    steps: int,
    *,
    lr: float = 1.0,
    rho: float = 0.9,
    eps: float = 1e-6,
    weight_decay: float = 0,
    maximize: bool = False,
) -> Vector:
    """Zeiler (2012), Algorithm 1, line by line."""

    def rms(mean_square: Vector) -> Vector:
        return np.sqrt(mean_square + eps)

    of_gradients, of_changes = np.zeros_like(x), np.zeros_like(x)
    for _ in range(steps):
        g = (-1 if maximize else 1) * gradient(x) + weight_decay * x
        of_gradients = rho * of_gradients + (1 - rho) * g**2
        change = -rms(of_changes) / rms(of_gradients) * g
        of_changes = rho * of_changes + (1 - rho) * change**2
        x = x + lr * change
    return x


def lars(
    x: Vector,
    gradient: Callable[[Vector], Vector],
    steps: int,
    *,
    lr: float = 1.0,
    momentum: float = 0.9,
    weight_decay: float = 5e-4,
    trust_coefficient: float = 1e-3,
    maximize: bool = False,
) -> Vector:
    """You, Gitman and Ginsburg (2017), Algorithm 1: γ is lr, m momentum, β weight_decay, η trust_coefficient."""
    v = np.zeros_like(x)
    for _ in range(steps):
        g = (-1 if maximize else 1) * gradient(x)
        w_norm, g_norm = math.sqrt(np.sum(x**2)), math.sqrt(np.sum(g**2))
        local = trust_coefficient * w_norm / (g_norm + weight_decay * w_norm) if w_norm else 1.0
        v = momentum * v + lr * local * (g + weight_decay * x)
        x = x - v
    return x


def lamb(
    x: Vector,
    gradient: Callable[[Vector], Vector],
    steps: int,
    *,
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-6,
    weight_decay: float = 1e-2,
    phi: tuple[float, float] = (0.0, math.inf),
    maximize: bool = False,
) -> Vector:
    """You et al. (2020), Algorithm 2, line by line, with the bias corrections."""
    m, v = np.zeros_like(x), np.zeros_like(x)
    for t in range(1, steps + 1):
        g = (-1 if maximize else 1) * gradient(x)
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g**2
        r = m / (1 - betas[0] ** t) / (np.sqrt(v / (1 - betas[1] ** t)) + eps)
        direction = r + weight_decay * x
        scale, norm = min(max(math.sqrt(np.sum(x**2)), phi[0]), phi[1]), math.sqrt(np.sum(direction**2))
        x = x - lr * (scale / norm if scale and norm else 1.0) * direction
    return x


def averaged(
    x: Vector,
    gradient: Callable[[Vector], Vector],
    steps: int,
    direction: Callable[[list[Vector], Vector], Vector],
    rates: Callable[[int], float],
    beta: float,
    r: float,
    power: float,
) -> tuple[Vector, Vector]:
    """Defazio et al. (2024), equations (1) to (3): y and x, with x as one weighted mean of all z so far."""
    gradients: list[Vector] = []
    fast, weights, y, z = [], [], x, x
    for t in range(1, steps + 1):
        gradients.append(gradient(y))
        z = z - rates(t) * direction(gradients, y)
        fast.append(z)
        weights.append(t**r * max(rates(i) for i in range(1, t + 1)) ** power)
        x = np.tensordot(np.array(weights) / sum(weights), np.array(fast), axes=1)
        y = (1 - beta) * z + beta * x
    return y, x


def sgd_schedule_free(
    x: Vector,
    gradient: Callable[[Vector], Vector],
    steps: int,
    *,
    lr: float = 1.0,
    momentum: float = 0.9,
    weight_decay: float = 0,
    warmup_steps: int = 0,
    r: float = 0,
    weight_lr_power: float = 2,
    result: str = "y",
) -> Vector:
    """Schedule-Free SGD; `result` "x" returns the average, which the class puts into the weights for evaluation."""

    def rates(t: int) -> float:
        return lr * (t / warmup_steps if t < warmup_steps else 1)

    def direction(gradients: list[Vector], y: Vector) -> Vector:
        return gradients[-1] + weight_decay * y

    both = averaged(x, gradient, steps, direction, rates, momentum, r, weight_lr_power)
    return both["yx".index(result)]


def adamw_schedule_free(
    x: Vector,
    gradient: Callable[[Vector], Vector],
    steps: int,
    *,
    lr: float = 0.0025,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0,
    warmup_steps: int = 0,
    r: float = 0,
    weight_lr_power: float = 2,
    result: str = "y",
) -> Vector:
    """Defazio et al. (2024), Algorithm 1, with v as a sum over all gradients and the weights of their package."""

    def rates(t: int) -> float:
        return lr * np.sqrt(1 - betas[1] ** t) * (t / warmup_steps if t < warmup_steps else 1)

    def direction(gradients: list[Vector], y: Vector) -> Vector:
        shares = (1 - betas[1]) * betas[1] ** np.arange(len(gradients) - 1, -1, -1.0)
        v = np.tensordot(shares, np.square(gradients), axes=1)
        return gradients[-1] / (np.sqrt(v) + eps) + weight_decay * y

    both = averaged(x, gradient, steps, direction, rates, betas[0], r, weight_lr_power)
    return both["yx".index(result)]


def muon(
    x: Vector,
    gradient: Callable[[Vector], Vector],
    steps: int,
    *,
    lr: float = 1e-3,
    weight_decay: float = 0.1,
    momentum: float = 0.95,
    nesterov: bool = True,
    ns_coefficients: tuple[float, float, float] = (3.4445, -4.7750, 2.0315),
    eps: float = 1e-7,
    ns_steps: int = 5,
    adjust_lr_fn: str | None = None,
    use_muon: bool = True,
    adamw_betas: tuple[float, float] = (0.9, 0.95),
    adamw_eps: float = 1e-8,
) -> Vector:
    """Jordan and others (2024) by singular values: what Newton-Schulz does to a matrix, a polynomial does to each."""
    if x.ndim != 2 or not use_muon:
        options: Options = {"lr": lr, "betas": adamw_betas, "eps": adamw_eps, "weight_decay": weight_decay}
        return adamw(x, gradient, steps, **options)
    mean = np.zeros_like(x)
    for _ in range(steps):
        g = gradient(x)
        mean = momentum * mean + (1 - momentum) * g
        u, s, v = np.linalg.svd(momentum * mean + (1 - momentum) * g if nesterov else mean, full_matrices=False)
        s = s / max(np.sqrt(np.sum(s**2)), eps)
        for _ in range(ns_steps):
            s = np.polyval([ns_coefficients[2], 0, ns_coefficients[1], 0, ns_coefficients[0], 0], s)
        length = np.sqrt(max(1, len(x) / len(x.T)))
        if adjust_lr_fn == "match_rms_adamw":
            length = 0.2 * np.sqrt(max(x.shape))
        x = x - lr * weight_decay * x - lr * length * (u * s) @ v
    return x


def shampoo(
    x: Vector,
    gradient: Callable[[Vector], Vector],
    steps: int,
    *,
    lr: float = 1e-1,
    eps: float = 1e-4,
) -> Vector:
    """Gupta, Koren and Singer (2018), Algorithm 1, by two square roots; diagonal for what is not a matrix."""

    def inverse_fourth_root(a: Vector) -> Vector:
        for _ in range(2):
            u, s, _ = np.linalg.svd(a, hermitian=True)
            a = (u * np.sqrt(s)) @ u.T
        return np.linalg.inv(a)

    gradients: list[Vector] = []
    for _ in range(steps):
        g = gradient(x)
        gradients.append(g)
        if x.ndim != 2:
            x = x - lr * g / np.sqrt(eps + np.sum(np.square(gradients), axis=0))
            continue
        left = inverse_fourth_root(eps * np.eye(len(g)) + sum(h @ h.T for h in gradients))
        right = inverse_fourth_root(eps * np.eye(len(g.T)) + sum(h.T @ h for h in gradients))
        x = x - lr * left @ g @ right
    return x


def soap(
    x: Vector,
    gradient: Callable[[Vector], Vector],
    steps: int,
    *,
    lr: float = 3e-3,
    betas: tuple[float, float] = (0.95, 0.95),
    eps: float = 1e-8,
    weight_decay: float = 1e-2,
    precondition_frequency: int = 10,
) -> Vector:
    """Vyas and others (2025), Algorithm 3, on vectors: a matrix is a vector that a Kronecker product turns."""
    if x.ndim != 2:
        return adamw(x, gradient, steps, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)
    left, right, bases = np.zeros((len(x),) * 2), np.zeros((len(x.T),) * 2), [np.eye(len(x)), np.eye(len(x.T))]
    m, v = np.zeros(x.size), np.zeros(x.size)
    for t in range(1, steps + 1):
        g, turn = gradient(x), np.kron(*bases)
        m = betas[0] * m + (1 - betas[0]) * g.ravel()
        v = betas[1] * v + (1 - betas[1]) * (turn.T @ g.ravel()) ** 2
        n = (turn.T @ m) / (1 - betas[0] ** t) / (np.sqrt(v / (1 - betas[1] ** t)) + eps)
        x = x - lr * weight_decay * x - lr * (turn @ n).reshape(x.shape)
        left = betas[1] * left + (1 - betas[1]) * g @ g.T
        right = betas[1] * right + (1 - betas[1]) * g.T @ g
        if t % precondition_frequency == 0:
            bases = [np.linalg.qr(a @ q)[0] for a, q in zip((left, right), bases, strict=True)]
    return x


def adamax(
    x: Vector,
    gradient: Callable[[Vector], Vector],
    steps: int,
    *,
    lr: float = 2e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0,
    maximize: bool = False,
) -> Vector:
    """Kingma and Ba (2015), section 7.1: the maximum over all gradients so far, not the recursion."""
    gradients: list[Vector] = []
    for t in range(1, steps + 1):
        gradients.append((-1 if maximize else 1) * gradient(x) + weight_decay * x)
        ages = np.arange(t - 1, -1, -1.0)
        m_hat = sum((1 - betas[0]) * betas[0] ** a * g for a, g in zip(ages, gradients, strict=True))
        u = np.max([betas[1] ** a * (np.abs(g) + eps) for a, g in zip(ages, gradients, strict=True)], axis=0)
        x = x - lr * m_hat / (1 - betas[0] ** t) / u
    return x


def nadam(
    x: Vector,
    gradient: Callable[[Vector], Vector],
    steps: int,
    *,
    lr: float = 2e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0,
    momentum_decay: float = 4e-3,
    decoupled_weight_decay: bool = False,
    maximize: bool = False,
) -> Vector:
    """The rule of torch's documentation, line by line, with the products of momenta taken anew at every step."""
    m, v = np.zeros_like(x), np.zeros_like(x)
    mu = betas[0] * (1 - 0.96 ** (momentum_decay * np.arange(1, steps + 2)) / 2)
    for t in range(1, steps + 1):
        g = (-1 if maximize else 1) * gradient(x)
        if decoupled_weight_decay:
            x = x - lr * weight_decay * x
        else:
            g = g + weight_decay * x
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g**2
        ahead = mu[t] * m / (1 - np.prod(mu[: t + 1])) + (1 - mu[t - 1]) * g / (1 - np.prod(mu[:t]))
        x = x - lr * ahead / (np.sqrt(v / (1 - betas[1] ** t)) + eps)
    return x


def radam(
    x: Vector,
    gradient: Callable[[Vector], Vector],
    steps: int,
    *,
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0,
    decoupled_weight_decay: bool = False,
    maximize: bool = False,
) -> Vector:
    """Liu et al. (2020): rho by its definition, a plain mean of as many gradients has the same center of mass."""

    def variance(rho: float) -> float:
        return rho / (2 * (rho - 2) * (rho - 4))

    m, v = np.zeros_like(x), np.zeros_like(x)
    for t in range(1, steps + 1):
        g = (-1 if maximize else 1) * gradient(x)
        if decoupled_weight_decay:
            x = x - lr * weight_decay * x
        else:
            g = g + weight_decay * x
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g**2
        weights = betas[1] ** np.arange(t, dtype=np.float64)
        rho = 2 * float(weights @ np.arange(1, t + 1) / weights.sum()) - 1
        step = lr * m / (1 - betas[0] ** t)
        if rho > 5:
            factor = np.sqrt(variance(2 / (1 - betas[1]) - 1) / variance(rho))
            step = step * factor * np.sqrt(1 - betas[1] ** t) / (np.sqrt(v) + eps)
        x = x - step
    return x


class NAdamInDouble(torch.optim.NAdam):
    """torch's NAdam keeps the product of momenta in torch's default dtype; float32 would not do for float64 weights."""

    def step(self, closure: Any = None) -> Any:
        with in_double():
            return super().step(closure)

    def __setstate__(self, state: dict[str, Any]) -> None:
        with in_double():
            super().__setstate__(state)


@contextmanager
def in_double() -> Iterator[None]:
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(default)


def lion(
    x: Vector,
    gradient: Callable[[Vector], Vector],
    steps: int,
    *,
    lr: float = 1e-4,
    betas: tuple[float, float] = (0.9, 0.99),
    weight_decay: float = 0.0,
    maximize: bool = False,
) -> Vector:
    """Chen et al. (2023), Algorithm 2, line by line."""
    m = np.zeros_like(x)
    for _ in range(steps):
        g = (-1 if maximize else 1) * gradient(x)
        c = betas[0] * m + (1 - betas[0]) * g
        x = x - lr * (np.sign(c) + weight_decay * x)
        m = betas[1] * m + (1 - betas[1]) * g
    return x


def adafactor(
    x: Vector,
    gradient: Callable[[Vector], Vector],
    steps: int,
    *,
    lr: float = 1e-2,
    beta2_decay: float = -0.8,
    eps: tuple[float | None, float] = (None, 1e-3),
    d: float = 1.0,
    weight_decay: float = 0.0,
    maximize: bool = False,
) -> Vector:
    """Shazeer and Stern (2018), with sums as there, and torch's place of the first eps."""

    def rms(x: Vector) -> float:
        return float(np.sqrt(np.mean(x**2))) if x.size else 0.0

    eps1 = float(np.finfo(np.float64).eps) if eps[0] is None else eps[0]
    rows, columns, full = 0.0, 0.0, 0.0
    for t in range(1, steps + 1):
        g = (-1 if maximize else 1) * gradient(x)
        beta2 = 1 - t**beta2_decay
        if x.ndim > 1:
            rows = beta2 * rows + (1 - beta2) * (g**2).sum(axis=1)
            columns = beta2 * columns + (1 - beta2) * (g**2).sum(axis=0)
            v = np.outer(rows, columns) / max(float(rows.sum()), eps1 * g.size)
        else:
            v = full = beta2 * full + (1 - beta2) * g**2
        u = g / np.maximum(np.sqrt(v), eps1)
        step = max(eps[1], rms(x)) * min(lr, t**-0.5) * u / max(1.0, rms(u) / d)
        x = x - lr * weight_decay * x - step
    return x


class AdafactorWithoutEmpty(torch.optim.Adafactor):
    """torch's Adafactor divides by the number of elements, and stops at a parameter that has none."""

    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = p.grad if p.numel() else None
        return super().step(closure)


def sam(
    x: Vector,
    gradient: Callable[[Vector], Vector],
    steps: int,
    *,
    rho: float = 0.05,
    **options: Any,
) -> Vector:
    """Foret et al. (2021), Algorithm 1: the base method, here SGD, on another field of gradients."""

    def uphill(w: Vector) -> Vector:
        g = gradient(w)
        return gradient(w + rho * g / np.sqrt(np.sum(g**2)))

    return sgd(x, uphill, steps, **options)


NAN, INF = float("nan"), float("inf")


def out_of_range(name: str, *values: Any, rule: str = "must be in [0, inf)") -> list[tuple[Options, str]]:
    return [({name: value}, f"{name} {rule}, got {value!r}") for value in values]


ORACLES: dict[str, Oracle] = {
    "Adam": Oracle(
        references=(torch.optim.Adam, adam),
        cases=(
            {},
            {"lr": 0.1},
            {"betas": (0.5, 0.9)},
            {"betas": (0.0, 0.99)},
            {"betas": (0.9, 0.0), "eps": 0.5},
            {"eps": 1e-2},
            {"weight_decay": 0.1},
            {"amsgrad": True},
            {"maximize": True},
            {"lr": 0.03, "betas": (0.8, 0.95), "eps": 1e-6, "weight_decay": 0.01, "amsgrad": True, "maximize": True},
        ),
        refused=(
            *out_of_range("lr", -0.1, NAN, INF, "fast", None),
            *out_of_range("eps", -1e-8, NAN, INF),
            *out_of_range("weight_decay", -0.1, NAN, INF),
            ({"lr": torch.tensor([0.1, 0.2])}, "lr must be in [0, inf), got tensor([0.1000, 0.2000])"),
            ({"betas": (1.0, 0.999)}, "betas[0] must be in [0, 1), got 1.0"),
            ({"betas": (-0.1, 0.999)}, "betas[0] must be in [0, 1), got -0.1"),
            ({"betas": (0.9, NAN)}, "betas[1] must be in [0, 1), got nan"),
            ({"betas": (0.9, 1.5)}, "betas[1] must be in [0, 1), got 1.5"),
            ({"betas": 0.9}, "betas must be two numbers, got 0.9"),
            ({"betas": (0.9,)}, "betas must be two numbers, got (0.9,)"),
        ),
    ),
    "SGD": Oracle(
        references=(torch.optim.SGD, sgd),
        cases=(
            {},
            {"lr": 0.1},
            {"momentum": 0.9},
            {"momentum": 0.9, "dampening": 0.9},
            {"momentum": 0.5, "nesterov": True},
            {"weight_decay": 0.1},
            {"maximize": True},
            {"lr": 3e-4, "momentum": 0.8, "dampening": 0.3, "weight_decay": 0.01, "maximize": True},
            {"lr": 3e-4, "momentum": 0.8, "weight_decay": 0.01, "nesterov": True, "maximize": True},
        ),
        refused=(
            *out_of_range("lr", -0.1, NAN, INF, "fast", None),
            *out_of_range("momentum", -0.1, NAN, 1.0, 1.5, rule="must be in [0, 1)"),
            *out_of_range("dampening", -0.1, NAN, 1.0, rule="must be in [0, 1)"),
            *out_of_range("weight_decay", -0.1, NAN, INF),
            ({"lr": torch.tensor([0.1, 0.2])}, "lr must be in [0, inf), got tensor([0.1000, 0.2000])"),
            ({"nesterov": True}, "nesterov needs momentum above 0 and dampening 0, got 0 and 0"),
            (
                {"nesterov": True, "momentum": 0.9, "dampening": 0.1},
                "nesterov needs momentum above 0 and dampening 0, got 0.9 and 0.1",
            ),
        ),
        sparse=True,
        scale_free=False,
    ),
    "AdamW": Oracle(
        references=(torch.optim.AdamW, adamw),
        cases=(
            {},
            {"lr": 0.1},
            {"betas": (0.5, 0.9)},
            {"betas": (0.9, 0.0), "eps": 0.5},
            {"weight_decay": 0.0},
            {"weight_decay": 0.5, "lr": 0.03},
            {"amsgrad": True},
            {"maximize": True},
            {"lr": 0.03, "betas": (0.8, 0.95), "eps": 1e-6, "weight_decay": 0.1, "amsgrad": True, "maximize": True},
        ),
        refused=(
            *out_of_range("lr", -0.1, NAN, INF, "fast", None),
            *out_of_range("eps", -1e-8, NAN, INF),
            *out_of_range("weight_decay", -0.1, NAN, INF),
            ({"lr": torch.tensor([0.1, 0.2])}, "lr must be in [0, inf), got tensor([0.1000, 0.2000])"),
            ({"betas": (1.0, 0.999)}, "betas[0] must be in [0, 1), got 1.0"),
            ({"betas": (0.9, NAN)}, "betas[1] must be in [0, 1), got nan"),
            ({"betas": 0.9}, "betas must be two numbers, got 0.9"),
        ),
    ),
    "Adamax": Oracle(
        references=(torch.optim.Adamax, adamax),
        cases=(
            {},
            {"lr": 0.1},
            {"betas": (0.5, 0.9)},
            {"betas": (0.9, 0.0), "eps": 0.5},
            {"weight_decay": 0.1},
            {"lr": 0.03, "betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.01, "maximize": True},
        ),
        refused=(
            *out_of_range("lr", -0.1, NAN, INF, "fast", None),
            *out_of_range("eps", -1e-8, NAN, INF),
            *out_of_range("weight_decay", -0.1, NAN, INF),
            ({"betas": (1.0, 0.999)}, "betas[0] must be in [0, 1), got 1.0"),
            ({"betas": (0.9, NAN)}, "betas[1] must be in [0, 1), got nan"),
            ({"betas": 0.9}, "betas must be two numbers, got 0.9"),
        ),
    ),
    "NAdam": Oracle(
        references=(NAdamInDouble, nadam),
        cases=(
            {},
            {"lr": 0.02},
            {"betas": (0.5, 0.9)},
            {"betas": (0.9, 0.0), "eps": 0.5},
            {"momentum_decay": 0.0},
            {"momentum_decay": 3.0, "lr": 0.03},
            {"weight_decay": 0.1},
            {"weight_decay": 0.5, "decoupled_weight_decay": True, "lr": 0.03},
            {
                "lr": 0.03,
                "betas": (0.8, 0.95),
                "eps": 1e-6,
                "weight_decay": 0.01,
                "momentum_decay": 0.1,
                "maximize": True,
            },
        ),
        refused=(
            *out_of_range("lr", -0.1, NAN, INF, "fast", None),
            *out_of_range("eps", -1e-8, NAN, INF),
            *out_of_range("weight_decay", -0.1, NAN, INF),
            *out_of_range("momentum_decay", -0.1, NAN, INF),
            ({"betas": (1.0, 0.999)}, "betas[0] must be in [0, 1), got 1.0"),
            ({"betas": (0.9, NAN)}, "betas[1] must be in [0, 1), got nan"),
            ({"betas": 0.9}, "betas must be two numbers, got 0.9"),
        ),
    ),
    "RAdam": Oracle(
        references=(torch.optim.RAdam, radam),
        cases=(
            {},
            {"lr": 0.1},
            {"betas": (0.5, 0.9)},
            {"betas": (0.9, 0.6), "lr": 1e-5},
            {"betas": (0.9, 0.0), "lr": 1e-5},
            {"eps": 1e-2},
            {"weight_decay": 0.1},
            {"weight_decay": 0.5, "decoupled_weight_decay": True, "lr": 0.03},
            {"lr": 0.03, "betas": (0.8, 0.95), "eps": 1e-6, "weight_decay": 0.01, "maximize": True},
        ),
        refused=(
            *out_of_range("lr", -0.1, NAN, INF, "fast", None),
            *out_of_range("eps", -1e-8, NAN, INF),
            *out_of_range("weight_decay", -0.1, NAN, INF),
            ({"betas": (1.0, 0.999)}, "betas[0] must be in [0, 1), got 1.0"),
            ({"betas": (0.9, NAN)}, "betas[1] must be in [0, 1), got nan"),
            ({"betas": 0.9}, "betas must be two numbers, got 0.9"),
        ),
    ),
    "Adafactor": Oracle(
        references=(AdafactorWithoutEmpty, adafactor),
        cases=(
            {},
            {"lr": 0.1},
            {"beta2_decay": -0.5},
            {"beta2_decay": 0.0},
            {"eps": (1e-3, 0.1)},
            {"d": 2.0, "lr": 0.03},
            {"weight_decay": 0.5},
            {"lr": 0.03, "beta2_decay": -1.0, "eps": (1e-6, 1e-2), "d": 1.5, "weight_decay": 0.1, "maximize": True},
        ),
        refused=(
            *out_of_range("lr", -0.1, NAN, INF, "fast", None),
            *out_of_range("weight_decay", -0.1, NAN, INF),
            *out_of_range("beta2_decay", 0.1, NAN, -INF, rule="must be in (-inf, 0]"),
            *out_of_range("d", 0.5, NAN, INF, rule="must be in [1, inf)"),
            ({"eps": 1e-3}, "eps must be two numbers, got 0.001"),
            ({"eps": (-1e-3, 1e-3)}, "eps[0] must be in [0, inf), got -0.001"),
            ({"eps": (None, NAN)}, "eps[1] must be in [0, inf), got nan"),
            ({"eps": (None, None)}, "eps[1] must be in [0, inf), got None"),
        ),
        complex=False,
        elementwise=False,
    ),
    "RMSprop": Oracle(
        references=(torch.optim.RMSprop, rmsprop),
        cases=(
            {},
            {"lr": 0.1},
            {"alpha": 0.5},
            {"alpha": 0.0},
            {"eps": 1e-2},
            {"weight_decay": 0.1},
            {"momentum": 0.9, "lr": 1e-3},
            {"centered": True, "alpha": 0.9},
            {"maximize": True},
            {"lr": 3e-3, "alpha": 0.9, "eps": 1e-6, "weight_decay": 0.01, "momentum": 0.5, "maximize": True},
            {"lr": 3e-3, "alpha": 0.9, "eps": 1e-6, "weight_decay": 0.01, "momentum": 0.5, "centered": True},
        ),
        refused=(
            *out_of_range("lr", -0.1, NAN, INF, "fast", None),
            *out_of_range("alpha", -0.1, NAN, 1.0, 1.5, rule="must be in [0, 1)"),
            *out_of_range("eps", -1e-8, NAN, INF),
            *out_of_range("weight_decay", -0.1, NAN, INF),
            *out_of_range("momentum", -0.1, NAN, 1.0, rule="must be in [0, 1)"),
            ({"lr": torch.tensor([0.1, 0.2])}, "lr must be in [0, inf), got tensor([0.1000, 0.2000])"),
        ),
    ),
    "Adagrad": Oracle(
        references=(torch.optim.Adagrad, adagrad),
        cases=(
            {},
            {"lr": 0.5},
            {"lr_decay": 0.1},
            {"weight_decay": 0.1},
            {"initial_accumulator_value": 0.5},
            {"eps": 1e-2},
            {"maximize": True},
            {
                "lr": 0.1,
                "lr_decay": 0.01,
                "weight_decay": 0.01,
                "initial_accumulator_value": 0.1,
                "eps": 1e-6,
                "maximize": True,
            },
        ),
        refused=(
            *out_of_range("lr", -0.1, NAN, INF, "fast", None),
            *out_of_range("lr_decay", -0.1, NAN, INF),
            *out_of_range("weight_decay", -0.1, NAN, INF),
            *out_of_range("initial_accumulator_value", -0.1, NAN, INF),
            *out_of_range("eps", -1e-8, NAN, INF),
            ({"lr": torch.tensor([0.1, 0.2])}, "lr must be in [0, inf), got tensor([0.1000, 0.2000])"),
        ),
        sparse=True,
    ),
    "Adadelta": Oracle(
        references=(torch.optim.Adadelta, adadelta),
        cases=(
            {},
            {"lr": 0.1},
            {"rho": 0.5},
            {"rho": 0.0, "eps": 1e-3},
            {"eps": 1e-2},
            {"weight_decay": 0.1},
            {"maximize": True},
            {"lr": 0.5, "rho": 0.95, "eps": 1e-4, "weight_decay": 0.01, "maximize": True},
        ),
        refused=(
            *out_of_range("lr", -0.1, NAN, INF, "fast", None),
            *out_of_range("rho", -0.1, NAN, 1.0, rule="must be in [0, 1)"),
            *out_of_range("eps", -1e-8, NAN, INF),
            *out_of_range("weight_decay", -0.1, NAN, INF),
            ({"lr": torch.tensor([0.1, 0.2])}, "lr must be in [0, inf), got tensor([0.1000, 0.2000])"),
        ),
    ),
    "LARS": Oracle(
        references=(lars,),
        cases=(
            {},
            {"lr": 30.0},
            {"momentum": 0.0, "trust_coefficient": 0.05},
            {"weight_decay": 0.0},
            {"maximize": True},
            {"lr": 0.5, "momentum": 0.5, "weight_decay": 0.1, "trust_coefficient": 0.02, "maximize": True},
        ),
        refused=(
            *out_of_range("lr", -0.1, NAN, INF, "fast", None),
            *out_of_range("momentum", -0.1, NAN, 1.0, rule="must be in [0, 1)"),
            *out_of_range("weight_decay", -0.1, NAN, INF),
            *out_of_range("trust_coefficient", -0.1, NAN, INF, None),
            ({"lr": torch.tensor([0.1, 0.2])}, "lr must be in [0, inf), got tensor([0.1000, 0.2000])"),
        ),
        elementwise=False,
    ),
    "LAMB": Oracle(
        references=(lamb,),
        cases=(
            {},
            {"lr": 0.1},
            {"betas": (0.5, 0.9)},
            {"betas": (0.9, 0.0), "eps": 0.5},
            {"weight_decay": 0.0},
            {"phi": (0.5, 2.0)},
            {"maximize": True},
            {"lr": 0.03, "betas": (0.8, 0.95), "eps": 1e-5, "weight_decay": 0.1, "phi": (0.1, 1.0), "maximize": True},
        ),
        refused=(
            *out_of_range("lr", -0.1, NAN, INF, "fast", None),
            *out_of_range("eps", -1e-8, NAN, INF),
            *out_of_range("weight_decay", -0.1, NAN, INF),
            ({"lr": torch.tensor([0.1, 0.2])}, "lr must be in [0, inf), got tensor([0.1000, 0.2000])"),
            ({"betas": (1.0, 0.999)}, "betas[0] must be in [0, 1), got 1.0"),
            ({"betas": (0.9, NAN)}, "betas[1] must be in [0, 1), got nan"),
            ({"betas": 0.9}, "betas must be two numbers, got 0.9"),
            ({"phi": 10.0}, "phi must be two numbers, got 10.0"),
            ({"phi": (2.0, 1.0)}, "phi[1] must be above 0 and at least phi[0], got 1.0"),
            ({"phi": (0.0, 0.0)}, "phi[1] must be above 0 and at least phi[0], got 0.0"),
            ({"phi": (0.0, NAN)}, "phi[1] must be above 0 and at least phi[0], got nan"),
            ({"phi": (NAN, 1.0)}, "phi[0] must be in [0, inf), got nan"),
        ),
        elementwise=False,
    ),
    "SGDScheduleFree": Oracle(
        references=(sgd_schedule_free,),
        cases=(
            {},
            {"lr": 0.1},
            {"lr": 0.1, "momentum": 0.5},
            {"lr": 0.01, "momentum": 1.0},
            {"lr": 0.1, "weight_decay": 0.1},
            {"lr": 0.1, "warmup_steps": 20},
            {"lr": 0.1, "r": 2.0, "weight_lr_power": 0.0},
            {"lr": 0.1, "momentum": 0.95, "weight_decay": 0.01, "warmup_steps": 7, "r": 1.0, "weight_lr_power": 1.0},
        ),
        refused=(
            *out_of_range("lr", -0.1, NAN, INF, "fast", None),
            *out_of_range("momentum", -0.1, 0.0, NAN, 1.5, rule="must be in (0, 1]"),
            *out_of_range("weight_decay", -0.1, NAN, INF),
            *out_of_range("warmup_steps", -1, NAN),
            *out_of_range("r", -0.5, NAN, INF),
            *out_of_range("weight_lr_power", -1.0, NAN),
            ({"lr": torch.tensor([0.1, 0.2])}, "lr must be in [0, inf), got tensor([0.1000, 0.2000])"),
        ),
        scale_free=False,
        calm={"lr": 0.01},
    ),
    "AdamWScheduleFree": Oracle(
        references=(adamw_schedule_free,),
        cases=(
            {},
            {"lr": 0.1},
            {"betas": (0.5, 0.9)},
            {"betas": (1.0, 0.0), "eps": 0.5},
            {"weight_decay": 0.1},
            {"warmup_steps": 20},
            {"r": 2.0, "weight_lr_power": 0.0},
            {
                "lr": 0.03,
                "betas": (0.95, 0.99),
                "eps": 1e-6,
                "weight_decay": 0.01,
                "warmup_steps": 7,
                "r": 1.0,
                "weight_lr_power": 1.0,
            },
        ),
        refused=(
            *out_of_range("lr", -0.1, NAN, INF, "fast", None),
            *out_of_range("eps", -1e-8, NAN, INF),
            *out_of_range("weight_decay", -0.1, NAN, INF),
            *out_of_range("warmup_steps", -1, NAN),
            *out_of_range("r", -0.5, NAN, INF),
            *out_of_range("weight_lr_power", -1.0, NAN),
            ({"betas": (0.0, 0.999)}, "betas[0] must be in (0, 1], got 0.0"),
            ({"betas": (0.9, NAN)}, "betas[1] must be in [0, 1), got nan"),
            ({"betas": (0.9, 1.5)}, "betas[1] must be in [0, 1), got 1.5"),
            ({"betas": 0.9}, "betas must be two numbers, got 0.9"),
        ),
    ),
    "Muon": Oracle(
        references=(muon,),
        cases=(
            {},
            {"lr": 0.01},
            {"momentum": 0.0, "nesterov": False},
            {"adjust_lr_fn": "match_rms_adamw"},
            {"ns_coefficients": (1.5, -0.5, 0.0), "ns_steps": 9, "weight_decay": 0.0},
            {"use_muon": False, "lr": 0.01, "adamw_betas": (0.5, 0.9), "adamw_eps": 1e-4},
            {"lr": 0.03, "momentum": 0.8, "nesterov": False, "ns_steps": 3, "eps": 1e-5, "adjust_lr_fn": "original"},
        ),
        refused=(
            *out_of_range("lr", -0.1, NAN, INF, "fast", None),
            *out_of_range("weight_decay", -0.1, NAN, INF),
            *out_of_range("momentum", -0.1, NAN, 1.0, rule="must be in [0, 1)"),
            *out_of_range("eps", -1e-8, NAN, INF),
            *out_of_range("adamw_eps", -1e-8, NAN, INF),
            *out_of_range("ns_steps", -1, 100, 2.5, rule="must be an integer in [0, 100)"),
            *out_of_range("ns_coefficients", 3.0, (1.5, -0.5), (1.0, NAN, 0.0), rule="must be three finite numbers"),
            *out_of_range("adjust_lr_fn", "moonlight", rule="must be None, 'original' or 'match_rms_adamw'"),
            ({"lr": torch.tensor([0.1, 0.2])}, "lr must be in [0, inf), got tensor([0.1000, 0.2000])"),
            ({"adamw_betas": (1.0, 0.95)}, "adamw_betas[0] must be in [0, 1), got 1.0"),
            ({"adamw_betas": (0.9, NAN)}, "adamw_betas[1] must be in [0, 1), got nan"),
            ({"adamw_betas": 0.9}, "adamw_betas must be two numbers, got 0.9"),
        ),
        complex=False,
        elementwise=False,
    ),
    "Shampoo": Oracle(
        references=(shampoo,),
        cases=({}, {"lr": 1.0}, {"eps": 1e-2}, {"lr": 0.3, "eps": 1e-3}),
        refused=(
            *out_of_range("lr", -0.1, NAN, INF, "fast", None),
            *out_of_range("eps", -1e-8, NAN, INF),
            ({"lr": torch.tensor([0.1, 0.2])}, "lr must be in [0, inf), got tensor([0.1000, 0.2000])"),
        ),
        complex=False,
        elementwise=False,
    ),
    "SOAP": Oracle(
        references=(soap,),
        cases=(
            {},
            {"lr": 0.03},
            {"betas": (0.5, 0.9)},
            {"weight_decay": 0.0, "precondition_frequency": 20},
            {"lr": 0.01, "betas": (0.9, 0.99), "eps": 1e-4, "weight_decay": 0.1, "precondition_frequency": 5},
        ),
        refused=(
            *out_of_range("lr", -0.1, NAN, INF, "fast", None),
            *out_of_range("eps", -1e-8, NAN, INF),
            *out_of_range("weight_decay", -0.1, NAN, INF),
            *out_of_range("precondition_frequency", 0, -1, 2.5, rule="must be an integer in [1, inf)"),
            ({"lr": torch.tensor([0.1, 0.2])}, "lr must be in [0, inf), got tensor([0.1000, 0.2000])"),
            ({"betas": (1.0, 0.95)}, "betas[0] must be in [0, 1), got 1.0"),
            ({"betas": (0.95, NAN)}, "betas[1] must be in [0, 1), got nan"),
            ({"betas": 0.9}, "betas must be two numbers, got 0.9"),
        ),
        complex=False,
        elementwise=False,
    ),
    "Lion": Oracle(
        references=(lion,),
        cases=(
            {},
            {"lr": 0.01},
            {"betas": (0.0, 0.0)},
            {"betas": (0.5, 0.9)},
            {"weight_decay": 0.5, "lr": 0.01},
            {"maximize": True},
            {"lr": 0.003, "betas": (0.95, 0.98), "weight_decay": 0.1, "maximize": True},
        ),
        refused=(
            *out_of_range("lr", -0.1, NAN, INF, "fast", None),
            *out_of_range("weight_decay", -0.1, NAN, INF),
            ({"lr": torch.tensor([0.1, 0.2])}, "lr must be in [0, inf), got tensor([0.1000, 0.2000])"),
            ({"betas": (1.0, 0.99)}, "betas[0] must be in [0, 1), got 1.0"),
            ({"betas": (0.9, NAN)}, "betas[1] must be in [0, 1), got nan"),
            ({"betas": 0.9}, "betas must be two numbers, got 0.9"),
        ),
    ),
    "SAM": Oracle(
        references=(sam,),
        cases=(
            {},
            {"lr": 0.1},
            {"lr": 0.1, "rho": 0.5},
            {"rho": 0.0},
            {"lr": 0.01, "rho": 0.2, "momentum": 0.8, "weight_decay": 0.01},
        ),
        refused=tuple(out_of_range("rho", -0.1, NAN, INF, "far", None)),
        scale_free=False,
        elementwise=False,
        closure=True,
        base=torch.optim.SGD,
    ),
}
