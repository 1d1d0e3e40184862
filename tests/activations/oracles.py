"""What every activation must be: a second, independent definition in mpmath, by function name.

The contract (`test_contract.py`) finds the functions of the shelf by itself and fails for one that is neither
here nor in `NOT_POINTWISE`. A function with parameters may appear several times, as `"leaky_relu[0.3]"`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import mpmath
import torch
from mpmath import mp

Real = Callable[[Any], Any]
Torch = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Oracle:
    """`f` is the definition as the paper has it; the derivative is taken from it numerically in high precision."""

    f: Real
    module: str
    """Name of the layer in the same file."""
    limits: tuple[tuple[float, float], tuple[float, float]]
    """(f, f') at -inf and at +inf."""
    kinks: Mapping[float, float] = field(default_factory=dict)
    """Points without a derivative, and the value that torch takes there."""
    stationary: tuple[float, ...] = ()
    """Where f' crosses zero: no relative error can be small close by, an absolute one is asked for."""
    torch: Torch | None = None
    """The same function in torch, if torch has it."""
    ulp: float = 4
    """Largest error of the value from -10 to 10 in float32 and float64, with a reason where it is larger."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """Passed by keyword to the function and to the layer."""


def softplus(x: Any) -> Any:
    return mpmath.log1p(mpmath.exp(x))


def normal_below(x: Any) -> Any:
    if abs(x) > 20_000:  # mpmath's erfc takes no huge numbers; 0 or 1 is off by less than e^(-10⁸)
        return mp.mpf(x > 0)
    return mpmath.erfc(-x / mpmath.sqrt(2)) / 2


def elu(x: Any, alpha: Any) -> Any:
    return x if x > 0 else alpha * mpmath.expm1(x)


# The two numbers of "Self-normalizing neural networks" (2017), equation 14, as the paper prints them.
SELU_ALPHA, SELU_SCALE = mp.mpf("1.6732632423543772848170429916717"), mp.mpf("1.0507009873554804934193349852946")

ORACLES = {
    "sigmoid": Oracle(
        f=lambda x: 1 / (1 + mpmath.exp(-x)),
        module="Sigmoid",
        limits=((0, 0), (1, 0)),
        torch=torch.sigmoid,
    ),
    "hardsigmoid": Oracle(
        f=lambda x: min(max(x + 3, mp.zero), mp.mpf(6)) / 6,
        module="Hardsigmoid",
        limits=((0, 0), (1, 0)),
        kinks={-3.0: 0.0, 3.0: 0.0},
        torch=torch.nn.functional.hardsigmoid,
    ),
    "tanh": Oracle(
        f=mpmath.tanh,
        module="Tanh",
        limits=((-1, 0), (1, 0)),
        torch=torch.tanh,
    ),
    "softsign": Oracle(
        f=lambda x: x / (1 + abs(x)),
        module="Softsign",
        limits=((-1, 0), (1, 0)),
        torch=torch.nn.functional.softsign,
    ),
    "relu": Oracle(
        f=lambda x: max(x, mp.zero),
        module="ReLU",
        limits=((0, 0), (mpmath.inf, 1)),
        kinks={0.0: 0.0},
        torch=torch.nn.functional.relu,
    ),
    "relu6": Oracle(
        f=lambda x: min(max(x, mp.zero), mp.mpf(6)),
        module="ReLU6",
        limits=((0, 0), (6, 0)),
        kinks={0.0: 0.0, 6.0: 0.0},
        torch=torch.nn.functional.relu6,
    ),
    "squared_relu": Oracle(
        f=lambda x: max(x, mp.zero) ** 2,
        module="SquaredReLU",
        limits=((0, 0), (mpmath.inf, mpmath.inf)),
        kinks={0.0: 0.0},  # the derivative exists and is 0; a numerical one cannot see that
    ),
    "leaky_relu": Oracle(
        f=lambda x: max(x, mp.zero) + mp.mpf(0.01) * min(x, mp.zero),
        module="LeakyReLU",
        limits=((-mpmath.inf, mp.mpf(0.01)), (mpmath.inf, 1)),
        kinks={0.0: 0.01},
        torch=torch.nn.functional.leaky_relu,
    ),
    "leaky_relu[1.5]": Oracle(
        f=lambda x: max(x, mp.zero) + mp.mpf(1.5) * min(x, mp.zero),
        module="LeakyReLU",
        limits=((-mpmath.inf, 1.5), (mpmath.inf, 1)),
        kinks={0.0: 1.5},
        torch=lambda x: torch.nn.functional.leaky_relu(x, 1.5),
        arguments={"negative_slope": 1.5},
    ),
    "leaky_relu[0]": Oracle(
        f=lambda x: max(x, mp.zero),
        module="LeakyReLU",
        limits=((0, 0), (mpmath.inf, 1)),
        kinks={0.0: 0.0},
        torch=lambda x: torch.nn.functional.leaky_relu(x, 0.0),
        arguments={"negative_slope": 0.0},
    ),
    "elu": Oracle(
        f=lambda x: elu(x, 1),
        module="ELU",
        limits=((-1, 0), (mpmath.inf, 1)),
        kinks={0.0: 1.0},  # the derivative exists and is 1; the second one jumps
        torch=torch.nn.functional.elu,
    ),
    "elu[0.3]": Oracle(
        f=lambda x: elu(x, mp.mpf(0.3)),
        module="ELU",
        limits=((-mp.mpf(0.3), 0), (mpmath.inf, 1)),
        kinks={0.0: 0.3},
        torch=lambda x: torch.nn.functional.elu(x, 0.3),
        arguments={"alpha": 0.3},
    ),
    "celu": Oracle(
        f=lambda x: elu(x, 1),
        module="CELU",
        limits=((-1, 0), (mpmath.inf, 1)),
        kinks={0.0: 1.0},
        torch=torch.nn.functional.celu,
    ),
    "celu[2.5]": Oracle(
        f=lambda x: elu(x / mp.mpf(2.5), 1) * mp.mpf(2.5),
        module="CELU",
        limits=((-2.5, 0), (mpmath.inf, 1)),
        kinks={0.0: 1.0},
        torch=lambda x: torch.nn.functional.celu(x, 2.5),
        arguments={"alpha": 2.5},
    ),
    "selu": Oracle(
        f=lambda x: elu(x, SELU_ALPHA) * SELU_SCALE,
        module="SELU",
        limits=((-SELU_ALPHA * SELU_SCALE, 0), (mpmath.inf, SELU_SCALE)),
        kinks={0.0: SELU_ALPHA * SELU_SCALE},
        torch=torch.nn.functional.selu,
    ),
    "softplus": Oracle(
        f=softplus,
        module="Softplus",
        limits=((0, 0), (mpmath.inf, 1)),
        torch=torch.nn.functional.softplus,
    ),
    "softplus[2, inf]": Oracle(
        f=lambda x: softplus(2 * x) / 2,
        module="Softplus",
        limits=((0, 0), (mpmath.inf, 1)),
        arguments={"beta": 2.0, "threshold": math.inf},
    ),
    "squareplus": Oracle(
        f=lambda x: (x + mpmath.sqrt(x * x + 4)) / 2,
        module="Squareplus",
        limits=((0, 0), (mpmath.inf, 1)),
    ),
    "squareplus[0.3]": Oracle(
        f=lambda x: (x + mpmath.sqrt(x * x + mp.mpf(0.3))) / 2,
        module="Squareplus",
        limits=((0, 0), (mpmath.inf, 1)),
        arguments={"b": 0.3},
    ),
    "silu": Oracle(
        f=lambda x: x / (1 + mpmath.exp(-x)),
        module="SiLU",
        limits=((0, 0), (mpmath.inf, 1)),
        stationary=(-1.2784645,),
        torch=torch.nn.functional.silu,
    ),
    "swish[2]": Oracle(
        f=lambda x: x / (1 + mpmath.exp(-2 * x)),
        module="Swish",
        limits=((0, 0), (mpmath.inf, 1)),
        stationary=(-0.6392323,),
        arguments={"beta": 2.0},
    ),
    "swish[-0.5]": Oracle(
        f=lambda x: x / (1 + mpmath.exp(x / 2)),
        module="Swish",
        limits=((-mpmath.inf, 1), (0, 0)),
        stationary=(2.5569290,),
        arguments={"beta": -0.5},
    ),
    "swish[0]": Oracle(
        f=lambda x: x / 2,
        module="Swish",
        limits=((-mpmath.inf, 0.5), (mpmath.inf, 0.5)),
        arguments={"beta": 0.0},
    ),
    "hardswish": Oracle(
        f=lambda x: x * min(max(x + 3, mp.zero), mp.mpf(6)) / 6,
        module="Hardswish",
        limits=((0, 0), (mpmath.inf, 1)),
        kinks={-3.0: 0.0, 3.0: 1.0},
        stationary=(-1.5,),
        torch=torch.nn.functional.hardswish,
    ),
    "gelu": Oracle(
        f=lambda x: x * normal_below(x),
        module="GELU",
        limits=((0, 0), (mpmath.inf, 1)),
        stationary=(-0.7517916,),
        torch=torch.nn.functional.gelu,
        ulp=100,  # a relative change of x changes the value x² times as much: 100 times at -10
    ),
    "gelu[tanh]": Oracle(
        f=lambda x: x / (1 + mpmath.exp(-2 * mpmath.sqrt(2 / mpmath.pi) * (x + mp.mpf(0.044715) * x**3))),
        module="GELU",
        limits=((0, 0), (mpmath.inf, 1)),
        stationary=(-0.7524614,),
        torch=lambda x: torch.nn.functional.gelu(x, approximate="tanh"),
        ulp=200,  # the exponent is -87 at -10, and its own rounding errors become relative errors of the value
        arguments={"approximate": "tanh"},
    ),
    "mish": Oracle(
        f=lambda x: x * mpmath.tanh(softplus(x)),
        module="Mish",
        limits=((0, 0), (mpmath.inf, 1)),
        stationary=(-1.1924312,),
        torch=torch.nn.functional.mish,
    ),
    "binary_step": Oracle(
        f=lambda x: mp.one if x >= 0 else mp.zero,
        module="BinaryStep",
        limits=((0, 0), (1, 0)),
        kinks={0.0: 0.0},
    ),
    "linear": Oracle(
        f=lambda x: x,
        module="Identity",
        limits=((-mpmath.inf, 1), (mpmath.inf, 1)),
        torch=torch.nn.Identity(),
    ),
}

NOT_POINTWISE: Mapping[str, str] = {
    "alpha_dropout": "random",
    "prelu": "a learned slope for each channel",
    "rrelu": "random slopes in training",
    "softmax": "mixes the elements along one dimension",
    "log_softmax": "mixes the elements along one dimension",
    "straight_through_step": "its gradient is on purpose not the derivative of its value",
    "maxout": "takes the largest of neighbors along one dimension",
    "glu": "multiplies one half of the features by a gate made of the other",
    "reglu": "as glu",
    "geglu": "as glu",
    "swiglu": "as glu",
}
"""Functions that mix elements or draw random numbers, with the reason; their own test file covers them."""
