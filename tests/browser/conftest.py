"""The built book in the headless Chromium of tests/conftest.py, from one server for all tests of a worker."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
BOOK = ROOT / "book"
SITE = ROOT / "_build" / "html"

PHONE, DESKTOP = {"width": 360, "height": 740}, {"width": 1280, "height": 900}


def pages() -> list[str]:
    """The table of contents, in its order, with its root."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8"))
    return [toc["root"], *(chapter["file"] for part in toc["parts"] for chapter in part["chapters"])]


def pages_with_a_module() -> list[str]:
    return [page for page in pages() if "{module}" in (BOOK / f"{page}.md").read_text("utf-8")]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "page_name" in metafunc.fixturenames:
        # By the scope pytest puts the tests of a page together, so that they can share it.
        metafunc.parametrize("page_name", [*pages(), "search", "genindex"], scope="session")
    if "module_page" in metafunc.fixturenames:
        metafunc.parametrize("module_page", pages_with_a_module(), scope="session")


@pytest.fixture(scope="session")
def site() -> Path:
    missing = [page for page in pages() if not (SITE / f"{page}.html").is_file()]
    if missing:
        pytest.fail(f"the book is not built, or not whole: run `make book` first; missing: {', '.join(missing)}")
    return SITE


class Files(SimpleHTTPRequestHandler):
    """Serves text compressed, as a public host does."""

    def log_message(self, *args: object) -> None:
        """Quiet: the tests say what went wrong."""

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        if path.is_dir():
            path /= "index.html"
        if not path.is_file():
            self.send_error(404)
            return
        body = path.read_bytes()
        self.send_response(200)
        if path.suffix in (".html", ".css", ".js", ".svg"):
            body = gzip.compress(body, 6)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Type", self.guess_type(str(path)))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(scope="session")
def address(site: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Files, directory=str(site)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@dataclass
class Visit:
    """A page in the browser, and what happened while it loaded."""

    page: Any
    foreign: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    bytes: int = 0
    shifts: float = 0.0


# Layout shifts are only told to an observer that is there when they happen.
WATCH_SHIFTS = """
window.shifts = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifts += entry.value;
}).observe({ type: "layout-shift", buffered: true });
"""


def open_page(browser: Any, name: str, start: str, settle: bool = False, **options: Any) -> Visit:
    """Open a page in a context of its own, with no other host in reach.

    With `settle` it waits until half a second has passed without a request; else until the page has loaded.
    """
    context = browser.new_context(**{"viewport": DESKTOP, "color_scheme": "light", **options})
    context.add_init_script(WATCH_SHIFTS)
    page = context.new_page()
    visit = Visit(page)

    def note(request: Any) -> None:
        # No other host answers in a test: the request is noted, and refused at once.
        if not request.url.startswith((start, "data:", "blob:")):
            visit.foreign.append(request.url)

    page.on("request", note)
    context.route(lambda url: not url.startswith((start, "data:", "blob:")), lambda route: route.abort())
    page.on("requestfailed", lambda request: visit.failed.append(f"{request.url}: {request.failure}"))
    page.on("response", lambda r: visit.failed.append(f"{r.url}: {r.status}") if r.status >= 400 else None)
    page.on("console", lambda m: visit.errors.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: visit.errors.append(str(error)))
    network = context.new_cdp_session(page)
    network.send("Network.enable")

    def weigh(event: dict[str, Any]) -> None:
        visit.bytes += event["encodedDataLength"]

    network.on("Network.loadingFinished", weigh)
    page.goto(f"{start}/{name}.html", wait_until="networkidle" if settle else "load")
    return visit


@pytest.fixture
def visit(browser: Any, address: str) -> Iterator[Callable[..., Visit]]:
    """Open a page of the site: `visit("activations/mish", viewport=PHONE, color_scheme="dark")`."""
    opened = []

    def open_one(name: str, start: str = address, settle: bool = False, **options: Any) -> Visit:
        opened.append(open_page(browser, name, start, settle, **options))
        return opened[-1]

    yield open_one
    for seen in opened:
        seen.page.context.close()


def arrived(browser: Any, name: str, address: str, **options: Any) -> Iterator[Visit]:
    """A page for several tests, with what happened until it had settled: nothing that a test does to it counts."""
    seen = open_page(browser, name, address, settle=True, **options)
    shifts = seen.page.evaluate("window.shifts")
    yield Visit(seen.page, [*seen.foreign], [*seen.failed], [*seen.errors], seen.bytes, shifts)
    seen.page.context.close()


@pytest.fixture(scope="session")
def on_desktop(browser: Any, address: str, page_name: str) -> Iterator[Visit]:
    """The page on a desktop. Tests that share it may fold, resize and recolor it, and no more."""
    yield from arrived(browser, page_name, address)


@pytest.fixture(scope="session")
def on_phone(browser: Any, address: str, page_name: str) -> Iterator[Visit]:
    """The page on a phone. Tests that share it may fold it, and no more."""
    yield from arrived(browser, page_name, address, viewport=PHONE)


@pytest.fixture(scope="session")
def with_clipboard(browser: Any, address: str, module_page: str) -> Iterator[Visit]:
    """The page on a desktop that lets tests read what was copied."""
    yield from arrived(browser, module_page, address, permissions=["clipboard-read", "clipboard-write"])
