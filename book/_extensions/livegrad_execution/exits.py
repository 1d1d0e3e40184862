"""How a program of the book ends: its exit codes, and what is said when it is ended before its end."""

from __future__ import annotations

import errno
from pathlib import Path

from .progress import say

FAILED, CANNOT_START, INTERRUPTED = 1, 2, 130


def stopped(reason: KeyboardInterrupt | OSError, folder: Path, remains: str) -> int:
    """Say that Ctrl-C or a full disk ended the work, and what `remains` of it; return the exit code.

    Any other OSError is a fault of the program and is raised again.
    """
    if isinstance(reason, KeyboardInterrupt):
        say(f"\nInterrupted. {remains}")
        return INTERRUPTED
    if reason.errno != errno.ENOSPC:
        raise reason
    say(f"\nerror: no space left on the disk that holds {folder}: free some and try again\n{remains}")
    return FAILED
