"""Writes each chapter as a plain notebook: what the page says, in Markdown that every notebook program shows.

It starts from the page as Sphinx resolved it, not from its source: numbers of figures and equations, cross-references,
citations and glued values are then the page's own, and no second parser has to agree with the first.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from docutils import nodes
from nbformat import v4, validate
from nbformat.notebooknode import NotebookNode

from .chapters import Project, read_notebook
from .markdown import Markdown, Piece
from .progress import say, shown
from .repository import colab, published_site, repository

FOLDER = "notebooks"

INSTALL_FROM_GITHUB = """\
# This notebook uses the book's package. The next lines install it where it is missing.
try:
    import livegrad
except ImportError:
    %pip install -q "livegrad[lab] @ git+https://github.com/{slug}"\
"""
INSTALL_FROM_CLONE = """\
# This notebook uses the book's package.
try:
    import livegrad
except ImportError:
    raise ImportError(
        "the package livegrad is missing: in a clone of the book's repository run  pip install '.[lab]'  "
        "and restart this notebook's kernel"
    ) from None\
"""


def first_cell() -> str:
    """Return the cell that makes the package available, or says how; it does nothing where the package is there."""
    slug = repository()
    return INSTALL_FROM_GITHUB.format(slug=slug) if slug else INSTALL_FROM_CLONE


def make_notebook(docname: str, pieces: list[Piece], cells: dict[int, NotebookNode]) -> NotebookNode:
    """Assemble the pieces of a page; `cells` are the chapter's code cells by their index."""
    made = [v4.new_code_cell(first_cell())]
    for piece in pieces:
        if piece.cell_index is None:
            made.append(v4.new_markdown_cell(piece.text))
        else:
            made.append(
                v4.new_code_cell(cells[piece.cell_index].source, metadata=plain_metadata(cells[piece.cell_index]))
            )
    for number, cell in enumerate(made):
        cell["id"] = f"{docname.replace('/', '-').replace('_', '-')}-{number}"[-64:]
    notebook = v4.new_notebook(cells=made)
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    validate(notebook)
    return notebook


def plain_metadata(cell: NotebookNode) -> dict[str, Any]:
    """Keep what notebook programs understand: folded code stays folded."""
    folded = {"hide-input", "hide-cell"} & set(cell.metadata.get("tags", ()))
    return {"jupyter": {"source_hidden": True}} if folded else {}


def offer_notebook(app: Any, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    """Write the page's notebook into the site, and tell the template where: `notebook`, and `notebook_on_colab`."""
    if doctree is None or app.builder.format != "html" or app.builder.name == "epub":
        return
    source = read_notebook(Path(app.env.doc2path(page)), app.env.myst_config)
    cells = {i: cell for i, cell in enumerate(source.cells) if cell.cell_type == "code"} if source else {}
    if not cells:
        return
    writer = Markdown(
        page=page,
        site=published_site(),
        macros=getattr(app.config, "katex_macros", {}) or {},
        numbers=app.env.toc_fignumbers.get(page, {}),
        formats=app.config.numfig_format,
    )
    notebook = make_notebook(page, writer.pieces(doctree), cells)
    path = Path(app.outdir) / FOLDER / f"{page}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n", "utf8")
    context["notebook"] = f"{FOLDER}/{page}.ipynb"
    context["notebook_on_colab"] = colab(page)


def collect(project: Project) -> None:
    """Copy the notebooks out of the site into `_build/notebooks`."""
    target = project.build / FOLDER
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(project.html / FOLDER, target)
    say(f"{len(list(target.rglob('*.ipynb')))} notebooks in {shown(target)}")


def setup(app: Any) -> None:
    """Connect to Sphinx; before livegrad_site makes the buttons (priority 600)."""
    app.connect("html-page-context", offer_notebook, priority=500)
