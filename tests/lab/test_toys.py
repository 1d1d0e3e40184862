import math

import pytest
import torch

from livegrad.lab.toys import NAMES, toy


@pytest.mark.parametrize("name", NAMES)
def test_points_and_classes_have_the_promised_shape_and_noise_alone_depends_on_the_seed(name):
    x, y = toy(name, 40, 0.0)
    assert x.shape == (40, 2)
    assert set(y.tolist()) == {0.0, 1.0}
    assert x.abs().max() < 1.6
    noisy, _ = toy(name, 40, 0.1)
    assert 0 < (noisy - x).abs().max() < 0.67  # the largest normal number is 6.66


def test_without_noise_the_sets_are_the_shapes_of_their_names():
    x, y = toy("circles", 80, 0.0)
    assert torch.allclose(x.norm(dim=1), 1 - 0.55 * y)
    x, y = toy("xor", 80, 0.0)
    assert torch.equal((x[:, 0] * x[:, 1] > 0).double(), y)
    x, y = toy("moons", 80, 0.0)
    center = torch.stack((y - 0.5, y / 2 - 0.25), dim=1)
    assert torch.allclose((x - center).norm(dim=1), torch.ones(80, dtype=torch.float64))
    x, y = toy("spirals", 80, 0.0)
    assert torch.allclose(x[::2], -x[1::2])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("moon",), "name must be one of moons, circles, xor, spirals, got 'moon'"),
        (("moons", 7), "count must be even and at least 2, got 7"),
        (("moons", 0), "count must be even and at least 2, got 0"),
        (("moons", 8, -1.0), "noise must be at least 0, got -1.0"),
        (("moons", 8, math.nan), "noise must be at least 0, got nan"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        toy(*arguments)
