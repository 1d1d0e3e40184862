"""Batch, layer, RMS and group norm: torch's in value, gradient and state, in training and evaluation."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import Tensor, nn

from livegrad.layers.normalization import BatchNorm1d, BatchNorm2d, GroupNorm, LayerNorm, RMSNorm

# ours, torch's, arguments, shape of an input
CASES = [
    (BatchNorm1d, nn.BatchNorm1d, (5,), {}, (7, 5)),
    (BatchNorm1d, nn.BatchNorm1d, (5,), {"eps": 0.1, "momentum": 0.3}, (3, 5, 4)),
    (BatchNorm1d, nn.BatchNorm1d, (5,), {"affine": False, "track_running_stats": False}, (7, 5)),
    (BatchNorm2d, nn.BatchNorm2d, (3,), {"momentum": None}, (4, 3, 5, 6)),
    (BatchNorm2d, nn.BatchNorm2d, (3,), {"affine": False}, (1, 3, 5, 6)),
    (LayerNorm, nn.LayerNorm, (6,), {}, (4, 3, 6)),
    (LayerNorm, nn.LayerNorm, ((3, 6),), {"bias": False, "eps": 0.1}, (4, 3, 6)),
    (LayerNorm, nn.LayerNorm, (6,), {"elementwise_affine": False}, (6,)),
    (RMSNorm, nn.RMSNorm, (6,), {}, (4, 3, 6)),
    (RMSNorm, nn.RMSNorm, ([3, 6],), {"eps": 0.1}, (4, 3, 6)),
    (RMSNorm, nn.RMSNorm, (6,), {"elementwise_affine": False}, (4, 6)),
    (GroupNorm, nn.GroupNorm, (2, 6), {}, (4, 6, 3, 5)),
    (GroupNorm, nn.GroupNorm, (3, 6), {"affine": False, "eps": 0.1}, (4, 6)),
    (GroupNorm, nn.GroupNorm, (6, 6), {}, (2, 6, 4)),
]
FIELDS = ("ours", "torchs", "arguments", "options", "shape")
every = pytest.mark.parametrize(FIELDS, CASES)


def double(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def twins(ours, torchs, arguments, options) -> tuple[nn.Module, nn.Module]:
    """Both layers with the same weights, not at their starting values."""
    theirs = torchs(*arguments, **options).double()
    for seed, parameter in enumerate(theirs.parameters()):
        parameter.data = double(*parameter.shape, seed=20 + seed)
    mine = ours(*arguments, **options).double()
    mine.load_state_dict(theirs.state_dict())
    return mine, theirs


def assert_same(mine: nn.Module, theirs: nn.Module, x: Tensor) -> None:
    results = []
    for layer in (mine, theirs):
        leaf = x.detach().clone().requires_grad_()
        out = layer(leaf)
        inputs = [leaf, *layer.parameters()]
        results.append([out.detach(), *torch.autograd.grad((out * double(*out.shape, seed=9)).sum(), inputs)])
    torch.testing.assert_close(*results, rtol=1e-11, atol=1e-11)


@every
def test_values_gradients_and_state_are_torchs_in_training_and_evaluation(
    ours, torchs, arguments, options, shape
) -> None:
    mine, theirs = twins(ours, torchs, arguments, options)
    for step in range(3):
        assert_same(mine, theirs, 3 * double(*shape, seed=step) + 2)
    torch.testing.assert_close(mine.state_dict(), theirs.state_dict(), rtol=1e-12, atol=1e-12)
    assert_same(mine.eval(), theirs.eval(), double(*shape, seed=5))
    torch.testing.assert_close(mine.state_dict(), theirs.state_dict(), rtol=1e-12, atol=1e-12)
    theirs.load_state_dict(mine.state_dict())


@every
def test_the_layout_in_memory_does_not_matter(ours, torchs, arguments, options, shape) -> None:
    mine, _ = twins(ours, torchs, arguments, options)
    x = double(*shape)
    expected = copy.deepcopy(mine)(x)
    others = [torch.stack((x, x), dim=-1)[..., 0]]
    if x.ndim == 4:
        others.append(x.to(memory_format=torch.channels_last))
    for other in others:
        assert not other.is_contiguous() or x.shape[0] == 1
        torch.testing.assert_close(copy.deepcopy(mine)(other), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(FIELDS, [case for case in CASES if len(case[-1]) > 1])
def test_an_empty_batch_gives_an_empty_batch_and_changes_no_statistics(ours, torchs, arguments, options, shape) -> None:
    mine, _ = twins(ours, torchs, arguments, options)
    before = copy.deepcopy(mine.state_dict())
    for layer in (mine.train(), mine.eval()):
        x = torch.empty(0, *shape[1:], dtype=torch.float64, requires_grad=True)
        out = layer(x)
        assert out.shape == x.shape
        out.sum().backward()
        assert x.grad is not None
    torch.testing.assert_close(mine.state_dict(), before)


@every
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_comes_out_as_it_went_in_and_is_rounded_once(
    ours, torchs, arguments, options, shape, dtype
) -> None:
    mine, _ = twins(ours, torchs, arguments, options)
    if ours is RMSNorm and "eps" not in options:
        mine.eps = torch.finfo(dtype).eps  # the default depends on the type of the input
    x = (300 * double(*shape)).to(dtype)  # 300² is beyond the range of float16
    exact = copy.deepcopy(mine)(x.double())
    out = copy.deepcopy(mine).float()(x)
    assert out.dtype == dtype
    # One rounding: half a unit in the last place, relative; float32 inside adds 1e-4 of that.
    torch.testing.assert_close(out.double(), exact, rtol=0.51 * torch.finfo(dtype).eps, atol=1e-5)


@every
def test_under_autocast_the_type_of_the_output_is_torchs(ours, torchs, arguments, options, shape) -> None:
    mine, theirs = twins(ours, torchs, arguments, options)
    x = double(*shape).bfloat16()
    if ours is RMSNorm:  # torch warns of mixed types here, which is an error in these tests
        theirs.bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        out, expected = mine.float()(x), theirs(x) if ours is RMSNorm else theirs.float()(x)
    assert out.dtype == expected.dtype == torch.bfloat16
    torch.testing.assert_close(out.float(), expected.float(), rtol=0.02, atol=0.02)  # bfloat16 has 8 bits: 0.4 %


@pytest.mark.parametrize(("layer", "shape"), [(BatchNorm1d(3), (1, 3)), (BatchNorm2d(3), (1, 3, 1, 1))])
def test_one_value_a_channel_is_refused_in_training_and_welcome_in_evaluation(layer, shape) -> None:
    with pytest.raises(ValueError, match=r"input must have more than 1 value a channel in training, got \(1, 3"):
        layer(torch.ones(shape))
    assert layer.num_batches_tracked == 0
    assert layer.eval()(torch.ones(shape)).shape == shape
    without = type(layer)(3, track_running_stats=False).eval()
    with pytest.raises(ValueError, match="more than 1 value"):
        without(torch.ones(shape))


def test_the_running_variance_is_the_unbiased_one_by_hand() -> None:
    layer = BatchNorm1d(1, momentum=0.5)
    y = layer(torch.tensor([[1.0], [3.0]]))  # mean 2, biased variance 1, unbiased 2
    torch.testing.assert_close(y, torch.tensor([[-1.0], [1.0]]), rtol=1e-5, atol=1e-5)
    assert layer.running_mean.item() == 1.0
    assert layer.running_var.item() == 1.5


def test_without_momentum_the_running_mean_weighs_all_batches_the_same() -> None:
    layer = BatchNorm1d(1, momentum=None)
    for value in (1.0, 2.0, 6.0):
        layer(torch.tensor([[value - 1], [value + 1]]))
    assert layer.running_mean.item() == pytest.approx(3.0)
    assert layer.running_var.item() == pytest.approx(2.0)


def test_statistics_receive_no_gradient_and_are_saved() -> None:
    layer = BatchNorm1d(2)
    layer(torch.randn(4, 2, requires_grad=True)).sum().backward()
    assert not layer.running_mean.requires_grad
    assert set(layer.state_dict()) == {"weight", "bias", "running_mean", "running_var", "num_batches_tracked"}
    assert set(BatchNorm1d(2, affine=False, track_running_stats=False).state_dict()) == set()


def test_two_examples_become_plus_and_minus_one() -> None:
    y = BatchNorm1d(50, affine=False)(torch.randn(2, 50, generator=torch.Generator().manual_seed(0)) * 100)
    torch.testing.assert_close(y.abs(), torch.ones(2, 50), rtol=0, atol=1e-2)
    torch.testing.assert_close(y[0], -y[1])


def test_one_group_a_channel_normalizes_each_picture_alone_and_one_group_the_whole_example() -> None:
    x = double(3, 4, 5, 5)
    alone = GroupNorm(4, 4, affine=False)(x)
    torch.testing.assert_close(alone, nn.functional.instance_norm(x))
    whole = GroupNorm(1, 4, affine=False)(x)
    torch.testing.assert_close(whole, LayerNorm((4, 5, 5), elementwise_affine=False)(x))


def test_batch_norm_does_not_feel_the_scale_of_what_comes_in_and_its_gradient_is_that_much_smaller() -> None:
    x = double(8, 3)
    gradients = []
    for scale in (1.0, 10.0):
        leaf = (scale * x).requires_grad_()
        y = BatchNorm1d(3, eps=0).double()(leaf)
        gradients.append(torch.autograd.grad((y * double(8, 3, seed=1)).sum(), leaf)[0])
    torch.testing.assert_close(gradients[1], gradients[0] / 10, rtol=1e-10, atol=1e-10)


def test_second_derivatives_are_right() -> None:
    x = double(4, 6).requires_grad_()
    for layer in (BatchNorm1d(6, track_running_stats=False), LayerNorm(6), RMSNorm(6, eps=1e-3), GroupNorm(2, 6)):
        assert torch.autograd.gradgradcheck(layer.double(), (x,))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: BatchNorm1d(3, eps=-1.0), r"eps must be in \[0, inf\), got -1.0"),
        (lambda: LayerNorm(3, eps=math.nan), r"eps must be in \[0, inf\), got nan"),
        (lambda: RMSNorm(3, eps=math.inf), r"eps must be in \[0, inf\), got inf"),
        (lambda: BatchNorm2d(3, momentum=1.5), r"momentum must be in \[0, 1\] or None, got 1.5"),
        (lambda: LayerNorm(()), r"normalized_shape must have at least 1 dimension, got \(\)"),
        (lambda: RMSNorm([]), r"normalized_shape must have at least 1 dimension, got \(\)"),
        (lambda: GroupNorm(2, 3), "num_groups must be at least 1 and divide num_channels, 3, got 2"),
        (lambda: GroupNorm(0, 3), "num_groups must be at least 1"),
        (lambda: BatchNorm1d(3)(torch.ones(2, 4)), r"input must have shape \(N, 3\) or \(N, 3, L\), got \(2, 4\)"),
        (lambda: BatchNorm2d(3)(torch.ones(2, 3)), r"input must have shape \(N, 3, H, W\), got \(2, 3\)"),
        (lambda: LayerNorm((2, 3))(torch.ones(5, 3)), r"input must end in the shape \(2, 3\), got \(5, 3\)"),
        (lambda: RMSNorm(3)(torch.ones(())), r"input must end in the shape \(3,\), got \(\)"),
        (lambda: GroupNorm(1, 3)(torch.ones(3)), r"input must have shape \(N, 3, ...\), got \(3,\)"),
    ],
)
def test_what_is_out_of_range_is_refused_by_name_rule_and_value(make, message) -> None:
    with pytest.raises(ValueError, match=message):
        make()
