"""The line under a chapter's title and the map of the home page say what `topics.yml` says."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")

ROOT = Path(__file__).resolve().parents[2]
HOME = "# Home\n\n```{book-map}\n```\n\n```{toctree}\n:caption: First part\nfirst\nsecond\n```\n"
PAGES = {
    "index": HOME,
    "first": "---\ndescription: What comes first.\n---\n# One *step*\n\nWords.\n",
    "second": "# Two\n\n"
    + "word " * 360
    + "\n\n$$x = 1$$\n\n<p>not read</p>\n\n```python\n"
    + "x = 1\n" * 20
    + "```\n",
}
TOPICS = "first: []\nsecond: [first]\nlater: [second]\n"


def plain(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", page))


def test_a_chapter_says_how_long_it_is_and_what_it_stands_on(book: Callable[..., Any], tmp_path: Path) -> None:
    built = book(**PAGES)
    (tmp_path / "book" / "topics.yml").write_text(TOPICS)
    built.build()
    assert built.warnings == ""
    first, second = plain(built.page("first")), plain(built.page("second"))
    assert "1 minute to read. Builds on it: Two." in first
    assert "3 minutes to read. Read before it: One step." in second  # 360 words and 20 lines; `later` is no page
    assert "minutes to read" not in plain(built.page("index"))
    body = built.page("index").split('class="lg-map-part"')[1]
    assert plain(body).index("First part") < plain(body).index("One step What comes first.") < plain(body).index("Two")


def test_the_map_changes_with_the_pages_that_it_lists(book: Callable[..., Any], tmp_path: Path) -> None:
    built = book(**PAGES)
    (tmp_path / "book" / "topics.yml").write_text(TOPICS)
    built.build()
    page = tmp_path / "book" / "first.md"
    page.write_text(page.read_text().replace("What comes first.", "Another beginning."))
    assert "Another beginning." in built.build().page("index")


def test_every_chapter_has_a_place_and_builds_on_earlier_ones_only() -> None:
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8"))
    pages = [chapter["file"] for part in toc["parts"] for chapter in part["chapters"]]
    written = yaml.safe_load((ROOT / "book" / "topics.yml").read_text("utf-8"))
    chapters = [page for page in pages if not page.startswith("reference/")]
    assert [page for page in chapters if page not in written] == []
    assert [page for page in written if page not in chapters] == []
    late = [(page, needs) for page in chapters for needs in written[page] if pages.index(needs) >= pages.index(page)]
    assert late == []
