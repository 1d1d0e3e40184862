"""Turns the executed chapters into the site, beside the one that is published, and swaps the two when all went well."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from .cache import versions
from .chapters import Project


class SiteFailed(Exception):
    """Sphinx found something that must not be published; it has said what."""


class Workshop:
    """`_build/site`: where Sphinx works, from one build to the next.

    Sphinx reports a page's warnings only when it reads the page, so a build after a failed one would find nothing
    to complain about. The mark is therefore taken away when a build starts, put back when it succeeds, and without
    it everything is read anew (nothing is executed anew: that is the cache's business).
    """

    def __init__(self, project: Project, draft: bool = False) -> None:
        self.project, self.draft = project, draft
        self.folder = project.build / ("draft" if draft else "site")
        self.html = self.folder / "html"
        self.mark = self.folder / "complete"
        self.all_pages = False

    def prepare(self) -> None:
        """Throw away what the last build left that this one cannot use."""
        state, look = self._state(), self._look()
        known = self.mark.read_text("utf8").split() if self.mark.is_file() else ["", ""]
        self.mark.unlink(missing_ok=True)
        if known[0] != state:
            shutil.rmtree(self.folder, ignore_errors=True)
        elif known[1] != look:  # every page names its style sheets with their checksums
            self.all_pages = True
            if not self.draft:  # a draft is being served
                shutil.rmtree(self.html, ignore_errors=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._pending = f"{state} {look}"

    def run_sphinx(self, builder: str = "html", not_executed: Iterable[str] = ()) -> None:
        """Build the pages that changed. Raises SiteFailed on any warning, except for a draft.

        The pages `not_executed` are shown without outputs.
        """
        from jupyter_book.sphinx import build_sphinx
        from sphinx.util.console import color_terminal, nocolor

        if not color_terminal():
            nocolor()
        project = self.project
        settings = {
            "external_toc_path": str(project.toc),
            "nb_execution_cache_path": str(project.cache),
            "nb_execution_mode": "cache",
            "latex_individualpages": False,
            "nitpicky": True,
            "nb_execution_excludepatterns": sorted(f"{name}.md" for name in not_executed),
        }
        result = build_sphinx(
            project.book,
            self.folder / builder,
            builder=builder,
            force_all=self.all_pages,
            doctreedir=self.folder / "doctrees",
            noconfig=True,
            path_config=project.config,
            confoverrides=settings,
            warningiserror=not self.draft,
            keep_going=not self.draft,
            quiet=True,
        )
        if isinstance(result, KeyboardInterrupt | OSError):
            raise result
        if result:
            raise SiteFailed
        self.mark.write_text(self._pending, "utf8")

    def _state(self) -> str:
        """Fingerprint of what Sphinx does not see change, and on which every page may depend."""
        project = self.project
        files = [
            project.config,
            project.toc,
            project.root / "requirements.txt",
            *project.book.glob("*.bib"),
            *project.book.glob("*.yml"),
        ]
        files += (project.book / "_extensions").rglob("*.[pc]*")
        settings = (os.environ.get("GITHUB_REPOSITORY", ""), versions())
        return fingerprint(project.root, files, repr(settings))

    def _look(self) -> str:
        """Fingerprint of templates and assets, which every page shows."""
        project = self.project
        files = [*(project.book / "_assets").rglob("*"), *(project.book / "_templates").rglob("*")]
        return fingerprint(project.root, [*files, project.root / "package-lock.json"])


def fingerprint(root: Path, files: Iterable[Path], more: str = "") -> str:
    """Return a digest of the files' names and contents."""
    digest = hashlib.sha256(more.encode())
    for path in sorted(files):
        if path.is_file() and "__pycache__" not in path.parts:
            content = path.read_bytes()
            digest.update(f"{path.relative_to(root).as_posix()} {len(content)}\n".encode())
            digest.update(content)
    return digest.hexdigest()


def recover(html: Path) -> None:
    """Put things right after a build that was killed between the two renames of `publish`."""
    old = html.with_name("html.old")
    if old.exists() and not html.exists():
        old.rename(html)
    for leftover in (old, html.with_name("html.new")):
        shutil.rmtree(leftover, ignore_errors=True)


def publish(finished: Path, html: Path) -> None:
    """Replace the site `html` by a copy of `finished`, by renaming."""
    new, old = html.with_name("html.new"), html.with_name("html.old")
    shutil.copytree(finished, new, ignore=shutil.ignore_patterns(".buildinfo", ".doctrees"))
    if html.exists():
        html.rename(old)
    new.rename(html)
    shutil.rmtree(old, ignore_errors=True)
