"""Small two-dimensional data sets that a page's JavaScript builds too, number by number.

`book/_assets/explorables/math/toys.mjs` is the twin of this file; a test compares the two.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from livegrad.lab.generator import normal, uniform

NAMES = ("moons", "circles", "xor", "spirals")


def toy(name: str, count: int = 160, noise: float = 0.1, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Points of shape (count, 2) and their classes, 0 or 1, of shape (count,); both float64.

    Args:
        name: "moons", "circles", "xor" (classes in opposite quarters) or "spirals".
        count: number of points, even; the classes take turns.
        noise: standard deviation of what is added to each coordinate, at least 0.

    Raises:
        ValueError: an unknown name, an odd or too small count, or a negative noise.
    """
    if name not in NAMES:
        raise ValueError(f"name must be one of {', '.join(NAMES)}, got {name!r}")
    if not (count >= 2 and count % 2 == 0):
        raise ValueError(f"count must be even and at least 2, got {count}")
    if not 0 <= noise < math.inf:
        raise ValueError(f"noise must be at least 0, got {noise}")
    index = torch.arange(count)
    y, t = (index % 2).double(), (index // 2 + 0.5).double() / (count // 2)
    if name == "moons":
        side = 1 - 2 * y  # 1 for class 0, -1 for class 1
        x = torch.stack((side * (math.pi * t).cos() + y - 0.5, side * (math.pi * t).sin() + y / 2 - 0.25), dim=1)
    elif name == "circles":
        x = (1 - 0.55 * y)[:, None] * torch.stack(((2 * math.pi * t).cos(), (2 * math.pi * t).sin()), dim=1)
    elif name == "spirals":
        angle = 3 * math.pi * t + math.pi * y
        x = (0.1 + 1.1 * t)[:, None] * torch.stack((angle.cos(), angle.sin()), dim=1)
    else:
        x = 1.2 * (2 * uniform((count, 2), seed, stream=0) - 1)
        y = (x[:, 0] * x[:, 1] > 0).double()
    return x + noise * normal((count, 2), seed, stream=1), y
