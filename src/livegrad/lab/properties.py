"""What every activation chapter answers in one table: values, slopes, saturation, smoothness, cost; all measured."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from livegrad.lab.timing import fastest

_STEP = 1e-3  # of the grid on which jumps are looked for
_JUMP = 0.05  # more than any smooth function here changes within one step; less than any of their corners


@dataclass(frozen=True)
class Properties:
    """What was measured of one activation."""

    low: float
    """The least value; -inf where there is none."""
    high: float
    """The greatest value; inf where there is none."""
    mean: float
    """The mean value for standard normal inputs."""
    least_slope: float
    greatest_slope: float
    saturates: tuple[str, ...]
    """The sides, "left" and "right", on which the slope tends to 0."""
    jumps: tuple[str, tuple[float, ...]] | None
    """The first of value, slope and curvature that jumps, and where; None for a smooth function."""
    passes: int
    """Operations of torch that go over the numbers, forward and backward together."""
    kept: float
    """Bytes that wait for the backward pass, for each number of float32 that comes in."""


def measure(layer: nn.Module, first: float | None = None) -> Properties:
    """The properties of a layer that turns each number into one number, with the constants it was built with.

    Args:
        first: for a layer that takes pairs in its last dimension: the first number of each pair, held fixed. The
            properties are those of the second; passes and bytes are counted over pairs.
    """
    layer = copy.deepcopy(layer)
    with torch.random.fork_rng(devices=[]):
        passes, kept = cost(layer) if first is None else cost(layer, (500, 2))
    layer = layer.double().eval()
    function: Callable[[Tensor], Tensor] = layer
    if first is not None:
        function = lambda x: layer(torch.stack([torch.full_like(x, first), x], dim=-1)).squeeze(-1)  # noqa: E731

    # Not 0 itself, where a corner has a slope by convention alone, but close to it on both sides.
    wide = torch.cat([torch.linspace(-30, 30, 60_000), torch.tensor([-1e6, -1e-6, 1e-6, 1e6])]).double()
    slope = _derivatives(function, wide)[1]
    low, high = extremes(function)
    z = torch.linspace(-12, 12, 24_001, dtype=torch.float64)
    bell = torch.exp(-z * z / 2)
    with torch.no_grad():
        mean = float((function(z) * bell).sum() / bell.sum())
    far = _derivatives(function, torch.tensor([-1e4, 1e4], dtype=torch.float64))[1]
    flat = tuple(side for side, value in zip(("left", "right"), far.tolist(), strict=True) if abs(value) < 1e-6)
    return Properties(low, high, mean, *_ends(slope), flat, _jumps(function), passes, kept)


def facts(layers: Mapping[str, nn.Module], first: float | None = None) -> list[Properties]:
    """Show the table of these layers, one column each, and return what was measured, in the same order.

    Args:
        first: as for `measure`.

    Raises:
        ValueError: no layers.
    """
    from IPython.display import HTML, display

    if not layers:
        raise ValueError("layers must hold at least one layer, got none")
    measured = [measure(layer, first) for layer in layers.values()]
    rows = [[label, *(text(one) for one in measured)] for label, text in _ROWS.items()]
    caption = "Properties of " + ", ".join(layers)
    display(HTML(table(caption, ["Property", *layers], rows, "lg-facts")))
    return measured


def times(layers: Mapping[str, nn.Module], rounds: int = 20) -> dict[str, float]:
    """Time of forward and backward on 256 x 256 numbers of float32, divided by that of torch's ReLU in the same run."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(256, 256, generator=generator).requires_grad_()

    def run(layer: nn.Module) -> Callable[[], object]:
        def both() -> object:
            y = layer(x)
            return torch.autograd.grad(y, x, torch.ones_like(y))

        return both

    with torch.random.fork_rng(devices=[]):
        seconds = fastest({name: run(layer) for name, layer in {**layers, "": nn.ReLU()}.items()}, rounds)
    return {name: seconds[name] / seconds[""] for name in layers}


def extremes(function: Callable[[Tensor], Tensor]) -> tuple[float, float]:
    """The least and the greatest value of a function of one number; infinite where it keeps growing up to |x| = 1e6.

    A layer is put into evaluation mode.
    """
    if isinstance(function, nn.Module):
        function = function.eval()
    x = torch.cat([torch.linspace(-30, 30, 60_001, dtype=torch.float64), torch.tensor([-1e6, 1e6])])
    with torch.no_grad():
        return _ends(function(x.double()))


class _Passes(TorchDispatchMode):
    """Counts the operations of torch that go over `least` numbers or more; a view is none, nor is memory left empty."""

    def __init__(self, least: int) -> None:
        super().__init__()
        self.least, self.count = least, 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        seen = [*args, *(out if isinstance(out, tuple) else (out,))]
        works = not func.is_view and "empty" not in str(func)
        self.count += works and any(isinstance(t, Tensor) and t.numel() >= self.least for t in seen)
        return out


def cost(layer: nn.Module, shape: Sequence[int] = (1000,)) -> tuple[int, float]:
    """What an activation costs in training: passes over its numbers, and bytes kept from forward to backward.

    A pass is an operation of torch that reads or writes at least half as many numbers as come in, forward and backward
    together. The bytes are for each float32 number that comes in, and count a tensor once however often it is kept.
    Neither depends on the machine; seconds do.
    """
    x = torch.linspace(-3, 3, math.prod(shape)).reshape(shape).requires_grad_()
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    passes = _Passes(x.numel() // 2)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor), passes:
        y = layer.train()(x)
    upstream = torch.ones_like(y)
    with passes:
        torch.autograd.grad(y, x, upstream)
    return passes.count, sum(t.untyped_storage().nbytes() for t in kept.values()) / x.numel()


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "lg-cheat") -> str:
    """An HTML table in a box of the class `kind` that scrolls.

    The first cell of a row is its header and may hold markup, the rest is text.
    """
    top = "".join(f'<th scope="col">{escape(title)}</th>' for title in head)
    body = ""
    for first, *rest in rows:
        cells = "".join(f"<td>{escape(cell)}</td>" for cell in rest)
        body += f'<tr><th scope="row">{first}</th>{cells}</tr>'
    box = f'class="pst-scrollable-table-container {kind}" tabindex="0" role="region" aria-label="{escape(caption)}"'
    return f'<div {box}><table class="table"><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def _ends(y: Tensor) -> tuple[float, float]:
    low, high = float(y.min()), float(y.max())
    return (low if low > -1e3 else -math.inf), (high if high < 1e3 else math.inf)


def _derivatives(function: Callable[[Tensor], Tensor], x: Tensor) -> list[Tensor]:
    """Value, slope and curvature at each x."""
    x = x.detach().requires_grad_()
    found = [function(x)]
    for _ in range(2):
        y = found[-1].sum()
        if not y.requires_grad:
            found.append(torch.zeros_like(x))
            continue
        (d,) = torch.autograd.grad(y, x, create_graph=True, materialize_grads=True, allow_unused=True)
        found.append(d)
    return [d.detach() for d in found]


def _jumps(function: Callable[[Tensor], Tensor]) -> tuple[str, tuple[float, ...]] | None:
    """The first of value, slope and curvature with a jump between -8 and 8, and the places, to two digits."""
    x = torch.arange(-8, 8, _STEP, dtype=torch.float64) + _STEP / 2  # 0 and other round numbers lie between two points
    for name, d in zip(("value", "slope", "curvature"), _derivatives(function, x), strict=True):
        places = x[:-1][d.diff().abs() > _JUMP] + _STEP / 2
        if len(places):
            return name, tuple(round(place, 2) + 0.0 for place in places.tolist())  # + 0.0: no minus before a zero
    return None


def _short(number: float) -> str:
    return f"{number if abs(number) > 1e-4 else 0:.3g}".replace("-", "−").replace("inf", "∞")


def _smoothness(one: Properties) -> str:
    if one.jumps is None:
        return "yes"
    kind, places = one.jumps
    at = " and ".join(_short(place) for place in places)
    if kind == "curvature":
        return f"no corner, but the curvature jumps at {at}"
    word = {"value": "jump", "slope": "corner"}[kind]
    return f"no: {word}s at {at}" if len(places) > 1 else f"no: a {word} at {at}"


_ROWS: dict[str, Callable[[Properties], str]] = {
    "Lowest and highest value": lambda one: f"{_short(one.low)} to {_short(one.high)}",
    "Zero-centered (mean value for standard normal inputs)": lambda one: (
        f"{'yes' if abs(one.mean) < 1e-6 else 'no'} ({_short(one.mean)})"
    ),
    "Smallest and largest slope": lambda one: f"{_short(one.least_slope)} to {_short(one.greatest_slope)}",
    "Saturates (the slope tends to 0)": lambda one: " and ".join(one.saturates) or "no",
    "Smooth": _smoothness,
    "Passes over the numbers, forward and backward": lambda one: f"{one.passes}",
    "Bytes kept for backward, for 4 that come in": lambda one: f"{one.kept:.0f}",
}
