"""What a reader takes from a page is what was tested: by button and by download, it is the file, and it runs alone."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def tested() -> set[Path]:
    """The files that tests/test_copy.py runs where nothing but torch can be imported."""
    spec = importlib.util.spec_from_file_location("copied_files", ROOT / "tests" / "test_copy.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return set(module.MODULES)


@pytest.fixture
def page(with_clipboard: Any) -> Any:
    with_clipboard.page.evaluate("navigator.clipboard.writeText('')")
    return with_clipboard.page


def test_the_button_copies_a_file_that_was_run_alone(page: Any, tested: set[Path]) -> None:
    figures = page.locator(".lg-module")
    assert figures.count() >= 1
    for number in range(figures.count()):
        figure = figures.nth(number)
        source = ROOT / "src" / "livegrad" / f"{figure.get_attribute('data-module')}.py"
        assert source in tested
        button = figure.locator(".lg-module-copy")
        button.click()
        page.wait_for_function("(b) => b.textContent === 'Copied'", arg=button.element_handle())
        assert page.evaluate("navigator.clipboard.readText()") == source.read_text("utf-8")


def test_the_download_is_the_file_byte_for_byte(page: Any, site: Path) -> None:
    for figure in page.locator(".lg-module").all():
        name = figure.get_attribute("data-module")
        with page.expect_download() as download:
            figure.locator(".lg-module-raw").click()
        source = (ROOT / "src" / "livegrad" / f"{name}.py").read_bytes()
        assert Path(download.value.path()).read_bytes() == source
        assert (site / "code" / f"{name}.py").read_bytes() == source


def test_a_cells_button_copies_its_code(page: Any) -> None:
    cell = page.locator("div.cell_input:visible").first
    cell.hover()
    cell.locator("button.copybtn").click()
    page.wait_for_function("async () => (await navigator.clipboard.readText()) !== ''")
    code = page.evaluate("navigator.clipboard.readText()")
    assert code == cell.locator("pre").evaluate("(e) => e.textContent").rstrip("\n")
    compile(code, "the first cell", "exec")


# Over the first line of its code, or cut off by a box around it: then it cannot be read or pressed.
IN_THE_WAY = """async (button) => {
  const code = button.closest(".highlight").querySelector("pre");
  const words = document.createTreeWalker(code, NodeFilter.SHOW_TEXT, (n) => (n.data.trim() ? 1 : 3));
  const first = document.createRange();
  first.selectNode(words.nextNode());
  const box = button.getBoundingClientRect();
  if (!box.width) return "";
  if (box.bottom > first.getBoundingClientRect().top) return "covers the first line of " + code.textContent;
  button.scrollIntoView({ block: "center", behavior: "instant" });
  const here = button.getBoundingClientRect();
  const hit = document.elementFromPoint(here.x + here.width / 2, here.y + 3);
  return button.contains(hit) ? "" : "hidden at " + code.textContent;
}"""


@pytest.mark.parametrize("width", [360, 1280])
def test_the_copy_button_covers_no_code(visit: Callable[..., Any], width: int) -> None:
    page = visit("optimizers/adam", viewport={"width": width, "height": 740}, has_touch=True, is_mobile=True).page
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    buttons = page.locator("button.copybtn").all()
    assert len(buttons) > 10
    assert buttons[0].evaluate("(b) => getComputedStyle(b).opacity") == "1"
    assert [fault for button in buttons if (fault := button.evaluate(IN_THE_WAY))] == []
