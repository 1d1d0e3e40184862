"""Starts of residual networks against their formulas, and on models as people have them."""

import math

import pytest
import torch
from torch import nn

from livegrad.initializers.residual_initialization import FixupBranch, fixup_, scale_last_, zero_last_
from livegrad.layers.residual_networks import BasicBlock, Residual

STARTS = [zero_last_, scale_last_, fixup_]
every = pytest.mark.parametrize("start", STARTS, ids=lambda f: f.__name__)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def branch(width=16, layers=2, kind=nn.Sequential):
    parts = []
    for _ in range(layers):
        parts += [nn.ReLU(), nn.Linear(width, width)]
    return kind(*parts)


def network(blocks=5, width=16, layers=2, kind=nn.Sequential, seed=0):
    torch.manual_seed(seed)
    stack = [Residual(branch(width, layers, kind)) for _ in range(blocks)]
    return nn.Sequential(nn.Linear(8, width), *stack, nn.Linear(width, 10))


def state(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def test_a_zero_at_the_end_makes_every_block_the_identity():
    model = network()
    before = state(model)
    assert zero_last_(model) is model
    x = torch.randn(7, 16)
    for block in model[1:-1]:
        assert torch.equal(block(x), x)
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {f"{i}.branch.3.{p}" for i in range(1, 6) for p in ("weight", "bias")}


def test_batch_normalization_at_the_end_gets_gamma_zero_and_keeps_its_convolution():
    blocks = [BasicBlock(4, 4), BasicBlock(4, 4)]
    kernels = [block.conv2.weight.clone() for block in blocks]
    zero_last_(nn.Sequential(*blocks), [[b.conv1, b.bn1, b.conv2, b.bn2] for b in blocks])
    for block, kernel in zip(blocks, kernels, strict=True):
        assert not block.bn2.weight.any()
        assert torch.equal(block.conv2.weight, kernel)
        assert (block.bn1.weight == 1).all()
        x = torch.randn(3, 4, 5, 5)
        assert torch.equal(block(x), x.relu())


def test_normalization_without_a_weight_and_prelu_are_not_taken_for_the_last_layer():
    parts = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4, elementwise_affine=False), nn.PReLU())
    zero_last_(parts, [parts])
    assert not parts[0].weight.any()
    assert (parts[2].weight == 0.25).all()


def test_scaling_divides_what_each_branch_adds_by_the_root_of_their_number():
    model = network(blocks=7).double()
    x = torch.randn(6, 16, dtype=torch.float64, generator=seeded())
    before = [block.branch(x) for block in model[1:-1]]
    assert scale_last_(model) is model
    for block, was in zip(model[1:-1], before, strict=True):
        torch.testing.assert_close(block.branch(x), was / math.sqrt(7))


def test_a_transformer_of_n_layers_gets_the_factor_of_2n_branches_as_in_gpt_2():
    layers = [nn.TransformerEncoderLayer(8, 2, 16, norm_first=True) for _ in range(3)]
    model = nn.ModuleList(layers)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(1)
    scale_last_(model, [part for layer in layers for part in ([layer.self_attn], [layer.linear1, layer.linear2])])
    scaled = {name for name, p in model.named_parameters() if not (p == 1).all()}
    ends = ("self_attn.out_proj", "linear2")
    assert scaled == {f"{i}.{end}.{p}" for i in range(3) for end in ends for p in ("weight", "bias")}
    for name in scaled:
        value = model.get_parameter(name).detach()
        torch.testing.assert_close(value, torch.full_like(value, 1 / math.sqrt(2 * 3)))


@pytest.mark.parametrize("layers", [2, 3, 4])
def test_fixup_gives_the_promised_standard_deviation_inside_and_outside_of_branches(layers):
    blocks, width = 9, 60
    model = fixup_(network(blocks, width, layers), generator=seeded())
    inside = torch.cat([b.branch[2 * k + 1].weight.detach().flatten() for b in model[1:-1] for k in range(layers - 1)])
    for values, std in (
        (inside, blocks ** (-1 / (2 * layers - 2)) * math.sqrt(2 / width)),
        (model[0].weight.detach().flatten(), math.sqrt(2 / 8)),
    ):
        # The standard deviation of n normal numbers has a relative standard error of 1/√(2n); 4 of them.
        assert float(values.std()) == pytest.approx(std, rel=4 / math.sqrt(2 * values.numel()))
        assert float(values.mean().abs()) < 4 * std / math.sqrt(values.numel())
    assert not any(p.any() for name, p in model.named_parameters() if "bias" in name)
    assert not any(block.branch[-1].weight.any() for block in model[1:-1])
    assert not model[-1].weight.any()


def test_fixup_counts_kernels_in_fan_in_and_the_layers_of_each_branch_by_itself():
    parts = [
        nn.Sequential(nn.Conv2d(20, 30, 3), nn.ReLU(), nn.Conv2d(30, 20, 3)),
        nn.Sequential(nn.Conv2d(20, 30, 1), nn.ReLU(), nn.Conv2d(30, 30, 3, groups=3), nn.Conv2d(30, 20, 1)),
        nn.Sequential(nn.Linear(4, 4)),
        nn.Sequential(nn.Linear(4, 4)),
    ]
    model = nn.ModuleList([*parts, nn.Linear(4, 4)])
    fixup_(model, parts, generator=seeded())
    for layer, std in (
        (parts[0][0], 4 ** (-1 / 2) * math.sqrt(2 / 180)),
        (parts[1][0], 4 ** (-1 / 4) * math.sqrt(2 / 20)),
        (parts[1][2], 4 ** (-1 / 4) * math.sqrt(2 / 90)),
    ):
        n = layer.weight.numel()
        assert float(layer.weight.detach().square().mean().sqrt()) == pytest.approx(std, rel=4 / math.sqrt(2 * n))
    assert not any(part[-1].weight.any() for part in parts)


def test_one_step_of_fixup_changes_the_output_by_the_same_amount_at_every_depth():
    # The claim of the paper: Θ(learning rate), whatever L. Zeros at the end alone let it grow like L.
    def change(start, blocks):
        model = start(network(blocks, 64, kind=FixupBranch)).double()
        nn.init.normal_(model[-1].weight, 0, 0.1, generator=seeded())
        x = torch.randn(32, 8, dtype=torch.float64, generator=seeded())
        weights = [p for block in model[1:-1] for p in block.parameters() if p.dim() == 2]
        out = model(x)
        gradients = torch.autograd.grad(out.square().mean(), weights)
        with torch.no_grad():
            for weight, gradient in zip(weights, gradients, strict=True):
                weight -= 1e-5 * gradient
            return float((model(x) - out).norm())

    growth = {start: change(start, 64) / change(start, 4) for start in (zero_last_, fixup_)}
    assert 0.5 < growth[fixup_] < 2
    assert growth[zero_last_] > 8  # 16 in a network of infinite width


def test_the_branch_of_fixup_adds_a_number_before_each_layer_and_multiplies_the_result():
    a, b = nn.Linear(3, 4, bias=False).double(), nn.Linear(4, 3, bias=False).double()
    made = FixupBranch(a, nn.ReLU(), b).double()
    x = torch.randn(5, 3, dtype=torch.float64)
    assert torch.equal(made(x), b(a(x).relu()))
    with torch.no_grad():
        made.shifts.copy_(torch.tensor([0.1, -0.2, 0.3]))
        made.scale.fill_(1.5)
    torch.testing.assert_close(made(x), 1.5 * b((a(x + 0.1) - 0.2).relu() + 0.3))
    assert made.shifts.shape == (3,)
    assert made.scale.shape == ()
    made(x).sum().backward()
    assert all(p.grad is not None for p in made.parameters())
    with pytest.raises(ValueError, match="layers must hold at least 1 layer, got none"):
        FixupBranch()


def test_fixup_uses_the_generator_it_is_given_and_the_global_one_otherwise():
    before = torch.get_rng_state()
    first, second, third = network(), network(), network()
    torch.set_rng_state(before)
    for model, seed in ((first, 1), (second, 1), (third, 2)):
        fixup_(model, generator=seeded(seed))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first[1].branch[1].weight, second[1].branch[1].weight)
    assert not torch.equal(first[1].branch[1].weight, third[1].branch[1].weight)
    torch.manual_seed(3)
    fixup_(first)
    torch.manual_seed(3)
    assert torch.equal(fixup_(second)[1].branch[1].weight, first[1].branch[1].weight)


def test_the_head_may_be_named_and_the_last_layer_outside_is_found():
    model = network()
    model.add_module("extra", nn.Linear(10, 10))
    fixup_(model, head=model[-2])
    assert not model[-2].weight.any()
    assert model.extra.weight.any()
    fixup_(model)
    assert not model.extra.weight.any()
    assert model[-2].weight.any()


@every
def test_works_in_half_precision_and_in_inference_mode_and_keeps_requires_grad(start):
    model = network().bfloat16()
    start(model)
    assert all(p.dtype == torch.bfloat16 and p.isfinite().all() and p.requires_grad for p in model.parameters())
    assert all(p.is_leaf and p.grad_fn is None for p in model.parameters())
    with torch.inference_mode():
        start(network())


@every
def test_wrong_arguments_are_named_and_nothing_is_changed(start):
    model = network()
    lazy, normed = nn.LazyLinear(3), nn.utils.parametrizations.weight_norm(nn.Linear(16, 16))
    cases = [
        ([], ValueError, "branches must hold at least 1 branch, got none"),
        ([model[1].branch, nn.ReLU()], ValueError, r"branches\[1\] must have a layer with a weight, got none"),
        ([model[1], 3], TypeError, r"branches\[1\] must be a module or a list of modules, got 3"),
        (["1.branch"], TypeError, r"branches\[0\] must be a module or a list of modules, got '1.branch'"),
        ([model[1], [nn.ReLU(), model[1].branch[3]]], ValueError, "branches must each have a last layer of their own"),
        ([model[1], lazy], ValueError, r"branches\[1\] must know its shapes, got LazyLinear"),
        ([model[1], normed], ValueError, r"branches\[1\] must hold its weights itself, got a parametrized"),
    ]
    before = state(model)
    for branches, kind, message in cases:
        with pytest.raises(kind, match=message):
            start(model, branches)
    with pytest.raises(TypeError, match=r"model must be a torch\.nn\.Module, got list"):
        start([model])
    with pytest.raises(ValueError, match="branches must hold at least 1 branch, got none"):
        start(nn.Linear(3, 3))
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_fixup_refuses_normalization_attention_and_a_head_that_is_none():
    model = network()
    before = state(model)
    for layer, kind in ((nn.LayerNorm(16), "LayerNorm"), (nn.MultiheadAttention(16, 2), "MultiheadAttention")):
        with pytest.raises(
            ValueError, match=rf"branches\[1\] must have linear layers and convolutions only, got {kind}"
        ):
            fixup_(model, [model[1].branch, [layer, nn.Linear(16, 16)]])
    for head in (model[1].branch[1], nn.Linear(3, 3)):
        with pytest.raises(ValueError, match="head must be a linear layer or convolution outside the branches"):
            fixup_(model, head=head)
    with pytest.raises(ValueError, match="head must be a linear layer or convolution outside the branches, got None"):
        fixup_(Residual(nn.Linear(3, 3)))
    normed = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(8, 16)), *model[1:])
    with pytest.raises(ValueError, match="model must hold its weights itself, got a parametrized"):
        fixup_(normed)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
