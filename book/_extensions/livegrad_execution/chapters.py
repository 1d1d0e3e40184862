"""The project on disk: its folders, and the chapters that have code to execute."""

from __future__ import annotations

import dataclasses
from functools import cached_property
from pathlib import Path

import yaml
from myst_nb.core.config import NbParserConfig
from myst_nb.core.read import create_nb_reader
from myst_parser.config.main import MdParserConfig
from nbformat import NotebookNode
from sphinx_external_toc.parsing import parse_toc_yaml

# What Jupyter Book enables when _config.yml does not say.
DEFAULT_MYST_EXTENSIONS = ["colon_fence", "dollarmath", "linkify", "substitution", "tasklist"]


class Unreadable(Exception):
    """A page cannot be read; the message names its file, the line and, where it is known, the fix."""


@dataclasses.dataclass(frozen=True)
class Project:
    """A book: `_config.yml`, `_toc.yml`, `book/` and `src/` below one folder; results go to `_build/`."""

    root: Path

    @property
    def config(self) -> Path:
        return self.root / "_config.yml"

    @property
    def toc(self) -> Path:
        return self.root / "_toc.yml"

    @property
    def book(self) -> Path:
        return self.root / "book"

    @property
    def src(self) -> Path:
        return self.root / "src"

    @property
    def build(self) -> Path:
        return self.root / "_build"

    @property
    def html(self) -> Path:
        """The last good site."""
        return self.build / "html"

    @property
    def cache(self) -> Path:
        """The executed chapters, each under the key of everything that its outputs depend on."""
        return self.build / "cache"

    @property
    def run_times(self) -> Path:
        return self.build / "run_times.json"

    def myst_config(self) -> MdParserConfig:
        """Return the part of the parser's settings that decides where a code cell begins."""
        settings = yaml.safe_load(self.config.read_text("utf8")) or {}
        extensions = (settings.get("parse") or {}).get("myst_enable_extensions", DEFAULT_MYST_EXTENSIONS)
        return MdParserConfig(enable_extensions=set(extensions))

    def cell_timeout(self) -> int:
        """Return the seconds that one cell may take: `execute: timeout:` in _config.yml."""
        settings = yaml.safe_load(self.config.read_text("utf8")) or {}
        return int((settings.get("execute") or {}).get("timeout", 120))

    def chapters(self) -> list[Chapter]:
        """Return the chapters of the table of contents that have code cells, in its order. Raises Unreadable."""
        toc, myst = parse_toc_yaml(self.toc), self.myst_config()
        chapters = []
        for name in toc:
            if (path := self.book / f"{name}.md").is_file():
                chapter = Chapter(name, path, self.root, myst)
                check_front_matter(path.read_text("utf8"), chapter.file)
                if chapter.cells:
                    chapters.append(chapter)
        return chapters


@dataclasses.dataclass
class Chapter:
    """One page with code: `name` is its place in the table of contents (`activations/mish`)."""

    name: str
    path: Path
    root: Path
    myst: MdParserConfig

    @property
    def file(self) -> str:
        """The path to show to people: relative to the project."""
        return self.path.relative_to(self.root).as_posix()

    @cached_property
    def _parsed(self) -> NotebookNode | None:
        return read_notebook(self.path, self.myst)

    def notebook(self) -> NotebookNode:
        """Return a fresh copy of the cells, not executed."""
        return NotebookNode(read_notebook(self.path, self.myst))

    @property
    def cells(self) -> list[str]:
        """The sources of the code cells."""
        if self._parsed is None:
            return []
        return [cell.source for cell in self._parsed.cells if cell.cell_type == "code"]


def check_front_matter(text: str, file: str) -> None:
    """Refuse what myst-nb would take for a page without code. Raises Unreadable."""
    first, *lines = text.splitlines() or [""]
    if not first.startswith("---"):
        return
    end = next((i for i, line in enumerate(lines) if line.startswith(("---", "..."))), None)
    if end is None:
        raise Unreadable(f"{file}, line 1: the front matter begins here and has no end: close it with a line of ---")
    try:
        metadata = yaml.safe_load("\n".join(lines[:end]))
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date such as 2026-02-30
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 2 if mark else 1
        reason = getattr(error, "problem", None) or str(error).splitlines()[0]
        hint = ": put a value that contains a colon in quotes" if "mapping values" in reason else ""
        raise Unreadable(f"{file}, line {line}: the front matter is not valid YAML ({reason}){hint}") from error
    if not isinstance(metadata, dict):
        raise Unreadable(f"{file}, line 2: the front matter must be lines of the form `key: value`")


def read_notebook(path: Path, myst: MdParserConfig) -> NotebookNode | None:
    """Read a page as Sphinx does; None when it is plain text without a kernel."""
    text = path.read_text("utf8")
    reader = create_nb_reader(str(path), myst, NbParserConfig(), text)
    return reader.read(text) if reader else None
