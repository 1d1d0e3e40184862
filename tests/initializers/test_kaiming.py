"""Kaiming initializers against torch's own, and against the variance they promise."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from livegrad.initializers.kaiming import kaiming_normal_, kaiming_trunc_normal_, kaiming_uniform_

ALL = [kaiming_normal_, kaiming_uniform_, kaiming_trunc_normal_]
TORCHS = [(kaiming_normal_, nn.init.kaiming_normal_), (kaiming_uniform_, nn.init.kaiming_uniform_)]
NAMES = ["linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"]
NAMES += ["sigmoid", "tanh", "relu", "leaky_relu", "selu"]

# A sample of N independent entries of standard deviation s and kurtosis κ has a standard deviation within
# z · s · √((κ − 1) / 4N) of s. At z = 5 a correct initializer fails with a probability of about 6e-7 a check; the
# seeds are fixed, so a pass stays a pass.
SIGMAS = 5
KURTOSIS = {"kaiming_normal_": 3.0, "kaiming_uniform_": 1.8, "kaiming_trunc_normal_": 2.4}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def assert_std(tensor, expected, kurtosis):
    n = tensor.numel()
    assert abs(tensor.mean()) < SIGMAS * expected / math.sqrt(n)
    assert abs(tensor.std() / expected - 1) < SIGMAS * math.sqrt((kurtosis - 1) / (4 * n))


@pytest.mark.parametrize(("ours", "torchs"), TORCHS, ids=lambda f: f.__module__)
@pytest.mark.parametrize("nonlinearity", NAMES)
@pytest.mark.parametrize("mode", ["fan_in", "fan_out"])
def test_gives_the_numbers_of_torch_bit_for_bit(ours, torchs, nonlinearity, mode):
    for shape in [(7, 5), (4, 3, 3), (4, 3, 3, 2), (2, 3, 1, 2, 2)]:
        arguments = {"a": 0.3, "mode": mode, "nonlinearity": nonlinearity}
        mine = ours(torch.empty(shape), **arguments, generator=seeded())
        assert torch.equal(mine, torchs(torch.empty(shape), **arguments, generator=seeded()))


@pytest.mark.parametrize(("ours", "torchs"), TORCHS, ids=lambda f: f.__module__)
def test_positional_arguments_and_the_global_generator_mean_what_they_mean_in_torch(ours, torchs):
    torch.manual_seed(3)
    mine = ours(torch.empty(6, 4), 0.1, "fan_out", "leaky_relu")
    torch.manual_seed(3)
    assert torch.equal(mine, torchs(torch.empty(6, 4), 0.1, "fan_out", "leaky_relu"))


@given(
    shape=st.lists(st.integers(1, 6), min_size=2, max_size=5),
    a=st.floats(-10, 10),
    mode=st.sampled_from(["fan_in", "fan_out"]),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=50, deadline=None)
def test_any_shape_and_slope_agree_with_torch(shape, a, mode, seed):
    for ours, torchs in TORCHS:
        mine = ours(torch.empty(shape), a, mode, generator=seeded(seed))
        assert torch.equal(mine, torchs(torch.empty(shape), a, mode, generator=seeded(seed)))


@pytest.mark.parametrize("init", ALL)
@pytest.mark.parametrize(
    ("layer", "fan_in", "fan_out"),
    [
        (nn.Linear(300, 200), 300, 200),
        (nn.Conv1d(40, 30, 5), 40 * 5, 30 * 5),
        (nn.Conv2d(30, 20, (3, 5)), 30 * 15, 20 * 15),
        (nn.Conv3d(20, 10, 3), 20 * 27, 10 * 27),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_promised_variance_holds_for_linear_layers_and_convolutions(init, layer, fan_in, fan_out):
    kurtosis = KURTOSIS[init.__name__]
    weight = layer.weight.detach()
    assert_std(init(weight, generator=seeded()), math.sqrt(2 / fan_in), kurtosis)
    assert_std(init(weight, mode="fan_out", generator=seeded()), math.sqrt(2 / fan_out), kurtosis)
    assert_std(init(weight, 0.5, generator=seeded()), math.sqrt(2 / (1.25 * fan_in)), kurtosis)
    assert_std(init(weight, gain=3.0, generator=seeded()), 3 / math.sqrt(fan_in), kurtosis)


def test_the_variance_check_can_fail():
    wrong = kaiming_normal_(torch.empty(300, 200), nonlinearity="linear", generator=seeded())
    with pytest.raises(AssertionError):
        assert_std(wrong, math.sqrt(2 / 200), 3.0)
    slightly_wrong = 1.03 * kaiming_normal_(torch.empty(300, 200), generator=seeded())
    with pytest.raises(AssertionError):
        assert_std(slightly_wrong, math.sqrt(2 / 200), 3.0)


def test_a_grouped_convolution_keeps_its_signal_with_fan_in():
    layer = nn.Conv2d(64, 64, 3, groups=8, bias=False, padding=1, padding_mode="circular")
    kaiming_normal_(layer.weight, nonlinearity="linear", generator=seeded())
    x = torch.randn(64, 64, 8, 8, generator=seeded(1))
    # 64 · 8 · 9 weights fix the output's variance: relative error √(2 / 4608) = 0.021; five of these.
    assert float(layer(x).detach().var()) == pytest.approx(1, abs=5 * math.sqrt(2 / layer.weight.numel()))


def test_a_transposed_convolution_counts_its_inputs_with_fan_out():
    layer = nn.ConvTranspose2d(64, 16, 3, bias=False)
    kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="linear", generator=seeded())
    x = torch.randn(64, 64, 16, 16, generator=seeded(1))
    inside = layer(x)[:, :, 2:-2, 2:-2]
    assert float(inside.detach().var()) == pytest.approx(1, abs=5 * math.sqrt(2 / layer.weight.numel()))


def test_the_size_of_a_relu_signal_is_kept_over_twenty_wide_layers():
    x = torch.randn(32, 1024, generator=seeded(100), dtype=torch.float64)
    start = float(x.square().mean())
    for seed in range(20):
        weight = kaiming_normal_(torch.empty(1024, 1024, dtype=torch.float64), generator=seeded(seed))
        x = (x @ weight.T).relu()
    # The mean over networks stays exactly. The logarithm for one network scatters by about √(5 · 20 / 1024) = 0.31
    # (Hanin and Rolnick 2018); 1.25 is four of these. Without the factor 2 it would be lower by 20 · log 2 = 13.9.
    assert abs(math.log(float(x.square().mean()) / start)) < 1.25


def test_truncated_entries_stay_inside_two_sigma_and_use_the_range():
    tensor = kaiming_trunc_normal_(torch.empty(400, 300, dtype=torch.float64), generator=seeded())
    bound = 2 * math.sqrt(2 / 300) / 0.8796256610342398  # scipy.stats.truncnorm(-2, 2).std()
    assert 0.999 * bound < tensor.abs().max() <= bound


@pytest.mark.parametrize("init", ALL)
def test_a_gain_of_zero_gives_zeros(init):
    assert not init(torch.ones(3, 4), gain=0.0).any()


@pytest.mark.parametrize("init", ALL)
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mode": "fan"}, r"mode must be 'fan_in' or 'fan_out', got 'fan'"),
        ({"mode": "FAN_IN"}, r"mode must be .* got 'FAN_IN'"),
        ({"nonlinearity": "silu"}, r"nonlinearity must be one of conv1d, .*tanh, got 'silu'"),
        ({"a": math.nan}, r"a must be finite, got nan"),
        ({"a": math.inf, "nonlinearity": "relu"}, r"a must be finite, got inf"),
        ({"gain": -1.0}, r"gain must be in \[0, inf\), got -1.0"),
        ({"gain": math.nan}, r"gain must be in \[0, inf\), got nan"),
        ({"gain": math.inf}, r"gain must be in \[0, inf\), got inf"),
    ],
)
def test_bad_arguments_are_refused_by_name_rule_and_value(init, arguments, message):
    tensor = torch.ones(3, 4)
    with pytest.raises(ValueError, match=message):
        init(tensor, **arguments)
    assert torch.equal(tensor, torch.ones(3, 4))


def test_the_default_of_a_linear_layer_is_uniform_with_one_over_root_fan_in():
    torch.manual_seed(0)
    default = nn.Linear(50, 20).weight
    torch.manual_seed(0)
    mine = kaiming_uniform_(torch.empty(20, 50), a=math.sqrt(5))
    assert torch.equal(default, mine)
    assert mine.abs().max() <= 1 / math.sqrt(50)
