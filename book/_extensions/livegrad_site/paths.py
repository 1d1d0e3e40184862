"""Where things lie, and which repository the book is published from."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[3]
PACKAGE = ROOT / "src" / "livegrad"
NODE_MODULES = ROOT / "node_modules"


class Repository(NamedTuple):
    owner: str
    name: str

    @property
    def url(self) -> str:
        return f"https://github.com/{self.owner}/{self.name}"

    @property
    def site(self) -> str:
        return f"https://{self.owner.lower()}.github.io/{self.name}/"


def repository() -> Repository | None:
    """Owner and name from GITHUB_REPOSITORY ("owner/name"); None where it is not set, as in a local build."""
    slug = os.environ.get("GITHUB_REPOSITORY", "")
    if not slug:
        return None
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", slug):
        raise ValueError(f'GITHUB_REPOSITORY must be "owner/name", got {slug!r}')
    return Repository(*slug.split("/"))
