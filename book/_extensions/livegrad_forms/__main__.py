"""Command line: `python book/_extensions/livegrad_forms pdf`; also `epub` and `archive`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

# Python puts this folder first on the path; what it must find are the packages in the folder above.
sys.path[0] = str(Path(__file__).resolve().parents[1])


def main() -> int:
    """Read the arguments and do it; return the exit code. Whatever happens, the last good file stays."""
    from filelock import FileLock, Timeout
    from livegrad_execution.exits import CANNOT_START, FAILED, stopped
    from livegrad_execution.progress import Clock, say, shown

    from livegrad_forms.offer import FORMS, make, offer
    from livegrad_forms.pages import Unusable

    parser = argparse.ArgumentParser(prog="livegrad_forms", description="Make another form of the finished site.")
    parser.add_argument("form", choices=sorted(FORMS), help="what to make")
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[3], help="the repository")
    arguments = parser.parse_args()
    root, clock = arguments.root.resolve(), Clock()
    target = root / "_build" / "forms" / FORMS[arguments.form].file
    remains = f"The last good one is unchanged: {shown(target)}" if target.is_file() else "There is no earlier one."
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(root / "_build" / "lock", timeout=0):
            notes = make(root, arguments.form)
            offer(root)
    except Timeout:
        say("error: a build of this book is running; wait for it, or end it")
        return CANNOT_START
    except Unusable as problem:
        say(f"error: {problem}\n{remains}")
        return FAILED
    except (KeyboardInterrupt, OSError) as reason:
        return stopped(reason, target.parent, remains)
    for note in notes:
        say(note)
    say(f"{shown(target)}: {target.stat().st_size / 1e6:.1f} MB, in {clock}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
