"""The network of the book: one multilayer perceptron, so that pages compare."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

from torch import Tensor, nn

Initializer = Callable[[Tensor], object]


def mlp(
    sizes: Sequence[int],
    activation: Callable[[], nn.Module] = nn.ReLU,
    init: Initializer | None = None,
    *,
    bias: bool = True,
) -> nn.Sequential:
    """Linear layers of the given sizes with `activation()` between them; none after the last.

    Args:
        sizes: widths from input to output, as in `[64] + [128] * 10 + [10]`; at least two, all positive.
        activation: a class or function that makes one activation module per hidden layer.
        init: applied in place to every weight matrix; biases are then zero. `None` keeps torch's default.
        bias: whether the linear layers have a bias.

    Raises:
        ValueError: fewer than two sizes, or a size below one.
    """
    if not len(sizes) >= 2:
        raise ValueError(f"sizes must hold at least 2 widths, got {list(sizes)}")
    if not all(size >= 1 for size in sizes):
        raise ValueError(f"sizes must all be at least 1, got {list(sizes)}")
    layers: list[nn.Module] = []
    for fan_in, fan_out in itertools.pairwise(sizes):
        linear = nn.Linear(fan_in, fan_out, bias=bias)
        if init is not None:
            init(linear.weight)
            if bias:
                nn.init.zeros_(linear.bias)
        layers += [linear, activation()]
    return nn.Sequential(*layers[:-1])
