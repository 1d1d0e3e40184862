"""The built site as chapters in their order: what a form of the book is made of.

A form starts from the finished pages, so figures, numbers and links are the site's own and nothing is executed again.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from posixpath import dirname, join, normpath
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree as ET

import yaml

Element = ET.Element

VOID = {"area", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}
SVG, MATHML, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1998/Math/MathML", "http://www.w3.org/1999/xlink"
NAME, QUOTED = r"[^\s\"'<>/=]+", r"\"[^\"]*\"|'[^']*'"
START = re.compile(rf"<([A-Za-z][\w:-]*)((?:\s+{NAME}(?:\s*=\s*(?:{QUOTED}))?)*)\s*(/?)>")
ATTRIBUTE = re.compile(rf"({NAME})(?:\s*=\s*({QUOTED}))?")
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
ENTITY = re.compile(r"&(?!(?:lt|gt|amp|quot|apos);)[A-Za-z]\w*;")
CODE_STYLE = "a11y-high-contrast-light"  # that of _config.yml
LICENCE = "https://creativecommons.org/licenses/by/4.0/"
# Nothing that must be pressed, no list that the form has of its own. An explorable's figure says the same on the page.
LEFT_OUT = {"headerlink", "lg-module-links", "lg-switches", "lg-explorable", "toctree-wrapper"}


class Unusable(Exception):
    """A form cannot be made; the message says what to do."""


@dataclass
class Page:
    """One page of the site: `name` is its place in the table of contents, `article` what it says."""

    name: str
    article: Element
    description: str

    @property
    def title(self) -> str:
        """The heading, with its number."""
        heading = self.article.find(".//h1")
        return text_of(heading) if heading is not None else self.name


@dataclass
class Part:
    """Some chapters under a name."""

    caption: str
    pages: list[Page] = field(default_factory=list)


@dataclass
class Book:
    """A home page and parts; `files` are the paths of the site, that links may lead to."""

    title: str
    author: str
    language: str
    version: str
    home: Page
    parts: list[Part]
    site: Path

    @property
    def pages(self) -> list[Page]:
        return [self.home, *(page for part in self.parts for page in part.pages)]


def read_book(root: Path, site: Path, only: set[str] | None = None) -> Book:
    """Read the finished `site` of the project at `root`; with `only`, the home page and those chapters."""
    toc = yaml.safe_load((root / "_toc.yml").read_text("utf-8"))
    settings = yaml.safe_load((root / "_config.yml").read_text("utf-8"))
    config = (settings.get("sphinx") or {}).get("config") or {}
    parts = []
    for part in toc.get("parts", ()):
        names = [chapter["file"] for chapter in part["chapters"] if only is None or chapter["file"] in only]
        if names:
            parts.append(Part(part["caption"], [read_page(site, name) for name in names]))
    return Book(
        title=settings["title"],
        author=settings["author"],
        language=str(config.get("language", "en")),
        version=str(config.get("release", "")),
        home=read_page(site, toc["root"]),
        parts=parts,
        site=site,
    )


def read_page(site: Path, name: str) -> Page:
    """Read a page's article. Raises Unusable where the page is missing or cannot be read."""
    file = site / f"{name}.html"
    if not file.is_file():
        raise Unusable(f"{file} is missing: run `make book` first")
    text = file.read_text("utf-8")
    begin, end = text.find("<article"), text.rfind("</article>")
    if begin < 0 or end < 0:
        raise Unusable(f"{file} has no <article>: the theme's layout has changed")
    try:
        article = parse(text[begin:end] + "</article>")
    except ET.ParseError as error:
        raise Unusable(f"{file} cannot be read: its article is not well-formed ({error})") from None
    found = re.search(r'<meta name="description" content="([^"]*)"', text)
    clean(article)
    return Page(name, article, html.unescape(found[1]) if found else "")


def parse(text: str) -> Element:
    """HTML that closes its elements, as a tree whose names have no namespace. Raises ParseError."""

    def start(match: re.Match[str]) -> str:
        name, attributes, slash = match.groups()
        pairs = "".join(f" {key}={value or chr(34) * 2}" for key, value in ATTRIBUTE.findall(attributes))
        return f"<{name}{pairs}{'/' if slash or name in VOID else ''}>"

    text = ENTITY.sub(lambda match: html.unescape(match[0]), COMMENT.sub("", text))
    root = ET.fromstring(START.sub(start, text))
    for element in root.iter():
        space, _, name = element.tag.rpartition("}")
        element.tag = name
        for key in [key for key in element.attrib if key.startswith("{")]:
            value = element.attrib.pop(key)
            if key == f"{{{XLINK}}}href":
                element.set("xlink:href", value)
            elif key.endswith("}lang"):
                element.set("lang", value)
        if name == "svg" and space.endswith(SVG):
            element.attrib = {"xmlns": SVG, "xmlns:xlink": XLINK, **element.attrib}
        elif name == "math" and space.endswith(MATHML):
            element.attrib = {"xmlns": MATHML, **element.attrib}
    return root


def classes(element: Element) -> set[str]:
    return set(element.get("class", "").split())


def text_of(element: Element) -> str:
    """What an element says, on one line. A formula stands in a page twice, and counts as its source in TeX, once."""

    def words(node: Element) -> Iterator[str]:
        if "katex" in classes(node):
            yield next((a.text or "" for a in node.iter("annotation")), "")
        else:
            yield node.text or ""
            for child in node:
                yield from words(child)
                yield child.tail or ""

    return re.sub(r"\s+", " ", "".join(words(element))).strip()


def remove(element: Element, unwanted: Callable[[Element], bool]) -> None:
    """Take out the elements below that are `unwanted`, and keep the text after them."""
    for index in range(len(element) - 1, -1, -1):
        child = element[index]
        if not unwanted(child):
            remove(child, unwanted)
            continue
        if child.tail:
            if index:
                element[index - 1].tail = (element[index - 1].tail or "") + child.tail
            else:
                element.text = (element.text or "") + child.tail
        del element[index]


def clean(article: Element) -> None:
    """Make the article fit for paper: nothing to press, every fold open."""
    remove(
        article,
        lambda e: (
            e.tag in ("button", "script", "template")
            or "hidden" in e.attrib
            or bool(LEFT_OUT & classes(e))
            or (e.tag == "summary" and "admonition-title" not in classes(e))
        ),
    )
    for element in article.iter():
        element.attrib.pop("tabindex", None)
        if element.tag == "pre":
            unlink_names(element)
            join_tokens(element)
        elif element.tag == "details":
            element.tag = "div"
        elif element.tag == "summary":
            element.tag = "p"


@cache
def token_styles() -> dict[str, str]:
    """How each class of a token in code looks, where it differs from plain text."""
    from pygments.formatters import HtmlFormatter

    sheet = str(HtmlFormatter(style=CODE_STYLE).get_style_defs(".highlight"))
    plain = re.search(r"^\.highlight \{.*?(color: #\w+) \}", sheet, re.MULTILINE)
    found = dict(re.findall(r"^\.highlight \.(\w+) \{ (.*?) \}", sheet, re.MULTILINE))
    return {name: look for name, look in found.items() if not plain or look != plain[1]}


def unlink_names(block: Element) -> None:
    """Take the links of names out of a piece of code: on paper they lead nowhere, and they would cut it in pieces."""
    for link in block.findall("a"):
        index = list(block).index(link)
        link[-1].tail = (link[-1].tail or "") + (link.tail or "")
        block[index : index + 1] = list(link)


def join_tokens(block: Element) -> None:
    """Join neighboring words of a piece of code that look alike: a word in an element of its own weighs a lot."""
    looks = token_styles()
    pieces: list[tuple[str, str, str] | Element] = [("", "", block.text or "")]
    for child in block:
        if child.tag == "span" and not len(child) and set(child.attrib) <= {"class"}:
            name = child.get("class", "")
            pieces.append((looks.get(name, "") if name else "", name, child.text or ""))
        else:
            pieces.append(child)
        pieces.append(("", "", child.tail or ""))
    block[:], block.text, before = [], "", ""  # `before`: the look of the text that the next piece comes after
    for piece in pieces:
        if isinstance(piece, Element):
            piece.tail, before = "", ""
            block.append(piece)
            continue
        look, name, text = piece
        if not text.strip():
            look = before
        last = block[-1] if len(block) else None
        if look and look == before and last is not None:
            last.text = (last.text or "") + text
        elif look:
            block.append(Element("span", {"class": name}))
            block[-1].text, block[-1].tail = text, ""
        elif last is not None:
            last.tail = (last.tail or "") + text
        else:
            block.text += text
        before = look


def links(article: Element) -> Iterator[tuple[Element, str]]:
    for element in article.iter("a"):
        if address := element.get("href"):
            yield element, address


def inside(page: Page, address: str) -> tuple[str, str] | None:
    """The page of the site that an address leads to, and the anchor there; None for the addresses of other hosts."""
    parts = urlsplit(address)
    if parts.scheme or parts.netloc:
        return None
    if not parts.path:
        return page.name, unquote(parts.fragment)
    path = normpath(join(dirname(page.name), unquote(parts.path)))
    return path.removesuffix(".html"), unquote(parts.fragment)


def redirect(book: Book, to: Callable[[Page, str, str], str], site: str | None) -> None:
    """Lead the links of all pages to where `to(page, name, anchor)` says.

    What the form does not hold is linked on the published `site`; where that is not known, the words stay and the
    link goes.
    """
    held = {page.name for page in book.pages}
    for page in book.pages:
        for element, address in links(page.article):
            target = inside(page, address)
            element.attrib.pop("download", None)
            if urlsplit(address).scheme == "data":  # a file within the page: the reader finds it there
                target = (page.name, "")
            if target is None:
                continue
            if target[0] in held and not address.startswith("data:"):
                element.set("href", to(page, *target))
            elif site:
                file = f"{target[0]}.html" if "." not in target[0].rpartition("/")[2] else target[0]
                element.set("href", f"{site}{file}{'#' if target[1] else ''}{target[1]}")
            else:
                del element.attrib["href"]
