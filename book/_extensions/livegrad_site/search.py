"""The names under which pages are looked for, for search.js: it puts the page on a topic before pages that mention it.

Names are a page's title and file name, those in `search.yml` beside the pages, and the words of the glossary, whose
translations lead to the entry and to the page that has the entry's name. Sphinx's own search, of all words, stays.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

from .glossary import by_page

NAMES = "search_names.js"


def names(env: BuildEnvironment, address: Any) -> list[tuple[str, str, list[str]]]:
    """(what to show, address, names) of each page and of each entry of the glossary."""
    path = Path(env.srcdir) / "search.yml"
    written = yaml.safe_load(path.read_text("utf-8")) if path.is_file() else {}
    terms = [term for found in by_page(env).values() for term in found]
    translated = {term.name.lower(): term.translations for term in terms}
    entries = []
    for page in sorted(env.found_docs):
        known = [env.titles[page].astext(), page.rpartition("/")[2].replace("_", " "), *map(str, written.get(page, ()))]
        more = [word for name in known for word in translated.get(name.lower(), ())]
        entries.append((known[0], address(page), list(dict.fromkeys(known + more))))
    for term in terms:
        entries.append(
            (f"{term.name} (glossary)", f"{address(term.page)}#{term.anchor}", [term.name, *term.translations])
        )
    return entries


def load_on_search_page(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    if page == "search":
        app.add_js_file(NAMES, loading_method="defer")
        app.add_js_file("search.js", loading_method="defer")


def write(app: Sphinx, error: Exception | None) -> None:
    if error or app.builder.format != "html" or not (Path(app.outdir) / "_static").is_dir():
        return
    found = names(app.env, app.builder.get_target_uri)
    text = f"window.searchNames = {json.dumps(found, ensure_ascii=False, separators=(',', ':'))};\n"
    (Path(app.outdir) / "_static" / NAMES).write_text(text, "utf-8")


def setup(app: Sphinx) -> None:
    app.connect("html-page-context", load_on_search_page)
    app.connect("build-finished", write)
