"""Xavier and LeCun initialization: weights of variance 2 / (fan_in + fan_out), or of variance 1 / fan_in.

Source: X. Glorot, Y. Bengio, Understanding the Difficulty of Training Deep Feedforward Neural Networks, AISTATS
2010, equations 12 and 16, https://proceedings.mlr.press/v9/glorot10a.html; Y. LeCun, L. Bottou, G. B. Orr,
K.-R. Müller, Efficient BackProp, 1998, equation 16, http://leon.bottou.org/papers/lecun-98x
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

# Standard deviation of a standard normal variable cut off at ±2 (about 0.8796): √(1 − 4 φ(2) / (2 Φ(2) − 1)).
_CUT_STD = math.sqrt(1 - 4 * math.exp(-2) / math.sqrt(2 * math.pi) / math.erf(math.sqrt(2)))


def _std(tensor: Tensor, gain: float, rule: str) -> float:
    """gain · √(2 / (fan_in + fan_out)), or gain · √(1 / fan_in), of a weight laid out (outputs, inputs, *kernel)."""
    if not isinstance(tensor, Tensor):
        raise TypeError(f"tensor must be a torch.Tensor, got {type(tensor).__name__}")
    if not tensor.is_floating_point():
        raise TypeError(f"tensor must have a floating point dtype, got {tensor.dtype}")
    if not tensor.dim() >= 2:
        raise ValueError(f"tensor must have at least 2 dimensions, got shape {tuple(tensor.shape)}")
    if not 0 <= gain < math.inf:
        raise ValueError(f"gain must be in [0, inf), got {gain}")
    kernel = math.prod(tensor.shape[2:])
    fan_in, fan_out = tensor.size(1) * kernel, tensor.size(0) * kernel
    fans = 2 * fan_in if rule == "lecun" else fan_in + fan_out
    return gain * math.sqrt(2.0 / fans) if fans else 0.0


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: torch.Generator | None = None) -> Tensor:
    """Fill `tensor` in place from U(−b, b) with b = gain · √(6 / (fan_in + fan_out)), and return it.

    A uniform variable on (−b, b) has the standard deviation b / √3, so this is √(2 / (fan_in + fan_out)). The same
    numbers as `torch.nn.init.xavier_uniform_` from the same generator; a tensor without elements or on the meta
    device is returned as it is.

    Args:
        tensor: a weight of shape (outputs, inputs, *kernel), floating point: fan_in is inputs × kernel size and
            fan_out is outputs × kernel size. In a convolution with groups, fan_out comes out `groups` times too large.
        gain: factor on the standard deviation, in [0, inf).
        generator: source of the random numbers; torch's global one if None.

    Raises:
        TypeError: `tensor` is no tensor, or not of floating point.
        ValueError: fewer than two dimensions, or `gain` out of its range.
    """
    bound = math.sqrt(3.0) * _std(tensor, gain, "xavier")
    with torch.no_grad():
        return tensor.uniform_(-bound, bound, generator=generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: torch.Generator | None = None) -> Tensor:
    """Fill `tensor` in place from N(0, std²) with std = gain · √(2 / (fan_in + fan_out)), and return it.

    Arguments and errors as in `xavier_uniform_`; the numbers are those of `torch.nn.init.xavier_normal_`.
    """
    std = _std(tensor, gain, "xavier")
    with torch.no_grad():
        return tensor.normal_(0, std, generator=generator)


def xavier_trunc_normal_(tensor: Tensor, gain: float = 1.0, generator: torch.Generator | None = None) -> Tensor:
    """Fill `tensor` in place from a normal distribution without its tails, of std gain · √(2 / (fan_in + fan_out)).

    The normal variable that is cut off at ±2σ is made wider first, by 1 / 0.88, so that the result has the promised
    standard deviation. Arguments and errors as in `xavier_uniform_`. torch has no such function; JAX and Keras call
    it `glorot_normal`.
    """
    return _cut_normal_(tensor, _std(tensor, gain, "xavier"), generator)


def lecun_uniform_(tensor: Tensor, gain: float = 1.0, generator: torch.Generator | None = None) -> Tensor:
    """Fill `tensor` in place from U(−b, b) with b = gain · √(3 / fan_in), and return it.

    Arguments and errors as in `xavier_uniform_`. torch has no such function.
    """
    bound = math.sqrt(3.0) * _std(tensor, gain, "lecun")
    with torch.no_grad():
        return tensor.uniform_(-bound, bound, generator=generator)


def lecun_normal_(tensor: Tensor, gain: float = 1.0, generator: torch.Generator | None = None) -> Tensor:
    """Fill `tensor` in place from N(0, std²) with std = gain / √fan_in, and return it.

    Arguments and errors as in `xavier_uniform_`. torch has no such function; those of JAX and Keras cut off the tails,
    as `lecun_trunc_normal_` does.
    """
    std = _std(tensor, gain, "lecun")
    with torch.no_grad():
        return tensor.normal_(0, std, generator=generator)


def lecun_trunc_normal_(tensor: Tensor, gain: float = 1.0, generator: torch.Generator | None = None) -> Tensor:
    """Fill `tensor` in place from a normal distribution without its tails, of std gain / √fan_in.

    Made as in `xavier_trunc_normal_`. Arguments and errors as in `xavier_uniform_`. torch has no such function; JAX
    and Keras call it `lecun_normal`.
    """
    return _cut_normal_(tensor, _std(tensor, gain, "lecun"), generator)


def _cut_normal_(tensor: Tensor, std: float, generator: torch.Generator | None) -> Tensor:
    sigma = std / _CUT_STD
    if sigma == 0:
        with torch.no_grad():
            return tensor.zero_()
    return torch.nn.init.trunc_normal_(tensor, 0.0, sigma, -2 * sigma, 2 * sigma, generator=generator)
