"""The loop against a hand-written one, its batches counted, and what it refuses."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor, nn

from livegrad.foundations.training import accuracy, fit


def data(n: int = 10) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(n, 3, generator=generator), torch.randint(0, 2, (n,), generator=generator)


def line() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(3, 2)


def test_one_full_batch_epoch_is_one_step_of_gradient_descent_computed_by_hand() -> None:
    x, y = data()
    model = line()
    weight = model.weight.detach().clone()
    error = torch.softmax(x @ weight.T + model.bias.detach(), dim=1) - nn.functional.one_hot(y, 2)
    losses = fit(model, torch.optim.SGD(model.parameters(), lr=0.5), x, y, epochs=1, batch_size=10)
    torch.testing.assert_close(model.weight.detach(), weight - 0.5 * error.T @ x / 10)
    assert len(losses) == 1


def test_every_example_is_seen_once_an_epoch_in_an_order_that_changes() -> None:
    seen: list[list[float]] = []

    class Spy(nn.Linear):
        def forward(self, input: Tensor) -> Tensor:
            seen.append(input.flatten().tolist())
            return super().forward(input)

    model = Spy(1, 1)
    x = torch.arange(10.0).reshape(10, 1)
    fit(
        model,
        torch.optim.SGD(model.parameters(), lr=1e-3),
        x,
        x,
        epochs=2,
        batch_size=4,
        loss=nn.functional.mse_loss,
    )
    assert [len(batch) for batch in seen] == [4, 4, 2, 4, 4, 2]
    first, second = (list(itertools.chain(*batches)) for batches in (seen[:3], seen[3:]))
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second != list(range(10)) != first


def test_the_seed_fixes_the_result_and_leaves_the_global_generator_alone() -> None:
    x, y = data(50)

    def run(seed: int) -> list[float]:
        model = line()
        state = torch.get_rng_state()
        losses = fit(model, torch.optim.SGD(model.parameters(), lr=0.1), x, y, epochs=2, batch_size=7, seed=seed)
        assert torch.equal(torch.get_rng_state(), state)
        return losses

    assert run(3) == run(3)
    assert run(3) != run(4)


def test_gradients_do_not_add_up_from_step_to_step() -> None:
    x, y = data()
    model, plain = line(), line()
    fit(model, torch.optim.SGD(model.parameters(), lr=0.1), x, y, epochs=3, batch_size=10)
    for _ in range(3):
        gradients = torch.autograd.grad(nn.functional.cross_entropy(plain(x), y), list(plain.parameters()))
        with torch.no_grad():
            for parameter, gradient in zip(plain.parameters(), gradients, strict=True):
                parameter -= 0.1 * gradient
    torch.testing.assert_close(model.weight, plain.weight)


def test_on_step_hears_of_every_step_after_the_update() -> None:
    x, y = data()
    model = line()
    before = model.weight.detach().clone()
    heard: list[tuple[int, float]] = []

    def listen(step: int, loss: float) -> None:
        assert not torch.equal(model.weight, before)
        heard.append((step, loss))

    losses = fit(
        model,
        torch.optim.SGD(model.parameters(), lr=0.1),
        x,
        y,
        epochs=2,
        batch_size=5,
        on_step=listen,
    )
    assert heard == list(enumerate(losses))


def test_training_happens_in_training_mode() -> None:
    x, y = data()
    model = nn.Sequential(nn.Dropout(0.5), line()).eval()
    fit(model, torch.optim.SGD(model.parameters(), lr=0.1), x, y, epochs=1)
    assert model.training


@pytest.mark.parametrize(("name", "value"), [("epochs", 0), ("epochs", -1), ("batch_size", 0)])
def test_fit_refuses_counts_below_one_by_name(name: str, value: int) -> None:
    x, y = data()
    model = line()
    counts = {"epochs": 1, "batch_size": 2} | {name: value}
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got {value}"):
        fit(model, torch.optim.SGD(model.parameters(), lr=0.1), x, y, **counts)


@pytest.mark.parametrize(("rows", "targets"), [(10, 9), (0, 0)])
def test_inputs_and_targets_must_be_of_one_length(rows: int, targets: int) -> None:
    x, y = data()
    model = line()
    message = f"x and y must have the same length, at least 1, got {rows} and {targets}"
    with pytest.raises(ValueError, match=message):
        fit(model, torch.optim.SGD(model.parameters(), lr=0.1), x[:rows], y[:targets], epochs=1)
    with pytest.raises(ValueError, match=message):
        accuracy(model, x[:rows], y[:targets])


def test_accuracy_counts_the_right_answers() -> None:
    outputs = torch.tensor([[0.1, 0.9], [2.0, 1.0], [0.0, -1.0], [-3.0, -2.0]])
    assert accuracy(nn.Identity(), outputs, torch.tensor([1, 0, 1, 1])) == 0.75


@pytest.mark.parametrize("mode", [True, False])
def test_accuracy_is_measured_in_evaluation_mode_and_puts_the_mode_back(mode: bool) -> None:
    drop_all = nn.Dropout(p=1.0).train(mode)
    outputs = torch.tensor([[0.0, 1.0]] * 4)
    assert accuracy(drop_all, outputs, torch.ones(4, dtype=torch.long)) == 1.0
    assert drop_all.training is mode


def test_accuracy_puts_the_mode_back_after_an_error_too() -> None:
    model = line().train()
    with pytest.raises(RuntimeError):
        accuracy(model, torch.ones(2, 4), torch.ones(2))
    assert model.training
