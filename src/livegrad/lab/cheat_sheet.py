"""What the cheat sheet computes: members of a shelf, formulas that are text and can be run, the state of optimizers.

A formula stands on the page as a reader writes it, "max(0, x) + a · min(0, x)" or "m ← μ · m + g", and `value` and
`run` execute that very text. So a page can assert that what it prints is what the package computes.
"""

from __future__ import annotations

import inspect
import math
import pkgutil
import re
from collections.abc import Callable, Sequence
from functools import cache
from html import escape
from importlib import import_module
from types import CodeType
from typing import Any

import torch
from torch import Tensor, nn

# The build's cache takes a string that spells a module for an import: who uses this file depends on these shelves.
SHELVES = {
    "activations": "livegrad.activations",
    "initializers": "livegrad.initializers",
    "optimizers": "livegrad.optimizers",
}

_SIGNS = {
    "−": "-",
    "·": "*",
    "²": "**2",
    "ᵗ": "**t",
    "←": "=",
    "≤": "<=",
    "₁": "1",
    "₂": "2",
    "|x|": "abs(x)",
    "e⁻ˣ": "exp(-x)",
    "eˣ": "exp(x)",
}
_FUNCTIONS: dict[str, Any] = {
    "abs": abs,
    "max": max,
    "min": min,
    "exp": math.exp,
    "ln": math.log,
    "tanh": math.tanh,
    "sqrt": math.sqrt,
    "σ": lambda x: 1 / (1 + math.exp(-x)),
    "sp": lambda x: math.log1p(math.exp(x)),
    "Φ": lambda x: math.erfc(-x / math.sqrt(2)) / 2,
    "φ": lambda x: math.exp(-(x**2) / 2) / math.sqrt(2 * math.pi),
}


def members(shelf: str, wanted: Callable[[str, Any], bool]) -> dict[str, Any]:
    """The public names of a shelf's files, defined there, that `wanted(name, value)`; in the order of their lines."""
    found: dict[str, Any] = {}
    for info in pkgutil.iter_modules(import_module(shelf).__path__):
        file = import_module(f"{shelf}.{info.name}")
        for name, value in vars(file).items():
            ours = getattr(value, "__module__", "") == file.__name__ and not name.startswith("_")
            if ours and wanted(name, value):
                found[name] = value
    return found


def value(formula: str, **letters: float) -> float:
    """The number that a formula names, with σ, Φ, φ and sp = ln(1 + eˣ) known, and the other letters given."""
    return float(eval(_python(formula, "eval"), {**_FUNCTIONS, **letters}))


def run(rule: str, gradients: Sequence[float], **letters: float) -> float:
    """Where θ ends that starts at 1 and follows the rule; the other letters are 0 before the first step t = 1."""
    code = _python(rule, "exec")
    state: dict[str, Any] = dict.fromkeys(code.co_names, 0.0) | _FUNCTIONS | letters | {"θ": 1.0}
    for t, g in enumerate(gradients, 1):
        after: dict[str, Any] = {}
        exec(code, state | {"t": t, "g": g}, after)
        state |= after
    return float(state["θ"])


def state_bytes(make: Callable[[list[nn.Parameter]], torch.optim.Optimizer], n: int = 10_000) -> float:
    """Bytes of state a parameter after one step with float32: every tensor that the optimizer keeps, summed."""
    parameter = nn.Parameter(torch.zeros(n))
    parameter.grad = torch.ones(n)
    optimizer = make([parameter])
    optimizer.step()
    kept = [v for state in optimizer.state.values() for v in state.values() if isinstance(v, Tensor)]
    return sum(v.numel() * v.element_size() for v in kept) / n


def defaults(function: Callable[..., Any]) -> dict[str, Any]:
    """The arguments of a signature whose default is neither 0 nor False nor None."""
    arguments = inspect.signature(function).parameters.values()
    return {a.name: a.default for a in arguments if a.default is not a.empty and a.default}


def link(name: str, thing: Any) -> str:
    """The name as code, linked from a page of the book to the chapter of the file that defines the thing."""
    shelf, file = thing.__module__.split(".")[-2:]
    return f'<a href="../{shelf}/{file}.html"><code>{escape(name)}</code></a>'


@cache
def _python(text: str, mode: str) -> CodeType:
    for sign, code in _SIGNS.items():
        text = text.replace(sign, code)
    text = re.sub("√([\\w\u0302]+)", r"sqrt(\1)", text).replace("√", "sqrt")
    return compile(text, text, mode)
