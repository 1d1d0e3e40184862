"""Where the book lives on GitHub, from the variable that its workflows set.

A local build knows nothing of it and links nowhere.
"""

from __future__ import annotations

import os
import re


def repository() -> str | None:
    """Return `owner/name`, or None when GITHUB_REPOSITORY is unset or is not of that form."""
    slug = os.environ.get("GITHUB_REPOSITORY", "")
    return slug if re.fullmatch(r"[\w.-]+/[\w.-]+", slug) else None


def published_site() -> str | None:
    """Return the address of the site on GitHub Pages, with a slash at its end."""
    if not (slug := repository()):
        return None
    owner, name = slug.split("/")
    host = f"{owner.lower()}.github.io"
    return f"https://{host}/" if name.lower() == host else f"https://{host}/{name}/"


def colab(page: str) -> str | None:
    """Return the address that opens the page's notebook, from the branch `notebooks`, in Colab."""
    slug = repository()
    return f"https://colab.research.google.com/github/{slug}/blob/notebooks/{page}.ipynb" if slug else None
