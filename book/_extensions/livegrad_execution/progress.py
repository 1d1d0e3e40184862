"""What the terminal shows: one line a chapter, and on a real terminal the cells as they run."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

from .execute import CellProblem


class Progress:
    """Reports on the execution of a number of chapters."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.done = 0
        self.running: dict[str, str] = {}
        self.live = sys.stdout.isatty()
        self.width = shutil.get_terminal_size().columns

    def started(self, name: str) -> None:
        self.running[name] = ""
        if self.live:
            self._redraw()
        else:
            say(f"  executing {name} …")

    def cell(self, name: str, number: int, count: int) -> None:
        self.running[name] = f" {number}/{count}"
        if self.live:
            self._redraw()

    def finished(self, name: str, seconds: float) -> None:
        self.done += 1
        self.running.pop(name, None)
        left = self.total - self.done
        self._line(f"  {name}: {seconds:.1f} s ({left} of {self.total} left)" if left else f"  {name}: {seconds:.1f} s")

    def failed(self, name: str) -> None:
        self.running.pop(name, None)
        self._line(f"  {name}: FAILED")

    def _line(self, text: str) -> None:
        if self.live:
            sys.stdout.write("\r\x1b[K")
        say(text)
        if self.live:
            self._redraw()

    def _redraw(self) -> None:
        text = ", ".join(f"{name}{cells}" for name, cells in self.running.items())
        status = f"  [{self.done}/{self.total}] {text}" if text else ""
        sys.stdout.write("\r\x1b[K" + status[: self.width - 1])
        sys.stdout.flush()


def say(text: str = "") -> None:
    """Print at once, also when the output is a pipe, and also where the terminal knows only ASCII."""
    encoding = sys.stdout.encoding or "ascii"
    print(text.encode(encoding, "replace").decode(encoding), flush=True)


def describe(problem: CellProblem, file: str) -> str:
    """Say in a few lines which cell of which chapter went wrong, and how."""
    if problem.number is None:
        where = file
    else:
        where = f"{file}:{problem.line}: code cell {problem.number}, which begins `{problem.first_line.strip()}`"
    details = "".join(f"\n    | {line}" for line in problem.details.splitlines())
    return f"{where}\n  {problem.reason}{details}"


def run_time_table(seconds: dict[str, float], executed: set[str]) -> str:
    """List the run time of each chapter; `*` marks those executed just now."""
    width = max(map(len, seconds), default=0)
    rows = [f"  {name:<{width}}  {time_:6.1f} s{' *' if name in executed else ''}" for name, time_ in seconds.items()]
    rows.append(f"  {'all chapters, one after another':<{width}}  {sum(seconds.values()):6.1f} s")
    return "\n".join(rows)


class Clock:
    """Measures how long the build took."""

    def __init__(self) -> None:
        self.start = time.perf_counter()

    def __str__(self) -> str:
        seconds = time.perf_counter() - self.start
        return f"{seconds:.1f} s" if seconds < 90 else f"{seconds // 60:.0f} min {seconds % 60:.0f} s"


def shown(path: Path) -> str:
    """Return a path as people type it: relative to where they are, if it is below."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
