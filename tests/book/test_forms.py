"""The book in other forms: whole, linked in itself, and the last good file stays when something goes wrong."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree as ET

import pytest
from livegrad_forms import epub, offer, pages, zips
from livegrad_forms import site as finished

ROOT = Path(__file__).resolve().parents[2]
FORMS = ROOT / "book" / "_extensions" / "livegrad_forms"
XHTML = "{http://www.w3.org/1999/xhtml}"
MATH, SVG = "{http://www.w3.org/1998/Math/MathML}", "{http://www.w3.org/2000/svg}"
OPF, DC = "{http://www.idpf.org/2007/opf}", "{http://purl.org/dc/elements/1.1/}"
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
TOC = "root: index\nparts:\n- {caption: First, chapters: [{file: a/one}, {file: a/two}]}\n"
CONFIG = "title: T & U\nauthor: Some authors\nsphinx: {config: {language: en, release: '1.2'}}\n"
HOME = f"""<section id="t"><h1>T</h1><p>Begin with <a href="a/one.html">one</a>.</p>{finished.MARK}</section>"""
ONE = f"""<section id="one"><h1><span class="section-number">1. </span>One<a class="headerlink" href="#one">#</a></h1>
<button hidden>Copy</button><a href="two.html#place">two</a> <a href="../code/m.py" download>the file</a> tail
<a href="https://example.org/">elsewhere</a>
<a href="data:text/csv,1" download="t.csv">the data</a>&nbsp;&amp; <code>a &lt; b</code><br>
<span class="katex"><span class="katex-mathml"><math xmlns="{MATH[1:-1]}"><semantics>
<mtable columnspacing="" rowspacing="1em"><mtr><mtd>
<msub><mi>m</mi><mo>\N{FUNCTION APPLICATION}</mo><mi>t</mi></msub></mtd></mtr></mtable>
<annotation encoding="application/x-tex">m_t</annotation></semantics></math></span>
<span class="katex-html" aria-hidden="true">drawn</span></span>
<details class="lg-fold"><summary class="admonition-title">Solution</summary><div>It is 4.</div></details>
<lg-dial class="lg-explorable"><p>Drag it.</p></lg-dial>
<svg xmlns="{SVG[1:-1]}" viewBox="0 0 1 1" role="img" aria-label="a line"><!-- $x$ --><g id="g"/><use xlink:href="#g"
 xmlns:xlink="http://www.w3.org/1999/xlink"/></svg>
<img src="data:image/png;base64,{PIXEL}" alt="a dot"></section>"""
TWO = """<section id="two"><h1>Two</h1><section id="place"><h2>Place</h2>
<p><a href="one.html">back</a>, <a href="#place">here</a>
</p></section></section>"""


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose site of three pages is finished."""
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    (tmp_path / "_toc.yml").write_text(TOC)
    (tmp_path / "_config.yml").write_text(CONFIG)
    site = tmp_path / "_build" / "html"
    for name, article in {"index": HOME, "a/one": ONE, "a/two": TWO}.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        head = f'<html><head><meta name="description" content="About {name}." /></head>'
        (site / f"{name}.html").write_text(f"{head}<body><article>{article}</article></body></html>", "utf-8")
    (site / "code").mkdir()
    (site / "code" / "m.py").write_text("x = 1\n")
    return tmp_path


def read(root: Path, **options: Any) -> pages.Book:
    return pages.read_book(root, root / "_build" / "html", **options)


def page(root: Path, name: str, published: str | None = None) -> ET.Element:
    made = epub.pack(read(root), published)
    return ET.fromstring(made.files[f"{name}.xhtml"])


def test_a_page_loses_what_is_pressed_and_keeps_what_is_read(small: Path) -> None:
    one = read(small).pages[1]
    assert one.title == "1. One"
    text = " ".join("".join(one.article.itertext()).split())
    assert "Copy" not in text
    assert "Drag it" not in text
    assert "#" not in text
    assert "the file tail" in text
    assert "elsewhere the data & a < b" in text
    assert "SolutionIt is 4." in text
    assert [e.tag for e in one.article.iter() if e.tag in ("details", "summary", "button")] == []
    assert one.article.find(".//svg").get("viewBox") == "0 0 1 1"  # type: ignore[union-attr]


def test_links_lead_inside_or_to_the_published_site_or_are_words(small: Path) -> None:
    def links(published: str | None) -> dict[str, str | None]:
        return {"".join(a.itertext()): a.get("href") for a in page(small, "a/one", published).iter(f"{XHTML}a")}

    outside = {"elsewhere": "https://example.org/"}
    assert links(None) == {"two": "two.xhtml#place", "the file": None, "the data": None, **outside}
    there = "https://o.github.io/r/"
    outside |= {"the file": f"{there}code/m.py", "the data": f"{there}a/one.html"}
    assert links(there) == {"two": "two.xhtml#place", **outside}
    assert next(page(small, "a/two").iter(f"{XHTML}a")).get("href") == "one.xhtml"


def test_a_formula_in_an_epub_is_mathml_alone_with_its_source(small: Path) -> None:
    one = page(small, "a/one")
    formula = next(one.iter(f"{MATH}math"))
    assert formula.get("alttext") == "m_t"
    assert [child.tag for child in next(one.iter(f"{MATH}msub"))] == [f"{MATH}mi"] * 2
    assert next(one.iter(f"{MATH}mtable")).attrib == {"rowspacing": "1em"}
    assert "drawn" not in "".join(one.itertext())


def test_words_of_code_that_look_alike_are_one_element_and_no_letter_is_lost() -> None:
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    code = 'def f(x):\n    # two  spaces\n    return x @ "a b" + 1\n\n\nfrom a import b  # c\n'
    block = pages.parse(highlight(code, PythonLexer(), HtmlFormatter())).find(".//pre")
    assert block is not None
    colors = pages.token_styles()

    def letters(element: ET.Element) -> list[tuple[str, str]]:
        found = [(letter, "") for letter in element.text or ""]
        for child in element:
            look = colors.get(child.get("class", ""), "")
            found += [(letter, look) for letter in child.text or ""] + [(letter, "") for letter in child.tail or ""]
        return [(letter, look) for letter, look in found if letter.strip()]

    before, elements = letters(block), len(block)
    pages.join_tokens(block)
    assert letters(block) == before
    assert "".join(block.itertext()) == code
    assert len(block) < elements / 2


def test_a_page_that_is_missing_or_broken_is_named(small: Path) -> None:
    file = small / "_build" / "html" / "a" / "two.html"
    file.write_text("<article><p></article>")
    with pytest.raises(pages.Unusable, match=r"two\.html cannot be read: its article is not well-formed"):
        read(small)
    file.unlink()
    with pytest.raises(pages.Unusable, match=r"two\.html is missing: run `make book` first"):
        read(small)


def faults(file: Path) -> list[str]:
    """What a reading system would object to in an EPUB; epubcheck knows more, where it is installed."""
    found = []
    with zipfile.ZipFile(file) as book:
        first = book.infolist()[0]
        content = {name: book.read(name) for name in book.namelist()}
    if (first.filename, first.compress_type, content["mimetype"]) != ("mimetype", 0, b"application/epub+zip"):
        found.append("the file does not begin with its type")
    package = ET.fromstring(content["EPUB/package.opf"])
    said = {element.tag.removeprefix(DC): element.text for element in package.iter() if element.tag.startswith(DC)}
    found += [f"no {name}" for name in ("identifier", "title", "language", "creator", "rights") if not said.get(name)]
    items = {item.attrib["href"]: item.attrib for item in package.iter(f"{OPF}item")}
    listed = {f"EPUB/{name}" for name in items} | {"mimetype", "META-INF/container.xml", "EPUB/package.opf"}
    found += [f"not in both the manifest and the file: {name}" for name in listed ^ set(content)]
    spine = [reference.attrib["idref"] for reference in package.iter(f"{OPF}itemref")]
    texts = {name for name in items if name.endswith(".xhtml")}
    if sorted(spine) != sorted(items[name]["id"] for name in texts):
        found.append("the spine does not hold each text once")
    if not {"nav", "cover-image"} <= {word for item in items.values() for word in item.get("properties", "").split()}:
        found.append("no contents or no cover")
    trees = {name: ET.fromstring(content[f"EPUB/{name}"]) for name in texts}
    ids = {name: [e.attrib["id"] for e in tree.iter() if "id" in e.attrib] for name, tree in trees.items()}
    for name, tree in trees.items():
        marks = set(items[name].get("properties", "").split())
        found += [f"{name}: an id twice: {i}" for i in set(ids[name]) if ids[name].count(i) > 1]
        for tag, mark in ((f"{MATH}math", "mathml"), (f"{SVG}svg", "svg")):
            if (next(tree.iter(tag), None) is not None) != (mark in marks):
                found.append(f"{name}: {mark} is not declared as it is used")
        for element in tree.iter():
            kind = element.tag.rpartition("}")[2]
            where = f"{name}: <{kind} {element.attrib}>"
            if kind in ("script", "iframe", "object", "button", "form", "details", "audio", "video"):
                found.append(f"{where} is nothing for paper")
            if kind == "img" and not element.get("alt"):
                found.append(f"{where} has no alt")
            if element.tag == f"{SVG}svg" and not element.get("aria-label"):
                found.append(f"{where} has no description")
            found += [f"{where} runs a script" for key in element.attrib if key.startswith("on")]
            for address in (element.get("src"), element.get("href")):
                parts = urlsplit(address or "")
                if address is None or (parts.scheme in ("https", "http", "mailto") and kind == "a"):
                    continue
                target = name
                if parts.path:
                    joined = PurePosixPath(name).parent / unquote(parts.path)
                    target = re.sub(r"[^/]+/\.\./", "", str(joined))
                if parts.scheme or target not in items:
                    found.append(f"{where} leads nowhere in the book")
                elif parts.fragment and unquote(parts.fragment) not in ids[target]:
                    found.append(f"{where} has no such place")
    return found


def test_a_small_epub_has_no_fault(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(epub, "checker", lambda: None)
    file = small / "t.epub"
    said = epub.make_epub(read(small), file)
    assert faults(file) == []
    assert said == ["not checked by epubcheck: install Java, which it needs"]


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (' alt="a dot"', "", "has no alt"),
        (' aria-label="a line"', "", "has no description"),
        ("#place", "#elsewhere", "has no such place"),
        ("</section>", '</section><script src="x.js"/>', "is nothing for paper"),
        ("</section>", '</section><img alt="far" src="https://example.org/x.png"/>', "leads nowhere in the book"),
        ('id="g"', 'id="one"', "an id twice"),
    ],
)
def test_the_faults_of_an_epub_are_found(
    small: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, fault: str
) -> None:
    monkeypatch.setattr(epub, "checker", lambda: None)
    file, broken = small / "t.epub", small / "broken.epub"
    epub.make_epub(read(small), file)
    with zipfile.ZipFile(file) as good:
        content = {name: good.read(name) for name in good.namelist()}
    text = content["EPUB/a/one.xhtml"].decode()
    assert old in text
    content["EPUB/a/one.xhtml"] = text.replace(old, new).encode()
    kind = content.pop("mimetype")
    zips.write_zip(broken, content.items(), first=("mimetype", kind))
    assert any(fault in line for line in faults(broken))


def test_the_same_contents_make_the_same_zip_whatever_their_order(tmp_path: Path) -> None:
    entries = [("b.txt", b"b" * 99), ("a.png", b"a")]
    zips.write_zip(tmp_path / "one.zip", entries)
    zips.write_zip(tmp_path / "two.zip", reversed(entries))
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        assert archive.namelist() == ["a.png", "b.txt"]
        assert archive.read("b.txt") == b"b" * 99


def interrupted() -> Any:
    yield "a.txt", b"a"
    raise KeyboardInterrupt


def test_an_interrupted_zip_leaves_the_last_good_one(tmp_path: Path) -> None:
    target = tmp_path / "t.zip"
    target.write_bytes(b"good")
    with pytest.raises(KeyboardInterrupt):
        zips.write_zip(target, interrupted())
    assert target.read_bytes() == b"good"
    assert list(tmp_path.iterdir()) == [target]


def test_an_epub_that_epubcheck_refuses_leaves_the_last_good_one(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse = "import sys; print('ERROR(RSC-005): a.xhtml(1,1): wrong'); sys.exit(1)"
    monkeypatch.setattr(epub, "checker", lambda: [sys.executable, "-c", refuse])
    target = small / "t.epub"
    target.write_bytes(b"good")
    with pytest.raises(pages.Unusable, match=r"(?s)epubcheck finds faults.*RSC-005"):
        epub.make_epub(read(small), target)
    assert target.read_bytes() == b"good"
    assert not (small / "unchecked-t.epub").exists()


def home(root: Path) -> str:
    return (root / "_build" / "html" / "index.html").read_text("utf-8")


def test_a_form_is_offered_only_on_the_site_that_it_was_made_from(small: Path) -> None:
    site = small / "_build" / "html"
    plain = home(small)
    offer.make(small, "archive")
    offer.offer(small)
    assert re.findall(r'href="(downloads/[^"]*)"', home(small)) == ["downloads/live-gradients-site.zip"]
    assert (site / "downloads" / "live-gradients-site.zip").is_file()
    offer.offer(small)
    assert home(small).count("other-forms") == 1

    (site / "a" / "two.html").write_text("another site", "utf-8")
    offer.offer(small)
    assert home(small) == plain
    assert not (site / "downloads").exists()


def test_the_archive_is_the_site_without_what_is_offered_beside_it(small: Path) -> None:
    plain = home(small)
    offer.make(small, "archive")
    offer.offer(small)
    first = (small / "_build" / "forms" / "live-gradients-site.zip").read_bytes()
    assert offer.make(small, "archive") == ["live-gradients-site.zip is that of the present site already"]
    (small / "_build" / "forms" / "made.json").unlink()
    assert offer.make(small, "archive") == ()
    assert (small / "_build" / "forms" / "live-gradients-site.zip").read_bytes() == first
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        names = set(archive.namelist())
        assert archive.read("live-gradients/index.html").decode() == plain
    assert names == {f"live-gradients/{name}" for name in ("index.html", "a/one.html", "a/two.html", "code/m.py")}


def run(root: Path, form: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(FORMS), form, "--root", str(root)]
    return subprocess.run(command, capture_output=True, encoding="utf-8", env=environment, check=False)


def test_without_a_browser_one_line_says_what_to_install(small: Path) -> None:
    done = run(small, "pdf", PATH="", PYTHONIOENCODING="utf8")
    assert done.returncode == 1
    assert done.stderr == ""
    first, second = done.stdout.splitlines()
    assert first.startswith(
        "error: the PDF is printed by Chromium or Chrome, and there is no such browser here: install"
    )
    assert second == "There is no earlier one."


def test_without_a_site_one_line_says_to_build_it(small: Path) -> None:
    (small / "_build" / "html" / "index.html").unlink()
    done = run(small, "archive", PATH="", PYTHONIOENCODING="utf8")
    assert done.returncode == 1
    assert "index.html is missing: run `make book` first" in done.stdout


def test_the_home_page_has_the_place_where_the_forms_are_offered() -> None:
    assert (ROOT / "book" / "index.md").read_text("utf-8").count(finished.MARK) == 1


def built_site() -> Path:
    site = ROOT / "_build" / "html"
    if not (site / "index.html").is_file():
        pytest.fail("the book is not built: run `make book` first")
    return site


def test_the_whole_book_makes_an_epub_without_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(epub, "checker", lambda: None)
    epub.make_epub(pages.read_book(ROOT, built_site()), tmp_path / "t.epub")
    assert faults(tmp_path / "t.epub") == []


@pytest.mark.skipif(
    epub.checker() is None and "GITHUB_ACTIONS" not in os.environ, reason="no epubcheck: install Java, which it needs"
)
def test_epubcheck_finds_no_fault_in_the_whole_book(tmp_path: Path) -> None:
    said = epub.make_epub(pages.read_book(ROOT, built_site()), tmp_path / "t.epub")
    assert said == ["epubcheck finds no fault in it"]


def test_the_archive_of_the_built_site_holds_every_file(tmp_path: Path) -> None:
    site = built_site()
    from livegrad_forms.archive import make_archive

    make_archive(site, tmp_path / "t.zip")
    expected = {f"live-gradients/{name}" for name, _ in finished.files(site)}
    with zipfile.ZipFile(tmp_path / "t.zip") as archive:
        assert set(archive.namelist()) == expected
    on_disk = {p.relative_to(site).as_posix() for p in site.rglob("*") if p.is_file()}
    assert {name.removeprefix("live-gradients/") for name in expected} == {
        name for name in on_disk if not name.startswith("downloads/")
    }
