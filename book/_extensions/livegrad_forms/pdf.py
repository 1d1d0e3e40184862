"""The whole book as one PDF: all chapters in one document, which Chromium prints.

One document, since links between chapters then lead inside the file, and the headings make the bookmarks.
"""

from __future__ import annotations

import html
import os
import re
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from xml.etree import ElementTree as ET

from .pages import LICENCE, Book, Element, Page, Unusable, classes, redirect, remove, text_of

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
SHEETS = ("_static/styles/book.css",)
OWN_SHEET = Path(__file__).with_name("paper.css")
# What names another element of the page by its id, besides a link's href.
POINTERS = ("for", "aria-labelledby", "aria-describedby")


def find_browser() -> str:
    """The path of an installed Chromium. Raises Unusable where there is none."""
    wish = os.environ.get("CHROMIUM")
    found = wish or next(filter(None, map(shutil.which, BROWSERS)), None)
    if not found or not (shutil.which(found) or Path(found).is_file()):
        raise Unusable(
            f"the PDF is printed by Chromium or Chrome, and there is no {wish or 'such browser'} here: "
            "install one (Debian: apt install chromium), or set CHROMIUM to its path"
        )
    return found


def anchor(name: str, identifier: str = "") -> str:
    """The id of a page, or of a place on it, in the one document."""
    return name.replace("/", "-") + (f"--{identifier}" if identifier else "")


def make_unique(page: Page) -> None:
    """Begin each id with the page's name, and what points to it within a picture as well."""
    prefix = anchor(page.name, "-")[:-1]
    for element in page.article.iter():
        if "id" in element.attrib:
            element.set("id", prefix + element.attrib["id"])
        for key, value in element.attrib.items():
            if key == "xlink:href" and value.startswith("#"):
                element.set(key, f"#{prefix}{value[1:]}")
            elif key in POINTERS:
                element.set(key, " ".join(prefix + word for word in value.split()))
            elif "url(#" in value:
                element.set(key, re.sub(r"url\(#", f"url(#{prefix}", value))


def lower_headings(article: Element, by: int) -> None:
    """Make room above for the names of the parts."""
    for element in article.iter():
        if re.fullmatch(r"h[1-6]", element.tag):
            element.tag = f"h{min(6, int(element.tag[1]) + by)}"


def assemble(book: Book, site: str | None = None) -> str:
    """The document that is printed. It changes the pages of `book`."""
    redirect(book, lambda page, name, place: f"#{anchor(name, place)}", site)
    contents, body = [], []
    for page in book.pages:
        make_unique(page)
        for formula in page.article.iter("span"):
            if "katex" in classes(formula):  # spoken as its source; as elements of their own its letters weigh a lot
                formula.set("role", "img")
                formula.set("aria-label", text_of(formula))
        # Twice in a page are formulas, once for those who listen; to copy and search, once is right.
        remove(page.article, lambda e: "katex-mathml" in classes(e))
        page.article.set("id", anchor(page.name))
        page.article.set("class", "bd-article lg-chapter")
    body.append(_serialize(book.home.article))
    for number, part in enumerate(book.parts):
        chapters = "".join(f'<li><a href="#{anchor(p.name)}">{html.escape(p.title)}</a></li>' for p in part.pages)
        contents.append(f'<li><a href="#part-{number}">{html.escape(part.caption)}</a><ul>{chapters}</ul></li>')
        heading = f"<h1>{html.escape(part.caption)}</h1>"
        body.append(f'<section class="lg-part" id="part-{number}">{heading}<ul>{chapters}</ul></section>')
        for page in part.pages:
            lower_headings(page.article, 1)
            body.append(_serialize(page.article))
    sheets = "".join(f'<link rel="stylesheet" href="{address_of(book, sheet)}" />' for sheet in SHEETS)
    return f"""<!DOCTYPE html>
<html lang="{html.escape(book.language)}" data-theme="light" data-mode="light">
<head><meta charset="utf-8" /><title>{html.escape(book.title)}</title>{sheets}
<style>{OWN_SHEET.read_text("utf-8")}</style></head>
<body>
{title_page(book, site)}
<nav class="lg-contents"><h1>Contents</h1>
<ul><li><a href="#{anchor(book.home.name)}">About this book</a></li>{"".join(contents)}</ul></nav>
<div class="bd-main"><div class="bd-content"><div class="bd-article-container">
{"".join(body)}
</div></div></div>
</body></html>
"""


def address_of(book: Book, file: str) -> str:
    return (book.site / file).resolve().as_uri()


def title_page(book: Book, site: str | None) -> str:
    where = f'<p><a href="{html.escape(site)}">{html.escape(site)}</a></p>' if site else ""
    return f"""<section class="lg-title"><img src="{address_of(book, "_static/logo.svg")}" alt="" />
<p class="lg-name">{html.escape(book.title)}</p>
<p class="lg-about">{html.escape(book.home.description)}</p>
<p>{html.escape(book.author)}</p>
<p>Version {html.escape(book.version)}. Figures and numbers come from cells that ran when the book was built.</p>
{where}
<p>Text and figures: <a href="{LICENCE}">CC BY 4.0</a>. Code: MIT licence.</p></section>"""


def _serialize(element: Element) -> str:
    return ET.tostring(element, encoding="unicode", method="html")


def make_pdf(book: Book, target: Path, site: str | None = None) -> None:
    """Print the book, which is changed by it. Raises Unusable where the browser is missing or gives up."""
    executable = find_browser()
    from playwright.sync_api import Error, sync_playwright

    switches = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=executable, args=switches)
            print_pdf(browser, assemble(book, site), target)
            browser.close()
    except Error as error:
        reason = error.message.splitlines()[0]
        raise Unusable(f"the browser {executable} could not print the book: {reason}") from None


def print_pdf(browser: Any, document: str, target: Path) -> None:
    """Print the document into the file `target`, which appears only when it is whole."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=target.parent, prefix=".pdf-") as scratch:
        source, printed = Path(scratch) / "book.html", Path(scratch) / "book.pdf"
        source.write_text(document, "utf-8")
        page = browser.new_page(java_script_enabled=False, offline=True)
        page.set_default_timeout(0)
        page.goto(source.as_uri())
        page.pdf(path=printed, prefer_css_page_size=True, print_background=True, outline=True, tagged=True)
        page.close()
        printed.replace(target)
