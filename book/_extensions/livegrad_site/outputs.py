"""Two switches under a chapter's title: one hides all that its cells put out, one opens all code that is folded.

They stand in the page from the start, so that nothing moves when reading.js comes. Where no scripts run, the theme's
class keeps them out of sight. Reference pages have none: their outputs are what they are there for.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from myst_nb.sphinx_ import HideCodeCellNode
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

OUTPUTS = '<button type="button" class="lg-switch lg-switch-outputs" aria-pressed="false">Hide all outputs</button>'
CODE = '<button type="button" class="lg-switch lg-switch-code" aria-pressed="false">Open all folded code</button>'


class switches(nodes.General, nodes.Element):
    """Without a text of its own: the search would find it on every page."""


class OfferSwitches(SphinxPostTransform):
    """Runs after the line under the title is there (orientation.py) and myst-nb has folded the code (priority 199)."""

    default_priority = 210
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        line = next((p for p in self.document.findall(nodes.paragraph) if "lg-orientation" in p["classes"]), None)
        if line is None or not any("cell_output" in c["classes"] for c in self.document.findall(nodes.container)):
            return
        folds = next(self.document.findall(HideCodeCellNode), None) is not None
        line.parent.insert(line.parent.index(line) + 1, switches("", buttons=[OUTPUTS, CODE] if folds else [OUTPUTS]))


def visit_switches(writer: Any, node: switches) -> None:
    writer.body.append(f'<div class="lg-switches pst-js-only">{"".join(node["buttons"])}</div>\n')
    raise nodes.SkipNode


def leave_out(writer: Any, node: switches) -> None:
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    app.setup_extension("myst_nb")
    app.add_node(switches, html=(visit_switches, None), epub=(leave_out, None))
    app.add_post_transform(OfferSwitches)
