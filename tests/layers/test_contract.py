"""What every layer of the shelf promises; layers are found by looking into its folder, so a new file is asked too."""

from __future__ import annotations

import copy
import importlib
import inspect
import io
import pkgutil
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import livegrad.layers

Example = tuple[Callable[[type], nn.Module], tuple[int, ...]]

# How to make one of each, and the shape of an input. A layer that is missing here fails the first test.
EXAMPLES: dict[str, Example] = {
    "AvgPool2d": (lambda kind: kind(2), (2, 3, 4, 4)),
    "BasicBlock": (lambda kind: kind(3, 4, 2), (2, 3, 4, 4)),
    "BatchNorm1d": (lambda kind: kind(5), (4, 5)),
    "BatchNorm2d": (lambda kind: kind(3), (2, 3, 4, 4)),
    "ConvNet": (lambda kind: kind(3, (4, 4), 5, (4,)), (2, 3, 4, 4)),
    "ConvTranspose2d": (lambda kind: kind(3, 4, 3, 2), (2, 3, 4, 4)),
    "Conv2d": (lambda kind: kind(3, 4, 3, padding=1), (2, 3, 4, 4)),
    "GRU": (lambda kind: kind(3, 5, 2), (6, 2, 3)),
    "GRUCell": (lambda kind: kind(3, 5), (4, 3)),
    "GroupNorm": (lambda kind: kind(2, 4), (2, 4, 3, 3)),
    "LSTM": (lambda kind: kind(3, 5, 2), (6, 2, 3)),
    "LSTMCell": (lambda kind: kind(3, 5), (4, 3)),
    "LayerNorm": (lambda kind: kind(5), (4, 5)),
    "MaxPool2d": (lambda kind: kind(2), (2, 3, 4, 4)),
    "PreActBlock": (lambda kind: kind(3, 4, 2), (2, 3, 4, 4)),
    "RMSNorm": (lambda kind: kind(5), (4, 5)),
    "RNN": (lambda kind: kind(3, 5, 2), (6, 2, 3)),
    "RNNCell": (lambda kind: kind(3, 5), (4, 3)),
    "Residual": (lambda kind: kind(nn.Linear(5, 5)), (4, 5)),
}


def layers() -> dict[str, type[nn.Module]]:
    found: dict[str, type[nn.Module]] = {}
    for info in pkgutil.iter_modules(livegrad.layers.__path__):
        module = importlib.import_module(f"livegrad.layers.{info.name}")
        for name, kind in inspect.getmembers(module, inspect.isclass):
            if issubclass(kind, nn.Module) and kind.__module__ == module.__name__ and not name.startswith("_"):
                found[name] = kind
    return found


LAYERS = layers()
every = pytest.mark.parametrize("name", sorted(LAYERS))


def example(name: str) -> tuple[nn.Module, Tensor]:
    make, shape = EXAMPLES[name]
    torch.manual_seed(0)
    return make(LAYERS[name]).double(), torch.randn(shape, dtype=torch.float64)


def output(layer: nn.Module, x: Tensor) -> Tensor:
    out = layer(x)
    if type(layer).__name__.endswith("Cell"):
        out = layer(x, out)  # a second step: the first, from zeros, makes no use of weight_hh
    return out[0] if isinstance(out, tuple) else out


def test_every_layer_has_an_example_and_every_example_a_layer() -> None:
    assert sorted(LAYERS) == sorted(EXAMPLES)


@every
def test_the_dtype_of_the_input_is_kept_and_the_input_is_not_changed(name: str) -> None:
    layer, x = example(name)
    before = x.clone()
    assert output(layer, x).dtype == torch.float64
    assert torch.equal(x, before)
    assert output(layer.float(), x.float()).dtype == torch.float32


@every
def test_gradients_reach_the_input_and_every_parameter(name: str) -> None:
    layer, x = example(name)
    x.requires_grad_()
    out = output(layer, x)
    (out * torch.randn_like(out)).sum().backward()
    for tensor in (x, *layer.parameters()):
        assert tensor.grad is not None
        assert tensor.grad.abs().sum() > 0


@every
def test_a_deep_copy_and_a_saved_and_loaded_state_compute_the_same(name: str) -> None:
    layer, x = example(name)
    output(layer, x)  # moves running statistics, where there are some
    buffer = io.BytesIO()
    torch.save(layer.state_dict(), buffer)
    buffer.seek(0)
    torch.manual_seed(1)
    fresh = EXAMPLES[name][0](LAYERS[name]).double()
    fresh.load_state_dict(torch.load(buffer))
    expected = output(layer.eval(), x)
    assert torch.equal(output(copy.deepcopy(layer), x), expected)
    assert torch.equal(output(fresh.eval(), x), expected)


@every
def test_in_evaluation_an_example_does_not_depend_on_its_neighbors(name: str) -> None:
    layer, x = example(name)
    layer.eval()
    axis = 1 if name in {"RNN", "LSTM", "GRU"} else 0  # sequences come first there
    alone = output(layer, x.narrow(axis, 0, 1))
    torch.testing.assert_close(output(layer, x).narrow(axis, 0, 1), alone, rtol=1e-12, atol=1e-12)
