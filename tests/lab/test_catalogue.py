"""The catalogue finds what is there, leaves out what is no curve, and the build's cache knows what it reads."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest
import torch
from matplotlib import pyplot as plt
from torch import nn

from livegrad.lab.catalogue import catalogue, draw, value_and_slope

ROOT = Path(__file__).parents[2]

SCRATCH = """
import torch
from torch import Tensor, nn
from torch.nn import ReLU  # from elsewhere

class Plain(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return 3 * x

class WithDefault(nn.Module):
    def __init__(self, power: int = 2) -> None:
        super().__init__()
        self.power = power
    def forward(self, x: Tensor) -> Tensor:
        return x ** self.power

class RandomInTraining(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * (torch.rand(()) if self.training else 0.5)

class Identity(nn.Identity):
    pass

class _Private(Plain):
    pass

class NeedsArgument(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()

class Dropout(nn.Dropout):
    pass

class Mixes(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.softmax(-1)

class Halves(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.glu(x)

class Matrix(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x @ torch.ones(7, 7)

def function(x: Tensor) -> Tensor:
    return x
"""


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "scratch_shelf").mkdir()
    (tmp_path / "scratch_shelf" / "__init__.py").touch()
    (tmp_path / "scratch_shelf" / "newcomer.py").write_text(SCRATCH)
    monkeypatch.syspath_prepend(tmp_path)
    yield "scratch_shelf"
    for name in [name for name in sys.modules if name.startswith("scratch_shelf")]:
        del sys.modules[name]


def test_curves_are_found_and_everything_else_is_left_out(shelf):
    assert list(catalogue(shelf)) == ["Plain", "WithDefault", "RandomInTraining", "Identity"]


def test_the_shelf_of_the_book_is_found():
    found = catalogue()
    assert {"Identity", "BinaryStep", "Sigmoid", "Tanh", "ReLU", "ReLU6", "Mish", "LeakyReLU", "PReLU"} <= found.keys()
    assert not {"Softmax", "LogSoftmax", "Maxout", "AlphaDropout", "Module"} & found.keys()
    assert all(layer.__module__.startswith("livegrad.activations.") for layer in found.values())


def test_looking_does_not_touch_the_global_generator():
    state = torch.get_rng_state()
    catalogue()
    assert torch.equal(torch.get_rng_state(), state)


def test_value_and_slope_are_those_of_the_curve_in_evaluation_mode():
    y, slope = value_and_slope(nn.RReLU(0.2, 0.4), torch.tensor([-1.0, 2.0]))
    torch.testing.assert_close(y, torch.tensor([-0.3, 2.0]))
    torch.testing.assert_close(slope, torch.tensor([0.3, 1.0]))


def test_every_layer_has_a_panel_with_its_name_and_both_curves():
    layers = {"Tanh": nn.Tanh, "ReLU": nn.ReLU, "Hardtanh": nn.Hardtanh, "GELU": nn.GELU}
    figure = draw(layers, columns=3)
    try:
        used = [ax for ax in figure.axes if ax.get_title("left")]
        assert [ax.get_title("left") for ax in used] == list(layers)
        for ax, layer in zip(used, layers.values(), strict=True):
            y, slope = (line.get_ydata() for line in ax.lines[:2])
            x = torch.as_tensor(ax.lines[0].get_xdata())
            expected_y, expected_slope = value_and_slope(layer(), x)
            torch.testing.assert_close(torch.as_tensor(y), expected_y)
            there = ~torch.as_tensor(slope).isnan()  # no point where it jumps
            torch.testing.assert_close(torch.as_tensor(slope)[there], expected_slope[there])
            assert there.sum() >= 319
    finally:
        plt.close(figure)


def test_a_chapter_that_uses_the_catalogue_depends_on_every_file_of_the_shelf():
    path = ROOT / "book/_extensions/livegrad_execution/dependencies.py"
    spec = importlib.util.spec_from_file_location("dependencies_under_test", path)
    dependencies = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(dependencies)
    needed = dependencies.SourceTree(ROOT / "src").needed_by(["from livegrad.lab.catalogue import catalogue"])
    assert set((ROOT / "src/livegrad/activations").glob("*.py")) <= set(needed)
