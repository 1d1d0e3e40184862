"""Look inside any network while it trains, and ask a doctor what is wrong with it.

`Recorder` measures every layer at every step; `diagnose` examines one batch and names the first sick layer.

Source: activations, saturation and gradients layer by layer as in Glorot & Bengio 2010,
https://proceedings.mlr.press/v9/glorot10a.html; the ratio of update to weight from the course notes CS231n of Stanford
University, https://cs231n.github.io/neural-networks-3/. The thresholds are measured in this file's chapter.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from statistics import median_low
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.overrides import TorchFunctionMode

VANISHED = 1e-3  # gradient at the first layer, relative to the last
EXPLODED = 3e2  # gradient at any layer, relative to the last
SATURATED = 0.6  # share of outputs within 1 % of an end of their range, where the slope is below 4 % of its best
DEAD = 0.9  # share of a layer's units that are zero for every example of the batch
RATE_HIGH, RATE_LOW = 0.2, 1e-5  # one update, relative to the weights: the median layer above, or every layer below

BOUNDED = {"sigmoid": (0, 1), "hardsigmoid": (0, 1), "tanh": (-1, 1), "hardtanh": (-1, 1), "softsign": (-1, 1)}
RECTIFIERS = {"relu", "relu6", "squaredrelu", "hardswish", "threshold"}


# Fault: what to try, and the chapter to read.
ADVICE = {
    "NaN or infinity": (
        "look for log, root or division of 0 and for numbers too large for the dtype; if weights are broken, go back "
        "to a checkpoint with a lower learning rate",
        "gradients/exploding",
    ),
    "no gradient": (
        "look for detach, .data, item or argmax behind it, or a layer that is not used",
        "reference/failure_index",
    ),
    "symmetric weights": ("draw the weights at random", "initializers/symmetry"),
    "saturated": ("smaller weights in the layer before, scaled inputs, or normalization", "initializers/gain"),
    "dead units": ("a lower learning rate, biases that start at 0, or a leaky activation", "activations/relu"),
    "vanishing gradient": (
        "an initialization made for the activation, residual connections, or normalization",
        "gradients/vanishing",
    ),
    "exploding gradient": (
        "an initialization made for the activation, or normalization; clipping against rare bursts",
        "gradients/exploding",
    ),
    "learning rate too high": ("a learning rate ten times lower, or warm-up", "optimizers/learning_rate"),
    "learning rate too low": ("a learning rate ten times higher", "optimizers/learning_rate"),
}


@dataclass
class Layer:
    """What one layer did: lists with one number a step, NaN where the quantity does not exist."""

    module: str  # name of the module, equal for all its calls
    kind: str  # lower-case name of its class or function
    cause: str = ""  # how the first NaN or infinity came into its output
    step: list[int] = field(default_factory=list)  # steps at which it was called
    mean: list[float] = field(default_factory=list)
    std: list[float] = field(default_factory=list)
    saturated: list[float] = field(default_factory=list)  # share of outputs at an end of a bounded activation's range
    dead: list[float] = field(default_factory=list)  # share of outputs that are exactly zero, for rectifiers
    gradient: list[float] = field(default_factory=list)  # norm of ∂loss/∂output
    update_ratio: list[float] = field(default_factory=list)  # ‖change of the layer's parameters‖ / ‖parameters‖
    reached: bool = False  # whether a gradient ever came back to its output
    alive: Tensor | None = None  # which units of a rectifier were ever different from zero, over all the data seen

    @property
    def dead_units(self) -> float:
        """Share of units that were zero for every example of every step recorded."""
        return math.nan if self.alive is None else 1 - _share(self.alive)


class Recorder:
    """``with Recorder(model, optimizer) as record:`` train, then read ``record.layers["name"].std[step]``.

    A step begins whenever the model is called from outside. A layer is a module without children or with parameters
    of its own; an activation called as a function is a layer too, named after the module around it: ``block.relu()``.
    Layers stand in the order of their first calls; a second call in one step is ``name:2``. Of a tuple or dict the
    first floating-point tensor is measured. Update ratios need the optimizer and cost one copy of the weights.
    Only numbers are kept, no graph. On exit all hooks are gone. Compiled models run uncompiled while recorded.
    """

    def __init__(self, model: nn.Module, optimizer: Optimizer | None = None) -> None:
        self.layers: dict[str, Layer] = {}
        self.steps = 0
        self.modules = {name: m for name, m in _named_modules(model) if _own(m) or not any(m.children())}
        self._model, self._optimizer = model, optimizer
        self._running: list[str] = []
        self._calls: Counter[str] = Counter()
        self._unit_axis = -1
        self._handles: list[Any] = []
        self._before: dict[str, list[Tensor]] = {}
        self._exit = ExitStack()

    def __enter__(self) -> Recorder:
        with ExitStack() as undo:  # if anything fails half-way, all of it is undone
            if any(hasattr(m, "_orig_mod") or m._compiled_call_impl is not None for m in self._model.modules()):
                undo.enter_context(torch.compiler.set_stance("force_eager"))
            for name, module in _named_modules(self._model):
                undo.callback(module.register_forward_pre_hook(partial(self._begin, name)).remove)
                undo.callback(module.register_forward_hook(partial(self._end, name), always_call=True).remove)
            if self._optimizer is not None:
                undo.callback(self._optimizer.register_step_pre_hook(self._before_update).remove)
                undo.callback(self._optimizer.register_step_post_hook(self._after_update).remove)
            undo.callback(lambda: [handle.remove() for handle in self._handles])
            undo.enter_context(_Functions(self._function))
            self._exit = undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._exit.close()

    def _begin(self, name: str, _module: nn.Module, _inputs: Any) -> None:
        if _in_backward():
            return  # a checkpoint computes its layers again: they are measured already
        if not self._running:
            self.steps += 1
            self._calls.clear()
            # Forget the hooks on tensors that no longer exist; the rest is removed on exit.
            self._handles = [handle for handle in self._handles if handle.hooks_dict_ref() is not None]
        self._running.append(name)

    def _end(self, name: str, module: nn.Module, inputs: Any, output: Any) -> None:
        if _in_backward():
            return
        self._running.pop()
        if name in self.modules:
            self._measure(name, _kind(module), inputs, output)

    def _function(self, kind: str, inputs: Any, output: Any) -> None:
        if self._running:  # not in the loss
            where = self._running[-1]
            if where not in self.modules or _kind(self.modules[where]) != kind:  # nn.ReLU calls relu: already measured
                self._measure(f"{where}.{kind}()", kind, inputs, output)

    def _measure(self, name: str, kind: str, inputs: Any, output: Any) -> None:
        h = next(_tensors(output), None)
        if h is None:
            return
        self._calls[name] += 1
        key = name if self._calls[name] == 1 else f"{name}:{self._calls[name]}"
        layer = self.layers.setdefault(key, Layer(name, kind))
        if convolution := re.search(r"conv.*([123])d$", kind):
            self._unit_axis = -1 - int(convolution[1])
        elif "linear" in kind:
            self._unit_axis = -1
        _append(layer, self.steps - 1, h.detach(), self._unit_axis)
        if not layer.cause and not math.isfinite(layer.mean[-1]):
            clean = all(bool(t.isfinite().all()) for t in _tensors(inputs))
            layer.cause = "its inputs are finite" if clean else "its inputs are not finite either"
        if h.requires_grad:
            # On the tensor, because a full backward hook of a module raises if the next layer works in place.
            self._handles.append(h.register_hook(partial(self._arrive, layer, len(layer.gradient) - 1)))

    def _arrive(self, layer: Layer, at: int, gradient: Tensor) -> None:
        layer.reached = True
        layer.gradient[at] = _norm([gradient])

    def _before_update(self, *_: object) -> None:
        self._before = {name: [p.detach().clone() for p in _own(module)] for name, module in self.modules.items()}

    def _after_update(self, *_: object) -> None:
        for name, before in self._before.items():
            layer = self.layers.get(name)
            if before and layer and layer.step[-1] == self.steps - 1 and (size := _norm(before)):
                changes = [p.detach() - b for p, b in zip(_own(self.modules[name]), before, strict=True)]
                layer.update_ratio[-1] = _norm(changes) / size
        self._before = {}


@dataclass(frozen=True)
class Finding:
    """One fault: the layer where it begins, what it is, why we think so, what to try, which chapter to read."""

    layer: str
    fault: str
    evidence: str
    advice: str
    chapter: str


@dataclass(frozen=True)
class Report:
    """What `diagnose` found, most urgent first; `str(report)` is meant for people."""

    findings: list[Finding]
    layers: int

    @property
    def healthy(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def __str__(self) -> str:
        if self.healthy:
            return f"Healthy: nothing found in {self.layers} layers."
        lines = [
            f"{f.layer}: {f.fault}\n  evidence: {f.evidence}\n  try:      {f.advice}\n  read:     {f.chapter}"
            for f in self.findings
        ]
        return "\n".join([*lines, "Cure the first finding and ask again."])


def diagnose(
    model: nn.Module,
    x: Any,
    y: Any,
    *,
    loss: Callable[[Any, Any], Tensor] = nn.functional.cross_entropy,
    optimizer: Optimizer | None = None,
) -> Report:
    """Run ``loss(model(x), y)`` and its backward pass once, and with an optimizer one step, then say what is wrong.

    A tuple x is passed as ``model(*x)``, a dict as ``model(**x)``. The model is examined in the mode it is in. Weights,
    buffers, ``.grad``, torch's random state and the optimizer are left as found, also after an error. Meant for the
    start of training, where updates are large: a network that has finished learning also has a low update ratio.
    The optimizer must work without a closure. Raises ValueError if the loss is not one number with a gradient.
    """
    with _as_found(model, optimizer):
        case = _examine(model, x, y, loss, optimizer)
    return Report(_findings(case), len(case.layers))


# --- How the doctor examines ---------------------------------------------------------------------------------------


@dataclass
class _Case:
    modules: dict[str, nn.Module]
    layers: dict[str, Layer]  # in the order of their calls
    x: Any
    loss: float
    parameters: dict[str, nn.Parameter]  # the trainable ones
    gradients: Mapping[nn.Parameter, Tensor | None]

    def weights(self, layer: Layer) -> list[nn.Parameter]:
        """Its weight matrices or filters, not its biases."""
        return [p for p in _own(self.modules[layer.module]) if p.ndim >= 2] if layer.module in self.modules else []

    def opens(self, weight: nn.Parameter) -> bool:
        """Whether these zero weights are a fair start: the first update makes them, and its units, differ."""
        g = self.gradients.get(weight)
        return g is not None and not weight.any() and not _equal_rows(g) and not _equal_rows(g.movedim(1, 0))


def _examine(model: nn.Module, x: Any, y: Any, loss: Callable[[Any, Any], Tensor], optimizer: Any) -> _Case:
    with Recorder(model, optimizer) as record, torch.enable_grad():
        value = loss(model(**x) if isinstance(x, dict) else model(*x) if isinstance(x, tuple) else model(x), y)
        if not isinstance(value, Tensor) or value.numel() != 1 or not value.requires_grad:
            raise ValueError(f"loss must return one number that depends on a trainable parameter, got {value!r}")
        weights = {n.replace("_orig_mod.", ""): p for n, p in model.named_parameters() if p.requires_grad}
        found = torch.autograd.grad(value.sum(), list(weights.values()), allow_unused=True)
        gradients = dict(zip(weights.values(), found, strict=True))
        if optimizer is not None:
            for weight, gradient in gradients.items():
                weight.grad = gradient
            optimizer.step()
    return _Case(record.modules, record.layers, x, value.item(), weights, gradients)


@contextmanager
def _as_found(model: nn.Module, optimizer: Any) -> Iterator[None]:
    """Take gradients and weights aside, let something happen to the model, and put everything back."""
    groups = [] if optimizer is None else optimizer.param_groups
    owned = {id(p): p for p in [*model.parameters(), *(p for group in groups for p in group["params"])]}.values()
    weights = [(p, p.detach().clone(), p.grad) for p in owned]
    buffers = [(m, k, b, b.clone()) for m in model.modules() for k, b in m._buffers.items() if b is not None]
    options = [dict(group) for group in groups]
    state = None if optimizer is None else optimizer.state
    try:
        for p in owned:
            p.grad = None
        if optimizer is not None:  # the original state is laid aside, so that not even its tensors change
            optimizer.state = defaultdict(dict, {p: deepcopy(s) for p, s in optimizer.state.items()})
        devices = {p.device.index for p in owned if p.device.type == "cuda"}
        with torch.random.fork_rng(devices):
            yield
    finally:
        for p, value, grad in weights:
            p.data.copy_(value)  # through .data: a graph made before can still be run backward, unless a step was taken
            p.grad = grad
        for module, name, buffer, value in buffers:
            module._buffers[name] = buffer
            buffer.data.copy_(value)
        for group, before in zip(groups, options, strict=True):
            group.clear()
            group.update(before)
        if optimizer is not None:
            optimizer.state = state


# --- How the doctor judges -----------------------------------------------------------------------------------------


def _findings(case: _Case) -> list[Finding]:
    """Of each check the first sick layer; a check is left out where an earlier one explains what it would find."""
    checks: list[list[Callable[[_Case], Iterator[tuple[str, str, str]]]]]
    checks = [[_not_finite], [_not_reached, _symmetric], [_stuck], [_scale], [_rate]]
    for group in checks:
        found = [Finding(*sick, *ADVICE[sick[1]]) for check in group for sick in islice(check(case), 1)]
        if found:
            return found
    return []


def _not_finite(case: _Case) -> Iterator[tuple[str, str, str]]:
    fault = "NaN or infinity"
    broken = [name for name, p in case.parameters.items() if not _finite(case.gradients[p])]
    if math.isfinite(case.loss) and not broken:
        return
    for name, module in case.modules.items():
        if not all(_finite(p) for p in _own(module)):
            yield name, fault, "its weights are not finite, before anything is computed"
    if not all(_finite(t) for t in _tensors(case.x)):
        yield "input", fault, "the batch itself holds values that are not finite"
    for name, layer in case.layers.items():
        if layer.cause:
            yield name, fault, f"its output is the first that is not finite; {layer.cause}"
    if not math.isfinite(case.loss):
        yield "loss", fault, f"every layer is finite and the loss is {case.loss}"
    after = "loss"
    for name, layer in reversed(case.layers.items()):
        if layer.reached and not math.isfinite(layer.gradient[-1]):
            yield (
                after,
                fault,
                f"the forward pass is finite; on the way back the gradient becomes {layer.gradient[-1]} here",
            )
        after = name
    yield broken[0], fault, "everything is finite but the gradient of this parameter"


def _not_reached(case: _Case) -> Iterator[tuple[str, str, str]]:
    lost = [name for name, p in case.parameters.items() if case.gradients[p] is None]
    if lost:
        more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
        yield (
            lost[0].rpartition(".")[0] or lost[0],
            "no gradient",
            f"no path leads back from the loss to {lost[0]}{more}",
        )


def _symmetric(case: _Case) -> Iterator[tuple[str, str, str]]:
    opened = any(case.opens(weight) for layer in case.layers.values() for weight in case.weights(layer))
    for name, layer in case.layers.items():
        for weight in case.weights(layer):
            g = case.gradients.get(weight)
            # One number a row is a scale, as in weight normalization, unless the layer has one input.
            if g is None or not (weight[0].numel() > 1 or type(case.modules[layer.module]) is nn.Linear):
                continue
            wakes = not weight.any() and (not _equal_rows(g) or (opened and not g.any()))
            if len(weight) > 1 and _equal_rows(weight) and not wakes:
                stay = ", and equal gradients keep them equal" if _equal_rows(g) else ""
                yield name, "symmetric weights", f"its {len(weight)} units have the same weights{stay}"


def _stuck(case: _Case) -> Iterator[tuple[str, str, str]]:
    layers = list(case.layers.items())
    while layers and not case.weights(layers[-1][1]):
        layers.pop()  # an activation behind the last weights is the output: it may be as sure as it likes
    for name, layer in layers:
        if (share := layer.saturated[-1]) > SATURATED:
            yield name, "saturated", f"{share:.0%} of its outputs lie at an end of the range, where the slope is near 0"
        if (share := layer.dead_units) > DEAD:
            yield name, "dead units", f"{share:.0%} of its units are 0 for every example of the batch"


def _scale(case: _Case) -> Iterator[tuple[str, str, str]]:
    """Walk from the loss to the input and name the layer that takes the gradient over a threshold."""
    layers = [(n, layer) for n, layer in case.layers.items() if layer.reached and case.weights(layer)]
    if not layers:
        return
    sizes = [layer.gradient[-1] for _, layer in layers]
    if sizes[-1] == 0:
        yield layers[-1][0], "vanishing gradient", "the loss sends a gradient of exactly 0 to the last layer"
        return
    first = sizes[0] / sizes[-1]
    for (name, layer), size in reversed(list(zip(layers[1:], sizes, strict=False))):
        ratio = size / sizes[-1]
        if ratio == 0 and any(case.opens(weight) for weight in case.weights(layer)):
            return  # the layers before it are shut off until the first update: nothing to see yet
        evidence = f"through this layer the gradient becomes {ratio:.1e} of the last layer's; at the first: {first:.1e}"
        if ratio < VANISHED and first < VANISHED:
            yield name, "vanishing gradient", evidence
        if ratio > EXPLODED:
            yield name, "exploding gradient", evidence


def _rate(case: _Case) -> Iterator[tuple[str, str, str]]:
    ratios = {n: layer.update_ratio[-1] for n, layer in case.layers.items() if case.weights(layer)}
    ratios = {n: ratio for n, ratio in ratios.items() if not math.isnan(ratio)}
    # The median, because a layer of few weights, such as the last, may change a lot without harm.
    if ratios and median_low(ratios.values()) > RATE_HIGH:
        name = next(n for n, ratio in ratios.items() if ratio > RATE_HIGH)
        yield name, "learning rate too high", f"one step changes its weights by {ratios[name]:.0%} of their size"
    if ratios and (ratio := max(ratios.values())) < RATE_LOW:
        name = max(ratios, key=ratios.__getitem__)
        yield name, "learning rate too low", f"one step changes no layer by more than {ratio:.1e} of its weights"


# --- Small tools ---------------------------------------------------------------------------------------------------


class _Functions(TorchFunctionMode):
    """Sees activations that are called as functions, which no hook can see."""

    def __init__(self, seen: Callable[[str, Any, Any], None]) -> None:
        super().__init__()
        self.seen = seen

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        kind = getattr(func, "__name__", "").rstrip("_")
        if kind in BOUNDED or kind in RECTIFIERS:
            self.seen(kind, args, output)
        return output


def _named_modules(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Every module once, without the shells of torch.compile and of parametrizations."""
    for name, module in model.named_modules():
        if not hasattr(module, "_orig_mod") and "parametrizations" not in name.split("."):
            name = ".".join(part for part in name.split(".") if part != "_orig_mod")
            yield name or type(module).__name__, module


def _own(module: nn.Module) -> list[nn.Parameter]:
    """Parameters of the module without those of its children; a parametrized weight belongs to its layer."""
    hidden = getattr(module, "parametrizations", None)
    return [*module.parameters(recurse=False), *(hidden.parameters() if isinstance(hidden, nn.Module) else ())]


def _in_backward() -> bool:
    return torch._C._current_graph_task_id() != -1  # no public function says so


def _kind(module: nn.Module) -> str:
    return type(module).__name__.lower()


def _tensors(value: Any) -> Iterator[Tensor]:
    """The floating-point tensors in a tensor, tuple, list or dict, in order."""
    if isinstance(value, Tensor):
        if value.is_floating_point() and value.numel():
            yield value
    elif isinstance(value, dict | list | tuple):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _tensors(part)


@torch.no_grad()
def _append(layer: Layer, step: int, h: Tensor, unit_axis: int) -> None:
    wide = h if h.device.type == "mps" else h.double()  # squares of half precision overflow; mps has no float64
    saturated = dead = math.nan
    if layer.kind in BOUNDED:
        low, high = BOUNDED[layer.kind]
        margin = 0.01 * (high - low)
        saturated = _share((wide < low + margin) | (wide > high - margin))
    if layer.kind in RECTIFIERS:
        nonzero = h != 0
        dead = 1 - _share(nonzero)
        axis = unit_axis if h.ndim >= 1 - unit_axis else -1
        alive = nonzero.movedim(axis, 0).flatten(1).any(1)
        layer.alive = alive if layer.alive is None or len(layer.alive) != len(alive) else layer.alive | alive
    layer.step.append(step)
    layer.mean.append(wide.mean().item())
    layer.std.append(wide.std(correction=0).item())
    layer.saturated.append(saturated)
    layer.dead.append(dead)
    layer.gradient.append(math.nan)
    layer.update_ratio.append(math.nan)


def _share(true: Tensor) -> float:
    """Share of the entries that are true; NaN where there is none."""
    return true.count_nonzero().item() / true.numel() if true.numel() else math.nan


@torch.no_grad()
def _norm(tensors: Iterable[Tensor]) -> float:
    """Norm of all the numbers together, in float64 where the device has it."""
    norms = ((t.detach(), torch.float32 if t.device.type == "mps" else torch.float64) for t in tensors)
    return math.hypot(*(torch.linalg.vector_norm(t, dtype=dtype).item() for t, dtype in norms))


def _finite(t: Tensor | None) -> bool:
    return t is None or bool((t.coalesce().values() if t.is_sparse else t).isfinite().all())


def _equal_rows(t: Tensor) -> bool:
    return not t.is_sparse and bool((t - t[0]).abs().max() <= 1e-6 * t.abs().max())
