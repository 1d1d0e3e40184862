"""What folds on a page is a <details>: no script, no jump while the page loads, and the browser's search opens it."""

from __future__ import annotations

import html
from typing import Any

from docutils import nodes
from myst_nb.sphinx_ import HideCodeCellNode
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx_exercise.nodes import is_extension_node


class folded(nodes.General, nodes.Element):
    """An admonition with the class `dropdown`."""


class folded_title(nodes.TextElement):
    """Its title, which stays in sight."""


class UnwrapExercises(SphinxPostTransform):
    """sphinx-exercise wraps every body in a section of one and the same id; ids must be unique, so unwrap them."""

    default_priority = 890
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        for node in list(self.document.findall(is_extension_node)):
            for section in [child for child in node if isinstance(child, nodes.section)]:
                section["ids"].clear()  # else they move to the first child
                section.replace_self(section.children)


class Fold(SphinxPostTransform):
    """Turn admonitions and solutions with the class `dropdown` into `folded` nodes."""

    default_priority = 900
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        for node in list(self.document.findall(nodes.Admonition)):
            if "dropdown" not in node.get("classes", ()):
                continue
            title = next((child for child in node if isinstance(child, nodes.title)), None)
            heading = folded_title("", "", *(title.children if title else [nodes.Text(node.tagname.capitalize())]))
            classes = [c for c in node["classes"] if c != "dropdown"]
            fold = folded("", heading, *(c for c in node if c is not title), ids=node["ids"], classes=classes)
            fold["folded_kind"] = node.tagname
            node["classes"].clear()  # else they are carried over
            node.replace_self(fold)


def visit_folded(writer: Any, node: folded) -> None:
    kind = "" if node["folded_kind"] in ("admonition", "solution_node") else f" {node['folded_kind']}"
    writer.body.append(writer.starttag(node, "details", CLASS=f"admonition lg-fold{kind}"))


def depart_folded(writer: Any, node: folded) -> None:
    writer.body.append("</div></details>\n")


def visit_title(writer: Any, node: folded_title) -> None:
    writer.body.append('<summary class="admonition-title">')


def depart_title(writer: Any, node: folded_title) -> None:
    writer.body.append('</summary><div class="lg-fold-body">\n')


def visit_hidden_cell(writer: Any, node: HideCodeCellNode) -> None:
    # Like myst-nb's own, without the aria-label that hides the summary's text from those who listen to it.
    texts = "".join(
        f'<span class="{when}">{html.escape(node[key])}</span>'
        for when, key in (("collapsed", "prompt_show"), ("expanded", "prompt_hide"))
    )
    classes = " ".join(["lg-cell-fold", *node["classes"]])
    writer.body.append(f'<details class="{classes}">\n<summary>{texts}</summary>\n')


def depart_hidden_cell(writer: Any, node: HideCodeCellNode) -> None:
    writer.body.append("</details>\n")


def setup(app: Sphinx) -> None:
    for extension in ("myst_nb", "sphinx_exercise"):
        app.setup_extension(extension)  # first, for the nodes that they define and we show in another way
    for node, handlers in {
        folded: (visit_folded, depart_folded),
        folded_title: (visit_title, depart_title),
        HideCodeCellNode: (visit_hidden_cell, depart_hidden_cell),
    }.items():
        # "epub" as well: where one extension has handlers of its own for it, Sphinx takes none of "html" for it.
        app.add_node(node, override=True, html=handlers, epub=handlers)
    app.add_post_transform(UnwrapExercises)
    app.add_post_transform(Fold)
