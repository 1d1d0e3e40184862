"""See gradients vanish or explode: their size at every layer, and how a Jacobian stretches space.

Layer k turns h_{k-1} into h_k and has the Jacobian J_k = ∂h_k/∂h_{k-1}. By the chain rule
∂loss/∂h_l = (J_L ⋯ J_{l+1})ᵀ ∂loss/∂h_L: an early layer's gradient is a product of one Jacobian per later layer.

Source: Hochreiter 1991, diploma thesis, TU München; Bengio, Simard & Frasconi 1994,
https://doi.org/10.1109/72.279181; Glorot & Bengio 2010, https://proceedings.mlr.press/v9/glorot10a.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


def gradient_norms(model: nn.Module) -> dict[str, float]:
    """‖∂loss/∂w‖ for every parameter w that has a gradient, by name: call it after ``loss.backward()``.

    A parameter that received no gradient (frozen, or not used by the loss) is left out.
    Raises ValueError if no parameter has one.
    """
    norms = {name: _norm(w.grad) for name, w in model.named_parameters() if w.grad is not None}
    if not norms:
        raise ValueError("model must have gradients: call loss.backward() first, got none")
    return norms


def activation_gradient_norms(
    model: nn.Module,
    x: Any,
    loss: Callable[[Any], Tensor],
    *,
    layers: type[nn.Module] | tuple[type[nn.Module], ...] | None = None,
) -> dict[str, float]:
    """‖∂loss/∂h‖ for the output h of every layer, in the order in which the layers answer.

    Runs ``loss(model(x))`` and its backward pass once, in the mode (train or eval) the model is in; a batch-norm
    layer in training mode counts the batch in its statistics. A layer is a module without children, or an instance
    of ``layers`` where given. A module called again appears again, as "name:2". Of an output that is a tuple the
    first element is taken; outputs no gradient reaches are left out. ``.grad`` is not touched, and all hooks are
    removed, also after an error. Raises ValueError if the loss is not one number or depends on no parameter.
    """
    norms: dict[str, float | None] = {}

    def watch(name: str) -> Callable[[nn.Module, Any, Any], None]:
        calls = 0

        def remember(_module: nn.Module, _inputs: Any, output: Any) -> None:
            nonlocal calls
            calls += 1
            key = name if calls == 1 else f"{name}:{calls}"
            h = output[0] if isinstance(output, tuple) and output else output
            if isinstance(h, Tensor) and h.requires_grad:
                norms[key] = None  # takes its place in the order of the forward pass
                # On the tensor, because register_full_backward_hook raises if the next layer works in place.
                h.register_hook(lambda gradient: norms.update({key: _norm(gradient)}))

        return remember

    handles = [
        module.register_forward_hook(watch(name or type(model).__name__))
        for name, module in model.named_modules()
        if (not any(module.children()) if layers is None else isinstance(module, layers))
    ]
    try:
        with torch.enable_grad():
            value = loss(model(x))
            if not isinstance(value, Tensor) or value.numel() != 1:
                shape = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
                raise ValueError(f"loss must return one number as a tensor, got {shape}")
            weights = [w for w in model.parameters() if w.requires_grad]
            if not weights or not value.requires_grad:
                raise ValueError("loss must depend on a parameter with requires_grad=True, got none")
            torch.autograd.grad(value.sum(), weights, allow_unused=True)
    finally:
        for handle in handles:
            handle.remove()
    return {key: norm for key, norm in norms.items() if norm is not None}


def jacobian_singular_values(f: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Singular values of J = ∂f/∂x at the one point x, largest first: how much f stretches a small change of x.

    x and f(x) may have any shape and are flattened; give one example, not a batch. A gradient sent back through f
    becomes at most as many times longer as the largest value says, and (for a square J) at least as the smallest.
    """
    if not x.is_floating_point():
        raise TypeError(f"x must be a floating-point tensor, got {x.dtype}")
    jacobian = torch.autograd.functional.jacobian(f, x.detach())
    if not isinstance(jacobian, Tensor):
        raise TypeError(f"f must return one tensor, got {type(jacobian).__name__}")
    values: Tensor = torch.linalg.svdvals(jacobian.reshape(-1, x.numel()))
    return values


def _norm(gradient: Tensor) -> float:
    # In float64: the squares of a half-precision gradient overflow, those of a small float32 one underflow.
    return float(torch.linalg.vector_norm(gradient.detach(), dtype=torch.float64))
