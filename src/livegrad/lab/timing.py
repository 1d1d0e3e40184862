"""How long ways to the same numbers take, side by side in one run, and `torch.compile` where it can work."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

Function = Callable[[Tensor], Tensor]


def fastest(contestants: Mapping[str, Callable[[], object]], rounds: int = 20) -> dict[str, float]:
    """Seconds of the processor in each one's fastest round; they take turns, and the first round does not count.

    Waiting does not count, so a busy machine disturbs little; with several threads their times are added up.
    Raises ValueError unless rounds is positive.
    """
    if not rounds >= 1:
        raise ValueError(f"rounds must be at least 1, got {rounds}")
    seconds = dict.fromkeys(contestants, math.inf)
    for turn in range(rounds + 1):
        for name, run in contestants.items():
            begin = time.process_time()
            run()
            if turn:
                seconds[name] = min(seconds[name], time.process_time() - begin)
    return seconds


def compiled(function: Function, x: Tensor) -> Function | None:
    """The function through `torch.compile`, tried on `x` forward and backward; None where no C++ compiler works."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of what the compiler imports
        made: Function = torch.compile(function)
        try:
            result = made(x)
            torch.autograd.grad(result, x, torch.ones_like(result))
        except Exception:  # what is raised differs by platform and by what is missing
            return None
    return made


def beside(ours: Function, formula: Function, builtin: Function, rounds: int = 30) -> dict[str, float]:
    """Time of forward and backward on 256 x 256 numbers of float32, divided by the time of `builtin`.

    Keys: "ours", "formula" (plain torch, its backward left to autograd) and "compiled" (ours through `torch.compile`;
    NaN where there is no C++ compiler).
    """
    x = torch.randn(256, 256, generator=torch.Generator().manual_seed(0)).requires_grad_()
    upstream = torch.ones(256, 256)
    ways = {"ours": ours, "formula": formula, "builtin": builtin, "compiled": compiled(ours, x)}
    runs = {name: lambda f=f: torch.autograd.grad(f(x), x, upstream) for name, f in ways.items() if f is not None}
    seconds = fastest(runs, rounds)
    return {name: seconds.get(name, math.nan) / seconds["builtin"] for name in ("ours", "formula", "compiled")}
