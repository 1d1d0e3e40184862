"""The pages' content security policy: what is not the site's own does not run and is not asked for.

That the site's own scripts do run is what all other tests of this folder show: a refused script is a console error.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.browser


def test_every_page_has_a_policy_before_its_first_script(site: Path) -> None:
    pages = [file for file in site.rglob("*.html") if "_static" not in file.parts]
    assert len(pages) >= 50
    for file in pages:
        head = file.read_text("utf-8").partition("<script")[0]
        assert "default-src 'none'; script-src 'self'" in head, file
        assert "unsafe-eval" not in head


@pytest.mark.parametrize("folder", [False, True])
def test_a_script_that_got_into_a_page_does_not_run(visit: Callable[..., Any], site: Path, folder: bool) -> None:
    page = visit("index", **({"start": site.as_uri()} if folder else {})).page
    page.evaluate("""() => {
      const script = Object.assign(document.createElement("script"), { textContent: "window.got = 'script'" });
      document.body.append(script);
      document.body.insertAdjacentHTML("beforeend", "<img src='' onerror=\\"window.got = 'handler'\\">");
    }""")
    page.wait_for_timeout(300)
    assert page.evaluate("window.got ?? null") is None


def test_no_other_host_is_asked(visit: Callable[..., Any]) -> None:
    seen = visit("index")
    refused = seen.page.evaluate("fetch('https://example.org/').then(() => false, () => true)")
    assert refused
    assert seen.foreign == []
