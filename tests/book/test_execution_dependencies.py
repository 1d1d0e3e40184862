"""A chapter depends on the files that its imports reach, and on no others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from livegrad_execution.dependencies import SourceTree

FILES = {
    "livegrad/__init__.py": "",
    "livegrad/_lazy.py": "",
    "livegrad/shelf/__init__.py": "from livegrad._lazy import lazy_exports\n",
    "livegrad/shelf/one.py": "import math\n",
    "livegrad/shelf/two.py": "import torch\n",
    "livegrad/lab/__init__.py": "",
    "livegrad/lab/plots.py": "from .colors import palette\n",
    "livegrad/lab/colors.py": "def palette():\n    from ..shelf.one import f\n",
}
PACKAGE = {"livegrad/__init__.py"}
SHELF = PACKAGE | {"livegrad/shelf/__init__.py", "livegrad/_lazy.py"}
LAB = PACKAGE | {"livegrad/lab/__init__.py"}


@pytest.fixture
def needed(tmp_path: Path) -> Callable[..., set[str]]:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    tree = SourceTree(tmp_path)
    return lambda *cells: {path.relative_to(tmp_path).as_posix() for path in tree.needed_by(list(cells))}


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import torch\nfrom math import pi", set()),
        ("from livegrad.shelf.one import f", SHELF | {"livegrad/shelf/one.py"}),
        ("from livegrad.shelf import one", SHELF | {"livegrad/shelf/one.py"}),
        ("import livegrad.shelf.one as it", SHELF | {"livegrad/shelf/one.py"}),
        ("def f():\n    from livegrad.shelf.one import f", SHELF | {"livegrad/shelf/one.py"}),
        ("%time from livegrad.shelf.one import f\n!ls", SHELF | {"livegrad/shelf/one.py"}),
        ("%%timeit\nfrom livegrad.shelf.one import f", SHELF | {"livegrad/shelf/one.py"}),
        ('name = "livegrad.shelf.two"', SHELF | {"livegrad/shelf/two.py"}),
        ('text = "We import livegrad.shelf.two here."', set()),
    ],
)
def test_an_import_reaches_its_file_and_the_packages_above_it(
    needed: Callable[..., set[str]], code: str, expected: set[str]
) -> None:
    assert needed(code) == expected


def test_imports_are_followed_through_relative_ones_and_functions(needed: Callable[..., set[str]]) -> None:
    expected = LAB | SHELF | {"livegrad/lab/plots.py", "livegrad/lab/colors.py", "livegrad/shelf/one.py"}
    assert needed("from livegrad.lab.plots import show") == expected


def test_all_cells_count(needed: Callable[..., set[str]]) -> None:
    both = needed("from livegrad.shelf.one import f", "from livegrad.shelf.two import g")
    assert both == SHELF | {"livegrad/shelf/one.py", "livegrad/shelf/two.py"}


@pytest.mark.parametrize(
    "code",
    [
        "from livegrad.shelf import One",
        "from livegrad.shelf import *",
        "import livegrad.shelf as it",
        "from livegrad import shelf",
    ],
)
def test_a_name_that_a_package_makes_up_makes_the_whole_package_count(
    needed: Callable[..., set[str]], code: str
) -> None:
    assert needed(code) == SHELF | {"livegrad/shelf/one.py", "livegrad/shelf/two.py"}


@pytest.mark.parametrize("code", ["import livegrad", "import livegrad.shelf.one", "def is not Python"])
def test_what_cannot_be_told_apart_depends_on_everything(needed: Callable[..., set[str]], code: str) -> None:
    assert needed(code) == set(FILES)


def test_data_beside_a_module_counts_with_it(needed: Callable[..., set[str]], tmp_path: Path) -> None:
    (tmp_path / "livegrad/shelf/table.csv").write_text("1,2")
    (tmp_path / "livegrad/lab/other.csv").write_text("3,4")
    assert needed("from livegrad.shelf.one import f") == SHELF | {"livegrad/shelf/one.py", "livegrad/shelf/table.csv"}


def test_what_only_type_checkers_read_does_not_count(needed: Callable[..., set[str]], tmp_path: Path) -> None:
    (tmp_path / "livegrad/shelf/__init__.py").write_text(
        "import typing\nif typing.TYPE_CHECKING:\n    from .two import Two\nelse:\n    from .one import One\n"
    )
    assert needed("from livegrad.shelf.one import f") == PACKAGE | {
        "livegrad/shelf/__init__.py",
        "livegrad/shelf/one.py",
    }


LAZY = """\
from typing import TYPE_CHECKING
from livegrad._lazy import lazy_exports
if TYPE_CHECKING:
    from .one import One
else:
    __getattr__, __dir__, __all__ = lazy_exports(__name__, {"one": ["One"]})
"""


def test_a_package_that_only_offers_names_counts_for_those_who_take_them_from_it(
    needed: Callable[..., set[str]], tmp_path: Path
) -> None:
    init = tmp_path / "livegrad/shelf/__init__.py"
    init.write_text(LAZY)
    passed_by = PACKAGE | {"livegrad/_lazy.py", "livegrad/shelf/one.py"}
    assert needed("from livegrad.shelf.one import f") == passed_by
    assert needed("from livegrad.shelf import One") == SHELF | {"livegrad/shelf/one.py", "livegrad/shelf/two.py"}
    init.write_text(LAZY + "import torch\ntorch.manual_seed(0)\n")
    assert needed("from livegrad.shelf.one import f") == passed_by | SHELF
    init.write_text("def is not Python")
    assert init.relative_to(tmp_path).as_posix() in needed("from livegrad.shelf.one import f")


def test_in_the_real_package_one_topic_does_not_depend_on_another() -> None:
    src = Path(__file__).resolve().parents[2] / "src"
    found = {p.name for p in SourceTree(src).needed_by(["from livegrad.activations.mish import mish"])}
    assert "mish.py" in found
    assert "relu.py" not in found
    assert src / "livegrad/activations/__init__.py" not in SourceTree(src).needed_by(
        ["from livegrad.activations.mish import mish"]
    )
