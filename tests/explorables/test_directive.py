"""What the directive writes: an element that names its script on the web, nothing anywhere else."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
from sphinx.testing.util import SphinxTestApp

ROOT = Path(__file__).parents[2]
PAGE = """\
Title
=====

.. _fig-one:

.. figure:: one.svg

   The figure.

.. explorable:: activation-explorer
   :preset: relu x=-2
   :figure: fig-one

   Drag the *point*.

.. explorable:: activation-explorer
   :figure: fig-one
"""


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "book" / "_extensions"))
    apps: list[SphinxTestApp] = []

    def run(page: str = PAGE, builder: str = "html", **files: str) -> tuple[Path, str]:
        for name, text in {
            "index.rst": page,
            "conf.py": "extensions = ['livegrad_site.explorables']\n",
            **files,
        }.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(text, "utf-8")
        (tmp_path / "one.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>', "utf-8")
        app = SphinxTestApp(builder, srcdir=tmp_path, freshenv=True)
        apps.append(app)
        app.build()
        return Path(app.outdir), app.warning.getvalue()

    yield run
    for app in apps:
        app.cleanup()
    sys.modules.pop("conf", None)


def test_a_page_gets_its_elements_their_text_and_one_late_script(build):
    deep = ":orphan:\n\n" + PAGE.replace("one.svg", "/one.svg").replace("fig-one", "fig-deep")
    out, warnings = build(**{"other.rst": ":orphan:\n\nOther\n=====\n", "deep/other.rst": deep})
    html = (out / "index.html").read_text("utf-8")
    assert warnings == ""
    first, second = re.findall("<lg-activation-explorer ([^>]*)>", html)
    assert first.startswith('class="lg-explorable" id="explore-activation-explorer" preset="relu x=-2" data-script=')
    assert second.startswith('class="lg-explorable" id="explore-activation-explorer-2" data-script=')
    assert "<p>Drag the <em>point</em>.</p>" in html
    # site.js loads what the elements name, once; the page itself asks for no script of theirs.
    script = (out / "_static/explorables/activation-explorer.js").read_text("utf-8")
    assert script.startswith("/*! Contains parts of d3.")
    for element in (first, second):
        assert re.search(r'data-script="(_static/[\w/-]+\.js)\?v=[0-9a-f]{8}"', element)[1] == (
            "_static/explorables/activation-explorer.js"
        )
    assert not re.search(r"<script[^>]*explorables/", html)
    deep = (out / "deep/other.html").read_text("utf-8")
    assert 'data-script="../_static/explorables/activation-explorer.js?v=' in deep
    assert "explorables/" not in (out / "other.html").read_text("utf-8")


@pytest.mark.parametrize("builder", ["text", "epub", "latex"])
def test_elsewhere_the_figure_stands_alone(build, builder):
    out, _ = build(builder=builder)
    texts = [f.read_text("utf-8") for f in out.rglob("*") if f.suffix in {".txt", ".xhtml", ".tex"}]
    assert any("The figure." in text for text in texts)
    assert not any("Drag the" in text or "lg-activation" in text for text in texts)


@pytest.mark.parametrize(
    ("old", "new", "warning"),
    [
        (
            "activation-explorer\n   :preset",
            "activation-exploder\n   :preset",
            "explorable must be one of activation-explorer",
        ),
        ("   :figure: fig-one\n\n   Drag", "\n   Drag", "explorable activation-explorer must name its `:figure:`"),
        ("figure: fig-one\n\n   Drag", "figure: fig-two\n\n   Drag", "the page has no figure 'fig-two'"),
    ],
)
def test_mistakes_are_warnings(build, old, new, warning):
    assert old in PAGE
    assert warning in build(PAGE.replace(old, new))[1]


def test_without_script_or_on_paper_nothing_is_shown(browser, tmp_path):
    css = (ROOT / "book/_assets/styles/explorables.css").read_text("utf-8")
    page = tmp_path / "page.html"
    page.write_text(f'<style>{css}</style><lg-x class="lg-explorable">text</lg-x>', "utf-8")
    for script, media, shown in ((True, "screen", True), (False, "screen", False), (True, "print", False)):
        context = browser.new_context(java_script_enabled=script)
        tab = context.new_page()
        tab.emulate_media(media=media)
        tab.goto(page.as_uri())
        # Until the script has drawn it is invisible, but has its room.
        display = tab.evaluate("getComputedStyle(document.querySelector('lg-x')).display")
        assert (display == "block") == shown, (script, media)
        context.close()
