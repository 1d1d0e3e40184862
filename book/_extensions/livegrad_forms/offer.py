"""Makes a form unless it is there already, and offers on the home page those that belong to the present site."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from livegrad_execution.repository import published_site

from . import archive, epub, pdf
from .pages import read_book
from .site import DOWNLOADS, HOME, MARK, OFFER, digest


class Form(NamedTuple):
    """One form: its file, and what the home page says before and after its size."""

    file: str
    words: str
    after: str
    write: Callable[[Path, Path, Path], Sequence[str]]


def write_pdf(root: Path, site: Path, target: Path) -> Sequence[str]:
    pdf.find_browser()  # before the long work
    pdf.make_pdf(read_book(root, site), target, published_site())
    return ()


def write_epub(root: Path, site: Path, target: Path) -> Sequence[str]:
    return epub.make_epub(read_book(root, site), target, published_site())


def write_archive(root: Path, site: Path, target: Path) -> Sequence[str]:
    archive.make_archive(site, target)
    return ()


FORMS = {
    "pdf": Form("live-gradients.pdf", "one PDF", "", write_pdf),
    "epub": Form("live-gradients.epub", "an EPUB for e-readers", "", write_epub),
    "archive": Form(
        "live-gradients-site.zip", "this site as a zip file", "; unpack it and open index.html", write_archive
    ),
}


def site_of(root: Path) -> Path:
    return root / "_build" / "html"


def made(root: Path) -> dict[str, str]:
    """Which site each form was made from."""
    record = root / "_build" / "forms" / "made.json"
    return dict(json.loads(record.read_text("utf-8"))) if record.is_file() else {}


def make(root: Path, name: str) -> Sequence[str]:
    """Write the form into `_build/forms`, unless it was made from this very site; return what is to be said of it."""
    form, known, state = FORMS[name], made(root), digest(site_of(root))
    target = root / "_build" / "forms" / form.file
    if known.get(name) == state and target.is_file():
        return [f"{form.file} is that of the present site already"]
    notes = form.write(root, site_of(root), target)
    replace(target.with_name("made.json"), json.dumps({**known, name: state}, indent=1) + "\n")
    return notes


def offer(root: Path) -> None:
    """Put the forms that were made from the present site beside it, and a line with their links on its home page."""
    site, known = site_of(root), made(root)
    state = digest(site)
    shutil.rmtree(site / DOWNLOADS, ignore_errors=True)
    offered = []
    for name, form in FORMS.items():
        source = root / "_build" / "forms" / form.file
        if known.get(name) == state and source.is_file():
            (site / DOWNLOADS).mkdir(exist_ok=True)
            shutil.copyfile(source, site / DOWNLOADS / form.file)
            size = source.stat().st_size / 1e6
            offered.append(f'<a href="{DOWNLOADS}/{form.file}">{form.words}</a> ({size:.1f} MB{form.after})')
    line = f'<p id="other-forms">The whole book to take along: {", ".join(offered)}.</p>' if offered else ""
    home = OFFER.sub(MARK, (site / HOME).read_text("utf-8"))
    replace(site / HOME, home.replace(MARK, MARK + line))


def replace(path: Path, text: str) -> None:
    """Write a text file that is never seen half."""
    unfinished = path.with_name(f".{path.name}.new")
    unfinished.write_text(text, "utf-8", newline="\n")
    unfinished.replace(path)
