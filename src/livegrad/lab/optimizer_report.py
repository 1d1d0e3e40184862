"""The standard picture of an optimizer: training on the digits, at its best learning rate and over all of them.

The network has two hidden layers of 32 ReLU units under He initialization. Every contestant gets the same learning
rates, half a power of ten apart, the same seeds, the same minibatches and the same number of steps; its best rate is
the one with the smallest median final loss. The reference on every page is plain gradient descent on minibatches.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call, grad, stack_module_state, vmap

from livegrad.lab.data import digits
from livegrad.lab.networks import mlp
from livegrad.lab.plots import COLORS, band, panels
from livegrad.lab.seeds import SEEDS

SIZES, BATCH, STEPS, BLOCK = [64, 32, 32, 10], 64, 200, 20
RATES = tuple(float(f"{10.0**e:.3g}") for e in np.arange(-4, 1.5, 0.5))  # 0.0001, 0.000316, ..., 10
CHANCE = float(np.log(10))  # the loss of ten equal guesses
Make = Callable[[list[Tensor], float], torch.optim.Optimizer]


@dataclass(frozen=True)
class Report:
    """The training losses of one optimizer, shape (rates, seeds, steps); NaN and inf are kept."""

    loss: NDArray[np.float64]

    @property
    def final(self) -> NDArray[np.float64]:
        """Mean loss of the last `BLOCK` steps, shape (rates, seeds); a run that is no longer finite counts as inf."""
        last = self.loss[..., -BLOCK:].mean(axis=-1)
        return np.where(np.isfinite(last), last, np.inf)

    @property
    def best(self) -> int:
        """Index in `RATES` of the smallest median final loss."""
        return int(np.argmin(np.median(self.final, axis=1)))

    @property
    def rate(self) -> float:
        """The learning rate with the lowest median final loss."""
        return RATES[self.best]

    def good_rates(self, within: float = 2.0) -> list[float]:
        """The rates whose median final loss is at most `within` times the best one."""
        median = np.median(self.final, axis=1)
        return [rate for rate, value in zip(RATES, median, strict=True) if value <= within * median[self.best]]


def measure(make: Make, seeds: tuple[int, ...] = SEEDS, steps: int = STEPS) -> Report:
    """Train the standard network once a rate and a seed; `make(parameters, lr)` returns the optimizer of one run.

    Gradients of all runs come from one batched pass; each run has an optimizer of its own.

    Raises:
        ValueError: `steps` below `BLOCK`.
    """
    if not steps >= BLOCK:
        raise ValueError(f"steps must be at least {BLOCK}, got {steps}")
    data = digits()
    models = []
    for seed in seeds:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            models.append(mlp(SIZES, nn.ReLU, nn.init.kaiming_normal_))
    state, _ = stack_module_state(models * len(RATES))
    stacked = {name: value.detach() for name, value in state.items()}
    runs = [[value[i].requires_grad_() for value in stacked.values()] for i in range(len(RATES) * len(seeds))]
    optimizers = [make(run, RATES[i // len(seeds)]) for i, run in enumerate(runs)]

    def loss(parameters: dict[str, Tensor], x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        value = nn.functional.cross_entropy(functional_call(models[0], parameters, (x,)), y)
        return value, value

    gradient = vmap(grad(loss, has_aux=True), in_dims=(0, None, None))
    generator = torch.Generator().manual_seed(0)
    batches: list[Tensor] = []
    losses = []
    for _ in range(steps):
        if not batches:
            order = torch.randperm(len(data.x_train), generator=generator)
            batches = list(order[: len(order) // BATCH * BATCH].split(BATCH))
        batch = batches.pop()
        gradients, values = gradient(stacked, data.x_train[batch], data.y_train[batch])
        for i, (run, optimizer) in enumerate(zip(runs, optimizers, strict=True)):
            for p, g in zip(run, gradients.values(), strict=True):
                p.grad = g[i]
            optimizer.step()
        losses.append(values)
    shape = (len(RATES), len(seeds), steps)
    return Report(torch.stack(losses, dim=-1).double().numpy().reshape(shape))


def sgd(parameters: list[Tensor], lr: float) -> torch.optim.Optimizer:
    """The reference of every page."""
    return torch.optim.SGD(parameters, lr=lr)


def draw(reports: dict[str, Report], colors: dict[str, str] | None = None) -> Figure:
    """The standard picture; the keys are names as the legend shows them, the reference last.

    Lines are medians over seeds, bands reach from the smallest to the largest.
    """
    figure, (training, rates) = panels(2, 1, figsize=(5.6, 6.4))
    palette = [COLORS["forward"], COLORS["backward"], COLORS["good"], COLORS["bad"]]
    for i, (name, report) in enumerate(reports.items()):
        last = i == len(reports) - 1 and i > 0
        color = (colors or {}).get(name, COLORS["reference"] if last else palette[i % len(palette)])
        style = "--" if last else ["-", "-.", ":"][i % 3]
        blocks = report.loss[report.best].reshape(report.loss.shape[1], -1, BLOCK).mean(axis=2)
        steps = np.arange(1, blocks.shape[1] + 1) * BLOCK
        band(training, steps, blocks, label=f"{name}, lr = {report.rate:g}", color=color, style=style)
        final = np.minimum(report.final, 1e3)
        band(rates, RATES, final.T, label=name, color=color, style=style)
    training.set(yscale="log", ylim=(5e-3, 4), xlabel="step", ylabel=f"loss, mean of {BLOCK} steps")
    training.set_title("Each at its best learning rate")
    rates.axhline(CHANCE, color=COLORS["reference"], linewidth=0.8)
    rates.annotate("ten equal guesses", (RATES[-1], CHANCE), ha="right", va="bottom", fontsize=9.5)
    rates.set(xscale="log", yscale="log", ylim=(5e-3, 20), xlabel="learning rate", ylabel="loss of the last steps")
    rates.set_title("Over all learning rates")
    for ax in (training, rates):
        ax.legend(loc="lower left")
    return figure
