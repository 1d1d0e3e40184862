"""LSUV against the published loop of whole forward passes, and against every way a model can be unusual."""

import math

import pytest
import torch
import torch.multiprocessing as mp
from torch import nn
from torch.nn.utils import prune

from livegrad.initializers.lsuv import LAYERS, lsuv_


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def deep(activation=nn.ReLU, depth=6, width=32, dtype=torch.float32):
    torch.manual_seed(0)
    layers = []
    for _ in range(depth):
        layers += [nn.Linear(width, width, dtype=dtype), activation()]
    return nn.Sequential(*layers, nn.Linear(width, 10, dtype=dtype))


def data(n=64, width=32, dtype=torch.float32):
    return (3 * torch.randn(n, width, generator=seeded(1), dtype=torch.float64) + 2).to(dtype)


def outputs_of(model, *args, **kwargs):
    """Standard deviation of every layer's outputs in a plain forward pass, by hooks."""
    found, handles = {}, []
    for name, module in model.named_modules():
        if isinstance(module, LAYERS):

            def hook(module, args, out, name=name):
                found.setdefault(name, float(out.double().std(unbiased=False)))

            handles.append(module.register_forward_hook(hook))
    with torch.no_grad():
        model(*args, **kwargs)
    for handle in handles:
        handle.remove()
    return found


def state(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def assert_same(model, before):
    after = model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def published(model, x):
    """Algorithm 1 with the weights that are there: for each layer, whole forward passes until it fits."""
    for layer in [m for m in model if isinstance(m, nn.Linear)]:
        nn.init.zeros_(layer.bias)
        for _ in range(10):
            out = x
            for module in model:
                out = module(out)
                if module is layer:
                    break
            size = out.std(unbiased=False)
            if abs(size - 1) <= 0.01:
                break
            with torch.no_grad():
                layer.weight /= size


@pytest.mark.parametrize("activation", [nn.ReLU, nn.Tanh, nn.SiLU])
def test_one_pass_gives_the_weights_of_the_published_loop(activation):
    mine, theirs = deep(activation, dtype=torch.float64), deep(activation, dtype=torch.float64)
    x = data(dtype=torch.float64)
    lsuv_(mine, x, orthonormal=False)
    with torch.no_grad():
        published(theirs, x)
    for a, b in zip(mine.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_each_layer_is_computed_at_most_twice_and_the_model_once():
    model, calls = deep(depth=8), []
    for module in model:
        inner = module.forward
        module.forward = lambda x, inner=inner, module=module: calls.append(type(module).__name__) or inner(x)
    lsuv_(model, data())
    assert calls.count("ReLU") == 8
    assert calls.count("Linear") <= 2 * 9


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_every_layer_has_unit_variance_in_every_precision(dtype):
    model = deep(dtype=dtype)
    report = lsuv_(model, data(dtype=dtype), generator=seeded())
    assert [met.name for met in report] == ["0", "2", "4", "6", "8", "10", "12"]
    for name, size in outputs_of(model, data(dtype=dtype)).items():
        assert size == pytest.approx(1, abs=0.011), name  # tol = 0.01, and the estimate's own rounding
    assert all(met.status == "scaled" and met.calls == 1 for met in report)
    assert all(not p.any() for n, p in model.named_parameters() if "bias" in n)


def test_the_start_is_orthonormal_and_the_weights_stay_a_multiple_of_it():
    model = deep(dtype=torch.float64)
    lsuv_(model, data(dtype=torch.float64), generator=seeded())
    for layer in model:
        if isinstance(layer, nn.Linear):
            values = torch.linalg.svdvals(layer.weight.detach())
            torch.testing.assert_close(values, values.mean().expand_as(values))


CONVOLUTIONS = [
    (nn.Conv1d(3, 4, 3), (8, 3, 9)),
    (nn.Conv2d(4, 6, 3, groups=2, stride=2), (8, 4, 9, 9)),
    (nn.Conv3d(2, 3, 2), (4, 2, 5, 5, 5)),
    (nn.ConvTranspose1d(3, 4, 3), (8, 3, 9)),
    (nn.ConvTranspose2d(4, 6, 3, stride=2, bias=False), (8, 4, 5, 5)),
    (nn.ConvTranspose3d(2, 3, 2), (4, 2, 4, 4, 4)),
]


@pytest.mark.parametrize(("layer", "shape"), CONVOLUTIONS, ids=lambda v: type(v).__name__)
def test_convolutions_of_all_kinds_are_scaled(layer, shape):
    x = 5 * torch.randn(shape, generator=seeded(1))
    (met,) = lsuv_(layer, x, std=2.0, generator=seeded())
    assert (met.name, met.status) == ("", "scaled")
    assert float(layer(x).detach().std(unbiased=False)) == pytest.approx(2, rel=0.01)


class Backwards(nn.Module):
    """Registered first, called last; one layer called twice; a skip connection; two inputs; one layer never called."""

    def __init__(self):
        super().__init__()
        self.last = nn.Linear(8, 3)
        self.twice = nn.Linear(8, 8)
        self.first = nn.Linear(4, 8)
        self.never = nn.Linear(2, 2)

    def forward(self, x, shift):
        h = self.first(x) + shift
        h = h + self.twice(h.tanh())
        h = h + self.twice(h.tanh())
        return self.last(h)


@pytest.mark.parametrize("kind", [tuple, list, dict])
def test_layers_are_met_in_the_order_of_calls_with_several_inputs_and_shared_layers(kind):
    torch.manual_seed(0)
    model = Backwards()
    never = model.never.weight.clone()
    x, shift = torch.randn(32, 4), torch.randn(8)
    batch = {"shift": shift, "x": x} if kind is dict else kind([x, shift])
    report = lsuv_(model, batch)
    assert [(m.name, m.calls) for m in report] == [("first", 1), ("twice", 2), ("last", 1), ("never", 0)]
    assert report[-1].status == "not called"
    assert torch.equal(model.never.weight, never)
    for name, size in outputs_of(model, x, shift).items():  # the first call of each
        assert size == pytest.approx(1, rel=0.011), name


@pytest.mark.parametrize(
    "norm", [nn.BatchNorm1d(32), nn.LayerNorm(32), nn.GroupNorm(4, 32)], ids=lambda m: m._get_name()
)
@pytest.mark.parametrize("training", [True, False])
def test_normalization_layers_keep_their_weights_and_the_layers_around_them_are_scaled(norm, training):
    model = nn.Sequential(nn.Linear(32, 32), norm, nn.ReLU(), nn.Linear(32, 10)).train(training)
    with torch.no_grad():
        norm.weight.fill_(3.0)
    lsuv_(model, data(), generator=seeded())
    assert torch.equal(norm.weight, torch.full((32,), 3.0))
    assert not norm.bias.any()
    for name, size in outputs_of(model, data()).items():
        assert size == pytest.approx(1, rel=0.011), name


def test_tied_weights_are_scaled_once_and_frozen_ones_never():
    model = deep(depth=4)
    model[4].weight = model[0].weight
    model[2].weight.requires_grad_(False)
    frozen = model[2].weight.clone(), model[2].bias.clone()
    report = {met.name: met for met in lsuv_(model, data())}
    assert report["4"].status == "tied to 0"
    assert model[4].weight is model[0].weight
    assert report["2"].status == "frozen"
    assert torch.equal(model[2].weight, frozen[0])
    assert torch.equal(model[2].bias, frozen[1])
    sizes = outputs_of(model, data())
    assert sizes["0"] == pytest.approx(1, rel=0.011)
    assert sizes["6"] == pytest.approx(1, rel=0.011)


def test_weights_tied_to_an_embedding_are_left_alone():
    class Language(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.mix, self.out = nn.Embedding(11, 8), nn.Linear(8, 8), nn.Linear(8, 11)
            self.out.weight = self.embed.weight

        def forward(self, x):
            return self.out(self.mix(self.embed(x)))

    model = Language()
    before = model.embed.weight.clone()
    report = lsuv_(model, torch.arange(11))
    assert [met.status for met in report] == ["scaled", "shared with another kind of module"]
    assert torch.equal(model.embed.weight, before)


def test_a_frozen_bias_is_kept_and_the_sum_reaches_unit_variance():
    model = nn.Sequential(nn.Linear(6, 40))
    with torch.no_grad():
        model[0].bias.copy_(torch.linspace(-1, 1, 40))
    model[0].bias.requires_grad_(False)
    bias = model[0].bias.clone()
    x = torch.randn(64, 6, generator=seeded(1))
    (met,) = lsuv_(model, x, generator=seeded())
    assert torch.equal(model[0].bias, bias)
    assert met.after == pytest.approx(1, rel=0.01)
    assert float(model(x).detach().std(unbiased=False)) == pytest.approx(1, rel=0.011)


def test_modes_buffers_gradients_hooks_and_random_numbers_are_left_as_they_were():
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(2, 4, 3),
        nn.BatchNorm2d(4),
        nn.Dropout(0.5),
        nn.Flatten(),
        nn.Linear(4 * 16, 8),
        nn.Dropout(),
        nn.Linear(8, 3),
    )
    model[1].eval()
    modes = [m.training for m in model.modules()]
    buffers = {n: b.clone() for n, b in model.named_buffers()}
    identities = [id(b) for b in model.buffers()] + [id(p) for p in model.parameters()]
    model[0].weight.grad = torch.ones_like(model[0].weight)
    x = torch.randn(16, 2, 6, 6)
    rng = torch.get_rng_state()
    lsuv_(model, x, generator=seeded())
    assert torch.equal(torch.get_rng_state(), rng)
    model[1].train()
    lsuv_(model, x, generator=seeded())
    model[1].eval()
    assert modes == [m.training for m in model.modules()]
    assert all(torch.equal(b, buffers[n]) for n, b in model.named_buffers())
    assert identities == [id(b) for b in model.buffers()] + [id(p) for p in model.parameters()]
    assert torch.equal(model[0].weight.grad, torch.ones_like(model[0].weight))
    assert all(p.requires_grad and p.grad_fn is None for p in model.parameters())
    assert all("forward" not in m.__dict__ and not m._forward_hooks for m in model.modules())


def test_dropout_is_off_during_the_pass():
    x = data()
    plain, dropped = deep(), nn.Sequential(*[m for layer in deep() for m in (layer, nn.Dropout(0.5))])
    lsuv_(plain, x, generator=seeded())
    lsuv_(dropped, x, generator=seeded())
    for a, b in zip(plain.parameters(), dropped.parameters(), strict=True):
        assert torch.equal(a, b)


def test_one_seed_gives_the_same_weights_and_the_global_generator_serves_when_none_is_given():
    x, models = data(), [deep() for _ in range(4)]
    lsuv_(models[0], x, generator=seeded(1))
    lsuv_(models[1], x, generator=seeded(1))
    lsuv_(models[2], x, generator=seeded(2))
    assert torch.equal(models[0][0].weight, models[1][0].weight)
    assert not torch.equal(models[0][0].weight, models[2][0].weight)
    torch.manual_seed(7)
    lsuv_(models[2], x)
    lsuv_(models[3], x)
    assert not torch.equal(models[2][0].weight, models[3][0].weight)
    torch.manual_seed(7)
    lsuv_(models[3], x)
    assert torch.equal(models[2][0].weight, models[3][0].weight)


def test_a_batch_of_one_and_a_constant_batch_are_welcome():
    for x in (data(1), torch.ones(8, 32)):
        model = deep()
        lsuv_(model, x, generator=seeded())
        assert all(size == pytest.approx(1, rel=0.011) for size in outputs_of(model, x).values())


class Breaks(nn.Module):
    def forward(self, x):
        raise RuntimeError("broken")


FAILURES = [
    (
        lambda: deep(),
        torch.zeros(8, 32),
        ValueError,
        r"layer '0' must have outputs that vary, got a standard deviation of 0",
    ),
    (lambda: deep(), torch.full((8, 32), math.nan), ValueError, r"layer '0' must have finite outputs"),
    (lambda: deep(), torch.full((8, 32), 3e38), ValueError, r"layer '0' must have finite outputs"),
    (lambda: deep(), torch.zeros(0, 32), ValueError, r"layer '0' must have outputs that vary"),
    (lambda: nn.Sequential(deep(), Breaks()), data(), RuntimeError, "broken"),
    (
        lambda: nn.Sequential(*deep()[:3], nn.Hardtanh(7, 8), nn.Linear(32, 1)),
        data(),
        ValueError,
        r"layer '4' must have outputs that vary",
    ),
]


@pytest.mark.parametrize(("make", "x", "error", "message"), FAILURES)
def test_after_a_failure_the_model_is_as_it_was(make, x, error, message):
    model = make()
    before = state(model)
    with pytest.raises(error, match=message):
        lsuv_(model, x)
    assert_same(model, before)
    assert all("forward" not in m.__dict__ for m in model.modules())
    assert all(m.training for m in model.modules())


def test_what_has_no_plain_weight_is_refused_before_anything_is_changed():
    parametrized = nn.Sequential(nn.Linear(4, 4), nn.utils.parametrizations.weight_norm(nn.Linear(4, 4)))
    lazy = nn.Sequential(nn.Linear(4, 4), nn.LazyLinear(4))
    meta = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4, device="meta"))
    pruned = nn.Sequential(nn.Linear(4, 4), prune.l1_unstructured(nn.Linear(4, 4), "weight", 2))
    for model, message in [
        (parametrized, r"layer '1' must hold its weight itself, got a parametrized one"),
        (pruned, r"layer '1' must hold its weight itself, got a parametrized one"),
        (lazy, r"layer '1' must know its shape, got a lazy layer: run the model once before"),
        (meta, r"layer '1' must hold numbers, got a weight on the meta device"),
    ]:
        first = model[0].weight.clone()
        with pytest.raises(ValueError, match=message):
            lsuv_(model, torch.randn(8, 4))
        assert torch.equal(model[0].weight, first)
    lazy(torch.randn(8, 4))
    assert all(met.status == "scaled" for met in lsuv_(lazy, torch.randn(8, 4)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"std": 0.0}, r"std must be in \(0, inf\), got 0.0"),
        ({"std": math.nan}, r"std must be in \(0, inf\), got nan"),
        ({"tol": 1.0}, r"tol must be in \(0, 1\), got 1.0"),
        ({"max_iter": 0}, r"max_iter must be at least 1, got 0"),
    ],
)
def test_bad_arguments_are_refused_by_name_rule_and_value(options, message):
    with pytest.raises(ValueError, match=message):
        lsuv_(deep(), data(), **options)


def test_what_is_no_module_is_refused():
    with pytest.raises(TypeError, match=r"model must be a torch\.nn\.Module, got builtin_function_or_method"):
        lsuv_(torch.relu, data())


def test_hooks_of_the_user_see_corrected_outputs_and_stay():
    model, seen = deep(), []
    model[0].register_forward_hook(lambda m, a, out: seen.append(float(out.std(unbiased=False))))
    lsuv_(model, data())
    assert seen == [pytest.approx(1, rel=0.011)]
    assert len(model[0]._forward_hooks) == 1


def test_it_works_in_inference_mode():
    model = deep()
    with torch.inference_mode():
        lsuv_(model, data())
    assert all(size == pytest.approx(1, rel=0.011) for size in outputs_of(model, data()).values())
    assert not model[0].weight.is_inference()


def run_rank(rank, folder):
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    torch.manual_seed(rank)
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
    lsuv_(model, (1 + 4 * rank) * torch.randn(16, 6, generator=seeded(rank)))
    torch.save(model.state_dict(), f"{folder}/{rank}.pt")
    torch.distributed.destroy_process_group()


@pytest.mark.skipif(not torch.distributed.is_available(), reason="torch was built without distributed")
def test_in_a_distributed_run_every_rank_ends_with_the_weights_for_all_data(tmp_path):
    mp.spawn(run_rank, args=(str(tmp_path),), nprocs=2)
    states = [torch.load(tmp_path / f"{rank}.pt") for rank in range(2)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
    model.load_state_dict(states[0])
    x = torch.cat([(1 + 4 * rank) * torch.randn(16, 6, generator=seeded(rank)) for rank in range(2)])
    assert all(size == pytest.approx(1, rel=0.011) for size in outputs_of(model, x).values())


def test_a_compiled_model_gets_the_weights_of_the_plain_one():
    model, compiled = deep(), torch.compile(deep(), backend="eager")
    lsuv_(model, data(), generator=seeded())
    report = lsuv_(compiled, data(), generator=seeded())
    assert [met.name for met in report] == ["0", "2", "4", "6", "8", "10", "12"]
    assert torch.equal(model[12].weight, compiled._orig_mod[12].weight)
