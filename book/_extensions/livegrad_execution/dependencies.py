"""Which of our files does a piece of code depend on? Answered from its imports, without running it.

The rules err on the side of depending on too much:

* importing a module runs the `__init__.py` of every package above it, so these count too, but for one that does
  nothing else than offer names by `lazy_exports`: what it offers matters to those alone who take it from there;
* a name that a package offers without having a file of that name (`from livegrad.optimizers import Adam`,
  `import livegrad`) can come from anywhere inside, so the whole package counts;
* a string that spells one of our modules ("livegrad.lab.data") counts as an import of it;
* files that are not Python (data) count with every module that lies in their folder.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TypeGuard

from IPython.core.inputtransformer2 import TransformerManager

IGNORED = {"__pycache__", "py.typed", ".DS_Store"}


@cache
def imported_names(code: str, package: str = "") -> frozenset[tuple[str, bool]]:
    """Return (dotted name, whole) for all imports in `code`, relative ones resolved against `package`.

    `whole` says that the name itself becomes a variable: if it is a package, all of it is in reach.
    Raises SyntaxError when the code does not parse.
    """
    found: set[tuple[str, bool]] = set()
    for node in _executed_nodes(ast.parse(code)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                found.add((alias.name, True))
                if not alias.asname:
                    found.add((alias.name.partition(".")[0], True))
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")[: -(node.level - 1) or None] if node.level else []
            module = ".".join([*parts, *([node.module] if node.module else [])])
            found.add((module, False))
            for alias in node.names:
                found.add((module if alias.name == "*" else f"{module}.{alias.name}", True))
        elif magic := code_in_magic(node):
            found |= imported_names(magic, package)
        elif isinstance(node, ast.Constant) and is_dotted_name(node.value):
            found.add((node.value, True))
    return frozenset(found)


def only_offers_names(code: str) -> bool:
    """Tell whether the code of an `__init__.py` does nothing when it is run but offer names by `lazy_exports`."""
    offers = False
    for node in ast.parse(code).body:
        match node:
            case ast.Expr(value=ast.Constant()) | ast.ImportFrom(module="typing"):
                continue
            case ast.ImportFrom(module=str(module)) if module.endswith("_lazy"):
                continue
            case ast.If(
                test=ast.Name("TYPE_CHECKING"), orelse=[ast.Assign(value=ast.Call(func=ast.Name("lazy_exports")))]
            ):
                offers = True
            case _:
                return False
    return offers


def code_in_magic(node: ast.AST) -> str:
    """Return the code that a magic such as `%time` or `%%timeit` runs, which IPython hands over as a string."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and len(node.args) > 1):
        return ""
    last = node.args[-1]
    if node.func.attr not in {"run_line_magic", "run_cell_magic"} or not isinstance(last, ast.Constant):
        return ""
    code = as_python(str(last.value))
    try:
        ast.parse(code)
    except SyntaxError:  # the argument of a magic that takes no code
        return ""
    return code


def is_dotted_name(value: object) -> TypeGuard[str]:
    """Tell whether a constant spells a module inside a package."""
    return isinstance(value, str) and "." in value and all(part.isidentifier() for part in value.split("."))


def _executed_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Walk the tree without what only type checkers read: `if TYPE_CHECKING:` imports nothing when code runs."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ast.If) and ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}:
            waiting.extend(node.orelse)
        else:
            waiting.extend(ast.iter_child_nodes(node))


def as_python(cell: str) -> str:
    """Turn IPython's magics (`%time f()`, `!ls`) into calls, so that a cell parses as Python."""
    return TransformerManager().transform_cell(cell)


class SourceTree:
    """The folder `src/` and what the files in it import of each other."""

    def __init__(self, src: Path) -> None:
        self.src = src.resolve()

    def needed_by(self, cells: list[str]) -> list[Path]:
        """Return the files below `src/` on which the cells depend, directly or through others, sorted."""
        unread: set[Path] = set()
        for cell in cells:
            try:
                unread |= self._files(as_python(cell), package="")
            except SyntaxError:  # let the execution report it
                unread |= self._everything_in(self.src)
        done: set[Path] = set()
        while unread:
            path = unread.pop()
            done.add(path)
            unread |= self._imports_of(path) - done
        done -= {path for path in done if self._only_passed_by(path, done)}
        return sorted(done | {data for path in done for data in self._data_beside(path)})

    def _only_passed_by(self, path: Path, reached: set[Path]) -> bool:
        """Tell whether a package's `__init__.py` was met on the way to one of its files and has no say in it."""
        if path.name != "__init__.py" or self._everything_in(path.parent) <= reached:
            return False
        try:
            return only_offers_names(path.read_text("utf8"))
        except SyntaxError:
            return False

    def _imports_of(self, path: Path) -> set[Path]:
        if path.suffix != ".py":
            return set()
        package = ".".join(path.relative_to(self.src).parent.parts)
        try:
            return self._files(path.read_text("utf8"), package)
        except SyntaxError:
            return self._everything_in(self.src)

    def _files(self, code: str, package: str) -> set[Path]:
        found: set[Path] = set()
        for name, whole in imported_names(code, package):
            found |= self._resolve(name, whole)
        return found

    def _resolve(self, name: str, whole: bool) -> set[Path]:
        """Find the files that importing `name` reads; nothing when it is not ours."""
        found: set[Path] = set()
        folder = self.src
        for part in name.split("."):
            module = folder / f"{part}.py"
            if (folder / part).is_dir():
                folder = folder / part
                init = folder / "__init__.py"
                found |= {init} & ({init} if init.is_file() else set())
            elif module.is_file():
                return found | {module}
            elif folder == self.src:
                return set()
            else:  # an attribute that the package makes up as it likes
                return found | self._everything_in(folder)
        return found | self._everything_in(folder) if whole else found

    def _everything_in(self, folder: Path) -> set[Path]:
        return {path for path in folder.rglob("*.py") if "__pycache__" not in path.parts}

    def _data_beside(self, path: Path) -> Iterator[Path]:
        for other in path.parent.iterdir():
            if other.is_file() and other.suffix not in {".py", ".pyc"} and other.name not in IGNORED:
                yield other
