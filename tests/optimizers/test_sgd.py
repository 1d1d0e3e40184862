"""SGD beyond the contract: steps by hand, sparse gradients, its state, its rates on a quadratic."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from livegrad.optimizers.sgd import SGD, update


def one(x: float) -> torch.Tensor:
    return torch.tensor(x, dtype=torch.float64)


def test_three_steps_equal_those_computed_by_hand() -> None:
    want = {
        # steps of lr m with m = 2, then 0.5 · 2 - 1 = 0, then 0.5 · 0 + 4 = 4
        "heavy ball": ({"momentum": 0.5}, [-0.2, -0.2, -0.6]),
        # m = 2 (not 0.75 · 2), then 0.5 · 2 - 0.75 = 0.25, then 0.5 · 0.25 + 3 = 3.125
        "dampened": ({"momentum": 0.5, "dampening": 0.25}, [-0.2, -0.225, -0.5375]),
        # the same m as the heavy ball, steps of lr (g + 0.5 m): 2 + 1, -1 + 0, 4 + 2
        "nesterov": ({"momentum": 0.5, "nesterov": True}, [-0.3, -0.2, -0.8]),
        "plain": ({}, [-0.2, -0.1, -0.5]),
        "uphill": ({"maximize": True}, [0.2, 0.1, 0.5]),
    }
    for options, places in want.values():
        p = one(0.0).requires_grad_()
        optimizer = SGD([p], lr=0.1, **options)
        for g, place in zip((2.0, -1.0, 4.0), places, strict=True):
            p.grad = one(g)
            optimizer.step()
            assert p.item() == pytest.approx(place, rel=1e-14)


def test_update_changes_only_the_weight_and_the_momentum() -> None:
    g, p, m = one(2.0), one(1.0), one(3.0)
    update(g, p, m, lr=0.1, momentum=0.5, dampening=0.0, weight_decay=0.25, nesterov=True, maximize=False)
    # g + λθ = 2.25, m = 1.5 + 2.25 = 3.75, θ = 1 - 0.1 (2.25 + 1.875)
    assert (g.item(), m.item()) == (2.0, 3.75)
    assert p.item() == pytest.approx(1 - 0.4125, rel=1e-15)


@settings(deadline=None, max_examples=50)
@given(st.floats(0.05, 0.99), st.floats(-10, 10), st.integers(1, 60))
def test_a_steady_gradient_is_summed_as_a_geometric_series(momentum: float, g: float, steps: int) -> None:
    p = one(0.0).requires_grad_()
    optimizer = SGD([p], lr=1.0, momentum=momentum)
    p.grad = one(g)
    for _ in range(steps):
        optimizer.step()
    m = optimizer.state[p]["momentum_buffer"].item()
    assert m == pytest.approx(g * (1 - momentum**steps) / (1 - momentum), rel=1e-12, abs=1e-300)


@pytest.mark.parametrize("kappa", [4.0, 25.0, 100.0])
def test_with_polyaks_choice_a_quadratic_shrinks_at_his_rate(kappa: float) -> None:
    root = math.sqrt(kappa)
    rate = (root - 1) / (root + 1)
    p = torch.tensor([1.0, 1.0], dtype=torch.float64, requires_grad=True)
    optimizer = SGD([p], lr=(2 / (root + 1)) ** 2, momentum=rate**2)
    steps = 400
    for _ in range(steps):
        p.grad = torch.tensor([1.0, kappa], dtype=torch.float64) * p.detach()
        optimizer.step()
    # A double root: the error is rate^t times a line in t, with a slope of at most 2 √κ; hence the band.
    measured = math.log(p.detach().abs().max().item()) / steps
    assert math.log(rate) <= measured <= math.log(rate) + math.log(4 * root * steps) / steps


@pytest.mark.parametrize(
    "options", [{}, {"momentum": 0.9}, {"momentum": 0.9, "dampening": 0.5}, {"momentum": 0.9, "nesterov": True}]
)
def test_sparse_gradients_equal_dense_ones_and_those_of_torch(options: dict[str, float]) -> None:
    start = torch.arange(8.0, dtype=torch.float64).reshape(4, 2)
    weights = []
    for cls, sparse in ((SGD, True), (SGD, False), (torch.optim.SGD, True)):
        embedding = torch.nn.Embedding(4, 2, sparse=sparse, _weight=start.clone())
        optimizer = cls(embedding.parameters(), lr=0.1, **options)
        for rows in ([1, 1, 3], [0], [3, 1]):
            optimizer.zero_grad()
            embedding(torch.tensor(rows)).square().sum().backward()
            assert embedding.weight.grad.is_sparse == sparse
            optimizer.step()
        weights.append(embedding.weight.detach())
    torch.testing.assert_close(weights[0], weights[1], rtol=1e-14, atol=1e-14)
    torch.testing.assert_close(weights[0], weights[2], rtol=1e-14, atol=1e-14)
    assert torch.equal(weights[0][2], start[2])


def test_weight_decay_with_a_sparse_gradient_shrinks_every_row() -> None:
    embedding = torch.nn.Embedding(3, 2, sparse=True, _weight=torch.ones(3, 2))
    embedding(torch.tensor([1])).sum().backward()
    SGD(embedding.parameters(), lr=0.5, weight_decay=0.5).step()
    assert embedding.weight.tolist() == [[0.75, 0.75], [0.25, 0.25], [0.75, 0.75]]


def test_the_state_is_nothing_without_momentum_and_one_number_a_weight_with_it() -> None:
    for momentum, numbers in ((0.0, 0), (0.9, 1)):
        p = torch.ones(7, 3, requires_grad=True)
        optimizer = SGD([p], momentum=momentum)
        p.grad = torch.ones(7, 3)
        optimizer.step()
        assert sum(x.numel() for x in optimizer.state[p].values()) == numbers * 21


def test_momentum_may_be_switched_on_and_off_in_mid_run_as_in_torch() -> None:
    ends = []
    for cls in (SGD, torch.optim.SGD):
        p = one(1.0).requires_grad_()
        optimizer = cls([p], lr=0.1)
        for momentum in (0.0, 0.9, 0.9, 0.0, 0.5):
            optimizer.param_groups[0]["momentum"] = momentum
            p.grad = p.detach().clone()
            optimizer.step()
        ends.append(p.item())
    assert ends[0] == ends[1]


def test_a_tensor_as_lr_is_read_at_every_step_also_when_compiled() -> None:
    for compiled in (False, True):
        torch._dynamo.reset()
        p = torch.zeros(1, requires_grad=True)
        lr = torch.tensor(0.5)
        optimizer = SGD([p], lr=lr, momentum=0.5)
        step = torch.compile(optimizer.step, fullgraph=True, backend="eager") if compiled else optimizer.step
        p.grad = torch.ones(1)
        step()
        lr.fill_(0.0)
        step()
        assert p.item() == pytest.approx(-0.5)
