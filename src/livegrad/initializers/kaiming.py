"""Kaiming initialization: weights of variance gain² / fan, so that rectifiers keep the size of the signal.

Source: K. He, X. Zhang, S. Ren, J. Sun, Delving Deep into Rectifiers: Surpassing Human-Level Performance on
ImageNet Classification, ICCV 2015, equations 10, 14 and 15, https://arxiv.org/abs/1502.01852
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

# torch's table, so that a call means here what it means there. For any other activation give `gain`.
_GAINS = {
    **dict.fromkeys(("linear", "sigmoid", "conv1d", "conv2d", "conv3d"), 1.0),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), 1.0),
    "relu": math.sqrt(2.0),
    "tanh": 5.0 / 3.0,
    "selu": 3.0 / 4.0,
}
# Standard deviation of a standard normal variable cut off at ±2 (about 0.8796): √(1 − 4 φ(2) / (2 Φ(2) − 1)).
_CUT_STD = math.sqrt(1 - 4 * math.exp(-2) / math.sqrt(2 * math.pi) / math.erf(math.sqrt(2)))


def _std(tensor: Tensor, a: float, mode: str, nonlinearity: str, gain: float | None) -> float:
    """gain / √fan of a weight laid out as torch does: (outputs, inputs, *kernel). Checks every argument."""
    if not isinstance(tensor, Tensor):
        raise TypeError(f"tensor must be a torch.Tensor, got {type(tensor).__name__}")
    if not tensor.is_floating_point():
        raise TypeError(f"tensor must have a floating point dtype, got {tensor.dtype}")
    if not tensor.dim() >= 2:
        raise ValueError(f"tensor must have at least 2 dimensions, got shape {tuple(tensor.shape)}")
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"mode must be 'fan_in' or 'fan_out', got {mode!r}")
    if nonlinearity != "leaky_relu" and nonlinearity not in _GAINS:
        names = ", ".join(sorted([*_GAINS, "leaky_relu"]))
        raise ValueError(f"nonlinearity must be one of {names}, got {nonlinearity!r}")
    if not math.isfinite(a):
        raise ValueError(f"a must be finite, got {a}")
    if gain is None:
        gain = math.sqrt(2.0 / (1 + a**2)) if nonlinearity == "leaky_relu" else _GAINS[nonlinearity]
    elif not 0 <= gain < math.inf:
        raise ValueError(f"gain must be in [0, inf), got {gain}")
    fan = tensor.size(1 if mode == "fan_in" else 0) * math.prod(tensor.shape[2:])
    return gain / math.sqrt(fan) if fan else 0.0


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: torch.Generator | None = None,
    *,
    gain: float | None = None,
) -> Tensor:
    """Fill `tensor` in place from N(0, std²) with std = gain / √fan, and return it.

    The same numbers as `torch.nn.init.kaiming_normal_` from the same generator; a tensor without elements is
    returned as it is, without torch's warning, and a tensor on the meta device is left alone.

    Args:
        tensor: a weight of shape (outputs, inputs, *kernel), floating point: of a linear layer or a convolution.
            In a grouped convolution fan_in is right, and fan_out comes out `groups` times too large. A transposed
            convolution is stored as (inputs, outputs, *kernel): there "fan_out" counts the inputs.
        a: slope of the leaky ReLU for negative inputs; used with "leaky_relu" only.
        mode: "fan_in" (inputs × kernel size) keeps the size of the forward signal, "fan_out" (outputs ×
            kernel size) that of the gradient.
        nonlinearity: one of torch's names; "leaky_relu" has gain √(2 / (1 + a²)), "relu" √2.
        generator: source of the random numbers; torch's global one if None.
        gain: takes the place of the gain that belongs to `nonlinearity`, in [0, inf).

    Raises:
        TypeError: `tensor` is no tensor, or not of floating point.
        ValueError: fewer than two dimensions, or another argument out of its range.
    """
    std = _std(tensor, a, mode, nonlinearity, gain)
    with torch.no_grad():
        return tensor.normal_(0, std, generator=generator)


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: torch.Generator | None = None,
    *,
    gain: float | None = None,
) -> Tensor:
    """Fill `tensor` in place from U(−√3·std, √3·std), which has the standard deviation std = gain / √fan.

    Arguments, errors and return value as in `kaiming_normal_`; the numbers are those of
    `torch.nn.init.kaiming_uniform_`.
    """
    bound = math.sqrt(3.0) * _std(tensor, a, mode, nonlinearity, gain)
    with torch.no_grad():
        return tensor.uniform_(-bound, bound, generator=generator)


def kaiming_trunc_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: torch.Generator | None = None,
    *,
    gain: float | None = None,
) -> Tensor:
    """Fill `tensor` in place from a normal distribution without its tails, of standard deviation gain / √fan.

    A normal variable cut off at ±2σ has a standard deviation of only about 0.88 σ. So σ is made larger first,
    and the result has the promised standard deviation and no entry beyond 2σ. Arguments, errors and return
    value as in `kaiming_normal_`. torch has no such function; TensorFlow calls it `he_normal`.
    """
    sigma = _std(tensor, a, mode, nonlinearity, gain) / _CUT_STD
    if sigma == 0:
        with torch.no_grad():
            return tensor.zero_()
    return torch.nn.init.trunc_normal_(tensor, 0.0, sigma, -2 * sigma, 2 * sigma, generator=generator)
