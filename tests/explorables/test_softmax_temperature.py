from __future__ import annotations

import re

import pytest

NAME = "softmax-temperature"


def printed(text: str) -> dict[str, list[float]]:
    lines = re.findall(r"^(naive|stable)\s+tensor\(\[(.*?)\]\)", text, re.MULTILINE | re.DOTALL)
    return {name: [float(v) for v in numbers.split(",")] for name, numbers in lines}


def test_a_bar_is_dragged_and_stays_the_one_that_was_taken(visit):
    bare = visit(NAME)
    box = bare.at.locator("svg").first.bounding_box()
    x = box["x"] + 38 + 0.5 * (box["width"] - 46)  # the third of five
    bare.page.mouse.move(x, box["y"] + 100)
    bare.page.mouse.down()
    bare.page.mouse.move(x + 80, box["y"] + 20, steps=4)
    bare.page.mouse.up()
    bare.settle()
    state = bare.state()
    assert state["z3"] > 4
    assert [state["z1"], state["z2"], state["z4"], state["z5"]] == [2, 1, -1, -2]
    assert "Most probable: C" in bare.at.locator(".say").inner_text()


def test_a_finger_drags_too(visit):
    bare = visit(NAME, viewport={"width": 360, "height": 740}, has_touch=True)
    box = bare.at.locator("svg").first.bounding_box()
    bare.page.touchscreen.tap(box["x"] + 38 + 0.1 * (box["width"] - 46), box["y"] + 190)
    assert bare.state()["z1"] < -3


def test_the_overflow_is_shown_and_said_and_the_stable_form_stays(visit):
    bare = visit(NAME)
    stable = "document.getElementById('first').results.safe.shares"
    before = bare.page.evaluate(stable)
    bare.set("shift", 88)
    assert "Overflow: float32 cannot hold" in bare.announced()
    text = bare.at.locator("tbody").inner_text()
    assert "inf" in text
    assert "NaN" in text
    assert bare.page.evaluate(stable) == pytest.approx(before, rel=1e-5)
    bare.set("shift", -120)
    bare.settle()
    assert "Underflow" in bare.at.locator(".say").inner_text()


def test_cold_decides_and_heat_levels(visit):
    bare = visit(NAME)
    bare.set("temperature", 0.05)
    assert "Nearly all probability is on A." in bare.announced()
    bare.set("temperature", 20)
    assert "nearly equally probable" in bare.announced()


@pytest.mark.parametrize("shift", [0, 88])
def test_the_python_prints_the_shares_that_are_shown(visit, run_python, shift):
    bare = visit(NAME)
    bare.set("shift", shift)
    bare.set("temperature", 0.7)
    lines = printed(run_python(bare.python(), digits=8))
    script = """(({ plain, safe }) => [plain.shares, safe.shares].map((s) => s.map(String)))(
      document.getElementById("first").results)"""
    plain, safe = ([float(v) for v in shares] for shares in bare.page.evaluate(script))
    assert plain == pytest.approx(lines["naive"], rel=1e-6, abs=1e-8, nan_ok=True)
    assert safe == pytest.approx(lines["stable"], rel=1e-5, abs=1e-8)
