"""A reader copies one file and needs nothing else: each module runs alone, beside torch and nothing more.

The child interpreter is isolated (`-I`: no PYTHONPATH, no user packages, not even the folder it runs in), its
warnings are errors, and an import guard hides whatever is installed but torch and what torch says it needs.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "livegrad"
MODULES = sorted(p for p in SOURCE.glob("[!_]*/[!_]*.py") if p.parent.name != "lab")

# torch itself says this once where NumPy, which it does not require, is missing. Any other is an error.
TORCH_WITHOUT_NUMPY = "ignore:Failed to initialize NumPy:UserWarning"

GUARD = """
import os, runpy, sys

allowed = sys.stdlib_module_names | set(sys.argv[1:])

class Guard:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] not in allowed:
            raise ModuleNotFoundError(f"the guard hides {name}", name=name)

sys.meta_path.insert(0, Guard)
for name in [m for m in sys.modules if m.partition(".")[0] not in allowed | {"__main__"}]:
    del sys.modules[name]  # imported at start by a .pth file
"""
# Runs the one file that it is told.
ONE = (
    GUARD
    + """
runpy.run_path(sys.stdin.readline().rstrip(), run_name="copied")
"""
)
# Runs any number, each in a process that forks off when torch is there: to import torch is what takes time. The file
# finds an interpreter that has imported torch, behind the guard, and nothing else. Answers with the exit code.
MANY = (
    GUARD
    + """
import torch

for line in sys.stdin:
    copy = line.rstrip()
    child = os.fork()
    if not child:
        os.chdir(os.path.dirname(copy))
        said = os.open(copy + ".said", os.O_CREAT | os.O_WRONLY)
        os.dup2(said, 1)
        os.dup2(said, 2)
        runpy.run_path(copy, run_name="copied")
        sys.exit()
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
)


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


Run = Callable[[Path, Path], tuple[int, str]]


def command(program: str) -> list[str]:
    strict = ["-I", "-W", "error", "-W", TORCH_WITHOUT_NUMPY]
    return [sys.executable, *strict, "-c", program, *names_of_torch()]


def copied(file: Path, folder: Path) -> str:
    assert not list(folder.iterdir())
    return str(shutil.copy(file, folder))


def in_a_new_interpreter(file: Path, folder: Path) -> tuple[int, str]:
    run = subprocess.run(
        command(ONE), input=copied(file, folder), cwd=folder, capture_output=True, text=True, timeout=300
    )
    return run.returncode, run.stdout + run.stderr


@pytest.fixture(scope="module")
def run_alone() -> Iterator[Run]:
    """Copy a file into an empty folder and run the copy there, guarded; returns the exit code and what it said."""
    if sys.platform != "linux":  # Windows cannot fork, and on macOS it is not safe
        yield in_a_new_interpreter
        return
    with subprocess.Popen(command(MANY), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin
        assert server.stdout

        def fork(file: Path, folder: Path) -> tuple[int, str]:
            copy = copied(file, folder)
            server.stdin.write(f"{copy}\n")  # type: ignore[union-attr]
            server.stdin.flush()  # type: ignore[union-attr]
            code = int(server.stdout.readline())  # type: ignore[union-attr]
            return code, Path(f"{copy}.said").read_text(encoding="utf-8")

        yield fork
        server.stdin.close()
    assert server.returncode == 0


def test_there_are_modules_to_copy() -> None:
    assert len(MODULES) >= 2


def test_the_guard_admits_torch_and_hides_the_rest() -> None:
    names = names_of_torch()
    assert {"torch", "typing_extensions"} <= set(names)
    assert not {"livegrad", "numpy", "sklearn", "matplotlib", "pytest"} & set(names)


@pytest.mark.parametrize("module", MODULES, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_a_copied_file_runs_with_torch_alone(run_alone: Run, module: Path, tmp_path: Path) -> None:
    assert run_alone(module, tmp_path) == (0, "")


def test_a_new_interpreter_runs_a_file_too_and_guards_it(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    assert in_a_new_interpreter(SOURCE / "optimizers" / "adam.py", tmp_path / "one") == (0, "")
    (tmp_path / "needy.py").write_text("import numpy\n", encoding="utf-8")
    (tmp_path / "two").mkdir()
    code, said = in_a_new_interpreter(tmp_path / "needy.py", tmp_path / "two")
    assert code != 0
    assert "the guard hides numpy" in said


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("import numpy\n", "the guard hides numpy"),
        ("from sklearn.datasets import load_digits\n", "the guard hides sklearn"),
        ("from livegrad.activations.mish import mish\n", "the guard hides livegrad"),
        ("from mish import mish\n", "the guard hides mish"),
        ("from . import mish\n", "relative import"),
        ("import warnings\nwarnings.warn('old', DeprecationWarning)\n", "DeprecationWarning: old"),
        ("torch.zeros(1)\n", "name 'torch' is not defined"),
    ],
)
def test_a_file_that_needs_more_is_caught(run_alone: Run, source: str, complaint: str, tmp_path: Path) -> None:
    file = tmp_path / "needy.py"
    file.write_text(source, encoding="utf-8")
    folder = tmp_path / "empty"
    folder.mkdir()
    code, said = run_alone(file, folder)
    assert code != 0
    assert complaint in said
