"""Slopes by nudging against closed forms and autograd; the path by hand; the largest stable rate by use."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from livegrad.foundations.gradient_descent import (
    finite_difference_gradient,
    gradient_descent,
    largest_stable_rate,
)


def wavy(x: Tensor) -> Tensor:
    return (x.sin() * x.exp()).sum() + x.prod()


@pytest.mark.parametrize("shape", [(), (1,), (4,), (2, 3), (0,)])
@pytest.mark.parametrize("central", [True, False])
def test_finite_differences_agree_with_autograd(shape: tuple[int, ...], central: bool) -> None:
    torch.manual_seed(0)
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    (exact,) = torch.autograd.grad(wavy(x), x)
    found = finite_difference_gradient(wavy, x, central=central)
    # The default eps² is 4e-11, the one-sided eps 1.5e-8; the derivatives they are multiplied with are below 20.
    torch.testing.assert_close(found, exact, rtol=0, atol=1e-9 if central else 5e-7)
    assert not found.requires_grad


def test_on_a_parabola_central_differences_are_exact_and_one_sided_ones_off_by_eps() -> None:
    x = torch.tensor([3.0], dtype=torch.float64)
    central = finite_difference_gradient(lambda v: (v**2).sum(), x, 2**-10)
    one_sided = finite_difference_gradient(lambda v: (v**2).sum(), x, 2**-10, central=False)
    assert central.item() == 6.0
    assert one_sided.item() == 6.0 + 2**-10


@pytest.mark.parametrize(("central", "evaluations"), [(True, 14), (False, 8)])
def test_the_cost_is_2n_evaluations_or_n_plus_1(central: bool, evaluations: int) -> None:
    count = 0

    def f(x: Tensor) -> Tensor:
        nonlocal count
        count += 1
        return x.sum()

    finite_difference_gradient(f, torch.zeros(7), central=central)
    assert count == evaluations


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_the_default_step_suits_the_dtype(dtype: torch.dtype) -> None:
    x = torch.tensor([0.5, 1.5], dtype=dtype)
    found = finite_difference_gradient(lambda v: (v**2).sum(), x)
    assert found.dtype == dtype
    # eps^(2/3) is what rounding leaves at the cube-root step, here with values of size 3.
    torch.testing.assert_close(found, 2 * x, rtol=0, atol=8 * torch.finfo(dtype).eps ** (2 / 3))


def test_x_keeps_its_values_and_a_non_contiguous_x_gives_the_same_gradient() -> None:
    x = torch.arange(6.0, dtype=torch.float64).reshape(2, 3).T
    before = x.clone()
    torch.testing.assert_close(
        finite_difference_gradient(wavy, x), finite_difference_gradient(wavy, x.contiguous()), rtol=0, atol=0
    )
    assert torch.equal(x, before)


def test_a_step_lost_to_rounding_is_refused_instead_of_giving_a_slope_of_zero() -> None:
    with pytest.raises(ValueError, match=r"eps must be large enough to change x = 100000 in torch\.float32, got"):
        finite_difference_gradient(torch.sum, torch.tensor([1e5]), 1e-4)


@pytest.mark.parametrize("eps", [0.0, -1e-4, math.nan, math.inf])
def test_a_wrong_eps_is_refused_by_name(eps: float) -> None:
    with pytest.raises(ValueError, match="eps must be positive and finite, got"):
        finite_difference_gradient(torch.sum, torch.ones(2), eps)


def test_whole_numbers_have_no_slope() -> None:
    with pytest.raises(TypeError, match=r"x must be a floating-point tensor, got torch\.int64"):
        finite_difference_gradient(torch.sum, torch.tensor([1, 2]))
    with pytest.raises(TypeError, match=r"x0 must be a floating-point tensor, got torch\.int64"):
        gradient_descent(torch.sum, torch.tensor([1, 2]), 0.1, 1)


def test_a_function_with_several_outputs_is_refused() -> None:
    for call in (
        lambda: finite_difference_gradient(torch.sin, torch.ones(2)),
        lambda: gradient_descent(torch.sin, torch.ones(2), 0.1, 1),
    ):
        with pytest.raises(ValueError, match=r"f must return one number, got shape \(2,\)"):
            call()


def test_two_steps_by_hand() -> None:
    # f = (a - 3)² + 2b²: at (0, 1) the gradient is (-6, 4), so a step of 0.1 leads to (0.6, 0.6).
    path = gradient_descent(
        lambda v: (v[0] - 3) ** 2 + 2 * v[1] ** 2, torch.tensor([0.0, 1.0], dtype=torch.float64), 0.1, 2
    )
    expected = torch.tensor([[0.0, 1.0], [0.6, 0.6], [1.08, 0.36]], dtype=torch.float64)
    torch.testing.assert_close(path, expected, rtol=0, atol=1e-15)


def test_the_path_is_that_of_torch_sgd() -> None:
    x0 = torch.tensor([[0.3, -0.2], [1.0, 0.1]], dtype=torch.float64)
    path = gradient_descent(wavy, x0, 0.05, 20)
    x = x0.clone().requires_grad_()
    sgd = torch.optim.SGD([x], lr=0.05)
    for point in path:
        torch.testing.assert_close(point, x.detach(), rtol=0, atol=1e-14)
        sgd.zero_grad()
        wavy(x).backward()
        sgd.step()
    assert path.shape == (21, 2, 2)
    assert not path.requires_grad


def test_the_start_is_left_alone_and_no_step_is_a_path_of_one_point() -> None:
    x0 = torch.tensor([2.0], requires_grad=True)
    path = gradient_descent(lambda v: (v**2).sum(), x0, 0.1, 3)
    assert x0.grad is None
    assert x0.item() == 2.0
    assert torch.equal(path[:1], gradient_descent(lambda v: (v**2).sum(), x0, 0.1, 0))


@pytest.mark.parametrize("lr", [0.0, -0.1, math.nan, math.inf])
def test_a_wrong_lr_is_refused_by_name(lr: float) -> None:
    with pytest.raises(ValueError, match="lr must be positive and finite, got"):
        gradient_descent(torch.sum, torch.ones(2), lr, 1)


def test_a_negative_number_of_steps_is_refused() -> None:
    with pytest.raises(ValueError, match="steps must be at least 0, got -1"):
        gradient_descent(torch.sum, torch.ones(2), 0.1, -1)


@settings(deadline=None, max_examples=30)
@given(
    eigenvalues=st.lists(st.floats(0.1, 50), min_size=1, max_size=5),
    share=st.floats(0.05, 0.99),
    seed=st.integers(0, 1000),
)
def test_just_below_the_largest_stable_rate_the_loss_falls_and_just_above_it_grows(
    eigenvalues: list[float], share: float, seed: int
) -> None:
    n = len(eigenvalues)
    generator = torch.Generator().manual_seed(seed)
    basis = torch.linalg.qr(torch.randn(n, n, generator=generator, dtype=torch.float64)).Q
    hessian = basis @ torch.diag(torch.tensor(eigenvalues, dtype=torch.float64)) @ basis.T
    hessian = (hessian + hessian.T) / 2
    rate = largest_stable_rate(hessian)
    assert rate == pytest.approx(2 / max(eigenvalues))

    def f(x: Tensor) -> Tensor:
        return x @ hessian @ x / 2

    steepest = basis[:, eigenvalues.index(max(eigenvalues))]
    below = gradient_descent(f, steepest, share * rate, 20)
    above = gradient_descent(f, steepest, (2 - share) * rate, 20)
    assert f(below[-1]) < f(below[0])
    assert f(above[-1]) > f(above[0])


@pytest.mark.parametrize(
    ("hessian", "message"),
    [
        (torch.ones(3), r"hessian must be a square matrix, got shape \(3,\)"),
        (torch.ones(2, 3), r"hessian must be a square matrix, got shape \(2, 3\)"),
        (torch.ones(0, 0), r"hessian must be a square matrix, got shape \(0, 0\)"),
        (torch.tensor([[1.0, 2.0], [0.0, 1.0]]), "hessian must be finite and symmetric"),
        (torch.tensor([[math.nan]]), "hessian must be finite and symmetric"),
        (torch.tensor([[math.inf]]), "hessian must be finite and symmetric"),
        (-torch.eye(2), "hessian must have a positive largest eigenvalue, got -1.0"),
        (torch.zeros(2, 2), "hessian must have a positive largest eigenvalue, got 0.0"),
    ],
)
def test_a_matrix_that_is_no_hessian_of_a_valley_is_refused(hessian: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        largest_stable_rate(hessian)
