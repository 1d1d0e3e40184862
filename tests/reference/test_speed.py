"""The page on speed has every optimizer that torch has too; its benchmarks run, and compare what is the same."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "book/reference/speed.md").read_text("utf-8")


def loaded(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"benchmark_of_{name}", ROOT / f"benchmarks/{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    return loaded("optimizers")


@pytest.fixture(scope="module")
def activations() -> ModuleType:
    return loaded("activations")


def test_the_page_measures_every_optimizer_of_the_shelf_that_torch_has(benchmark: ModuleType) -> None:
    shared = {name for name in benchmark.discovered() if hasattr(torch.optim, name)}
    assert {"SGD", "Adam", "Muon"} <= shared
    listed = re.search(r"^CLASSES = \[(.*)\]$", PAGE, re.MULTILINE)
    assert listed
    assert set(listed[1].split(", ")) == shared
    for name in shared:
        assert f"`speed.md::time_{name}_small:" in PAGE


def test_every_number_in_the_tables_is_recorded_under_a_name_that_the_cells_make() -> None:
    names = set(re.findall(r"speed\.md::(\w+):", PAGE))
    assert all(name.startswith(("time_", "bytes_")) for name in names)  # two builds differ in times alone


def test_the_benchmark_measures_every_class_in_both_cases(
    benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(benchmark, "CASES", {"few": (2, (3, 4)), "many": (3, (4, 3))})
    monkeypatch.setattr(sys, "argv", ["optimizers.py", "--threads", "1", "--rounds", "1"])
    benchmark.main()
    lines = capsys.readouterr().out.splitlines()
    for name in [*benchmark.discovered(), *benchmark.MORE]:
        assert sum(line.startswith(f"{name} ") and " ours " in line for line in lines) >= 2, name


@pytest.mark.parametrize(("name", "numbers"), [("SGD", 3), ("Adam", 7), ("Adagrad", 5)])
def test_bytes_are_the_gradient_once_and_weights_and_state_twice(
    benchmark: ModuleType, name: str, numbers: int
) -> None:
    optimizer = benchmark.discovered()[name](benchmark.parameters(2, (5, 7)))
    optimizer.step()
    assert benchmark.bytes_moved(optimizer) == numbers * 4 * 2 * 5 * 7


def test_every_activation_is_measured_but_the_two_whose_gradient_is_a_constant(activations: ModuleType) -> None:
    shelf = ROOT / "src/livegrad/activations"
    public = {
        name for file in shelf.glob("*.py") for name in re.findall(r"^def ([a-z]\w*)\(", file.read_text("utf-8"), re.M)
    }
    measured = {
        name
        for name, value in vars(activations).items()
        if getattr(value, "__module__", "").startswith("livegrad.activ")
    }
    assert {"relu", "swiglu"} <= public
    assert public - measured == {"binary_step", "linear"}


def test_the_benchmark_compares_ways_to_the_same_values_and_gradients(activations: ModuleType) -> None:
    x = torch.randn(64, 64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    upstream = torch.randn(64, 64, generator=torch.Generator().manual_seed(1))
    for name, ways in activations.CONTESTANTS.items():
        results = {}
        for way, f in ways.items():
            torch.manual_seed(2)
            y = f(x)
            results[way] = y, torch.autograd.grad(y, x, upstream[:, : y.shape[1]])[0]
        for way, result in results.items():
            if name in ("RReLU", "Alpha dropout") and way == "torch":
                assert result[0].shape == x.shape  # torch draws other numbers from the same seed
                continue
            torch.testing.assert_close(
                result, results["ours"], msg=lambda text, name=name, way=way: f"{name} {way}: {text}"
            )


def test_the_benchmark_of_activations_runs(
    activations: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(activations, "SHAPES", {"small": (4, 6)})
    monkeypatch.setattr(sys, "argv", ["activations.py", "--threads", "1", "--rounds", "1", "--no-compile"])
    activations.main()
    lines = capsys.readouterr().out.splitlines()
    for name in activations.CONTESTANTS:
        assert sum(line[:16].strip() == name and " ours " in line for line in lines) == 1, name
