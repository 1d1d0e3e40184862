"""The standard network of the optimizers, trained once a learning rate and a seed, fast enough for many contestants.

`livegrad.lab.optimizer_report.measure` gives each run an optimizer of its own, and most of its time goes into their
calls. Here one optimizer steps all runs: a parameter group for each learning rate, in which the seeds share tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from livegrad.lab.data import digits
from livegrad.lab.networks import mlp
from livegrad.lab.optimizer_report import BATCH, RATES, SIZES, STEPS
from livegrad.lab.seeds import SEEDS
from livegrad.lab.stack import Stack, cross_entropies

Make = Callable[[list[dict[str, Any]]], torch.optim.Optimizer]


def race(
    make: Make,
    *,
    rates: Sequence[float] = RATES,
    seeds: Sequence[int] = SEEDS,
    steps: int = STEPS,
    sizes: Sequence[int] = SIZES,
    schedule: Callable[[int], float] | None = None,
    elementwise: bool = True,
) -> NDArray[np.float64]:
    """Training losses on the digits, shape (rates, seeds, steps), with the minibatches of the standard picture.

    Args:
        make: makes the optimizer from a list of parameter groups, one for each rate.
        rates: learning rates, at least one.
        seeds: one start of the network for each.
        steps: at least 1.
        sizes: widths of the network, from 64 inputs to 10 outputs.
        schedule: factor of every rate at step t = 1, 2, ...
        elementwise: False if the optimizer looks at whole tensors: each run then has tensors of its own.

    Raises:
        ValueError: no rate, or `steps` below 1.
    """
    if not len(rates) >= 1:
        raise ValueError(f"rates must hold at least 1 rate, got {list(rates)}")
    if not steps >= 1:
        raise ValueError(f"steps must be at least 1, got {steps}")
    data, models = digits(), []
    for seed in seeds:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            models.append(mlp(sizes, nn.ReLU, nn.init.kaiming_normal_))
    nets = Stack(models * len(rates))
    weights = list(nets.parameters())
    parts = 1 if elementwise else len(seeds)  # tensors of one weight matrix in the group of a rate
    parameters = [_views(w.detach(), len(rates) * parts) for w in weights]
    groups = [
        {"params": [p for views in parameters for p in views[i * parts : (i + 1) * parts]], "lr": rate}
        for i, rate in enumerate(rates)
    ]
    optimizer = make(groups)
    generator = torch.Generator().manual_seed(0)
    batches: list[Tensor] = []
    losses = []
    for t in range(1, steps + 1):
        if not batches:
            order = torch.randperm(len(data.x_train), generator=generator)
            batches = list(order[: len(order) // BATCH * BATCH].split(BATCH))
        batch = batches.pop()
        each = cross_entropies(nets(data.x_train[batch]), data.y_train[batch])
        for views, gradient in zip(parameters, torch.autograd.grad(each.sum(), weights), strict=True):
            for p, g in zip(views, _views(gradient, len(views)), strict=True):
                p.grad = g.requires_grad_(False)
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * (schedule(t) if schedule else 1)
        optimizer.step()
        losses.append(each.detach())
    return torch.stack(losses, dim=-1).double().numpy().reshape(len(rates), len(seeds), steps)


def _views(stacked: Tensor, count: int) -> list[Tensor]:
    """The stack in `count` equal parts that share its memory; a part that is one network's loses the first dimension.

    Biases of one network are then vectors again.
    """
    parts = stacked.chunk(count)
    if len(stacked) == count:
        parts = tuple(part[0, 0] if part.shape[1] == 1 else part[0] for part in parts)
    return [part.requires_grad_() for part in parts]
