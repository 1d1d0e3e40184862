"""LSUV: orthonormal weights, then every layer scaled to outputs of standard deviation 1, measured on a batch of data.

Source: D. Mishkin, J. Matas, All You Need Is a Good Init, ICLR 2016, algorithm 1, https://arxiv.org/abs/1511.06422.
There each layer takes forward passes of the whole network. Here a layer is measured and corrected inside its own call,
so that one pass serves all layers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor, nn

LAYERS = (
    *(nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d),
    *(nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d),
)


class Met(NamedTuple):
    """What happened to one layer: `status` is "scaled", or says why its weights were left as they were."""

    name: str
    status: str
    calls: int
    before: float  # standard deviation of the outputs of the first call, from the starting weights
    after: float


def lsuv_(
    model: nn.Module,
    batch: Any,
    *,
    std: float = 1.0,
    orthonormal: bool = True,
    tol: float = 0.01,
    max_iter: int = 10,
    generator: torch.Generator | None = None,
) -> list[Met]:
    """Initialize all linear and convolutional layers of `model` in place, in one forward pass, and return a report.

    Layers are met in the order of their calls. A layer that is called again, or whose weights belong to a layer met
    before, keeps what it got the first time. Frozen weights, and weights that another kind of module holds too (a tied
    embedding), are left alone. Biases of scaled layers become zero. Dropout is off during the pass. Training mode,
    buffers (running statistics), gradients and the state of random numbers are left as they were; after any error,
    so are all weights. In a distributed run every rank ends with the weights of rank 0, scaled by the variance over
    all ranks; every rank must then call this with the same model and generator settings.

    Args:
        model: any module; it runs in the mode it is in, so batch normalization in training mode normalizes the batch.
        batch: a tensor; a tuple or list of positional arguments; or a dict of keyword arguments.
        std: the standard deviation that the outputs of a layer shall have, over examples, units and places together.
        orthonormal: start from random orthonormal weights; otherwise scale the weights that are there.
        tol: relative error of `std` that is good enough, in (0, 1).
        max_iter: most corrections of a layer; without a frozen bias the first one is exact up to rounding.
        generator: source of the random numbers. If None, one number of torch's global generator seeds a new one.

    Raises:
        TypeError: `model` is no module.
        ValueError: an argument out of its range; a layer that is lazy, on the meta device or parametrized (weight
            norm); a layer whose outputs are not finite or do not vary, or that cannot be brought to `std`.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, got {type(model).__name__}")
    model = getattr(model, "_orig_mod", model)  # under torch.compile: the model itself, whose layers can be watched
    if not 0 < std < math.inf:
        raise ValueError(f"std must be in (0, inf), got {std}")
    if not 0 < tol < 1:
        raise ValueError(f"tol must be in (0, 1), got {tol}")
    if not max_iter >= 1:
        raise ValueError(f"max_iter must be at least 1, got {max_iter}")
    layers: dict[str, nn.Module] = {n: m for n, m in model.named_modules() if isinstance(m, LAYERS)}
    for name, layer in layers.items():
        _check(name, layer)
    others = [module for module in model.modules() if not isinstance(module, LAYERS)]
    elsewhere = {id(p) for module in others for p in module.parameters(recurse=False)}
    if generator is None:
        generator = torch.Generator().manual_seed(int(torch.randint(2**62, ())))
    met: dict[str, Met] = {}
    owners: dict[int, str] = {}

    def first_call(name: str, layer: nn.Module, compute: Callable[[], Tensor]) -> tuple[Met, Tensor]:
        weight, bias = layer.get_parameter("weight"), layer._parameters.get("bias")
        status = "scaled"
        if id(weight) in owners:
            status = f"tied to {owners[id(weight)]}"
        elif not weight.requires_grad:
            status = "frozen"
        elif id(weight) in elsewhere:
            status = "shared with another kind of module"
        if status != "scaled":
            out = compute()
            size = _std(name, out, must_vary=False)
            return Met(name, status, 1, size, size), out
        owners[id(weight)] = name
        if orthonormal:
            weight.copy_(_orthonormal(weight, generator))
        if bias is not None and bias.requires_grad:
            bias.zero_()
        if dist.is_available() and dist.is_initialized():
            dist.broadcast(weight.data, 0)
        out = compute()
        before = size = _std(name, out)
        for _ in range(max_iter):
            if abs(size / std - 1) <= tol:
                break
            weight.mul_(std / size)
            out = compute()
            size = _std(name, out)
        if not abs(size / std - 1) <= tol:
            raise ValueError(
                f"layer {name!r} must reach a standard deviation of {std}, got {size:.4g} from {before:.4g}"
            )
        return Met(name, status, 1, before, size), out

    def corrected(name: str, layer: nn.Module, original: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def forward(*args: Any, **kwargs: Any) -> Tensor:
            if name in met:
                met[name] = met[name]._replace(calls=met[name].calls + 1)
                return original(*args, **kwargs)
            met[name], out = first_call(name, layer, lambda: original(*args, **kwargs))
            return out

        return forward

    with torch.no_grad(), _no_trace(model), _all_or_nothing(layers), _each_forward(layers, corrected):
        if isinstance(batch, dict):
            model(**batch)
        elif isinstance(batch, (tuple, list)):
            model(*batch)
        else:
            model(batch)
    return [*met.values(), *(Met(n, "not called", 0, math.nan, math.nan) for n in layers if n not in met)]


def _check(name: str, layer: nn.Module) -> None:
    weight = layer._parameters.get("weight")
    if weight is None:
        raise ValueError(f"layer {name!r} must hold its weight itself, got a parametrized one: remove that first")
    if isinstance(weight, nn.parameter.UninitializedParameter):
        raise ValueError(f"layer {name!r} must know its shape, got a lazy layer: run the model once before")
    if weight.is_meta:
        raise ValueError(f"layer {name!r} must hold numbers, got a weight on the meta device")


def _orthonormal(weight: Tensor, generator: torch.Generator) -> Tensor:
    rows, columns = weight.shape[0], math.prod(weight.shape[1:])
    dtype = torch.float64 if weight.dtype == torch.float64 else torch.float32  # QR knows no others
    normal = torch.empty(rows, columns, dtype=dtype, device=generator.device).normal_(generator=generator)
    q, r = torch.linalg.qr(normal if rows >= columns else normal.T)
    q = torch.where(r.diagonal() < 0, -q, q)
    return (q if rows >= columns else q.T).reshape(weight.shape)


def _std(name: str, out: Tensor, must_vary: bool = True) -> float:
    """Standard deviation over all elements, and over all ranks. In float64: half precision overflows in a square."""
    values = (out.cpu() if out.device.type == "mps" else out).double()  # mps has no float64
    moments = torch.stack([torch.full_like(values.sum(), values.numel()), values.sum(), values.square().sum()])
    if dist.is_available() and dist.is_initialized():
        dist.all_reduce(moments)
    count, total, squares = moments.tolist()
    if not math.isfinite(squares):
        raise ValueError(f"layer {name!r} must have finite outputs, got infinite ones or NaN for this batch")
    size = math.sqrt(max(squares / count - (total / count) ** 2, 0.0)) if count else 0.0
    # Below the rounding error of the outputs nothing varies but their last digits.
    if must_vary and not size > torch.finfo(out.dtype).eps * math.sqrt(squares / max(count, 1)):
        raise ValueError(f"layer {name!r} must have outputs that vary, got a standard deviation of {size:.4g}")
    return size


@contextmanager
def _each_forward(layers: dict[str, nn.Module], wrap: Callable[..., Callable[..., Tensor]]) -> Iterator[None]:
    """Put a function in the place of each layer's forward. Hooks of the user then see corrected outputs."""
    before = {name: layer.__dict__.get("forward") for name, layer in layers.items()}
    try:
        for name, layer in layers.items():
            layer.__dict__["forward"] = wrap(name, layer, layer.forward)
        yield
    finally:
        for name, layer in layers.items():
            layer.__dict__.pop("forward", None)
            if before[name] is not None:
                layer.__dict__["forward"] = before[name]


@contextmanager
def _all_or_nothing(layers: dict[str, nn.Module]) -> Iterator[None]:
    """After an error of any kind the parameters have the values they had."""
    saved = [(p, p.detach().clone()) for layer in layers.values() for p in layer.parameters(recurse=False)]
    try:
        yield
    except BaseException:
        for parameter, value in saved:
            parameter.copy_(value)
        raise


@contextmanager
def _no_trace(model: nn.Module) -> Iterator[None]:
    """Dropout off; afterwards modes, buffers and the state of random numbers as before."""
    modes = [(module, module.training) for module in model.modules()]
    buffers = [(m, n, b, b.clone()) for m in model.modules() for n, b in m._buffers.items() if b is not None]
    devices = {p.device.index for p in model.parameters() if p.device.type == "cuda"}
    try:
        for module, _ in modes:
            if isinstance(module, nn.modules.dropout._DropoutNd):
                module.training = False
        with torch.random.fork_rng(devices=sorted(d for d in devices if d is not None)):
            yield
    finally:
        for module, mode in modes:
            module.training = mode
        for module, name, buffer, value in buffers:
            module._buffers[name] = buffer.copy_(value)
