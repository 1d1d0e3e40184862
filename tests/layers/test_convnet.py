"""The whole convolutional network against torch's functions put together by hand; its counts against scikit-learn's."""

from __future__ import annotations

import itertools

import pytest
import torch
from sklearn.metrics import confusion_matrix as counted_by_scikit_learn
from torch import Tensor, nn

from livegrad.layers.convnet import ConvNet, confusion_matrix

F = nn.functional


def by_hand(net: ConvNet, x: Tensor, blocks: int, pool_size: int) -> Tensor:
    weights = net.state_dict()
    for block in range(blocks):
        w, b = (weights[f"features.{block}.0.{name}"] for name in ("weight", "bias"))
        x = F.max_pool2d(F.relu(F.conv2d(x, w, b, padding="same")), pool_size)
    return x.flatten(1) @ weights["classifier.weight"].T + weights["classifier.bias"]


@pytest.mark.parametrize(("channels", "kernel_size", "pool_size"), [((4,), 3, 4), ((3, 5), 5, 2), ((2, 3, 4), 1, 1)])
def test_the_network_is_convolution_relu_and_pooling_repeated_and_a_linear_layer(channels, kernel_size, pool_size):
    torch.manual_seed(0)
    net = ConvNet(2, (9, 13), 6, channels, kernel_size, pool_size).double()
    x = torch.randn(3, 2, 9, 13, dtype=torch.float64)
    out = net(x)
    assert out.shape == (3, 6)
    torch.testing.assert_close(out, by_hand(net, x, len(channels), pool_size), rtol=1e-12, atol=1e-12)


def test_the_numbers_of_weights_are_those_counted_on_paper() -> None:
    # 8·(1·3·3 + 1) + 16·(8·3·3 + 1) + 10·(16·2·2 + 1)
    assert sum(p.numel() for p in ConvNet(1, (8, 8), 10, (8, 16)).parameters()) == 80 + 1168 + 650
    # Sides of 9 and 13 shrink by 2 twice, rounded down each time: 4, 2 and 6, 3.
    assert ConvNet(1, (9, 13), 10, (4, 4)).classifier.in_features == 4 * 2 * 3


def test_sides_that_do_not_divide_shrink_as_real_pooling_shrinks_them() -> None:
    for side, pool_size, blocks in itertools.product((7, 8, 15), (1, 2, 3), (1, 2)):
        if side >= pool_size**blocks:
            net = ConvNet(1, (side, 8 + side), 2, [2] * blocks, 3, pool_size)
            assert net(torch.zeros(1, 1, side, 8 + side)).shape == (1, 2)


def test_it_learns_what_depends_on_place_and_pattern() -> None:
    """Upright or lying strokes, at any place: a linear layer on the pixels cannot tell them apart, the network can."""
    generator = torch.Generator().manual_seed(0)
    y = torch.randint(2, (400,), generator=generator)
    x = torch.zeros(400, 1, 8, 8)
    for picture, label in zip(x, y, strict=True):
        row, column = torch.randint(0, 6, (2,), generator=generator).tolist()
        if label:
            picture[0, row : row + 3, column] = 1
        else:
            picture[0, row, column : column + 3] = 1
    for seed in range(3):
        torch.manual_seed(seed)
        net = ConvNet(1, (8, 8), 2, (4,), pool_size=8)
        optimizer = torch.optim.Adam(net.parameters(), lr=0.05)
        for _ in range(60):
            optimizer.zero_grad()
            F.cross_entropy(net(x[:200]), y[:200]).backward()
            optimizer.step()
        assert (net(x[200:]).argmax(dim=1) == y[200:]).double().mean() > 0.95


def test_an_empty_batch_gives_an_empty_answer_and_gradients_of_zero() -> None:
    net = ConvNet(1, (8, 8), 10, (2, 3))
    out = net(torch.empty(0, 1, 8, 8))
    assert out.shape == (0, 10)
    out.sum().backward()
    assert all(p.grad is not None and not p.grad.any() for p in net.parameters())


def test_training_and_evaluation_are_the_same_and_layouts_in_memory_too() -> None:
    torch.manual_seed(0)
    net, x = ConvNet(3, (8, 8), 10).double(), torch.randn(2, 3, 8, 8, dtype=torch.float64)
    assert torch.equal(net.train()(x), net.eval()(x))
    torch.testing.assert_close(net(x.to(memory_format=torch.channels_last)), net(x), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, (8, 8), 10), "in_channels must be at least 1, got 0"),
        ((1, (8, 8), 1), "num_classes must be at least 2, got 1"),
        ((1, (8, 8), 10, (8,), 3, 0), "pool_size must be at least 1, got 0"),
        ((1, (8, 8), 10, ()), r"channels must hold at least one number, all at least 1, got \(\)"),
        ((1, (8, 8), 10, (8, 0)), r"channels must hold at least one number, all at least 1, got \(8, 0\)"),
        ((1, (8, 8), 10, (8,), 4), "kernel_size must be odd and at least 1, got 4"),
        ((1, (8, 8), 10, (8,), -1), "kernel_size must be odd and at least 1, got -1"),
        ((1, (28, 7), 10, (8, 8, 8)), r"image_size must be at least 8 for 3 poolings by 2, got \(28, 7\)"),
    ],
)
def test_impossible_networks_are_refused(arguments, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ConvNet(*arguments)


@pytest.mark.parametrize("shape", [(2, 1, 8, 7), (2, 3, 8, 8), (1, 8, 8), (2, 64)])
def test_pictures_of_another_shape_are_refused(shape) -> None:
    with pytest.raises(ValueError, match=r"x must have shape \(N, 1, 8, 8\), got \("):
        ConvNet(1, (8, 8), 10)(torch.zeros(shape))


def test_the_confusion_matrix_counts_as_scikit_learn_does() -> None:
    generator = torch.Generator().manual_seed(0)
    target, prediction = torch.randint(0, 6, (2, 500), generator=generator)
    found = confusion_matrix(target, prediction, 7)
    assert found.dtype == torch.long
    assert found.tolist() == counted_by_scikit_learn(target, prediction, labels=range(7)).tolist()
    assert torch.equal(confusion_matrix(target.view(5, 100), prediction.view(5, 100).int(), 7), found)


def test_a_small_confusion_matrix_by_hand_and_an_empty_one() -> None:
    found = confusion_matrix(torch.tensor([0, 0, 1, 2, 2]), torch.tensor([0, 1, 1, 0, 0]), 3)
    assert found.tolist() == [[1, 1, 0], [0, 1, 0], [2, 0, 0]]
    assert confusion_matrix(torch.empty(0).long(), torch.empty(0).long(), 2).tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize(
    ("target", "prediction", "message"),
    [
        ([0, 1], [0], r"prediction must have the shape of target, \(2,\), got \(1,\)"),
        ([0, 3], [0, 1], r"target must be in \[0, 3\), got 0 to 3"),
        ([0, 1], [-1, 1], r"prediction must be in \[0, 3\), got -1 to 1"),
    ],
)
def test_classes_that_cannot_be_counted_are_refused(target, prediction, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        confusion_matrix(torch.tensor(target), torch.tensor(prediction), 3)
