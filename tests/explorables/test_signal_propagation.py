from __future__ import annotations

import re

import pytest

NAME = "signal-propagation"
FIRST = "document.getElementById('first')"
LINE = re.compile(r"^layer \d+: activations (\S+), gradient (\S+)$", re.MULTILINE)


def answer(bare, **settings):
    """Change settings and wait for the worker's report on them."""
    for key, value in settings.items():
        bare.set(key, value)
    wanted = "(([e, s]) => Object.entries(s).every(([k, v]) => e.shown[k] === v))"
    bare.page.wait_for_function(f"(s) => {wanted}([{FIRST}, s])", arg=settings)
    bare.settle()
    return bare.page.evaluate(f"{FIRST}.report")


def said(bare):
    return bare.at.locator(".say").inner_text()


def test_what_becomes_of_the_signal_is_said(visit):
    bare = visit(NAME)
    assert said(bare).startswith("Vanishing: from the last layer to the first the gradient is multiplied by 1.14e−12")
    answer(bare, activation="relu", init="kaiming")
    assert said(bare).startswith("Healthy")
    answer(bare, activation="relu", init="normal", sigma=1.0)
    assert said(bare).startswith("Exploding")
    answer(bare, activation="relu", init="zeros")
    assert said(bare).startswith("Dead: from layer 1 on every activation is 0")


def test_the_range_of_float16_overflows_where_that_of_float32_does_not(visit):
    bare = visit(NAME)
    wide = answer(bare, activation="relu", init="normal", sigma=1.0, format="float32")
    narrow = answer(bare, format="float16")
    assert all(v is not None and v < 1e38 for v in wide["forward"])
    lost = int(re.match(r"Overflow: at layer (\d+) ", said(bare))[1])
    assert 2 < lost < 20
    # The layer that is named is the first whose largest number the growth rate puts above 65504.
    assert wide["forward"][lost - 1] > 65504 / 10 > wide["forward"][lost - 4]
    assert narrow["forward"][: lost - 1] == pytest.approx(wide["forward"][: lost - 1], rel=1e-2)


def test_skip_connections_and_normalization_keep_gradients_alive(visit):
    bare = visit(NAME)
    plain = answer(bare, activation="sigmoid")["backward"][0]
    assert answer(bare, skip=True)["backward"][0] > 1e9 * plain
    assert answer(bare, skip=False, norm="layer")["backward"][0] > 1e3 * plain


def test_the_button_draws_a_new_network(visit):
    bare = visit(NAME)
    before = bare.page.evaluate(f"{FIRST}.report.forward")
    bare.at.get_by_role("button", name="New seed").click()
    assert bare.state()["seed"] == 1
    assert answer(bare, seed=1)["forward"] != before


def test_the_arithmetic_runs_beside_the_page(visit):
    bare = visit(NAME)
    answer(bare, depth=30)
    assert len(bare.page.workers) == 1
    # The largest network takes long; the page answers meanwhile, and only the last question is answered.
    bare.set("width", 128)
    for depth in (98, 99, 100):
        bare.set("depth", depth)
    assert bare.page.evaluate("() => new Promise((done) => setTimeout(() => done(true)))")
    assert len(answer(bare, depth=100)["forward"]) == 100


def test_without_a_worker_it_still_answers(visit):
    bare = visit(NAME)
    bare.page.evaluate("() => { window.Worker = function () { throw new Error('refused'); }; }")
    assert len(answer(bare, depth=7)["forward"]) == 7


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"activation": "mish", "init": "lsuv", "norm": "batch", "format": "float64"},
        {"activation": "leaky_relu", "init": "gain", "skip": True, "depth": 9},
        {"activation": "tanh", "init": "normal", "sigma": 0.3, "norm": "layer", "width": 12},
        {"activation": "relu", "init": "orthogonal", "seed": 5},
        {"activation": "elu", "init": "zeros", "depth": 3},
    ],
    ids=lambda s: s.get("init", "begin"),
)
def test_the_python_prints_the_sizes_that_are_drawn(visit, run_python, settings):
    bare = visit(NAME)
    report = answer(bare, **settings)
    lines = LINE.findall(run_python(bare.python()))
    assert [float(a) for a, _ in lines] == pytest.approx(report["forward"], rel=1e-5)
    assert [float(g) for _, g in lines] == pytest.approx(report["backward"], rel=1e-5)
