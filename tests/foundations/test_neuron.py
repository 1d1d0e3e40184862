"""A neuron by hand, the network against torch.nn, the merged layer against the stack, and what is refused."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from livegrad.foundations.neuron import count_parameters, merge_linear, mlp_forward, neuron

SIZES = st.lists(st.integers(1, 6), min_size=2, max_size=5)


def random_network(sizes: list[int], seed: int) -> tuple[list[Tensor], list[Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    pairs = list(itertools.pairwise(sizes))
    weights = [torch.randn(n_out, n_in, generator=generator, dtype=torch.float64) for n_in, n_out in pairs]
    biases = [torch.randn(n_out, generator=generator, dtype=torch.float64) for _, n_out in pairs]
    return weights, biases


def as_torch(weights: list[Tensor], biases: list[Tensor], activation: type[nn.Module] | None) -> nn.Sequential:
    layers: list[nn.Module] = []
    for weight, bias in zip(weights, biases, strict=True):
        linear = nn.Linear(weight.shape[1], weight.shape[0], dtype=torch.float64)
        linear.weight, linear.bias = nn.Parameter(weight), nn.Parameter(bias)
        layers += [linear] if activation is None else [linear, activation()]
    return nn.Sequential(*(layers if activation is None else layers[:-1]))


def test_a_neuron_computed_by_hand() -> None:
    # 2·0.5 + 3·(-1) + 1 = -1, and its square is 1
    x, w = torch.tensor([2.0, 3.0]), torch.tensor([0.5, -1.0])
    assert neuron(x, w, 1.0, torch.relu) == 0
    assert neuron(x, w, 1.0, torch.square) == 1
    assert neuron(x, w, torch.tensor(5.0), torch.relu) == 3


def test_a_neuron_works_on_every_row() -> None:
    x, w = torch.arange(12.0).reshape(2, 3, 2), torch.tensor([1.0, -2.0])
    out = neuron(x, w, 0.5, torch.tanh)
    assert out.shape == (2, 3)
    assert out[1, 2] == neuron(x[1, 2], w, 0.5, torch.tanh)


@settings(deadline=None, max_examples=40)
@given(sizes=SIZES, seed=st.integers(0, 999))
def test_every_layer_is_that_of_torch(sizes: list[int], seed: int) -> None:
    weights, biases = random_network(sizes, seed)
    x = torch.randn(7, sizes[0], dtype=torch.float64, generator=torch.Generator().manual_seed(seed + 1))
    model = as_torch(weights, biases, nn.Tanh)
    outputs = mlp_forward(x, weights, biases, torch.tanh)
    assert len(outputs) == len(sizes) - 1
    for k, output in enumerate(outputs, 1):
        torch.testing.assert_close(output, model[: 2 * k](x), rtol=1e-12, atol=1e-12)


def test_the_last_layer_has_no_activation() -> None:
    (output,) = mlp_forward(torch.ones(1), [-torch.ones(1, 1)], [torch.zeros(1)], torch.relu)
    assert output == -1


@settings(deadline=None, max_examples=40)
@given(sizes=SIZES, seed=st.integers(0, 999))
def test_a_stack_of_linear_layers_is_one_linear_layer(sizes: list[int], seed: int) -> None:
    weights, biases = random_network(sizes, seed)
    x = torch.randn(5, sizes[0], dtype=torch.float64, generator=torch.Generator().manual_seed(seed + 1))
    weight, bias = merge_linear(weights, biases)
    assert weight.shape == (sizes[-1], sizes[0])
    # Rounding error of sums of up to 6 products, five layers deep: far below 1e-10 of the largest number met.
    torch.testing.assert_close(x @ weight.T + bias, as_torch(weights, biases, None)(x), rtol=1e-10, atol=1e-10)


@settings(deadline=None, max_examples=40)
@given(sizes=SIZES)
def test_the_count_is_that_of_torchs_parameters(sizes: list[int]) -> None:
    model = as_torch(*random_network(sizes, 0), nn.Tanh)
    assert count_parameters(sizes) == sum(p.numel() for p in model.parameters())


def test_a_neuron_refuses_a_wrong_number_of_weights() -> None:
    with pytest.raises(ValueError, match=r"w must hold one weight per input, got shape \(3,\) for x \(5, 2\)"):
        neuron(torch.ones(5, 2), torch.ones(3), 0.0, torch.relu)
    with pytest.raises(ValueError, match="w must hold one weight per input"):
        neuron(torch.tensor(1.0), torch.tensor(1.0), 0.0, torch.relu)


def test_weights_and_biases_must_pair_up() -> None:
    message = "weights and biases must pair up, at least 1, got 1 and 0"
    with pytest.raises(ValueError, match=message):
        mlp_forward(torch.ones(2), [torch.ones(2, 2)], [], torch.relu)
    with pytest.raises(ValueError, match=message):
        merge_linear([torch.ones(2, 2)], [])
    with pytest.raises(ValueError, match="at least 1, got 0 and 0"):
        mlp_forward(torch.ones(2), [], [], torch.relu)


@pytest.mark.parametrize("sizes", [[], [3], [3, 0], [3, -1, 2]])
def test_sizes_that_are_no_network_are_refused(sizes: list[int]) -> None:
    with pytest.raises(ValueError, match="sizes must hold at least 2 widths, all at least 1, got"):
        count_parameters(sizes)
