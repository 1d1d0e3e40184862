"""The explorables: their mathematics under node, the elements on bare pages in a headless Chromium, from file://."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "book" / "_assets" / "explorables"
PHONE, DESKTOP = {"width": 360, "height": 740}, {"width": 1000, "height": 900}


@pytest.fixture(scope="session")
def site_extension() -> ModuleType:
    """The part of livegrad_site that bundles."""
    sys.path.insert(0, str(ROOT / "book" / "_extensions"))
    try:
        from livegrad_site import explorables
    finally:
        sys.path.pop(0)
    return explorables


def names() -> list[str]:
    return sorted(file.stem.replace("_", "-") for file in SCRIPTS.glob("*.mjs"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "name" in metafunc.fixturenames:
        metafunc.parametrize("name", names())


@pytest.fixture(scope="session")
def bare(site_extension: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bare")
    site_extension.write_bare_pages(folder)
    return folder


@pytest.fixture
def node(site_extension: ModuleType, tmp_path: Path) -> Callable[..., str]:
    """Run `tests/explorables/<file>` by `node --test`, handing it what Python computed; return what node printed."""

    def run(file: str, reference: object) -> str:
        values = tmp_path / "reference.json"
        values.write_text(json.dumps(reference), "utf-8")
        environment = {**os.environ, "REFERENCE": str(values), "NODE_PATH": str(ROOT / "node_modules")}
        environment.pop("NODE_OPTIONS", None)
        command = [str(site_extension.NODE), "--test", "--test-reporter=spec", str(Path(__file__).parent / file)]
        done = subprocess.run(command, capture_output=True, encoding="utf-8", env=environment, cwd=ROOT)
        assert done.returncode == 0, done.stdout + done.stderr
        # A file without a test would pass too.
        assert "tests 0\n" not in done.stdout, done.stdout
        return done.stdout

    return run


@dataclass
class Bare:
    """A bare page in the browser; `at` is its first explorable."""

    page: Any
    name: str
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    @property
    def at(self) -> Any:
        return self.page.locator("#first")

    def state(self, which: str = "first") -> dict[str, Any]:
        return self.page.evaluate(f"document.getElementById('{which}').state")

    def set(self, key: str, value: object) -> None:
        self.page.evaluate("([k, v]) => document.getElementById('first').set(k, v)", [key, value])

    def specs(self) -> dict[str, dict[str, Any]]:
        script = """() => {
          const { specs, state } = document.getElementById("first");
          const gone = { when: null, pattern: null };
          const plain = ([key, c]) => [key, { ...c, ...gone, hidden: c.when ? !c.when(state) : false }];
          return Object.fromEntries(Object.entries(specs).map(plain));
        }"""
        return self.page.evaluate(script)

    def settle(self) -> None:
        """Wait until what was asked for is drawn."""
        self.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def written(self) -> str:
        """The fragment, once the explorable has had the time to write it."""
        self.page.wait_for_timeout(700)
        return self.page.evaluate("location.hash")

    def announced(self) -> str:
        self.page.wait_for_timeout(700)
        return self.at.locator("[role=status]").inner_text()

    def python(self) -> str:
        return self.page.evaluate("document.getElementById('first').python()")


@pytest.fixture
def visit(browser: Any, bare: Path) -> Iterator[Callable[..., Bare]]:
    """Open a bare page; whatever the browser complained about fails the test at its end."""
    opened: list[tuple[Any, Bare]] = []

    def open_page(name: str, fragment: str = "", *, quiet: bool = True, **options: Any) -> Bare:
        context = browser.new_context(**{"viewport": DESKTOP, "color_scheme": "light", **options})
        seen = Bare(context.new_page(), name)
        opened.append((context, seen))
        seen.page.on("console", lambda m: seen.errors.append(m.text) if m.type == "error" and quiet else None)
        seen.page.on("pageerror", lambda error: seen.errors.append(str(error)))
        seen.page.on("request", lambda request: seen.requests.append(request.url))
        seen.page.goto((bare / f"{name}.html").as_uri() + fragment)
        if options.get("java_script_enabled", True):
            drawn = "[...document.querySelectorAll('#first, #second')].some((e) => e.frames > 0)"
            seen.page.wait_for_function(drawn)
        return seen

    yield open_page
    for context, _ in opened:
        context.close()
    assert [seen.errors for _, seen in opened if seen.errors] == []


@pytest.fixture
def run_python(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Execute a snippet that a reader would copy and return what it prints, tensors with so many `digits`."""

    def run(code: str, digits: int = 4) -> str:
        capsys.readouterr()
        torch.set_printoptions(precision=digits)
        try:
            exec(compile(code, "snippet", "exec"), {"__name__": "snippet"})
        finally:
            torch.set_printoptions(profile="default")
        return capsys.readouterr().out

    return run
