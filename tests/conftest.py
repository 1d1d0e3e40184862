"""One headless Chromium for all tests of a worker: Playwright refuses to start twice in one process.

Where no browser is found the tests are skipped and say so; with CI set they fail, so that CI cannot pass by skipping.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

# pytest runs a worker a core. Were each worker's torch to start a thread a core as well, they would wait for one
# another, and the tests, which are small, take several times as long. Before torch is imported; processes that tests
# start inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")


def find_browser() -> str:
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if found:
        return found
    reason = f"no browser: install Chromium, or set CHROMIUM to one's path (looked for {', '.join(NAMES)})"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def chromium() -> str:
    """Where the browser is."""
    return find_browser()


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    switches = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
    switches += ["--disable-background-networking", "--disable-component-update", "--force-color-profile=srgb"]
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=switches)
        yield running
        running.close()


@pytest.fixture(autouse=True)
def no_event_loop_of_another_test(request: pytest.FixtureRequest) -> Iterator[None]:
    """From a worker's first test with a browser to its last one, Playwright's event loop counts as running, and asyncio
    refuses to run another. Tests without a browser, which may come in between, do not see it. Tests of one page do,
    also those that only read its file: the first of them closes the page that was shared before, in the browser.
    """
    loop = asyncio._get_running_loop()
    if loop is None or {"browser", "page_name", "module_page"} & set(request.fixturenames):
        yield
        return
    asyncio._set_running_loop(None)
    yield
    asyncio._set_running_loop(loop)
