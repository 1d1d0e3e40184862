"""What turns the chapters into our site. Each file of this folder is one concern; most have a `setup` of their own."""

from __future__ import annotations

from sphinx.application import Sphinx

from . import (
    api,
    code_links,
    exercises,
    explorables,
    findable,
    folding,
    glossary,
    math,
    modules,
    moved,
    orientation,
    outputs,
    pages,
    pictures,
    policy,
    previews,
    recorded,
    search,
    weight,
)


def setup(app: Sphinx) -> dict[str, bool]:
    for concern in (
        math,
        modules,
        moved,
        api,
        code_links,
        exercises,
        explorables,
        findable,
        folding,
        glossary,
        orientation,
        outputs,
        pages,
        pictures,
        policy,
        previews,
        recorded,
        search,
        weight,
    ):
        concern.setup(app)
    # Reading is safe in parallel. Writing is too: each process keeps a KaTeX of its own (math.py).
    return {"parallel_read_safe": True, "parallel_write_safe": True}
