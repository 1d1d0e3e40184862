"""The build that cannot lie: what a page shows is what its code and ours compute now.

As a Sphinx extension it gives the pages their dependencies, the page of run times and the notebooks; as a program
(`python book/_extensions/livegrad_execution book`) it executes the chapters and builds the site.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any


def setup(app: Any) -> dict[str, bool]:
    """Connect to Sphinx."""
    from . import cache, dependencies, driver, links, notebooks, run_times

    src = Path(app.srcdir).parent / "src"
    tree = dependencies.SourceTree(src)
    scratch = Path(app.srcdir).parent / "_build" / "scratch"
    cache.install(tree, partial(driver.execute_for_sphinx, src=src, scratch=scratch))

    def note_dependencies(app: Any, docname: str, source: list[str]) -> None:
        """Tell Sphinx to read the page again when a file changes that its cells depend on."""
        for path in tree.needed_by(code_cells(source[0], app.env)):
            app.env.note_dependency(str(path))

    app.connect("source-read", note_dependencies)
    app.connect("env-updated", pages_with_old_titles)
    app.add_directive("run-times", run_times.RunTimes)
    notebooks.setup(app)
    links.setup(app)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def pages_with_old_titles(app: Any, env: Any) -> list[str]:
    """Have every page written again when a title changed: each shows all of them at its side."""
    titles = {page: title.astext() for page, title in env.titles.items()}
    changed = titles != getattr(env, "livegrad_titles", titles)
    env.livegrad_titles = titles
    return sorted(titles) if changed else []


def code_cells(text: str, env: Any) -> list[str]:
    """Return the code cells of a page; none when it is plain text."""
    from myst_nb.core.read import is_myst_markdown_notebook, read_myst_markdown_notebook

    if not is_myst_markdown_notebook(text):
        return []
    notebook = read_myst_markdown_notebook(text, config=env.myst_config)
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]
