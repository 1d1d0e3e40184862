"""Let a shelf offer the names of its files and import a file only when one of its names is asked for.

An eager `__init__.py` would make every chapter depend on every file of its shelf: one edit would execute
them all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module


def lazy_exports(
    package: str, files: Mapping[str, Sequence[str]]
) -> tuple[Callable[[str], object], Callable[[], list[str]], list[str]]:
    """Return `__getattr__`, `__dir__` (PEP 562) and `__all__` for a package that re-exports from its files.

    `files` maps each file to the names taken from it: `{"adam": ["Adam"]}`. A name that equals the name
    of a file is refused with `ValueError`: that file's module would hide it as soon as it is imported.
    """
    home = {name: file for file, names in files.items() for name in names}
    if len(home) != sum(map(len, files.values())):
        raise ValueError(f"names must be exported once, got {dict(files)!r}")
    if hidden := home.keys() & files.keys():
        raise ValueError(f"names must differ from the files' own, got {sorted(hidden)}")
    names = sorted(home)

    def getattribute(name: str) -> object:
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{home[name]}"), name)

    return getattribute, lambda: names.copy(), names
