"""Every chapter is offered as a notebook that says what the page says and runs from top to bottom by itself."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from livegrad_execution import notebooks
from livegrad_execution.cache import BookCache
from livegrad_execution.chapters import Project
from livegrad_execution.dependencies import SourceTree
from livegrad_execution.execute import execute_notebook
from nbformat import NotebookNode

PROJECT = Project(Path(__file__).resolve().parents[2])
CHAPTERS = {chapter.name: chapter for chapter in PROJECT.chapters()}

PAGE = """\
---
jupytext: {text_representation: {extension: .md, format_name: myst}}
kernelspec: {display_name: Python 3, language: python, name: python3}
---
(sec-topic)=
# The *topic*

Let $x \\in \\mathbb{R}$, see {eq}`eq-def`, {numref}`fig-line`, {ref}`sec-more` and {doc}`/index`.

$$f(x) = x^2$$ (eq-def)

```{code-cell} ipython3
---
tags: [hide-input]
mystnb:
  figure: {name: fig-line, caption: "A line."}
---
from IPython.display import HTML
HTML("<svg></svg>")
```

```{code-cell} ipython3
from livegrad.shelf.glue import glue
glue("share", 0.98765)
```

Right in {glue:text}`topic.md::share:.1%` of the cases.

:::{note}
Take care.
:::

(sec-more)=
## More

```{raw} html
<lg-widget></lg-widget>
```

```{literalinclude} ../../src/livegrad/shelf/glue.py
:language: python
```
"""
GLUE = """\
def glue(name, value):
    from IPython.display import display

    prefix = "application/papermill.record/"
    record = {prefix + "text/plain": repr(value)}
    display(record, raw=True, metadata={"scrapbook": {"name": name, "mime_prefix": prefix}})
"""


def read(path: Path) -> NotebookNode:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


def test_a_page_becomes_a_notebook(scratch_book: Callable[..., Any]) -> None:
    book = scratch_book()
    book.write("src/livegrad/shelf/glue.py", GLUE)
    book.page("shelf/topic", PAGE)

    book.build()
    path = book.html / "notebooks/shelf/topic.ipynb"
    local = path.read_text("utf8")
    cells = read(path).cells
    assert [cell.cell_type for cell in cells] == [
        "code",
        "markdown",
        "code",
        "markdown",
        "code",
        "markdown",
        "markdown",
    ]
    assert [cell.id for cell in cells] == [f"shelf-topic-{number}" for number in range(len(cells))]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in cells if cell.cell_type == "code")
    assert cells[0].source == notebooks.INSTALL_FROM_CLONE
    assert cells[1].source == (
        "# The *topic*\n\nLet $x \\in \\mathbb{R}$, see (1), Fig. 1, More and Home.\n\n$$\nf(x) = x^2 \\tag{1}\n$$"
    )
    assert cells[2].metadata.jupyter == {"source_hidden": True}
    assert cells[3].source == "**Fig. 1.** A line."
    assert cells[5].source == "Right in 98.8% of the cases.\n\n> **Note**\n>\n> Take care."
    assert cells[6].source == f"## More\n\n```python\n{GLUE.rstrip()}\n```"

    # Where the repository is known, the notebook installs from it and its links lead to the published site.
    book.build(GITHUB_REPOSITORY="Owner/book")
    cells = read(path).cells
    assert cells[0].source == notebooks.INSTALL_FROM_GITHUB.format(slug="Owner/book")
    assert "[More](https://owner.github.io/book/shelf/topic.html#sec-more)" in cells[1].source
    assert "[Home](https://owner.github.io/book/index.html)" in cells[1].source

    assert book.run("notebooks").returncode == 0
    assert (book.root / "_build/notebooks/shelf/topic.ipynb").read_text("utf8") == local


@pytest.mark.parametrize(
    ("slug", "site", "colab"),
    [
        ("Owner/book", "https://owner.github.io/book/", "https://colab.research.google.com/github/Owner/book/blob/notebooks/a/b.ipynb"),
        ("me/me.github.io", "https://me.github.io/", "https://colab.research.google.com/github/me/me.github.io/blob/notebooks/a/b.ipynb"),
        ("", None, None),
        ("no-slash", None, None),
        ("a/b/c", None, None),
        ("a b/c", None, None),
    ],
)  # fmt: skip
def test_addresses_come_from_the_variable_or_there_are_none(
    monkeypatch: pytest.MonkeyPatch, slug: str, site: str | None, colab: str | None
) -> None:
    monkeypatch.setenv("GITHUB_REPOSITORY", slug)
    assert notebooks.published_site() == site
    assert notebooks.colab("a/b") == colab
    monkeypatch.delenv("GITHUB_REPOSITORY")
    assert notebooks.published_site() is None
    assert notebooks.colab("a/b") is None


@pytest.mark.parametrize("slug", ["", "owner/book"])
def test_the_first_cell_says_what_to_do_where_the_package_is_missing(
    monkeypatch: pytest.MonkeyPatch, slug: str
) -> None:
    """Run the cell as IPython would, in a world without the package; instead of installing, note the request."""
    from IPython.core.inputtransformer2 import TransformerManager

    monkeypatch.setenv("GITHUB_REPOSITORY", slug)
    monkeypatch.setitem(__import__("sys").modules, "livegrad", None)  # makes `import livegrad` raise ImportError
    asked: list[tuple[str, str]] = []

    class Shell:
        def run_line_magic(self, name: str, line: str) -> None:
            asked.append((name, line))

    code = TransformerManager().transform_cell(notebooks.first_cell())
    if slug:
        exec(code, {"get_ipython": Shell})
        assert asked == [("pip", 'install -q "livegrad[lab] @ git+https://github.com/owner/book"')]
    else:
        with pytest.raises(ImportError, match=re.escape("run  pip install '.[lab]'")):
            exec(code, {})


def offered(name: str) -> NotebookNode:
    path = PROJECT.html / "notebooks" / f"{name}.ipynb"
    assert path.is_file(), f"{path} is missing: run `make book` first, as `make test` does"
    return read(path)


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_chapters_notebook_runs_by_itself_and_computes_the_pages_numbers(name: str, tmp_path: Path) -> None:
    notebook = offered(name)
    # The package is importable here, so the first cell installs nothing; every other cell is the chapter's own.
    # No cell may take longer than Colab's patience.
    asyncio.run(execute_notebook(notebook, PROJECT.src, tmp_path, timeout=300))
    cache = BookCache(PROJECT.cache, SourceTree(PROJECT.src))
    page = cache.executed(CHAPTERS[name].notebook())
    assert glued(notebook) == glued(page)


def glued(notebook: NotebookNode) -> dict[str, str]:
    """What the cells recorded, but for times: those two runs never have in common, and pages name them `time_...`."""
    found = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            recorded = output.get("metadata", {}).get("scrapbook")
            if recorded and not recorded["name"].startswith("time_"):
                found[recorded["name"]] = json.dumps(output["data"], sort_keys=True)
    return found


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_chapters_notebook_is_plain_markdown(name: str) -> None:
    for cell in offered(name).cells:
        if cell.cell_type == "markdown":
            prose = re.sub(r"^(`{3,}).*?^\1`*$|`[^`\n]+`", "", cell.source, flags=re.S | re.M)
            assert not re.search(r"\{[a-z:-]+\}`|^:::|^\([\w-]+\)=|^:[\w-]+:", prose, flags=re.M), cell.source
            assert "<lg-" not in prose
