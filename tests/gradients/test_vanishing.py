"""Gradient norms against closed forms and against retained gradients; hooks that leave no trace."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from livegrad.gradients.vanishing import (
    activation_gradient_norms,
    gradient_norms,
    jacobian_singular_values,
)


def hooks(model: nn.Module) -> int:
    return sum(len(module._forward_hooks) + len(module._backward_hooks) for module in model.modules())


def scalar_chain(weights: list[float]) -> nn.Sequential:
    """h_l = w_l h_{l-1}, one unit wide, in float64."""
    layers = [nn.Linear(1, 1, bias=False).double() for _ in weights]
    for layer, weight in zip(layers, weights, strict=True):
        nn.init.constant_(layer.weight, weight)
    return nn.Sequential(*layers)


@given(st.lists(st.floats(0.01, 4), min_size=1, max_size=12))
@settings(deadline=None, max_examples=40)
def test_in_a_linear_chain_the_gradient_is_the_product_of_the_weights_above(weights: list[float]) -> None:
    norms = activation_gradient_norms(
        scalar_chain(weights), torch.ones(1, 1, dtype=torch.float64), lambda out: out.sum()
    )
    expected = {str(i): math.prod(weights[i + 1 :]) for i in range(len(weights))}
    assert norms == pytest.approx(expected, rel=1e-12)


def test_the_layers_come_in_the_order_of_their_calls_and_are_those_that_autograd_retains() -> None:
    class Backwards(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last, self.first = nn.Linear(4, 1), nn.Linear(3, 4)

        def forward(self, x: Tensor) -> Tensor:
            self.hidden = self.first(x)
            self.hidden.retain_grad()
            return self.last(torch.sigmoid(self.hidden))

    torch.manual_seed(0)
    model, x = Backwards(), torch.randn(5, 3)
    norms = activation_gradient_norms(model, x, lambda out: (out**2).mean())
    assert list(norms) == ["first", "last"]
    (model(x) ** 2).mean().backward()
    assert norms["first"] == pytest.approx(model.hidden.grad.norm().item(), rel=1e-6)


def test_an_activation_that_works_in_place_does_not_hide_the_layer_before_it() -> None:
    torch.manual_seed(0)
    first, last = nn.Linear(3, 8), nn.Linear(8, 2)
    x = torch.randn(6, 3)
    loss = lambda out: out.square().mean()  # noqa: E731
    in_place = activation_gradient_norms(nn.Sequential(first, nn.ReLU(inplace=True), last), x, loss)
    apart = activation_gradient_norms(nn.Sequential(first, nn.ReLU(), last), x, loss)
    assert in_place == apart
    assert in_place["0"] < in_place["1"]


def test_a_layer_called_three_times_appears_three_times() -> None:
    class Unrolled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = nn.Linear(1, 1, bias=False).double()
            nn.init.constant_(self.cell.weight, 0.5)

        def forward(self, h: Tensor) -> Tensor:
            for _ in range(3):
                h = self.cell(h)
            return h

    norms = activation_gradient_norms(Unrolled(), torch.ones(1, 1, dtype=torch.float64), torch.sum)
    assert norms == {"cell": 0.25, "cell:2": 0.5, "cell:3": 1.0}


def test_of_a_recurrent_layer_the_output_sequence_is_taken() -> None:
    torch.manual_seed(0)
    model = nn.LSTM(2, 3, batch_first=True)
    norms = activation_gradient_norms(model, torch.randn(4, 5, 2), lambda out: out[0].sum())
    assert norms == {"LSTM": pytest.approx(math.sqrt(4 * 5 * 3))}


def test_the_kind_of_layer_can_be_chosen() -> None:
    model = nn.Sequential(nn.Sequential(nn.Linear(2, 2), nn.Tanh()), nn.Linear(2, 1))
    x = torch.ones(1, 2)
    assert list(activation_gradient_norms(model, x, torch.sum)) == ["0.0", "0.1", "1"]
    assert list(activation_gradient_norms(model, x, torch.sum, layers=nn.Linear)) == ["0.0", "1"]
    assert list(activation_gradient_norms(model, x, torch.sum, layers=nn.Sequential)) == ["0", "Sequential"]


def test_outputs_no_gradient_reaches_are_left_out() -> None:
    frozen = nn.Linear(2, 2).requires_grad_(False)
    model = nn.ModuleDict({"frozen": frozen, "unused": nn.Linear(2, 2), "used": nn.Linear(2, 1)})

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.parts = model

        def forward(self, x: Tensor) -> Tensor:
            h = self.parts["frozen"](x)
            self.parts["unused"](h)
            return self.parts["used"](h)

    assert list(activation_gradient_norms(Net(), torch.ones(1, 2), torch.sum)) == ["parts.used"]


def test_an_exact_zero_and_a_nan_are_reported_as_they_are() -> None:
    model = nn.Sequential(nn.Linear(1, 1), nn.ReLU())
    nn.init.constant_(model[0].weight, 0.0)
    nn.init.constant_(model[0].bias, -1.0)
    assert activation_gradient_norms(model, torch.ones(1, 1), torch.sum)["0"] == 0.0
    norms = activation_gradient_norms(model, torch.ones(1, 1), lambda out: out.sum() * math.nan)
    assert math.isnan(norms["1"])


def test_the_measurement_leaves_gradients_weights_and_hooks_as_they_were() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    model[0].weight.grad = torch.full((2, 2), 7.0)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with torch.no_grad():  # also works where gradients are switched off
        activation_gradient_norms(model, torch.ones(1, 2), torch.sum)
    assert torch.equal(model[0].weight.grad, torch.full((2, 2), 7.0))
    assert model[1].weight.grad is None
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert hooks(model) == 0


@pytest.mark.parametrize("where", ["model", "loss"])
def test_the_hooks_are_gone_after_an_error_too(where: str) -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))

    def loss(out: Tensor) -> Tensor:
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        activation_gradient_norms(model, torch.ones(1, 3 if where == "model" else 2), loss)
    assert hooks(model) == 0


def test_half_precision_norms_do_not_overflow() -> None:
    model = nn.Linear(1, 4096, bias=False).bfloat16()
    out_norm = activation_gradient_norms(model, torch.ones(1, 1, dtype=torch.bfloat16), lambda out: (out * 1e37).sum())[
        "Linear"
    ]
    assert out_norm == pytest.approx(64 * 1e37, rel=1e-2)  # bfloat16 keeps 8 bits of the 1e37
    model.weight.grad = torch.full_like(model.weight, 1e37)
    assert gradient_norms(model)["weight"] == pytest.approx(64 * 1e37, rel=1e-2)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (lambda out: out, r"loss must return one number as a tensor, got \(2, 1\)"),
        (lambda out: out.sum().item(), "loss must return one number as a tensor, got float"),
        (lambda out: out.detach().sum(), "loss must depend on a parameter with requires_grad=True, got none"),
    ],
)
def test_a_loss_that_is_no_number_with_a_gradient_is_refused(loss: object, message: str) -> None:
    model = nn.Sequential(nn.Linear(2, 1))
    with pytest.raises(ValueError, match=message):
        activation_gradient_norms(model, torch.ones(2, 2), loss)
    assert hooks(model) == 0


def test_a_model_without_trainable_parameters_is_refused() -> None:
    with pytest.raises(ValueError, match="loss must depend on a parameter with requires_grad=True, got none"):
        activation_gradient_norms(nn.ReLU(), torch.ones(2, requires_grad=True), torch.sum)


def test_parameter_norms_are_those_of_the_gradients_that_exist() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1).requires_grad_(False))
    with pytest.raises(ValueError, match=r"model must have gradients: call loss\.backward\(\) first"):
        gradient_norms(model)
    model(torch.ones(4, 2)).sum().backward()
    norms = gradient_norms(model)
    assert norms == {
        "0.weight": pytest.approx(model[0].weight.grad.norm().item()),
        "0.bias": pytest.approx(model[0].bias.grad.norm().item()),
    }


def test_the_singular_values_of_a_linear_map_are_those_of_its_matrix() -> None:
    torch.manual_seed(0)
    matrix = torch.randn(3, 5, dtype=torch.float64)
    found = jacobian_singular_values(lambda x: matrix @ x, torch.randn(5, dtype=torch.float64))
    torch.testing.assert_close(found, torch.linalg.svdvals(matrix))


def test_the_singular_values_of_an_elementwise_function_are_its_sorted_slopes_in_any_shape() -> None:
    x = torch.tensor([[0.0, 3.0], [-1.0, 0.5]], dtype=torch.float64)
    slopes = (torch.sigmoid(x) * torch.sigmoid(-x)).flatten().sort(descending=True).values
    torch.testing.assert_close(jacobian_singular_values(torch.sigmoid, x), slopes)


def test_a_network_is_measured_with_respect_to_its_input_only() -> None:
    model = nn.Linear(3, 3)
    jacobian_singular_values(model, torch.ones(3, requires_grad=True))
    assert model.weight.grad is None


def test_jacobians_need_floating_point_and_one_output() -> None:
    with pytest.raises(TypeError, match=r"x must be a floating-point tensor, got torch\.int64"):
        jacobian_singular_values(torch.abs, torch.tensor([1]))
    with pytest.raises(TypeError, match="f must return one tensor, got tuple"):
        jacobian_singular_values(lambda x: (x, x), torch.ones(2))
