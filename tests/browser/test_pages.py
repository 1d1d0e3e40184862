"""What every page of the built book keeps: nothing from other hosts, no error, no jump, no sideways scrolling."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.browser

# What a first visit may weigh over the wire. Chapters of pictures get more when there are any.
HEAVIEST = 350_000

RAW_MATH = r"""() => {
  const article = document.querySelector("article").cloneNode(true);
  article.querySelectorAll("pre, code, script, .katex, svg").forEach((e) => e.remove());
  return article.textContent;
}"""

NO_ALT = """() => [...document.querySelectorAll("img")].filter((i) => !i.hasAttribute("alt")).map((i) => i.outerHTML)"""
# In the text, pictures carry information: there the alternative says it and is not a file's name.
POOR_ALT = r"""() => [...document.querySelectorAll("article img, article .lg-figure svg")].filter((e) => {
  const text = e.getAttribute("alt") ?? e.getAttribute("aria-label") ?? "";
  return !text.trim() || /\.(png|svg|jpe?g)$|^_images/.test(text);
}).map((e) => e.outerHTML.slice(0, 200))"""


TOO_WIDE = """() => {
  const root = document.documentElement;
  const wide = [...document.querySelectorAll("article > section > *, article > section > section > *")];
  const cut = wide.filter((e) => e.getBoundingClientRect().right > innerWidth + 1);
  return root.scrollWidth > root.clientWidth ? ["the page", ...cut.map((e) => e.outerHTML.slice(0, 120))]
    : cut.map((e) => e.outerHTML.slice(0, 120));
}"""
OUT_OF_REACH = """() => [...document.querySelectorAll("article *")].filter((e) =>
  e.scrollWidth > e.clientWidth + 1 && /auto|scroll/.test(getComputedStyle(e).overflowX)
  && e.tabIndex < 0 && !e.querySelector("[tabindex='0']")).map((e) => e.outerHTML.slice(0, 160))"""


def test_a_page_loads_whole_from_its_own_host_without_errors(on_desktop: Any) -> None:
    assert on_desktop.foreign == []
    assert on_desktop.failed == []
    assert on_desktop.errors == []


def test_a_page_is_light_and_does_not_jump(on_phone: Any) -> None:
    assert 0 < on_phone.bytes <= HEAVIEST
    assert on_phone.shifts <= 0.01


def test_a_page_opens_from_a_folder(visit: Callable[..., Any], site: Path, page_name: str) -> None:
    seen = visit(page_name, start=site.as_uri(), settle=True)
    assert [url for url in seen.foreign if not url.startswith("file:")] == []
    # Browsers refuse to fetch fonts ahead from a folder and say so; the page's sheet loads them all the same.
    errors = [e for e in seen.errors if not re.search(r"\.woff2' from origin 'null'|net::ERR_FAILED", e)]
    assert errors == []
    seen.page.locator("main h1:visible").first.wait_for(timeout=5000)


def test_a_phone_needs_no_sideways_scrolling(on_phone: Any) -> None:
    page = on_phone.page
    for unfolded in ("false", "true"):
        page.evaluate(f"document.querySelectorAll('details').forEach((d) => {{ d.open = {unfolded}; }})")
        assert page.evaluate(TOO_WIDE) == []
    page.wait_for_timeout(100)  # the observer of site.js runs after the next layout
    assert page.evaluate(OUT_OF_REACH) == [], "these boxes scroll, and no key gets into them"


def test_formulas_are_rendered_and_pictures_say_what_they_show(on_desktop: Any) -> None:
    page = on_desktop.page
    assert page.locator(".katex-error, .math-error").count() == 0
    assert (
        page.evaluate("[...document.querySelectorAll('.math')].filter((e) => !e.querySelector('.katex')).length") == 0
    )
    if page.locator("article").count():
        assert re.findall(r"\$\$|\\[a-zA-Z]+\{", page.evaluate(RAW_MATH)) == []
    assert page.evaluate(NO_ALT) == []
    assert page.evaluate(POOR_ALT) == []


def test_a_page_says_with_which_torch_it_was_verified(site: Path, page_name: str) -> None:
    release = version("torch").partition("+")[0]
    assert f"Verified with torch {release}:" in (site / f"{page_name}.html").read_text("utf-8")
