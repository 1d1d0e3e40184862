import pytest
import torch
from torch import nn

from livegrad.lab.networks import mlp


def test_layers_alternate_and_end_linear():
    kinds = [type(module) for module in mlp([4, 8, 8, 2], nn.Tanh)]
    assert kinds == [nn.Linear, nn.Tanh, nn.Linear, nn.Tanh, nn.Linear]


def test_parameters_are_those_of_the_sizes():
    count = sum(p.numel() for p in mlp([4, 8, 2]).parameters())
    assert count == 4 * 8 + 8 + 8 * 2 + 2
    assert sum(p.numel() for p in mlp([4, 8, 2], bias=False).parameters()) == 4 * 8 + 8 * 2


def test_the_initializer_is_applied_to_weights_and_biases_become_zero():
    for module in mlp([3, 5, 2], init=nn.init.ones_):
        if isinstance(module, nn.Linear):
            assert (module.weight == 1).all()
            assert (module.bias == 0).all()


def test_without_an_initializer_torchs_default_stays():
    torch.manual_seed(0)
    ours = mlp([3, 5])[0].weight
    torch.manual_seed(0)
    assert torch.equal(ours, nn.Linear(3, 5).weight)


@pytest.mark.parametrize(
    ("sizes", "message"), [([3], "at least 2 widths, got \\[3\\]"), ([3, 0, 2], "all be at least 1, got")]
)
def test_bad_sizes_are_refused(sizes, message):
    with pytest.raises(ValueError, match=f"sizes must .*{message}"):
        mlp(sizes)
