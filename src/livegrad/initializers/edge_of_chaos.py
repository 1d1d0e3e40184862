"""Mean-field maps of a wide random network: how length and correlation of signals, and gradients, go with depth.

Weights have the variance sigma_w² / fan_in, biases the variance sigma_b². q is the variance of the sums of a layer, c
the correlation of the sums for two inputs; z, z₁, z₂ are independent standard normal variables.

Source: B. Poole, S. Lahiri, M. Raghu, J. Sohl-Dickstein, S. Ganguli, Exponential Expressivity in Deep Neural Networks
through Transient Chaos, NIPS 2016, https://arxiv.org/abs/1606.05340, for the maps; S. S. Schoenholz, J. Gilmer,
S. Ganguli, J. Sohl-Dickstein, Deep Information Propagation, ICLR 2017, https://arxiv.org/abs/1611.01232, for the depth
scale. Quadrature: G. H. Golub, J. H. Welsch, Calculation of Gauss Quadrature Rules, Mathematics of Computation 23,
1969, https://doi.org/10.1090/S0025-5718-69-99647-1
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

Activation = Callable[[Tensor], Tensor]


class Phase(NamedTuple):
    """Where a deep network ends up: `chi` < 1 is order, > 1 is chaos; `xi` is the depth scale in layers."""

    q: float
    c: float
    chi: float
    xi: float


@cache
def normal_quadrature(n: int = 200) -> tuple[Tensor, Tensor]:
    """Points and weights with sum(w · g(points)) = E[g(z)] for a normal z, exact for polynomials below degree 2n."""
    off = torch.arange(1, n, dtype=torch.float64).sqrt()
    points, vectors = torch.linalg.eigh(torch.diag(off, 1) + torch.diag(off, -1))
    return points, vectors[0].square()


def length_map(f: Activation, q: float, sigma_w: float, sigma_b: float) -> float:
    """q of the next layer: sigma_w² · E[f(√q z)²] + sigma_b².

    Args:
        f: a smooth function of a float64 tensor, element by element, as tanh; kinks cost digits.
        q: variance of the sums in this layer, at least 0.
        sigma_w, sigma_b: see above; at least 0.

    Raises:
        ValueError: q, sigma_w or sigma_b is negative or not finite.
    """
    _check(q=q, sigma_w=sigma_w, sigma_b=sigma_b)
    z, weight = normal_quadrature()
    return sigma_w**2 * float(weight @ f(math.sqrt(q) * z).square()) + sigma_b**2


def correlation_map(f: Activation, c: float, q: float, sigma_w: float, sigma_b: float) -> float:
    """c of the next layer, where both signals have the same fixed q: (sigma_w² · E[f(u₁) f(u₂)] + sigma_b²) / q.

    u₁ = √q z₁ and u₂ = √q (c z₁ + √(1 − c²) z₂) have the correlation c. Arguments as in `length_map`; c in [−1, 1].
    """
    _check(q=q, sigma_w=sigma_w, sigma_b=sigma_b)
    return (sigma_w**2 * _pair(f, c, q) + sigma_b**2) / q


def slope(f: Activation, c: float, q: float, sigma_w: float) -> float:
    """Derivative of the correlation map, sigma_w² · E[f′(u₁) f′(u₂)]. At c = 1 it is χ: a layer's factor on the mean
    square of gradients, and on the squared distance of two nearby signals."""
    _check(q=q, sigma_w=sigma_w)
    return sigma_w**2 * _pair(lambda u: _derivative(f, u), c, q)


def phase(f: Activation, sigma_w: float, sigma_b: float, *, steps: int = 2000) -> Phase:
    """The fixed point that a deep network reaches, and how fast: each xi layers divide the distance in c by e.

    Follows both maps for at most `steps` layers. At the edge of chaos itself xi is infinite and the maps do not arrive.
    """
    q = 1.0
    for _ in range(steps):
        q, last = length_map(f, q, sigma_w, sigma_b), q
        if abs(q - last) < 1e-13:
            break
    chi = slope(f, 1.0, q, sigma_w)
    c = 1.0
    if chi > 1:
        c = 0.5
        for _ in range(steps):
            c, last = correlation_map(f, c, q, sigma_w, sigma_b), c
            if abs(c - last) < 1e-13:
                break
    rate = slope(f, c, q, sigma_w)
    return Phase(q, c, chi, math.inf if rate >= 1 else -1 / math.log(rate) if rate > 0 else 0.0)


def critical_line(f: Activation, q: float) -> tuple[float, float]:
    """The point (sigma_w, sigma_b) of the edge of chaos at which signals settle at q: χ = 1 and q is a fixed point.

    Raises:
        ValueError: q is negative or not finite, or no sigma_b reaches it.
    """
    _check(q=q)
    sigma_w = 1 / math.sqrt(slope(f, 1.0, q, 1.0))
    rest = q - length_map(f, q, sigma_w, 0.0)
    if not rest >= -1e-12:
        raise ValueError(f"q must be a length that a bias can reach, got {q}")
    return sigma_w, math.sqrt(max(rest, 0.0))


def _check(**values: float) -> None:
    for name, value in values.items():
        if not 0 <= value < math.inf:
            raise ValueError(f"{name} must be in [0, inf), got {value}")


def _pair(g: Activation, c: float, q: float) -> float:
    if not -1 <= c <= 1:
        raise ValueError(f"c must be in [-1, 1], got {c}")
    z, weight = normal_quadrature()
    if c == 1:
        return float(weight @ g(math.sqrt(q) * z).square())
    second = math.sqrt(q) * (c * z[:, None] + math.sqrt(1 - c * c) * z)
    return float(weight * g(math.sqrt(q) * z) @ (g(second) @ weight))


def _derivative(f: Activation, u: Tensor) -> Tensor:
    with torch.enable_grad():
        u = u.detach().requires_grad_()
        (result,) = torch.autograd.grad(f(u).sum(), u)
    return result.detach()
