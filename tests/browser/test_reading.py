"""Help for those who read on: figures in the whole window, links to sections, keys, the place where they stopped."""

from __future__ import annotations

from collections.abc import Callable
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


def test_access_keys_lead_to_the_neighbours(visit: Callable[..., Any]) -> None:
    page = visit(PAGE).page
    assert page.locator("[accesskey=n]").get_attribute("href") == page.locator(".right-next").get_attribute("href")
    assert page.locator("[accesskey=p]").get_attribute("href") == page.locator(".left-prev").get_attribute("href")


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
