"""Gradient descent, x ← x - lr · ∇f(x): a slope found by nudging, the descent, and the largest lr that works.

Source: Cauchy 1847, "Méthode générale pour la résolution des systèmes d'équations simultanées", Comptes rendus
hebdomadaires 25, pp. 536-538; for 2 / λ_max: LeCun, Bottou, Orr & Müller 1998, "Efficient BackProp",
http://leon.bottou.org/papers/lecun-98x
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor


def finite_difference_gradient(
    f: Callable[[Tensor], Tensor], x: Tensor, eps: float | None = None, *, central: bool = True
) -> Tensor:
    """∂f/∂xᵢ ≈ (f(x + eps·eᵢ) - f(x - eps·eᵢ)) / (2·eps), one entry of x at a time.

    Costs 2n evaluations of f for n entries; with ``central=False`` the one-sided (f(x + eps·eᵢ) - f(x)) / eps
    costs n + 1 and is less exact. The default eps balances the error of the formula against rounding: the cube root
    (one-sided: the square root) of the dtype's machine epsilon, for an x of size about 1.
    x may have any shape and is left as it was; the result has its shape and dtype.
    """
    if not x.is_floating_point():
        raise TypeError(f"x must be a floating-point tensor, got {x.dtype}")
    if eps is None:
        eps = torch.finfo(x.dtype).eps ** (1 / 3 if central else 1 / 2)
    if not 0 < eps < math.inf:
        raise ValueError(f"eps must be positive and finite, got {eps}")
    point = x.detach().flatten()
    slopes = torch.empty_like(point)
    with torch.no_grad():
        here = None if central else _scalar(f(point.reshape(x.shape)))
        for i, value in enumerate(point):
            up, down = point.clone(), point.clone()
            up[i] += eps
            if central:
                down[i] -= eps
            # The step that was really taken: x + eps is rounded to the dtype, so the step is not always eps.
            step = up[i] - down[i]
            if not step > 0:
                raise ValueError(f"eps must be large enough to change x = {value:.6g} in {x.dtype}, got {eps}")
            below = _scalar(f(down.reshape(x.shape))) if here is None else here
            slopes[i] = (_scalar(f(up.reshape(x.shape))) - below) / step
    return slopes.reshape(x.shape)


def gradient_descent(f: Callable[[Tensor], Tensor], x0: Tensor, lr: float, steps: int) -> Tensor:
    """The path x₀, x₁, …, x_steps of x ← x - lr · ∇f(x), the gradient by autograd.

    f maps a tensor of the shape of x0 to one number. The result has shape (steps + 1, *x0.shape). When lr is too
    large the path runs off to inf or NaN and is returned as it is, so that it can be looked at.
    """
    if not x0.is_floating_point():
        raise TypeError(f"x0 must be a floating-point tensor, got {x0.dtype}")
    if not 0 < lr < math.inf:
        raise ValueError(f"lr must be positive and finite, got {lr}")
    if not steps >= 0:
        raise ValueError(f"steps must be at least 0, got {steps}")
    path = [x0.detach().clone()]
    for _ in range(steps):
        x = path[-1].clone().requires_grad_()
        (gradient,) = torch.autograd.grad(_scalar(f(x)), x)
        path.append(path[-1] - lr * gradient)
    return torch.stack(path)


def largest_stable_rate(hessian: Tensor) -> float:
    """2 / λ_max: on f(x) = ½ xᵀHx a smaller learning rate converges, a larger one diverges.

    hessian is the symmetric matrix H of second derivatives, shape (n, n), with a positive largest eigenvalue λ_max.
    For another function it is the bound near a minimum with this Hessian.
    """
    if hessian.ndim != 2 or hessian.shape[0] != hessian.shape[1] or hessian.numel() == 0:
        raise ValueError(f"hessian must be a square matrix, got shape {tuple(hessian.shape)}")
    skew = float((hessian - hessian.mT).abs().max())  # NaN if an entry is NaN or, on the diagonal, infinite
    if not skew <= 1e-5 * float(hessian.abs().max()) < math.inf:
        raise ValueError(f"hessian must be finite and symmetric, got entries that differ by {skew}")
    largest = float(torch.linalg.eigvalsh(hessian)[-1])
    if not largest > 0:
        raise ValueError(f"hessian must have a positive largest eigenvalue, got {largest}")
    return 2 / largest


def _scalar(value: Tensor) -> Tensor:
    if value.numel() != 1:
        raise ValueError(f"f must return one number, got shape {tuple(value.shape)}")
    return value.reshape(())
