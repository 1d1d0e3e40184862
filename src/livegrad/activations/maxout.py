"""Maxout, the largest of k linear pieces: a unit that learns its own convex, piecewise linear activation.

I. J. Goodfellow, D. Warde-Farley, M. Mirza, A. Courville and Y. Bengio, "Maxout networks", 2013,
https://arxiv.org/abs/1302.4389
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def maxout(input: Tensor, num_pieces: int = 2, dim: int = -1) -> Tensor:
    """The largest of each `num_pieces` neighbors along `dim`, which becomes that many times shorter.

    The linear layer before it makes the pieces: `nn.Linear(features, units * num_pieces)`. Pieces that tie share the
    gradient equally. Takes any floating-point dtype and keeps it; raises TypeError for other dtypes, ValueError
    unless num_pieces >= 1 and the size of `dim` is a multiple of it, IndexError for a dimension that is not there.
    """
    if not torch.is_floating_point(input):
        raise TypeError(f"input must be a floating-point tensor, got {input.dtype}")
    if not num_pieces >= 1:
        raise ValueError(f"num_pieces must be at least 1, got {num_pieces}")
    if not -input.ndim <= dim < input.ndim:
        raise IndexError(f"dim must be a dimension of the input, got {dim} for {input.ndim} dimensions")
    dim %= input.ndim
    size = input.shape[dim]
    if size % num_pieces:
        raise ValueError(f"the size of dim {dim} must be a multiple of num_pieces = {num_pieces}, got {size}")
    result: Tensor = input.unflatten(dim, (size // num_pieces, num_pieces)).amax(dim + 1)
    return result


class Maxout(nn.Module):
    """:func:`maxout` as a layer; it has no parameters, the linear layer before it has."""

    def __init__(self, num_pieces: int = 2, dim: int = -1) -> None:
        super().__init__()
        if not num_pieces >= 1:
            raise ValueError(f"num_pieces must be at least 1, got {num_pieces}")
        self.num_pieces, self.dim = num_pieces, dim

    def forward(self, input: Tensor) -> Tensor:
        return maxout(input, self.num_pieces, self.dim)

    def extra_repr(self) -> str:
        return f"num_pieces={self.num_pieces}, dim={self.dim}"
