"""A book of a few lines, to see what the directives of the reference pages make of it."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "book" / "_extensions"))


class Built:
    """A small book on disk, the pages it wrote and the warnings of its last build."""

    def __init__(self, root: Path) -> None:
        self.root, self.warnings = root, ""

    def write(self, **texts: str) -> Built:
        for name, text in texts.items():
            path = self.root / "book" / f"{name.replace('__', '/')}.md"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        return self

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
                    "myst_enable_extensions": ["colon_fence", "deflist", "dollarmath"],
                    "html_theme": "basic",
                    "html_math_renderer": "katex-at-build",
                    "primary_domain": None,
                    "nb_execution_mode": "off",
                    **config,
                },
            )
            app.build()
        self.warnings = re.sub(r"\x1b\[\d+(;\d+)*m", "", warnings.getvalue())
        return self

    def page(self, name: str, builder: str = "html") -> str:
        return (self.root / builder / f"{name}.html").read_text("utf-8")


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Built]:
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    return lambda **texts: Built(tmp_path).write(**texts)
