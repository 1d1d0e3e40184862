"""Setting up says in one line what is wrong and what to do; it does nothing that is done already."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from livegrad_execution import bootstrap, lint_workflows

ROOT = Path(__file__).resolve().parents[2]


def test_an_old_python_can_read_the_file_far_enough_to_say_that_it_is_old() -> None:
    ast.parse(Path(bootstrap.__file__).read_text("utf8"), feature_version=(3, 6))


def test_an_old_python_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 1))
    with pytest.raises(SystemExit) as refused:
        bootstrap.main()
    message = "error: the book needs Python 3.11 or newer, this is 3.10: try `make PYTHON=python3.12 ...`"
    assert str(refused.value) == message


def script(folder: Path, text: str) -> str:
    """Write a program that stands in for a Python or an installer."""
    path = folder / "stand-in"
    path.write_text(f"#!{sys.executable}\n{text}\n")
    path.chmod(0o755)
    return str(path)


needs_scripts = pytest.mark.skipif(os.name == "nt", reason="stands in for programs with scripts")


@needs_scripts
def test_a_python_without_venv_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", script(tmp_path, "raise SystemExit('ensurepip is not available')"))
    with pytest.raises(SystemExit, match="sudo apt install python3-venv"):
        bootstrap.make_environment(str(tmp_path / ".venv"))
    assert not (tmp_path / ".venv").exists()


@needs_scripts
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("print(3, 10)", "error: .venv holds a Python older than 3.11: remove the folder .venv and try again"),
        ("raise SystemExit(1)", "error: .venv is broken (its Python does not start)"),
    ],
)
def test_an_unusable_environment_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SystemExit) as refused:
        bootstrap.check_version(script(tmp_path, text))
    assert str(refused.value).startswith(message)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("Failed to establish a new connection: Name does not resolve", "pip install needs the network once"),
        ("OSError: [Errno 28] No space left on device", "no space left on the disk"),
        (
            "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.",
            "pip install was given a file that",
        ),
        ("ERROR: no matching distribution", "pip install failed; the lines above say why"),
    ],
)
def test_a_failing_installer_shows_its_last_words_and_one_line_of_advice(
    capsys: pytest.CaptureFixture[str], said: str, message: str
) -> None:
    program = f"import sys\nprint('noise\\n' * 50 + {said!r})\nsys.exit(1)"
    with pytest.raises(SystemExit) as failed:
        bootstrap.run([sys.executable, "-c", program], "pip install")
    assert str(failed.value).startswith(f"error: {message}")
    shown = capsys.readouterr().out
    assert said in shown
    assert len(shown.splitlines()) < 10


def test_packages_are_installed_again_only_when_the_list_changed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    commands = []
    monkeypatch.setattr(bootstrap, "ROOT", str(tmp_path))
    monkeypatch.setattr(bootstrap, "run", lambda command, what: commands.append(what))
    for name in ("requirements.txt", "package.json", "package-lock.json"):
        (tmp_path / name).write_text("one")
    (tmp_path / "node_modules").mkdir()

    def set_up() -> list[str]:
        commands.clear()
        bootstrap.install_python_packages(str(tmp_path), "python")
        bootstrap.install_npm_packages("python")
        return commands.copy()

    both = ["pip install", "pip install"]  # with hashes, and torch
    assert set_up() == [*both, "npm ci"]
    assert set_up() == []
    for name in ("requirements.txt", "requirements-torch.txt"):
        (tmp_path / name).write_text("two")
        assert set_up() == both
    (tmp_path / "package-lock.json").write_text("two")
    assert set_up() == ["npm ci"]

    # The packages of a folder of its own leave those of the book alone.
    (tmp_path / "apart" / "node_modules").mkdir(parents=True)
    (tmp_path / "apart" / "package-lock.json").write_text("one")
    for expected in (["npm ci"], []):
        commands.clear()
        bootstrap.install_npm_packages("python", "apart")
        assert commands == expected
    assert set_up() == []


def test_every_package_but_torch_is_locked_with_hashes_and_torch_where_the_project_holds_it() -> None:
    entries = re.split(r"\n(?=\S)", (ROOT / "requirements.txt").read_text())
    locked = {entry.partition("==")[0]: entry for entry in entries if not entry.startswith("#")}
    assert len(locked) > 100
    assert [name for name, entry in locked.items() if "--hash=sha256:" not in entry] == []
    assert "torch" not in locked
    held = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["uv"]["constraint-dependencies"]
    torch = (ROOT / "requirements-torch.txt").read_text().splitlines()
    assert [line for line in torch if not line.startswith("#")] == held


def test_pip_is_told_to_refuse_what_has_no_hash(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    commands: list[list[str]] = []
    monkeypatch.setattr(bootstrap, "run", lambda command, what: commands.append(command))
    bootstrap.install_python_packages(str(tmp_path), "python")
    assert ["--require-hashes" in command for command in commands] == [True, False]
    assert [command[-1] for command in commands] == ["requirements.txt", "requirements-torch.txt"]


def test_an_installation_that_failed_is_tried_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("one")
    monkeypatch.setattr(bootstrap, "ROOT", str(tmp_path))

    def refuse(command: list[str], what: str) -> None:
        bootstrap.fail(what)

    monkeypatch.setattr(bootstrap, "run", refuse)
    for _ in range(2):
        with pytest.raises(SystemExit):
            bootstrap.install_python_packages(str(tmp_path), "python")


@pytest.mark.skipif(os.name == "nt", reason="make")
def test_make_alone_lists_every_target_with_a_line_about_it() -> None:
    listed = subprocess.run(
        ["make", "-C", str(ROOT), "--no-print-directory"], capture_output=True, text=True, check=True
    )
    lines = {line.split()[1]: line.split(maxsplit=2)[2] for line in listed.stdout.splitlines()}
    targets = (ROOT / "Makefile").read_text().partition(".PHONY: ")[2].partition("\n")[0].split()
    assert sorted(lines) == sorted(targets)
    assert {"book", "test", "live", "check", "notebooks", "bench", "clean"} <= lines.keys()
    assert all(len(text) > 10 for text in lines.values())


WORKFLOW = """\
name: Test
on: push
permissions: {}
jobs:
  test:
    name: Test
    runs-on: ubuntu-latest
    steps:
      - run: echo "PLACE"
"""


@pytest.mark.parametrize(
    ("line", "found"),
    [("hello", (0, 0)), ("${{ github.head_ref }}", (1, 1))],
)
def test_the_linters_of_workflows_find_what_is_wrong(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], line: str, found: tuple[int, int]
) -> None:
    path = tmp_path / ".github" / "workflows" / "test.yml"
    path.parent.mkdir(parents=True)
    path.write_text(WORKFLOW.replace("PLACE", line))
    assert (lint_workflows.actionlint([str(path)]), lint_workflows.zizmor([str(path)])) == found
    assert not found[0] or f"{path}:9:" in capfd.readouterr().out


def test_the_workflows_of_this_repository_pass() -> None:
    assert lint_workflows.main() == 0
