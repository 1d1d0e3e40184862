"""A stack computes and learns what its members would alone."""

import pytest
import torch
from torch import nn

from livegrad.foundations.training import fit
from livegrad.lab.networks import mlp
from livegrad.lab.stack import Stack, cross_entropies


def three(activation=nn.ReLU, *, bias=True):
    torch.manual_seed(0)
    return [mlp([5, 7, 6, 3], activation, bias=bias).double() for _ in range(3)]


def data():
    generator = torch.Generator().manual_seed(1)
    return (
        torch.randn(20, 5, generator=generator, dtype=torch.float64),
        torch.randint(3, (20,), generator=generator),
    )


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("activation", [nn.ReLU, nn.Tanh])
def test_outputs_are_those_of_the_members(activation, bias):
    members, (x, _) = three(activation, bias=bias), data()
    expected = torch.stack([member(x) for member in members])
    torch.testing.assert_close(Stack(members)(x), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    "optimizer", [lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9), lambda p: torch.optim.Adam(p, lr=0.01)]
)
def test_each_member_learns_what_it_learns_alone(optimizer, bias):
    members, (x, y) = three(bias=bias), data()
    stack = Stack(members)
    fit(
        stack,
        optimizer(stack.parameters()),
        x,
        y,
        epochs=5,
        batch_size=8,
        loss=lambda o, t: cross_entropies(o, t).sum(),
    )
    for member in members:
        fit(member, optimizer(member.parameters()), x, y, epochs=5, batch_size=8)
    expected = torch.stack([member(x) for member in members])
    torch.testing.assert_close(stack(x), expected, rtol=1e-8, atol=1e-8)


def test_a_member_that_overflows_does_not_touch_the_others():
    members, (x, y) = three(), data()
    with torch.no_grad():
        members[1][0].weight.fill_(torch.nan)
    stack = Stack(members)
    losses = cross_entropies(stack(x), y)
    assert losses.isnan().tolist() == [False, True, False]
    losses.sum().backward()
    assert stack.weights[0].grad[0].isfinite().all()


def test_losses_are_the_members_own():
    outputs, y = torch.randn(4, 6, 3), torch.randint(3, (6,))
    expected = torch.stack([nn.functional.cross_entropy(out, y) for out in outputs])
    torch.testing.assert_close(cross_entropies(outputs, y), expected)


def test_networks_that_differ_are_refused():
    with pytest.raises(ValueError, match="members must hold at least 1 network, got none"):
        Stack([])
    for other in (mlp([5, 7, 3]), mlp([5, 7, 6, 3], nn.Tanh), mlp([5, 7, 6, 3], bias=False)):
        with pytest.raises(ValueError, match="members must be alike"):
            Stack([mlp([5, 7, 6, 3]), other])
