"""The table of properties: known functions have their known properties, and what costs is counted by hand."""

from __future__ import annotations

import math
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch
from torch import nn

from livegrad.activations.gated_linear_units import GLU, SwiGLU
from livegrad.activations.relu import SquaredReLU
from livegrad.lab import properties
from livegrad.lab.properties import cost, extremes, facts, measure, table, times

CHAPTERS = Path(__file__).parents[2] / "book" / "activations"


class Step(nn.Module):
    def forward(self, x):
        return torch.where(x > 0.5, 1.0, 0.0) + 0 * x


@pytest.mark.parametrize(
    ("layer", "saturates", "jumps", "mean"),
    [
        (nn.Identity(), (), None, 0),
        (nn.Tanh(), ("left", "right"), None, 0),
        (nn.Sigmoid(), ("left", "right"), None, 0.5),
        (nn.ReLU(), ("left",), ("slope", (0,)), (2 * math.pi) ** -0.5),
        (nn.LeakyReLU(), (), ("slope", (0,)), 0.99 * (2 * math.pi) ** -0.5),
        (nn.ELU(), ("left",), ("curvature", (0,)), None),
        (nn.ELU(0.5), ("left",), ("slope", (0,)), None),
        (SquaredReLU(), ("left",), ("curvature", (0,)), 0.5),
        (nn.SiLU(), ("left",), None, None),
        (nn.Hardswish(), ("left",), ("slope", (-3, 3)), None),
        (nn.ReLU6(), ("left", "right"), ("slope", (0, 6)), None),
        (nn.Softsign(), ("left", "right"), ("curvature", (0,)), 0),
        (Step(), ("left", "right"), ("value", (0.5,)), 1 - 0.6914624612740131),
    ],
    ids=lambda case: type(case).__name__,
)
def test_known_functions_have_their_known_properties(layer, saturates, jumps, mean):
    one = measure(layer)
    assert one.saturates == saturates
    assert one.jumps == jumps
    if mean is not None:
        assert one.mean == pytest.approx(mean, abs=2e-4)  # a jump by 1 inside a cell of the grid: 0.001 / 2 times 0.4


def test_slopes_reach_their_known_ends():
    one = measure(nn.Sigmoid())
    assert (one.least_slope, one.greatest_slope) == pytest.approx((0, 0.25), abs=1e-6)
    assert measure(nn.Softsign()).greatest_slope == pytest.approx(1, abs=1e-5)
    assert measure(SquaredReLU()).greatest_slope == math.inf


def test_of_a_pair_the_first_number_is_held():
    one = measure(GLU(), first=3.0)
    assert (one.low, one.high, one.mean) == pytest.approx((0, 3, 1.5), abs=1e-6)
    assert one.kept == cost(GLU(), (500, 2))[1]
    assert measure(SwiGLU(), first=1.0).mean == pytest.approx(measure(nn.SiLU()).mean, abs=1e-12)


def test_measuring_changes_neither_the_layer_nor_the_generator():
    layer = nn.PReLU().train()
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    measure(nn.RReLU())
    measure(layer)
    assert torch.equal(torch.rand(3), expected)
    assert layer.training
    assert layer.weight.dtype == torch.float32
    assert layer.weight.grad is None


def test_the_table_has_a_column_for_each_layer_and_a_row_for_each_property(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda html: shown.append(html.data))
    one, two, _ = facts({"ReLU": nn.ReLU(), "ELU": nn.ELU(), "Hard swish": nn.Hardswish()})
    assert (one.low, two.low) == pytest.approx((0, -1))
    tree = ElementTree.fromstring(shown[0])
    assert [h.text for h in tree.iterfind(".//th[@scope='col']")] == ["Property", "ReLU", "ELU", "Hard swish"]
    rows = {row.find("th").text: [cell.text for cell in row.iterfind("td")] for row in tree.iterfind(".//tbody/tr")}
    assert len(rows) == len(properties._ROWS)
    assert rows["Lowest and highest value"] == ["0 to ∞", "−1 to ∞", "−0.375 to ∞"]
    smooth = ["no: a corner at 0", "no corner, but the curvature jumps at 0", "no: corners at −3 and 3"]
    assert rows["Smooth"] == smooth
    with pytest.raises(ValueError, match="layers must hold at least one layer"):
        facts({})


def test_time_is_a_multiple_of_that_of_torchs_relu(monkeypatch):
    def seconds(contestants, rounds):
        assert all(run()[0].shape == (256, 256) for run in contestants.values())
        return {name: {"Tanh": 6.0, "RReLU": 5.0}.get(name, 2.0) for name in contestants}

    monkeypatch.setattr(properties, "fastest", seconds)
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    assert times({"Tanh": nn.Tanh(), "RReLU": nn.RReLU()}) == {"Tanh": 3, "RReLU": 2.5}
    assert torch.equal(torch.rand(3), expected)


def test_every_chapter_of_an_activation_shows_its_properties():
    others = {"what_an_activation_does", "choosing_an_activation", "softmax", "maxout"}  # the last two mix many numbers
    for page in CHAPTERS.glob("*.md"):
        assert (page.stem in others) != ("facts(" in page.read_text(encoding="utf-8")), page.name


class ByHand(nn.Module):
    """Three passes forward; autograd needs four back and keeps x, for the sine, and the sine and the double of x."""

    def forward(self, x):
        return x.sin() * (2 * x)


@pytest.mark.parametrize(
    ("layer", "passes", "kept"),
    [
        (nn.Identity(), 0, 0),
        (nn.Tanh(), 2, 4),  # one each way; the output is kept
        (nn.Dropout(0.5), 4, 4),  # draw, scale and multiply; back one product with what was drawn
        (ByHand(), 3 + 6, 12),  # back: two products, cosine, its product, the doubling, the sum of both ways
    ],
    ids=lambda case: type(case).__name__,
)
def test_passes_and_bytes_kept_are_those_counted_by_hand(layer, passes, kept):
    assert cost(layer) == (passes, kept)


def test_a_tensor_kept_twice_counts_once():
    class Square(nn.Module):
        def forward(self, x):
            return x * x

    assert cost(Square(), (10, 100))[1] == 4


@pytest.mark.parametrize(
    ("layer", "low", "high"),
    [
        (nn.ReLU(), 0, math.inf),
        (nn.Tanh(), -1, 1),
        (nn.Identity(), -math.inf, math.inf),
        (nn.SiLU(), -0.278465, math.inf),
        (nn.LogSigmoid(), -math.inf, 0),
    ],
)
def test_the_extremes_of_known_functions_are_found(layer, low, high):
    assert extremes(layer) == pytest.approx((low, high), abs=1e-6)


def test_a_table_has_header_cells_for_columns_and_rows_and_escapes_text():
    tree = ElementTree.fromstring(table("A & B", ["Name", "x < 0"], [["<code>f</code>", "1 if x < 0 else 2"]]))
    assert [h.text for h in tree.iterfind(".//th[@scope='col']")] == ["Name", "x < 0"]
    assert tree.find(".//th[@scope='row']/code").text == "f"
    assert tree.find(".//td").text == "1 if x < 0 else 2"
    assert tree.get("tabindex") == "0"
    assert tree.get("aria-label") == "A & B"
