"""What search engines and messengers read: each page's card and its place in the book, the sitemap, and a 404 page.

Most of it needs whole addresses, so it is written where the repository is known and left out elsewhere.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterator
from pathlib import Path
from textwrap import wrap
from typing import Any
from xml.sax.saxutils import escape

from sphinx.application import Sphinx

from .pages import description, plain

LICENCE = "https://creativecommons.org/licenses/by/4.0/"
CARD = (1200, 630)  # the size that messengers ask for, in pixels
NOT_FOUND = """\
<section id="not-found"><h1>There is no page here</h1>
<p>The address may be old, or mistyped. <a href="{home}">The home page</a> lists every chapter, and
<a href="{search}">the search</a> finds words in all of them.</p></section>
"""


def site_of(app: Sphinx) -> str:
    """The address that the book is published at, with a slash at its end; empty where it is not known."""
    return str(app.config.html_baseurl or "")


def card_of(page: str) -> str:
    return f"_static/cards/{page.replace('/', '-')}.png"


def introduce(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """OpenGraph for messengers, schema.org for search engines."""
    if doctree is None:
        return
    site, book, is_home = site_of(app), app.config.project, page == app.config.root_doc
    title = plain(context.get("title", "")) or book
    about = description(app.env.metadata.get(page) or {}, doctree)
    tags = {
        "og:type": "book" if is_home else "article",
        "og:site_name": book,
        "og:title": title,
        "og:description": about,
    }
    data = {"@context": "https://schema.org", "@type": "Book" if is_home else "Chapter", "name": title}
    data |= {"description": about, "inLanguage": str(app.config.language), "license": LICENCE}
    more: dict[str, Any] = {} if is_home else {"isPartOf": {"@type": "Book", "name": book}}
    if site:
        tags |= {
            "og:url": f"{site}{page}.html",
            "og:image": f"{site}{card_of(page)}",
            "twitter:card": "summary_large_image",
        }
        tags["og:image:alt"] = f"{title}: {about}"
        data |= {"url": tags["og:url"], "image": tags["og:image"]}
        if not is_home:
            more["isPartOf"]["url"] = site
    lines = [f'<meta property="{name}" content="{html.escape(value, quote=True)}" />' for name, value in tags.items()]
    written = json.dumps(data | more, ensure_ascii=False).replace("<", "\\u003c")  # nothing in it can end the element
    lines.append(f'<script type="application/ld+json">{written}</script>')
    context["metatags"] = "\n".join([context.get("metatags", ""), *lines])


def not_found(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """404.html, which a host shows below any address: so its own addresses are counted from where the file lies.

    From the file, not from its folder: the link over the menus to "#main-content" would lead to the home page.
    """
    if site := site_of(app):
        body = NOT_FOUND.format(home=site, search=f"{site}search.html")
        base = f'<base href="{html.escape(site, quote=True)}404.html" />\n<meta name="robots" content="noindex" />'
        yield "404", {"title": "No page here", "body": body, "metatags": base}, "page.html"


def finish(app: Sphinx, exception: Exception | None) -> None:
    """The sitemap and the cards' pictures, once all pages are there."""
    site = site_of(app)
    if exception or not site or app.builder.format != "html" or app.builder.name != "html":
        return
    pages = sorted(app.env.found_docs)
    places = "".join(f"<url><loc>{escape(f'{site}{page}.html')}</loc></url>\n" for page in pages)
    sitemap = f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{places}</urlset>\n'
    (Path(app.outdir) / "sitemap.xml").write_text(f'<?xml version="1.0" encoding="UTF-8"?>\n{sitemap}', "utf-8")
    for page in pages:
        picture = Path(app.outdir) / card_of(page)
        picture.parent.mkdir(parents=True, exist_ok=True)
        draw_card(picture, app.env.titles[page].astext(), app.config.project)


def draw_card(path: Path, title: str, book: str) -> None:
    """The title in large letters above a gradient that decays, the book's mark."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        fig = Figure(figsize=(CARD[0] / 100, CARD[1] / 100), dpi=100, facecolor="#12263a")
        fig.text(0.06, 0.86, book, color="#7cbcf2", fontsize=26, weight="bold", va="top")
        fig.text(
            0.06,
            0.70,
            "\n".join(wrap(title, 26)),
            color="white",
            fontsize=44,
            weight="bold",
            va="top",
            linespacing=1.25,
        )
        ax = fig.add_axes((0.06, 0.06, 0.88, 0.16), frameon=False, xticks=[], yticks=[])
        ax.bar(range(40), [0.9**k for k in range(40)], color="#ffb454", width=0.7)
        fig.savefig(path, metadata={"Software": None})


def setup(app: Sphinx) -> None:
    app.connect("html-page-context", introduce, priority=550)  # after the description
    app.connect("html-collect-pages", not_found)
    app.connect("build-finished", finish)
