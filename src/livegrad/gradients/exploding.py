"""Predict where a growing signal leaves its number format, and bring training back after it has.

A size that is multiplied by about the same factor at every layer or step is start · rateᵏ at index k. It passes the
largest number of a format at k = ln(largest / start) / ln(rate).

Source: products of Jacobians that grow, Bengio, Simard & Frasconi 1994, https://doi.org/10.1109/72.279181, and
Pascanu, Mikolov & Bengio 2013, section 2, https://proceedings.mlr.press/v28/pascanu13.html; to leave out steps whose
gradient overflows, Micikevicius et al. 2018, section 3.2, https://arxiv.org/abs/1710.03740
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Growth(NamedTuple):
    """A size of about `start * rate**k` at index k = 0, 1, 2, …"""

    start: float
    rate: float

    def overflow(self, dtype: torch.dtype) -> float:
        """The index k, not rounded, at which the size passes the largest number of `dtype`; inf if it never does."""
        room = math.log(torch.finfo(dtype).max) - math.log(self.start)
        if room <= 0:
            return 0.0
        return room / math.log(self.rate) if self.rate > 1 else math.inf


def growth(sizes: Sequence[float]) -> Growth:
    """The `Growth` whose logarithms fit those of `sizes` with the least squares; at least two, all positive."""
    if not len(sizes) >= 2:
        raise ValueError(f"sizes must hold at least 2 numbers, got {len(sizes)}")
    if not all(0 < size < math.inf for size in sizes):
        raise ValueError(f"sizes must all be positive and finite, got {list(sizes)}")
    logs, middle = [math.log(size) for size in sizes], (len(sizes) - 1) / 2
    slope = sum((k - middle) * y for k, y in enumerate(logs)) / sum((k - middle) ** 2 for k in range(len(logs)))
    return Growth(math.exp(sum(logs) / len(logs) - slope * middle), math.exp(slope))


def first_nonfinite(tensors: Iterable[Tensor]) -> int | None:
    """Index of the first tensor that holds a NaN or an infinity; None if all are finite."""
    return next((i for i, tensor in enumerate(tensors) if not bool(tensor.isfinite().all())), None)


class Rescue:
    """Step only on finite gradients; otherwise go back to the last snapshot, with a lower learning rate.

    Call `rescue.step(loss)` after `loss.backward()`, in place of `optimizer.step()`. A step is refused if the loss or
    a gradient is not finite, or if the loss is above `spike` times that of the snapshot: weights can be ruined while
    every number is still finite. With `factor=1` bad batches are left out and the learning rate stays.

    Args:
        every: a snapshot is taken before the first step and after each `every` steps; it holds the weights, the
            buffers and the optimizer's state, so it costs their memory once more.
        factor: what every learning rate is multiplied by at each rescue, in (0, 1].
        spike: in (1, inf]; inf asks only for finite numbers.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        *,
        every: int = 20,
        factor: float = 0.5,
        spike: float = math.inf,
    ) -> None:
        if not every >= 1:
            raise ValueError(f"every must be at least 1, got {every}")
        if not 0 < factor <= 1:
            raise ValueError(f"factor must be in (0, 1], got {factor}")
        if not spike > 1:
            raise ValueError(f"spike must be in (1, inf], got {spike}")
        self.model, self.optimizer, self.every, self.factor, self.spike = model, optimizer, every, factor, spike
        self.steps = self.rescues = 0
        self._limit = math.inf
        self._snapshot: tuple[dict[str, object], dict[str, object]] | None = None

    def step(self, loss: Tensor) -> bool:
        """Take the step and return True, or go back to the snapshot and return False."""
        gradients = [p.grad for group in self.optimizer.param_groups for p in group["params"] if p.grad is not None]
        value = float(loss.detach())
        if not (math.isfinite(value) and value <= self._limit and first_nonfinite(gradients) is None):
            self.rescues += 1
            rates = [group["lr"] * self.factor for group in self.optimizer.param_groups]
            if self._snapshot is not None:
                self.model.load_state_dict(self._snapshot[0])
                self.optimizer.load_state_dict(copy.deepcopy(self._snapshot[1]))
            for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
                group["lr"] = rate
            return False
        if self.steps % self.every == 0:
            self._snapshot = copy.deepcopy((self.model.state_dict(), self.optimizer.state_dict()))
            self._limit = self.spike * abs(value)
        self.optimizer.step()
        self.steps += 1
        return True
