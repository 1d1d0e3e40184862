"""Formulas written for readers are executed as they stand; what is measured is what torch's own parts have."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path

import pytest
import torch
from torch import nn

from livegrad.lab.cheat_sheet import SHELVES, defaults, link, members, run, state_bytes, value

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("formula", "function"),
    [
        ("x · σ(x)", nn.functional.silu),
        ("x · Φ(x)", nn.functional.gelu),
        ("Φ(x) + x · φ(x)", torch.func.grad(nn.functional.gelu)),
        ("x · tanh(sp(x))", nn.functional.mish),
        ("x if x > 0 else eˣ − 1", nn.functional.elu),
        ("x / (1 + |x|)", nn.functional.softsign),
        ("1 / (1 + e⁻ˣ)", torch.sigmoid),
        ("min(max(0, x), 6)", nn.functional.relu6),
        ("√(x² + 4) − √2", lambda x: (x**2 + 4).sqrt() - math.sqrt(2)),
    ],
)
def test_a_formula_has_the_value_that_torch_computes(formula, function):
    for x in (-2.3, -0.4, 0.7, 3.1):
        assert value(formula, x=x) == pytest.approx(float(function(torch.tensor(x, dtype=torch.float64))), rel=1e-12)


def test_letters_of_a_formula_are_given():
    assert value("a · x + α₁", a=2, x=3, α1=4) == 10
    with pytest.raises(NameError):
        value("a · x", x=3)


def test_a_rule_of_several_lines_takes_the_steps_of_torch():
    rule = "m ← β₁ · m + (1 − β₁) · g; v ← β₂ · v + (1 − β₂) · g²; m̂ ← m / (1 − β₁ᵗ); v̂ ← v / (1 − β₂ᵗ); "
    rule += "θ ← θ − lr · m̂ / (√v̂ + ε)"
    gradients = (0.5, -2.0, 0.1)
    parameter = nn.Parameter(torch.ones((), dtype=torch.float64))
    optimizer = torch.optim.Adam([parameter], lr=0.1)
    for g in gradients:
        parameter.grad = torch.tensor(g, dtype=torch.float64)
        optimizer.step()
    ours = run(rule, gradients, lr=0.1, β1=0.9, β2=0.999, ε=1e-8)
    assert ours == pytest.approx(parameter.item(), rel=1e-12)
    assert run("θ ← θ − lr · g · t", (1.0, 1.0), lr=0.5) == 1 - 0.5 - 1.0


@pytest.mark.parametrize(
    ("optimizer", "options", "numbers"),
    [
        (torch.optim.SGD, {"lr": 0.1}, 0),
        (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9}, 1),
        (torch.optim.Adam, {}, 2),
        (torch.optim.Adam, {"amsgrad": True}, 3),
    ],
)
def test_the_state_of_torchs_optimizers_is_counted(optimizer, options, numbers):
    measured = state_bytes(lambda parameters: optimizer(parameters, **options))
    assert 4 * numbers <= measured < 4 * numbers + 0.01  # and one count of steps


def test_defaults_are_those_that_switch_something_on():
    def function(params, lr=0.1, betas=(0.9, 0.99), decay=0, flag=False, other=None): ...

    assert defaults(function) == {"lr": 0.1, "betas": (0.9, 0.99)}


def test_members_are_public_and_defined_on_the_shelf(tmp_path, monkeypatch):
    folder = tmp_path / "cheat_shelf"
    folder.mkdir()
    (folder / "__init__.py").touch()
    code = "from torch.nn import ReLU\nclass B: ...\nclass _C: ...\nclass A(B): ...\ndef f_(): ...\n"
    (folder / "newcomer.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    assert list(members("cheat_shelf", lambda name, value: isinstance(value, type))) == ["B", "A"]
    assert list(members("cheat_shelf", lambda name, value: name.endswith("_"))) == ["f_"]


def test_a_link_leads_to_a_chapter():
    from livegrad.activations.mish import Mish

    assert link("Mish", Mish) == '<a href="../activations/mish.html"><code>Mish</code></a>'


def test_a_page_that_uses_it_depends_on_every_file_of_the_three_shelves():
    path = ROOT / "book/_extensions/livegrad_execution/dependencies.py"
    spec = importlib.util.spec_from_file_location("dependencies_of_the_cheat_sheet", path)
    dependencies = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(dependencies)
    needed = dependencies.SourceTree(ROOT / "src").needed_by(["from livegrad.lab.cheat_sheet import members"])
    for shelf in SHELVES:
        assert set((ROOT / "src/livegrad" / shelf).glob("*.py")) <= set(needed)
