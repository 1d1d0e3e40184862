"""The finished site as the forms see it: as the build left it, without what is offered beside it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

DOWNLOADS = "downloads"
HOME = "index.html"
# book/index.md leaves the mark where the forms are to be offered.
MARK = "<!-- other forms -->"
OFFER = re.compile(re.escape(MARK) + r"<p id=\"other-forms\">.*?</p>", re.DOTALL)


def files(site: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file, in order."""
    for path in sorted(site.rglob("*")):
        name = path.relative_to(site).as_posix()
        if path.is_file() and not name.startswith(f"{DOWNLOADS}/"):
            content = path.read_bytes()
            yield name, OFFER.sub(MARK, content.decode("utf-8")).encode() if name == HOME else content


def digest(site: Path) -> str:
    """Changes with the site, and with the programs that make forms of it."""
    state = hashlib.sha256()
    own = [(path.name, path.read_bytes()) for path in sorted(Path(__file__).parent.glob("*.[pc]*"))]
    for name, content in [*own, *files(site)]:
        state.update(f"{name} {len(content)}\n".encode())
        state.update(content)
    return state.hexdigest()
