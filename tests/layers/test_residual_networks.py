"""Residual blocks against the equations written out with torch's functions, in value, gradient and state."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from livegrad.layers.residual_networks import BasicBlock, PreActBlock, Residual

F = nn.functional
BLOCKS = [BasicBlock, PreActBlock]
SHAPES = [(4, 4, 1), (4, 6, 1), (4, 4, 2), (3, 8, 2)]  # in, out, stride


def double(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def made(kind: type[nn.Module], *arguments: int) -> nn.Module:
    """A block in float64 whose weights and statistics are not those of the start."""
    block = kind(*arguments).double()
    for seed, value in enumerate(block.state_dict().values()):
        if value.is_floating_point():
            value.copy_(double(*value.shape, seed=seed).abs() + 0.1)
    return block


def norm(x: Tensor, state: dict[str, Tensor], name: str, training: bool) -> Tensor:
    mean, var = state[f"{name}.running_mean"].clone(), state[f"{name}.running_var"].clone()
    return F.batch_norm(x, mean, var, state[f"{name}.weight"], state[f"{name}.bias"], training)


def by_hand(kind: type[nn.Module], x: Tensor, state: dict[str, Tensor], stride: int, training: bool) -> Tensor:
    if kind is BasicBlock:
        h = norm(F.conv2d(x, state["conv1.weight"], stride=stride, padding=1), state, "bn1", training).relu()
        h = norm(F.conv2d(h, state["conv2.weight"], padding=1), state, "bn2", training)
        if "downsample.0.weight" in state:
            x = norm(F.conv2d(x, state["downsample.0.weight"], stride=stride), state, "downsample.1", training)
        return (x + h).relu()
    a = norm(x, state, "bn1", training).relu()
    h = norm(F.conv2d(a, state["conv1.weight"], stride=stride, padding=1), state, "bn2", training).relu()
    if "projection.weight" in state:
        x = F.conv2d(a, state["projection.weight"], stride=stride)
    return x + F.conv2d(h, state["conv2.weight"], padding=1)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", BLOCKS)
def test_a_block_computes_the_equation_of_its_paper_and_its_gradient(kind, shape, training) -> None:
    block = made(kind, *shape).train(training)
    x = double(3, shape[0], 6, 6)
    results = []
    for f in (
        block,
        lambda x: by_hand(kind, x, dict(block.state_dict(keep_vars=True)), shape[2], training),
    ):
        leaf = x.clone().requires_grad_()
        before = copy.deepcopy(block.state_dict())
        out = f(leaf)
        results.append(
            [out.detach(), *torch.autograd.grad((out * double(*out.shape, seed=9)).sum(), [leaf, *block.parameters()])]
        )
        block.load_state_dict(before)
    torch.testing.assert_close(*results, rtol=1e-10, atol=1e-10)
    assert results[0][0].shape == (3, shape[1], 6 // shape[2], 6 // shape[2])


@pytest.mark.parametrize("kind", BLOCKS)
def test_the_shortcut_is_the_input_where_shapes_agree_and_a_projection_where_not(kind) -> None:
    names = [name for name, _ in kind(4, 4).named_parameters()]
    assert not any("downsample" in name or "projection" in name for name in names)
    assert len(list(kind(4, 4, 2).parameters())) > len(names)
    assert len(list(kind(4, 5).parameters())) > len(names)


def test_the_names_of_the_weights_are_those_of_torchvisions_block() -> None:
    batch = {"weight", "bias", "running_mean", "running_var", "num_batches_tracked"}
    expected = {"conv1.weight", "conv2.weight", "downsample.0.weight"}
    expected |= {f"{layer}.{name}" for layer in ("bn1", "bn2", "downsample.1") for name in batch}
    assert set(BasicBlock(3, 4).state_dict()) == expected


def test_a_branch_of_zeros_makes_the_block_the_identity() -> None:
    block, x = PreActBlock(3, 3), torch.randn(2, 3, 5, 5)
    nn.init.zeros_(block.conv2.weight)
    assert torch.equal(block(x), x)
    branch = nn.Linear(4, 4)
    nn.init.zeros_(branch.weight)
    nn.init.zeros_(branch.bias)
    z = torch.randn(5, 4)
    assert torch.equal(Residual(branch)(z), z)


def test_the_jacobian_is_that_of_the_branch_plus_that_of_the_shortcut() -> None:
    branch, shortcut, x = nn.Linear(3, 3).double(), nn.Linear(3, 3).double(), double(3)
    jacobian = torch.autograd.functional.jacobian(Residual(branch), x)
    torch.testing.assert_close(jacobian, torch.eye(3, dtype=torch.float64) + branch.weight.detach())
    jacobian = torch.autograd.functional.jacobian(Residual(branch, shortcut), x)
    torch.testing.assert_close(jacobian, (shortcut.weight + branch.weight).detach())


def test_shapes_that_would_be_broadcast_are_refused() -> None:
    with pytest.raises(ValueError, match=r"branch must have the shape of the shortcut, \(2, 4\), got \(2, 1\)"):
        Residual(nn.Linear(4, 1))(torch.ones(2, 4))


@pytest.mark.parametrize("kind", BLOCKS)
def test_empty_batches_memory_layouts_and_half_precision(kind) -> None:
    block = made(kind, 3, 4, 2)
    assert block.eval()(torch.empty(0, 3, 6, 6, dtype=torch.float64)).shape == (0, 4, 3, 3)
    x = double(2, 3, 6, 6)
    for other in (x.to(memory_format=torch.channels_last), torch.stack((x, x), -1)[..., 0]):
        assert not other.is_contiguous()
        torch.testing.assert_close(block(other), block(x))
    single = block.float()
    with torch.autocast("cpu", torch.bfloat16):
        out = single(x.float()).detach()
    # Four roundings of bfloat16 in a row, 0.4 % each, with terms that partly cancel.
    torch.testing.assert_close(out.float(), single(x.float()).detach(), rtol=0.05, atol=0.05 * float(out.abs().max()))


@pytest.mark.parametrize("kind", BLOCKS)
def test_sizes_below_one_are_refused(kind) -> None:
    for arguments, name in (((0, 4), "in_channels"), ((4, 0), "out_channels"), ((4, 4, 0), "stride")):
        with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
            kind(*arguments)
