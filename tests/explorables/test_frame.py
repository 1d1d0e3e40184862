"""What every explorable must do, whatever it shows."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest

from livegrad.lab.plots import COLORS, CYCLE

ROOT = Path(__file__).parents[2]
PHONE, DESKTOP = {"width": 360, "height": 740}, {"width": 1000, "height": 900}
HEAVIEST = 60_000  # bytes, compressed, of all explorables of a page
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
RUN_AXE = """async () => {
  const { violations } = await axe.run("#first", { resultTypes: ["violations"] });
  return violations.flatMap((v) => v.nodes.map((n) => `${v.id}: ${n.target} ${n.any[0]?.message ?? ""}`));
}"""
# What is drawn: a picture of the stage that is one flat color would be a blank canvas.
DRAWN = """() => {
  const root = document.getElementById("first").shadowRoot;
  const marks = [...root.querySelectorAll("svg path, svg rect, svg circle")];
  const paths = marks.filter((mark) => mark.getBoundingClientRect().width > 0);
  const painted = [...root.querySelectorAll("canvas")].some((canvas) => {
    const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    return pixels.some((value, i) => value !== pixels[i % 4]);
  });
  const shapes = [...root.querySelectorAll("svg *")].flatMap((node) => [...node.attributes]);
  const wrong = shapes.filter(({ name, value }) => name !== "href" && /NaN|Infinity|undefined/.test(value));
  return wrong.length ? wrong[0].name + ": " + wrong[0].value : paths.length > 3 || painted ? "" : "nothing";
}"""


def other_values(control: dict[str, Any]) -> list[Any]:
    """Values that differ from the one to begin with."""
    if control["kind"] == "flag":
        return [not control["value"]]
    if control["kind"] == "text":
        return control["others"]
    if control["kind"] == "choice":
        return [value for value, _ in control["options"] if value != control["value"]]
    return [value for value in (control["max"], control["min"]) if value != control["value"]]


@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_axe_finds_nothing_and_nothing_sticks_out(visit, name, viewport):
    bare = visit(name, viewport=viewport, has_touch=viewport is PHONE)
    bare.at.locator("summary").click()
    bare.page.evaluate(AXE.read_text("utf-8"))
    for theme in ("light", "dark"):
        bare.page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
        bare.settle()
        assert bare.page.evaluate(RUN_AXE) == [], theme
    assert bare.page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]


def test_it_asks_no_other_file_than_its_page_and_script(visit, name):
    asked = [url for url in visit(name).requests if not url.startswith("blob:")]  # a worker comes out of the script
    assert len(asked) == 2


def test_one_page_can_hold_two_of_any(site_extension, bare, name):
    assert len(gzip.compress((bare / f"{name}.js").read_bytes())) <= HEAVIEST / 2


def test_no_chapter_loads_more_than_sixty_kilobytes(bare):
    for page in ROOT.glob("book/*/*.md"):
        used = set(re.findall(r"^`{3,}\{explorable\} ([\w-]+)", page.read_text("utf-8"), re.MULTILINE))
        assert sum(len(gzip.compress((bare / f"{name}.js").read_bytes())) for name in used) <= HEAVIEST, page


def test_presets_of_the_chapters_name_controls_and_values(visit):
    for page in ROOT.glob("book/*/*.md"):
        for name, body in re.findall(
            r"^`{3,}\{explorable\} ([\w-]+)\n(.*?)^`{3,}", page.read_text("utf-8"), re.M | re.S
        ):
            preset = re.search(r"^:preset: *(.*)$", body, re.MULTILINE)
            bare = visit(name)
            script = """([name, preset]) => {
              const element = document.createElement(`lg-${name}`);
              element.setAttribute("preset", preset);
              document.body.append(element);
            }"""
            bare.page.evaluate(script, [name, preset[1] if preset else ""])
            assert bare.errors == [], page  # a wrong preset is told to the console


def test_wrong_input_is_corrected_in_sight(visit, name):
    bare = visit(name)
    for key, control in bare.specs().items():
        if control["kind"] != "number" or control["hidden"]:
            continue
        field = bare.at.locator(f".control:has(#c-{key}) input[type=text]")
        for nonsense in ("", "abc", "1e99", "-1e99", "NaN", "Infinity"):
            field.fill(nonsense)
            field.press("Enter")
            bare.settle()
            value = bare.state()[key]
            assert control["min"] <= value <= control["max"], (key, nonsense)
            assert control["label"].split(",")[0] in bare.at.locator("[role=alert]").inner_text(), (key, nonsense)
            assert float(field.input_value().replace("−", "-")) == pytest.approx(value), (key, nonsense)
            assert bare.page.evaluate(DRAWN) == "", (key, nonsense)
        field.fill(str(control["value"]).replace(".", ","))  # as many readers write it
        field.press("Enter")
        assert bare.state()[key] == pytest.approx(control["value"])
        assert bare.at.locator("[role=alert]").inner_text() == ""


def test_every_setting_draws(visit, name):
    bare = visit(name)
    for key, control in bare.specs().items():
        for value in other_values(control):
            bare.set(key, value)
            bare.settle()
            assert bare.page.evaluate(DRAWN) == "", (key, value)
        bare.set(key, control["value"])


def test_the_address_holds_what_is_seen_and_reset_empties_it(visit, name):
    bare = visit(name)
    begin = bare.state()
    for key, control in bare.specs().items():
        bare.set(key, other_values(control)[-1])
    fragment, state = bare.written(), bare.state()
    assert fragment.startswith("#explore&first.")
    again = visit(name, fragment)
    assert again.state() == state
    assert again.state("second") == begin
    assert bare.announced() == again.page.evaluate("document.getElementById('first').summary()")
    again.at.get_by_role("button", name="Reset").click()
    assert again.written() == ""
    assert again.state() == begin


def test_a_link_leads_to_the_explorable_that_it_speaks_of(visit, name):
    key, control = next(iter(visit(name).specs().items()))
    bare = visit(name, f"#explore&second.{key}={other_values(control)[0]}")
    bare.page.wait_for_function("document.getElementById('second').frames > 0")
    assert bare.state("second")[key] == other_values(control)[0]
    # At the end of the page it cannot come to the very top of the window.
    top = bare.page.evaluate("document.getElementById('second').getBoundingClientRect().top")
    assert 0 <= top < DESKTOP["height"] / 2
    assert bare.page.evaluate("scrollY") > 0


def test_an_address_that_makes_no_sense_is_corrected_in_sight(visit, name):
    keys = [key for key, control in visit(name).specs().items() if control["kind"] != "flag"]
    fragment = "#explore&" + "&".join(f"first.{key}=%22nonsense%22" for key in keys) + "&first.nowhere=1&%E0=%"
    bare = visit(name, fragment)
    assert "nonsense" in bare.at.locator("[role=alert]").inner_text()
    assert "nowhere" in bare.at.locator("[role=alert]").inner_text()
    assert bare.page.evaluate(DRAWN) == ""


def test_sliders_move_by_keyboard_and_say_their_value(visit, name):
    bare = visit(name)
    for key, control in bare.specs().items():
        if control["kind"] != "number" or control["hidden"]:
            continue
        slider = bare.at.locator(f"#c-{key}")
        slider.focus()
        assert slider.evaluate("(e) => e.matches(':focus-visible')")
        before = slider.get_attribute("aria-valuetext")
        slider.press("ArrowLeft" if control["value"] == control["max"] else "ArrowRight")
        assert slider.get_attribute("aria-valuetext") != before, key
        assert bare.state()[key] != control["value"], key


def test_focus_is_visible_and_reaches_every_control(visit, name):
    bare = visit(name)
    reached = set()
    for _ in range(80):
        bare.page.keyboard.press("Tab")
        seen = bare.page.evaluate("""() => {
          const inner = document.getElementById("first").shadowRoot.activeElement;
          return inner && [inner.id || inner.textContent, getComputedStyle(inner).outlineStyle];
        }""")
        if seen:
            reached.add(seen[0])
            assert seen[1] != "none", seen
    shown = {f"c-{key}" for key, control in bare.specs().items() if not control["hidden"]}
    assert shown | {"Reset", "Copy link"} <= reached


def test_two_on_a_page_do_not_disturb_each_other_and_the_unseen_one_rests(visit, name):
    bare = visit(name)
    frames = "document.getElementById('second').frames ?? 0"
    assert bare.page.evaluate(frames) == 0
    key, control = next(iter(bare.specs().items()))
    before = bare.state("second")
    bare.set(key, other_values(control)[0])
    bare.settle()
    assert bare.state("second") == before
    assert bare.page.evaluate(frames) == 0
    bare.page.locator("#second").scroll_into_view_if_needed()
    bare.page.wait_for_function("document.getElementById('second').frames > 0")


def test_a_theme_switch_and_a_resize_draw_anew(visit, name):
    bare = visit(name)
    frames = "document.getElementById('first').frames"
    for act in ("document.documentElement.dataset.theme = 'dark'", "document.body.style.maxWidth = '330px'"):
        before = bare.page.evaluate(frames)
        bare.page.evaluate(act)
        bare.page.wait_for_function(f"{frames} > {before}")
        assert bare.page.evaluate(DRAWN) == ""


def test_it_is_left_out_on_paper(visit, name):
    bare = visit(name)
    bare.page.emulate_media(media="print")
    assert not bare.at.is_visible()


def test_an_explorable_taken_out_and_put_back_still_works(visit, name):
    bare = visit(name)
    bare.page.evaluate(
        "() => { const e = document.getElementById('first'), p = e.parentNode; e.remove(); p.prepend(e); }"
    )
    key, control = next(iter(bare.specs().items()))
    before = bare.page.evaluate("document.getElementById('first').frames")
    bare.set(key, other_values(control)[0])
    bare.page.wait_for_function(f"document.getElementById('first').frames > {before}")


def test_the_colors_are_the_books():
    text = (ROOT / "book/_assets/explorables/frame/palette.mjs").read_text("utf-8")
    assert dict(re.findall(r"^  (\w+): \"(#\w+)\",$", text, re.MULTILINE)) == COLORS
    assert json.loads(re.search(r"CYCLE = (\[.*\]);", text)[1]) == CYCLE


def test_settings_are_read_written_and_corrected_as_they_should(node):
    node("state.test.mjs", {})


def test_a_box_that_scrolls_sideways_is_a_stop_for_the_keyboard_and_only_then(visit, name):
    bare = visit(name, viewport=DESKTOP)
    boxes = """() => [...document.getElementById("first").shadowRoot.querySelectorAll(".scroll")]
      .map((box) => [box.scrollWidth > box.clientWidth + 1, box.tabIndex === 0])"""
    bare.settle()
    wide = bare.page.evaluate(boxes)
    # A page so narrow, or a font so large, is one that a reader with poor sight has.
    bare.page.set_viewport_size({"width": 200, "height": 740})
    bare.page.evaluate("document.documentElement.style.fontSize = '30px'")
    bare.page.wait_for_timeout(100)
    bare.settle()
    narrow = bare.page.evaluate(boxes)
    assert all(scrolls == focusable for scrolls, focusable in wide + narrow)
    assert not any(scrolls for scrolls, _ in wide)
    if name in ("softmax-temperature", "descent"):  # the ones with a wide table
        assert any(scrolls for scrolls, _ in narrow)


def test_room_kept_free_is_given_back_where_nothing_in_sight_moves(visit, name):
    bare = visit(name, viewport=DESKTOP)
    host = "document.getElementById('first')"
    # As on a page of the book: more room than is needed, and the end is below the window.
    bare.page.add_style_tag(content="#first, #second { min-height: 3000px; }")
    bare.page.evaluate(
        f"scrollTo(0, 0), {host}.style.marginTop = '700px', {host}.style.minHeight = '', {host}.redraw()"
    )
    bare.settle()
    height = bare.page.evaluate(f"{host}.getBoundingClientRect().height")
    need = bare.page.evaluate(
        f"{host}.shadowRoot.lastElementChild.getBoundingClientRect().bottom - {host}.getBoundingClientRect().top"
    )
    assert need <= height <= need + 3
    # With its end in sight it stays as it is.
    bare.page.evaluate(f"{host}.style.minHeight = '', scrollTo(0, document.body.scrollHeight)")
    bare.settle()
    bare.page.evaluate(f"{host}.redraw()")
    bare.settle()
    assert bare.page.evaluate(f"{host}.getBoundingClientRect().height") == 3000
