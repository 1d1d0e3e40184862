"""The build: execute the chapters whose outputs are not valid any more, build the site, publish it."""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque

from filelock import FileLock, Timeout

from .cache import BookCache
from .chapters import Chapter, Project, Unreadable
from .dependencies import SourceTree
from .execute import CellProblem, execute_notebook, prepare_matplotlib
from .exits import CANNOT_START, FAILED, INTERRUPTED, stopped
from .progress import Clock, Progress, describe, run_time_table, say, shown
from .run_times import read_run_times, write_run_times
from .site import SiteFailed, Workshop, publish, recover


class Refused(Exception):
    """The build cannot start; the message says what to do."""


def build(project: Project, jobs: int | None = None, builder: str = "html") -> int:
    """Build the book; return the exit code. Whatever happens, `_build/html` is the last good site.

    With another builder (`linkcheck`) nothing is published.
    """
    clock = Clock()
    try:
        check(project)
        project.build.mkdir(parents=True, exist_ok=True)
        with FileLock(project.build / "lock", timeout=0):
            recover(project.html)
            seconds, executed = execute_stale(project, jobs or default_jobs())
            workshop = Workshop(project)
            workshop.prepare()
            say("building the site …" if builder == "html" else f"running {builder} …")
            workshop.run_sphinx(builder)
            if builder != "html":
                return 0
            publish(workshop.html, project.html)
    except Timeout:
        say("error: another build of this book is running; wait for it, or end it")
        return CANNOT_START
    except (Refused, Unreadable) as refusal:
        say(f"error: {refusal}")
        return CANNOT_START
    except ChaptersFailed as failure:
        say(f"\nThe build stopped: {failure}\n")
        for problem, file in failure.problems:
            say(describe(problem, file) + "\n")
        say(what_remains(project))
        return FAILED
    except SiteFailed:
        say(f"\nThe build stopped: the warnings above are errors.\n{what_remains(project)}")
        return FAILED
    except (KeyboardInterrupt, OSError) as reason:
        return stopped(reason, project.build, f"Chapters that had finished are kept.\n{what_remains(project)}")
    say(f"\nRun times (* executed now):\n{run_time_table(seconds, executed)}")
    say(f"\nBuilt in {clock}. Open {(project.html / 'index.html').as_uri()}")
    return 0


def build_draft(project: Project, jobs: int | None = None) -> int:
    """Build `_build/draft/html` for an author's eyes: with warnings, and without the outputs of broken chapters."""
    try:
        check(project)
        project.build.mkdir(parents=True, exist_ok=True)
        with FileLock(project.build / "lock", timeout=0):
            broken: list[str] = []
            try:
                execute_stale(project, jobs or default_jobs(), keep_going=True)
            except ChaptersFailed as failure:
                for problem, file in failure.problems:
                    say("\n" + describe(problem, file))
                    broken.append(file.removeprefix("book/").removesuffix(".md"))
            workshop = Workshop(project, draft=True)
            workshop.prepare()
            workshop.run_sphinx(not_executed=broken)
    except Timeout:
        say("error: another build of this book is running; this change waits for the next one")
        return CANNOT_START
    except (Refused, Unreadable, SiteFailed) as refusal:
        say(f"error: {refusal or 'Sphinx could not finish; it says why above'}")
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    return FAILED if broken else 0


def check(project: Project) -> None:
    """Refuse to start where the build could only fail, in one line that says what to do."""
    for path in (project.config, project.toc, project.book):
        if not path.exists():
            raise Refused(f"{path} is missing: run this at the top of the repository")
    if (project.root / "package.json").is_file() and not (project.root / "node_modules" / "katex").is_dir():
        raise Refused("the npm packages are missing: run `make setup`, or bootstrap.py, which lies beside the driver")


def what_remains(project: Project) -> str:
    if (project.html / "index.html").is_file():
        return f"The last good site is unchanged: {shown(project.html)}"
    return "There is no earlier site to fall back on."


def default_jobs() -> int:
    """Return the number of cores that this process may use, or what the variable JOBS says."""
    wish = os.environ.get("JOBS", "")
    if wish and (not wish.isdecimal() or int(wish) < 1):
        raise Refused(f"JOBS must be a whole number of at least 1, got {wish!r}")
    if wish:
        return int(wish)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class ChaptersFailed(Exception):
    """At least one chapter cannot be published."""

    def __init__(self, problems: list[tuple[CellProblem, str]], not_started: int) -> None:
        self.problems = problems
        count = f"{len(problems)} chapters do" if len(problems) > 1 else "1 chapter does"
        rest = f", {not_started} not started" if not_started else ""
        super().__init__(f"{count} not execute{rest}")


def execute_stale(project: Project, jobs: int, keep_going: bool = False) -> tuple[dict[str, float], set[str]]:
    """Bring the cache up to date; return every chapter's run time, and which were executed now."""
    cache = BookCache(project.cache, SourceTree(project.src))
    chapters = project.chapters()
    recorded = read_run_times(project.run_times)["seconds"]
    known = {chapter.name: cache.seconds(chapter.notebook()) for chapter in chapters}
    stale = [chapter for chapter in chapters if known[chapter.name] is None]
    # Longest first, so that no core waits at the end; a new chapter may be long.
    stale.sort(key=lambda chapter: -recorded.get(chapter.name, float("inf")))
    if stale:
        say(f"chapters to execute: {len(stale)} of {len(chapters)}, {min(jobs, len(stale))} at a time")
        prepare_matplotlib(project.src, project.build / "scratch")
        asyncio.run(execute_all(project, cache, stale, jobs, keep_going))
    else:
        say(f"chapters to execute: none of {len(chapters)}")
    seconds = {chapter.name: cache.seconds(chapter.notebook()) or 0.0 for chapter in chapters}
    days = {chapter.name: cache.day(chapter.notebook()) or "" for chapter in chapters}
    write_run_times(project.run_times, {name: round(value, 1) for name, value in seconds.items()}, days)
    return seconds, {chapter.name for chapter in stale}


async def execute_all(
    project: Project, cache: BookCache, stale: list[Chapter], jobs: int, keep_going: bool = False
) -> None:
    """Execute chapters, `jobs` at a time; after a failure the running ones end and, unless told, no other starts."""
    waiting, progress = deque(stale), Progress(len(stale))
    problems: list[tuple[CellProblem, str]] = []

    async def work() -> None:
        while waiting and (keep_going or not problems):
            chapter = waiting.popleft()
            progress.started(chapter.name)
            try:
                seconds = await execute_chapter(project, cache, chapter, progress)
            except CellProblem as problem:
                problems.append((problem, chapter.file))
                progress.failed(chapter.name)
            else:
                progress.finished(chapter.name, seconds)

    # Whatever ends one of them, Ctrl-C included, has asyncio.run cancel the others.
    await asyncio.gather(*(work() for _ in range(min(jobs, len(stale)))))
    if problems:
        raise ChaptersFailed(problems, len(waiting))


async def execute_chapter(project: Project, cache: BookCache, chapter: Chapter, progress: Progress) -> float:
    """Execute one chapter and keep its outputs. Raises CellProblem."""
    nb = chapter.notebook()
    key = cache.key(nb)
    seconds = await execute_notebook(
        nb,
        project.src,
        project.build / "scratch",
        project.cell_timeout(),
        lambda number, count: progress.cell(chapter.name, number, count),
    )
    # Outputs of the old code must not be kept under the key of the new.
    if cache.key(nb) != key:
        raise CellProblem("a module that it imports was edited while the chapter was executing: build again")
    cache.store(nb, chapter.path, seconds)
    return seconds


def execute_for_sphinx(nb, cwd, timeout, allow_errors, meta_override=True, record_timing=False, *, src, scratch):  # type: ignore[no-untyped-def]
    """Stand in for jupyter-cache's executor, by our rules, when Sphinx meets a chapter that the cache does not hold."""
    from jupyter_cache.executors.utils import ExecutionResult

    start, problem = time.perf_counter(), None
    prepare_matplotlib(src, scratch)
    try:
        asyncio.run(execute_notebook(nb, src, scratch, timeout))
    except CellProblem as error:
        problem = error
    text = describe(problem, "the chapter") if problem else None
    return ExecutionResult(nb, cwd, time.perf_counter() - start, problem, text)
