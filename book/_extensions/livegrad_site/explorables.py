"""```{explorable} activation-explorer```: something to take in the hand, beside a figure that says the same.

    ```{explorable} activation-explorer
    :preset: mish x=-1.2
    :figure: fig-mish-shape
    Drag the point to where the slope is zero.
    ```

`preset` sets controls, `key=value` each; a bare word sets the main one. `figure` names the page's own executed figure
with the same message. It stays where it is: on paper, in EPUB, PDF and notebooks, and without JavaScript it is all
there is, and the explorable with its text is left out. So the prose must not depend on what the text says.

The scripts are bundled from book/_assets/explorables by esbuild, one classic file each (modules do not load from
`file://`). An element names its script, and site.js loads it when the page stands: the text comes first. To develop one
on a bare page: `PYTHONPATH=book/_extensions python -m livegrad_site` writes them all to `_build/explorables`.
"""

from __future__ import annotations

import ast
import hashlib
import html
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from sphinx.util.osutil import relative_uri

from .math import NODE
from .paths import NODE_MODULES, PACKAGE, ROOT

log = logging.getLogger(__name__)

SOURCES = ROOT / "book" / "_assets" / "explorables"


def explorables() -> list[str]:
    return sorted(file.stem.replace("_", "-") for file in SOURCES.glob("*.mjs"))


def shelf_functions() -> dict[str, list[Any]]:
    """The functions of src/livegrad/activations by name: [file, [arguments]]. Snippets import these before torch's."""
    found: dict[str, list[Any]] = {}
    for file in sorted((PACKAGE / "activations").glob("[!_]*.py")):
        for node in ast.parse(file.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                found[node.name] = [file.stem, [a.arg for a in (*node.args.args, *node.args.kwonlyargs)]]
    return found


def shelf_optimizers() -> dict[str, list[Any]]:
    """The classes of src/livegrad/optimizers by name: [file, [arguments of __init__]]."""
    found: dict[str, list[Any]] = {}
    for file in sorted((PACKAGE / "optimizers").glob("[!_]*.py")):
        for node in ast.parse(file.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                inits = [f for f in node.body if isinstance(f, ast.FunctionDef) and f.name == "__init__"]
                found[node.name] = [file.stem, [a.arg for f in inits for a in (*f.args.args, *f.args.kwonlyargs)]]
    return found


def digits() -> list[list[int]]:
    """The first picture of each digit in scikit-learn's set, 64 pixels from 0 to 16: data for one explorable."""
    from sklearn.datasets import load_digits

    data = load_digits()
    return [data.data[list(data.target).index(digit)].astype(int).tolist() for digit in range(10)]


def esbuild(source: Path, *options: str) -> str:
    """The module and what it imports as one classic script."""
    program = NODE_MODULES / "esbuild" / "bin" / "esbuild"
    if not program.is_file() or not (NODE_MODULES / "d3-scale").is_dir():
        raise ExtensionError(f"the npm packages are missing in {NODE_MODULES}: run `make setup`, or `npm ci`")
    command = [
        *(str(NODE), str(program), str(source)),
        *("--bundle", "--minify", "--format=iife", "--target=es2022", "--charset=utf8", "--log-level=warning"),
        f"--alias:d3-interpolate={SOURCES / 'frame' / 'interpolate.mjs'}",
        *options,
    ]
    environment = {**os.environ, "NODE_PATH": str(NODE_MODULES)}
    done = subprocess.run(command, capture_output=True, encoding="utf-8", env=environment)
    if done.returncode or done.stderr.strip():
        raise ExtensionError(f"esbuild could not bundle {source.name}:\n{done.stderr.strip()}")
    return done.stdout


def bundle(name: str, target: Path) -> None:
    """Write the classic script of one explorable."""
    file = f"{name.replace('-', '_')}.mjs"
    defined = {"LIVEGRAD_FUNCTIONS": shelf_functions(), "LIVEGRAD_OPTIMIZERS": shelf_optimizers()}
    if (
        SOURCES / "workers" / file
    ).is_file():  # a page opened from a folder may only start workers that it brings along
        defined["LIVEGRAD_WORKER"] = esbuild(SOURCES / "workers" / file)
    if name == "convolution-stepper":
        defined["LIVEGRAD_DIGITS"] = digits()
    licence = (NODE_MODULES / "d3-scale" / "LICENSE").read_text("utf-8").strip()
    options = [f"--define:{key}={json.dumps(value)}" for key, value in defined.items()]
    code = esbuild(SOURCES / file, *options)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(f"/*! Contains parts of d3. {licence} */\n{code}", "utf-8")


class explorable(nodes.Invisible, nodes.Element):
    """A custom element; its children are its text. To the notebooks, which know no custom elements, it is invisible."""


class ExplorableDirective(SphinxDirective):
    """Puts an explorable beside the figure that stands for it."""

    required_arguments = 1
    has_content = True
    option_spec: ClassVar[dict[str, Any]] = {
        "preset": directives.unchanged,
        "figure": directives.unchanged_required,
        "id": directives.unchanged_required,
    }

    def run(self) -> list[nodes.Node]:
        name = self.arguments[0]
        if name not in explorables():
            known = ", ".join(explorables())
            log.warning("explorable must be one of %s, got %r", known, name, location=self.get_location())
            return []
        if "figure" not in self.options:
            log.warning("explorable %s must name its `:figure:`", name, location=self.get_location())
            return []
        count = self.env.new_serialno(f"explorable-{name}")
        default = f"explore-{name}" + (f"-{count + 1}" if count else "")
        node = explorable("", name=name, figure=self.options["figure"], preset=self.options.get("preset", ""))
        node["element"] = self.options.get("id", default)
        self.set_source_info(node)
        self.state.nested_parse(self.content, self.content_offset, node)
        return [node]


def visit_html(writer: Any, node: explorable) -> None:
    preset = f' preset="{html.escape(node["preset"])}"' if node["preset"] else ""
    builder = writer.builder
    # From the page's own address: `get_relative_uri` would take the script for a page.
    file = f"_static/explorables/{node['name']}.js"
    script = relative_uri(builder.get_target_uri(builder.current_docname), file)
    digest = hashlib.sha256((scripts(builder.app) / file.removeprefix("_static/")).read_bytes()).hexdigest()[:8]
    writer.body.append(
        f'<lg-{node["name"]} class="lg-explorable" id="{html.escape(node["element"])}"{preset}'
        f' data-script="{script}?v={digest}">\n'
    )


def depart_html(writer: Any, node: explorable) -> None:
    writer.body.append(f"</lg-{node['name']}>\n")


def leave_out(writer: Any, node: explorable) -> None:
    raise nodes.SkipNode


def check_figures(app: Sphinx, doctree: nodes.document) -> None:
    for node in doctree.findall(explorable):
        if nodes.fully_normalize_name(node["figure"]) not in doctree.nameids:
            log.warning("explorable %s: the page has no figure %r", node["name"], node["figure"], location=node)


def scripts(app: Sphinx) -> Path:
    """The folder of static files that holds the bundles."""
    return Path(app.doctreedir) / "explorables-static"


def offer_scripts(app: Sphinx) -> None:
    """Bundle the scripts to where the site's static files are collected from."""
    # The sources are no files of the site.
    app.config.exclude_patterns += ["explorables/**.mjs", "explorables/dev.html"]
    if app.builder.name not in ("html", "dirhtml"):
        return
    static = scripts(app)
    for name in explorables():
        bundle(name, static / "explorables" / f"{name}.js")
    app.config.html_static_path.append(str(static))


def setup(app: Sphinx) -> None:
    none = (leave_out, None)
    app.add_node(explorable, html=(visit_html, depart_html), epub=none, latex=none, text=none, man=none, texinfo=none)
    app.add_directive("explorable", ExplorableDirective)
    app.connect("doctree-read", check_figures)
    app.connect("builder-inited", offer_scripts)


def write_bare_pages(folder: Path) -> None:
    """One page for each explorable, with nothing else on it."""
    folder.mkdir(parents=True, exist_ok=True)
    page = (SOURCES / "dev.html").read_text("utf-8")
    for name in explorables():
        bundle(name, folder / f"{name}.js")
        (folder / f"{name}.html").write_text(re.sub(r"\bPRESET\b", "", page.replace("NAME", name)), "utf-8")
        print((folder / f"{name}.html").as_uri())
