"""ReLU, max(0, x): pass what is positive, stop the rest; with ReLU6 and the squared ReLU.

K. Fukushima, "Visual feature extraction by a multilayered network of analog threshold elements", 1969,
https://doi.org/10.1109/TSSC.1969.300225; in deep learning since V. Nair and G. E. Hinton, "Rectified linear
units improve restricted Boltzmann machines", 2010. ReLU6: A. Krizhevsky, "Convolutional deep belief networks
on CIFAR-10", 2010. Squared ReLU: D. R. So et al., "Primer", 2021, https://arxiv.org/abs/2109.08668
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(0, x), with derivative 0 at the kink x = 0, as in torch; NaN stays NaN.

    Takes any floating-point dtype and shape and keeps both; raises TypeError for other dtypes.
    """
    if not torch.is_floating_point(input):
        raise TypeError(f"input must be a floating-point tensor, got {input.dtype}")
    # "x if x > 0 else 0", in one pass; clamp(min=0) has the same values, but derivative 1 at x = 0.
    return nn.functional.threshold(input, 0.0, 0.0, inplace)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(0, x), 6), with derivative 0 at both kinks, as in torch; input as for :func:`relu`."""
    if not torch.is_floating_point(input):
        raise TypeError(f"input must be a floating-point tensor, got {input.dtype}")
    return nn.functional.hardtanh(input, 0.0, 6.0, inplace)


def squared_relu(input: Tensor) -> Tensor:
    """max(0, x)²; its derivative, 2 max(0, x), has no jump; input as for :func:`relu`."""
    return relu(input).square()


class ReLU(nn.Module):
    """:func:`relu` as a layer."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return relu(input, self.inplace)

    def extra_repr(self) -> str:
        return "inplace=True" if self.inplace else ""


class ReLU6(ReLU):
    """:func:`relu6` as a layer."""

    def forward(self, input: Tensor) -> Tensor:
        return relu6(input, self.inplace)


class SquaredReLU(nn.Module):
    """:func:`squared_relu` as a layer."""

    def forward(self, input: Tensor) -> Tensor:
        return squared_relu(input)
