"""Orthogonal initializers against torch's own, against the spectrum they promise, and as convolutions."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from livegrad.initializers.orthogonal import delta_orthogonal_, orthogonal_

BOTH = [orthogonal_, delta_orthogonal_]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@given(
    shape=st.lists(st.integers(1, 6), min_size=2, max_size=5),
    gain=st.floats(0, 10, width=32),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=60, deadline=None)
def test_gives_the_numbers_of_torch_bit_for_bit(shape, gain, seed):
    mine = orthogonal_(torch.empty(shape), gain, generator=seeded(seed))
    assert torch.equal(mine, nn.init.orthogonal_(torch.empty(shape), gain, generator=seeded(seed)))


def test_the_global_generator_means_what_it_means_in_torch():
    torch.manual_seed(3)
    mine = orthogonal_(torch.empty(6, 4, dtype=torch.float64), 1.5)
    torch.manual_seed(3)
    assert torch.equal(mine, nn.init.orthogonal_(torch.empty(6, 4, dtype=torch.float64), 1.5))


@pytest.mark.parametrize("shape", [(5, 5), (7, 3), (3, 7), (4, 3, 2, 2), (1, 6), (6, 1), (1, 1)])
@pytest.mark.parametrize("gain", [1.0, math.sqrt(2)])
def test_every_singular_value_is_the_gain(shape, gain):
    tensor = orthogonal_(torch.empty(shape, dtype=torch.float64), gain, generator=seeded())
    values = torch.linalg.svdvals(tensor.flatten(1))
    torch.testing.assert_close(values, torch.full_like(values, gain), rtol=1e-12, atol=0)


def test_the_distribution_is_uniform_because_the_signs_are_mended():
    # For a uniform orthogonal matrix of size n every entry has mean 0 and variance 1/n. Over 2000 draws the mean of
    # an entry has the standard error √(1 / (3 · 2000)) = 0.013; the largest of nine stays below five of these.
    generator = seeded()
    draws = torch.stack([orthogonal_(torch.empty(3, 3), generator=generator) for _ in range(2000)])
    assert draws.mean(0).abs().max() < 5 * 0.013
    # The square of an entry is Beta(1/2, 1): mean 1/3, standard deviation √(4 / 45) = 0.298.
    assert (draws.square().mean(0) - 1 / 3).abs().max() < 5 * 0.298 / math.sqrt(2000)
    raw = torch.stack([torch.linalg.qr(torch.randn(3, 3, generator=generator)).Q for _ in range(200)])
    assert raw.mean(0).abs().max() > 5 * 0.013 * math.sqrt(10)  # the check above can fail


def circulate(x, weight):
    """A convolution with circular padding, written as sums of shifted images: the oracle for norms."""
    out = 0
    for i in range(weight.size(2)):
        for j in range(weight.size(3)):
            shifted = x.roll((weight.size(2) // 2 - i, weight.size(3) // 2 - j), (2, 3))
            out = out + torch.einsum("oc,nchw->nohw", weight[:, :, i, j], shifted)
    return out


@pytest.mark.parametrize("kernel", [(3, 3), (1, 5), (2, 4)])
def test_a_delta_orthogonal_convolution_keeps_the_norm_of_every_image(kernel):
    weight = delta_orthogonal_(torch.empty(6, 4, *kernel, dtype=torch.float64), 1.5, generator=seeded())
    x = torch.randn(10, 4, 7, 8, dtype=torch.float64, generator=seeded(1))
    torch.testing.assert_close(circulate(x, weight).flatten(1).norm(dim=1), 1.5 * x.flatten(1).norm(dim=1))
    ordinary = orthogonal_(torch.empty(6, 4, *kernel, dtype=torch.float64), generator=seeded())
    ratio = circulate(x, ordinary).flatten(1).norm(dim=1) / x.flatten(1).norm(dim=1)
    assert ratio.std() > 0.01  # the check can fail


@pytest.mark.parametrize("make", [nn.Conv1d, nn.Conv2d, nn.Conv3d])
def test_with_zero_padding_too_and_in_one_two_and_three_dimensions(make):
    layer = make(4, 6, 3, padding="same", bias=False, dtype=torch.float64)
    delta_orthogonal_(layer.weight, generator=seeded())
    x = torch.randn(5, 4, *[6] * (layer.weight.dim() - 2), dtype=torch.float64, generator=seeded(1))
    torch.testing.assert_close(layer(x).detach().flatten(1).norm(dim=1), x.flatten(1).norm(dim=1))


def test_with_fewer_outputs_than_inputs_the_norm_of_every_gradient_is_kept():
    layer = nn.Conv2d(6, 4, 3, padding=1, bias=False, dtype=torch.float64)
    delta_orthogonal_(layer.weight, generator=seeded())
    x = torch.zeros(5, 6, 7, 7, dtype=torch.float64, requires_grad=True)
    g = torch.randn(5, 4, 7, 7, dtype=torch.float64, generator=seeded(1))
    (back,) = torch.autograd.grad(layer(x), x, g)
    torch.testing.assert_close(back.flatten(1).norm(dim=1), g.flatten(1).norm(dim=1))


def test_without_a_kernel_delta_orthogonal_is_orthogonal():
    mine = delta_orthogonal_(torch.empty(5, 4), 2.0, generator=seeded())
    assert torch.equal(mine, orthogonal_(torch.empty(5, 4), 2.0, generator=seeded()))


def test_delta_orthogonal_is_zero_off_the_middle():
    weight = delta_orthogonal_(torch.full((4, 4, 3, 4), torch.nan), generator=seeded())
    assert weight[:, :, 1, 2].count_nonzero() == 16
    assert weight.count_nonzero() == 16


@pytest.mark.parametrize("init", BOTH)
@pytest.mark.parametrize("gain", [-1.0, math.nan, math.inf])
def test_a_bad_gain_is_refused_by_name_rule_and_value(init, gain):
    tensor = torch.ones(3, 4)
    with pytest.raises(ValueError, match=rf"gain must be in \[0, inf\), got {gain}"):
        init(tensor, gain)
    assert torch.equal(tensor, torch.ones(3, 4))


@pytest.mark.parametrize("init", BOTH)
def test_a_gain_of_zero_gives_zeros(init):
    assert not init(torch.ones(3, 4, 3), gain=0.0).any()
