"""How the time of a build grows with the number of chapters: small books, built by the driver as `make book` builds.

    python benchmarks/build.py [--chapters 5 15 30 60] [--jobs 2]

    cold       nothing is there: execute every chapter, build every page
    unchanged  build again, nothing was changed
    one        one chapter's code was changed: execute it, build its page

A chapter of these books imports torch, works for a second, draws a figure and has text, formulas and links. A cold
build should take a fixed time for each chapter, the others hardly more in a large book than in a small one. The real
book's own times stand on its page of run times.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CHAPTER = r"""---
jupytext: {text_representation: {extension: .md, format_name: myst}}
kernelspec: {display_name: Python 3, language: python, name: python3}
---
# Chapter NUMBER

```{code-cell} ipython3
import time

import matplotlib.pyplot as plt
import torch

torch.manual_seed(NUMBER)
begin = time.process_time()
while time.process_time() - begin < 1:
    x = torch.randn(100, 100) @ torch.randn(100, 100)
plt.plot(torch.linspace(-3, 3, 50).tanh());
```
"""
TEXT = r"""
## Part PART

A sentence with a formula, $f(x) = \max(0, x)$, and a link to {doc}`the first chapter <chapter_1>`.

$$
\frac{\partial L}{\partial w} = \sum_{i=1}^{n} \delta_i x_i
$$
"""


def write_book(root: Path, chapters: int) -> None:
    """Lay out a book with the settings, extensions and assets of the real one, and `chapters` pages of its own."""
    shutil.copytree(ROOT / "book", root / "book", ignore=shutil.ignore_patterns("*.md", "moved.yml", "__pycache__"))
    shutil.copytree(ROOT / "src", root / "src", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("_config.yml", "package.json", "package-lock.json", "pyproject.toml", "requirements.txt"):
        shutil.copy(ROOT / name, root / name)
    (root / "node_modules").symlink_to(ROOT / "node_modules", target_is_directory=True)
    (root / "book" / "index.md").write_text("# A book to measure\n\nHome.\n", "utf-8")
    names = [f"chapter_{number}" for number in range(1, chapters + 1)]
    for number, name in enumerate(names, start=1):
        text = CHAPTER.replace("NUMBER", str(number)) + "".join(TEXT.replace("PART", str(k)) for k in range(1, 9))
        (root / "book" / f"{name}.md").write_text(text, "utf-8")
    toc = "format: jb-book\nroot: index\nparts:\n  - caption: Chapters\n    chapters:\n"
    (root / "_toc.yml").write_text(toc + "".join(f"      - file: {name}\n" for name in names), "utf-8")


def build(root: Path, jobs: int) -> tuple[float, int]:
    """Build; return the seconds and how many chapters were executed."""
    command = [sys.executable, str(root / "book/_extensions/livegrad_execution"), "book"]
    env = os.environ | {"PYTHONPATH": "", "PYTHONIOENCODING": "utf-8"}
    begin = time.perf_counter()
    done = subprocess.run([*command, "--root", str(root), "--jobs", str(jobs)], env=env, capture_output=True,
                          encoding="utf-8", check=False)  # fmt: skip
    if done.returncode:
        sys.exit(f"the build failed:\n{done.stdout[-3000:]}\n{done.stderr[-1000:]}")
    return time.perf_counter() - begin, done.stdout.count("  executing ")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chapters", type=int, nargs="+", default=[5, 15, 30, 60])
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)) if sys.platform == "linux" else 2)
    arguments = parser.parse_args()
    print(f"seconds, {arguments.jobs} chapters at a time\n")
    print("chapters    cold   a chapter  unchanged     one")
    for chapters in arguments.chapters:
        with tempfile.TemporaryDirectory(prefix="book-") as folder:
            root = Path(folder)
            write_book(root, chapters)
            cold, executed = build(root, arguments.jobs)
            unchanged, none = build(root, arguments.jobs)
            page = root / "book" / "chapter_1.md"
            page.write_text(page.read_text("utf-8").replace("linspace(-3", "linspace(-4"), "utf-8")
            one, single = build(root, arguments.jobs)
        assert (executed, none, single) == (chapters, 0, 1), "the builds did not execute what they should"
        print(f"{chapters:8} {cold:7.1f} {cold / chapters:11.2f} {unchanged:10.1f} {one:7.1f}", flush=True)


if __name__ == "__main__":
    main()
