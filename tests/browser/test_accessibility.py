"""axe-core finds nothing on any page, in both themes, on a phone and on a desktop, with everything unfolded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.browser

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
PHONE, DESKTOP = {"width": 360, "height": 740}, {"width": 1280, "height": 900}

WAYS = (
    ("light", "phone", PHONE),
    ("dark", "desktop", DESKTOP),
    ("light", "desktop", DESKTOP),
    ("dark", "phone", PHONE),
)

RUN = """async () => {
  document.querySelectorAll("details").forEach((d) => { d.open = true; });
  const explorables = [...document.querySelectorAll(".lg-explorable")];
  await Promise.all(explorables.map((e) => customElements.whenDefined(e.localName)));
  // Two frames and a moment: site.js and the explorables have then seen what scrolls.
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 60))));
  const { violations } = await axe.run(document, { resultTypes: ["violations"] });
  return violations.flatMap((v) => v.nodes.map((n) => `${v.id}: ${n.target} ${n.any[0]?.message ?? ""}`));
}"""


@pytest.fixture(scope="session")
def axe() -> str:
    if not AXE.is_file():
        pytest.fail(f"{AXE} is missing: run `make setup`, or `npm ci`")
    return AXE.read_text("utf-8")


def test_axe_finds_nothing_in_either_theme_on_phone_and_desktop(on_desktop: Any, axe: str) -> None:
    page = on_desktop.page
    page.emulate_media(reduced_motion="reduce")  # colors on their way to others would be neither
    page.evaluate(axe)
    found = {}
    for theme, name, viewport in WAYS:
        page.evaluate("(theme) => { document.documentElement.dataset.theme = theme; }", theme)
        page.set_viewport_size(viewport)
        found[f"{theme}, {name}"] = page.evaluate(RUN)
    assert found == {where: [] for where in found}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_where_outputs_are_hidden(visit: Callable[..., Any], axe: str, theme: str) -> None:
    page = visit("gradients/vanishing", reduced_motion="reduce", color_scheme=theme).page
    for switch in page.locator(".lg-switch").all():
        switch.click()
    assert page.locator(".lg-switch[aria-pressed=true]").count() == 2
    page.evaluate(axe)
    assert page.evaluate(RUN) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_page_takes_the_readers_theme(visit: Callable[..., Any], theme: str) -> None:
    page = visit("index", color_scheme=theme).page
    assert page.evaluate("document.documentElement.dataset.theme") == theme
