"""The training loop that every chapter uses: shuffled minibatches, one pass over the data an epoch.

Source: any textbook; this one follows Goodfellow, Bengio and Courville, Deep Learning (2016), section 8.1.3,
https://www.deeplearningbook.org
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


def fit(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    x: Tensor,
    y: Tensor,
    *,
    epochs: int,
    batch_size: int = 64,
    loss: Callable[[Tensor, Tensor], Tensor] = nn.functional.cross_entropy,
    seed: int = 0,
    on_step: Callable[[int, float], object] | None = None,
) -> list[float]:
    """Train `model` in place and return the loss of every step, taken on its minibatch before the update.

    Args:
        model: called as `model(inputs)`; put into training mode and left in it.
        optimizer: holds the parameters to be changed.
        x, y: inputs of shape (n, ...) and targets of shape (n, ...), n at least 1.
        epochs: passes over the data, at least 1.
        batch_size: examples per step, at least 1; the last batch of an epoch holds what is left.
        loss: `loss(model(inputs), targets)`, one number.
        seed: of the shuffling; the global generator of torch is not touched by it.
        on_step: called as `on_step(step, loss)` after each update, to record or to change something.

    Raises:
        ValueError: an argument is out of its range, or `x` and `y` differ in length.
    """
    if not epochs >= 1:
        raise ValueError(f"epochs must be at least 1, got {epochs}")
    if not batch_size >= 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    if not len(x) == len(y) >= 1:
        raise ValueError(f"x and y must have the same length, at least 1, got {len(x)} and {len(y)}")
    generator = torch.Generator().manual_seed(seed)
    losses: list[float] = []
    model.train()
    for _ in range(epochs):
        for batch in torch.randperm(len(x), generator=generator).split(batch_size):
            batch = batch.to(x.device)
            optimizer.zero_grad()
            error = loss(model(x[batch]), y[batch])
            error.backward()
            optimizer.step()
            losses.append(error.item())
            if on_step is not None:
                on_step(len(losses) - 1, losses[-1])
    return losses


@torch.no_grad()
def accuracy(model: nn.Module, x: Tensor, y: Tensor) -> float:
    """Share of examples whose largest output is the right class, in [0, 1], measured in evaluation mode.

    The model is put back into the mode it was in.

    Raises:
        ValueError: `x` and `y` differ in length, or are empty.
    """
    if not len(x) == len(y) >= 1:
        raise ValueError(f"x and y must have the same length, at least 1, got {len(x)} and {len(y)}")
    was_training = model.training
    model.eval()
    try:
        return float((model(x).argmax(dim=-1) == y).double().mean())
    finally:
        model.train(was_training)
