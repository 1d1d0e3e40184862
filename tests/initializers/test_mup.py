"""μP against the other table of the same paper (with multipliers), and against what it promises over width."""

import math

import pytest
import torch
from torch import nn

from livegrad.initializers.mup import mup_


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def mlp(width, inputs=12, outputs=5, dtype=torch.float64):
    return nn.Sequential(
        nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, outputs)
    ).to(dtype)


def factors(model, groups, lr):
    by_id = {id(p): group["lr"] / lr for group in groups for p in group["params"]}
    return {name: by_id[id(p)] for name, p in model.named_parameters()}


class Multiplied(nn.Module):
    """Table 8 of the paper: the output is divided by the width ratio, in place of the output weights."""

    def __init__(self, body, ratio):
        super().__init__()
        self.body, self.ratio = body, ratio

    def forward(self, x):
        hidden, head = self.body[:-1](x), self.body[-1]
        return hidden @ head.weight.T / self.ratio + head.bias


@pytest.mark.parametrize("kind", ["sgd", "adam"])
def test_training_is_that_of_the_form_with_a_multiplier_at_the_output(kind):
    ratio, lr, width = 8, 0.01, 32
    model = mlp(width)
    groups = mup_(model, mlp(width // ratio), lr, optimizer=kind, generator=seeded())
    body = mlp(width)
    body.load_state_dict(model.state_dict())
    with torch.no_grad():
        body[-1].weight *= ratio
    other = Multiplied(body, ratio)
    vectors = [body[0].weight, body[0].bias, body[2].bias]  # one dimension is the width
    if kind == "sgd":
        rates = {ratio: [*vectors, body[-1].weight], 1: [body[2].weight, body[-1].bias]}
    else:
        rates = {1: [*vectors, body[-1].weight, body[-1].bias], 1 / ratio: [body[2].weight]}
    theirs = [{"params": parameters, "lr": lr * factor} for factor, parameters in rates.items()]
    # eps is the one thing in Adam that the change of form would shift; at 0 a unit that is off would divide 0 by 0.
    made = (
        (lambda g: torch.optim.SGD(g, momentum=0.9)) if kind == "sgd" else (lambda g: torch.optim.Adam(g, eps=1e-300))
    )
    x = torch.randn(20, 12, dtype=torch.float64, generator=seeded(1))
    y = torch.randint(5, (20,), generator=seeded(2))
    losses = []
    for network, optimizer in ((model, made(groups)), (other, made(theirs))):
        losses.append([])
        for _ in range(8):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(network(x), y)
            loss.backward()
            optimizer.step()
            losses[-1].append(loss.item())
    assert losses[0] == pytest.approx(losses[1], rel=1e-9)
    assert losses[0][-1] < losses[0][0]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("sgd", {"0.weight": 4, "0.bias": 4, "2.weight": 1, "2.bias": 4, "4.weight": 1 / 4, "4.bias": 1}),
        ("adam", {"0.weight": 1, "0.bias": 1, "2.weight": 1 / 4, "2.bias": 1, "4.weight": 1 / 4, "4.bias": 1}),
    ],
)
def test_learning_rates_are_those_of_table_3(kind, expected):
    model = mlp(64)
    groups = mup_(model, mlp(16), 0.3, optimizer=kind)
    assert factors(model, groups, 0.3) == pytest.approx(expected)
    assert len({id(p) for g in groups for p in g["params"]}) == len(list(model.parameters()))
    torch.optim.SGD(groups)


def test_weights_have_the_promised_standard_deviation():
    model = mlp(400)
    mup_(model, mlp(25), 0.1, gain=1.5, generator=seeded())
    stds = {"0.weight": 1.5 / math.sqrt(12), "2.weight": 1.5 / 20, "4.weight": 1.5 / 20 / 4}
    for name, std in stds.items():
        values = model.get_parameter(name).detach()
        # The standard deviation of n normal numbers has a relative standard error of 1/√(2n); 4 of them.
        assert float(values.std()) == pytest.approx(std, rel=4 / math.sqrt(2 * values.numel()))
        assert abs(float(values.mean())) < 4 * std / math.sqrt(values.numel())
    assert not any(p.any() for name, p in model.named_parameters() if name.endswith("bias"))


def test_at_the_base_width_it_is_kaiming_initialization_with_one_learning_rate():
    model = mlp(32)
    (group,) = mup_(model, mlp(32), 0.2, generator=seeded())
    assert group["lr"] == 0.2
    assert len(group["params"]) == 6
    generator = seeded()
    for layer in (model[0], model[2], model[4]):
        expected = nn.init.kaiming_normal_(torch.empty_like(layer.weight), nonlinearity="relu", generator=generator)
        torch.testing.assert_close(layer.weight.detach(), expected)


def slope(kind, use_mup, widths=(64, 1024)):
    """Exponent of the width with which six steps move the outputs, mean of three seeds."""
    x, y = torch.randn(32, 12, generator=seeded(1)), torch.randint(5, (32,), generator=seeded(2))
    change = []
    for width in widths:
        moved = 0.0
        for seed in range(3):
            model = mlp(width, dtype=torch.float32)
            base = mlp(64 if use_mup else width, dtype=torch.float32)
            groups = mup_(model, base, 0.02 if kind == "sgd" else 0.001, optimizer=kind, generator=seeded(seed))
            nn.init.zeros_(model[-1].weight)  # else random outputs at the start, which fall with the width, disturb
            optimizer = torch.optim.SGD(groups) if kind == "sgd" else torch.optim.Adam(groups)
            before = model(x).detach()
            for _ in range(6):
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(x), y).backward()
                optimizer.step()
            moved += float((model(x).detach() - before).square().mean().sqrt())
        change.append(moved)
    return math.log(change[1] / change[0]) / math.log(widths[1] / widths[0])


@pytest.mark.parametrize("kind", ["sgd", "adam"])
def test_outputs_move_equally_at_all_widths_and_with_standard_rates_they_do_not(kind):
    assert abs(slope(kind, True)) < 0.25
    assert slope(kind, False) > 0.4


def test_convolutions_normalization_and_layers_of_other_ratios():
    def make(channels, hidden):
        return nn.Sequential(
            nn.Conv2d(3, channels, 3), nn.BatchNorm2d(channels), nn.ReLU(), nn.Flatten(), nn.Linear(channels, hidden),
            nn.ReLU(), nn.Linear(hidden, 10), nn.Linear(10, 10),
        )  # fmt: skip

    model = make(12, 40)
    with torch.device("meta"):
        base = make(4, 8)
    with torch.no_grad():
        model[1].weight.fill_(3)
    found = factors(model, mup_(model, base, 1.0, optimizer="sgd"), 1.0)
    expected = {"0.weight": 3, "0.bias": 3, "1.weight": 3, "1.bias": 3, "4.weight": 5 / 3, "4.bias": 5}
    expected |= {"6.weight": 1 / 5, "6.bias": 1, "7.weight": 1, "7.bias": 1}
    assert found == pytest.approx(expected)
    assert (model[1].weight == 3).all()
    found = factors(model, mup_(model, base, 1.0, optimizer="adam"), 1.0)
    assert found == pytest.approx(dict.fromkeys(expected, 1) | {"4.weight": 1 / 3, "6.weight": 1 / 5})


def test_uses_the_generator_it_is_given_and_the_global_one_otherwise():
    model, base = mlp(8), mlp(4)
    before = torch.get_rng_state()
    mup_(model, base, 0.1, generator=seeded(1))
    first = model[2].weight.clone()
    assert torch.equal(torch.get_rng_state(), before)
    mup_(model, base, 0.1, generator=seeded(2))
    assert not torch.equal(model[2].weight, first)
    torch.manual_seed(1)
    mup_(model, base, 0.1)
    assert torch.equal(model[2].weight, first)


def test_half_precision_inference_mode_and_empty_layers():
    model = mlp(8, dtype=torch.bfloat16)
    mup_(model, mlp(4), 0.1)
    assert all(p.dtype == torch.bfloat16 and p.isfinite().all() and p.requires_grad for p in model.parameters())
    with torch.inference_mode():
        mup_(mlp(8), mlp(4), 0.1)


def test_wrong_arguments_are_named_and_nothing_is_changed():
    model, base = mlp(8), mlp(4)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    for lr in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match=rf"lr must be in \(0, inf\), got {lr}"):
            mup_(model, base, lr)
    with pytest.raises(ValueError, match="optimizer must be 'sgd' or 'adam', got 'lion'"):
        mup_(model, base, 0.1, optimizer="lion")
    with pytest.raises(ValueError, match=r"gain must be in \[0, inf\), got -1"):
        mup_(model, base, 0.1, gain=-1)
    with pytest.raises(ValueError, match=r"base must have the parameters of model, got a difference in '4\.bias'"):
        mup_(model, base[:-1], 0.1)
    with pytest.raises(TypeError, match=r"base must be a torch\.nn\.Module, got int"):
        mup_(model, 4, 0.1)
    with pytest.raises(TypeError, match=r"model must be a torch\.nn\.Module, got str"):
        mup_("model", base, 0.1)
    with pytest.raises(ValueError, match=r"base must have the dimensions of model, got \(4, 12, 1\) for '0\.weight'"):
        mup_(model, nn.Sequential(nn.Conv1d(12, 4, 1), *base[1:]), 0.1)
    for layer, name in (
        (nn.Embedding(9, 8), "weight"),
        (nn.MultiheadAttention(8, 2), "in_proj_weight"),
        (nn.utils.parametrizations.weight_norm(nn.Linear(8, 8)), "bias|parametrizations"),
    ):
        with pytest.raises(ValueError, match=f"model must have weights in linear layers and convolutions only.*{name}"):
            mup_(nn.Sequential(model, layer), nn.Sequential(base, layer), 0.1)
    with pytest.raises(ValueError, match="model and base must know their shapes, got 'weight'"):
        mup_(nn.LazyLinear(3), nn.LazyLinear(3), 0.1)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
