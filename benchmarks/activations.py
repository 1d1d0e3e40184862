"""Time of an activation, forward and backward, beside other ways to the same numbers, as ratios in one run.

    python benchmarks/activations.py [--threads 1 2] [--rounds 30]

    torch     torch's own function (of the gated units torch has only GLU)
    ours      the function of this package: it saves its input, and keeps its digits in the tails
    compiled  ours through `torch.compile` (needs a C++ compiler; left out where there is none)
    same      our arithmetic in plain eager torch, its backward left to autograd
    textbook  the formula as it stands in books: it overflows, or loses its digits, for some inputs

Contestants take turns, so that a slow moment of the machine hits all of them; the fastest round of each is compared,
which a busy machine disturbs least.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from livegrad.activations.elu import elu
from livegrad.activations.gated_linear_units import geglu, glu, reglu, swiglu
from livegrad.activations.leaky_relu import leaky_relu
from livegrad.activations.mish import mish
from livegrad.activations.relu import relu
from livegrad.activations.sigmoid import sigmoid
from livegrad.activations.softmax import log_softmax, softmax
from livegrad.activations.softplus import softplus
from livegrad.activations.swish import gelu, silu
from livegrad.activations.tanh import tanh

Function = Callable[[Tensor], Tensor]
SHAPES = {"256 x 256": (256, 256), "1024 x 1024": (1024, 1024)}
ROOT = math.sqrt(2 / math.pi)


def above(x: Tensor) -> Tensor:
    return x.clamp(min=torch.finfo(x.dtype).min)


def gated(gate: Function) -> Function:
    return lambda x: (lambda a, b: a * gate(b))(*x.chunk(2, -1))


def same_mish(x: Tensor) -> Tensor:
    t = x.exp()
    return x.clamp(min=-1000) / (1 + 1 / (t + t * t / 2))


def same_softmax(x: Tensor) -> Tensor:
    largest, winner = x.max(-1, keepdim=True)
    powers = (x - largest).scatter(-1, winner, 0.0).exp()
    return powers / powers.sum(-1, keepdim=True)


def same_log_softmax(x: Tensor) -> Tensor:
    largest, winner = x.max(-1, keepdim=True)
    below = (x - largest).scatter(-1, winner, 0.0)
    return below - below.exp().scatter(-1, winner, 0.0).sum(-1, keepdim=True).log1p()


def same_gelu(x: Tensor) -> Tensor:
    return 0.5 * above(x) * torch.erfc(x * -math.sqrt(0.5))


CONTESTANTS: dict[str, dict[str, Function]] = {
    "ReLU": {"torch": F.relu, "ours": relu, "same": lambda x: x.clamp(min=0)},
    "Leaky": {"torch": F.leaky_relu, "ours": leaky_relu, "same": lambda x: torch.where(x > 0, x, 0.01 * x)},
    "ELU": {
        "torch": F.elu,
        "ours": elu,
        "same": lambda x: torch.where(x > 0, x, x.clamp(max=0).expm1()),
        "textbook": lambda x: torch.where(x > 0, x, x.exp() - 1),
    },
    "Sigmoid": {
        "torch": torch.sigmoid,
        "ours": sigmoid,
        "textbook": lambda x: 1 / (1 + torch.exp(-x)),
    },
    "Tanh": {
        "torch": torch.tanh,
        "ours": tanh,
        "textbook": lambda x: (x.exp() - (-x).exp()) / (x.exp() + (-x).exp()),
    },
    "Softplus": {
        "torch": F.softplus,
        "ours": softplus,
        "same": lambda x: x.clamp(min=0) + (-x.abs()).exp().log1p(),
        "textbook": lambda x: torch.log(1 + torch.exp(x)),
    },
    "SiLU": {
        "torch": F.silu,
        "ours": silu,
        "same": lambda x: above(x) * x.sigmoid(),
        "textbook": lambda x: x / (1 + torch.exp(-x)),
    },
    "GELU": {
        "torch": F.gelu,
        "ours": gelu,
        "same": same_gelu,
        "textbook": lambda x: 0.5 * x * (1 + torch.erf(x / 2**0.5)),
    },
    "GELU tanh": {
        "torch": lambda x: F.gelu(x, approximate="tanh"),
        "ours": lambda x: gelu(x, approximate="tanh"),
        "same": lambda x: above(x) * (x * (2 * ROOT + 2 * ROOT * 0.044715 * x * x)).sigmoid(),
        "textbook": lambda x: 0.5 * x * (1 + torch.tanh(ROOT * (x + 0.044715 * x**3))),
    },
    "Mish": {
        "torch": F.mish,
        "ours": mish,
        "same": same_mish,
        "textbook": lambda x: x * torch.tanh(torch.log(1 + torch.exp(x))),
    },
    "Softmax": {
        "torch": lambda x: torch.softmax(x, -1),
        "ours": lambda x: softmax(x, -1),
        "same": same_softmax,
        "textbook": lambda x: (lambda e: e / e.sum(-1, keepdim=True))(x.exp()),
    },
    "LogSoftmax": {
        "torch": lambda x: torch.log_softmax(x, -1),
        "ours": lambda x: log_softmax(x, -1),
        "same": same_log_softmax,
        "textbook": lambda x: x - x.exp().sum(-1, keepdim=True).log(),
    },
    "GLU": {"torch": F.glu, "ours": glu, "same": gated(torch.sigmoid)},
    "ReGLU": {"ours": reglu, "same": gated(torch.relu)},
    "GEGLU": {"ours": geglu, "same": gated(same_gelu)},
    "SwiGLU": {"ours": swiglu, "same": gated(lambda b: above(b) * b.sigmoid())},
}


def compiled(functions: dict[str, Function]) -> dict[str, Function]:
    """With `ours` compiled as one more contestant, where there is a compiler."""
    function = torch.compile(functions["ours"])
    try:
        function(torch.zeros(2, 4, requires_grad=True)).sum().backward()
    except Exception as error:  # what Inductor raises differs by platform and by what is missing
        print(f"not compiled: {type(error).__name__}")
        return functions
    return functions | {"compiled": function}


def fastest(functions: dict[str, Function], shape: tuple[int, int], rounds: int) -> dict[str, float]:
    """Seconds of forward and backward for each contestant in its fastest round; two more rounds do not count."""
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0)).requires_grad_()
    upstream = {name: torch.ones_like(function(x)) for name, function in functions.items()}
    times: dict[str, list[float]] = {name: [] for name in functions}
    for turn in range(rounds + 2):
        for name, function in functions.items():
            start = time.perf_counter()
            torch.autograd.grad(function(x), x, upstream[name])
            if turn >= 2:
                times[name].append(time.perf_counter() - start)
    return {name: min(values) for name, values in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=30)
    args = parser.parse_args()
    for threads in args.threads:
        torch.set_num_threads(threads)
        print(f"\n{threads} thread(s), forward and backward, float32")
        print(f"{'activation':10s} {'way':10s} {'shape':12s} {'ms':>8s} {'ratio':>6s}  (to torch, else to ours)")
        for activation, plain in CONTESTANTS.items():
            torch.compiler.reset()
            functions = compiled(plain)
            for name, shape in SHAPES.items():
                result = fastest(functions, shape, args.rounds)
                for way, seconds in result.items():
                    ratio = seconds / result.get("torch", result["ours"])
                    print(f"{activation:10s} {way:10s} {name:12s} {seconds * 1e3:8.2f} {ratio:6.2f}")


if __name__ == "__main__":
    main()
