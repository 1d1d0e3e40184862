"""The list of public names is that of the package, and none lacks its line."""

from __future__ import annotations

import ast
import inspect
import os
import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import matplotlib
import pytest
import torch
from livegrad_site import api, modules

# Sphinx, docutils and their extensions warn of their own future; ours is tested, not theirs.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")

FILES = {file.name: file for file in (api.read(path, api.PACKAGE) for path in api.files(api.PACKAGE))}
NAMES = [(file.name, name) for file in FILES.values() for name in file.names]


def test_there_is_something_to_list() -> None:
    assert ("activations/mish", "Mish") in {(file, name.name) for file, name in NAMES}
    assert "lab/plots" in FILES


@pytest.mark.parametrize("file", FILES)
def test_every_file_and_every_name_of_it_says_what_it_is(file: str) -> None:
    module = import_module(FILES[file].module)
    silent = [] if FILES[file].summary else [file]
    for name in FILES[file].names:
        silent += [] if name.summary else [name.name]
        bases = getattr(module, name.name).__mro__[1:] if name.kind == "class" else ()
        for member in name.members:
            inherited = any(member.name in vars(base) for base in bases)
            silent += [] if member.summary or inherited else [f"{name.name}.{member.name}"]
    assert silent == []


def argument_names(signature: str) -> list[str]:
    (function,) = ast.parse(f"def f{signature}: ...").body
    return [node.arg for node in ast.walk(function) if isinstance(node, ast.arg)]


@pytest.mark.parametrize("file", FILES)
def test_names_and_arguments_are_those_that_python_sees(file: str) -> None:
    module = import_module(FILES[file].module)
    defined = {
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (inspect.isclass(value) or (callable(value) and inspect.isfunction(inspect.unwrap(value))))
        and value.__module__ == module.__name__
    }
    assert {name.name for name in FILES[file].names} == defined
    for name in FILES[file].names:
        value = getattr(module, name.name)
        if inspect.isclass(value) and value.__init__ is torch.nn.Module.__init__:  # its *args are refused
            assert name.signature == "()"
        else:
            seen = list(inspect.signature(value).parameters)
            assert argument_names(name.signature.replace("…", "...")) == seen, name.name


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "src" / "livegrad"
    (root / "shelf").mkdir(parents=True)
    (root / "shelf" / "__init__.py").write_text('"""A shelf of `things`."""\n', "utf-8")
    (root / "shelf" / "topic.py").write_text(TOPIC, "utf-8")
    monkeypatch.setattr(modules, "PACKAGE", root)
    monkeypatch.setattr(api, "PACKAGE", root)
    return root


TOPIC = '''"""One thing."""

from dataclasses import dataclass
from torch import nn


def double(x: float, /, *more: float, times: int = 2, **rest: object) -> float:
    """2 * x < 3, see :func:`other` and ``x_1``.

    Not shown.
    """


def _private() -> None: ...


class Layer(nn.Module):
    """A layer."""

    def __init__(self, size: int, bias: bool = True) -> None: ...

    def forward(self, x: object) -> object: ...

    def reset(self) -> None:
        """Begin anew."""

    @property
    def size(self) -> int:
        """How large."""


@dataclass(frozen=True)
class Pair:
    """Two."""

    one: int
    two: int = 2


class Deep(Layer):
    """A layer that is deep."""
'''
TREE = "# Home\n\n```{toctree}\nreference/api\nshelf/topic\n```\n"
PAGE = "# Names\n\n```{api}\n```\n"
CHAPTER = "# The topic\n\n{py:func}`livegrad.shelf.topic.double` and {py:meth}`livegrad.shelf.topic.Layer.reset`\n"


def text(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "", html)).replace("&lt;", "<")


def test_each_name_has_its_arguments_its_line_its_chapter_and_its_source(
    book: Callable[..., Any], package: Path
) -> None:
    built = book(index=TREE, reference__api=PAGE, shelf__topic=CHAPTER).build(nitpicky=True)
    assert built.warnings == ""
    page = built.page("reference/api")
    entries = text(page)
    for line in (
        "double(x, /, *more, times=2, **rest)",
        "2 * x < 3, see other and x_1.",
        "class Layer(size, bias=True)",
    ):
        assert line in entries
    assert "class Pair(one, two=…)" in entries
    assert "class Deep(size, bias=True)" in entries
    assert "A shelf of things." in entries
    assert "Begin anew." in entries
    assert "How large." in entries
    for absent in ("_private", "forward", "Not shown", "float"):
        assert absent not in entries
    assert re.search(r'href="\.\./shelf/topic\.html"[^>]*>.*?The topic', page)
    assert '<a href="../code/shelf/topic.py">Source</a>' in page
    assert (built.root / "html" / "code" / "shelf" / "topic.py").read_text("utf-8") == TOPIC
    chapter = built.page("shelf/topic")
    assert 'href="../reference/api.html#livegrad.shelf.topic.double"' in chapter
    assert 'href="../reference/api.html#livegrad.shelf.topic.Layer.reset"' in chapter


def test_where_the_repository_is_known_the_source_is_its_line(
    book: Callable[..., Any], package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_REPOSITORY", "owner/book")
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # the build draws cards; the style of our figures was set by an import above
        page = book(index=TREE, reference__api=PAGE, shelf__topic="# T\n").build().page("reference/api")
    assert 'href="https://github.com/owner/book/blob/main/src/livegrad/shelf/topic.py#L7"' in page


def test_the_page_follows_the_package(book: Callable[..., Any], package: Path) -> None:
    built = book(index=TREE, reference__api=PAGE, shelf__topic="# T\n").build()
    topic = package / "shelf" / "topic.py"
    topic.write_text(TOPIC.replace("def double", "def triple"), "utf-8")
    later = topic.stat().st_mtime + 10
    os.utime(topic, (later, later))
    assert "triple(x" in text(built.build().page("reference/api"))
    (package / "shelf" / "new.py").write_text('"""New."""\n\n\ndef fresh():\n    """Newest."""\n', "utf-8")
    assert "Newest." in text(built.build().page("reference/api"))
    (package / "shelf" / "new.py").unlink()
    assert "Newest." not in text(built.build().page("reference/api"))


@pytest.mark.parametrize("builder", ["text", "epub", "latex"])
def test_other_builders_list_the_names_too(book: Callable[..., Any], package: Path, builder: str) -> None:
    built = book(index=TREE, reference__api=PAGE, shelf__topic="# T\n")
    built.build(builder, suppress_warnings=["epub.unknown_project_files", "epub"], version="1")
    output = "".join(f.read_text("utf-8", "replace") for f in (built.root / builder).rglob("*") if f.is_file())
    assert "Begin anew." in output
