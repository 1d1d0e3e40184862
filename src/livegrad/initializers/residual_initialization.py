"""Starts for residual networks h ← h + branch(h): the branches begin small, so that a deep stack does not explode.

Source: P. Goyal et al., Accurate, Large Minibatch SGD, 2017, section 5.1, for the zero at the end of each branch,
https://arxiv.org/abs/1706.02677; A. Radford et al., Language Models are Unsupervised Multitask Learners, 2019, section
2.3, for the factor 1/√N; H. Zhang, Y. N. Dauphin, T. Ma, Fixup Initialization: Residual Learning Without Normalization,
ICLR 2019, the rules of its introduction, https://arxiv.org/abs/1901.09321
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

# One branch: a module, or its layers in the order of their calls where no single module holds them.
Branch = nn.Module | Sequence[nn.Module]

_WEIGHTED = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


class FixupBranch(nn.Module):
    """A branch with what Fixup adds: a number (at first 0) before each layer, and a factor (at first 1) on the result.

    Computes scale · layer_k(… layer_1(x + shifts[0]) …). As in the paper every linear layer, convolution and activation
    has its shift, so linear layers and convolutions need no bias of their own. With `scale` at 0 it is the branch of
    SkipInit and ReZero.
    """

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        if not layers:
            raise ValueError("layers must hold at least 1 layer, got none")
        self.layers = nn.ModuleList(layers)
        self.shifts = nn.Parameter(torch.zeros(len(layers)))
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        for shift, layer in zip(self.shifts, self.layers, strict=True):
            x = layer(x + shift)
        return self.scale * x


def zero_last_(model: nn.Module, branches: Sequence[Branch] | None = None) -> nn.Module:
    """Set weight and bias of the last layer of each branch to 0, so that every block begins as the identity.

    The last layer is the last one with a weight. Where batch normalization follows a convolution that is its factor γ.
    What follows it in the branch should map 0 to 0, as ReLU and dropout do.

    Args:
        model: any module; it is changed in place and returned.
        branches: see `Branch`. If None, all submodules of `model` whose own name is "branch". In a module that is no
            `nn.Sequential`, layers count in the order of registration: give a list where they are called in another.

    Raises:
        TypeError: `model` is no module, or `branches` holds something else than modules and sequences of them.
        ValueError: no branches; a branch without a weight, or with one that is lazy or parametrized (weight norm); two
            branches with the same last layer. Nothing is changed then.
    """
    for layer in [layers[-1] for layers in _layers_of(model, branches)]:
        _fill(layer, 0.0)
    return model


def scale_last_(model: nn.Module, branches: Sequence[Branch] | None = None) -> nn.Module:
    """Multiply weight and bias of the last layer of each of the L branches by 1/√L, and so what the branch adds.

    Call it once, after the weights have their usual start. A transformer of n layers has L = 2n branches. Arguments,
    errors and return value as in `zero_last_`.
    """
    last = [layers[-1] for layers in _layers_of(model, branches)]
    with torch.no_grad():
        for parameter in [p for layer in last for p in layer.parameters(recurse=False)]:
            parameter.div_(math.sqrt(len(last)))
    return model


def fixup_(
    model: nn.Module,
    branches: Sequence[Branch] | None = None,
    *,
    head: nn.Module | None = None,
    generator: torch.Generator | None = None,
) -> nn.Module:
    """Initialize a residual network without normalization by Fixup; with `FixupBranch` its three rules are complete.

    The last layer of each of the L branches and the head become 0. All other linear layers and convolutions get weights
    from N(0, 2 / fan_in); in a branch of m such layers they are multiplied by L^(−1/(2m−2)). Biases become 0. Other
    modules outside the branches are left as they are.

    Args:
        model, branches: as in `zero_last_`.
        head: the layer that gives the classes; if None, the last linear layer or convolution outside the branches.
        generator: source of the random numbers; torch's global one if None.

    Raises:
        TypeError, ValueError: as in `zero_last_`; also a branch with matrices in other layers than linear ones and
            convolutions, or with normalization, whose place Fixup takes; and a `head` that is no linear layer or
            convolution outside the branches.
    """
    found = _layers_of(model, branches)
    parts = _modules_of(model, branches)
    inside = {id(module) for modules in parts for module in modules}
    for number, modules in enumerate(parts):
        for module in modules:
            matrix = any(p.dim() > 1 for p in module.parameters(recurse=False))
            if not isinstance(module, _WEIGHTED) and (matrix or module in found[number]):
                kind = type(module).__name__
                raise ValueError(f"branches[{number}] must have linear layers and convolutions only, got {kind}")
    outside = [_checked(m, "model") for m in model.modules() if isinstance(m, _WEIGHTED) and id(m) not in inside]
    if head is None and outside:
        head = outside[-1]
    if not any(head is layer for layer in outside):
        raise ValueError(f"head must be a linear layer or convolution outside the branches, got {head}")
    for layer in outside:
        _fill(layer, 0.0 if layer is head else 1.0, generator)
    for layers in found:
        for layer in layers[:-1]:
            _fill(layer, len(found) ** (-1 / (2 * len(layers) - 2)), generator)
        _fill(layers[-1], 0.0)
    return model


def _modules_of(model: nn.Module, branches: Sequence[Branch] | None) -> list[list[nn.Module]]:
    """All modules in each branch, in the order of registration."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, got {type(model).__name__}")
    if branches is None:
        branches = [module for name, module in model.named_modules() if name.rpartition(".")[2] == "branch"]
    if not len(branches) >= 1:
        raise ValueError("branches must hold at least 1 branch, got none (submodules named 'branch' are found)")
    modules = []
    for number, branch in enumerate(branches):
        parts = [branch] if isinstance(branch, nn.Module) else branch
        if not isinstance(parts, (list, tuple)) or not all(isinstance(part, nn.Module) for part in parts):
            raise TypeError(f"branches[{number}] must be a module or a list of modules, got {branch!r}")
        modules.append([module for part in parts for module in part.modules()])
    return modules


def _layers_of(model: nn.Module, branches: Sequence[Branch] | None) -> list[list[nn.Module]]:
    """The layers with a weight in each branch. Whatever is wrong is found here, before anything is changed."""
    found = []
    for number, modules in enumerate(_modules_of(model, branches)):
        layers = [module for module in modules if _has_weight(_checked(module, f"branches[{number}]"))]
        if not layers:
            raise ValueError(f"branches[{number}] must have a layer with a weight, got none")
        found.append(layers)
    if len({id(layers[-1]) for layers in found}) != len(found):
        raise ValueError("branches must each have a last layer of their own, got one that is shared")
    return found


def _has_weight(module: nn.Module) -> bool:
    # The slope of PReLU is called weight, too, but PReLU is an activation.
    return module._parameters.get("weight") is not None and not isinstance(module, nn.PReLU)


def _checked(module: nn.Module, where: str) -> nn.Module:
    kind = type(module).__name__
    if hasattr(module, "parametrizations") or "weight_v" in module._parameters:
        raise ValueError(f"{where} must hold its weights itself, got a parametrized {kind}: remove that first")
    if any(isinstance(p, nn.parameter.UninitializedParameter) for p in module.parameters(recurse=False)):
        raise ValueError(f"{where} must know its shapes, got {kind}: run the model once before")
    return module


def _fill(layer: nn.Module, scale: float, generator: torch.Generator | None = None) -> None:
    """Weights from scale · N(0, 2 / fan_in), the biases 0."""
    with torch.no_grad():
        for name, parameter in layer.named_parameters(recurse=False):
            if name == "weight" and scale and parameter.numel():
                parameter.normal_(0, scale * math.sqrt(2 / parameter[0].numel()), generator=generator)
            else:
                parameter.zero_()
