"""Adagrad and Adadelta beyond the contract: steps by hand, the vanishing step, sparse gradients, units, their state."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from livegrad.optimizers.adagrad import Adadelta, Adagrad, adadelta, adagrad


def one(x: float) -> torch.Tensor:
    return torch.tensor(x, dtype=torch.float64)


def test_two_steps_of_adagrad_equal_those_computed_by_hand() -> None:
    p, s = one(1.0), one(0.0)
    options = {"lr": 0.1, "lr_decay": 0.5, "weight_decay": 0.0, "eps": 1e-10, "maximize": False}
    adagrad(one(3.0), p, s, t=1, **options)
    assert (s.item(), p.item()) == (9.0, pytest.approx(0.9, rel=1e-9))  # the first step is lr
    adagrad(one(-4.0), p, s, t=2, **options)
    # s = 9 + 16 = 25; the rate is 0.1 / 1.5: a step of 4 / 5 of it.
    assert (s.item(), p.item()) == (25.0, pytest.approx(0.9 + 0.1 / 1.5 * 0.8, rel=1e-9))


def test_two_steps_of_adadelta_equal_those_computed_by_hand() -> None:
    p, v, d = one(1.0), one(0.0), one(0.0)
    options = {"lr": 2.0, "rho": 0.9, "weight_decay": 0.0, "eps": 0.01, "maximize": False}
    adadelta(one(3.0), p, v, d, **options)
    x = 3 * math.sqrt(0.01) / math.sqrt(0.9 + 0.01)  # v = 0.1 · 9
    assert v.item() == pytest.approx(0.9, rel=1e-14)
    assert d.item() == pytest.approx(0.1 * x**2, rel=1e-14)
    assert p.item() == pytest.approx(1 - 2 * x, rel=1e-14)
    adadelta(one(-1.0), p, v, d, **options)
    y = -math.sqrt(0.1 * x**2 + 0.01) / math.sqrt(0.91 + 0.01)  # v = 0.9 · 0.9 + 0.1
    assert p.item() == pytest.approx(1 - 2 * x - 2 * y, rel=1e-14)


@settings(deadline=None, max_examples=30)
@given(st.floats(1e-3, 1e3), st.floats(1e-3, 1), st.integers(1, 200))
def test_on_a_steady_gradient_step_t_is_lr_over_the_root_of_t(size: float, lr: float, steps: int) -> None:
    p = one(0.0).requires_grad_()
    optimizer = Adagrad([p], lr=lr)
    p.grad = one(-size)
    for _ in range(steps):
        optimizer.step()
    assert p.item() == pytest.approx(lr * sum(t**-0.5 for t in range(1, steps + 1)), rel=1e-5)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=30))
def test_no_step_of_adagrad_is_longer_than_lr(gradients: list[float]) -> None:
    p = one(0.0).requires_grad_()
    optimizer = Adagrad([p], lr=1.0)
    for g in gradients:
        before = p.item()
        p.grad = one(g)
        optimizer.step()
        assert abs(p.item() - before) <= 1 + 1e-12


@pytest.mark.parametrize("options", [{}, {"lr_decay": 0.1}, {"initial_accumulator_value": 0.5}, {"maximize": True}])
def test_sparse_gradients_equal_dense_ones_and_those_of_torch(options: dict[str, float]) -> None:
    start = torch.arange(8.0, dtype=torch.float64).reshape(4, 2)
    weights = []
    for cls, sparse in ((Adagrad, True), (Adagrad, False), (torch.optim.Adagrad, True)):
        embedding = torch.nn.Embedding(4, 2, sparse=sparse, _weight=start.clone())
        optimizer = cls(embedding.parameters(), lr=0.1, **options)
        for rows in ([1, 1, 3], [0], [3, 1]):  # the row that occurs twice counts with the square of its sum
            optimizer.zero_grad()
            embedding(torch.tensor(rows)).square().sum().backward()
            assert embedding.weight.grad.is_sparse == sparse
            with torch.sparse.check_sparse_tensor_invariants():  # torch's own step warns without it
                optimizer.step()
        weights.append(embedding.weight.detach())
    torch.testing.assert_close(weights[0], weights[1], rtol=1e-14, atol=1e-14)
    torch.testing.assert_close(weights[0], weights[2], rtol=1e-14, atol=1e-14)
    assert torch.equal(weights[0][2], start[2])


def test_weight_decay_with_a_sparse_gradient_is_refused() -> None:
    embedding = torch.nn.Embedding(3, 2, sparse=True)
    embedding(torch.tensor([1])).sum().backward()
    with pytest.raises(RuntimeError, match="weight_decay must be 0 with sparse gradients"):
        Adagrad(embedding.parameters(), weight_decay=0.1).step()


@pytest.mark.parametrize("eps", [1e-4, 1e-6, 1e-8])
@pytest.mark.parametrize("gradient", [-3.0, 1.0, 50.0])
def test_the_first_step_of_adadelta_is_set_by_eps(eps: float, gradient: float) -> None:
    p = one(0.0).requires_grad_()
    p.grad = one(gradient)
    Adadelta([p], eps=eps).step()
    want = -gradient * math.sqrt(eps / (0.1 * gradient**2 + eps))
    assert p.item() == pytest.approx(want, rel=1e-12)


def test_adadelta_does_not_notice_the_scale_of_the_loss() -> None:
    ends = []
    for scale in (1.0, 1e3):
        p = torch.linspace(-2, 2, 9).double().requires_grad_()
        optimizer = Adadelta([p])
        for _ in range(100):
            p.grad = scale * (p.detach() - 5)
            optimizer.step()
        ends.append(p.detach())
    torch.testing.assert_close(ends[0], ends[1], rtol=1e-4, atol=1e-6)  # eps beside squared gradients of at least 9


@pytest.mark.parametrize(("cls", "numbers"), [(Adagrad, 1), (Adadelta, 2)])
def test_the_state_is_one_number_a_weight_for_adagrad_and_two_for_adadelta(
    cls: type[torch.optim.Optimizer], numbers: int
) -> None:
    p = torch.ones(7, 3, requires_grad=True)
    optimizer = cls([p])
    p.grad = torch.ones(7, 3)
    optimizer.step()
    assert sum(x.numel() for x in optimizer.state[p].values() if isinstance(x, torch.Tensor)) == numbers * 21
