"""A page that moved is still found under its old address."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from sphinx.errors import ExtensionError

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")

PAGES = {
    "index": "# Home\n\n```{toctree}\nnew/place\n```\n",
    "new__place": '# The "new" place\n\nText.\n',
}


def test_the_old_address_leads_to_the_new_one(book: Callable[..., Any]) -> None:
    made = book(**PAGES)
    (made.root / "book" / "moved.yml").write_text("old/name: new/place\n", "utf-8")
    page = made.build().page("old/name")
    assert 'content="0; url=../new/place.html"' in page
    assert re.search(r'<a href="\.\./new/place\.html">The “new” place</a>', page)
    assert 'content="noindex"' in page


def test_search_engines_are_told_the_whole_new_address(
    book: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_REPOSITORY", "Owner/book")
    made = book(**PAGES)
    (made.root / "book" / "moved.yml").write_text("old: new/place\n", "utf-8")
    page = made.build().page("old")
    assert '<link rel="canonical" href="https://owner.github.io/book/new/place.html" />' in page
    assert "old.html" not in (made.root / "html" / "sitemap.xml").read_text("utf-8")


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("old: nowhere", "old leads to nowhere, which is no page"),
        ("index: new/place", "index is a page of the book again"),
    ],
)
def test_a_line_that_makes_no_sense_stops_the_build(book: Callable[..., Any], line: str, complaint: str) -> None:
    made = book(**PAGES)
    (made.root / "book" / "moved.yml").write_text(f"{line}\n", "utf-8")
    with pytest.raises(ExtensionError, match=complaint):
        made.build()
