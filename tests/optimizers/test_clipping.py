"""Clipping against torch and by hand: norms of several kinds, dtypes, units, zeros, infinities."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from livegrad.optimizers.clipping import adaptive_clip_grad_, clip_grad_norm_, clip_grad_value_, unit_norms

SHAPES = ((3, 4), (5,), (), (2, 3, 2, 2))


def made(scale: float = 1.0, dtype: torch.dtype = torch.float64, seed: int = 0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    parameters = []
    for shape in SHAPES:
        p = torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype).requires_grad_()
        p.grad = (scale * torch.randn(shape, generator=generator, dtype=torch.float64)).to(dtype)
        parameters.append(p)
    return parameters


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
@pytest.mark.parametrize("norm_type", [1.0, 2.0, 3.5, math.inf])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.complex128])
def test_by_norm_it_equals_torch(scale: float, norm_type: float, dtype: torch.dtype) -> None:
    ours, theirs = made(scale, dtype), made(scale, dtype)
    mine = clip_grad_norm_(ours, 0.7, norm_type)
    torch.testing.assert_close(mine, torch.nn.utils.clip_grad_norm_(theirs, 0.7, norm_type))
    for p, q in zip(ours, theirs, strict=True):
        torch.testing.assert_close(p.grad, q.grad)


@settings(deadline=None, max_examples=40)
@given(st.floats(1e-3, 1e3), st.floats(1e-3, 1e3))
def test_the_direction_is_kept_and_the_length_is_at_most_the_threshold(scale: float, longest: float) -> None:
    parameters = made(scale)
    before = torch.cat([p.grad.flatten() for p in parameters])
    total = clip_grad_norm_(parameters, longest)
    after = torch.cat([p.grad.flatten() for p in parameters])
    assert total.item() == pytest.approx(before.norm().item(), rel=1e-12)
    # torch's 1e-6 beside the norm shortens a little more.
    assert after.norm().item() == pytest.approx(
        min(longest, before.norm().item()), rel=1e-6 / before.norm().item() + 1e-9
    )
    assert torch.cosine_similarity(before, after, dim=0).item() == pytest.approx(1, rel=1e-12)


def test_two_vectors_are_clipped_together_as_computed_by_hand() -> None:
    p, q = torch.zeros(1, requires_grad=True), torch.zeros(1, requires_grad=True)
    p.grad, q.grad = torch.tensor([3.0]), torch.tensor([-4.0])
    assert clip_grad_norm_([p, q], 1.0).item() == 5.0
    assert (p.grad.item(), q.grad.item()) == (pytest.approx(0.6, rel=1e-6), pytest.approx(-0.8, rel=1e-6))


def test_one_tensor_a_generator_and_missing_gradients_are_taken() -> None:
    alone, without = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    alone.grad = torch.tensor([3.0, 4.0])
    assert clip_grad_norm_(alone, 10.0).item() == 5.0
    assert clip_grad_norm_((p for p in [alone, without]), 1.0).item() == 5.0
    assert without.grad is None
    assert clip_grad_norm_([without], 1.0).item() == 0
    clip_grad_value_(without, 1.0)
    adaptive_clip_grad_(without)


def test_the_norm_of_half_precision_does_not_overflow_before_the_gradient() -> None:
    p = torch.zeros(10_000, dtype=torch.float16, requires_grad=True)
    p.grad = torch.full((10_000,), 1000.0, dtype=torch.float16)  # the norm is 100000, above float16's 65504
    assert clip_grad_norm_(p, 10.0).item() == pytest.approx(1e5, rel=1e-4)  # ten thousand squares in float32
    assert p.grad.dtype == torch.float16
    torch.testing.assert_close(p.grad, torch.full_like(p.grad, 0.1))


def test_zeros_stay_zeros_and_empty_tensors_pass() -> None:
    kinds = (clip_grad_norm_, clip_grad_value_, adaptive_clip_grad_)
    for clip, at in itertools.product(kinds, (0, 1)):
        for shape in ((3, 2), (3,), (), (0,)):
            p = torch.ones(shape, requires_grad=True)
            p.grad = torch.zeros(shape)
            clip(p, at)
            assert torch.equal(p.grad, torch.zeros(shape))


@pytest.mark.parametrize("bad", [math.inf, math.nan])
def test_a_gradient_that_is_not_finite_is_refused_on_request(bad: float) -> None:
    p = torch.ones(3, requires_grad=True)
    p.grad = torch.tensor([1.0, bad, 2.0])
    with pytest.raises(RuntimeError, match="the gradients must have a finite norm"):
        clip_grad_norm_(p, 1.0, error_if_nonfinite=True)
    assert p.grad[0].item() == 1.0
    clip_grad_norm_(p, 1.0)
    assert p.grad.isnan().any()


def test_by_value_it_equals_torch() -> None:
    ours, theirs = made(3.0), made(3.0)
    clip_grad_value_(ours, 0.5)
    torch.nn.utils.clip_grad_value_(theirs, 0.5)
    assert all(torch.equal(p.grad, q.grad) for p, q in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e3])
def test_adaptive_clipping_bounds_each_unit_by_its_weights(scale: float) -> None:
    parameters = made(scale)
    before = [p.grad.clone() for p in parameters]
    adaptive_clip_grad_(parameters, clip_factor=0.1, eps=0.01)
    for p, old in zip(parameters, before, strict=True):
        whole = [(p.detach(), old, p.grad)]  # a vector is one unit
        units = [(p.detach()[i], old[i], p.grad[i]) for i in range(len(p))] if p.ndim > 1 else whole
        for w, g, new in units:
            bound = 0.1 * max(w.norm().item(), 0.01)
            want = g * min(1.0, bound / g.norm().item())
            torch.testing.assert_close(new, want)


def test_a_unit_whose_weights_are_zero_may_begin_to_learn() -> None:
    p = torch.zeros(2, 3, requires_grad=True)
    p.grad = torch.ones(2, 3)
    adaptive_clip_grad_(p, clip_factor=0.5, eps=1e-3)
    torch.testing.assert_close(p.grad.norm(dim=1), torch.full((2,), 5e-4))


def test_the_units_of_a_convolution_are_its_output_channels() -> None:
    x = torch.arange(16.0).reshape(2, 2, 2, 2)
    torch.testing.assert_close(unit_norms(x).flatten(), x.flatten(1).norm(dim=1))
    assert unit_norms(x).shape == (2, 1, 1, 1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: clip_grad_norm_(p, -1.0), r"max_norm must be in \[0, inf\), got -1.0"),
        (lambda p: clip_grad_norm_(p, math.nan), r"max_norm must be in \[0, inf\), got nan"),
        (lambda p: clip_grad_norm_(p, 1.0, 0.0), r"norm_type must be in \(0, inf\], got 0.0"),
        (lambda p: clip_grad_value_(p, -1.0), r"clip_value must be in \[0, inf\), got -1.0"),
        (lambda p: clip_grad_value_(p, math.nan), r"clip_value must be in \[0, inf\), got nan"),
        (lambda p: adaptive_clip_grad_(p, -0.1), r"clip_factor must be in \[0, inf\), got -0.1"),
        (lambda p: adaptive_clip_grad_(p, 0.1, 0.0), r"eps must be in \(0, inf\), got 0.0"),
    ],
)
def test_bad_thresholds_are_refused(call: object, message: str) -> None:
    p = torch.ones(2, requires_grad=True)
    p.grad = torch.ones(2)
    with pytest.raises(ValueError, match=message):
        call(p)
