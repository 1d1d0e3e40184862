"""Zip files that come out the same, byte for byte, from the same contents."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable
from pathlib import Path

# The earliest time that a zip file can hold.
TIME = (1980, 1, 1, 0, 0, 0)
PACKED = {".png", ".jpg", ".woff2", ".zip", ".gz"}


def write_zip(target: Path, entries: Iterable[tuple[str, bytes]], first: tuple[str, bytes] | None = None) -> None:
    """Write the entries, sorted by name; `first` comes before them, not compressed.

    The file appears at `target` when it is whole.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".{target.name}.new")
    try:
        with zipfile.ZipFile(unfinished, "w") as archive:
            for name, content in [*([first] if first else []), *sorted(entries)]:
                entry = zipfile.ZipInfo(name, TIME)
                entry.create_system, entry.external_attr = 3, 0o100644 << 16
                stored = (name, content) == first or os.path.splitext(name)[1] in PACKED
                entry.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
                archive.writestr(entry, content)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
