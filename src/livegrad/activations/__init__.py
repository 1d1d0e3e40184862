"""Activations: `from livegrad.activations import Mish`; the function `mish` is in the file of its name."""

from typing import TYPE_CHECKING

from livegrad._lazy import lazy_exports

if TYPE_CHECKING:
    from .binary_step_and_linear import BinaryStep as BinaryStep
    from .binary_step_and_linear import Identity as Identity
    from .binary_step_and_linear import StraightThroughStep as StraightThroughStep
    from .elu import CELU as CELU
    from .elu import ELU as ELU
    from .elu import SELU as SELU
    from .elu import AlphaDropout as AlphaDropout
    from .gated_linear_units import GEGLU as GEGLU
    from .gated_linear_units import GLU as GLU
    from .gated_linear_units import ReGLU as ReGLU
    from .gated_linear_units import SwiGLU as SwiGLU
    from .leaky_relu import LeakyReLU as LeakyReLU
    from .leaky_relu import PReLU as PReLU
    from .leaky_relu import RReLU as RReLU
    from .maxout import Maxout as Maxout
    from .mish import Mish as Mish
    from .relu import ReLU as ReLU
    from .relu import ReLU6 as ReLU6
    from .relu import SquaredReLU as SquaredReLU
    from .sigmoid import Hardsigmoid as Hardsigmoid
    from .sigmoid import Sigmoid as Sigmoid
    from .softmax import LogSoftmax as LogSoftmax
    from .softmax import Softmax as Softmax
    from .softplus import Softplus as Softplus
    from .softplus import Squareplus as Squareplus
    from .swish import GELU as GELU
    from .swish import Hardswish as Hardswish
    from .swish import SiLU as SiLU
    from .swish import Swish as Swish
    from .tanh import Softsign as Softsign
    from .tanh import Tanh as Tanh
else:
    __getattr__, __dir__, __all__ = lazy_exports(
        __name__,
        {
            "binary_step_and_linear": ["BinaryStep", "Identity", "StraightThroughStep"],
            "elu": ["CELU", "ELU", "SELU", "AlphaDropout"],
            "gated_linear_units": ["GEGLU", "GLU", "ReGLU", "SwiGLU"],
            "leaky_relu": ["LeakyReLU", "PReLU", "RReLU"],
            "maxout": ["Maxout"],
            "mish": ["Mish"],
            "relu": ["ReLU", "ReLU6", "SquaredReLU"],
            "sigmoid": ["Hardsigmoid", "Sigmoid"],
            "softmax": ["LogSoftmax", "Softmax"],
            "softplus": ["Softplus", "Squareplus"],
            "swish": ["GELU", "Hardswish", "SiLU", "Swish"],
            "tanh": ["Softsign", "Tanh"],
        },
    )
