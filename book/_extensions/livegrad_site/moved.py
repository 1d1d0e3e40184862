"""Old addresses of pages that moved lead to the new ones: `moved.yml` beside the pages, `old/page: new/page`.

A page that leads on without a script, for hosts that know no redirects; search engines are told the new address.
"""

from __future__ import annotations

import html
from pathlib import Path

import yaml
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.osutil import relative_uri

PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8" />
<meta http-equiv="refresh" content="0; url={to}" />
<meta name="robots" content="noindex" />
<link rel="canonical" href="{canonical}" />
<title>This page has moved</title>
</head>
<body><p>This page has moved: <a href="{to}">{title}</a>.</p></body>
</html>
"""


def moved(app: Sphinx) -> dict[str, str]:
    """Old page → new page. Raises ExtensionError for a goal that is no page, or an old name that is one again."""
    path = Path(app.srcdir) / "moved.yml"
    pairs = (yaml.safe_load(path.read_text("utf-8")) if path.is_file() else None) or {}
    for old, new in pairs.items():
        if new not in app.env.found_docs:
            raise ExtensionError(f"moved.yml: {old} leads to {new}, which is no page of the book")
        if old in app.env.found_docs:
            raise ExtensionError(f"moved.yml: {old} is a page of the book again: take the line out")
    return pairs


def write(app: Sphinx, error: Exception | None) -> None:
    if error or app.builder.name != "html":
        return
    for old, new in moved(app).items():
        to = relative_uri(f"{old}.html", f"{new}.html")
        whole = f"{app.config.html_baseurl}{new}.html" if app.config.html_baseurl else to
        page = PAGE.format(
            to=html.escape(to), canonical=html.escape(whole), title=html.escape(app.env.titles[new].astext())
        )
        file = Path(app.outdir) / f"{old}.html"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(page, "utf-8", newline="\n")


def setup(app: Sphinx) -> None:
    app.connect("build-finished", write)
