"""The package as others get it: its lazy shelves, and the wheel that `pip install .` builds."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import zipfile
from email.message import Message
from email.parser import Parser
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import livegrad
from livegrad._lazy import lazy_exports

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "livegrad"
SHELVES = sorted(p.parent.name for p in SOURCE.glob("*/__init__.py") if p.parent.name != "lab")
TOPICS = sorted(f"{p.parent.name}.{p.stem}" for s in SHELVES for p in (SOURCE / s).glob("[!_]*.py"))


def names_to_export(file: Path) -> list[str]:
    """Public classes, and functions that change a tensor in place (their names end in `_`)."""
    public = [
        node
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_")
    ]
    return [node.name for node in public if isinstance(node, ast.ClassDef) or node.name.endswith("_")]


EXPORTS = [(t, n) for t in TOPICS for n in names_to_export(SOURCE / (t.replace(".", "/") + ".py"))]


def test_there_are_shelves_topics_and_exports_to_test() -> None:
    assert "activations" in SHELVES
    assert "activations.mish" in TOPICS
    assert ("activations.mish", "Mish") in EXPORTS


def test_the_version_is_a_string_that_says_something() -> None:
    assert re.fullmatch(r"\d+\.\d+.*|0\+uninstalled", livegrad.__version__)


@pytest.mark.parametrize("shelf", SHELVES)
def test_a_shelf_exports_the_classes_and_in_place_functions_of_its_files_and_nothing_else(shelf: str) -> None:
    package = import_module(f"livegrad.{shelf}")
    expected = sorted(name for topic, name in EXPORTS if topic.startswith(f"{shelf}."))
    assert getattr(package, "__all__", []) == expected
    if expected:
        assert dir(package) == expected


@pytest.mark.parametrize("shelf", SHELVES)
def test_the_type_checker_sees_what_a_shelf_exports(shelf: str) -> None:
    seen = [
        (f"{shelf}.{node.module}", alias.name)
        for node in ast.walk(ast.parse((SOURCE / shelf / "__init__.py").read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.level == 1
        for alias in node.names
        if alias.asname == alias.name
    ]
    assert sorted(seen) == sorted(e for e in EXPORTS if e[0].startswith(f"{shelf}."))


@pytest.mark.parametrize(("topic", "name"), EXPORTS)
def test_an_exported_name_is_the_one_in_the_file(topic: str, name: str) -> None:
    shelf = topic.split(".")[0]
    assert getattr(import_module(f"livegrad.{shelf}"), name) is getattr(import_module(f"livegrad.{topic}"), name)


@pytest.mark.parametrize("topic", TOPICS)
def test_no_export_hides_the_module_of_a_file(topic: str) -> None:
    shelf, file = topic.split(".")
    import_module(f"livegrad.{topic}")
    assert isinstance(getattr(import_module(f"livegrad.{shelf}"), file), ModuleType)


@pytest.mark.parametrize("shelf", SHELVES)
def test_a_shelf_has_no_attribute_of_an_unknown_name(shelf: str) -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        import_module(f"livegrad.{shelf}").nonsense  # noqa: B018


def modules_after(statement: str) -> set[str]:
    """The modules of ours that a fresh interpreter holds after `statement`."""
    code = f"import sys; {statement}; print(*[m for m in sys.modules if m.split('.')[0] == 'livegrad'])"
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=SOURCE.parent,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return set(run.stdout.split())


def test_importing_one_name_imports_no_other_file() -> None:
    assert modules_after("from livegrad.activations import Mish") == {
        "livegrad",
        "livegrad._lazy",
        "livegrad.activations",
        "livegrad.activations.mish",
    }


def test_importing_the_shelves_imports_no_file_and_not_torch() -> None:
    statement = "; ".join(f"import livegrad.{s}" for s in SHELVES) + "; assert 'torch' not in sys.modules"
    assert modules_after(statement) == {"livegrad", "livegrad._lazy", *(f"livegrad.{s}" for s in SHELVES)}


def test_a_name_that_would_hide_a_file_is_refused() -> None:
    with pytest.raises(ValueError, match=r"names must differ from the files' own, got \['mish'\]"):
        lazy_exports("livegrad.activations", {"mish": ["Mish", "mish"]})


def test_a_name_exported_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="names must be exported once"):
        lazy_exports("livegrad.activations", {"mish": ["Mish"], "relu": ["Mish"]})


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel of this checkout, built with the setuptools that is installed: nothing is downloaded."""
    folder = tmp_path_factory.mktemp("wheel")
    project = folder / "project"
    project.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, project)
    for name in ("src", "tests", "book"):  # whatever lies beside the package must stay out of the wheel
        shutil.copytree(
            ROOT / name, project / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", "_assets")
        )
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*command, "--wheel-dir", folder, project], check=True, capture_output=True, timeout=300)
    (built,) = folder.glob("*.whl")
    return zipfile.ZipFile(built)


def metadata(wheel: zipfile.ZipFile) -> Message:
    (name,) = [n for n in wheel.namelist() if n.endswith(".dist-info/METADATA")]
    return Parser().parsestr(wheel.read(name).decode())


def test_the_wheel_holds_every_module_and_the_typing_marker_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    files = {p.relative_to(SOURCE.parent).as_posix() for p in SOURCE.rglob("*.py")} | {"livegrad/py.typed"}
    assert {n for n in wheel.namelist() if ".dist-info/" not in n} == files


def test_the_only_hard_dependency_is_torch(wheel: zipfile.ZipFile) -> None:
    required = [r for r in metadata(wheel).get_all("Requires-Dist", []) if "extra ==" not in r]
    assert [re.match(r"[\w.-]+", r).group() for r in required] == ["torch"]  # type: ignore[union-attr]


def test_the_wheel_states_its_licence_and_python(wheel: zipfile.ZipFile) -> None:
    assert metadata(wheel)["License-Expression"] == "MIT"
    assert metadata(wheel)["Requires-Python"] == ">=3.11"
    assert any(n.endswith(".dist-info/licenses/LICENSE") for n in wheel.namelist())
