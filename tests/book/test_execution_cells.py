"""A cell that does what a reader should not see is a problem with a place and a reason; numbers repeat exactly."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from livegrad_execution.execute import CellProblem, execute_notebook
from nbformat import NotebookNode, v4


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("execution")
    (folder / "src").mkdir()
    (folder / "src" / "ours.py").write_text("answer = 42\n")
    return folder


def run(folder: Path, *cells: str, timeout: int = 60) -> NotebookNode:
    nb = v4.new_notebook(cells=[v4.new_markdown_cell("Text."), *map(v4.new_code_cell, cells)])
    nb.metadata["source_map"] = [5, *(10 * number for number, _ in enumerate(cells, start=1))]
    asyncio.run(execute_notebook(nb, folder / "src", folder / "scratch", timeout))
    return nb


def printed(nb: NotebookNode) -> str:
    return "".join(output.text for cell in nb.cells[1:] for output in cell.outputs if output.output_type == "stream")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("x = 1\n1 / 0", "the cell raises: ZeroDivisionError: division by zero"),
        ("assert 1 > 2, 'a claim'", "the cell raises: AssertionError: a claim"),
        ("import sys\nprint('oh', file=sys.stderr)", "the cell writes to stderr"),
        ("import os\nos.write(2, b'from C')\nNone", "the cell writes to stderr"),
        ("import warnings\nwarnings.warn('careful')", "the cell writes to stderr"),
        ("import warnings\nwarnings.warn('old', DeprecationWarning)", "a warning is an error: DeprecationWarning: old"),
        ("import warnings\nwarnings.warn('soon', FutureWarning)", "a warning is an error: FutureWarning: soon"),
        ("import os\nos._exit(9)", "the kernel was killed"),
    ],
)
def test_a_problem_names_its_cell_and_its_reason(folder: Path, code: str, reason: str) -> None:
    with pytest.raises(CellProblem) as caught:
        run(folder, "fine = True", "\n" + code, "print('never reached')")
    problem = caught.value
    assert problem.reason.startswith(reason)
    assert (problem.number, problem.line, problem.first_line) == (2, 20, code.splitlines()[0])


def test_the_details_are_the_end_of_the_traceback_without_colors(folder: Path) -> None:
    with pytest.raises(CellProblem) as caught:
        run(folder, "def f(depth):\n    return f(depth - 1) if depth else 1 / 0\nf(50)")
    lines = caught.value.details.splitlines()
    assert lines[-1] == "ZeroDivisionError: division by zero"
    assert len(lines) < 20
    assert "\x1b" not in caught.value.details


def test_a_cell_that_takes_too_long_is_a_problem(folder: Path) -> None:
    with pytest.raises(CellProblem, match="did not finish within 1 s"):
        run(folder, "while True: pass", timeout=1)


def test_a_kernel_sees_one_thread_our_package_and_nobody_elses_settings(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "/somewhere/else")
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    nb = run(
        folder,
        "import json, os, sys, warnings, torch, ours",
        "print(json.dumps([ours.answer, torch.get_num_threads(), os.listdir(), hash('fixed'),"
        "os.environ['PYTHONPATH'], sorted(n for n in globals() if 'categ' in n)]))",
    )
    answer, threads, files, hashed, path, leftovers = json.loads(printed(nb))
    assert (answer, threads, files, leftovers) == (42, 1, [], [])
    assert path == str(folder / "src")
    assert hashed == json.loads(printed(run(folder, "print(hash('fixed'))")))
    assert not list((folder / "scratch").glob("chapter-*"))


def test_two_executions_give_the_same_outputs(folder: Path) -> None:
    cells = (
        "import torch\ntorch.manual_seed(0)\nx = torch.randn(300, 300)",
        "print((x @ x.T).double().sum().item(), set('some letters'))",
        "{word: x.exp().mean().item() for word in {'in', 'the', 'order', 'of', 'a', 'set'}}",
    )
    first, second = (run(folder, *cells) for _ in range(2))
    assert [cell.get("outputs") for cell in first.cells] == [cell.get("outputs") for cell in second.cells]
    assert first.cells[2].outputs
    assert first.cells[3].outputs
