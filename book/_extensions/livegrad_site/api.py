"""`{api}`: every public name of the package, read from its files, so that the page cannot drift from the code.

Nothing is imported: importing torch would cost each build seconds. The names become objects of Sphinx's Python domain:
`` {py:func}`livegrad.activations.mish.mish` `` links to them, and so do the index, the search and other books.
"""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective

from .modules import module_link
from .paths import PACKAGE, repository
from .references import to_page


@dataclass
class Name:
    """A public class or function, a method or a property."""

    kind: str  # of the Python domain: class, function, method, property
    name: str
    signature: str
    summary: str  # the first paragraph of its docstring, empty without one
    line: int
    members: list[Name] = field(default_factory=list)


@dataclass
class File:
    name: str  # activations/mish
    summary: str
    names: list[Name]

    @property
    def module(self) -> str:
        return "livegrad." + self.name.replace("/", ".")


def files(package: Path) -> list[Path]:
    return sorted(package.glob("[!_]*/[!_]*.py"))


def read(path: Path, package: Path) -> File:
    tree = ast.parse(path.read_text("utf-8"))
    name = path.relative_to(package).with_suffix("").as_posix()
    return File(name, summary(tree), [describe(node, tree) for node in public(tree.body)])


def public(body: list[ast.stmt]) -> Iterator[ast.FunctionDef | ast.ClassDef]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node


def describe(node: ast.FunctionDef | ast.ClassDef, tree: ast.Module, inside: bool = False) -> Name:
    if isinstance(node, ast.ClassDef):
        members = [describe(member, tree, inside=True) for member in public(node.body)]
        return Name("class", node.name, class_signature(node, tree), summary(node), node.lineno, members)
    if any(ast.unparse(decorator) == "property" for decorator in node.decorator_list):
        return Name("property", node.name, "", summary(node), node.lineno)
    kind, skip = ("method", 1) if inside else ("function", 0)
    return Name(kind, node.name, parameters(node.args, skip), summary(node), node.lineno)


def summary(node: ast.Module | ast.FunctionDef | ast.ClassDef) -> str:
    return re.sub(r"\s+", " ", (ast.get_docstring(node) or "").split("\n\n")[0]).strip()


def class_signature(node: ast.ClassDef, tree: ast.Module) -> str:
    """Of its `__init__`, of its fields, or that of the class of the same file that it is derived from."""
    for member in node.body:
        if isinstance(member, ast.FunctionDef) and member.name == "__init__":
            return parameters(member.args, skip=1)
    bases = [ast.unparse(base) for base in node.bases]
    if "NamedTuple" in bases or any(ast.unparse(d).startswith("dataclass") for d in node.decorator_list):
        given = [member for member in node.body if isinstance(member, ast.AnnAssign)]
        return "(" + ", ".join(ast.unparse(f.target) + ("=…" if f.value else "") for f in given) + ")"
    classes = {other.name: other for other in tree.body if isinstance(other, ast.ClassDef)}
    return next((class_signature(classes[base], tree) for base in bases if base in classes), "()")


def parameters(arguments: ast.arguments, skip: int) -> str:
    """Names and defaults; the types are in the source, one click away, and would fill a phone's screen."""
    arguments = copy.deepcopy(arguments)
    for argument in ast.walk(arguments):
        if isinstance(argument, ast.arg):
            argument.annotation = None
    positional = arguments.posonlyargs or arguments.args
    del positional[:skip]
    return f"({ast.unparse(arguments)})"


class Api(SphinxDirective):
    """```{api}```: a section a shelf, an entry a name."""

    def run(self) -> list[nodes.Node]:
        found = [read(path, PACKAGE) for path in files(PACKAGE)]
        for path in files(PACKAGE):
            self.env.note_dependency(str(path))
        listed(self.env)[self.env.docname] = [file.name for file in found]
        return [self.shelf(name, found) for name in dict.fromkeys(file.name.split("/")[0] for file in found)]

    def shelf(self, name: str, found: list[File]) -> nodes.section:
        section = nodes.section("", nodes.title("", name.capitalize()), ids=[f"api-{name}"], names=[f"api-{name}"])
        init = PACKAGE / name / "__init__.py"
        if init.is_file():
            self.env.note_dependency(str(init))
            section += nodes.paragraph("", "", *inlines(summary(ast.parse(init.read_text("utf-8")))))
        for file in found:
            if file.name.startswith(f"{name}/") and file.names:
                section += self.file(file)
        return section

    def file(self, file: File) -> nodes.section:
        anchor = f"api-{file.name.replace('/', '-').replace('_', '-')}"
        section = nodes.section("", nodes.title("", "", nodes.literal("", file.module)), ids=[anchor], names=[anchor])
        links: list[nodes.Node] = []
        if file.name in self.env.found_docs:
            links = [nodes.Text("Chapter: "), to_page(self.env, file.name), nodes.Text(" · ")]
        section += nodes.paragraph("", "", *links, module_link("", "Source", name=file.name))
        for name in file.names:
            section += self.entry(file, name)
        return section

    def entry(self, file: File, name: Name, within: str = "") -> list[nodes.Node]:
        full = within + name.name
        head = StringList([f"```{{py:{name.kind}}} {full}{name.signature}", f":module: {file.module}", "```"])
        parsed = nodes.Element()
        self.state.nested_parse(head, 0, parsed)
        for desc in list(parsed.findall(addnodes.desc)):  # a list, as its members come in below
            self.dress(desc, file, name)
            body = next(desc.findall(addnodes.desc_content))
            body += nodes.paragraph("", "", *inlines(name.summary))
            for member in name.members:
                if member.summary:  # what has no docstring of its own is inherited and described by its base class
                    body += self.entry(file, member, f"{name.name}.")
        return list(parsed.children)

    def dress(self, desc: addnodes.desc, file: File, name: Name) -> None:
        """Let the heading, or the class around it, say where the name is from; add a link to its line."""
        for prefix in list(desc.findall(addnodes.desc_addname)):
            prefix.parent.remove(prefix)
        if repo := repository():
            url = f"{repo.url}/blob/main/src/livegrad/{file.name}.py#L{name.line}"
            signature = next(desc.findall(addnodes.desc_signature))
            signature += nodes.reference("", "[source]", refuri=url, internal=False, classes=["api-source"])


ROLE = re.compile(r":\w+:`(?P<role>[^`]+)`|``(?P<double>.+?)``|`(?P<single>[^`]+)`")


def inlines(text: str) -> Iterator[nodes.Node]:
    """Text of a docstring, what stands in backticks as code."""
    end = 0
    for found in ROLE.finditer(text):
        yield nodes.Text(text[end : found.start()])
        code = found["role"] or found["double"] or found["single"]
        yield nodes.literal("", code.strip())
        end = found.end()
    yield nodes.Text(text[end:])


def listed(env: BuildEnvironment) -> dict[str, list[str]]:
    """The files that each page with the directive lists."""
    return env.__dict__.setdefault("livegrad_api", {})  # type: ignore[no-any-return]


def pages_to_read(app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]) -> Any:
    """A new file or chapter, or one that is gone, changes the page; a changed file is a dependency already."""
    now = [path.relative_to(PACKAGE).with_suffix("").as_posix() for path in files(PACKAGE)]
    return [page for page, names in listed(env).items() if names != now or (added | removed) & set(now)]


def forget(app: Sphinx, env: BuildEnvironment, page: str) -> None:
    listed(env).pop(page, None)


def merge(app: Sphinx, env: BuildEnvironment, pages: set[str], other: BuildEnvironment) -> None:
    listed(env).update({page: names for page, names in listed(other).items() if page in pages})


def setup(app: Sphinx) -> None:
    app.add_directive("api", Api)
    app.connect("env-get-outdated", pages_to_read)
    app.connect("env-purge-doc", forget)
    app.connect("env-merge-info", merge)
