"""Executes chapters, several at once, and stops at the first cell that does what a reader should not see."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbclient.util import ensure_async
from nbformat import NotebookNode

from .cache import KERNEL_SETUP

ANSI = re.compile(r"\x1b\[[0-9;]*m")
THREAD_LIMITS = ("OMP_NUM", "MKL_NUM", "OPENBLAS_NUM", "NUMEXPR_NUM", "VECLIB_MAXIMUM")


@dataclasses.dataclass
class CellProblem(Exception):
    """Why a chapter cannot be published, and where."""

    reason: str
    details: str = ""
    number: int | None = None  # of the code cell, from 1
    line: int | None = None  # in the chapter's file, from 1
    first_line: str = ""

    def __str__(self) -> str:
        return self.reason


def kernel_environment(src: Path, scratch: Path) -> dict[str, str]:
    """Return the environment of a kernel: one thread, fixed hashing, our package, nobody's personal settings.

    Sums in another order round differently, so the number of threads is part of a number's definition.
    """
    dropped = {"PYTHONSTARTUP", "PYTHONWARNINGS", "PYTHONHOME", "MATPLOTLIBRC"}
    # Under pytest, ipykernel would not pass on what compiled code writes to stderr.
    dropped.add("PYTEST_CURRENT_TEST")
    env = {name: value for name, value in os.environ.items() if name not in dropped}
    env |= {f"{name}_THREADS": "1" for name in THREAD_LIMITS}
    env |= {
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": str(src),
        "PYTHONNOUSERSITE": "1",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "MPLCONFIGDIR": str(scratch / "matplotlib"),
        "IPYTHONDIR": str(scratch / "ipython"),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }
    return env


async def execute_notebook(
    nb: NotebookNode, src: Path, scratch: Path, timeout: int, on_cell: Callable[[int, int], None] | None = None
) -> float:
    """Execute the cells in place, in a kernel and an empty folder of their own; return the seconds it took.

    `on_cell(number, count)` is called before each code cell. Raises CellProblem.
    """
    start = time.perf_counter()
    scratch.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="chapter-", dir=scratch, ignore_cleanup_errors=True) as folder,
        tempfile.TemporaryFile(dir=scratch) as kernel_log,
    ):
        client = NotebookClient(
            nb,
            timeout=timeout,
            kernel_name="python3",
            resources={"metadata": {"path": folder}},
            extra_arguments=[f"--IPKernelApp.exec_files={KERNEL_SETUP}"],
            record_timing=False,
        )
        client.km = client.create_kernel_manager()
        try:
            try:
                await client.async_start_new_kernel(
                    env=kernel_environment(src, scratch), stdout=kernel_log, stderr=kernel_log
                )
                await client.async_start_new_kernel_client()
            except RuntimeError as error:
                raise CellProblem("the kernel did not start", _end_of(kernel_log) or str(error)) from error
            await _execute_cells(client, nb, on_cell, kernel_log)
            reply = await client.async_wait_for_reply(client.kc.kernel_info())
            nb.metadata["language_info"] = reply["content"]["language_info"]
        finally:
            # Also on Ctrl-C: no kernel outlives the build.
            await asyncio.shield(_end_kernel(client))
    return time.perf_counter() - start


async def _execute_cells(client, nb, on_cell, kernel_log) -> None:  # type: ignore[no-untyped-def]
    # The reader counts lines from 0 and points one below the fence: from 1, that is the fence itself.
    lines = nb.metadata.get("source_map") or [0] * len(nb.cells)
    code_cells = [(index, cell) for index, cell in enumerate(nb.cells) if cell.cell_type == "code"]
    for number, (index, cell) in enumerate(code_cells, start=1):
        if on_cell:
            on_cell(number, len(code_cells))
        try:
            await client.async_execute_cell(cell, index, execution_count=number)
            problem = _problem_in_outputs(cell)
        except CellExecutionError as error:
            reason = "a warning is an error" if error.ename.endswith("Warning") else "the cell raises"
            problem = CellProblem(f"{reason}: {error.ename}: {error.evalue}", _short_traceback(error))
        except CellTimeoutError:
            problem = CellProblem(
                f"the cell did not finish within {client.timeout} s",
                "Make it cheaper; the limit is `execute: timeout:` in _config.yml.",
            )
        except DeadKernelError:
            problem = CellProblem("the kernel was killed (out of memory, or by someone)", _end_of(kernel_log))
        if problem:
            problem.number, problem.line = number, lines[index]
            problem.first_line = next((text for text in cell.source.splitlines() if text.strip()), "")
            raise problem


def _problem_in_outputs(cell: NotebookNode) -> CellProblem | None:
    text = "".join(o.text for o in cell.outputs if o.output_type == "stream" and o.name == "stderr")
    return CellProblem("the cell writes to stderr", text.strip()) if text else None


def _short_traceback(error: CellExecutionError) -> str:
    """Keep the last part of the traceback: where it happened and what it said."""
    lines = ANSI.sub("", error.traceback).strip().splitlines()
    return "\n".join(lines[-14:])


def _end_of(log) -> str:  # type: ignore[no-untyped-def]
    """Return the last lines that the kernel's process wrote, without its start-up remarks."""
    log.seek(0)
    lines = log.read().decode("utf8", "replace").strip().splitlines()
    return "\n".join(line for line in lines if "IPKernelApp" not in line)[-1500:].strip()


async def _end_kernel(client: NotebookClient) -> None:
    with contextlib.suppress(Exception):
        if client.km and await ensure_async(client.km.is_alive()):
            await ensure_async(client.km.shutdown_kernel(now=True))
    with contextlib.suppress(Exception):
        if client.kc:
            client.kc.stop_channels()
        if client.km:
            await ensure_async(client.km.cleanup_resources())


def prepare_matplotlib(src: Path, scratch: Path) -> None:
    """Let matplotlib search for fonts once, before chapters do: it says so on stderr, which would stop them."""
    if any((scratch / "matplotlib").glob("fontlist*.json")):
        return
    (scratch / "matplotlib").mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [sys.executable, "-c", "import matplotlib.font_manager"],
        env=kernel_environment(src, scratch) | {"MPLBACKEND": "agg"},
        capture_output=True,
        check=False,
    )
