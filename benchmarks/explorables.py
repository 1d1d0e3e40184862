"""Time that the page's main thread works for one change of a control, for every control of every explorable.

    python benchmarks/explorables.py [--rounds 6]

A frame of 60 a second has 16.7 ms. Counted is the thread's own processor time for script, style and layout, so that
waiting for other programs does not count; what a worker computes meanwhile does not hold up the page.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
BUDGET = 16.7
SPECS = """() => {
  const { specs, state } = document.getElementById("first");
  return Object.entries(specs).filter(([, c]) => !(c.when && !c.when(state)))
    .map(([key, { kind, min, max, step, options }]) => ({ key, value: state[key], kind, min, max, step, options }));
}"""
CHANGE = """async ([key, value]) => {
  document.getElementById("first").set(key, value);
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
}"""


def changes(control: dict[str, Any]) -> list[list[Any]]:
    """Pairs of settings to go to and fro between; every option of a choice has its own, since one may be dear."""
    value = control["value"]
    if control["kind"] == "flag":
        return [[not value, value]]
    if control["kind"] == "number":
        low, high = control["min"], control["max"]
        other = value + (control["step"] or (high - low) / 20) * (1 if value < high else -1)
        return [[min(high, max(low, other)), value]]
    if control["kind"] == "choice":
        options = [o if isinstance(o, str) else o[0] for o in control["options"]]
        return [[option, value] for option in options if option != value]
    return []


def measure(browser: Any, page_file: Path, rounds: int) -> dict[str, float]:
    """Median milliseconds of the main thread for a change of each control; of a choice, its dearest option."""
    context = browser.new_context(viewport={"width": 1000, "height": 900}, reduced_motion="reduce")
    page = context.new_page()
    page.goto(page_file.as_uri())
    page.wait_for_function("document.getElementById('first').frames > 0")
    session = context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def clock() -> float:
        found = {m["name"]: m["value"] for m in session.send("Performance.getMetrics")["metrics"]}
        return 1000 * (found["ScriptDuration"] + found["LayoutDuration"] + found["RecalcStyleDuration"])

    result = {}
    for control in page.evaluate(SPECS):
        for pair in changes(control):
            times = []
            for turn in range(2 * rounds + 2):
                before = clock()
                page.evaluate(CHANGE, [control["key"], pair[turn % 2]])
                times.append(clock() - before)
            ways = (statistics.median(times[2::2]), statistics.median(times[3::2]))  # there and back
            result[control["key"]] = max(result.get(control["key"], 0), *ways)
    context.close()
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=6)
    args = parser.parse_args()
    sys.path.insert(0, str(ROOT / "book" / "_extensions"))
    from livegrad_site import explorables
    from playwright.sync_api import sync_playwright

    executable = shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        with contextlib.redirect_stdout(None):  # the addresses of the pages
            explorables.write_bare_pages(Path(folder))
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-gpu"])
        print(f"{'explorable':22s} {'control':14s} {'ms':>6s} {'of a frame':>11s}")
        for page_file in sorted(Path(folder).glob("*.html")):
            for key, ms in sorted(measure(browser, page_file, args.rounds).items(), key=lambda item: -item[1]):
                print(f"{page_file.stem:22s} {key:14s} {ms:6.1f} {ms / BUDGET:11.2f}")
        browser.close()


if __name__ == "__main__":
    main()
