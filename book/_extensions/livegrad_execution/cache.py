"""The cache of executed chapters, whose key covers everything that outputs depend on.

jupyter-cache keys on the code cells and the kernel alone: an edited module below `src/` would leave the page's
old numbers beside its new source. Here the key also covers the files of ours that the chapter imports (see
`dependencies`), how kernels are set up, and the versions of Python and of the libraries that compute.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Callable
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from jupyter_cache.base import CacheBundleIn
from jupyter_cache.cache.db import NbCacheRecord
from jupyter_cache.cache.main import JupyterCacheBase
from nbformat import NotebookNode

from .dependencies import SourceTree

LIBRARIES = ("torch", "numpy", "matplotlib", "scikit-learn")
KERNEL_SETUP = Path(__file__).with_name("kernel_setup.py")


@cache
def versions() -> dict[str, str]:
    """Return the versions that a chapter's outputs depend on."""
    found = {"Python": f"{sys.version_info.major}.{sys.version_info.minor}"}
    for library in LIBRARIES:
        try:
            found[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            found[library] = "not installed"
    return found


class BookCache(JupyterCacheBase):
    """A jupyter-cache that also looks at what the code imports."""

    def __init__(self, path: Path | str, tree: SourceTree) -> None:
        super().__init__(path)
        self.tree = tree

    def create_hashed_notebook(self, nb: NotebookNode, *args: Any, **kwargs: Any) -> tuple[NotebookNode, str]:
        """Extend jupyter-cache's key by the state of everything that the cells depend on."""
        nb, cells_key = super().create_hashed_notebook(nb, *args, **kwargs)
        digest = hashlib.sha256(repr((cells_key, versions())).encode())
        digest.update(KERNEL_SETUP.read_bytes())
        for path in self.tree.needed_by([cell.source for cell in nb.cells]):
            content = path.read_bytes()
            digest.update(f"{path.relative_to(self.tree.src).as_posix()} {len(content)}\n".encode())
            digest.update(content)
        return nb, digest.hexdigest()[:32]

    def key(self, nb: NotebookNode) -> str:
        """Return the key under which this notebook's outputs are valid now."""
        return self.create_hashed_notebook(nb)[1]

    def match_cache_notebook(self, nb: NotebookNode) -> NbCacheRecord:
        """Find the record for `nb`; one whose file a crash cut short is forgotten. KeyError if there is none."""
        record = super().match_cache_notebook(nb)
        file = self._get_notebook_path_cache(record.hashkey)
        if not file.is_file() or not file.read_bytes().rstrip().endswith(b"}"):
            NbCacheRecord.remove_records([record.pk], self.db)
            shutil.rmtree(file.parent, ignore_errors=True)
            raise KeyError(record.hashkey)
        return record

    def seconds(self, nb: NotebookNode) -> float | None:
        """Return how long the execution of `nb` took, or None when it is not in the cache."""
        try:
            return float(self.match_cache_notebook(nb).data["execution_seconds"])
        except KeyError:
            return None

    def day(self, nb: NotebookNode) -> str | None:
        """Return the day on which `nb` was executed, in UTC as year-month-day, or None when it is not in the cache."""
        try:
            return str(self.match_cache_notebook(nb).created.date().isoformat())
        except KeyError:
            return None

    def executed(self, nb: NotebookNode) -> NotebookNode:
        """Return `nb` with the outputs from the cache. KeyError if it is not there."""
        return self.merge_match_into_notebook(nb)[1]

    def store(self, nb: NotebookNode, path: Path, seconds: float) -> None:
        """Keep the outputs of `nb`."""
        bundle = CacheBundleIn(nb, str(path), data={"execution_seconds": seconds})
        self.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)


def install(tree: SourceTree, execute: Callable[..., Any]) -> None:
    """Make myst-nb use this cache, and our way of executing should it ever meet a chapter that is not in it."""
    from myst_nb.core.execute import cache as myst_nb_cache

    myst_nb_cache.get_cache = lambda path: BookCache(path, tree)
    myst_nb_cache.single_nb_execution = execute
