"""A neuron, f(w·x + b); a layer of neurons; the multilayer perceptron; and how many numbers it has to learn.

Source: the neuron as a weighted sum and a threshold: McCulloch & Pitts 1943, https://doi.org/10.1007/BF02478259;
weights that are learned: Rosenblatt 1958, https://doi.org/10.1037/h0042519; layers of smooth neurons: Rumelhart,
Hinton & Williams 1986, equations (1) and (2), https://doi.org/10.1038/323533a0
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Activation = Callable[[Tensor], Tensor]


def neuron(x: Tensor, w: Tensor, b: Tensor | float, f: Activation) -> Tensor:
    """f(w·x + b) for one example x of shape (n,), or for each row of x of shape (..., n); w has shape (n,)."""
    if w.ndim != 1 or x.shape[-1:] != w.shape:
        raise ValueError(f"w must hold one weight per input, got shape {tuple(w.shape)} for x {tuple(x.shape)}")
    return f(x @ w + b)


def mlp_forward(x: Tensor, weights: Sequence[Tensor], biases: Sequence[Tensor], f: Activation) -> list[Tensor]:
    """Outputs of every layer of a multilayer perceptron: f(W h + b), layer by layer, and W h + b in the last one.

    weights[l] has shape (n_out, n_in), as in torch.nn.Linear: row k holds the weights of neuron k. biases[l] has
    shape (n_out,). x has shape (..., n_in of the first layer). The last entry of the result is the network's answer.
    """
    if not len(weights) == len(biases) >= 1:
        raise ValueError(f"weights and biases must pair up, at least 1, got {len(weights)} and {len(biases)}")
    outputs: list[Tensor] = []
    h = x
    for W, b in zip(weights, biases, strict=True):
        z = h @ W.mT + b
        h = f(z) if len(outputs) < len(weights) - 1 else z
        outputs.append(h)
    return outputs


def merge_linear(weights: Sequence[Tensor], biases: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """The one linear layer that computes what the stack computes when nothing stands between its layers.

    W₂(W₁x + b₁) + b₂ = (W₂W₁)x + (W₂b₁ + b₂), repeated for every further layer. Shapes as in `mlp_forward`.
    """
    if not len(weights) == len(biases) >= 1:
        raise ValueError(f"weights and biases must pair up, at least 1, got {len(weights)} and {len(biases)}")
    weight, bias = weights[0], biases[0]
    for W, b in zip(weights[1:], biases[1:], strict=True):
        weight, bias = W @ weight, torch.mv(W, bias) + b
    return weight, bias


def count_parameters(sizes: Sequence[int]) -> int:
    """Weights and biases of a multilayer perceptron with these widths, from input to output: Σ (n_in + 1) n_out."""
    if not (len(sizes) >= 2 and all(size >= 1 for size in sizes)):
        raise ValueError(f"sizes must hold at least 2 widths, all at least 1, got {list(sizes)}")
    return sum((n_in + 1) * n_out for n_in, n_out in itertools.pairwise(sizes))
