"""On paper: the cheat sheet is the two sides of one sheet of A4, and no page loses a part of itself."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pypdf
import pytest

pytestmark = pytest.mark.browser


def test_the_cheat_sheet_is_the_two_sides_of_one_sheet(visit: Callable[..., Any]) -> None:
    page = visit("reference/cheat_sheet", settle=True).page
    printed = pypdf.PdfReader(io.BytesIO(page.pdf(format="A4", prefer_css_page_size=True)))
    assert len(printed.pages) == 2
    text = "".join(side.extract_text() for side in printed.pages)
    assert all(word in text for word in ("BinaryStep", "kaiming_normal_", "Adafactor", "NaN in one step"))


def test_on_paper_folds_are_open_and_nothing_is_cut_off_at_the_side(visit: Callable[..., Any]) -> None:
    page = visit("activations/mish", viewport={"width": 718, "height": 1047}, settle=True).page  # A4 within its margins
    page.emulate_media(media="print")
    hidden = (
        "[...document.querySelectorAll('article details')].filter((d) => d.getBoundingClientRect().height < 30).length"
    )
    assert page.locator("article details").count() > 3
    assert page.evaluate(hidden) == 0
    cut = """() => [...document.querySelectorAll("article :is(pre, figure, table, p)")].filter((e) =>
      e.getBoundingClientRect().right > innerWidth + 1).map((e) => e.outerHTML.slice(0, 120))"""
    assert page.evaluate(cut) == []
    assert not page.locator("nav.bd-links, .bd-header-article").first.is_visible()
