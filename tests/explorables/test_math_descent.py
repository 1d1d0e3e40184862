"""Surfaces by autograd, trajectories by livegrad's optimizers where the package has them, else by torch's."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from livegrad.foundations.gradient_descent import largest_stable_rate
from livegrad.lab.generator import normal

SURFACES: dict[str, tuple[Callable[[Tensor], Tensor], list[float], list[float]]] = {
    "bowl": (lambda p: (p**2).sum() / 2, [-3.0, 1.5], [0.0, 0.0]),
    "ravine": (lambda p: (p[0] ** 2 + 25 * p[1] ** 2) / 2, [-3.5, 1.0], [0.0, 0.0]),
    "saddle": (lambda p: p[0] ** 2 / 2 - p[1] ** 2 / 2 + p[1] ** 4 / 4 + 0.25, [-2.5, 0.01], [0.0, 1.0]),
    "rosenbrock": (lambda p: (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2, [-1.5, 1.2], [1.0, 1.0]),
    "beale": (
        lambda p: sum((c - p[0] + p[0] * p[1] ** k) ** 2 for k, c in enumerate((1.5, 2.25, 2.625), 1)),
        [1.0, 1.8],
        [3.0, 0.5],
    ),
    "noisy": (lambda p: (p[0] ** 2 + 25 * p[1] ** 2) / 2, [-3.5, 1.0], [0.0, 0.0]),
}
# Rates at which no path is chaotic: there rounding would grow until the two sides differ.
RATES = {"bowl": 0.2, "ravine": 0.02, "saddle": 0.05, "rosenbrock": 0.0002, "beale": 0.001, "noisy": 0.01}


def optimizer(name: str, p: Tensor, lr: float, beta: float, extension: ModuleType) -> torch.optim.Optimizer:
    kind, options = {
        "sgd": ("SGD", {}),
        "momentum": ("SGD", {"momentum": beta}),
        "nesterov": ("SGD", {"momentum": beta, "nesterov": True}),
        "adagrad": ("Adagrad", {}),
        "rmsprop": ("RMSprop", {"alpha": beta}),
        "adam": ("Adam", {"betas": (beta, 0.999)}),
    }[name]
    file, arguments = extension.shelf_optimizers().get(kind, ("", []))
    ours = file and {"lr", *options} <= set(arguments)
    home = importlib.import_module(f"livegrad.optimizers.{file}") if ours else torch.optim
    return getattr(home, kind)([p], lr=lr, **options)


def test_surfaces_and_paths_are_those_of_the_package(node, site_extension):
    torch.manual_seed(0)
    surfaces: list[dict[str, Any]] = []
    races: list[dict[str, Any]] = []
    for name, (f, start, minimum) in SURFACES.items():
        points = (torch.rand(30, 2, dtype=torch.float64) * 4 - 2).requires_grad_()
        values = torch.stack([f(p) for p in points])
        (slopes,) = torch.autograd.grad(values.sum(), points)
        bottom = torch.tensor(minimum, dtype=torch.float64)
        hessian = torch.autograd.functional.hessian(f, bottom)
        surfaces.append(
            {
                "name": name,
                "points": points.tolist(),
                "values": values.tolist(),
                "slopes": slopes.tolist(),
                "rate": largest_stable_rate(hessian),
                "minimum": float(f(bottom)),
            }
        )
        assert float(f(bottom)) == pytest.approx(0, abs=1e-12)
        for kind, beta in {
            "sgd": 0.0,
            "momentum": 0.8,
            "nesterov": 0.8,
            "adagrad": 0.0,
            "rmsprop": 0.97,
            "adam": 0.85,
        }.items():
            lr = 0.05 if kind in ("adagrad", "rmsprop", "adam") else RATES[name]
            noise = {"scale": 2.0, "seed": 7} if name == "noisy" else None
            z = 2.0 * normal((60, 2), 7) if noise else torch.zeros(60, 2)
            p = torch.tensor(start, dtype=torch.float64, requires_grad=True)
            rule, path = optimizer(kind, p, lr, beta, site_extension), [start]
            for t in range(60):
                rule.zero_grad()
                f(p).backward()
                p.grad += z[t]
                rule.step()
                path.append(p.tolist())
            options = {"name": kind, "lr": lr, "beta": beta}
            races.append({"surface": name, "start": start, "options": options, "noise": noise, "path": path})
    node("descent.test.mjs", {"surfaces": surfaces, "races": races})


def test_the_package_is_used_where_it_has_the_optimizer(site_extension):
    file, arguments = site_extension.shelf_optimizers()["Adam"]
    assert file == "adam"
    assert {"lr", "betas", "eps"} <= set(arguments)
