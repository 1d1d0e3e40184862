"""How long the chapters took, when, and with which versions: written by the driver, shown by `{run-times}`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from sphinx import addnodes
from sphinx.util.docutils import SphinxDirective

from .cache import versions


def read_run_times(path: Path) -> dict[str, Any]:
    """Return {"seconds": {chapter: seconds}, "days": {chapter: day}, "versions": {name: version}}, empty at first."""
    try:
        return json.loads(path.read_text("utf8"))
    except (OSError, ValueError):
        return {"seconds": {}, "days": {}, "versions": {}}


def write_run_times(path: Path, seconds: dict[str, float], days: dict[str, str]) -> None:
    """Record the times; the file is left alone when it says the same already, so that its page is not rebuilt."""
    text = json.dumps({"seconds": seconds, "days": days, "versions": versions()}, indent=1)
    if not path.is_file() or path.read_text("utf8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf8")


class RunTimes(SphinxDirective):
    """```{run-times}```: run time and last execution of every chapter, and the versions that computed the numbers."""

    has_content = False
    option_spec: ClassVar[dict[str, Any]] = {}

    def run(self) -> list[nodes.Node]:
        path = Path(self.env.srcdir).parent / "_build" / "run_times.json"
        self.env.note_dependency(str(path))
        recorded = read_run_times(path)
        if not recorded["seconds"]:
            return [nodes.paragraph("", "No chapter has been executed yet.")]
        days = recorded["days"]
        times = [(self._page(name), f"{value:.1f}", days[name]) for name, value in recorded["seconds"].items()]
        whole = sum(recorded["seconds"].values())
        times.append((nodes.paragraph("", "All chapters"), f"{whole:.1f}", min(days.values(), default="")))
        used = [(nodes.paragraph("", name), version) for name, version in recorded["versions"].items()]
        return [table(("Chapter", "Seconds", "Last executed"), times), table(("Computed with", "Version"), used)]

    def _page(self, name: str) -> nodes.Node:
        link = addnodes.pending_xref(
            "", nodes.inline("", name), refdomain="std", reftype="doc", reftarget=f"/{name}", refexplicit=False,
            refdoc=self.env.docname, refwarn=True,
        )  # fmt: skip
        return nodes.paragraph("", "", link)


def table(head: tuple[str, ...], rows: Sequence[tuple[nodes.Node, *tuple[str, ...]]]) -> nodes.table:
    """Make a table whose first column holds nodes and the others short texts, such as figures."""
    widths = (3, *(1 for _ in head[1:]))
    group = nodes.tgroup("", *(nodes.colspec(colwidth=width) for width in widths), cols=len(head))
    group += nodes.thead("", nodes.row("", *(nodes.entry("", nodes.paragraph("", text)) for text in head)))
    body = nodes.tbody()
    for first, *texts in rows:
        cells = (first, *(nodes.paragraph("", text) for text in texts))
        body += nodes.row("", *(nodes.entry("", cell) for cell in cells))
    group += body
    return nodes.table("", group, classes=["run-times"])
