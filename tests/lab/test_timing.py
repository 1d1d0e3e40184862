"""The stopwatch of the chapters. What takes how long is not tested: a busy machine must not fail a test."""

from __future__ import annotations

import math

import pytest
import torch

from livegrad.lab import timing
from livegrad.lab.timing import beside, compiled, fastest


def test_the_fastest_round_of_each_counts_and_the_first_does_not(monkeypatch):
    now, spent = 0, {"a": iter([1, 5, 3, 7]), "b": iter([1, 6, 8, 4])}
    monkeypatch.setattr(timing.time, "process_time", lambda: now)
    order = []

    def run(name):
        nonlocal now
        now += next(spent[name])
        order.append(name)

    assert fastest({"a": lambda: run("a"), "b": lambda: run("b")}, rounds=3) == {"a": 3, "b": 4}
    rounds = [tuple(order[i : i + 2]) for i in range(0, 8, 2)]
    assert {*rounds} == {("a", "b"), ("b", "a")}  # each takes its turn, and none is always the first


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


def test_a_function_of_nothing_is_compiled_too(monkeypatch):
    monkeypatch.setattr(timing.torch, "compile", lambda function: function)
    calls = []
    assert compiled(lambda: calls.append(1)) is not None
    assert calls == [1]


def test_what_can_be_compiled_is_measured_as_the_third(monkeypatch):
    calls = []
    monkeypatch.setattr(timing.torch, "compile", lambda function: lambda x: calls.append(x) or function(x))
    ratios = beside(torch.sin, torch.sin, torch.sin, rounds=1)
    assert list(ratios) == ["ours", "formula", "compiled"]
    assert all(ratio > 0 for ratio in ratios.values())
    assert len(calls) == 3  # once tried, and two rounds
