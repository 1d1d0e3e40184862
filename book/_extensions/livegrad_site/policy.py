"""Each page's content security policy: scripts of the site alone, and nothing from another host.

Hosts of static pages send no headers of ours, so the policy stands in the page, before all else. The scripts that the
theme writes into pages are named by their hashes; any other script in a page is not run.
"""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

from sphinx.application import Sphinx

MARK = '<meta http-equiv="Content-Security-Policy"'
INLINE = re.compile(r"<script(?![^>]*\bsrc=)(?![^>]*application/(?:ld\+)?json)[^>]*>(.*?)</script>", re.DOTALL)
HEAD = re.compile(r"<head[^>]*>")


def policy(page: str) -> str:
    """The policy for a page with these scripts in it.

    Styles may stand in elements, since formulas and figures have theirs there. Workers start from a blob: only so do
    they run on pages that are opened from a folder.
    """
    hashes = sorted({base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in INLINE.findall(page)})
    return "; ".join(
        [
            "default-src 'none'",
            " ".join(["script-src 'self'", *(f"'sha256-{digest}'" for digest in hashes)]),
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data:",
            "font-src 'self' data:",
            "connect-src 'self'",
            "worker-src blob:",
            "base-uri 'self'",
            "form-action 'self'",
        ]
    )


def protect(page: str) -> str:
    """The page with its policy, which is the first thing in its head."""
    if MARK in page:
        return page
    return HEAD.sub(lambda found: f'{found[0]}\n    {MARK} content="{policy(page)}" />', page, count=1)


def write(app: Sphinx, error: Exception | None) -> None:
    if error or app.builder.name != "html":
        return
    for file in Path(app.outdir).rglob("*.html"):
        if "_static" not in file.parts:
            page = file.read_text("utf-8")
            if (safe := protect(page)) != page:
                file.write_text(safe, "utf-8", newline="\n")


def setup(app: Sphinx) -> None:
    app.connect("build-finished", write, priority=900)  # after those that write pages
