"""μP: starting weights and learning rates that follow the width, so that the best learning rate does not move with it.

Source: G. Yang, E. J. Hu, Tensor Programs IV: Feature Learning in Infinite-Width Neural Networks, ICML 2021,
https://arxiv.org/abs/2011.14522; G. Yang, E. J. Hu et al., Tensor Programs V: Tuning Large Neural Networks via
Zero-Shot Hyperparameter Transfer, 2022, table 3, https://arxiv.org/abs/2203.03466
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

_WEIGHTED = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


def mup_(
    model: nn.Module,
    base: nn.Module,
    lr: float,
    *,
    optimizer: str = "adam",
    gain: float = math.sqrt(2.0),
    generator: torch.Generator | None = None,
) -> list[dict[str, Any]]:
    """Initialize `model` in place and return parameter groups: give them to the optimizer instead of the parameters.

    With r_in and r_out for fan_in and fan_out of a layer divided by those of the same layer of `base` (1 where they are
    the number of pixels or of classes; r_in is 1 for biases and for parameters of normalization):

        standard deviation of weights   gain / √fan_in, and for output weights (r_out = 1) divided by √r_in
        learning rate                   lr · r_out / r_in with SGD, lr / r_in with Adam

    A model of the width of `base` gets Kaiming initialization and the rate `lr` for all. Biases of linear layers and
    convolutions become 0; parameters of normalization keep their values.

    Args:
        model: holds linear layers and convolutions, and beside them parameters of one dimension only.
        base: the same model, made with the width at which `lr` was found. Only its shapes are read, so it may lie on
            the meta device: `with torch.device("meta"): base = make(width=64)`.
        lr: learning rate at the base width, positive and finite.
        optimizer: "sgd" (also with momentum) or "adam" (also AdamW, RMSProp, sign descent: rules whose step does not
            grow with the gradient). Weight decay is not rescaled.
        gain: 0 or more; √2 is for ReLU.
        generator: source of the random numbers; torch's global one if None.

    Raises:
        TypeError: `model` or `base` is no module.
        ValueError: an argument out of its range; `base` with other parameters or another number of dimensions; a
            parameter of more than one dimension that is no weight of a linear layer or convolution (attention,
            embeddings), or a parametrized or lazy one. Nothing is changed then.
    """
    for name, module in (("model", model), ("base", base)):
        if not isinstance(module, nn.Module):
            raise TypeError(f"{name} must be a torch.nn.Module, got {type(module).__name__}")
    if not 0 < lr < math.inf:
        raise ValueError(f"lr must be in (0, inf), got {lr}")
    if optimizer not in ("sgd", "adam"):
        raise ValueError(f"optimizer must be 'sgd' or 'adam', got {optimizer!r}")
    if not 0 <= gain < math.inf:
        raise ValueError(f"gain must be in [0, inf), got {gain}")
    parameters, base_parameters = dict(model.named_parameters()), dict(base.named_parameters())
    if parameters.keys() != base_parameters.keys():
        other = sorted(parameters.keys() ^ base_parameters.keys())
        raise ValueError(f"base must have the parameters of model, got a difference in {other[0]!r}")
    layers = [layer for layer in model.modules() if isinstance(layer, _WEIGHTED)]
    of_layers = {id(p) for layer in layers for p in layer.parameters(recurse=False)}
    ratios = {}
    for name, parameter in parameters.items():
        ratios[name] = _ratios(name, parameter, base_parameters[name])
        if "parametrizations" in name or (parameter.dim() > 1 and id(parameter) not in of_layers):
            raise ValueError(f"model must have weights in linear layers and convolutions only, got {name!r}")
    groups: dict[float, list[Tensor]] = {}
    with torch.no_grad():
        for name, parameter in parameters.items():
            r_in, r_out = ratios[name]
            if parameter.dim() > 1 and parameter.numel():
                smaller = math.sqrt(r_in) if r_out == 1 else 1.0
                parameter.normal_(0, gain / math.sqrt(parameter[0].numel()) / smaller, generator=generator)
            elif id(parameter) in of_layers:
                parameter.zero_()
            groups.setdefault((r_out if optimizer == "sgd" else 1) / r_in, []).append(parameter)
    return [{"params": members, "lr": lr * factor} for factor, members in groups.items()]


def _ratios(name: str, parameter: Tensor, base: Tensor) -> tuple[float, float]:
    """fan_in and fan_out relative to the base."""
    if any(isinstance(p, nn.parameter.UninitializedParameter) for p in (parameter, base)):
        raise ValueError(f"model and base must know their shapes, got {name!r}: run them once before")
    if parameter.dim() != base.dim() or 0 in base.shape:
        raise ValueError(f"base must have the dimensions of model, got {tuple(base.shape)} for {name!r}")
    r_out = parameter.size(0) / base.size(0) if parameter.dim() else 1.0
    return (parameter[0].numel() / base[0].numel() if parameter.dim() > 1 else 1.0), r_out
