"""What a link to another page shows on hover: the title of that page and what it is about.

The glossary's own links show their definition, a citation its entry: what has a preview keeps it. A title or
description that changed is shown by the other pages when they are written again.
"""

from __future__ import annotations

import posixpath
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

from .orientation import around
from .pages import plain


class PreviewPages(SphinxPostTransform):
    """Runs after the glossary's transform, which gives its own links their definitions."""

    default_priority = 30
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        folder = posixpath.dirname(self.env.docname)
        for link in self.document.findall(nodes.reference):
            address = link.get("refuri", "").partition("#")[0]
            if link.get("reftitle") or not link.get("internal") or not address.endswith(".html"):
                continue
            if any("lg-map" in above.get("classes", ()) for above in around(link)):  # the map says it in sight
                continue
            page = posixpath.normpath(posixpath.join(folder, address)).removesuffix(".html")
            title = self.env.titles.get(page)
            if title is None or page == self.env.docname:
                continue
            about = (self.env.metadata.get(page) or {}).get("description", "")
            link["reftitle"] = ": ".join(filter(None, (plain(title.astext()), about)))


def setup(app: Sphinx) -> None:
    app.add_post_transform(PreviewPages)
