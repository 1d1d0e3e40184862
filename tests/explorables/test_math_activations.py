"""The catalogue of the page's JavaScript, against livegrad where the function has its file, else against torch."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

import mpmath
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from livegrad.initializers.gain import calculate_gain

# Functions that torch lacks, for as long as their files are not there.
WRITTEN_OUT: dict[str, Callable[..., Tensor]] = {
    "squared_relu": lambda x: torch.relu(x) ** 2,
    "squareplus": lambda x, b=4.0: (x + (x * x + b).sqrt()) / 2,
    "swish": lambda x, beta=1.0: x * torch.sigmoid(beta * x),
    "linear": lambda x: 1 * x,
}
PARAMETERS: dict[str, tuple[str, tuple[float, ...]]] = {
    "leaky_relu": ("negative_slope", (0.0, 0.01, 0.2, 1.0)),
    "elu": ("alpha", (0.05, 1.0, 2.5)),
    "celu": ("alpha", (0.05, 1.0, 2.5)),
    "softplus": ("beta", (0.1, 1.0, 5.0)),
    "squareplus": ("b", (0.01, 4.0, 10.0)),
    "swish": ("beta", (0.0, 1.0, 5.0)),
}
PLAIN = ["relu", "relu6", "squared_relu", "selu", "silu", "hardswish", "gelu", "gelu_tanh", "mish"]
PLAIN += ["sigmoid", "hardsigmoid", "tanh", "hardtanh", "softsign", "linear"]
# Off the grid of kinks, where a derivative is a convention; the tails as far as float64 torch keeps its digits.
GRID = [*(torch.linspace(-6, 6, 97, dtype=torch.float64) + 0.013).tolist(), 1e-9, -1e-9, 20.5, 40.0]


def function(name: str, site_extension: ModuleType, argument: str = "") -> Callable[..., Tensor]:
    called = "gelu" if name == "gelu_tanh" else name
    file, arguments = site_extension.shelf_functions().get(called, ("", []))
    if file and (not argument or argument in arguments):
        found = getattr(importlib.import_module(f"livegrad.activations.{file}"), called)
    elif name in WRITTEN_OUT:
        found = WRITTEN_OUT[name]
    else:
        found = getattr(torch if name in ("tanh", "sigmoid") else F, called)
    return partial(found, approximate="tanh") if name == "gelu_tanh" else found


def measured(name: str, f: Callable[[Tensor], Tensor], parameter: float | None) -> dict[str, Any]:
    x = torch.tensor(GRID, dtype=torch.float64, requires_grad=True)
    y = f(x)
    (slopes,) = torch.autograd.grad(y.sum(), x)
    return {
        "name": name,
        "parameter": parameter,
        "x": GRID,
        "values": y.tolist(),
        "slopes": slopes.tolist(),
        "gain": calculate_gain(f),
    }


def test_values_slopes_and_gains_are_those_of_the_package(node, site_extension):
    cases = [measured(name, function(name, site_extension), None) for name in PLAIN]
    for name, (argument, values) in PARAMETERS.items():
        f = function(name, site_extension, argument)
        cases += [measured(name, partial(f, **{argument: value}), value) for value in values]
    erfc = [[x, float(mpmath.erfc(x))] for x in (-3.0, -0.5, 0.0, 0.3, 1.9, 2.0, 2.1, 5.0, 12.0, 26.0)]
    node("activations.test.mjs", {"cases": cases, "erfc": erfc})


@pytest.mark.parametrize("topic", ["mish", "relu"])
def test_the_shelf_is_found(site_extension, topic):
    assert site_extension.shelf_functions()[topic] == [topic, ["input", "inplace"]]
