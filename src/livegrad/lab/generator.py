"""Random numbers that a page's JavaScript draws too: Threefry-2x32 with 20 rounds, then Box and Muller's transform.

The generator is a function of (seed, stream, index): nothing to keep, nothing to run through, and the same on every
machine. `book/_assets/explorables/math/generator.mjs` is its twin; a test compares the two.

Source: J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, Parallel Random Numbers: As Easy as 1, 2, 3, SC 2011,
https://doi.org/10.1145/2063384.2063405; G. E. P. Box, M. E. Muller, A Note on the Generation of Random Normal
Deviates, Annals of Mathematical Statistics 29, 1958, https://doi.org/10.1214/aoms/1177706645
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_MASK = 0xFFFFFFFF


def threefry2x32(key: tuple[int, int], counter: Tensor, high: int = 0) -> tuple[Tensor, Tensor]:
    """Two words of 32 bits, as int64, for each counter (low word `counter`, high word `high`) under `key`."""
    keys = (key[0], key[1], 0x1BD11BDA ^ key[0] ^ key[1])
    a, b = (counter + keys[0]) & _MASK, torch.full_like(counter, (high + keys[1]) & _MASK)
    for block in range(1, 6):
        for rotation in _ROTATIONS[(block - 1) % 2]:
            a = (a + b) & _MASK
            b = (((b << rotation) | (b >> (32 - rotation))) & _MASK) ^ a
        a = (a + keys[block % 3]) & _MASK
        b = (b + keys[(block + 1) % 3] + block) & _MASK
    return a, b


def uniform(shape: Sequence[int], seed: int, stream: int = 0) -> Tensor:
    """Numbers in (0, 1], float64: the k-th is (word + 1) / 2³², from word k mod 2 of block k // 2.

    Args:
        seed, stream: integers in [0, 2³²); streams of one seed are independent (one for each layer, say).

    Raises:
        ValueError: `seed` or `stream` out of range.
    """
    for name, value in (("seed", seed), ("stream", stream)):
        if not 0 <= value <= _MASK:
            raise ValueError(f"{name} must be in [0, 2**32), got {value}")
    count = math.prod(shape)
    words = torch.stack(threefry2x32((seed, stream), torch.arange((count + 1) // 2)), dim=1)
    return ((words.flatten()[:count] + 1).double() / 2**32).reshape(tuple(shape))


def normal(shape: Sequence[int], seed: int, stream: int = 0) -> Tensor:
    """Standard normal numbers, float64: √(−2 ln u₁) cos(2π u₂) and √(−2 ln u₁) sin(2π u₂) from each pair (u₁, u₂).

    Arguments and errors as in `uniform`. The largest possible size is √(2 ln 2³²) = 6.66.
    """
    count = math.prod(shape)
    u = uniform((count + count % 2,), seed, stream).reshape(-1, 2)
    radius, angle = (-2 * u[:, 0].log()).sqrt(), 2 * math.pi * u[:, 1]
    pairs = torch.stack((radius * angle.cos(), radius * angle.sin()), dim=1)
    return pairs.flatten()[:count].reshape(tuple(shape))
