"""Where the reader stands: a line under each chapter's title, and `{book-map}` for the home page.

The line says how long the chapter takes to read, which chapters it builds on and which ones build on it. What builds
on what is written in `topics.yml` beside the pages.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxDirective

from .references import to_page

# A slow reading of English as a second language, and of code as one follows it line by line.
WORDS_A_MINUTE, LINES_A_MINUTE = 180, 20


class book_map(nodes.General, nodes.Element):
    """Stands for the map until all pages are read."""


class BookMap(SphinxDirective):
    """```{book-map}```: the chapters, part by part, each with its question."""

    def run(self) -> list[nodes.Node]:
        return [book_map()]


def topics(env: BuildEnvironment) -> dict[str, list[str]]:
    """What each chapter builds on; chapters that are not in the book are left out."""
    path = Path(env.srcdir) / "topics.yml"
    written = yaml.safe_load(path.read_text("utf-8")) if path.is_file() else {}
    return {
        page: [n for n in needs if n in env.found_docs] for page, needs in written.items() if page in env.found_docs
    }


def minutes(document: nodes.document) -> int:
    """How long the page takes to read: its prose, and its code without what is folded away."""
    words = lines = 0
    for node in document.findall(nodes.Text):
        if not any(isinstance(above, nodes.FixedTextElement) for above in around(node)):  # code, formulas, pictures
            words += len(node.astext().split())
    for block in document.findall(nodes.literal_block):
        marks = {mark for above in around(block) for mark in above.get("classes", ())}
        if not marks & {"tag_hide-input", "tag_hide-cell", "cell_output"}:
            lines += sum(1 for line in block.astext().splitlines() if line.strip())
    return max(1, round(words / WORDS_A_MINUTE + lines / LINES_A_MINUTE))


def around(node: nodes.Node) -> Iterator[nodes.Element]:
    """The elements that a node lies in, from the inside out."""
    while (node := node.parent) is not None:
        yield node


def sentence(env: BuildEnvironment, opening: str, pages: list[str]) -> list[nodes.Node]:
    """`opening` and the pages, between commas, with a full stop; nothing without pages."""
    shown: list[nodes.Node] = [nodes.Text(f" {opening} ")] if pages else []
    for number, page in enumerate(pages):
        shown += [nodes.Text(", ")] if number else []
        shown.append(to_page(env, page))
    return [*shown, nodes.Text(".")] if pages else []


class Orient(SphinxPostTransform):
    """Puts the line under the title and the map in its place, before references are resolved (priority 10)."""

    default_priority = 5

    def run(self, **kwargs: Any) -> None:
        known = topics(self.env)
        page = self.env.docname
        if page in known and (title := next(self.document.findall(nodes.title), None)):
            time = minutes(self.document)
            words = f"{time} minute{'s' if time > 1 else ''} to read."
            line = nodes.paragraph("", words, classes=["lg-orientation"])
            line += sentence(self.env, "Read before it:", known[page])
            line += sentence(self.env, "Builds on it:", [other for other in known if page in known[other]])
            title.parent.insert(title.parent.index(title) + 1, line)
        for place in list(self.document.findall(book_map)):
            place.replace_self(list(self.parts(known)))

    def parts(self, known: dict[str, list[str]]) -> Iterator[nodes.Node]:
        """Each part of the book: its name, and a list of its chapters with what they are about."""
        root = self.env.get_doctree(self.env.config.root_doc)
        for tree in root.findall(addnodes.toctree):
            pages = [page for _, page in tree["entries"] if page in known]
            if not pages:
                continue
            yield nodes.paragraph("", "", nodes.strong("", tree.get("caption") or ""), classes=["lg-map-part"])
            chapters = nodes.bullet_list(classes=["lg-map"])
            for page in pages:
                about = (self.env.metadata.get(page) or {}).get("description", "")
                lines = [nodes.paragraph("", "", to_page(self.env, page))]
                lines += [nodes.paragraph("", about)] if about else []
                chapters += nodes.list_item("", *lines)
            yield chapters


def with_the_map(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """The home page shows what other pages say of themselves: write it with every build."""
    return [env.config.root_doc]


def setup(app: Sphinx) -> None:
    app.add_node(book_map)
    app.add_directive("book-map", BookMap)
    app.add_post_transform(Orient)
    app.connect("env-updated", with_the_map)
