"""Each page's head and head line: description, address, late scripts, and buttons that lead somewhere."""

from __future__ import annotations

import html
import re
from importlib.metadata import version
from typing import Any
from urllib.parse import quote

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config

from .paths import repository

LONGEST_DESCRIPTION = 155  # what search engines show
# search.html calls into these two while it is read; everywhere else all scripts can wait.
NEEDED_BY_SEARCH = ("_static/doctools.js", "_static/sphinx_highlight.js")


def publish_from(app: Sphinx, config: Config) -> None:
    """Buttons to the repository and canonical addresses, where the repository is known."""
    repo = repository()
    if not repo:
        return
    config.html_theme_options = {
        **config.html_theme_options,
        "repository_url": repo.url,
        "repository_branch": "main",
        "path_to_docs": "book",
        "use_repository_button": True,
        "use_issues_button": True,
        "use_edit_page_button": True,
    }
    # Sphinx derives <link rel="canonical"> from it.
    config.html_baseurl = config.html_baseurl or repo.site


def say_versions(app: Sphinx, config: Config) -> None:
    """Under every page: with which torch its cells ran, since the build stops where one raises."""
    if config.html_theme != "sphinx_book_theme":  # the one whose footer has a place for it
        return
    release = version("torch").partition("+")[0]
    text = f'<p class="lg-verified">Verified with torch {release}: all cells ran when this book was built.</p>'
    config.html_theme_options = {**config.html_theme_options, "extra_footer": text}


def description(metadata: dict[str, Any], doctree: nodes.document | None) -> str:
    """The page's front matter `description`, or else its first plain sentences."""
    if metadata.get("description"):
        return str(metadata["description"])
    for paragraph in doctree.findall(nodes.paragraph) if doctree else ():
        text = re.sub(r"\s+", " ", paragraph.astext()).strip()
        if len(text) > 40 and not next(paragraph.findall(nodes.math), None):
            return text if len(text) <= LONGEST_DESCRIPTION else text[:LONGEST_DESCRIPTION].rsplit(" ", 1)[0] + "…"
    return ""


def describe(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    text = description(app.env.metadata.get(page) or {}, doctree)
    if not text:
        text = f"{plain(context.get('title', '')) or page.capitalize()}: a page of the book {app.config.project}"
    # docutils has written its own <meta name="description"> if the front matter had a block for it: one is enough.
    if 'name="description"' not in context.get("metatags", ""):
        context["metatags"] = (
            f'{context.get("metatags", "")}\n<meta name="description" content="{html.escape(text, quote=True)}" />'
        )


def plain(title: str) -> str:
    """A page's title as Sphinx hands it to templates, without its markup."""
    return html.unescape(re.sub(r"<[^>]*>", "", title))


def mend_roles(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Drop two roles of the bibliography: one withdrawn from ARIA, and a list's around what are no items."""
    if "body" in context:
        body = context["body"].replace(' role="doc-biblioentry"', "")
        context["body"] = body.replace('<div role="list" class="citation-list">', '<div class="citation-list">')


def defer_scripts(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Let no script hold up the page."""
    for script in context.get("script_files", []):  # the objects are shared by all pages: set and take back
        name = str(getattr(script, "filename", None) or "")
        if not name or name == "_static/documentation_options.js":
            continue
        if page == "search" and name in NEEDED_BY_SEARCH:
            script.attributes.pop("defer", None)
        else:
            script.attributes.setdefault("defer", "defer")


def offer_notebook(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Buttons for the notebook of the page: livegrad_execution says where it lies, and where Colab finds it."""
    buttons = []
    if path := context.get("notebook"):
        url = context["pathto"](path, 1)
        buttons.append((url, "fas fa-download", "Download this page as a notebook", "notebook"))
    if url := context.get("notebook_on_colab"):
        buttons.append((url, "fas fa-rocket", "Open in Colab", "colab"))
    context.setdefault("header_buttons", []).extend(
        {"type": "link", "url": url, "icon": icon, "tooltip": tooltip, "label": label}
        for url, icon, tooltip, label in buttons
    )


def ask_where(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Lead the button for issues to the form for mistakes, with the page filled in; reading.js adds the section."""
    repo = repository()
    buttons = list(context.get("header_buttons", ()))
    while repo and buttons:
        button = buttons.pop()
        buttons += button.get("buttons", ())
        if "/issues/new" in button.get("url", ""):
            button["url"] = f"{repo.url}/issues/new?template=mistake.yml&where={quote(page)}"
            button["tooltip"] = "Report a mistake on this page"


def setup(app: Sphinx) -> None:
    # Jupyter Book's defaults set it; sphinx_comments, which would declare it, is left out.
    app.add_config_value("comments_config", {}, "html", types=dict)
    app.connect("config-inited", publish_from)
    app.connect("config-inited", say_versions)
    app.connect("html-page-context", describe)
    app.connect("html-page-context", mend_roles)
    app.connect("html-page-context", offer_notebook, priority=600)
    app.connect("html-page-context", ask_where, priority=600)
    app.connect("html-page-context", defer_scripts, priority=900)
