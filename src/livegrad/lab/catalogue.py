"""Every activation of the shelf, found in its folder: a new file appears in the pictures by itself.

The build's cache follows imports, and nothing here imports an activation by name. It also follows strings that spell
one of our modules, so the name of the shelf in `SHELF` makes a chapter that uses this file depend on the whole shelf.
"""

from __future__ import annotations

import inspect
import math
import pkgutil
from collections.abc import Mapping
from importlib import import_module

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from livegrad.lab.plots import COLORS, panels

SHELF = "livegrad.activations"


def catalogue(shelf: str = SHELF) -> dict[str, type[nn.Module]]:
    """The layers of a shelf that turn each number into one number, by name, in the order of files and of their lines.

    Left out are layers that cannot be made without arguments, that mix numbers or change the shape (softmax, maxout,
    gates), and noise that is made for training alone (dropout).
    """
    found: dict[str, type[nn.Module]] = {}
    for info in pkgutil.iter_modules(import_module(shelf).__path__):
        file = import_module(f"{shelf}.{info.name}")
        for name, value in vars(file).items():
            ours = inspect.isclass(value) and issubclass(value, nn.Module) and value.__module__ == file.__name__
            if ours and not name.startswith("_") and _is_pointwise(value):
                found[name] = value
    return found


def value_and_slope(layer: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """f(x) and f′(x), the slope by autograd, in evaluation mode."""
    layer.eval()
    x = x.detach().requires_grad_()
    y = layer(x)
    (slope,) = torch.autograd.grad(y.sum(), x)
    return y.detach(), slope


def draw(layers: Mapping[str, type[nn.Module]], columns: int = 3) -> Figure:
    """Small multiples: f as a line, f′ dashed, from -4 to 4, one panel a layer, the same axes in all."""
    rows = math.ceil(len(layers) / columns)
    figure, axes = panels(rows, columns, figsize=(5.6, 1.3 * rows + 0.5), sharex=True, sharey=True, squeeze=False)
    x = torch.linspace(-4, 4, 321)
    for ax in axes.flat[len(layers) :]:
        ax.axis("off")
    for ax, (name, layer) in zip(axes.flat, layers.items(), strict=False):
        y, slope = value_and_slope(layer(), x)
        for curve, style, color in ((y, "-", "forward"), (slope, "--", "backward")):
            # A break where the curve jumps, so that the picture shows a jump and not a steep line.
            jumps = curve.diff(prepend=curve[:1]).abs() > 0.2
            ax.plot(x, curve.masked_fill(jumps, torch.nan), style, color=COLORS[color], linewidth=1.6)
        ax.axhline(0, color=COLORS["reference"], linewidth=0.6)
        ax.axvline(0, color=COLORS["reference"], linewidth=0.6)
        ax.set_title(name, fontsize=10, pad=3)
        ax.set(xlim=(-4, 4), ylim=(-1.4, 3.2), xticks=(-3, 0, 3), yticks=(-1, 0, 1, 2, 3))
        ax.tick_params(labelsize=9)
    return figure


def _is_pointwise(layer: type[nn.Module]) -> bool:
    arguments = inspect.signature(layer).parameters.values()
    if any(a.default is a.empty and a.kind not in (a.VAR_POSITIONAL, a.VAR_KEYWORD) for a in arguments):
        return False
    x = torch.linspace(-3, 3, 24)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        function, training = layer().eval(), layer().train()
        try:
            y, alone = function(x), torch.stack([function(part) for part in x.split(4)]).flatten()
        except (RuntimeError, ValueError, IndexError):  # wants another shape
            return False
        noise_alone = torch.equal(y, x) and not torch.equal(training(x), x)
    return y.shape == alone.shape == x.shape and torch.allclose(y, alone) and not noise_alone
