"""Time of an activation, forward and backward, beside other ways to the same numbers, as ratios in one run.

    python benchmarks/activations.py [--threads 1 2] [--rounds 30] [--only GLU Mish] [--no-compile]

    torch     torch's own function (of the gated units torch has only GLU)
    ours      the function of this package: it keeps its digits in the tails, and in most cases its input alone
    compiled  ours through `torch.compile` (needs a C++ compiler; left out where there is none)
    same      our arithmetic in plain eager torch, its backward left to autograd; for sigmoid and GLU a form whose
              derivative keeps its digits too (for tanh there is none)
    textbook  the formula as it stands in books, if another: it overflows, or loses its digits, for some inputs

Contestants take turns, so that a slow moment of the machine hits all of them; the fastest round of each is compared,
which a busy machine disturbs least. With one thread the seconds are those of the processor: waiting does not count.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from livegrad.activations.binary_step_and_linear import straight_through_step
from livegrad.activations.elu import SELU_ALPHA, SELU_SCALE, alpha_dropout, celu, elu, selu
from livegrad.activations.gated_linear_units import geglu, glu, reglu, swiglu
from livegrad.activations.leaky_relu import leaky_relu, prelu, rrelu
from livegrad.activations.maxout import maxout
from livegrad.activations.mish import mish
from livegrad.activations.relu import relu, relu6, squared_relu
from livegrad.activations.sigmoid import hardsigmoid, sigmoid
from livegrad.activations.softmax import log_softmax, softmax
from livegrad.activations.softplus import softplus, squareplus
from livegrad.activations.swish import gelu, hardswish, silu, swish
from livegrad.activations.tanh import softsign, tanh

Function = Callable[[Tensor], Tensor]
SHAPES = {"256 x 256": (256, 256), "1024 x 1024": (1024, 1024)}
ROOT = math.sqrt(2 / math.pi)


def above(x: Tensor) -> Tensor:
    """x without -inf, which times a gate of 0 would be NaN."""
    return F.threshold(x, -1000.0, -1000.0)  # clamp does the same, with a slower backward


def same_sigmoid(x: Tensor) -> Tensor:
    return 1 / (1 + torch.exp(-F.threshold(x, -80.0, -80.0)))  # no difference in its derivative; exp must not overflow


def same_elu(x: Tensor) -> Tensor:
    left = x.clamp(max=0)
    return torch.where(x > 0, x, left.expm1())


def same_mish(x: Tensor) -> Tensor:
    t = x.exp()
    return above(x) / (1 + 1 / (t + t * t / 2))


def same_alpha_dropout(x: Tensor) -> Tensor:
    floor = -SELU_SCALE * SELU_ALPHA
    a = (0.5 + 0.25 * floor**2) ** -0.5
    return a * torch.where(torch.rand_like(x) < 0.5, x, floor) - 0.5 * a * floor


def same_straight_through(x: Tensor) -> Tensor:
    inside = x.clamp(-1, 1)
    return (x >= 0).to(x.dtype) + inside - inside.detach()


def same_squareplus(x: Tensor) -> Tensor:
    half = 0.5 * torch.hypot(x, x.new_full((), 2.0)) + 0.5 * x.abs()
    return torch.where(x > 0, half, 1 / half)


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


def book_gelu(x: Tensor) -> Tensor:
    return 0.5 * x * (1 + torch.erf(x / 2**0.5))


def gated(gate: Function) -> Function:
    return lambda x: (lambda a, b: a * gate(b))(*x.chunk(2, -1))


SLOPE = torch.tensor(0.25)

CONTESTANTS: dict[str, dict[str, Function]] = {
    "ReLU": {"torch": F.relu, "ours": relu, "same": lambda x: x.clamp(min=0)},
    "ReLU6": {"torch": F.relu6, "ours": relu6, "same": lambda x: x.clamp(0, 6)},
    "ReLU squared": {"ours": squared_relu, "same": lambda x: x.relu() ** 2},
    "Leaky": {"torch": F.leaky_relu, "ours": leaky_relu, "same": lambda x: torch.where(x > 0, x, 0.01 * x)},
    "PReLU": {
        "torch": lambda x: F.prelu(x, SLOPE),
        "ours": lambda x: prelu(x, SLOPE),
        "same": lambda x: torch.where(x > 0, x, SLOPE * x),
    },
    "RReLU": {
        "torch": lambda x: F.rrelu(x, training=True),
        "ours": lambda x: rrelu(x, training=True),
        "same": lambda x: torch.where(x > 0, x, (torch.rand_like(x) * (1 / 3 - 1 / 8) + 1 / 8) * x),
    },
    "ELU": {
        "torch": F.elu,
        "ours": elu,
        "same": same_elu,
        "textbook": lambda x: torch.where(x > 0, x, x.exp() - 1),
    },
    "CELU": {
        "torch": lambda x: F.celu(x, 2.0),
        "ours": lambda x: celu(x, 2.0),
        "same": lambda x: torch.where(x > 0, x, 2 * (x.clamp(max=0) / 2).expm1()),
    },
    "SELU": {
        "torch": F.selu,
        "ours": selu,
        "same": lambda x: torch.where(x > 0, SELU_SCALE * x, SELU_SCALE * SELU_ALPHA * x.clamp(max=0).expm1()),
    },
    "Alpha dropout": {
        "torch": lambda x: F.alpha_dropout(x, training=True),
        "ours": lambda x: alpha_dropout(x, training=True),
        "same": same_alpha_dropout,
    },
    "Straight-through": {"ours": straight_through_step, "same": same_straight_through},
    "Sigmoid": {
        "torch": torch.sigmoid,
        "ours": sigmoid,
        "same": same_sigmoid,
        "textbook": lambda x: 1 / (1 + torch.exp(-x)),
    },
    "Hardsigmoid": {
        "torch": F.hardsigmoid,
        "ours": hardsigmoid,
        "same": lambda x: (x + 3).clamp(0, 6) / 6,
    },
    "Tanh": {
        "torch": torch.tanh,
        "ours": tanh,
        "textbook": lambda x: (x.exp() - (-x).exp()) / (x.exp() + (-x).exp()),
    },
    "Softsign": {"torch": F.softsign, "ours": softsign, "same": lambda x: x / (1 + x.abs())},
    "Softplus": {
        "torch": F.softplus,
        "ours": softplus,
        "same": lambda x: x.clamp(min=0) + (-x.abs()).exp().log1p(),
        "textbook": lambda x: torch.log(1 + torch.exp(x)),
    },
    "Squareplus": {
        "ours": squareplus,
        "same": same_squareplus,
        "textbook": lambda x: (x + (x * x + 4).sqrt()) / 2,
    },
    "SiLU": {
        "torch": F.silu,
        "ours": silu,
        "same": lambda x: above(x) * x.sigmoid(),
        "textbook": lambda x: x / (1 + torch.exp(-x)),
    },
    "Swish 2": {"ours": lambda x: swish(x, 2.0), "same": lambda x: above(x) * (2 * x).sigmoid()},
    "Hardswish": {
        "torch": F.hardswish,
        "ours": hardswish,
        "same": lambda x: above(x) * ((x + 3).clamp(0, 6) / 6),
    },
    "GELU": {"torch": F.gelu, "ours": gelu, "same": same_gelu, "textbook": book_gelu},
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
    "Maxout": {"ours": maxout, "same": lambda x: x.unflatten(-1, (-1, 2)).amax(-1)},
    "GLU": {"torch": F.glu, "ours": glu, "same": gated(same_sigmoid), "textbook": gated(torch.sigmoid)},
    "ReGLU": {"ours": reglu, "same": gated(torch.relu)},
    "GEGLU": {"ours": geglu, "same": gated(same_gelu), "textbook": gated(book_gelu)},
    "SwiGLU": {
        "ours": swiglu,
        "same": gated(lambda b: above(b) * b.sigmoid()),
        "textbook": gated(lambda b: b * b.sigmoid()),
    },
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
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0)).requires_grad_()
    upstream = {name: torch.ones_like(function(x)) for name, function in functions.items()}
    times: dict[str, list[float]] = {name: [] for name in functions}
    for turn in range(rounds + 2):
        for name, function in functions.items():
            start = clock()
            torch.autograd.grad(function(x), x, upstream[name])
            if turn >= 2:
                times[name].append(clock() - start)
    return {name: min(values) for name, values in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--only", nargs="+", choices=CONTESTANTS, default=list(CONTESTANTS), metavar="NAME")
    parser.add_argument("--no-compile", action="store_true")
    args = parser.parse_args()
    for threads in args.threads:
        torch.set_num_threads(threads)
        print(f"\n{threads} thread(s), forward and backward, float32")
        print(f"{'activation':16s} {'way':10s} {'shape':12s} {'ms':>8s} {'ratio':>6s}  (to torch, else to ours)")
        for activation in args.only:
            torch.compiler.reset()
            functions = CONTESTANTS[activation] if args.no_compile else compiled(CONTESTANTS[activation])
            for name, shape in SHAPES.items():
                result = fastest(functions, shape, args.rounds)
                for way, seconds in result.items():
                    ratio = seconds / result.get("torch", result["ours"])
                    print(f"{activation:16s} {way:10s} {name:12s} {seconds * 1e3:8.2f} {ratio:6.2f}")


if __name__ == "__main__":
    main()
