"""The stopwatch of the chapters. What takes how long is not tested: a busy machine must not fail a test."""

from __future__ import annotations

import math

import pytest
import torch

from livegrad.lab import timing
from livegrad.lab.timing import beside, compiled, fastest


def test_the_fastest_round_of_each_counts_and_the_first_does_not(monkeypatch):
    # The first round looks at the clock at the beginning only. Then a takes 5 and 3 seconds, b 4 and 6.
    clock = iter([0, 1, 3, 8, 8, 12, 12, 15, 15, 21])
    monkeypatch.setattr(timing.time, "process_time", lambda: next(clock))
    order = []
    assert fastest({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, rounds=2) == {"a": 3, "b": 4}
    assert order == ["a", "b"] * 3


def test_no_round_at_all_is_refused():
    with pytest.raises(ValueError, match="rounds must be at least 1, got 0"):
        fastest({}, rounds=0)


def test_what_cannot_be_compiled_is_none_and_its_time_nan(monkeypatch):
    def no_compiler(function):
        def fail(x):
            raise RuntimeError("no C++ compiler")

        return fail

    monkeypatch.setattr(timing.torch, "compile", no_compiler)
    assert compiled(torch.sin, torch.zeros(2, requires_grad=True)) is None
    ratios = beside(torch.sin, torch.sin, torch.sin, rounds=1)
    assert math.isnan(ratios["compiled"])
    assert ratios["ours"] > 0


def test_what_can_be_compiled_is_measured_as_the_third(monkeypatch):
    calls = []
    monkeypatch.setattr(timing.torch, "compile", lambda function: lambda x: calls.append(x) or function(x))
    ratios = beside(torch.sin, torch.sin, torch.sin, rounds=1)
    assert list(ratios) == ["ours", "formula", "compiled"]
    assert all(ratio > 0 for ratio in ratios.values())
    assert len(calls) == 3  # once tried, and two rounds
