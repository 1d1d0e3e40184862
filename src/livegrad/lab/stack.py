"""Train many small networks at once: what costs time in a deep, narrow network is the number of calls, not the sums."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Stack(nn.Module):
    """Networks made by `livegrad.lab.networks.mlp`, all of the same sizes, computed side by side.

    Maps inputs of shape (n, features), the same for all, to outputs of shape (members, n, outputs). The weights are
    copies. A member is not touched by the others: with an optimizer that works on each element by itself, such as
    SGD or Adam, each learns what it would learn alone on the same minibatches.

    Raises:
        ValueError: no networks, or networks that differ in more than their numbers.
    """

    def __init__(self, members: Sequence[nn.Sequential]) -> None:
        super().__init__()
        if not members:
            raise ValueError("members must hold at least 1 network, got none")
        if len({repr(member) for member in members}) != 1:
            raise ValueError("members must be alike, got networks with different layers")
        self.members = len(members)
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        self.activations = nn.ModuleList()
        for layers in zip(*members, strict=True):
            if isinstance(layers[0], nn.Linear):
                weights = torch.stack([layer.weight.detach().T for layer in layers])
                self.weights.append(nn.Parameter(weights.contiguous()))
                has_bias = layers[0].bias is not None
                shift = [layer.bias.detach() if has_bias else weights.new_zeros(weights.shape[2]) for layer in layers]
                self.biases.append(nn.Parameter(torch.stack(shift)[:, None], requires_grad=has_bias))
            else:
                self.activations.append(layers[0])

    def forward(self, x: Tensor) -> Tensor:
        out = x.expand(self.members, *x.shape)
        for index, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            out = torch.baddbmm(bias, out, weight)
            if index < len(self.activations):
                out = self.activations[index](out)
        return out


def cross_entropies(outputs: Tensor, y: Tensor) -> Tensor:
    """Mean cross-entropy of every member, shape (members,), for outputs of shape (members, n, classes).

    Minimize the sum: each member then gets the gradient it would get alone.
    """
    each = nn.functional.cross_entropy(outputs.flatten(0, 1), y.repeat(len(outputs)), reduction="none")
    return each.view(len(outputs), -1).mean(dim=1)
