"""The build executes what changed and nothing else, and publishes only what is whole. Real books, really built."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from livegrad_execution import driver, site
from livegrad_execution.cache import BookCache
from livegrad_execution.chapters import Project
from livegrad_execution.dependencies import SourceTree
from nbformat import NotebookNode

Make = Callable[..., Any]  # of a ScratchBook, from conftest.py


@pytest.fixture
def book(scratch_book: Make) -> Any:
    """Two chapters, each of which imports a module of its own, and the page of run times."""
    book = scratch_book()
    book.write("src/livegrad/shelf/double.py", "def double(x):\n    return 2 * x\n")
    book.write("src/livegrad/shelf/square.py", "def square(x):\n    return x * x\n")
    book.chapter("shelf/double", "from livegrad.shelf.double import double\nprint('value', double(5))")
    book.chapter("shelf/square", "from livegrad.shelf.square import square\nprint('value', square(5))")
    book.page("reference/status", "# Run times\n\n```{run-times}\n```\n")
    return book


def test_each_change_executes_what_depends_on_it_and_nothing_else(book: Any) -> None:
    first = book.run()
    assert first.returncode == 0, first.stdout
    assert first.stdout.count("  executing ") == 2
    assert (book.html / "index.html").as_uri() in first.stdout
    assert "all chapters, one after another" in first.stdout
    assert "value 10" in book.text("shelf/double")
    assert "value 25" in book.text("shelf/square")
    times = json.loads((book.root / "_build/run_times.json").read_text())
    assert list(times["seconds"]) == ["shelf/double", "shelf/square"]
    status = book.text("reference/status")
    assert f"{times['seconds']['shelf/double']:.1f}" in status
    assert times["versions"]["torch"] in status
    today = datetime.now(UTC).date()
    assert set(times["days"]) == {"shelf/double", "shelf/square"}
    assert set(times["days"].values()) <= {today.isoformat(), (today - timedelta(days=1)).isoformat()}
    assert all(day in status for day in times["days"].values())
    assert "Title of shelf/square" in status

    # Nothing changed.
    assert book.build() == []

    # Prose.
    book.edit("book/shelf/double.md", "Prose.", "Better prose.")
    assert book.build() == []
    assert "Better prose." in book.text("shelf/double")

    # A title: every page shows it at its side.
    book.edit("book/shelf/double.md", "Title of", "Doubling, or")
    assert book.build() == []
    assert "Doubling, or" in book.text("shelf/square")

    # A function.
    book.edit("src/livegrad/shelf/double.py", "2 * x", "2 * x + 1")
    assert book.build() == ["shelf/double"]
    assert "value 11" in book.text("shelf/double")

    # The code of one chapter.
    book.edit("book/shelf/square.md", "square(5)", "square(6)")
    assert book.build() == ["shelf/square"]
    assert "value 36" in book.text("shelf/square")

    # Back to what was executed before.
    book.edit("book/shelf/square.md", "square(6)", "square(5)")
    assert book.build() == []
    assert "value 25" in book.text("shelf/square")

    # A style sheet: all pages name it with its checksum.
    old_page = (book.html / "shelf/double.html").read_text()
    book.write("book/_assets/site.css", "p { color: green }\n")
    assert book.build() == []
    assert "green" in (book.html / "_static/site.css").read_text()
    assert (book.html / "shelf/double.html").read_text() != old_page


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_failing_cell_or_a_warning_leaves_the_last_good_site(book: Any) -> None:
    book.build()
    good = snapshot(book.html)

    book.edit("book/shelf/square.md", "print(", "assert square(5) < 9, 'too big'\nprint(")
    for _ in range(2):
        failed = book.run()
        assert failed.returncode == 1
        assert "book/shelf/square.md:10: code cell 1, which begins `from livegrad" in failed.stdout
        assert "AssertionError: too big" in failed.stdout
        assert "last good site is unchanged" in failed.stdout
        assert snapshot(book.html) == good
    book.edit("book/shelf/square.md", "assert square(5) < 9, 'too big'\n", "")

    # Sphinx reports a page's warnings only when it reads the page: the second build must not pass for that.
    book.edit("book/shelf/double.md", "Prose.", "See {ref}`nowhere`.")
    for _ in range(2):
        failed = book.run()
        assert failed.returncode == 1
        assert "undefined label: 'nowhere'" in failed.stdout
        assert "last good site is unchanged" in failed.stdout
        assert snapshot(book.html) == good
    book.edit("book/shelf/double.md", "See {ref}`nowhere`.", "Prose.")
    assert book.build() == []


def test_an_interrupted_build_ends_its_kernels_and_keeps_what_was_finished(scratch_book: Make) -> None:
    book = scratch_book()
    book.chapter("shelf/quick", "print('quick')")
    book.chapter("shelf/slow", f"import os, time\nopen({str(book.root / 'pid')!r}, 'w').write(str(os.getpid()))\n"
                               "time.sleep(300)")  # fmt: skip
    env = os.environ | {"PYTHONUNBUFFERED": "1"}
    # Tests that a shell runs in the background ignore Ctrl-C, and so would what they start.
    heed = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    build = subprocess.Popen(
        book.command("book", "--jobs", "2"), stdout=subprocess.PIPE, text=True, env=env, preexec_fn=heed
    )
    assert build.stdout
    lines = []
    for line in build.stdout:
        lines.append(line)
        if "shelf/quick: " in line:
            break
    while not (book.root / "pid").is_file() or not (book.root / "pid").read_text():
        assert build.poll() is None, "".join(lines)
        time.sleep(0.05)
    build.send_signal(signal.SIGINT)
    rest, _ = build.communicate(timeout=30)
    assert build.returncode == driver.INTERRUPTED
    assert "Interrupted. Chapters that had finished are kept." in rest
    assert "no earlier site" in rest
    assert not is_running(int((book.root / "pid").read_text()))

    book.edit("book/shelf/slow.md", "time.sleep(300)", "")
    assert book.build() == ["shelf/slow"]


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").is_file() and ") Z " not in Path(f"/proc/{pid}/stat").read_text()


def test_one_build_at_a_time_and_no_lock_outlives_its_build(scratch_book: Make) -> None:
    book = scratch_book()
    (book.root / "_build").mkdir()
    holder = subprocess.Popen(
        [sys.executable, "-c", "import sys, time\nfrom filelock import FileLock\n"
         "lock = FileLock(sys.argv[1]); lock.acquire(); print('held', flush=True); time.sleep(300)",
         str(book.root / "_build" / "lock")], stdout=subprocess.PIPE,
    )  # fmt: skip
    assert holder.stdout
    assert holder.stdout.readline() == b"held\n"
    refused = book.run()
    assert refused.returncode == driver.CANNOT_START
    assert refused.stdout == "error: another build of this book is running; wait for it, or end it\n"
    holder.kill()
    holder.communicate()
    assert book.build() == []


def outputs(root: Path) -> dict[str, list[NotebookNode]]:
    project = Project(root)
    cache = BookCache(project.cache, SourceTree(project.src))
    return {c.name: [cell.get("outputs") for cell in cache.executed(c.notebook()).cells] for c in project.chapters()}


def test_two_clean_builds_give_the_same_outputs_whatever_the_number_of_jobs(scratch_book: Make) -> None:
    found = []
    for jobs in (1, 2):
        book = scratch_book(f"jobs{jobs}")
        for seed in (1, 2):
            code = (
                f"import torch\ntorch.manual_seed({seed})\nx = torch.randn(200, 200)\n"
                "print((x @ x).sum().item(), {'a', 'set', 'of', 'words'})"
            )
            book.chapter(f"shelf/seed{seed}", code)
        driver.execute_stale(Project(book.root), jobs)
        found.append(outputs(book.root))
    assert found[0] == found[1]
    assert found[0]["shelf/seed1"] != found[0]["shelf/seed2"]
    assert all(output[-1] for output in found[0].values())


def project_with(tmp_path: Path) -> Project:
    (tmp_path / "src").mkdir()
    return Project(tmp_path)


def test_chapters_run_longest_first_and_no_more_than_asked_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running, most, order = set(), [], []

    async def pretend(project, cache, chapter, progress):  # type: ignore[no-untyped-def]
        running.add(chapter.name)
        order.append(chapter.name)
        most.append(len(running))
        await asyncio.sleep(0)
        running.remove(chapter.name)
        return 1.0

    monkeypatch.setattr(driver, "execute_chapter", pretend)
    names = ["a", "b", "c", "new"]
    chapters = [SimpleNamespace(name=n, file=n, notebook=lambda n=n: n) for n in names]
    monkeypatch.setattr(Project, "chapters", lambda self: chapters)
    monkeypatch.setattr(BookCache, "seconds", lambda self, nb: None)
    monkeypatch.setattr(BookCache, "day", lambda self, nb: "2025-01-31")
    monkeypatch.setattr(driver, "prepare_matplotlib", lambda *a: None)
    project = project_with(tmp_path)
    driver.write_run_times(project.run_times, {"a": 1.0, "b": 9.0, "c": 5.0}, {})
    _, executed = driver.execute_stale(project, jobs=3)
    assert order == ["new", "b", "c", "a"]
    assert max(most) == 3
    assert executed == set(names)


def test_outputs_of_code_that_changed_meanwhile_are_not_kept(scratch_book: Make) -> None:
    book = scratch_book()
    module = book.write("src/livegrad/shelf/one.py", "x = 1\n")
    book.chapter(
        "shelf/one",
        f"from livegrad.shelf.one import x\nopen({str(module)!r}, 'w').write('x = 2\\n')\nprint('value', x)",
    )
    with pytest.raises(driver.ChaptersFailed) as failed:
        driver.execute_stale(Project(book.root), jobs=1)
    assert "was edited while the chapter was executing" in str(failed.value.problems[0][0])
    driver.execute_stale(Project(book.root), jobs=1)
    assert "value 2" in str(outputs(book.root))


@pytest.mark.parametrize("damage", [Path.unlink, lambda file: file.write_bytes(file.read_bytes()[:100])])
def test_a_record_without_its_whole_file_is_executed_again(scratch_book: Make, damage: Callable[[Path], None]) -> None:
    book = scratch_book()
    book.chapter("shelf/one", "print('value', 1)")
    assert driver.execute_stale(Project(book.root), jobs=1)[1] == {"shelf/one"}
    assert driver.execute_stale(Project(book.root), jobs=1)[1] == set()
    (file,) = (book.root / "_build/cache/executed").rglob("base.ipynb")
    damage(file)
    assert driver.execute_stale(Project(book.root), jobs=1)[1] == {"shelf/one"}
    assert "value 1" in str(outputs(book.root))


def make_site(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "index.html").write_text(text)
    return folder


def test_publishing_replaces_the_site_whole(tmp_path: Path) -> None:
    html = make_site(tmp_path / "html", "old")
    (html / "gone.html").write_text("old")
    site.publish(make_site(tmp_path / "site", "new"), html)
    assert snapshot(html) == {"index.html": b"new"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["html", "site"]


def test_a_build_killed_between_the_renames_is_put_right(tmp_path: Path) -> None:
    make_site(tmp_path / "html.old", "old")
    make_site(tmp_path / "html.new", "new")
    site.recover(tmp_path / "html")
    assert snapshot(tmp_path) == {"html/index.html": b"old"}


def test_leftovers_beside_a_good_site_are_removed(tmp_path: Path) -> None:
    for name in ("html", "html.old", "html.new"):
        make_site(tmp_path / name, name)
    site.recover(tmp_path / "html")
    assert snapshot(tmp_path) == {"html/index.html": b"html"}


@pytest.mark.parametrize(
    ("what", "message"),
    [
        (lambda root: (root / "_config.yml").unlink(), "_config.yml is missing: run this at the top of the repository"),
        (lambda root: (root / "package.json").write_text("{}"), "the npm packages are missing: run `make setup`"),
    ],
)
def test_a_build_that_cannot_start_says_what_to_do_in_one_line(
    scratch_book: Make, capsys: pytest.CaptureFixture[str], what: Callable[[Path], None], message: str
) -> None:
    book = scratch_book()
    what(book.root)
    assert driver.build(Project(book.root), jobs=1) == driver.CANNOT_START
    said = capsys.readouterr().out
    assert message in said
    assert said.startswith("error: ")
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("head", "line", "reason"),
    [
        (
            "---\ntitle: x\ndescription: Mish: smooth\n---\n",
            3,
            "(mapping values are not allowed here): put a value that contains a colon in quotes",
        ),
        ("---\ntitle: x\nkernelspec: [name}\n---\n", 3, "is not valid YAML (expected ',' or ']', but got '}')"),
        ("---\nkeywords: \x07\n---\n", 1, "is not valid YAML (unacceptable character"),
        ("---\ndate: 2026-02-30\n---\n", 1, "is not valid YAML (day is out of range for month)"),
        ("---\ntitle: x\n", 1, "the front matter begins here and has no end"),
        ("---\n- title\n---\n", 2, "the front matter must be lines of the form `key: value`"),
    ],
)
@pytest.mark.parametrize("build", [partial(driver.build, jobs=1), driver.build_draft])
def test_a_chapter_whose_front_matter_cannot_be_read_is_named_with_its_line(
    scratch_book: Make,
    capsys: pytest.CaptureFixture[str],
    build: Callable[[Project], int],
    head: str,
    line: int,
    reason: str,
) -> None:
    book = scratch_book()
    book.page("shelf/mish", f"{head}\n# Mish\n\n```{{code-cell}} ipython3\nprint(1)\n```\n")
    assert build(Project(book.root)) in (driver.CANNOT_START, driver.FAILED)
    said = capsys.readouterr().out
    assert said.startswith(f"error: book/shelf/mish.md, line {line}: ")
    assert reason in said
    assert said.count("\n") == 1


def test_a_full_disk_is_said_in_one_line_and_the_site_stays(
    scratch_book: Make, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    book = scratch_book()
    make_site(book.html, "good")

    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(driver, "execute_stale", full)
    assert driver.build(Project(book.root), jobs=1) == driver.FAILED
    said = capsys.readouterr().out
    assert "error: no space left on the disk" in said
    assert "last good site is unchanged" in said
    assert snapshot(book.html) == {"index.html": b"good"}


@pytest.mark.parametrize("wish", ["0", "-1", "two", "1.5"])
def test_jobs_that_are_no_number_of_processes_are_refused(monkeypatch: pytest.MonkeyPatch, wish: str) -> None:
    monkeypatch.setenv("JOBS", wish)
    with pytest.raises(driver.Refused, match=f"JOBS must be a whole number of at least 1, got '{wish}'"):
        driver.default_jobs()


def test_jobs_follow_the_variable_or_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOBS", "3")
    assert driver.default_jobs() == 3
    monkeypatch.delenv("JOBS")
    assert 1 <= driver.default_jobs() <= (os.cpu_count() or 1)
