"""Adafactor beyond the contract: steps by hand, what the factors keep, its clip, its relative step, its state."""

from __future__ import annotations

import math

import pytest
import torch

from livegrad.optimizers.adafactor import Adafactor, adafactor, rms

OPTIONS = {"beta2_decay": -0.8, "eps": (None, 1e-3), "d": 1.0, "weight_decay": 0.0, "maximize": False}


def matrix(rows: int, columns: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(rows, columns, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_the_first_step_of_a_matrix_equals_that_computed_by_hand() -> None:
    g = torch.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=torch.float64)
    p, row, column = torch.ones_like(g), torch.zeros(2, 1).double(), torch.zeros(1, 2).double()
    adafactor(g, p, row, column, t=1.0, lr=0.1, **OPTIONS)
    # G² = [[1, 4], [9, 16]]: means of rows 2.5 and 12.5, of columns 5 and 10; V̂ = R C / 7.5.
    assert row.flatten().tolist() == pytest.approx([2.5, 12.5], rel=1e-14)
    assert column.flatten().tolist() == pytest.approx([5, 10], rel=1e-14)
    v = [[2.5 * 5 / 7.5, 2.5 * 10 / 7.5], [12.5 * 5 / 7.5, 12.5 * 10 / 7.5]]
    u = [[x / math.sqrt(y) for x, y in zip(*rows, strict=True)] for rows in zip(g.tolist(), v, strict=True)]
    size = math.sqrt(sum(x * x for line in u for x in line) / 4)
    want = [1 - 0.1 * x / max(1, size) for line in u for x in line]  # RMS(θ) = 1
    assert p.flatten().tolist() == pytest.approx(want, rel=1e-13)


def test_the_product_of_the_factors_keeps_every_row_sum_and_column_sum() -> None:
    p = matrix(5, 7).requires_grad_()
    optimizer, full = Adafactor([p]), torch.zeros(5, 7, dtype=torch.float64)
    for t in range(1, 20):
        p.grad = matrix(5, 7, seed=t) * torch.arange(1, 8)
        optimizer.step()
        full = full.lerp(p.grad.square(), t**-0.8)
    row, column = optimizer.state[p]["row_var"], optimizer.state[p]["col_var"]
    product = row @ column / row.mean()
    torch.testing.assert_close(product.sum(dim=0), full.sum(dim=0), rtol=1e-12, atol=0)
    torch.testing.assert_close(product.sum(dim=1), full.sum(dim=1), rtol=1e-12, atol=0)


def test_a_second_moment_of_rank_one_is_kept_exactly() -> None:
    scale = torch.tensor([[1.0], [10.0], [0.1]]).double() * torch.tensor([[1.0, 5.0]]).double()
    wide, flat = torch.ones(3, 2, dtype=torch.float64), torch.ones(6, dtype=torch.float64)
    wide.requires_grad_()
    flat.requires_grad_()
    one, other = Adafactor([wide]), Adafactor([flat])
    for sign in (1.0, -1.0, 1.0, 1.0):
        wide.grad, flat.grad = sign * scale, sign * scale.flatten()
        one.step()
        other.step()
    torch.testing.assert_close(wide.flatten(), flat, rtol=1e-12, atol=1e-14)


def test_a_sudden_large_gradient_does_not_make_a_long_step() -> None:
    p = torch.ones(4, 4, dtype=torch.float64, requires_grad=True)
    optimizer = Adafactor([p], lr=0.01)
    for step in range(50):
        before = p.detach().clone()
        p.grad = matrix(4, 4, seed=step) * (1000.0 if step == 49 else 1.0)
        optimizer.step()
        # RMS of the step is at most max(eps[1], RMS(θ)) times the relative step size, times d = 1.
        assert rms(p.detach() - before) <= rms(before) * min(0.01, 1 / math.sqrt(step + 1)) * (1 + 1e-12)


def test_the_step_is_relative_to_the_weights() -> None:
    small, large = (s * matrix(3, 4) for s in (1.0, 100.0))
    small.requires_grad_()
    large.requires_grad_()
    one, other = Adafactor([small]), Adafactor([large])
    for step in range(5):
        small.grad = matrix(3, 4, seed=step)
        large.grad = small.grad / 100  # the gradient of the same function, with weights in another unit
        one.step()
        other.step()
    torch.testing.assert_close(100 * small, large, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    ("shape", "numbers"), [((), 1), ((7,), 7), ((30, 20), 50), ((1, 9), 10), ((8, 4, 3, 3), 8 * 4 * 6), ((0, 4), 4)]
)
def test_the_state_is_a_number_a_row_and_a_number_a_column(shape: tuple[int, ...], numbers: int) -> None:
    p = torch.ones(shape, requires_grad=True)
    p.grad = torch.ones(shape)
    optimizer = Adafactor([p])
    optimizer.step()
    assert sum(x.numel() for x in optimizer.state[p].values() if isinstance(x, torch.Tensor)) == numbers
    assert p.isfinite().all()


def test_the_relative_step_size_falls_with_the_root_of_time_and_lr_is_its_ceiling() -> None:
    steps = []
    p = torch.ones(3, dtype=torch.float64, requires_grad=True)
    optimizer = Adafactor([p], lr=0.5)
    for _ in range(9):
        before = p.detach().clone()
        p.grad = torch.ones_like(p)
        optimizer.step()
        steps.append(rms(p.detach() - before) / rms(before))
    assert steps[:4] == pytest.approx([0.5] * 4, rel=1e-9)
    assert steps[8] == pytest.approx(1 / 3, rel=1e-9)


def test_each_parameter_has_the_resolution_of_its_own_dtype() -> None:
    half, double = torch.ones(3, dtype=torch.bfloat16, requires_grad=True), torch.ones(3, dtype=torch.float64)
    alone = torch.ones(3, dtype=torch.float64, requires_grad=True)
    double.requires_grad_()
    for parameters in ([half, double], [alone]):
        for p in parameters:
            p.grad = torch.tensor([1.0, 1e-9, 1e-9], dtype=p.dtype)
        Adafactor(parameters).step()
    assert torch.equal(double, alone)  # torch takes the bfloat16's for both, and differs


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize("shape", [(4, 5), (2, 3, 4), (6,), (), (0, 3)])
def test_stacked_tensors_each_have_sizes_of_their_own(shape: tuple[int, ...], weight_decay: float) -> None:
    generator = torch.Generator().manual_seed(0)
    apart = [(10.0**k * torch.randn(shape, dtype=torch.float64, generator=generator)) for k in range(-3, 3)]
    together = [p.clone() for p in apart]
    options = {"lr": 0.1, "eps": (None, 1e-2), "weight_decay": weight_decay}
    one_by_one, stacked = Adafactor(apart, foreach=False, **options), Adafactor(together, **options)
    for step in range(5):
        for k, (p, q) in enumerate(zip(apart, together, strict=True)):
            p.grad = 10.0 ** (-k) * torch.randn(shape, dtype=torch.float64, generator=generator)
            if k == 2 and step < 2:
                p.grad = None  # its count of steps is another one from here on
            q.grad = None if p.grad is None else p.grad.clone()
        one_by_one.step()
        stacked.step()
    for p, q in zip(apart, together, strict=True):
        torch.testing.assert_close(p, q, rtol=1e-12, atol=0.0)
        for name, x in one_by_one.state[p].items():
            torch.testing.assert_close(
                torch.as_tensor(x), torch.as_tensor(stacked.state[q][name]), rtol=1e-12, atol=0.0
            )
