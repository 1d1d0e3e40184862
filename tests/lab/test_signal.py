import numpy as np
import torch
from torch import nn

from livegrad.lab.networks import mlp
from livegrad.lab.signal import profile


def test_sizes_equal_those_of_a_network_worked_out_by_hand():
    # h1 = 2x, h2 = 6x; loss = sum(h2): dloss/dh2 = 1, dloss/dh1 = 3
    def build():
        net = mlp([1, 1, 1, 1], nn.Identity, bias=False)
        for linear, weight in zip(net[::2], [2.0, 3.0, 1.0], strict=True):
            nn.init.constant_(linear.weight, weight)
        return net

    x = torch.tensor([[1.0], [-1.0], [3.0]])
    result = profile(build, x, x, loss=lambda out, _: out.sum(), seeds=(0, 1, 2))
    std = x.double().std().item()
    np.testing.assert_allclose(result.forward, [[2 * std, 6 * std]] * 3)
    np.testing.assert_allclose(result.backward, [[3.0, 1.0]] * 3)


def test_an_overflow_shows():
    result = profile(
        lambda: mlp([4, 4, 4, 2], nn.Identity, lambda w: nn.init.constant_(w, 1e30)),
        torch.ones(3, 4).mul_(torch.arange(1.0, 4)[:, None]),
        torch.zeros(3, dtype=torch.long),
        seeds=(0, 1, 2),
    )
    assert not np.isfinite(result.forward[:, 1]).any()
