"""How long ways to the same numbers take, side by side in one run, and `torch.compile` where it can work."""

from __future__ import annotations

import logging
import math
import random
import time
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

Function = Callable[[Tensor], Tensor]


def fastest(contestants: Mapping[str, Callable[[], object]], rounds: int = 20) -> dict[str, float]:
    """Seconds of the processor in each one's fastest round; they take turns, and the first round does not count.

    Each round has an order of its own, since one finds the caches as the one before it left them. Waiting does not
    count, so a busy machine disturbs little; with several threads their times are added up.
    Raises ValueError unless rounds is positive.
    """
    if not rounds >= 1:
        raise ValueError(f"rounds must be at least 1, got {rounds}")
    seconds = dict.fromkeys(contestants, math.inf)
    order = random.Random(0)
    for turn in range(rounds + 1):
        for name in order.sample(list(contestants), len(contestants)):
            begin = time.process_time()
            contestants[name]()
            if turn:
                seconds[name] = min(seconds[name], time.process_time() - begin)
    return seconds


def compiled(function: Callable[..., Any], *args: Tensor) -> Callable[..., Any] | None:
    """The function through `torch.compile`, called once with `args`, backward too where its result has a gradient.

    None where no C++ compiler works.
    """
    note = logging.getLogger("torch._dynamo.variables.ctx_manager")  # that a profiler's record of a step is left out
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of what the compiler imports
        note.disabled = True
        made: Callable[..., Any] = torch.compile(function)
        try:
            result = made(*args)
            if isinstance(result, Tensor) and result.requires_grad:
                torch.autograd.grad(result, args, torch.ones_like(result))
        except Exception:  # what is raised differs by platform and by what is missing
            return None
        finally:
            note.disabled = False
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
