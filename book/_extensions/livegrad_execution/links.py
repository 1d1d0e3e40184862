"""For `make links`: asks for a DOI where the answer says whether it exists."""

from __future__ import annotations

from sphinx.application import Sphinx


def ask_the_registry(app: Sphinx, uri: str) -> str | None:
    """Look a DOI up in its registry: the publishers behind doi.org turn programs away."""
    start, found, doi = uri.partition("://doi.org/")
    return f"{start}://doi.org/api/handles/{doi}" if found else None


def setup(app: Sphinx) -> None:
    """Connect to Sphinx's link checker, when that is the builder."""
    if "linkcheck-process-uri" in app.events.events:
        app.connect("linkcheck-process-uri", ask_the_registry)
