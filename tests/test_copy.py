"""A reader copies one file and needs nothing else: each module runs alone, beside torch and nothing more.

The child interpreter is isolated (`-I`: no PYTHONPATH, no user packages, not even the folder it runs in), its
warnings are errors, and an import guard hides whatever is installed but torch and what torch says it needs.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "livegrad"
MODULES = sorted(p for p in SOURCE.glob("[!_]*/[!_]*.py") if p.parent.name != "lab")

# torch itself says this once where NumPy, which it does not require, is missing. Any other is an error.
TORCH_WITHOUT_NUMPY = "ignore:Failed to initialize NumPy:UserWarning"

RUN_GUARDED = """
import runpy, sys

file, *allowed = sys.argv[1:]
allowed = sys.stdlib_module_names | set(allowed)

class Guard:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] not in allowed:
            raise ModuleNotFoundError(f"the guard hides {name}", name=name)

sys.meta_path.insert(0, Guard)
for name in [m for m in sys.modules if m.partition(".")[0] not in allowed | {"__main__"}]:
    del sys.modules[name]  # imported at start by a .pth file
runpy.run_path(file, run_name="copied")
"""


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def distributions_of_torch() -> set[str]:
    """torch and what it declares to need on this machine, and what those need: extras left out."""
    found: set[str] = set()
    unread = ["torch"]
    while unread:
        name = normal(unread.pop())
        if name in found:
            continue
        try:
            needed = requires(name) or []
        except PackageNotFoundError:  # needed on another platform
            continue
        found.add(name)
        unread += [re.match(r"[\w.-]+", r).group() for r in needed if "extra ==" not in r]  # type: ignore[union-attr]
    return found


def names_of_torch() -> list[str]:
    """The top-level names that may be imported, private helpers included."""
    ours = distributions_of_torch()
    return sorted(n for n, dists in packages_distributions().items() if ours & set(map(normal, dists)))


def run_alone(file: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Copy `file` into the empty `folder` and run the copy there, guarded."""
    assert not list(folder.iterdir())
    copy = shutil.copy(file, folder)
    strict = ["-I", "-W", "error", "-W", TORCH_WITHOUT_NUMPY]
    command = [sys.executable, *strict, "-c", RUN_GUARDED, copy, *names_of_torch()]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)


def test_there_are_modules_to_copy() -> None:
    assert len(MODULES) >= 2


def test_the_guard_admits_torch_and_hides_the_rest() -> None:
    names = names_of_torch()
    assert {"torch", "typing_extensions"} <= set(names)
    assert not {"livegrad", "numpy", "sklearn", "matplotlib", "pytest"} & set(names)


@pytest.mark.parametrize("module", MODULES, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_a_copied_file_runs_with_torch_alone(module: Path, tmp_path: Path) -> None:
    run = run_alone(module, tmp_path)
    assert run.returncode == 0, run.stderr
    assert run.stdout + run.stderr == ""


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("import numpy\n", "the guard hides numpy"),
        ("from sklearn.datasets import load_digits\n", "the guard hides sklearn"),
        ("from livegrad.activations.mish import mish\n", "the guard hides livegrad"),
        ("from mish import mish\n", "the guard hides mish"),
        ("from . import mish\n", "relative import"),
        ("import warnings\nwarnings.warn('old', DeprecationWarning)\n", "DeprecationWarning: old"),
    ],
)
def test_a_file_that_needs_more_is_caught(source: str, complaint: str, tmp_path: Path) -> None:
    file = tmp_path / "needy.py"
    file.write_text(source, encoding="utf-8")
    folder = tmp_path / "empty"
    folder.mkdir()
    run = run_alone(file, folder)
    assert run.returncode != 0
    assert complaint in run.stderr
