"""Deep networks built of the same numbers with livegrad and torch, gradients by autograd."""

from __future__ import annotations

import importlib
import math
from typing import Any

import torch
from torch import Tensor, nn

from livegrad.gradients.vanishing import activation_gradient_norms
from livegrad.initializers.gain import calculate_gain
from livegrad.lab.generator import normal, uniform

BATCH = 32
BEGIN = {"depth": 8, "width": 24, "activation": "tanh", "init": "xavier", "sigma": 0.1}
BEGIN |= {"skip": False, "norm": "none", "format": "float64", "seed": 3}


def weight(init: str, sigma: float, n: int, seed: int, layer: int, f: Any) -> Tensor:
    z = normal((n, n), seed, layer)
    if init == "zeros":
        return torch.zeros_like(z)
    if init == "xavier":
        return math.sqrt(6 / (n + n)) * (2 * uniform((n, n), seed, layer) - 1)
    if init in ("orthogonal", "lsuv"):
        q, r = torch.linalg.qr(z.T)
        return (q * r.diagonal().sign()).T
    std = {"normal": sigma, "lecun": n**-0.5, "kaiming": (2 / n) ** 0.5, "gain": calculate_gain(f) / n**0.5}
    return std[init] * z


def function(name: str, extension: Any) -> Any:
    file, _ = extension.shelf_functions().get(name, ("", []))
    if file:
        return getattr(importlib.import_module(f"livegrad.activations.{file}"), name)
    return getattr(torch if name in ("tanh", "sigmoid") else nn.functional, name)


class Layer(nn.Module):
    def __init__(self, settings: dict[str, Any], layer: int, f: Any) -> None:
        super().__init__()
        n = settings["width"]
        self.settings, self.f = settings, f
        self.w = nn.Parameter(weight(settings["init"], settings["sigma"], n, settings["seed"], layer, f))
        self.w.data = self.keep(self.w.data)
        self.out = nn.Identity()  # what the gradient is asked at: before it is rounded

    def keep(self, t: Tensor) -> Tensor:
        return t.to(getattr(torch, self.settings["format"])).double()

    def forward(self, h: Tensor) -> Tensor:
        a = h @ self.w.T
        if self.settings["init"] == "lsuv":
            a = a / a.detach().std(correction=0)
        if self.settings["norm"] == "layer":
            a = nn.functional.layer_norm(a, a.shape[1:])
        elif self.settings["norm"] == "batch":
            a = nn.functional.batch_norm(a, None, None, training=True)
        out = self.f(a)
        return self.keep(self.out(out + h if self.settings["skip"] else out))


def network(changes: dict[str, Any], extension: Any) -> dict[str, Any]:
    settings = {**BEGIN, **changes}
    f, depth, shape = function(settings["activation"], extension), settings["depth"], (BATCH, settings["width"])
    model = nn.Sequential(*[Layer(settings, layer, f) for layer in range(1, depth + 1)])
    x = model[0].keep(normal(shape, settings["seed"], 0))
    readout = normal(shape, settings["seed"], depth + 1)
    norms = activation_gradient_norms(model, x, lambda h: (h * readout).sum(), layers=nn.Identity)
    assert len(norms) == depth
    hidden = [x]
    for layer in model:
        hidden.append(layer(hidden[-1]))
    (first,) = torch.autograd.grad((hidden[-1] * readout).sum(), hidden[1])
    return {
        "settings": settings,
        "forward": [float(h.detach().std(correction=0)) for h in hidden[1:]],
        "backward": [norm / math.sqrt(x.numel()) for norm in norms.values()],
        "hidden": hidden[-1].flatten().tolist(),
        # autograd.grad asks behind the rounding: round as the way down does
        "gradients": model[0].keep(first).flatten().tolist(),
    }


def test_networks_are_those_of_the_package(node, site_extension):
    changes: list[dict[str, Any]] = [
        *({"init": init} for init in ("zeros", "normal", "lecun", "xavier", "kaiming", "gain", "orthogonal", "lsuv")),
        *({"activation": name, "init": "kaiming"} for name in ("relu", "sigmoid", "mish", "gelu", "elu")),
        *({"norm": norm, "skip": skip, "activation": "mish"} for norm in ("layer", "batch") for skip in (False, True)),
        {"skip": True, "activation": "relu", "init": "kaiming", "depth": 20},
        {"format": "float32", "activation": "relu", "init": "kaiming", "seed": 11},
        {"format": "float16", "activation": "relu", "init": "kaiming", "seed": 11},
        {"format": "float16", "activation": "sigmoid", "init": "normal", "norm": "batch"},
        {"depth": 2, "width": 4},
        {"depth": 40, "width": 8, "init": "lsuv", "activation": "sigmoid"},
    ]
    values = [
        1.0,
        1.0 + 2**-11,
        1.0 + 3 * 2**-11,
        0.1,
        -3.14159,
        65504.0,
        65519.9,
        65520.0,
        6e-8,
        2.9e-8,
        2**-25,
        6.1e-5,
        0.0,
    ]
    halves = [[v, float(torch.tensor(v, dtype=torch.float64).half())] for v in values]
    halves = [[v, "inf" if math.isinf(h) else h] for v, h in halves]
    node("signal.test.mjs", {"networks": [network(c, site_extension) for c in changes], "halves": halves})
