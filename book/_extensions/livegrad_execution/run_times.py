"""How long the chapters took, and with which versions: written by the driver, shown by `{run-times}`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from sphinx import addnodes
from sphinx.util.docutils import SphinxDirective

from .cache import versions


def read_run_times(path: Path) -> dict[str, Any]:
    """Return {"seconds": {chapter: seconds}, "versions": {name: version}}, empty if nothing was recorded."""
    try:
        return json.loads(path.read_text("utf8"))
    except (OSError, ValueError):
        return {"seconds": {}, "versions": {}}


def write_run_times(path: Path, seconds: dict[str, float]) -> None:
    """Record the times; the file is left alone when it says the same already, so that its page is not rebuilt."""
    text = json.dumps({"seconds": seconds, "versions": versions()}, indent=1)
    if not path.is_file() or path.read_text("utf8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf8")


class RunTimes(SphinxDirective):
    """```{run-times}```: the run time of every chapter, and the versions that computed the numbers."""

    has_content = False
    option_spec: ClassVar[dict[str, Any]] = {}

    def run(self) -> list[nodes.Node]:
        path = Path(self.env.srcdir).parent / "_build" / "run_times.json"
        self.env.note_dependency(str(path))
        recorded = read_run_times(path)
        if not recorded["seconds"]:
            return [nodes.paragraph("", "No chapter has been executed yet.")]
        times = [(self._page(name), f"{value:.1f}") for name, value in recorded["seconds"].items()]
        times.append((nodes.paragraph("", "All chapters"), f"{sum(recorded['seconds'].values()):.1f}"))
        used = [(nodes.paragraph("", name), version) for name, version in recorded["versions"].items()]
        return [table(("Chapter", "Seconds"), times), table(("Computed with", "Version"), used)]

    def _page(self, name: str) -> nodes.Node:
        link = addnodes.pending_xref(
            "", nodes.inline("", name), refdomain="std", reftype="doc", reftarget=f"/{name}", refexplicit=False,
            refdoc=self.env.docname, refwarn=True,
        )  # fmt: skip
        return nodes.paragraph("", "", link)


def table(head: tuple[str, str], rows: list[tuple[nodes.Node, str]]) -> nodes.table:
    """Make a table of two columns, the second for figures."""
    group = nodes.tgroup("", nodes.colspec(colwidth=3), nodes.colspec(colwidth=1), cols=2)
    first, second = (nodes.entry("", nodes.paragraph("", text)) for text in head)
    group += nodes.thead("", nodes.row("", first, second))
    body = nodes.tbody()
    for cell, text in rows:
        body += nodes.row("", nodes.entry("", cell), nodes.entry("", nodes.paragraph("", text)))
    group += body
    return nodes.table("", group, classes=["run-times"])
