"""What the pages of the real book cannot show of livegrad_site: refusals, warnings, changes, other builders."""

from __future__ import annotations

import base64
import io
import os
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fontTools.ttLib import TTFont
from livegrad_site import icons, math, pages, paths, styles
from PIL import Image
from sphinx.errors import ExtensionError

# Sphinx, docutils and their extensions warn of their own future; ours is tested, not theirs.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")


def test_formulas_are_html_with_our_macros_and_a_number_to_refer_to(book: Callable[..., Any]) -> None:
    text = "# T\n\nIn $x \\in \\RR$.\n\n$$\na = b\n$$ (eq-one)\n\nSee {eq}`eq-one`.\n"
    built = book(index=text).build(katex_macros={r"\RR": r"\mathbb{R}"})
    assert built.warnings == ""
    page = built.page()
    assert page.count('class="katex"') == 2
    assert "mathbb" in page
    assert 'id="equation-eq-one"' in page
    assert re.search(r'class="eqno">\(1\)', page)
    assert re.search(r'href="#equation-eq-one">\(1\)</a>', page)


def test_the_fonts_of_the_first_formulas_load_with_the_page() -> None:
    context = {"body": math.render(r"\mathbb{R}", False, "htmlAndMathml", ()) + math.render("x", True, "html", ())}
    math.preload_fonts(None, "p", "", context, None)  # type: ignore[arg-type]
    assert [Path(f).stem for f in context["preloaded_fonts"]] == [
        "KaTeX_AMS-Regular",
        "KaTeX_Main-Regular",
        "KaTeX_Math-Italic",
    ]
    without = {"body": "<p>no formula</p>"}
    math.preload_fonts(None, "p", "", without, None)  # type: ignore[arg-type]
    assert without["preloaded_fonts"] == []


def test_a_wrong_formula_is_a_warning_with_file_and_line(book: Callable[..., Any]) -> None:
    built = book(index="# T\n\nText.\n\n$$\n\\frac{1}{\n$$\n").build()
    assert re.search(r"index\.md:\d+: WARNING: KaTeX: .*expected '}'", built.warnings)
    assert r"\frac{1}{" in built.page()  # shown as it stands, so that an author sees it


def test_several_lines_are_aligned_and_numbered_once(book: Callable[..., Any]) -> None:
    built = book(index="# T\n\n\\begin{align}\na &= b \\\\\nc &= d\n\\end{align}\n").build()
    assert built.warnings == ""
    assert 'class="tag"' not in built.page()


def test_a_missing_katex_says_what_to_run(
    book: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(math, "KATEX", tmp_path / "nowhere")
    with pytest.raises(ExtensionError, match=r"make book.*npm ci"):
        book(index="# T\n").build()


def test_a_module_is_shown_and_offered_byte_for_byte(book: Callable[..., Any], tmp_path: Path) -> None:
    built = book(index="# T\n\n```{toctree}\nshelf/topic\n```\n", shelf__topic="# M\n\n```{module} shelf/topic\n```\n")
    built.build()
    assert built.warnings == ""
    page = built.page("shelf/topic")
    assert 'href="../code/shelf/topic.py"' in page
    assert "github.com" not in page
    copy = tmp_path / "html" / "code" / "shelf" / "topic.py"
    assert copy.read_bytes() == (tmp_path / "src" / "livegrad" / "shelf" / "topic.py").read_bytes()


def test_a_changed_module_is_shown_anew(book: Callable[..., Any], tmp_path: Path) -> None:
    built = book(index="# T\n\n```{module} shelf/topic\n```\n").build()
    assert built.build().read == []
    source = tmp_path / "src" / "livegrad" / "shelf" / "topic.py"
    source.write_text("value = 2\n", "utf-8")
    later = source.stat().st_mtime + 10
    os.utime(source, (later, later))
    assert built.build().read == ["index"]
    assert 'class="mi">2' in built.page()
    assert (tmp_path / "html" / "code" / "shelf" / "topic.py").read_text("utf-8") == "value = 2\n"


def test_a_missing_module_is_a_warning_with_file_and_line(book: Callable[..., Any]) -> None:
    built = book(index="# T\n\n```{module} shelf/none\n```\n").build()
    assert re.search(r"index\.md:3: WARNING: module 'shelf/none': there is no file", built.warnings)


def test_a_module_named_otherwise_is_refused(book: Callable[..., Any]) -> None:
    built = book(index="# T\n\n```{module} ../../secret\n```\n").build()
    assert "module must be named shelf/topic, got '../../secret'" in built.warnings


def test_where_the_repository_is_known_its_links_and_address_are(
    book: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_REPOSITORY", "Owner/book")
    page = book(index="# T\n\n```{module} shelf/topic\n```\n").build().page()
    assert 'href="https://github.com/Owner/book/blob/main/src/livegrad/shelf/topic.py"' in page
    assert 'rel="canonical" href="https://owner.github.io/book/index.html"' in page


def test_without_the_repository_there_is_no_canonical_address(book: Callable[..., Any]) -> None:
    assert "canonical" not in book(index="# T\n").build().page()


def test_a_repository_that_is_no_name_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_REPOSITORY", 'x"/><script>')
    with pytest.raises(ValueError, match='must be "owner/name", got \'x'):
        paths.repository()


@pytest.mark.parametrize("builder", ["latex", "epub", "gettext", "text"])
def test_other_builders_show_a_module_too(book: Callable[..., Any], tmp_path: Path, builder: str) -> None:
    text = "# T\n\nProse $x$.\n\n```{module} shelf/topic\n```\n\n```{note}\n:class: dropdown\nN.\n```\n"
    book(index=text).build(builder, suppress_warnings=["epub.unknown_project_files", "epub"], version="1")
    output = "".join(f.read_text("utf-8", "replace") for f in (tmp_path / builder).rglob("*") if f.is_file())
    assert "Prose" in output
    assert ("value" in output) == (builder != "gettext")  # code is not for translators


def test_what_folds_is_a_details_element_with_a_plain_summary(book: Callable[..., Any]) -> None:
    page = book(index="# T\n\n```{admonition} A *title*\n:class: dropdown\nInside.\n```\n").build().page()
    summary = re.search(r"<details[^>]*>\s*<summary[^>]*>(.*?)</summary>", page, re.S)
    assert summary
    assert summary[1] == "A <em>title</em>"
    assert page.index("Inside.") < page.index("</details>")


def test_a_picture_inside_a_page_becomes_a_file_beside_it_with_its_size(
    book: Callable[..., Any], tmp_path: Path
) -> None:
    def picture(width: int, noise: int) -> tuple[bytes, str]:
        file = io.BytesIO()
        pixels = random.Random(noise).randbytes(width * 40 * 3)
        Image.frombytes("RGB", (width, 40), pixels).save(file, format="png")
        address = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
        return file.getvalue(), f'<img alt="a" src="{address}">'

    (large, page), (small, icon) = picture(60, 1), picture(2, 2)
    folder = tmp_path / "html" / "_images" / "cells"
    built = book(index="# T\n\n```{toctree}\nshelf/topic\n```\n", shelf__topic=f"# P\n\n{page}\n\n{icon}\n").build()
    (file,) = folder.iterdir()
    assert file.read_bytes() == large
    written = built.page("shelf/topic")
    assert f'src="../_images/cells/{file.name}" width="60" height="40"' in written
    assert base64.b64encode(small).decode() in written
    assert base64.b64encode(large).decode() not in written

    other, page = picture(60, 3)
    book(shelf__topic=f"# P\n\n{page}\n").build()
    assert [file.read_bytes() for file in folder.iterdir()] == [other]


def test_a_link_to_a_page_shows_on_hover_what_it_is_about(book: Callable[..., Any]) -> None:
    links = "{doc}`shelf/topic`, {ref}`here <sec-part>`, {doc}`bare` and [this page](#own).\n\n(own)=\n## Own\n"
    head = '---\ndescription: About "topics".\n---\n'
    built = book(
        index=f"# T\n\n```{{toctree}}\nshelf/topic\nbare\n```\n\n{links}",
        shelf__topic=f"{head}# A topic\n\nBack to {{doc}}`../index`.\n\n(sec-part)=\n## Part\n",
        bare="# Bare\n",
    ).build()
    assert built.warnings == ""
    page = built.page()
    shown = dict(re.findall(r'<a class="reference internal" href="([^"]*)" title="([^"]*)"', page))
    about = "A topic: About &quot;topics&quot;."
    assert shown == {"shelf/topic.html": about, "shelf/topic.html#sec-part": about, "bare.html": "Bare"}
    assert 'href="../index.html" title="T"' in built.page("shelf/topic")


def test_a_description_comes_from_the_front_matter_or_the_first_plain_sentences(book: Callable[..., Any]) -> None:
    written = book(index='---\ndescription: Said "so".\n---\n# T\n\nText.\n').build().page()
    assert '<meta name="description" content="Said &quot;so&quot;." />' in written
    words = "word " * 60
    taken = book(index=f"# T\n\nA sentence with $x$ in it, which is long enough otherwise.\n\n{words}\n").build().page()
    found = re.findall(r'<meta name="description" content="([^"]*)"', taken)
    assert len(found) == 1
    assert found[0].startswith("word word")
    assert len(found[0]) <= pages.LONGEST_DESCRIPTION + 1


def test_an_unused_rule_leaves_the_sheet_and_a_used_one_stays() -> None:
    css = """@charset "UTF-8"; a{x:y} .used, .gone > b { color: red } #gone{x:y} .used:not(.gone){z:z}
    :is(.gone,.used) p{i:i} .sm\\:used{q:q} @media print{.gone{x:y} .used{p:p}} @media (min-width:1px){.gone{x:y}}
    @font-face{font-family:F} .used::after{content:"} .gone{"} /* .used { */"""
    kept = styles.prune(css, {"used", "sm", "p"})
    assert kept.split("\n") == [
        "a{x:y}",
        ".used{color: red}",
        ".used:not(.gone){z:z}",
        ":is(.gone,.used) p{i:i}",
        "@media print{.used{p:p}}",
        "@font-face{font-family:F}",
        '.used::after{content:"} .gone{"}',
    ]


def test_addresses_in_a_moved_sheet_still_lead_to_the_same_files() -> None:
    css = 'a{b:url(fonts/F.woff2)} c{d:url("../x.svg#i")} e{f:url(data:image/svg+xml;base64,AA)} g{h:url(#id)}'
    assert styles.moved(css, "_static/katex/k.css", "_static/styles/book.css") == (
        'a{b:url(../katex/fonts/F.woff2)} c{d:url("../x.svg#i")} e{f:url(data:image/svg+xml;base64,AA)} g{h:url(#id)}'
    )


def test_what_a_sheet_imports_stands_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "_static/theme/deep").mkdir(parents=True)
    for name, css in {
        "theme/t.css": '/* @import "no.css"; */ @import "../basic.css"; .t{b:url(t.png)}',
        "basic.css": "@import 'theme/deep/d.css'; .b{b:url(b.png)} .gone{x:y}",
        "theme/deep/d.css": ".d{b:url(d.png)}",
        "last.css": '@import url(https://elsewhere.example/e.css); @import "https://elsewhere.example/f.css"; .l{x:y}',
    }.items():
        (tmp_path / "_static" / name).write_text(css, "utf-8")
    styles.bundle(tmp_path, ["_static/theme/t.css", "_static/last.css"], {"t", "b", "d", "l"})
    assert (tmp_path / styles.BUNDLE).read_text("utf-8").split("\n") == [
        ".d{b:url(../theme/deep/d.png)}",
        ".b{b:url(../b.png)}",
        ".t{b:url(../theme/t.png)}",
        "@import url(https://elsewhere.example/e.css);",
        '@import "https://elsewhere.example/f.css";',
        ".l{x:y}",
        "",
    ]


def test_the_icon_font_keeps_the_characters_of_used_icons_only() -> None:
    css = '.fa-sun:before{content:"\\f185"}.fa-moon:before{content:"\\f186"}.admonition:after{content:"\\f303"}'
    assert icons.codepoints(css, {"fa-sun"}) == {0x20, 0xF185, 0xF303}


def test_the_fonts_of_formulas_keep_the_characters_of_the_pages_and_no_others(tmp_path: Path) -> None:
    source = paths.NODE_MODULES / "katex" / "dist" / "fonts"
    icons.cut_formulas(tmp_path, source, set("xℝ∂"))
    kept = {}
    for file in source.glob("*.woff2"):
        with TTFont(tmp_path / icons.FORMULAS / file.name) as cut, TTFont(file) as whole:
            kept[file.stem] = set(cut.getBestCmap())
            assert kept[file.stem] == set(whole.getBestCmap()) & {0x20, *map(ord, "xℝ∂")}
    assert ord("x") in kept["KaTeX_Math-Italic"]
    assert ord("∂") in kept["KaTeX_Main-Regular"]


def test_a_recorded_number_has_a_minus_sign_and_a_power_of_ten(book: Callable[..., Any]) -> None:
    recorded = {
        "0.5": "0.5",
        "-0.5": "−0.5",
        "-2 to -.5": "−2 to −.5",
        "-inf": "−inf",
        "5e-08": "5 × 10<sup>−8</sup>",
        "1e-06": "10<sup>−6</sup>",
        "-3.2e+05 to 1.0e10": "−3.2 × 10<sup>5</sup> to 1.0 × 10<sup>10</sup>",
        "warm-up, 2020-12-01": "warm-up, 2020-12-01",
    }
    # The name that myst-nb gives to what `glue:text` puts into a text.
    text = "# T\n\nIn -1 or 1e-06.\n\n" + "".join(f"[{number}]{{.pasted-text}}\n\n" for number in recorded)
    page = book(index=text).build(myst_enable_extensions=["attrs_inline"]).page().replace("\N{NO-BREAK SPACE}", " ")
    assert re.findall(r'class="pasted-text">(.*?)</span>', page) == list(recorded.values())
    assert "In -1 or 1e-06." in page


def test_no_recorded_number_of_the_book_begins_with_a_hyphen() -> None:
    site = paths.ROOT / "_build" / "html"
    pages = [file.read_text("utf-8") for file in site.glob("*/*.html")]
    found = [number for page in pages for number in re.findall(r'class="pasted-text">(.*?)</span>', page)]
    assert len(found) > 1000, "run `make book` first"
    assert any("−" in number for number in found)
    assert [number for number in found if re.match(r"-[\d.]|[\d.]+e[+-]?\d", number)] == []


def test_the_button_for_issues_asks_about_this_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_REPOSITORY", "Owner/book")
    issues = {"url": "https://github.com/Owner/book/issues/new?title=Issue", "text": "Open issue"}
    other = {"url": "https://github.com/Owner/book"}
    context = {"header_buttons": [{"label": "source-buttons", "buttons": [other, issues]}]}
    pages.ask_where(None, "activations/mish", "", context, None)  # type: ignore[arg-type]
    assert issues["url"] == "https://github.com/Owner/book/issues/new?template=mistake.yml&where=activations/mish"
    assert other == {"url": "https://github.com/Owner/book"}
