"""The standard picture of an activation: its curve, and what it does to one deep network. Same axes on every page.

The network has twenty hidden layers of 64 units and He initialization (variance 2 / fan_in, made for ReLU and used
here for every activation). The data are the digits. Training is plain gradient descent on minibatches of 64 with one
learning rate and one number of steps for all. Only the activation differs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor, nn

from livegrad.lab.data import digits
from livegrad.lab.grid import Grid
from livegrad.lab.networks import mlp
from livegrad.lab.plots import COLORS, LINES, band, panels
from livegrad.lab.seeds import SEEDS
from livegrad.lab.signal import Profile, profile

DEPTH, WIDTH, LR, STEPS, BLOCK = 20, 64, 0.02, 120, 20


@dataclass(frozen=True)
class Report:
    """What one activation does to the standard network, over seeds."""

    signal: Profile
    """Size of activations and of gradients by layer, at initialization: shape (seeds, layers)."""
    loss: NDArray[np.float64]
    """Training loss, averaged over blocks of `BLOCK` steps: shape (seeds, blocks)."""
    accuracy: NDArray[np.float64]
    """Share of right answers on the test part after training: shape (seeds,)."""


def build(activation: Callable[[], nn.Module]) -> nn.Sequential:
    """The standard network, with one layer from `activation()` after every hidden linear layer."""
    return mlp([64] + [WIDTH] * DEPTH + [10], activation, nn.init.kaiming_normal_)


def measure(activation: Callable[[], nn.Module], seeds: tuple[int, ...] = SEEDS) -> Report:
    """Measure the signal in the fresh network and then train it, once a seed."""
    data = digits()
    signal = profile(lambda: build(activation), data.x_train[:256], data.y_train[:256], seeds=seeds)
    models = []
    for seed in seeds:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            models.append(build(activation))
    grid = Grid(models, [LR] * len(seeds))
    losses = grid.fit(data.x_train, data.y_train, steps=STEPS).T.double()
    blocks = losses.reshape(len(seeds), -1, BLOCK).mean(dim=2).numpy()
    return Report(signal, blocks, grid.accuracy(data.x_test, data.y_test).numpy())


def draw_shape(function: Callable[[Tensor], Tensor], name: str, color: str) -> Figure:
    """f and f′ from -5 to 5, f′ by autograd."""
    x = torch.linspace(-5, 5, 1001, requires_grad=True)
    y = function(x)
    (slope,) = torch.autograd.grad(y.sum(), x)
    at = x.detach().numpy()
    figure, (top, bottom) = panels(2, 1, figsize=(5.6, 5.4), sharex=True, height_ratios=[1.5, 1])
    for ax in (top, bottom):
        ax.axhline(0, color=COLORS["reference"], linewidth=0.8)
        ax.axvline(0, color=COLORS["reference"], linewidth=0.8)
    top.plot(at, y.detach().numpy(), color=color, linewidth=2.6)
    top.set(ylim=(-1.6, 4.1), ylabel="f(x)", title=name)
    # A break where the slope jumps, so that the picture shows a jump and not a steep line.
    jumps = np.abs(np.diff(slope.numpy())) > 0.2
    broken = np.insert(slope.numpy(), np.flatnonzero(jumps) + 1, np.nan)
    bottom.plot(np.insert(at, np.flatnonzero(jumps) + 1, np.nan), broken, "--", color=color, linewidth=2.6)
    bottom.set(xlim=(-5, 5), ylim=(-0.35, 1.35), ylabel="derivative f\u2009′(x)", xlabel="input $x$")
    return figure


def draw(reports: dict[str, Report]) -> Figure:
    """The standard picture of one or more activations; the keys are their names, as the legend shows them.

    Lines are medians over seeds, bands reach from the smallest to the largest.
    """
    figure, (forward, backward, loss) = panels(3, 1, figsize=(5.6, 8.2))
    layers, steps = np.arange(1, DEPTH + 1), np.arange(1, STEPS // BLOCK + 1) * BLOCK
    for style, (name, report) in zip(LINES, reports.items(), strict=False):
        color = COLORS.get(name.lower())
        band(forward, layers, report.signal.forward, label=name, color=color, style=style)
        band(backward, layers, report.signal.backward, label=name, color=color, style=style)
        band(loss, steps, report.loss, label=name, color=color, style=style)
    forward.set(yscale="log", ylim=(1e-3, 1e2), title="Forward: size of the activations, before training")
    forward.set(xlabel="hidden layer", ylabel="standard deviation")
    backward.set(yscale="log", ylim=(1e-8, 1e-1), title="Backward: size of the gradients, before training")
    backward.set(xlabel="hidden layer", ylabel="root mean square")
    loss.set(yscale="log", ylim=(5e-2, 4), title="Training on the digits")
    loss.set(xlabel="step", ylabel=f"loss, mean of {BLOCK} steps")
    for ax in (forward, backward):
        ax.set_xticks([1, 5, 10, 15, 20])
    # Above the panels: there is no corner of them that some activation's line does not pass.
    figure.legend(*forward.get_legend_handles_labels(), loc="outside upper left", ncols=3)
    return figure
