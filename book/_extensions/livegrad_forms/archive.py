"""The site as a zip file: unpacked, it opens from the disk like the site itself, search included."""

from __future__ import annotations

from pathlib import Path

from .pages import Unusable
from .site import files
from .zips import write_zip

FOLDER = "live-gradients"


def make_archive(site: Path, target: Path) -> None:
    """Write all files of the site below one folder, without the other forms, which are offered beside it."""
    if not (site / "index.html").is_file():
        raise Unusable(f"{site / 'index.html'} is missing: run `make book` first")
    write_zip(target, ((f"{FOLDER}/{name}", content) for name, content in files(site)))
