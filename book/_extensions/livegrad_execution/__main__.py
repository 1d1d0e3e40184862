"""Command line: `python book/_extensions/livegrad_execution book`; `--help` lists the rest."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

# Python puts this folder first on the path; what it must find is the package, in the folder above.
sys.path[0] = str(Path(__file__).resolve().parents[1])
os.environ.setdefault("JUPYTER_PREFER_ENV_PATH", "1")  # the kernel of this environment, not one in the home folder


def main() -> int:
    """Read the arguments and do it; return the exit code."""
    parser = argparse.ArgumentParser(prog="livegrad_execution", description="Build the book.")
    parser.add_argument("what", choices=["book", "notebooks", "live", "draft", "links"], help="what to make")
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[3], help="the repository")
    parser.add_argument("--jobs", type=int, default=None, help="chapters to execute at a time (default: cores)")
    arguments = parser.parse_args()
    if arguments.jobs is not None and arguments.jobs < 1:
        parser.error(f"--jobs must be at least 1, got {arguments.jobs}")

    from livegrad_execution.chapters import Project
    from livegrad_execution.driver import build, build_draft

    project = Project(arguments.root.resolve())
    if arguments.what == "live":
        from livegrad_execution.live import serve

        return serve(project)
    if arguments.what == "draft":
        return build_draft(project, arguments.jobs)
    code = build(project, arguments.jobs, "linkcheck" if arguments.what == "links" else "html")
    if arguments.what == "notebooks" and code == 0:
        from livegrad_execution.notebooks import collect

        collect(project)
    return code


if __name__ == "__main__":
    sys.exit(main())
