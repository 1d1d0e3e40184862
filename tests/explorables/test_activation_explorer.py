from __future__ import annotations

import re

import pytest

NAME = "activation-explorer"


def numbers(text: str) -> list[float]:
    return [float(n) for n in re.findall(r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?", text.replace("−", "-"))]


def point(bare):
    """x of the drawn point, in data coordinates."""
    return bare.page.evaluate(
        "() => { const e = document.getElementById('first'); return e.above.x.invert(+e.above.handle.attr('cx')); }"
    )


def test_the_point_follows_the_mouse(visit):
    bare = visit(NAME)
    box = bare.at.locator("svg").first.bounding_box()
    middle = box["y"] + box["height"] / 2
    bare.page.mouse.move(box["x"] + 0.3 * box["width"], middle)
    bare.page.mouse.down()
    bare.page.mouse.move(box["x"] + 0.7 * box["width"], middle, steps=5)
    bare.page.mouse.up()
    bare.settle()
    x = bare.state()["x"]
    assert x == pytest.approx(point(bare))
    assert 1 < x < 4
    bare.page.mouse.move(box["x"], middle)  # no longer pressed
    assert bare.state()["x"] == x


def test_the_point_follows_a_finger_and_the_page_still_scrolls(visit):
    bare = visit(NAME, viewport={"width": 360, "height": 740}, has_touch=True)
    box = bare.at.locator("svg").first.bounding_box()
    bare.page.touchscreen.tap(box["x"] + 0.25 * box["width"], box["y"] + 100)
    assert bare.state()["x"] < -1
    assert bare.at.locator("svg").first.evaluate("(e) => getComputedStyle(e).touchAction") == "pan-y"


def test_only_the_chosen_functions_show_their_parameters(visit):
    bare = visit(NAME)
    assert bare.at.locator("#c-elu-alpha").is_hidden()
    bare.at.locator("#c-f").select_option("elu")
    assert bare.at.locator("#c-elu-alpha").is_visible()
    bare.at.locator("#c-f").select_option("relu")
    bare.at.locator("#c-g").select_option("elu")
    assert bare.at.locator("#c-elu-alpha").is_visible()
    bare.settle()
    assert bare.at.locator("tbody tr").count() == 2


def test_the_meaning_is_said(visit):
    bare = visit(NAME)
    bare.set("f", "sigmoid")
    bare.set("x", 5)
    assert bare.announced().startswith("Sigmoid at x = 5: value 0.9933, slope 0.006648, gain 1.846.")
    assert "Saturated here" in bare.at.locator(".say").inner_text()
    bare.set("f", "mish")
    bare.set("x", -1.2)
    bare.settle()
    assert "A flat point" in bare.at.locator(".say").inner_text()
    bare.set("f", "linear")
    bare.settle()
    assert "no unit saturates" in bare.at.locator(".say").inner_text()


def test_the_python_prints_the_numbers_that_are_shown(visit, run_python):
    bare = visit(NAME)
    chosen = bare.specs()["f"]["options"]
    for name, _ in chosen:
        bare.set("f", name)
        bare.set("x", -0.75)
        if name in ("elu", "celu"):
            bare.set(f"{name}-alpha", 1.3)
        shown = bare.page.evaluate("(([f]) => [f.at(-0.75), f.slopeAt(-0.75)])(document.getElementById('first').both)")
        gain = numbers(bare.page.evaluate("document.getElementById('first').summary()"))[-1]
        value, slope, printed_gain = numbers(run_python(bare.python()))
        assert [value, slope] == pytest.approx(shown, rel=1e-5, abs=1e-12), name
        assert gain == pytest.approx(printed_gain, rel=1e-3), name


def test_the_copied_python_is_the_one_that_is_shown(visit):
    bare = visit(NAME, permissions=["clipboard-read", "clipboard-write"])
    bare.at.locator("summary").click()
    bare.at.get_by_role("button", name="Copy the Python").click()
    bare.at.get_by_role("button", name="Copied").wait_for()
    code = bare.page.evaluate("navigator.clipboard.readText()")
    assert "from livegrad.activations.mish import mish" in code
    assert code == bare.at.locator("pre").inner_text()


def test_the_link_leads_back_to_what_is_seen(visit):
    bare = visit(NAME, permissions=["clipboard-read", "clipboard-write"])
    bare.set("x", -2.5)
    bare.at.get_by_role("button", name="Copy link").click()
    bare.at.get_by_role("button", name="Copied").wait_for()
    link = bare.page.evaluate("navigator.clipboard.readText()")
    assert visit(NAME, "#" + link.split("#")[1]).state()["x"] == -2.5
