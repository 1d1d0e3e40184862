"""Links that stay in the site lead somewhere, to the anchor and to the file. No browser needed: the pages are read."""

from __future__ import annotations

import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Reader(HTMLParser):
    """Collects what a page can be linked at, and what it links to."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.ids.append(value)
            if name in ("href", "src") and value:
                self.links.append(value)


@cache
def read(page: Path) -> Reader:
    reader = Reader()
    reader.feed(page.read_text("utf-8"))
    return reader


def test_links_and_anchors_of_a_page_resolve(site: Path, page_name: str) -> None:
    site = site.resolve()
    page = site / f"{page_name}.html"
    broken = []
    for link in read(page).links:
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
        anchor = unquote(parts.fragment)
        inside = target.is_relative_to(site)
        if (
            not inside
            or not target.is_file()
            or (anchor and target.suffix == ".html" and anchor not in read(target).ids)
        ):
            broken.append(link)
    assert broken == []


def test_ids_of_a_page_are_unique(site: Path, page_name: str) -> None:
    ids = read(site / f"{page_name}.html").ids
    assert sorted({i for i in ids if ids.count(i) > 1}) == []


def test_no_link_reads_like_click_here(site: Path, page_name: str) -> None:
    says_nothing = {"click here", "here", "this", "more", "go", "start", "read more", "see more", "learn more",
                    "more info", "more information", "information", "right here", "click this"}  # fmt: skip
    links = re.findall(r"<a [^>]*href=[^>]*>(.*?)</a>", (site / f"{page_name}.html").read_text("utf-8"), re.DOTALL)
    assert links
    assert [
        text for text in (re.sub(r"<[^>]+>", "", link).strip().lower() for link in links) if text in says_nothing
    ] == []


def test_every_page_has_a_description_of_its_own(site: Path) -> None:
    described = {}
    for page in sorted(p for p in site.rglob("*.html") if "_static" not in p.parts):
        found = re.findall(r'<meta name="description" content="([^"]*)"', page.read_text("utf-8"))
        assert len(found) == 1, page
        assert found[0].strip(), page
        assert found[0] not in described, (page, described.get(found[0]))
        described[found[0]] = page
