"""Help for those who read on: figures in the whole window, links to sections, keys, the place where they stopped."""

from __future__ import annotations

from collections.abc import Callable
from math import isclose
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.browser

PAGE = "gradients/vanishing"
PHONE = {"width": 360, "height": 740}


@pytest.mark.parametrize("viewport", [PHONE, {"width": 1280, "height": 900}])
def test_every_figure_opens_large_and_closes_by_key(visit: Callable[..., Any], viewport: dict[str, int]) -> None:
    page = visit(PAGE, viewport=viewport).page
    buttons = page.locator(".lg-enlarge")
    assert buttons.count() == page.locator(".lg-figure").count() > 0
    first = buttons.first
    first.focus()
    small = page.locator(".lg-figure svg").first.bounding_box()["width"]
    page.keyboard.press("Enter")
    large = page.locator("dialog[open] svg")
    assert large.bounding_box()["width"] > 1.4 * small
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.keyboard.press("Escape")
    assert page.locator("dialog[open]").count() == 0
    assert page.evaluate("document.activeElement.className") == "lg-enlarge"
    assert page.locator("dialog.lg-large svg").count() == 0


def test_the_mark_of_a_heading_copies_its_address(visit: Callable[..., Any]) -> None:
    # A page on which nothing is drawn late, so that the heading stays under the pointer, where it shows its mark.
    page = visit("foundations/training", permissions=["clipboard-read", "clipboard-write"]).page
    page.locator("article h2:has(a.headerlink)").first.hover()
    link = page.locator("article h2 a.headerlink").first
    link.click()
    page.wait_for_function("(a) => a.textContent === '✓'", arg=link.element_handle())
    assert page.evaluate("navigator.clipboard.readText()") == link.evaluate("(a) => a.href")


def test_access_keys_lead_to_the_neighbors(visit: Callable[..., Any]) -> None:
    page = visit(PAGE).page
    assert page.locator("[accesskey=n]").get_attribute("href") == page.locator(".right-next").get_attribute("href")
    assert page.locator("[accesskey=p]").get_attribute("href") == page.locator(".left-prev").get_attribute("href")


OUTPUTS, FOLDS = "article .cell_output", "article details.lg-cell-fold"
SEEN = "(boxes) => boxes.filter((e) => e.getClientRects().length).length"


def seen(page: Any, selector: str) -> int:
    """How many of them take part in the page's layout."""
    return page.locator(selector).evaluate_all(SEEN)


@pytest.mark.parametrize("folder", [False, True])
def test_one_key_hides_all_outputs_and_shows_them_again(visit: Callable[..., Any], site: Path, folder: bool) -> None:
    page = visit(PAGE, **({"start": site.as_uri()} if folder else {})).page
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    switch = page.get_by_role("button", name="Hide all outputs")
    assert switch.get_attribute("aria-pressed") == "false"
    everything = page.locator(OUTPUTS).count()
    code = page.locator("article .cell_input").count()
    assert seen(page, OUTPUTS) == everything > 5
    assert seen(page, f"{OUTPUTS} figcaption") > 0
    switch.focus()
    page.keyboard.press("Space")
    assert switch.get_attribute("aria-pressed") == "true"
    assert seen(page, f"{OUTPUTS}, {OUTPUTS} *") == 0
    assert seen(page, "article .cell_input") == code
    # Paper shows everything, and nothing to press.
    page.emulate_media(media="print")
    assert seen(page, OUTPUTS) == everything
    assert seen(page, ".lg-switches") == 0
    page.emulate_media(media="screen")
    switch.focus()
    page.keyboard.press("Enter")
    assert switch.get_attribute("aria-pressed") == "false"
    assert seen(page, OUTPUTS) == everything


def test_outputs_are_hidden_on_one_page_only(visit: Callable[..., Any]) -> None:
    page = visit(PAGE).page
    page.locator(".lg-switch-outputs").click()
    page.locator(".right-next").click()
    page.locator(".lg-switch-outputs[aria-pressed=false]").wait_for()
    assert seen(page, OUTPUTS) > 0


def test_a_link_to_a_hidden_figure_shows_it(visit: Callable[..., Any]) -> None:
    page = visit(PAGE).page
    switch = page.locator(".lg-switch-outputs")
    switch.click()
    link = page.locator('article a.internal[href^="#fig-"]').first
    link.focus()
    page.keyboard.press("Enter")
    assert switch.get_attribute("aria-pressed") == "false"
    place = page.locator(link.get_attribute("href")).bounding_box()
    assert 0 <= place["y"] < page.viewport_size["height"]


def test_all_folded_code_opens_and_closes_at_once(visit: Callable[..., Any]) -> None:
    page = visit(PAGE).page
    switch = page.get_by_role("button", name="Open all folded code")
    folds = page.locator(FOLDS)
    assert folds.count() > 1
    assert page.locator(f"{FOLDS}[open]").count() == 0
    switch.click()
    assert page.locator(f"{FOLDS}[open]").count() == folds.count()
    assert switch.get_attribute("aria-pressed") == "true"
    # A fold that a reader closes: what the switch says is then no longer so.
    folds.first.evaluate("(fold) => { fold.open = false; }")
    page.locator(".lg-switch-code[aria-pressed=false]").wait_for()
    switch.click()
    page.locator(".lg-switch-code[aria-pressed=true]").wait_for()
    switch.click()
    assert page.locator(f"{FOLDS}[open]").count() == 0


def test_chapters_with_outputs_have_the_switches_and_no_other_page(site: Path, page_name: str) -> None:
    page = (site / f"{page_name}.html").read_text("utf-8")
    chapter = 'class="lg-orientation"' in page
    assert ("lg-switch-outputs" in page) == (chapter and 'class="cell_output' in page)
    assert ("lg-switch-code" in page) == (chapter and 'class="cell_output' in page and "lg-cell-fold" in page)


def test_without_scripts_there_are_no_switches(visit: Callable[..., Any]) -> None:
    page = visit(PAGE, java_script_enabled=False).page
    assert page.locator(".lg-switches").count() == 1
    assert not page.locator(".lg-switches").is_visible()
    assert page.locator(OUTPUTS).first.is_visible()


SCROLLING = ".math-scroll, .pst-scrollable-table-container, .bd-article pre"
# The sides of a box that have a shade: the first shadow is the left one, and a shade's offset is not 0.
SHADES = r"""async (box) => {
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  const shadow = getComputedStyle(box).boxShadow;
  if (shadow === "none") return "";
  const [left, right] = shadow.match(/-?[\d.]+px(?= -?[\d.]+px -?[\d.]+px -?[\d.]+px)/g).map(parseFloat);
  return (left ? "left " : "") + (right ? "right" : "");
}"""


@pytest.mark.parametrize("name", [".math-scroll", ".bd-article pre", ".pst-scrollable-table-container"])
def test_a_box_has_a_shade_where_something_is_cut_off(visit: Callable[..., Any], name: str) -> None:
    page = visit("reference/cheat_sheet" if "table" in name else "optimizers/adam", viewport=PHONE).page
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    boxes = page.locator(name).all()
    wide = [box for box in boxes if box.evaluate("(b) => b.scrollWidth > b.clientWidth + 1")]
    assert wide
    for box in boxes:
        if not box.evaluate("(b) => b.scrollWidth > b.clientWidth"):
            assert box.evaluate(SHADES) == ""
    box = wide[0]
    assert box.evaluate(SHADES) == "right"
    box.evaluate("(b) => { b.scrollLeft = (b.scrollWidth - b.clientWidth) / 2; }")
    assert box.evaluate(SHADES) == "left right"
    box.evaluate("(b) => { b.scrollLeft = b.scrollWidth; }")
    assert box.evaluate(SHADES).strip() == "left"


def luminance(color: list[float]) -> float:
    linear = [c / 3294.6 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in color[:3]]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: list[float], other: list[float]) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


COLORS = r"""() => {
  const numbers = (color) => color.match(/[\d.]+/g).map(Number);
  const look = (e) => numbers(getComputedStyle(e).color);
  const probe = document.body.appendChild(document.createElement("i"));
  probe.style.color = "var(--lg-cut)";
  const shade = look(probe);
  probe.style.color = "var(--pst-color-background)";
  const page = look(probe);
  probe.remove();
  const found = {};
  for (const box of document.querySelectorAll("SCROLLING")) {
    const own = numbers(getComputedStyle(box).backgroundColor);
    const ground = own[3] === 0 ? page : own;
    for (const e of [box, ...box.querySelectorAll("*")]) {
      const words = [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
      if (words) found[[look(e), ground]] = [look(e), ground];
    }
  }
  return [shade, Object.values(found)];
}""".replace("SCROLLING", SCROLLING)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", ["optimizers/adam", "reference/cheat_sheet"])
def test_words_on_the_shade_keep_their_contrast(visit: Callable[..., Any], theme: str, name: str) -> None:
    page = visit(name, color_scheme=theme).page
    (*tint, alpha), pairs = page.evaluate(COLORS)
    assert len(pairs) > 2
    assert 0 < alpha < 1
    poor = {}
    for words, ground in pairs:
        shaded = [alpha * t + (1 - alpha) * g for t, g in zip(tint, ground, strict=False)]
        if contrast(words, shaded) < 4.5:
            poor[str(words)] = contrast(words, shaded)
    assert poor == {}
    assert isclose(contrast([0, 0, 0], [255, 255, 255]), 21)


def test_the_level_of_every_exercise_is_in_sight_on_a_phone(visit: Callable[..., Any]) -> None:
    page = visit("reference/exercises", viewport=PHONE).page
    levels = page.locator("table.exercise-index tbody td:last-child")
    assert levels.count() > 100
    # As far as the words reach: the cell itself may be narrower than they.
    ends = """(cells) => Math.max(...cells.map((cell) => {
      const range = document.createRange();
      range.selectNodeContents(cell);
      return range.getBoundingClientRect().right;
    }))"""
    assert levels.evaluate_all(ends) <= PHONE["width"] - 12


@pytest.mark.parametrize("viewport", [PHONE, {"width": 1280, "height": 900}])
def test_no_rule_of_an_optimizer_is_squeezed_into_a_narrow_column(
    visit: Callable[..., Any], viewport: dict[str, int]
) -> None:
    page = visit("reference/cheat_sheet", viewport=viewport).page
    rules = page.locator('.lg-cheat[aria-label^="Optimizers"] td:nth-child(2)')
    assert rules.count() > 10
    lines = "(cells) => cells.map((c) => Math.round(c.clientHeight / parseFloat(getComputedStyle(c).lineHeight)))"
    assert max(rules.evaluate_all(lines)) <= 9


@pytest.mark.parametrize("folder", [False, True])
def test_the_home_page_leads_back_to_where_the_reader_stopped(
    visit: Callable[..., Any], site: Path, folder: bool
) -> None:
    page = visit(PAGE, **({"start": site.as_uri()} if folder else {})).page
    home = page.url.replace(f"{PAGE}.html", "index.html")
    section = page.locator("article section section[id]").nth(2)
    section.evaluate("(s) => s.scrollIntoView()")
    place = section.get_attribute("id")
    page.goto(home)
    link = page.locator(".lg-continue a")
    link.click()
    assert page.url.endswith(f"{PAGE}.html#{place}")
    # What another page of the same host may have left in the store is no address of ours.
    page.add_init_script(
        """localStorage.setItem("live-gradients-place", '{"page": "javascript:alert(1)", "title": "x"}')"""
    )
    page.goto(home)
    assert page.locator(".lg-continue").count() == 0


def test_a_new_reader_is_told_of_no_place(visit: Callable[..., Any]) -> None:
    assert visit("index").page.locator(".lg-continue").count() == 0
