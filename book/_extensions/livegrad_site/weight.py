"""After a build, what the pages do not use leaves the site; again only when a page, sheet or script changed."""

from __future__ import annotations

import hashlib
import html
import json
import shutil
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

from . import icons, styles

UNUSED = ("*.map", "*.mjs", "explorables/dev.html", "fontawesome.js", "fontawesome.js.LICENSE.txt", "webfonts/*.ttf")


class Memory:
    """What the build before left behind: the sheets that pages ask for, and the state that was trimmed."""

    def __init__(self, app: Sphinx) -> None:
        self.file = Path(app.doctreedir) / "weight.json"
        kept = json.loads(self.file.read_text("utf-8")) if self.file.is_file() else {}
        self.sheets: list[str] = kept.get("sheets", [])
        self.digest: str = kept.get("digest", "")

    def save(self) -> None:
        self.file.write_text(json.dumps({"sheets": self.sheets, "digest": self.digest}), "utf-8")


def link_sheet(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Note the sheets that the page asks for; layout.html links the one that `trim` makes of them."""
    names = [str(getattr(sheet, "filename", sheet)) for sheet in context["css_files"]]
    app.livegrad_sheets = styles.THEME + names  # type: ignore[attr-defined]  # the same for every page
    context["book_css"] = styles.BUNDLE


def refresh_assets(app: Sphinx, site: Path) -> None:
    """Sphinx copies static files only along with a changed page: copy ours always."""
    for folder in app.config.html_static_path:
        source = Path(app.confdir, folder)
        for file in source.rglob("*"):
            target = site / "_static" / file.relative_to(source)
            if target.is_file() and target.parent == site / icons.FORMULAS:
                continue  # cut already
            if file.is_file() and (not target.is_file() or target.read_bytes() != file.read_bytes()):
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, target)


def trim(app: Sphinx, failure: Exception | None) -> None:
    if failure or app.builder.name not in ("html", "dirhtml", "singlehtml"):
        return
    site = Path(app.outdir)
    refresh_assets(app, site)
    for pattern in UNUSED:
        for file in list((site / "_static").rglob(pattern)):
            file.unlink()
    memory = Memory(app)
    memory.sheets = getattr(app, "livegrad_sheets", memory.sheets)  # unset where no page was written
    sheets = [sheet for sheet in memory.sheets if (site / sheet).is_file()]
    readers = sorted([*site.rglob("*.html"), *(site / "_static").rglob("*.js")])
    digest = state([*readers, *(site / sheet for sheet in sheets)])
    if digest == memory.digest and (site / styles.BUNDLE).is_file():
        return
    texts = [file.read_text("utf-8") for file in readers]
    words = {word for text in texts for word in styles.WORD.findall(text)}
    styles.bundle(site, sheets, words)
    icons.cut_all(site, (site / styles.BUNDLE).read_text("utf-8"), words)
    if (letters := Path(app.doctreedir) / "katex-static" / "katex" / "fonts").is_dir():
        icons.cut_formulas(site, letters, {letter for text in texts for letter in html.unescape(text)})
    memory.digest = digest
    memory.save()


def state(files: list[Path]) -> str:
    """Changes when one of the files does."""
    digest = hashlib.sha256()
    for file in files:
        stat = file.stat()
        digest.update(f"{file} {stat.st_mtime_ns} {stat.st_size}\n".encode())
    return digest.hexdigest()


def setup(app: Sphinx) -> None:
    app.connect("html-page-context", link_sheet, priority=900)
    app.connect("build-finished", trim, priority=950)
