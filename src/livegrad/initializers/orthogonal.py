"""Orthogonal initialization: weight matrices that turn a signal without stretching it in any direction.

Source: A. M. Saxe, J. L. McClelland, S. Ganguli, Exact Solutions to the Nonlinear Dynamics of Learning in Deep Linear
Neural Networks, ICLR 2014, https://arxiv.org/abs/1312.6120; for convolutions L. Xiao, Y. Bahri, J. Sohl-Dickstein,
S. S. Schoenholz, J. Pennington, Dynamical Isometry and a Mean Field Theory of CNNs, ICML 2018,
https://arxiv.org/abs/1806.05393; for the signs F. Mezzadri, How to Generate Random Matrices from the Classical
Compact Groups, Notices of the AMS 54, 2007, https://arxiv.org/abs/math-ph/0609050
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def _check(tensor: Tensor, gain: float) -> None:
    if not isinstance(tensor, Tensor):
        raise TypeError(f"tensor must be a torch.Tensor, got {type(tensor).__name__}")
    if not tensor.is_floating_point():
        raise TypeError(f"tensor must have a floating point dtype, got {tensor.dtype}")
    if not tensor.dim() >= 2:
        raise ValueError(f"tensor must have at least 2 dimensions, got shape {tuple(tensor.shape)}")
    if not 0 <= gain < math.inf:
        raise ValueError(f"gain must be in [0, inf), got {gain}")


def _random(rows: int, columns: int, like: Tensor, generator: torch.Generator | None) -> Tensor:
    """A matrix with orthonormal rows or columns, whichever are fewer, every such matrix equally likely."""
    dtype = like.dtype if like.dtype in (torch.float32, torch.float64) else torch.float32  # QR knows no others
    normal = torch.empty(rows, columns, dtype=dtype, device=like.device).normal_(generator=generator)
    q, r = torch.linalg.qr(normal if rows >= columns else normal.T)
    # QR is unique up to signs, and the usual algorithm prefers some of them. A positive diagonal of R is fair.
    q = torch.where(r.diagonal() < 0, -q, q)
    return q if rows >= columns else q.T


def orthogonal_(tensor: Tensor, gain: float = 1.0, generator: torch.Generator | None = None) -> Tensor:
    """Fill `tensor` in place with gain times a random (semi-)orthogonal matrix, and return it.

    All singular values are `gain`. A weight with more than two dimensions is filled as the matrix of shape
    (outputs, inputs × kernel size). That makes the rows of a convolution's *weights* orthonormal, which does not make
    the *convolution* orthogonal: see `delta_orthogonal_`. The same numbers as `torch.nn.init.orthogonal_`
    from the same generator; float16 and bfloat16, too, which torch refuses, are filled (from a float32 matrix).

    Args:
        tensor: a weight of shape (outputs, inputs, *kernel), floating point.
        gain: factor on the matrix, in [0, inf).
        generator: source of the random numbers; torch's global one if None.

    Raises:
        TypeError: `tensor` is no tensor, or not of floating point.
        ValueError: fewer than two dimensions, or `gain` out of its range.
    """
    _check(tensor, gain)
    if tensor.numel() == 0 or tensor.is_meta:
        return tensor
    with torch.no_grad():
        q = _random(tensor.size(0), math.prod(tensor.shape[1:]), tensor, generator)
        return tensor.copy_((gain * q).reshape(tensor.shape))


def delta_orthogonal_(tensor: Tensor, gain: float = 1.0, generator: torch.Generator | None = None) -> Tensor:
    """Fill a convolution's weight in place: gain times an orthogonal matrix in the middle of the kernel, else zeros.

    With stride 1, padding that keeps the size and no groups, the convolution then multiplies each pixel's vector of
    channels by one (semi-)orthogonal matrix. With at least as many outputs as inputs it multiplies the norm of every
    image by `gain`; with fewer, the norm of every gradient. The middle of a kernel of even size k is at k // 2, as
    in `torch.nn.init.dirac_`. torch has no such function. Arguments and errors as in `orthogonal_`.
    """
    _check(tensor, gain)
    if tensor.numel() == 0 or tensor.is_meta:
        return tensor
    with torch.no_grad():
        center = tensor.zero_()
        for size in reversed(tensor.shape[2:]):
            center = center.select(-1, size // 2)
        center.copy_(gain * _random(tensor.size(0), tensor.size(1), tensor, generator))
    return tensor
