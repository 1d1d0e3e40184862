"""The book on paper: bookmarks, links that stay in the file, no line cut off; and the archive opens from the disk."""

from __future__ import annotations

import re
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pypdf
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "book" / "_extensions"))
from livegrad_forms import pages, pdf  # noqa: E402
from livegrad_forms.archive import FOLDER, make_archive  # noqa: E402

pytestmark = pytest.mark.browser

CHAPTERS = {"activations/mish", "activations/maxout", "reference/glossary"}
PAPER = {"width": round((210 - 2 * 20) / 25.4 * 96), "height": 900}  # A4 without the margins of paper.css, in pixels


@pytest.fixture(scope="module")
def document(site: Path) -> str:
    return pdf.assemble(pages.read_book(ROOT, site, CHAPTERS))


@pytest.fixture(scope="module")
def printed(browser: Any, document: str, tmp_path_factory: pytest.TempPathFactory) -> pypdf.PdfReader:
    target = tmp_path_factory.mktemp("forms") / "book.pdf"
    pdf.print_pdf(browser, document, target)
    assert [path.name for path in target.parent.iterdir()] == ["book.pdf"]
    return pypdf.PdfReader(target)


@pytest.fixture(scope="module")
def texts(printed: pypdf.PdfReader) -> list[str]:
    return [page.extract_text().strip() for page in printed.pages]


def solid(text: str) -> str:
    """The text without its spaces, which depend on where lines are broken."""
    return re.sub(r"\s+", "", text)


def bookmarks(entries: list[Any], depth: int = 0) -> Iterator[tuple[int, Any]]:
    for entry in entries:
        if isinstance(entry, list):
            yield from bookmarks(entry, depth + 1)
        else:
            yield depth, entry


def test_the_bookmarks_are_parts_chapters_and_sections(printed: pypdf.PdfReader) -> None:
    found = [(depth, str(entry.title).strip()) for depth, entry in bookmarks(printed.outline)]
    assert [title for depth, title in found if depth == 0] == ["Contents", "Live Gradients", "Activations", "Reference"]
    chapters = [re.sub(r"^\d+\. ", "", title) for depth, title in found if depth == 1 and title[0].isdecimal()]
    assert chapters == ["Mish", "Maxout", "Glossary"]
    assert {(2, "The module"), (2, "Exercises"), (2, "Sources")} <= set(found)


def test_each_bookmark_leads_to_the_page_with_its_heading(printed: pypdf.PdfReader, texts: list[str]) -> None:
    for _, entry in bookmarks(printed.outline):
        assert solid(str(entry.title)) in solid(texts[printed.get_destination_page_number(entry)])


def test_each_chapter_begins_a_page(printed: pypdf.PdfReader, texts: list[str]) -> None:
    for depth, entry in bookmarks(printed.outline):
        if depth == 1 and str(entry.title).strip()[0].isdecimal():
            number = printed.get_destination_page_number(entry)
            assert solid(texts[number]).startswith(solid(f"{number + 1}{entry.title}"))


def test_links_lead_inside_the_file_or_to_another_host(printed: pypdf.PdfReader) -> None:
    inside, outside = [], []
    for page in printed.pages:
        for reference in page.get("/Annots", ()):
            link = reference.get_object()
            if "/A" in link:
                outside.append(str(link["/A"].get("/URI")))
            else:
                inside.append(str(link["/Dest"]).removeprefix("/"))
    named = {name.removeprefix("/") for name in printed.named_destinations}
    assert [name for name in inside if name not in named] == []
    assert len([name for name in inside if name.startswith("reference-glossary--term-")]) > 5  # from chapter to chapter
    assert [address for address in outside if not address.startswith(("https://", "http://"))] == []


def test_every_line_of_the_module_is_printed(texts: list[str]) -> None:
    printed = solid("".join(texts))
    module = (ROOT / "src" / "livegrad" / "activations" / "mish.py").read_text("utf-8")
    assert [line for line in module.splitlines() if solid(line) not in printed] == []


def test_pages_are_numbered_from_the_second_and_none_is_empty(texts: list[str]) -> None:
    numbered = [set(text.splitlines()[:1] + text.splitlines()[-1:]) & {str(n)} for n, text in enumerate(texts, 1)]
    assert numbered == [set(), *({str(n)} for n in range(2, len(texts) + 1))]
    assert [n for n, text in enumerate(texts, 1) if len(text) < 10] == []


def test_on_paper_nothing_in_the_book_sticks_out_at_the_side_and_folds_are_open(
    browser: Any, site: Path, tmp_path: Path
) -> None:
    (tmp_path / "book.html").write_text(pdf.assemble(pages.read_book(ROOT, site)), "utf-8")
    context = browser.new_context(viewport=PAPER, offline=True)
    page = context.new_page()
    page.set_default_timeout(120_000)  # the whole book, which a busy machine needs long to lay out
    page.emulate_media(media="print")
    page.goto((tmp_path / "book.html").as_uri())
    cut = """() => [...document.querySelectorAll("article *")].filter((e) => !e.closest("svg svg, .katex-html *") &&
      e.getBoundingClientRect().right > innerWidth + 1).map((e) => e.outerHTML.slice(0, 120))"""
    assert page.evaluate(cut) == []
    assert page.locator("details, button, script, .lg-explorable").count() == 0
    assert page.locator(".solution.lg-fold").count() >= 100
    assert page.locator(".solution.lg-fold pre").first.is_visible()
    context.close()


def test_a_browser_that_gives_up_leaves_the_last_good_file(tmp_path: Path) -> None:
    class Broken:
        def new_page(self, **options: Any) -> Any:
            raise KeyboardInterrupt

    target = tmp_path / "book.pdf"
    target.write_bytes(b"good")
    with pytest.raises(KeyboardInterrupt):
        pdf.print_pdf(Broken(), "<p>T</p>", target)
    assert target.read_bytes() == b"good"
    assert list(tmp_path.iterdir()) == [target]


def test_the_archive_opens_from_the_disk_and_its_search_finds(
    visit: Callable[..., Any], site: Path, tmp_path: Path
) -> None:
    make_archive(site, tmp_path / "site.zip")
    with zipfile.ZipFile(tmp_path / "site.zip") as archive:
        archive.extractall(tmp_path)
    start = (tmp_path / FOLDER).as_uri()
    opened = visit("index", start=start)
    assert (opened.foreign, opened.failed, opened.errors) == ([], [], [])
    found = visit("search", start=start).page
    found.goto(f"{start}/search.html?q=mish")
    link = found.locator(".lg-best a").first
    assert link.get_attribute("href") == "activations/mish.html"
    link.click()
    found.wait_for_url("**/activations/mish.html")
