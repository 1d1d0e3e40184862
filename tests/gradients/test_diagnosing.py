"""The recorder against torch's own numbers, the doctor against faults planted by hand; nothing is left behind."""

from __future__ import annotations

import copy
import gc
import math
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from livegrad.gradients.diagnosing import ADVICE, Recorder, diagnose

ROOT = Path(__file__).parents[2]
cross_entropy = nn.functional.cross_entropy


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def mlp(
    depth: int, activation: Callable[[], nn.Module], init: Callable[[Tensor], Any], width: int = 32
) -> nn.Sequential:
    layers: list[nn.Module] = []
    for fan_in in [20] + [width] * (depth - 1):
        layers += [nn.Linear(fan_in, width), activation()]
    model = nn.Sequential(*layers, nn.Linear(width, 5))
    for layer in model:
        if isinstance(layer, nn.Linear):
            init(layer.weight)
            nn.init.zeros_(layer.bias)
    return model


def relu_net(depth: int = 4) -> nn.Sequential:
    return mlp(depth, nn.ReLU, nn.init.kaiming_normal_)


def batch(n: int = 64) -> tuple[Tensor, Tensor]:
    return torch.randn(n, 20), torch.randint(0, 5, (n,))


def hooks(model: nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) + len(m._backward_hooks) for m in model.modules())


def faults(model: nn.Module, **options: Any) -> list[tuple[str, str]]:
    x, y = batch()
    return [(f.layer, f.fault) for f in diagnose(model, x, y, **options).findings]


# --- The recorder's numbers ----------------------------------------------------------------------------------------


def test_every_number_of_a_step_is_the_one_worked_out_by_hand() -> None:
    model = nn.Sequential(nn.Linear(20, 8), nn.Tanh(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 5)).double()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, y = batch()
    x = 5 * x.double()
    outputs = [x]
    for layer in model:
        outputs.append(layer(outputs[-1]))
    gradients = torch.autograd.grad(cross_entropy(outputs[-1], y), outputs[1:])
    before = [[p.detach().clone() for p in layer.parameters()] for layer in model]
    with Recorder(model, optimizer) as record:
        cross_entropy(model(x), y).backward()
        optimizer.step()
    assert list(record.layers) == ["0", "1", "2", "3", "4"]
    for i, layer in enumerate(record.layers.values()):
        h = outputs[i + 1].detach()
        assert layer.step == [0]
        assert layer.mean[0] == pytest.approx(h.mean().item(), rel=1e-12)
        assert layer.std[0] == pytest.approx(h.std(correction=0).item(), rel=1e-12)
        assert layer.gradient[0] == pytest.approx(gradients[i].norm().item(), rel=1e-12)
        if before[i]:
            old = torch.cat([p.flatten() for p in before[i]])
            new = torch.cat([p.detach().flatten() for p in model[i].parameters()])
            assert layer.update_ratio[0] == pytest.approx(((new - old).norm() / old.norm()).item(), rel=1e-12)
        else:
            assert math.isnan(layer.update_ratio[0])
    tanh, relu = record.layers["1"], record.layers["3"]
    assert 0 < tanh.saturated[0] < 1
    assert tanh.saturated[0] == pytest.approx((outputs[2].abs() > 0.98).double().mean().item())
    assert relu.dead[0] == pytest.approx((outputs[4] == 0).double().mean().item())
    assert math.isnan(tanh.dead[0])
    assert math.isnan(relu.saturated[0])


def test_a_unit_is_dead_over_the_data_only_if_no_batch_wakes_it() -> None:
    model = nn.Sequential(nn.Linear(3, 3, bias=False), nn.ReLU())
    nn.init.eye_(model[0].weight)
    with Recorder(model) as record:
        model(torch.tensor([[1.0, -1.0, -1.0]]))
        assert record.layers["1"].dead_units == pytest.approx(2 / 3)
        model(torch.tensor([[-1.0, 1.0, -1.0]]))
    assert record.layers["1"].dead_units == pytest.approx(1 / 3)
    assert record.layers["1"].dead == pytest.approx([2 / 3, 2 / 3])
    assert record.layers["1"].step == [0, 1]
    assert math.isnan(record.layers["0"].dead_units)


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_the_units_of_a_convolution_are_its_channels_and_of_a_linear_layer_after_it_its_features(
    dimensions: int,
) -> None:
    conv = [nn.Conv1d, nn.Conv2d, nn.Conv3d][dimensions - 1](1, 4, 1)
    nn.init.ones_(conv.weight)
    conv.bias.data = torch.tensor([1.0, -9.0, -9.0, -9.0])
    linear = nn.Linear(4 * 3**dimensions, 2)
    nn.init.zeros_(linear.weight)
    linear.bias.data = torch.tensor([1.0, -1.0])
    model = nn.Sequential(conv, nn.ReLU(), nn.Flatten(), linear, nn.ReLU())
    with Recorder(model) as record:
        model(torch.rand(5, 1, *[3] * dimensions))
    assert record.layers["1"].dead_units == 0.75
    assert record.layers["4"].dead_units == 0.5


def test_activations_called_as_functions_are_seen_and_named_after_the_module_around_them() -> None:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(20, 20)

        def forward(self, x: Tensor) -> Tensor:
            return torch.relu(nn.functional.relu(self.linear(x)).sub(1)).tanh()

    model = nn.Sequential(Block(), nn.ReLU(), nn.Sigmoid())
    with Recorder(model) as record:
        torch.tanh(model(batch()[0]))  # outside of the model: not a layer
    assert list(record.layers) == ["0.linear", "0.relu()", "0.relu():2", "0.tanh()", "1", "2"]
    assert record.layers["0.relu()"].dead[0] > 0


def test_a_module_that_is_shared_and_called_again_has_an_entry_a_call_and_its_update_in_the_first() -> None:
    shared = nn.Linear(4, 4)
    model = nn.ModuleDict({"a": shared, "b": shared})
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.parts = model

        def forward(self, x: Tensor) -> Tensor:
            return self.parts["b"](self.parts["a"](x))

    net = Net()
    with Recorder(net, optimizer) as record:
        for _ in range(2):
            optimizer.zero_grad()
            net(torch.ones(1, 4)).sum().backward()
            optimizer.step()
    assert list(record.layers) == ["parts.a", "parts.a:2"]
    assert record.layers["parts.a:2"].gradient == pytest.approx([2.0, 2.0])  # ‖(1, 1, 1, 1)‖
    assert all(ratio > 0 for ratio in record.layers["parts.a"].update_ratio)
    assert all(math.isnan(ratio) for ratio in record.layers["parts.a:2"].update_ratio)


def test_of_tuples_and_dicts_the_first_floating_point_tensor_is_measured() -> None:
    class Both(nn.Module):
        def forward(self, x: Tensor) -> dict[str, Any]:
            return {"indices": x.argmax(1), "parts": (None, [x + 1])}

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm, self.both = nn.LSTM(20, 6), Both()

        def forward(self, x: Tensor) -> Tensor:
            return self.both(self.lstm(x)[0])["parts"][1][0]

    model, (x, _) = Net(), batch()
    with Recorder(model) as record:
        model(x).sum().backward()
    assert list(record.layers) == ["lstm", "both"]
    assert record.layers["both"].mean[0] == pytest.approx(record.layers["lstm"].mean[0] + 1)
    assert record.layers["lstm"].gradient[0] == pytest.approx(math.sqrt(64 * 6))


def test_in_place_activations_give_the_same_record() -> None:
    apart = relu_net()
    in_place = copy.deepcopy(apart)
    for module in in_place.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = True
    x, y = batch()
    records = []
    for model in (apart, in_place):
        with Recorder(model) as record:
            cross_entropy(model(x), y).backward()
        records.append({name: (layer.mean, layer.std, layer.gradient) for name, layer in record.layers.items()})
    assert records[0] == records[1]
    assert diagnose(in_place, x, y).healthy


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_measured_without_overflow(dtype: torch.dtype) -> None:
    model = nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 5)).to(dtype)
    x, y = batch()
    assert diagnose(model, x.to(dtype), y).healthy
    with Recorder(model) as record:
        model(1000 * x.to(dtype))  # the squares are beyond the largest float16, 65504
    reference = nn.functional.linear(1000 * x.to(dtype), model[0].weight, model[0].bias).double()
    assert record.layers["0"].std[0] == pytest.approx(reference.std(correction=0).item(), rel=1e-9)
    assert 1e2 < record.layers["0"].std[0] < math.inf


def test_a_parametrized_weight_belongs_to_its_layer() -> None:
    model = relu_net()
    for layer in model:
        if isinstance(layer, nn.Linear):
            nn.init.orthogonal_(layer.weight, gain=2**0.5)  # all rows or columns get one norm: not a symmetry
            nn.utils.parametrizations.weight_norm(layer)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    x, y = batch()
    with Recorder(model, optimizer) as record:
        cross_entropy(model(x), y).backward()
        optimizer.step()
    assert list(record.layers) == [str(i) for i in range(9)]
    assert record.layers["0"].update_ratio[0] > 1e-4
    assert faults(model, optimizer=optimizer) == []


@pytest.mark.parametrize("compile_it", [torch.compile, lambda model, **options: model.compile(**options) or model])
def test_a_compiled_model_is_measured_under_its_own_names(compile_it: Callable[..., Any]) -> None:
    model = relu_net(2)
    compiled = compile_it(model, backend="eager")
    x, y = batch()
    compiled(x)
    with Recorder(compiled) as record:
        cross_entropy(compiled(x), y).backward()
    assert list(record.layers) == ["0", "1", "2", "3", "4"]
    assert record.layers["0"].gradient[0] > 0
    assert diagnose(compiled, x, y).healthy
    assert hooks(model) == 0


def test_a_checkpointed_part_is_measured_once_though_computed_twice() -> None:
    class Frugal(nn.Module):
        def __init__(self, keep: bool) -> None:
            super().__init__()
            self.part, self.last, self.keep = nn.Sequential(nn.Linear(20, 9), nn.ReLU()), nn.Linear(9, 5), keep

        def forward(self, x: Tensor) -> Tensor:
            return self.last(self.part(x) if self.keep else checkpoint(self.part, x, use_reentrant=False))

    frugal, wasteful, (x, y) = Frugal(keep=False), Frugal(keep=True), batch()
    wasteful.load_state_dict(frugal.state_dict())
    records = []
    for model in (frugal, wasteful):
        with Recorder(model) as record:
            for _ in range(2):
                cross_entropy(model(x), y).backward()
        records.append({name: (layer.step, layer.std, layer.gradient) for name, layer in record.layers.items()})
    assert records[0] == records[1]
    assert record.steps == 2


# --- What is left behind: nothing ----------------------------------------------------------------------------------


def test_all_hooks_are_gone_after_an_error_and_recording_can_go_on() -> None:
    model, (x, y) = relu_net(), batch()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = Recorder(model, optimizer)
    with pytest.raises(RuntimeError, match="mat1 and mat2"), recorder:
        model(x[:, :3])
    with recorder:
        loss = cross_entropy(model(x), y)
    assert hooks(model) == 0
    assert not optimizer._optimizer_step_pre_hooks
    assert not optimizer._optimizer_step_post_hooks
    loss.backward()  # the hooks on the tensors are gone too
    assert math.isnan(recorder.layers["8"].gradient[-1])
    with recorder:
        model(x)
    assert recorder.layers["8"].step == [1, 2]


def test_no_graph_is_kept_alive() -> None:
    class Packed:
        def __init__(self, tensor: Tensor) -> None:
            self.tensor = tensor.detach()

    def pack(tensor: Tensor) -> Packed:
        packed = Packed(tensor)
        kept.append(weakref.ref(packed))
        return packed

    kept: list[weakref.ref[Packed]] = []
    model, (x, y) = relu_net(), batch()
    with Recorder(model) as record:
        for _ in range(3):
            with torch.autograd.graph.saved_tensors_hooks(pack, lambda packed: packed.tensor):
                loss = cross_entropy(model(x), y)
            assert any(ref() is not None for ref in kept)
            del loss  # never run backward, which would free the graph itself
        gc.collect()
        assert all(ref() is None for ref in kept)
        assert len(record._handles) == len(record.layers)  # those of the last step


def test_a_model_without_gradients_is_recorded_too() -> None:
    model, (x, _) = relu_net(), batch()
    with torch.inference_mode(), Recorder(model) as record:
        model(x)
    assert all(math.isnan(layer.gradient[0]) and layer.std[0] > 0 for layer in record.layers.values())


@pytest.mark.parametrize(
    "make", [torch.optim.Adam, lambda p, lr: torch.optim.SGD(p, lr, momentum=0.9), torch.optim.NAdam]
)
@pytest.mark.parametrize("fails", [False, True])
def test_the_examination_changes_nothing(make: Callable[..., torch.optim.Optimizer], fails: bool) -> None:
    model = nn.Sequential(nn.Linear(20, 16), nn.BatchNorm1d(16), nn.Dropout(0.5), nn.ReLU(), nn.Linear(16, 5))
    optimizer, (x, y) = make(model.parameters(), lr=0.1), batch()
    cross_entropy(model(x), y).backward()
    optimizer.step()
    gradients = [p.grad for p in model.parameters()]
    tensors = [*model.state_dict().values(), *(v for s in optimizer.state.values() for v in s.values())]
    before = [copy.deepcopy(v) for v in [*tensors, *gradients, torch.get_rng_state()]]
    groups = copy.deepcopy(optimizer.state_dict()["param_groups"])
    if fails:
        with pytest.raises(IndexError):
            diagnose(model, x, y + 99, optimizer=optimizer)
    else:
        diagnose(model, x, y, optimizer=optimizer)
    after = [*tensors, *gradients, torch.get_rng_state()]
    assert all(torch.equal(torch.as_tensor(a), torch.as_tensor(b)) for a, b in zip(after, before, strict=True))
    assert [id(p.grad) for p in model.parameters()] == [id(g) for g in gradients]
    assert optimizer.state_dict()["param_groups"] == groups
    assert model.training
    assert hooks(model) == 0


@pytest.mark.parametrize(
    "loss", [lambda out, y: out, lambda out, y: out.sum().item(), lambda out, y: out.detach().sum()]
)
def test_a_loss_that_is_no_number_with_a_gradient_is_refused(loss: Callable[..., Any]) -> None:
    model, (x, y) = relu_net(), batch()
    with pytest.raises(ValueError, match="loss must return one number that depends on a trainable parameter, got"):
        diagnose(model, x, y, loss=loss)


def test_inputs_may_be_a_tuple_or_a_dict() -> None:
    model = nn.Bilinear(20, 20, 5)
    x, y = batch()
    assert diagnose(model, (x, x), y).layers == 1
    assert diagnose(model, {"input1": x, "input2": x}, y).layers == 1


# --- The doctor ----------------------------------------------------------------------------------------------------


class Sqrt(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.sqrt(x * (x > 0))  # the slope at 0 is infinite, and infinity times 0 is NaN


class Detached(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).detach()


def set_weights(model: nn.Module, value: float, *names: str) -> nn.Module:
    with torch.no_grad():
        for name in names:
            model.get_parameter(name).fill_(value)
    return model


def scaled(model: nn.Module, factor: float, *names: str) -> nn.Module:
    with torch.no_grad():
        for name in names:
            model.get_parameter(name).mul_(factor)
    return model


def all_weights(model: nn.Module, value: float) -> nn.Module:
    return set_weights(model, value, *(n for n, _ in model.named_parameters()))


def with_a_root() -> nn.Module:
    model = relu_net()
    model[3] = Sqrt()
    return model


def one_input() -> nn.Module:
    return set_weights(nn.Sequential(nn.Linear(1, 9), nn.Tanh(), nn.Linear(9, 5)), 0.5, "0.weight", "0.bias")


def detached() -> nn.Module:
    model = relu_net()
    model[4] = Detached(32, 32)
    return model


def overflowing() -> nn.Module:
    return scaled(mlp(4, nn.Identity, nn.init.kaiming_normal_), 1e20, "2.weight", "4.weight", "6.weight")


SICK = {
    "one tiny layer": (lambda: scaled(relu_net(), 1e-5, "4.weight"), ("4", "vanishing gradient")),
    "deep sigmoid": (lambda: mlp(12, nn.Sigmoid, nn.init.xavier_normal_), None),
    "one huge layer": (lambda: scaled(relu_net(), 1e5, "4.weight"), ("4", "exploding gradient")),
    "saturated": (lambda: scaled(mlp(4, nn.Tanh, nn.init.xavier_normal_), 30, "2.weight"), ("3", "saturated")),
    "dead": (lambda: set_weights(relu_net(), -50, "4.bias"), ("5", "dead units")),
    "constant": (lambda: all_weights(mlp(3, nn.Tanh, nn.init.xavier_normal_), 0.1), ("0", "symmetric weights")),
    "zero": (lambda: all_weights(mlp(3, nn.Sigmoid, nn.init.xavier_normal_), 0.0), ("0", "symmetric weights")),
    "one constant layer": (lambda: set_weights(relu_net(), 0.1, "2.weight"), ("2", "symmetric weights")),
    "one input": (one_input, ("0", "symmetric weights")),
    "NaN weight": (lambda: set_weights(relu_net(), math.nan, "4.bias"), ("4", "NaN or infinity")),
    "overflow": (overflowing, ("4", "NaN or infinity")),
    "backward only": (with_a_root, ("3", "NaN or infinity")),
    "detached": (detached, ("0", "no gradient")),
}  # fmt: skip


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("name", SICK)
def test_each_fault_is_named_alone_with_its_layer(name: str, seed: int) -> None:
    torch.manual_seed(seed)
    make, expected = SICK[name]
    model, (x, y) = make(), batch()
    report = diagnose(model, x[:, :1] if name == "one input" else x, y)
    assert not report.healthy
    assert len(report.findings) == 1
    finding = report.findings[0]
    if expected is None:
        assert finding.fault == "vanishing gradient"
    else:
        assert (finding.layer, finding.fault) == expected
    assert finding.layer in str(report)
    assert finding.evidence in str(report)
    assert finding.chapter in str(report)


def test_the_source_of_a_nan_may_be_the_batch_or_the_loss() -> None:
    model, (x, y) = relu_net(), batch()
    assert diagnose(model, x.where(x < 2, math.nan), y).findings[0].layer == "input"
    finding = diagnose(model, x, y, loss=lambda out, y: out.softmax(1).mul(0).log().sum()).findings[0]
    assert (finding.layer, finding.fault) == ("loss", "NaN or infinity")
    assert diagnose(model, x, y, loss=lambda out, y: (out * 0).abs().sqrt().sum()).findings[0].layer == "loss"


def test_the_learning_rate_is_judged_by_the_size_of_a_step() -> None:
    model = relu_net()
    for lr, expected in ((1e-7, ["learning rate too low"]), (0.03, []), (30.0, ["learning rate too high"])):
        found = faults(model, optimizer=torch.optim.SGD(model.parameters(), lr=lr))
        assert [fault for _, fault in found] == expected


def test_a_frozen_layer_is_no_fault_and_an_unused_one_is() -> None:
    model = relu_net()
    model[0].requires_grad_(False)
    assert faults(model) == []
    model[0].spare = nn.Linear(2, 2)
    assert faults(model) == [("0.spare", "no gradient")]


def test_zero_weights_in_a_last_layer_or_at_the_end_of_a_branch_are_a_fair_start() -> None:
    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.branches = nn.ModuleList(
                nn.Sequential(nn.Linear(20, 20), nn.ReLU(), nn.Linear(20, 20)) for _ in range(3)
            )
            self.last = nn.Linear(20, 5)
            for branch in self.branches:
                nn.init.zeros_(branch[2].weight)

        def forward(self, x: Tensor) -> Tensor:
            for branch in self.branches:
                x = x + branch(x)
            return self.last(x)

    model = Residual()
    assert faults(model) == []
    assert faults(set_weights(model, 0, "last.weight")) == []
    assert faults(set_weights(relu_net(), 0, "8.weight")) == []


def test_a_sure_output_is_not_called_saturated() -> None:
    model = nn.Sequential(nn.Linear(20, 1), nn.Sigmoid())
    x = torch.randn(64, 20)
    scaled(model, 100, "0.weight")
    y = model(x).detach().round()
    report = diagnose(model, x, y, loss=lambda out, y: nn.functional.binary_cross_entropy(out, 0.9 * y + 0.05))
    assert report.healthy


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("depth", [1, 6, 14])
@pytest.mark.parametrize(
    ("activation", "init"),
    [(nn.Tanh, nn.init.xavier_normal_), (nn.ReLU, nn.init.kaiming_normal_), (nn.ELU, nn.init.kaiming_uniform_)],
)
def test_healthy_networks_are_left_in_peace(activation: Any, init: Any, depth: int, seed: int) -> None:
    torch.manual_seed(seed)
    model = mlp(depth, activation, init, width=48)
    assert faults(model, optimizer=torch.optim.Adam(model.parameters(), lr=1e-3)) == []


def test_a_healthy_report_says_so() -> None:
    model, (x, y) = relu_net(), batch()
    assert str(diagnose(model, x, y)) == "Healthy: nothing found in 9 layers."


def test_every_chapter_that_the_doctor_prescribes_is_in_the_book() -> None:
    contents = (ROOT / "_toc.yml").read_text(encoding="utf-8")
    listed = {entry["file"] for part in yaml.safe_load(contents)["parts"] for entry in part["chapters"]}
    assert {chapter for _, chapter in ADVICE.values()} <= listed
