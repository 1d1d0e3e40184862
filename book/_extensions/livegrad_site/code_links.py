"""Names of livegrad and torch in the code of a page lead to their chapter, or to their documentation.

In cells and in the module files that a page shows. Names are followed from the page's imports to their uses. What is
also bound otherwise on the same page (assigned, defined, a parameter) may be something else there, and gets no link.
"""

from __future__ import annotations

import ast
import html
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.transforms.post_transforms import SphinxPostTransform

from .modules import module
from .torch_docs import MODULE_PAGES, OBJECTS

CLASS = "lg-name"
# A piece of code on a page: that of a cell, or of a file in its figure. Pygments writes one flat row of spans.
PRE = r'<div class="highlight"><pre>(.*?)</pre>'
CELL = re.compile(rf'<div class="cell_input[^"]*">\s*<div class="highlight-[^"]*">{PRE}', re.DOTALL)
FILE = re.compile(rf'<figure class="lg-module".*?{PRE}', re.DOTALL)
TOKEN = re.compile(r'(<span(?: class="[\w ]*")?>)([^<]*)</span>|([^<]+)')
FROM = re.compile(r"\s*from\s+([\w.]+)\s+import\b")
LIBRARIES = ("livegrad", "torch")


@dataclass(frozen=True)
class Use:
    """The characters from `start` to `end` of a piece of code name `full`, in an import or elsewhere."""

    start: int
    end: int
    full: str
    imported: bool


Find = Callable[[str], str | None]


def parse(code: str) -> ast.Module | None:
    """None for what is not Python alone, such as a cell with a command of IPython."""
    try:
        return ast.parse(code)
    except (SyntaxError, ValueError):
        return None


def imports(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """What the imports bind: (name, what it stands for)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield (alias.asname, alias.name) if alias.asname else (alias.name.partition(".")[0],) * 2
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield alias.asname or alias.name, f"{'.' * node.level}{node.module or ''}.{alias.name}"


def bound(tree: ast.AST) -> Iterator[str]:
    """The names that are bound otherwise than by an import, in any scope."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            yield node.name
        elif isinstance(node, ast.MatchMapping) and node.rest:
            yield node.rest


def meanings(codes: Iterable[str]) -> dict[str, str]:
    """What the names stand for that mean one thing, a name of our libraries, in all `codes`."""
    found: dict[str, set[str]] = {}
    for tree in filter(None, map(parse, codes)):
        for name, full in imports(tree):
            found.setdefault(name, set()).add(full)
        for name in bound(tree):
            found.setdefault(name, set()).add("")
    return {name: full for name, (full, *more) in found.items() if not more and full.split(".")[0] in LIBRARIES}


def uses(code: str, known: dict[str, str], find: Find) -> Iterator[Use]:
    """Where `code` uses what `find` knows; of `torch.Tensor.add_` it is the known beginning `torch.Tensor`."""
    tree = parse(code)
    if tree is None:
        return
    lines = [line.encode() for line in code.splitlines(keepends=True)]
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line.decode()))

    def place(line: int, column: int) -> int:
        """The index in `code`: ast counts columns in bytes."""
        return starts[line - 1] + len(lines[line - 1][:column].decode(errors="replace"))

    def use(start: int, written: str, full: str, imported: bool = False) -> Iterator[Use]:
        # Python 3.11 misplaces what stands in an f-string: only what is where it should be.
        end = start + len(written)
        if code[start:end] == written and not re.match(r"\w", code[end : end + 1]):
            yield Use(start, end, full, imported)

    within = set()  # the parts of names that were seen whole
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            prefix = ""
            if isinstance(node, ast.ImportFrom):
                if node.level or not node.module:
                    continue
                prefix = f"{node.module}."
                start = place(node.lineno, node.col_offset)
                if match := FROM.match(code, start):
                    yield from use(match.start(1), node.module, node.module, True)
            for alias in node.names:
                yield from use(place(alias.lineno, alias.col_offset), alias.name, prefix + alias.name, True)
        elif isinstance(node, ast.Attribute | ast.Name) and node not in within:
            chain: list[ast.Attribute | ast.Name] = [node]
            while isinstance(chain[-1], ast.Attribute) and isinstance(chain[-1].value, ast.Attribute | ast.Name):
                chain.append(chain[-1].value)
            within.update(chain)
            root = chain[-1]
            if not isinstance(root, ast.Name) or root.id not in known:
                continue
            names = [root.id, *(part.attr for part in chain[-2::-1] if isinstance(part, ast.Attribute))]
            for count in range(len(names), 0, -1):
                full = ".".join([known[root.id], *names[1:count]])
                if full not in MODULE_PAGES and find(full):
                    yield from use(place(root.lineno, root.col_offset), ".".join(names[:count]), full)
                    break


def insert(tokens: str, links: list[tuple[int, int, str]]) -> str:
    """The HTML of a piece of code with links around some of its characters; its text stays what it was."""
    written, position = [], 0
    marks = [mark for start, end, opening in links for mark in ((start, opening), (end, "</a>"))]
    cuts = iter([*marks, (len(tokens) + 1, "")])  # the last is beyond the end
    cut, mark = next(cuts)
    for token in TOKEN.finditer(tokens):
        opening, text = token[1] or "", html.unescape(token[2] if token[1] else token[3])
        closing = "</span>" if opening else ""
        if not text:
            written.append(token[0])
        while text:
            if cut == position:
                written.append(mark)
                cut, mark = next(cuts)
                continue
            part, text = text[: cut - position], text[cut - position :]
            written.append(f"{opening}{html.escape(part, quote=False)}{closing}")
            position += len(part)
    while mark:
        written.append(mark)
        cut, mark = next(cuts)
    return "".join(written)


def text_of(tokens: str) -> str | None:
    """The code in the HTML of Pygments; None where there is more in it than a row of spans."""
    if TOKEN.sub("", tokens):
        return None
    return html.unescape("".join(token[2] if token[1] else token[3] for token in TOKEN.finditer(tokens)))


def link_names(body: str, find: Find) -> str:
    """The body of a page with links in its code. The first use of a name can be reached by Tab, the others clicked."""
    reached: set[str] = set()
    pieces = []
    for pattern in (CELL, FILE):
        found = [(match.span(1), match[1], text) for match in pattern.finditer(body)
                 if (text := text_of(match[1])) is not None]  # fmt: skip
        # The cells share their names, as they share their kernel; each file stands alone.
        shared = meanings(code for _, _, code in found)
        pieces += [(span, tokens, code, shared if pattern is CELL else meanings([code]))
                   for span, tokens, code in found]  # fmt: skip
    written, end = [], 0
    for (start, stop), tokens, code, known in sorted(pieces, key=lambda piece: piece[0]):
        links = []
        for use in sorted(uses(code, known, find), key=lambda use: use.start):
            if address := find(use.full):
                skip = ' tabindex="-1"' if address in reached else ""
                reached.add(address)
                links.append((use.start, use.end, f'<a class="{CLASS}" href="{html.escape(address)}"{skip}>'))
        if links:
            written += [body[end:start], insert(tokens, links)]
            end = stop
    return "".join([*written, body[end:]])


def targets(env: BuildEnvironment) -> dict[str, tuple[str, str]]:
    """The page and the anchor of every public name of livegrad: its file in the chapter, or its line in the API."""
    shown = {name for page, names in getattr(env, "livegrad_modules", {}).items() for name in names if name == page}
    api = {name: page for page, names in getattr(env, "livegrad_api", {}).items() for name in names}
    found = {}
    for name, page in api.items():
        full = "livegrad." + name.replace("/", ".")
        anchor = f"api-{name.replace('/', '-').replace('_', '-')}"
        found[full] = (name, full) if name in shown else (page, anchor)
    for full, entry in env.get_domain("py").data["objects"].items():
        if full.startswith("livegrad."):
            around = ".".join(full.split(".")[:3])
            in_chapter = around.removeprefix("livegrad.").replace(".", "/") in shown
            found[full] = found[around] if in_chapter and around in found else (entry.docname, entry.node_id)
    return found


def finder(app: Sphinx, page: str) -> Find:
    known = targets(app.env)

    def find(full: str) -> str | None:
        if full in known:
            to, anchor = known[full]
            return f"{app.builder.get_relative_uri(page, to) if to != page else ''}#{anchor}"
        return OBJECTS.get(full) or MODULE_PAGES.get(full)

    return find


def link_page(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    if app.builder.name == "html" and "body" in context:
        context["body"] = link_names(context["body"], finder(app, page))


class AskForPages(SphinxPostTransform):
    """For `make links`: the pages of torch's documentation, as references that Sphinx's link checker collects."""

    default_priority = 700  # before it does
    builders = ("linkcheck",)

    def run(self, **kwargs: Any) -> None:
        blocks = list(self.document.findall(nodes.literal_block))
        cells = [b.astext() for b in blocks if "cell_input" in b.parent.get("classes", ())]
        files = [b.astext() for b in blocks if isinstance(b.parent, module)]
        find = (MODULE_PAGES | OBJECTS).get
        known = [(cells, meanings(cells)), *(([file], meanings([file])) for file in files)]
        found = {find(use.full) for codes, names in known for code in codes for use in uses(code, names, find)}
        for address in sorted(filter(None, found)):
            self.document += nodes.paragraph("", "", nodes.reference("", address, refuri=address))


def setup(app: Sphinx) -> None:
    app.add_post_transform(AskForPages)
    app.connect("html-page-context", link_page)
