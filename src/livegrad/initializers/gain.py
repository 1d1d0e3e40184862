"""The gain of any activation: the factor on the weights that lets a deep network keep the size of its signal.

With z a standard normal variable: 1/√E[f(z)²], 1/√Var[f(z)] or, for gradients, 1/√E[f′(z)²], to a relative
error of 1e-6 or better, also for functions with kinks and jumps.

Source: K. He, X. Zhang, S. Ren, J. Sun, Delving Deep into Rectifiers, ICCV 2015, section 2.2, for rectifiers,
https://arxiv.org/abs/1502.01852; B. Poole, S. Lahiri, M. Raghu, J. Sohl-Dickstein, S. Ganguli, Exponential
Expressivity in Deep Neural Networks through Transient Chaos, NIPS 2016, for any activation,
https://arxiv.org/abs/1606.05340; S. S. Schoenholz, J. Gilmer, S. Ganguli, J. Sohl-Dickstein, Deep Information
Propagation, ICLR 2017, for gradients, https://arxiv.org/abs/1611.01232. Quadrature:
C. W. Clenshaw, A. R. Curtis, A Method for Numerical Integration on an Automatic Computer, Numerische Mathematik
2, 1960, https://doi.org/10.1007/BF01386223, on panels that are halved where it is needed.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

Activation = Callable[..., Tensor]

_LINEAR = ("linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
_WITH_PARAM = ("celu", "elu", "hardshrink", "leaky_relu", "softplus", "softshrink")
_PLAIN = (
    *("gelu", "hardsigmoid", "hardswish", "hardtanh", "logsigmoid", "mish", "relu", "relu6", "selu"),
    *("sigmoid", "silu", "softsign", "tanh", "tanhshrink"),
)
_REACH = 16.0  # |z| is larger with a probability of 1e-57
_ORDER = 16  # 17 points a panel, both ends among them: a jump right behind an end is seen


def calculate_gain(
    activation: str | Activation,
    param: float | None = None,
    *,
    moment: str = "second",
    direction: str = "forward",
) -> float:
    """1/√E[f(z)²] for a normal variable z of mean 0 and variance 1: √2 for ReLU.

    Where `torch.nn.init.calculate_gain` has a table, this computes. So "sigmoid", "tanh" and "selu" give
    1.8462, 1.5925 and 1 here, and 1, 5/3 and 3/4 there. All other names of the table agree.

    Args:
        activation: any function of a tensor that works on each element by itself (it is called with float64
            tensors of one dimension), a module (a copy in float64 is used), or a name of `torch.nn.functional`.
        param: second argument of the function, for the names that have one: the slope of "leaky_relu", alpha
            of "elu" and "celu", beta of "softplus", lambda of "hardshrink" and "softshrink".
        moment: "second" gives 1/√E[f²]: the sums of the next layer have variance 1. "variance" gives
            1/√Var[f], which leaves the mean of f out: the activations themselves have variance 1.
        direction: "forward", or "backward" for 1/√E[f′²], with f′ from autograd: gradients keep their size.
            They have mean zero, so `moment` makes no difference to them.

    Raises:
        TypeError: `activation` is neither a name nor callable, or does not return a tensor.
        ValueError: an unknown name or option; or an activation that changes the shape, mixes elements, is
            random, is not finite, is zero or constant or passes no gradient (the gain would be infinite), or
            grows or oscillates so fast that 1e-6 is out of reach.

    Details of f narrower than 0.01 can be overlooked, as by any method that samples f.
    """
    if moment not in ("second", "variance"):
        raise ValueError(f"moment must be 'second' or 'variance', got {moment!r}")
    if direction not in ("forward", "backward"):
        raise ValueError(f"direction must be 'forward' or 'backward', got {direction!r}")
    f = _resolve(activation, param)
    with torch.inference_mode(False), torch.no_grad():
        _check_elementwise(f)
        if direction == "backward":
            size = _expectation(lambda z: _derivative(f, z).square())
            rule = "pass a gradient"
        elif moment == "variance":
            mean = _expectation(f)
            size = _expectation(lambda z: (f(z) - mean).square())
            rule = "not be constant"
            if size <= 1e-16 * mean**2:  # rounding is all that is left
                size = 0.0
        else:
            size = _expectation(lambda z: f(z).square())
            rule = "differ from zero"
    if not size > 0:
        raise ValueError(f"activation must {rule}, got an infinite gain for {activation!r}")
    return 1 / math.sqrt(size)


def _resolve(activation: str | Activation, param: float | None) -> Activation:
    """A function of a float64 tensor that leaves its argument unchanged, also where the activation does not."""
    function: Activation
    if isinstance(activation, str):
        if activation not in (*_LINEAR, *_WITH_PARAM, *_PLAIN):
            names = ", ".join(sorted((*_LINEAR, *_WITH_PARAM, *_PLAIN)))
            raise ValueError(f"activation must be callable or one of {names}, got {activation!r}")
        function = nn.Identity() if activation in _LINEAR else getattr(nn.functional, activation)
    elif isinstance(activation, nn.Module):
        function = copy.deepcopy(activation).to("cpu", torch.float64)
    elif callable(activation):
        function = activation
    else:
        raise TypeError(f"activation must be callable or a name, got {activation!r}")
    if param is None:
        return lambda z: function(z.clone())
    if activation not in _WITH_PARAM:
        names = ", ".join(_WITH_PARAM)
        raise ValueError(f"param must be None unless activation is one of {names}, got {param}")
    if not math.isfinite(param):
        raise ValueError(f"param must be finite, got {param}")
    return lambda z: function(z.clone(), param)


def _check_elementwise(f: Activation) -> None:
    z = torch.linspace(-3, 3, 64, dtype=torch.float64, device="cpu")
    y = f(z)
    if not isinstance(y, Tensor):
        raise TypeError(f"activation must return a tensor, got {type(y).__name__}")
    if y.shape != z.shape:
        raise ValueError(f"activation must keep the shape, got {tuple(y.shape)} from {tuple(z.shape)}")
    if not y.dtype.is_floating_point:
        raise ValueError(f"activation must return floating point numbers, got {y.dtype}")
    if not torch.equal(f(z).nan_to_num(), y.nan_to_num()):
        raise ValueError("activation must be deterministic, got two results for one input (try its eval mode)")
    if not torch.allclose(f(z[:9]), y[:9], rtol=1e-6, atol=1e-9, equal_nan=True):
        raise ValueError("activation must treat each element by itself, got results that depend on the others")


def _derivative(f: Activation, z: Tensor) -> Tensor:
    with torch.enable_grad():
        z = z.detach().requires_grad_()
        total = f(z).sum()
        if not total.requires_grad:  # as for `z > 0`: autograd knows no way back
            return torch.zeros_like(z)
        (slope,) = torch.autograd.grad(total, z, materialize_grads=True)
        return slope.detach()


def _expectation(g: Activation) -> float:
    """E[g(z)] for a standard normal z, with an error below 1e-6 E[|g(z)|] and mostly below 1e-10 E[|g(z)|]."""
    k = torch.arange(_ORDER + 1, dtype=torch.float64, device="cpu")
    nodes = -torch.cos(math.pi * k / _ORDER)
    # The weights make the rule exact for the Chebyshev polynomials T_k = cos(k arccos x), k = 0 ... 16. Their
    # integral over [-1, 1] is 2 / (1 - k²) for even k and 0 for odd k.
    exact = torch.where(k % 2 == 0, 2 / (1 - k.square()), 0.0)
    weights = torch.linalg.solve(torch.cos(k[:, None] * torch.acos(nodes)), exact)

    def weighted(z: Tensor) -> Tensor:
        values = g(z.flatten()).to(torch.float64).reshape(z.shape)
        bad = z[~values.isfinite()]
        if len(bad):
            worst = float(bad[bad.abs().argmin()])
            raise ValueError(f"activation must be finite on [-16, 16], also squared, got otherwise at {worst:.4g}")
        return values * torch.exp(-z.square() / 2) / math.sqrt(2 * math.pi)

    def integrate(left: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
        half = (right - left) / 2
        values = weighted((left + right)[:, None] / 2 + half[:, None] * nodes)
        return half * (values @ weights), half * (values.abs() @ weights)

    # The edges avoid round numbers: a function may be undefined at one point, as sin(z)/z is at 0.
    edges = torch.linspace(-_REACH, _REACH + 0.1234567, 130, dtype=torch.float64, device="cpu")
    left, right = edges[:-1], edges[1:]
    coarse, size = integrate(left, right)
    scale = float(size.sum())  # E|g|, what errors are compared with
    if not float(weighted(edges[[0, -1]]).abs().max()) * _REACH <= 1e-7 * scale:
        raise ValueError("activation must grow more slowly, got moments that do not end at |z| = 16")
    total = error = 0.0
    for _ in range(60):
        middle = (left + right) / 2
        fine, _size = integrate(torch.cat([left, middle]), torch.cat([middle, right]))
        first, second = fine.chunk(2)
        change = (first + second - coarse).abs()
        # A panel whose halves add up to the whole is finished; the others are halved again.
        open_ = change > 1e-12 * scale
        total += float((first + second)[~open_].sum())
        error += float(change[~open_].sum())
        rest, doubt = float((first + second)[open_].sum()), float(change[open_].sum())
        if error + doubt <= 1e-10 * scale or int(open_.sum()) > 10_000:
            break
        left, right = torch.cat([left[open_], middle[open_]]), torch.cat([middle[open_], right[open_]])
        coarse = torch.cat([first[open_], second[open_]])
    if not error + doubt <= 1e-6 * scale:
        raise ValueError("activation must be smoother, got a moment that is infinite or cannot be found to 1e-6")
    return total + rest
