"""The same small networks on the same points, with torch's layers, loss, autograd and SGD."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import torch
from torch import nn

from livegrad.activations.mish import Mish
from livegrad.activations.relu import ReLU
from livegrad.lab.generator import normal
from livegrad.lab.toys import NAMES, toy

ACTIVATIONS = {"relu": ReLU, "mish": Mish, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}


def run(name: str, sizes: list[int], seed: int, activation: str, lr: float, steps: int) -> dict[str, Any]:
    x, y = toy(name, 160, 0.1, seed)
    modules: list[nn.Module] = []
    for layer, (fan_in, fan_out) in enumerate(pairwise(sizes)):
        linear = nn.Linear(fan_in, fan_out, dtype=torch.float64)
        linear.weight.data = math.sqrt(2 / fan_in) * normal((fan_out, fan_in), seed, 10 + layer)
        linear.bias.data.zero_()
        modules += [linear, ACTIVATIONS[activation]()]
    model = nn.Sequential(*modules[:-1])
    optimizer, losses = torch.optim.SGD(model.parameters(), lr=lr), []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = nn.functional.binary_cross_entropy_with_logits(model(x)[:, 0], y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    with torch.no_grad():
        z = model(x)[:, 0]
        losses.append(nn.functional.binary_cross_entropy_with_logits(z, y).item())
    dead, h = [], x
    for linear, act in zip(model[:-1:2], model[1:-1:2], strict=True):
        a = linear(h).detach().requires_grad_()
        h = act(a)
        (slope,) = torch.autograd.grad(h.sum(), a)
        dead.append(int((slope == 0).all(dim=0).sum()))
    accuracy = float(((z > 0) == (y > 0.5)).double().mean())
    options = {"name": name, "sizes": sizes, "seed": seed, "activation": activation, "lr": lr}
    return {**options, "losses": losses, "accuracy": accuracy, "dead": dead}


def test_points_and_training_are_those_of_the_package(node):
    toys = []
    for name in NAMES:
        for seed in (0, 5):
            x, y = toy(name, 60, 0.2, seed)
            toys.append(
                {"name": name, "count": 60, "noise": 0.2, "seed": seed, "x": x.flatten().tolist(), "y": y.tolist()}
            )
    runs = [
        run("moons", [2, 8, 8, 1], 0, "relu", 0.3, 100),
        run("circles", [2, 6, 1], 3, "mish", 0.2, 100),
        run("xor", [2, 4, 4, 4, 1], 1, "tanh", 0.3, 60),
        run("spirals", [2, 16, 16, 1], 2, "sigmoid", 0.5, 40),
        run("moons", [2, 8, 8, 1], 0, "relu", 6.0, 25),
    ]
    node("trainer.test.mjs", {"toys": toys, "runs": runs})
