"""Xavier and LeCun initializers against torch's own, and against the variance they promise."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from livegrad.initializers.xavier import (
    lecun_normal_,
    lecun_trunc_normal_,
    lecun_uniform_,
    xavier_normal_,
    xavier_trunc_normal_,
    xavier_uniform_,
)

TORCHS = [(xavier_normal_, nn.init.xavier_normal_), (xavier_uniform_, nn.init.xavier_uniform_)]
ALL = [xavier_normal_, xavier_uniform_, xavier_trunc_normal_, lecun_normal_, lecun_uniform_, lecun_trunc_normal_]

# A sample of N independent entries of standard deviation s and kurtosis κ has a standard deviation within
# z · s · √((κ − 1) / 4N) of s. At z = 5 a correct initializer fails with a probability of about 6e-7 a check; the
# seeds are fixed, so a pass stays a pass.
SIGMAS = 5
KURTOSIS = {"normal": 3.0, "uniform": 1.8, "trunc": 2.4}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def kurtosis_of(init):
    return KURTOSIS[init.__name__.split("_")[1]]


def assert_std(tensor, expected, kurtosis):
    n = tensor.numel()
    assert abs(tensor.mean()) < SIGMAS * expected / math.sqrt(n)
    assert abs(tensor.std() / expected - 1) < SIGMAS * math.sqrt((kurtosis - 1) / (4 * n))


@pytest.mark.parametrize(("ours", "torchs"), TORCHS, ids=lambda f: f.__module__)
@given(
    shape=st.lists(st.integers(1, 6), min_size=2, max_size=5),
    gain=st.floats(0, 10),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=60, deadline=None)
def test_gives_the_numbers_of_torch_bit_for_bit(ours, torchs, shape, gain, seed):
    mine = ours(torch.empty(shape), gain, generator=seeded(seed))
    assert torch.equal(mine, torchs(torch.empty(shape), gain, generator=seeded(seed)))


@pytest.mark.parametrize(("ours", "torchs"), TORCHS, ids=lambda f: f.__module__)
def test_positional_arguments_and_the_global_generator_mean_what_they_mean_in_torch(ours, torchs):
    torch.manual_seed(3)
    mine = ours(torch.empty(6, 4), 1.5)
    torch.manual_seed(3)
    assert torch.equal(mine, torchs(torch.empty(6, 4), 1.5))


LAYERS = [
    (nn.Linear(300, 100), 300, 100),
    (nn.Conv1d(40, 30, 5), 40 * 5, 30 * 5),
    (nn.Conv2d(30, 20, (3, 5)), 30 * 15, 20 * 15),
    (nn.Conv3d(20, 10, 3), 20 * 27, 10 * 27),
]


@pytest.mark.parametrize("init", ALL)
@pytest.mark.parametrize(("layer", "fan_in", "fan_out"), LAYERS, ids=lambda value: type(value).__name__)
def test_the_promised_variance_holds_for_linear_layers_and_convolutions(init, layer, fan_in, fan_out):
    lecun = init.__name__.startswith("lecun")
    std = math.sqrt(1 / fan_in) if lecun else math.sqrt(2 / (fan_in + fan_out))
    weight = layer.weight.detach()
    assert_std(init(weight, generator=seeded()), std, kurtosis_of(init))
    assert_std(init(weight, 5 / 3, generator=seeded()), 5 / 3 * std, kurtosis_of(init))


def test_the_variance_check_can_fail():
    other = lecun_normal_(torch.empty(100, 300), generator=seeded())
    with pytest.raises(AssertionError):
        assert_std(other, math.sqrt(2 / 400), 3.0)
    slightly_wrong = 1.03 * xavier_normal_(torch.empty(100, 300), generator=seeded())
    with pytest.raises(AssertionError):
        assert_std(slightly_wrong, math.sqrt(2 / 400), 3.0)


@pytest.mark.parametrize(
    ("init", "bound"), [(xavier_uniform_, math.sqrt(6 / 500)), (lecun_uniform_, math.sqrt(3 / 300))]
)
def test_uniform_entries_reach_their_bound_and_never_pass_it(init, bound):
    tensor = init(torch.empty(200, 300, dtype=torch.float64), generator=seeded())
    assert 0.999 * bound < tensor.abs().max() <= bound


@pytest.mark.parametrize(
    ("init", "std"), [(xavier_trunc_normal_, math.sqrt(2 / 500)), (lecun_trunc_normal_, math.sqrt(1 / 300))]
)
def test_truncated_entries_stay_inside_two_sigma_and_use_the_range(init, std):
    tensor = init(torch.empty(200, 300, dtype=torch.float64), generator=seeded())
    bound = 2 * std / 0.8796256610342398  # scipy.stats.truncnorm(-2, 2).std()
    assert 0.99 * bound < tensor.abs().max() <= bound


def test_lecun_keeps_a_linear_signal_and_xavier_shares_the_error_between_both_ways():
    x = torch.randn(64, 1024, generator=seeded(1), dtype=torch.float64)
    g = torch.randn(64, 256, generator=seeded(2), dtype=torch.float64)
    # The forward and backward mean squares of a matrix of 2¹⁸ normal entries: relative errors near
    # √(2 / (64 · 256)) = 0.011 forward and less backward; 6 % is more than five of them.
    for init, forward, backward in [(lecun_normal_, 1.0, 0.25), (xavier_normal_, 1.6, 0.4)]:
        w = init(torch.empty(256, 1024, dtype=torch.float64), generator=seeded())
        assert float((x @ w.T).square().mean()) == pytest.approx(forward, rel=0.06)
        assert float((g @ w).square().mean()) == pytest.approx(backward, rel=0.06)


def test_lecun_and_xavier_agree_where_a_layer_has_as_many_outputs_as_inputs():
    for first, second in [(lecun_normal_, xavier_normal_), (lecun_uniform_, xavier_uniform_)]:
        assert torch.equal(first(torch.empty(9, 9), generator=seeded()), second(torch.empty(9, 9), generator=seeded()))


def test_the_default_of_a_linear_layer_is_lecun_uniform_with_gain_one_over_root_three():
    torch.manual_seed(0)
    default = nn.Linear(50, 20).weight
    torch.manual_seed(0)
    # 1/√3 · √(3 / 50) and 1 / √50 differ by rounding only.
    torch.testing.assert_close(
        lecun_uniform_(torch.empty(20, 50), 1 / math.sqrt(3)), default.detach(), rtol=1e-5, atol=0
    )


@pytest.mark.parametrize("init", ALL)
def test_a_gain_of_zero_gives_zeros(init):
    assert not init(torch.ones(3, 4), gain=0.0).any()


@pytest.mark.parametrize("init", ALL)
@pytest.mark.parametrize("gain", [-1.0, math.nan, math.inf])
def test_a_bad_gain_is_refused_by_name_rule_and_value(init, gain):
    tensor = torch.ones(3, 4)
    with pytest.raises(ValueError, match=rf"gain must be in \[0, inf\), got {gain}"):
        init(tensor, gain)
    assert torch.equal(tensor, torch.ones(3, 4))
