"""Pictures of cells become files beside the page: inside it they would hold up the text above them.

An output is one piece of HTML, so that a notebook shows it anywhere; its PNG pictures are in it as `data:` addresses. A
browser reads a page from its start, and a file it asks for as soon as it sees the name, while it goes on reading.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import struct
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

FOLDER = "_images/cells"
INSIDE = re.compile(r'src="data:image/png;base64,([A-Za-z0-9+/=]+)"')
SMALL = 3000  # bytes, below which asking for a file costs more than it saves
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def place_beside(html: str, page: str, site: Path) -> str:
    """Write the PNG pictures of a page's text as files; return the text that names them, with their sizes."""

    def write(found: re.Match[str]) -> str:
        data = base64.b64decode(found[1])
        if len(data) < SMALL or not data.startswith(SIGNATURE):
            return found[0]
        # Named by its content: a picture that changes has a new address, which no browser has an old copy of.
        name = f"{FOLDER}/{hashlib.sha256(data).hexdigest()[:20]}.png"
        file = site / name
        if not file.is_file():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        address = os.path.relpath(name, os.path.dirname(page) or ".").replace(os.sep, "/")
        width, height = struct.unpack(">II", data[16:24])  # the browser keeps the place free: nothing jumps
        return f'src="{address}" width="{width}" height="{height}" decoding="async"'

    return INSIDE.sub(write, html)


def place_pictures(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    if app.builder.name == "html" and "body" in context:
        context["body"] = place_beside(context["body"], page, Path(app.outdir))


def drop_unused(app: Sphinx, failure: Exception | None) -> None:
    """Remove the files that no page names any more."""
    folder = Path(app.outdir) / FOLDER
    if failure or app.builder.name != "html" or not folder.is_dir():
        return
    named = {name for page in Path(app.outdir).rglob("*.html") for name in
             re.findall(rf"{FOLDER}/(\w+\.png)", page.read_text("utf-8"))}  # fmt: skip
    for file in folder.iterdir():
        if file.name not in named:
            file.unlink()


def setup(app: Sphinx) -> None:
    app.connect("html-page-context", place_pictures)
    app.connect("build-finished", drop_unused)
