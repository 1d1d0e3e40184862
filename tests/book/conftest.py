"""Books of a few lines, each in a folder of its own: built by the whole driver, or by Sphinx and our site alone."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

ROOT = Path(__file__).resolve().parents[2]
EXTENSIONS = ROOT / "book" / "_extensions"
DRIVER = EXTENSIONS / "livegrad_execution"
sys.path.insert(0, str(EXTENSIONS))

HEAD = """\
---
jupytext: {text_representation: {extension: .md, format_name: myst}}
kernelspec: {display_name: Python 3, language: python, name: python3}
---
"""
CONFIG = """\
title: Scratch
only_build_toc_files: true
execute: {execute_notebooks: cache, timeout: 30, stderr_output: error}
parse: {myst_enable_extensions: [amsmath, colon_fence, deflist, dollarmath]}
sphinx:
  recursive_update: true
  local_extensions: {livegrad_execution: EXTENSIONS}
  config:
    html_static_path: [_assets]
    html_css_files: [site.css]
"""


class ScratchBook:
    """Writes files, runs the build, reads what came of it."""

    def __init__(self, root: Path, extra_config: str = "") -> None:
        self.root = root
        self.html = root / "_build" / "html"
        self.pages: list[str] = []
        self.write("_config.yml", CONFIG.replace("EXTENSIONS", str(EXTENSIONS)) + extra_config)
        self.write("book/index.md", "# Home\n\nA book.\n")
        self.write("book/_assets/site.css", "p { color: black }\n")
        self.write("src/livegrad/__init__.py", "")
        self.write("src/livegrad/shelf/__init__.py", "")
        self._write_toc()

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf8")
        return path

    def edit(self, name: str, old: str, new: str) -> None:
        text = (self.root / name).read_text("utf8")
        assert old in text, f"{name} does not contain {old!r}"
        self.write(name, text.replace(old, new))

    def page(self, name: str, text: str) -> None:
        """Add a page; a cell in it is a fence that begins with ```{code-cell}."""
        self.write(f"book/{name}.md", text)
        self.pages.append(name)
        self._write_toc()

    def chapter(self, name: str, code: str, prose: str = "Prose.") -> None:
        """Add a chapter with one code cell, in line 10 of its file."""
        self.page(name, f"{HEAD}# Title of {name}\n\n{prose}\n\n\n```{{code-cell}} ipython3\n{code}\n```\n")

    def _write_toc(self) -> None:
        lines = "".join(f"- file: {name}\n" for name in self.pages)
        self.write("_toc.yml", "format: jb-book\nroot: index\n" + ("chapters:\n" + lines if lines else ""))

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, str(DRIVER), *arguments, "--root", str(self.root)]

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the driver (`book` by default)."""
        env = {name: value for name, value in os.environ.items() if name not in ("GITHUB_REPOSITORY", "JOBS")}
        return subprocess.run(
            self.command(*(arguments or ("book",))),
            env=env | {"PYTHONIOENCODING": "utf8"} | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf8",
            check=False,
        )

    def build(self, *arguments: str, **environment: str) -> list[str]:
        """Build, insist that it went well, and return the names of the chapters that were executed."""
        done = self.run(*arguments, **environment)
        assert done.returncode == 0, done.stdout
        return executed(done.stdout)

    def text(self, name: str) -> str:
        """Return the text of a published page, without its markup."""
        return re.sub(r"<[^>]*>", "", (self.html / f"{name}.html").read_text("utf8"))


def executed(output: str) -> list[str]:
    """Return the names of the chapters that the build says it executed, sorted."""
    return sorted(re.findall(r"^  executing (\S+)", output, flags=re.M))


@pytest.fixture
def scratch_book(tmp_path: Path) -> Callable[..., ScratchBook]:
    """Make a book with a home page and an empty package."""
    return lambda name="book", extra_config="": ScratchBook(tmp_path / name, extra_config)


class Built:
    """A small book on disk, its pages and the warnings of its last build."""

    def __init__(self, root: Path) -> None:
        self.root, self.warnings, self.read = root, "", []  # type: ignore[var-annotated]

    def build(self, builder: str = "html", **config: Any) -> Built:
        warnings = io.StringIO()
        with docutils_namespace():
            app = Sphinx(
                self.root / "book",
                None,
                self.root / builder,
                self.root / "doctrees",
                builder,
                status=None,
                warning=warnings,
                confoverrides={
                    "extensions": ["myst_nb", "livegrad_site"],
                    "myst_enable_extensions": ["amsmath", "dollarmath"],
                    "html_theme": "basic",
                    "html_math_renderer": "katex-at-build",
                    "primary_domain": None,
                    "numfig": True,
                    "nb_execution_mode": "off",
                    **config,
                },
            )
            self.read = []
            app.connect("source-read", lambda app, page, source: self.read.append(page))
            app.build()
        self.warnings = re.sub(r"\x1b\[\d+(;\d+)*m", "", warnings.getvalue())
        return self

    def page(self, name: str = "index", builder: str = "html") -> str:
        return (self.root / builder / f"{name}.html").read_text("utf-8")


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Built]:
    """Pages by name, built by Sphinx with our site extension alone: `book(index="# T").build().page()`."""
    from livegrad_site import modules

    package = tmp_path / "src" / "livegrad"
    (package / "shelf").mkdir(parents=True)
    (package / "shelf" / "topic.py").write_bytes("# σ < 1 & more\nvalue = 1\n".encode())
    monkeypatch.setattr(modules, "PACKAGE", package)
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)

    def write(**texts: str) -> Built:
        for name, text in texts.items():
            path = tmp_path / "book" / f"{name.replace('__', '/')}.md"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        return Built(tmp_path)

    return write
