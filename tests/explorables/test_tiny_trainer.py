from __future__ import annotations

import re

import pytest

NAME = "tiny-trainer"
FIRST = "document.getElementById('first')"
PRINTED = re.compile(r"^loss (\S+), accuracy (\S+), dead units by layer \[(.*)\]$", re.MULTILINE)


def trained(bare, steps):
    bare.set("steps", steps)
    bare.page.wait_for_function(f"{FIRST}.trainer.t === {steps}")
    bare.settle()


def report(bare):
    return bare.page.evaluate(f"{FIRST}.trainer.report({FIRST}.state.activation)")


def test_it_learns_when_told_to_and_rests_when_told_to(visit):
    bare = visit(NAME)
    before = report(bare)["loss"]
    bare.at.get_by_role("button", name="Train").click()
    bare.page.wait_for_function(f"{FIRST}.state.steps > 40")
    bare.at.get_by_role("button", name="Pause").click()
    steps = bare.state()["steps"]
    bare.page.wait_for_timeout(300)
    assert bare.state()["steps"] == steps
    assert report(bare)["loss"] < 0.7 * before
    bare.at.get_by_role("button", name="One step").click()
    assert bare.state()["steps"] == steps + 1
    bare.at.get_by_role("button", name="Start again").click()
    assert bare.state()["steps"] == 0
    assert report(bare)["loss"] == pytest.approx(before)


def test_out_of_sight_it_does_not_train(visit):
    bare = visit(NAME)
    bare.at.get_by_role("button", name="Train").click()
    bare.page.evaluate("scrollTo(0, document.body.scrollHeight)")
    bare.page.wait_for_function(f"!{FIRST}.visible")
    bare.page.wait_for_timeout(100)
    steps = bare.state()["steps"]
    bare.page.wait_for_timeout(300)
    assert bare.state()["steps"] == steps


def test_with_reduced_motion_a_stretch_is_trained_without_showing_the_way(visit):
    bare = visit(NAME, reduced_motion="reduce")
    bare.at.get_by_role("button", name="Train").click()
    assert bare.page.evaluate(f"!{FIRST}.playing")
    assert bare.state()["steps"] == 200


def test_units_that_die_are_counted_and_said(visit):
    bare = visit(NAME)
    bare.set("lr", 20)
    trained(bare, 30)
    dead = report(bare)["dead"]
    assert sum(dead) > 0
    assert bare.at.locator("tbody").inner_text().count("of 8") == 2
    assert "dead" in bare.at.locator(".say").inner_text()


def test_a_change_of_rate_and_activation_on_the_way_is_kept_in_the_address(visit):
    bare = visit(NAME)
    trained(bare, 60)
    bare.set("lr", 0.05)
    trained(bare, 90)
    bare.set("activation", "tanh")
    trained(bare, 120)
    assert bare.state()["course"] == "60:0.3:relu;90:0.05:relu"
    loss = report(bare)["loss"]
    again = visit(NAME, bare.written())
    again.page.wait_for_function(f"{FIRST}.trainer.t === 120")
    assert report(again)["loss"] == pytest.approx(loss, rel=1e-12)


def test_going_back_forgets_what_came_later(visit):
    bare = visit(NAME)
    trained(bare, 60)
    loss = report(bare)["loss"]
    bare.set("lr", 1.0)
    trained(bare, 200)
    bare.set("lr", 0.3)
    trained(bare, 60)
    assert bare.state()["course"] == ""
    assert report(bare)["loss"] == pytest.approx(loss, rel=1e-12)


def test_the_python_ends_where_the_page_ends(visit, run_python):
    bare = visit(NAME)
    for settings in (
        {"data": "moons"},
        {"data": "xor", "activation": "elu"},
        {"data": "circles", "activation": "leaky_relu"},
    ):
        for key, value in settings.items():
            bare.set(key, value)
        trained(bare, 40)
        bare.set("activation", "mish")
        trained(bare, 80)
        shown = report(bare)
        loss, accuracy, dead = PRINTED.search(run_python(bare.python())).groups()
        assert shown["loss"] == pytest.approx(float(loss), rel=1e-5)
        assert shown["accuracy"] == pytest.approx(float(accuracy), abs=1e-4)
        assert shown["dead"] == [int(count) for count in dead.split(",")]
