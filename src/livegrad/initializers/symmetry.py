"""Constant starts: zeros and ones, right for biases and scale factors, and fatal for the weights of hidden units.

Source: D. E. Rumelhart, G. E. Hinton, R. J. Williams, Learning Representations by Back-Propagating Errors, Nature
323, 1986, who start from small random weights to break the symmetry, https://doi.org/10.1038/323533a0
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def constant_(tensor: Tensor, val: float) -> Tensor:
    """Fill `tensor` in place with `val` and return it, as `torch.nn.init.constant_` does.

    Args:
        tensor: any shape, floating point.
        val: a finite number.

    Raises:
        TypeError: `tensor` is no tensor, or not of floating point.
        ValueError: `val` is not finite.
    """
    if not isinstance(tensor, Tensor):
        raise TypeError(f"tensor must be a torch.Tensor, got {type(tensor).__name__}")
    if not tensor.is_floating_point():
        raise TypeError(f"tensor must have a floating point dtype, got {tensor.dtype}")
    if not math.isfinite(val):
        raise ValueError(f"val must be finite, got {val}")
    with torch.no_grad():
        return tensor.fill_(val)


def zeros_(tensor: Tensor) -> Tensor:
    """Fill `tensor` in place with 0 and return it: for biases, and for the last layer of a branch that is added."""
    return constant_(tensor, 0.0)


def ones_(tensor: Tensor) -> Tensor:
    """Fill `tensor` in place with 1 and return it: for the scale of a normalization layer."""
    return constant_(tensor, 1.0)


def distinct_units(weight_in: Tensor, bias: Tensor | None = None, weight_out: Tensor | None = None) -> int:
    """How many units of a hidden layer differ from each other in at least one bit of their weights.

    Args:
        weight_in: weights into the layer, one row a unit: `layer.weight` of a linear layer or a convolution.
        bias: their biases, if any.
        weight_out: weights out of the layer, one *column* a unit: `weight` of the linear layer above. Two units
            with equal weights in and different weights out compute the same now, but will not for long.

    Raises:
        ValueError: the parts do not agree on the number of units.
    """
    parts = [weight_in.detach().flatten(1)]
    if bias is not None:
        parts.append(bias.detach()[:, None])
    if weight_out is not None:
        parts.append(weight_out.detach().transpose(0, 1).flatten(1))
    counts = [len(part) for part in parts]
    if len(set(counts)) != 1:
        raise ValueError(f"weight_in, bias and weight_out must have one entry a unit, got {counts} units")
    return len(torch.unique(torch.cat(parts, dim=1), dim=0))
