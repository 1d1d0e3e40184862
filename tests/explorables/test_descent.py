from __future__ import annotations

import re

import pytest

NAME = "descent"
RESULTS = """document.getElementById("first").run().map(({ label, points, values, diverged, arrived }) =>
  ({ label, end: points.at(-1), value: values.at(-1), diverged, arrived }))"""
COPIED_LINE = re.compile(r"^(.*): x (\S+), y (\S+), f (\S+)$", re.MULTILINE)


def test_a_click_on_the_map_sets_the_start_and_all_race_from_there(visit):
    bare = visit(NAME)
    box = bare.at.locator("svg").first.bounding_box()
    bare.page.mouse.click(box["x"] + 0.75 * box["width"], box["y"] + 0.3 * box["height"])
    state = bare.state()
    assert state["x"] > 1
    assert state["y"] > 0.3
    starts = bare.page.evaluate("document.getElementById('first').run().map(({ points }) => points[0])")
    assert starts == [[state["x"], state["y"]]] * 3


def test_a_tap_does_the_same(visit):
    bare = visit(NAME, viewport={"width": 360, "height": 740}, has_touch=True)
    box = bare.at.locator("svg").first.bounding_box()
    bare.page.touchscreen.tap(box["x"] + 0.8 * box["width"], box["y"] + 0.5 * box["height"])
    assert bare.state()["x"] > 1


def test_switching_an_optimizer_on_shows_its_settings_and_its_row(visit):
    bare = visit(NAME)
    assert bare.at.locator("#c-rmsprop-lr").is_hidden()
    bare.at.get_by_label("RMSprop", exact=True).check()
    bare.settle()
    assert bare.at.locator("#c-rmsprop-lr").is_visible()
    bare.settle()
    assert bare.at.locator("tbody tr").count() == 4


def test_divergence_is_said_in_words(visit):
    bare = visit(NAME)
    bare.set("sgd-lr", 0.09)
    bare.set("steps", 400)
    assert "Gradient descent diverged: the rate is too large" in bare.announced()
    assert "diverged at step" in bare.at.locator("tbody").inner_text()


def test_with_all_switched_off_it_says_so(visit):
    bare = visit(NAME)
    for name in ("sgd", "momentum", "adam"):
        bare.set(name, False)
    assert "No optimizer is switched on" in bare.announced()


def test_the_challenge_leads_to_the_largest_stable_rate(visit):
    bare = visit(NAME)
    said = bare.at.locator(".say")
    for rate, answer in (
        (0.02, "less than half"),
        (0.06, "more than half"),
        (0.09, "Too large"),
        (0.079, "2 / λmax = 0.08"),
    ):
        bare.set("sgd-lr", rate)
        bare.at.get_by_role("button", name="Check my largest rate").click()
        bare.settle()
        assert answer in said.inner_text(), rate


def test_the_race_runs_pauses_and_ends(visit):
    bare = visit(NAME)
    shown = "document.getElementById('first').at"
    bare.at.get_by_role("button", name="Race").click()
    bare.page.wait_for_function(f"{shown} > 1 && {shown} < 200")
    bare.at.get_by_role("button", name="Pause").click()
    at = bare.page.evaluate(shown)
    bare.page.wait_for_timeout(200)
    assert bare.page.evaluate(shown) == at
    bare.at.get_by_role("button", name="One step").click()
    assert bare.page.evaluate(shown) == int(at) + 1
    bare.at.get_by_role("button", name="Race").click()
    bare.page.wait_for_function("!document.getElementById('first').playing", timeout=20_000)
    assert bare.page.evaluate(f"{shown} === Infinity")


def test_out_of_sight_the_race_rests(visit):
    bare = visit(NAME)
    bare.at.get_by_role("button", name="Race").click()
    bare.page.evaluate("scrollTo(0, document.body.scrollHeight)")
    bare.page.wait_for_function("!document.getElementById('first').visible")
    frames = bare.page.evaluate("document.getElementById('first').frames")
    bare.page.wait_for_timeout(300)
    assert bare.page.evaluate("document.getElementById('first').frames") <= frames + 1


def test_with_reduced_motion_the_end_is_shown_at_once(visit):
    bare = visit(NAME, reduced_motion="reduce")
    bare.at.get_by_role("button", name="Race").click()
    assert bare.page.evaluate(
        "!document.getElementById('first').playing && document.getElementById('first').at === Infinity"
    )


@pytest.mark.parametrize("surface", ["ravine", "rosenbrock", "noisy"])
def test_the_python_ends_where_the_page_ends(visit, run_python, surface):
    bare = visit(NAME)
    bare.set("surface", surface)
    for name in ("nesterov", "adagrad", "rmsprop"):
        bare.set(name, True)
    code = bare.python()
    assert "from livegrad.optimizers.adam import Adam" in code
    printed = {label: [float(v) for v in rest] for label, *rest in COPIED_LINE.findall(run_python(code))}
    shown = bare.page.evaluate(RESULTS)
    assert len(shown) == len(printed) == 6
    for one in shown:
        assert one["diverged"] == -1
        assert [*one["end"], one["value"]] == pytest.approx(printed[one["label"]], rel=1e-6, abs=1e-8), one["label"]


def test_another_surface_brings_its_start_and_rates_also_from_a_preset(visit):
    bare = visit(NAME)
    bare.set("surface", "rosenbrock")
    state = bare.state()
    assert [state["x"], state["y"], state["sgd-lr"]] == [-1.5, 1.2, 0.0005]
    bare.page.evaluate("""() => {
      const third = document.createElement("lg-descent");
      third.id = "third";
      third.setAttribute("preset", "rosenbrock y=0.5");
      document.body.prepend(third);
    }""")
    state = bare.state("third")
    assert [state["x"], state["y"], state["sgd-lr"]] == [-1.5, 0.5, 0.0005]
