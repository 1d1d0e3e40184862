"""References that our directives make."""

from __future__ import annotations

from docutils import nodes
from sphinx import addnodes
from sphinx.environment import BuildEnvironment


def to_page(env: BuildEnvironment, page: str) -> nodes.Node:
    """A reference to a page that shows its title, to be resolved with those of the text."""
    return addnodes.pending_xref(
        "",
        nodes.inline("", page),
        refdomain="std",
        reftype="doc",
        reftarget=f"/{page}",
        refexplicit=False,
        refdoc=env.docname,
        refwarn=True,
    )
