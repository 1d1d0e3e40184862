"""What depth does to a signal: its size layer by layer, forward and backward."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from livegrad.lab.seeds import SEEDS, over_seeds


class Profile(NamedTuple):
    """Arrays of shape (seeds, layers): standard deviation of each hidden activation, and root mean square
    of the gradient of the loss with respect to it."""

    forward: NDArray[np.float64]
    backward: NDArray[np.float64]


def profile(
    build: Callable[[], nn.Sequential],
    x: Tensor,
    y: Tensor,
    *,
    loss: Callable[[Tensor, Tensor], Tensor] = nn.functional.cross_entropy,
    seeds: tuple[int, ...] = SEEDS,
) -> Profile:
    """Signal sizes at initialization, over seeds: `build()` is called once a seed, after seeding.

    Returns a `Profile`; a non-finite size is kept as it is, so that overflow shows.
    """

    def run(_: int) -> list[list[float]]:
        model = build()
        hidden, out = [], x
        for module in model:
            out = module(out)
            if not isinstance(module, nn.Linear):
                hidden.append(out)
        gradients = torch.autograd.grad(loss(out, y), hidden)
        return [
            [float(h.detach().double().std()) for h in hidden],
            [float(g.double().square().mean().sqrt()) for g in gradients],
        ]

    both = over_seeds(run, seeds)
    return Profile(both[:, 0], both[:, 1])
