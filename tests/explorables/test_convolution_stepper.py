from __future__ import annotations

import pytest

NAME = "convolution-stepper"
FIRST = "document.getElementById('first')"


def texts(bare):
    return [t for t in bare.at.locator("svg").nth(1).locator("text").all_text_contents() if t]


def test_steps_go_forth_and_back_and_fill_the_result(visit):
    bare = visit(NAME)
    assert len(texts(bare)) == 1
    for button, cells in (("Step", 2), ("Step", 3), ("Back", 2)):
        bare.at.get_by_role("button", name=button).click()
        bare.settle()
        assert len(texts(bare)) == cells
    assert bare.announced().startswith("The result has side 6. Cell 2 of 36: row 1, column 2.")


def test_a_tap_on_a_cell_shows_what_it_looks_at(visit):
    bare = visit(NAME, viewport={"width": 360, "height": 740}, has_touch=True)
    bare.at.locator("svg").nth(1).locator("rect.cell").nth(20).tap()
    bare.settle()
    assert bare.state()["at"] == 21
    assert bare.at.locator("svg").first.locator("rect.seen").count() == 9
    assert len(texts(bare)) == 21


def test_the_formula_fills_in_as_settings_change(visit):
    bare = visit(NAME)
    for key, value in {"padding": 1, "stride": 2, "dilation": 3}.items():
        bare.set(key, value)
    bare.settle()
    formula = bare.at.locator(".formula").inner_text()
    assert formula.endswith("⌊(8 + 2·1 − 3·(3 − 1) − 1) / 2⌋ + 1 = 2")
    assert bare.at.locator("svg").nth(1).locator("rect.cell").count() == 4


def test_an_own_kernel_is_typed_used_and_kept_in_the_address(visit):
    bare = visit(NAME)
    entry = bare.at.get_by_label("kernel, row 1, column 1")
    entry.fill("2,5")
    entry.press("Tab")
    bare.settle()
    assert bare.state()["kernel"] == "2.5,0,1,-2,0,2,-1,0,1"
    assert bare.state()["kind"] == "own"
    assert bare.at.locator(".sum").inner_text().startswith("This cell: 2.5·")
    again = visit(NAME, bare.written())
    assert again.state() == bare.state()
    assert again.at.get_by_label("kernel, row 1, column 1").input_value() == "2.5"


@pytest.mark.parametrize(
    ("typed", "kept", "said"), [("abc", -1, "is not a number"), ("99", 20, "99 became 20"), ("", -1, "not a number")]
)
def test_a_wrong_kernel_entry_is_corrected_in_sight(visit, typed, kept, said):
    bare = visit(NAME)
    entry = bare.at.get_by_label("kernel, row 1, column 1")
    entry.fill(typed)
    entry.press("Tab")
    bare.settle()
    assert float(bare.state()["kernel"].split(",")[0]) == kept
    assert said in bare.at.locator("[role=alert]").inner_text()
    assert float(entry.input_value().replace("−", "-")) == kept


def test_pooling_hides_the_kernel(visit):
    bare = visit(NAME)
    bare.set("mode", "max")
    bare.set("stride", 2)
    bare.settle()
    assert bare.at.locator("fieldset").is_hidden()
    assert bare.at.locator("#c-padding").is_hidden()
    assert bare.at.locator("svg").first.locator("rect.seen").count() == 4
    assert bare.at.locator(".sum").inner_text().startswith("This cell: max(")


def test_play_walks_to_the_end_and_with_reduced_motion_is_there_at_once(visit):
    bare = visit(NAME)
    bare.set("stride", 4)
    bare.at.get_by_role("button", name="Play").click()
    bare.page.wait_for_function(f"!{FIRST}.playing", timeout=20_000)
    assert bare.state()["at"] == 4
    still = visit(NAME, reduced_motion="reduce")
    still.at.get_by_role("button", name="Play").click()
    assert still.state()["at"] == 36


@pytest.mark.parametrize("mode", ["convolution", "max", "average"])
def test_the_python_prints_the_result_that_is_drawn(visit, run_python, mode):
    bare = visit(NAME)
    for key, value in {"mode": mode, "digit": 7, "stride": 2, "padding": 1, "kind": "sharpen", "at": 100}.items():
        bare.set(key, value)
    bare.settle()
    sizes, *rows = run_python(bare.python()).strip().splitlines()
    values = [float(v) for row in rows for v in row.split()]
    shown = [float(t.replace("−", "-")) for t in texts(bare)]
    assert int(sizes.split()[0]) ** 2 == len(values) == len(shown)
    assert shown == pytest.approx(values, rel=0.06, abs=0.06)  # cells show two or three digits
