"""The learning rate over time: schedules as plain functions of the step, and a finder that puts all back.

A schedule returns the factor of the base rate at step 0, 1, 2, …, as `torch.optim.lr_scheduler.LambdaLR` asks for:
`LambdaLR(optimizer, lambda t: cosine(t, total=1000))`.

Source: warm-up, P. Goyal et al. 2017, https://arxiv.org/abs/1706.02677; cosine with restarts, I. Loshchilov
and F. Hutter, SGDR, 2017, https://arxiv.org/abs/1608.03983; one cycle, L. N. Smith and N. Topin, 2017,
https://arxiv.org/abs/1708.07120, in torch's form; warm-up–stable–decay, S. Hu et al. 2024,
https://arxiv.org/abs/2404.06395; range test, L. N. Smith 2015, https://arxiv.org/abs/1506.01186
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor


def step_decay(step: float, every: int, factor: float = 0.1) -> float:
    """`factor` to the power of how many times `every` steps are over."""
    return float(factor ** (step // positive("every", every)))


def cosine(step: float, total: int, floor: float = 0.0) -> float:
    """From 1 down to `floor` along half a wave, over `total` steps; `floor` from there on."""
    part = min(step / positive("total", total), 1.0)
    return floor + (1 - floor) * (1 + math.cos(math.pi * part)) / 2


def cosine_restarts(step: float, period: int, longer: float = 1.0, floor: float = 0.0) -> float:
    """Half a wave, begun anew after each period; every period is `longer` times as long as the one before."""
    length = float(positive("period", period))
    if not longer >= 1:
        raise ValueError(f"longer must be at least 1, got {longer}")
    while step >= length:
        step, length = step - length, length * longer
    return floor + (1 - floor) * (1 + math.cos(math.pi * step / length)) / 2


def warmup(step: float, steps: int) -> float:
    """Up in a straight line: 1/(steps + 1) at step 0, and 1 from step `steps` on. Multiply another schedule by it."""
    if not steps >= 0:
        raise ValueError(f"steps must be at least 0, got {steps}")
    return min((step + 1) / (steps + 1), 1.0)


def one_cycle(step: float, total: int, up: float = 0.3, start: float = 1 / 25, end: float = 4e-6) -> float:
    """From `start` up to 1 in the share `up` of the steps, then down to `end` at step `total` − 1, both along a cosine.

    The defaults are those of `torch.optim.lr_scheduler.OneCycleLR`, whose base rate is the largest one.
    """
    if not 0 < up < 1:
        raise ValueError(f"up must be in (0, 1), got {up}")
    top, last = up * positive("total", total) - 1, total - 1
    low, part = (start, 1 - step / top) if step <= top else (end, min((step - top) / (last - top), 1.0))
    return low + (1 - low) * (1 + math.cos(math.pi * part)) / 2


def warmup_stable_decay(step: float, total: int, warm: int = 0, decay: float = 0.2, floor: float = 0.0) -> float:
    """Up in `warm` steps, level, then straight down to `floor` over the last share `decay` of the `total` steps."""
    if not 0 < decay <= 1:
        raise ValueError(f"decay must be in (0, 1], got {decay}")
    left = (positive("total", total) - step) / (decay * total)
    return warmup(step, warm) * (floor + (1 - floor) * min(max(left, 0.0), 1.0))


class RangeTest(NamedTuple):
    """Learning rates tried, and the loss after each, averaged over the last steps."""

    rates: list[float]
    losses: list[float]

    def steepest(self) -> float:
        """The rate in the middle of the fifth of the test in which the loss falls most: a start, not the best rate."""
        half = max(len(self.losses) // 10, 1)
        falls = [later - earlier for earlier, later in zip(self.losses, self.losses[2 * half :], strict=False)]
        return self.rates[half + falls.index(min(falls))]


def range_test(
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    loss: Callable[[], Tensor],
    *,
    low: float = 1e-6,
    high: float = 10.0,
    steps: int = 100,
    smooth: float = 0.9,
    stop: float = 4.0,
) -> RangeTest:
    """Train for `steps` steps at a rate that grows from `low` to `high` by equal factors, then put everything back.

    `loss()` draws a minibatch and returns its loss as a tensor. The test ends early when the smoothed loss is above
    `stop` times the smallest so far, or not finite. Weights, buffers, gradients, the optimizer's state and rates,
    train or eval mode and torch's random state are restored, also after an error; a generator of your own is not.
    """
    if not 0 < low < high < math.inf:
        raise ValueError(f"low and high must fulfil 0 < low < high, got {low} and {high}")
    if not steps >= 3:
        raise ValueError(f"steps must be at least 3, got {steps}")
    before = copy.deepcopy((model.state_dict(), optimizer.state_dict()))
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    gradients = [None if p.grad is None else p.grad.clone() for p in parameters]
    modes, random = {m: m.training for m in model.modules()}, torch.get_rng_state()
    rates: list[float] = []
    losses: list[float] = []
    mean = 0.0
    try:
        for i in range(steps):
            rate = low * (high / low) ** (i / (steps - 1))
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.zero_grad()
            value = loss()
            mean = smooth * mean + (1 - smooth) * float(value.detach())
            corrected = mean / (1 - smooth ** (i + 1))
            if not corrected <= stop * min([corrected, *losses]):
                break
            rates.append(rate)
            losses.append(corrected)
            value.backward()
            optimizer.step()
    finally:
        model.load_state_dict(before[0])
        optimizer.load_state_dict(before[1])
        for p, gradient in zip(parameters, gradients, strict=True):
            p.grad = gradient
        for module, mode in modes.items():
            module.training = mode
        torch.set_rng_state(random)
    return RangeTest(rates, losses)


def positive(name: str, value: int) -> int:
    """The value, or ValueError if it is below 1."""
    if not value >= 1:
        raise ValueError(f"{name} must be at least 1, got {value}")
    return value
