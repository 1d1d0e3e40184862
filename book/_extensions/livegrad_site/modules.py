"""`{module} activations/mish`: the file that borrowers copy, shown as it stands, to be copied or downloaded."""

from __future__ import annotations

import html
import os
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from .paths import PACKAGE, ROOT, repository

log = logging.getLogger(__name__)

# Where the copies of the files lie in the site: code/activations/mish.py. Others link to these addresses: keep them.
FOLDER = "code"


class module(nodes.General, nodes.Element):
    """A shelf module on a page; its only child is the source as a literal block."""


class module_link(nodes.General, nodes.Inline, nodes.TextElement):
    """A link to the copy of the module `name`, or to the repository where that is known."""


class ModuleDirective(SphinxDirective):
    """Includes `src/livegrad/<shelf>/<topic>.py`, whole."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        name = self.arguments[0]
        if not re.fullmatch(r"[a-z_]+/[a-z_0-9]+", name):
            log.warning("module must be named shelf/topic, got %r", name, location=self.get_location())
            return []
        path = PACKAGE / f"{name}.py"
        # Also when the file is missing: the page is then read again as soon as it appears.
        self.env.note_dependency(str(path))
        if not path.is_file():
            log.warning("module %r: there is no file src/livegrad/%s.py", name, name, location=self.get_location())
            return []
        block = nodes.literal_block(path.read_text("utf-8"), path.read_text("utf-8"), language="python")
        # Prose is translated, files are not: gettext leaves the block alone.
        block["translatable"] = False
        self.set_source_info(block)
        node = module("", block, name=name)
        self.set_source_info(node)
        return [node]


def offered(builder: Any) -> bool:
    """Whether the builder makes a site, where files can be copied and downloaded."""
    return builder.name in ("html", "dirhtml")


def address(writer: Any, name: str) -> str:
    """Where the copy of the file lies, seen from the page that is being written."""
    here = os.path.dirname(writer.builder.get_target_uri(writer.builder.current_docname))
    return os.path.relpath(f"{FOLDER}/{name}.py", here or ".").replace(os.sep, "/")


def visit_html(writer: Any, node: module) -> None:
    if not offered(writer.builder):
        return
    name = node["name"]
    path = f"src/livegrad/{name}.py"
    links = [f'<a class="lg-module-raw" href="{html.escape(address(writer, name))}" download>Download the file</a>']
    repo = repository()
    if repo:
        shelf, topic = name.split("/")
        test = f"tests/{shelf}/test_{topic}.py"
        links.append(f'<a href="{repo.url}/blob/main/{path}">On GitHub</a>')
        if (ROOT / test).is_file():
            links.append(f'<a href="{repo.url}/blob/main/{test}">Its test</a>')
    writer.body.append(
        # The id is what the names of the file link to in other chapters (code_links.py).
        f'<figure class="lg-module" id="livegrad.{name.replace("/", ".")}" data-module="{html.escape(name)}">'
        f'<figcaption><code class="lg-module-path">{html.escape(path)}</code>'
        f'<span class="lg-module-links">'
        # Hidden until site.js is there to answer it.
        f'<button type="button" class="lg-module-copy" hidden>Copy the file</button>{"".join(links)}'
        f"</span></figcaption>\n"
    )


def depart_html(writer: Any, node: module) -> None:
    if offered(writer.builder):
        writer.body.append("</figure>\n")


def visit_link(writer: Any, node: module_link) -> None:
    if not offered(writer.builder):
        return
    repo = repository()
    url = f"{repo.url}/blob/main/src/livegrad/{node['name']}.py" if repo else address(writer, node["name"])
    writer.body.append(f'<a href="{html.escape(url)}">')


def depart_link(writer: Any, node: module_link) -> None:
    if offered(writer.builder):
        writer.body.append("</a>")


def pass_through(writer: Any, node: nodes.Element) -> None:
    """Builders without buttons (PDF, gettext) show the source alone."""


def copy_files(app: Sphinx, failure: Exception | None) -> None:
    """Offer every shelf module of the book as a file of the site, byte for byte."""
    if failure or not offered(app.builder):
        return
    for name in sorted({n for names in getattr(app.env, "livegrad_modules", {}).values() for n in names}):
        target = Path(app.outdir) / FOLDER / f"{name}.py"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((PACKAGE / f"{name}.py").read_bytes())


def collect(app: Sphinx, doctree: nodes.document) -> None:
    by_page = app.env.__dict__.setdefault("livegrad_modules", {})
    by_page[app.env.docname] = [node["name"] for kind in (module, module_link) for node in doctree.findall(kind)]


def forget(app: Sphinx, env: Any, page: str) -> None:
    env.__dict__.setdefault("livegrad_modules", {}).pop(page, None)


def merge(app: Sphinx, env: Any, pages: set[str], other: Any) -> None:
    env.__dict__.setdefault("livegrad_modules", {}).update(
        {page: names for page, names in getattr(other, "livegrad_modules", {}).items() if page in pages}
    )


def setup(app: Sphinx) -> None:
    plain = (pass_through, pass_through)
    others = dict.fromkeys(("latex", "text", "man", "texinfo"), plain)
    for node, handlers in {module: (visit_html, depart_html), module_link: (visit_link, depart_link)}.items():
        app.add_node(node, html=handlers, epub=handlers, **others)
    app.add_directive("module", ModuleDirective)
    app.connect("doctree-read", collect)
    app.connect("env-purge-doc", forget)
    app.connect("env-merge-info", merge)
    app.connect("build-finished", copy_files)
