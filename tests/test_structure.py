"""Topic = file = page = test: the tree is in order, and each rule is shown to catch its fault in a scratch tree.

Every rule is a function of a root folder that yields one sentence a fault, naming the file and what is wrong with it.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
NO_CHAPTERS = ("index", "reference/")  # pages that are no chapters: the home page and the reference shelf
NO_TOPICS = ("book", "browser", "explorables")  # folders of tests about the build, the site and its scripts
OF_A_SHELF = ("test_contract", "test_distributed")  # what a test asks of every module of its shelf
FEWEST_EXERCISES = 3
LONGEST_DESCRIPTION = 155


# --- What the tree holds ----------------------------------------------------------------------------------------


def modules(root: Path) -> dict[str, Path]:
    files = sorted(root.glob("src/livegrad/[!_]*/[!_]*.py"))
    return {f"{f.parent.name}/{f.stem}": f for f in files if f.parent.name != "lab"}


def instruments(root: Path) -> dict[str, Path]:
    return {f"lab/{f.stem}": f for f in sorted(root.glob("src/livegrad/lab/[!_]*.py"))}


def pages(root: Path) -> dict[str, Path]:
    names = {f.relative_to(root / "book").with_suffix(""): f for f in sorted(root.glob("book/**/*.md"))}
    return {n.as_posix(): f for n, f in names.items() if not n.parts[0].startswith("_")}


def chapters(root: Path) -> dict[str, Path]:
    return {name: file for name, file in pages(root).items() if not name.startswith(NO_CHAPTERS)}


def proofs(root: Path) -> dict[str, Path]:
    files = [f for f in sorted(root.glob("tests/*/test_*.py")) if f.parent.name not in NO_TOPICS]
    return {f"{f.parent.name}/{f.stem.removeprefix('test_')}": f for f in files if f.stem not in OF_A_SHELF}


def contents(root: Path) -> list[str]:
    def listed(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            yield from (node[key] for key in ("root", "file") if key in node)
            node = list(node.values())
        if isinstance(node, list):
            for child in node:
                yield from listed(child)

    return list(listed(yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))))


@dataclass(frozen=True)
class Block:
    """A fenced block: a directive, or with an empty name plain code."""

    line: int
    name: str
    argument: str
    options: dict[str, Any]
    body: str


OPENING = re.compile(r"(?P<fence>`{3,}|~{3,}|:{3,})(?:\{(?P<name>[^}]+)\})?\s*(?P<argument>.*)")
VERBATIM = {"", "code", "code-block", "code-cell", "glue:math", "literalinclude", "math", "mermaid", "module", "raw"}


def split_options(body: list[str]) -> tuple[dict[str, Any], list[str]]:
    """The options of a directive, given as YAML between `---` or as lines `:key: value`, and the rest of its body."""
    if body and body[0] == "---":
        end = body.index("---", 1)
        return yaml.safe_load("\n".join(body[1:end])) or {}, body[end + 1 :]
    count = next((i for i, line in enumerate(body) if not line.startswith(":")), len(body))
    return yaml.safe_load("\n".join(line[1:] for line in body[:count])) or {}, body[count:]


def parse(text: str, first_line: int = 1) -> tuple[list[Block], list[tuple[int, str]]]:
    """The fenced blocks of a page, inner ones included, and the lines of its prose with their numbers."""
    blocks: list[Block] = []
    prose: list[tuple[int, str]] = []
    lines = text.splitlines()
    at = 0
    while at < len(lines):
        opening = OPENING.fullmatch(lines[at].strip())
        if opening is None:
            prose.append((first_line + at, lines[at]))
            at += 1
            continue
        fence = opening["fence"]
        closing = re.compile(re.escape(fence) + re.escape(fence[0]) + r"*\s*")
        end = next((i for i in range(at + 1, len(lines)) if closing.fullmatch(lines[i].strip())), len(lines))
        options, body = split_options(lines[at + 1 : end])
        name = opening["name"] or ""
        blocks.append(Block(first_line + at, name, opening["argument"], options, "\n".join(body)))
        if name not in VERBATIM:
            inner, inner_prose = parse("\n".join(body), first_line + end - len(body))
            blocks += inner
            prose += inner_prose
        at = end + 1
    return blocks, prose


def blocks_of(file: Path, *names: str) -> list[Block]:
    return [b for b in parse(file.read_text(encoding="utf-8"))[0] if b.name in names]


def section(file: Path, title: str) -> str:
    """The text under `## title`, or nothing."""
    found = re.search(rf"^## {title}$(.*?)(?=^## |\Z)", file.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return found[1] if found else ""


def front_matter(file: Path) -> dict[str, Any]:
    found = re.match(r"---\n(.*?)\n---\n", file.read_text(encoding="utf-8"), re.DOTALL)
    return yaml.safe_load(found[1]) or {} if found else {}


def imports(code: str) -> Iterator[tuple[str, int]]:
    """Every module that the code imports, also inside its functions, and the level of a relative import."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, 0) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "", node.level


def asserts(code: str) -> bool:
    """Whether a cell can stop the build."""
    tree = ast.parse(re.sub(r"^[%!].*", "pass", code, flags=re.MULTILINE))
    return any(isinstance(node, ast.Assert) for node in ast.walk(tree))


def place(file: Path, root: Path) -> str:
    return file.relative_to(root).as_posix()


# --- The rules --------------------------------------------------------------------------------------------------


def every_module_has_its_page_its_test_and_its_line(root: Path) -> Iterator[str]:
    for name in modules(root):
        if name not in pages(root):
            yield f"src/livegrad/{name}.py has no page book/{name}.md"
        if name not in proofs(root):
            yield f"src/livegrad/{name}.py has no test {name.replace('/', '/test_')}.py under tests/"
        if name not in contents(root):
            yield f"src/livegrad/{name}.py has no line in _toc.yml"
    for name in instruments(root):
        if name not in proofs(root):
            yield f"src/livegrad/{name}.py has no test {name.replace('/', '/test_')}.py under tests/"
    for shelf in sorted({name.partition("/")[0] for name in modules(root)}):
        if not (root / "src/livegrad" / shelf / "__init__.py").exists():
            yield f"src/livegrad/{shelf} has no __init__.py"


def pages_and_contents_agree(root: Path) -> Iterator[str]:
    listed = contents(root)
    for name in pages(root):
        if name not in listed:
            yield f"book/{name}.md is not in _toc.yml"
    for name in listed:
        if name not in pages(root):
            yield f"_toc.yml lists {name}, which has no page"
        if listed.count(name) > 1:
            yield f"_toc.yml lists {name} more than once"


def no_test_is_orphaned(root: Path) -> Iterator[str]:
    for name, file in proofs(root).items():
        if name not in modules(root) and name not in instruments(root) and name not in pages(root):
            yield f"{place(file, root)} tests {name}, which is neither a module nor a page"


def pages_lie_one_folder_deep(root: Path) -> Iterator[str]:
    for name in pages(root):
        if name != "index" and name.count("/") != 1:
            yield f"book/{name}.md must lie exactly one folder deep"


def names_are_lower_snake(root: Path) -> Iterator[str]:
    for file in [*modules(root).values(), *instruments(root).values(), *pages(root).values(), *proofs(root).values()]:
        for part in (file.stem, file.parent.name):
            if file.parent != root / "book" and not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", part):
                yield f"{place(file, root)}: {part!r} is not lower_snake"


def modules_import_torch_and_the_standard_library_alone(root: Path) -> Iterator[str]:
    allowed = sys.stdlib_module_names | {"torch"}
    for file in modules(root).values():
        for module, level in imports(file.read_text(encoding="utf-8")):
            if level or module.partition(".")[0] not in allowed:
                yield f"{place(file, root)} imports {'.' * level}{module}; it must run when copied alone"


def code_imports_from_files_not_from_lazy_shelves(root: Path) -> Iterator[str]:
    code = [(file, 1, file.read_text(encoding="utf-8")) for file in instruments(root).values()]
    for file in pages(root).values():
        cells = blocks_of(file, "code-cell")
        code += [(file, c.line, re.sub(r"^[%!].*", "pass", c.body, flags=re.MULTILINE)) for c in cells]
    for file, line, text in code:
        for module, _ in imports(text):
            if re.fullmatch(r"livegrad\.\w+", module):
                yield f"{place(file, root)}:{line} imports from {module}; name the file: the cache follows imports"


def labels_are_unique(root: Path) -> Iterator[str]:
    seen: dict[str, str] = {}
    for file in pages(root).values():
        blocks, prose = parse(file.read_text(encoding="utf-8"))
        labels = [(b.line, b.options[key]) for b in blocks for key in ("label", "name") if key in b.options]
        figures = [(b.line, (b.options.get("mystnb") or {}).get("figure") or {}) for b in blocks]
        labels += [(line, figure["name"]) for line, figure in figures if "name" in figure]
        found = [(n, re.search(r"^\(([^()\s]+)\)=$|\$\$ *\(([^()\s]+)\)\s*$", line)) for n, line in prose]
        labels += [(n, f[1] or f[2]) for n, f in found if f]
        for line, label in sorted(labels):
            here = f"{place(file, root)}:{line}"
            if label in seen:
                yield f"{here} uses the label {label}, which {seen[label]} has"
            seen.setdefault(label, here)


def every_exercise_has_an_executed_solution(root: Path) -> Iterator[str]:
    for file in pages(root).values():
        mode = (front_matter(file).get("mystnb") or {}).get("execution_mode")
        solved: dict[str, list[str]] = {}
        within = ""
        for block in blocks_of(file, "solution-start", "solution-end", "code-cell"):
            if block.name == "solution-start":
                within = block.argument
                solved[within] = []
            elif block.name == "solution-end":
                within = ""
            elif within and mode != "off" and "skip-execution" not in (block.options.get("tags") or []):
                solved[within].append(block.body)
        asked = [b.options.get("label", f"on line {b.line}") for b in blocks_of(file, "exercise", "exercise-start")]
        for label in asked:
            if not solved.get(label):
                yield f"{place(file, root)}: exercise {label} has no solution with a code cell that is executed"
            elif not any(asserts(code) for code in solved[label]):
                yield f"{place(file, root)}: exercise {label} has a solution that asserts nothing"
        for label in solved:
            if label not in asked:
                yield f"{place(file, root)}: solution of {label}, which is no exercise of this page"


def pages_describe_themselves(root: Path) -> Iterator[str]:
    for file in pages(root).values():
        description = front_matter(file).get("description", "")
        if not 0 < len(description) <= LONGEST_DESCRIPTION or "$" in description:
            yield (
                f"{place(file, root)}: description must be 1 to {LONGEST_DESCRIPTION} characters without math, "
                f"got {len(description)}: {description!r}"
            )


def chapters_have_their_parts(root: Path) -> Iterator[str]:
    for name, file in chapters(root).items():
        here = place(file, root)
        if "{cite" not in section(file, "Sources"):
            yield f"{here} must end with a section Sources that cites at least one"
        exercises = re.findall(r"^`{3,}\{exercise(?:-start)?\}", section(file, "Exercises"), re.MULTILINE)
        if len(exercises) < FEWEST_EXERCISES:
            yield f"{here} must have {FEWEST_EXERCISES} exercises in a section Exercises, got {len(exercises)}"
        included = [b.argument for b in blocks_of(file, "module")]
        if name in modules(root) and name not in included:
            yield f"{here} must show its module: {{module}} {name}"


def cells_survive_every_export(root: Path) -> Iterator[str]:
    for file in pages(root).values():
        for cell in blocks_of(file, "code-cell"):
            for tag in cell.options.get("tags") or []:
                if tag.startswith("remove-"):
                    yield f"{place(file, root)}:{cell.line} has the tag {tag}; use hide-{tag[7:]}"


def prose_keeps_to_the_style(root: Path) -> Iterator[str]:
    for file in pages(root).values():
        for line, text in parse(file.read_text(encoding="utf-8"))[1]:
            for word in re.findall(r"\b(?:simply|obviously|just)\b", text):
                yield f"{place(file, root)}:{line} says {word!r}, which tells a reader nothing"
            for glued in re.findall(r"\{glue:?\w*\}`([^`]*)`", text):
                if f"{file.name}::" not in glued:
                    yield f"{place(file, root)}:{line} glues {glued!r}; write {file.name}::{glued}"


def nothing_unfinished_or_of_one_machine(root: Path) -> Iterator[str]:
    faults = re.compile(r"\b(?:TODO|FIXME|XXX|TBD)\b|(?<![\w.~-])/(?:home|root|work|Users)/")
    folders = ("book", "src", "tests", "benchmarks", ".github", ".ci")
    files = [f for folder in folders for f in sorted((root / folder).rglob("*")) if f.is_file()]
    files = [f for f in files if "node_modules" not in f.parts]  # what npm installed there is not ours
    for file in files + [f for f in sorted(root.iterdir()) if f.is_file() and not f.name.startswith(".")]:
        if file.name == Path(__file__).name:  # the faults below are planted
            continue
        if file.suffix in {".py", ".md", ".yml", ".toml", ".bib", ".js", ".mjs", ".css", ".html", ".cff", ""}:
            for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
                for fault in faults.findall(line):
                    yield f"{place(file, root)}:{number} holds {fault!r}"


def links_between_files_lead_somewhere(root: Path) -> Iterator[str]:
    for file in sorted(root.glob("*.md")):
        for target in re.findall(r"\]\(([^)#\s]+)", file.read_text(encoding="utf-8")):
            if "://" not in target and not (root / target).exists():
                yield f"{file.name} links to {target}, which does not exist"


RULES: list[Callable[[Path], Iterator[str]]] = [
    every_module_has_its_page_its_test_and_its_line,
    pages_and_contents_agree,
    no_test_is_orphaned,
    pages_lie_one_folder_deep,
    names_are_lower_snake,
    modules_import_torch_and_the_standard_library_alone,
    code_imports_from_files_not_from_lazy_shelves,
    labels_are_unique,
    every_exercise_has_an_executed_solution,
    pages_describe_themselves,
    chapters_have_their_parts,
    cells_survive_every_export,
    prose_keeps_to_the_style,
    nothing_unfinished_or_of_one_machine,
    links_between_files_lead_somewhere,
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_project_keeps_the_rule(rule: Callable[[Path], Iterator[str]]) -> None:
    faults = list(rule(ROOT))
    assert not faults, "\n" + "\n".join(faults)


def test_the_rules_have_something_to_look_at() -> None:
    assert {"activations/mish", "optimizers/adam"} <= modules(ROOT).keys() & chapters(ROOT).keys() & proofs(ROOT).keys()
    assert "lab/plots" in instruments(ROOT)
    assert blocks_of(chapters(ROOT)["activations/mish"], "code-cell")


# --- The rules catch what they should ---------------------------------------------------------------------------

EXERCISE = """
```{exercise} A check
:label: ex-sine-NUMBER
What is it?
```

````{solution-start} ex-sine-NUMBER
:label: sol-sine-NUMBER
:class: dropdown
````
```{code-cell} ipython3
assert sine(NUMBER) == NUMBER
```
````{solution-end}
````
"""
CHAPTER = """\
---
description: A page about the sine.
---
# Sine

$$ y = x $$ (eq-sine-y)

(sec-sine-built)=
## Built

```{code-cell} ipython3
---
tags: [hide-input]
mystnb:
  figure: {name: fig-sine-y, caption: "A line."}
---
%matplotlib inline
from livegrad.activations.sine import sine
glue("y", sine(1))  # simply a comment
```

The value is {glue:text}`sine.md::y:.1f`.

## The module

```{module} activations/sine
```

## Exercises
EXERCISES
## Sources

{cite:t}`someone` did it first.
"""
HEALTHY = {
    "README.md": "# Sine\n[web](https://example.org) [licence](LICENSE.txt)\n",
    "LICENSE.txt": "",
    "_toc.yml": "root: index\nparts:\n- chapters:\n  - file: activations/sine\n",
    "book/index.md": "---\ndescription: The home page.\n---\n# Home\n",
    "book/_extensions/notes.md": "No page.\n",
    "book/activations/sine.md": CHAPTER.replace("EXERCISES", "".join(EXERCISE.replace("NUMBER", n) for n in "123")),
    "src/livegrad/activations/__init__.py": "",
    "src/livegrad/activations/sine.py": "import math\n\nimport torch\n\ndef sine(x):\n    return x\n",
    "src/livegrad/lab/plots.py": "import numpy\n",
    "tests/activations/test_sine.py": "",
    "tests/activations/test_contract.py": "",
    "tests/lab/test_plots.py": "",
    "tests/browser/test_pages.py": "",
}
PAGE = "book/activations/sine.md"
MODULE = "src/livegrad/activations/sine.py"
Edit = str | tuple[str, str] | None  # new contents, or a replacement in the old ones, or removal

FAULTS: dict[str, tuple[dict[str, Edit], str]] = {
    "no page": ({PAGE: None}, f"{MODULE} has no page {PAGE}"),
    "no test": ({"tests/activations/test_sine.py": None}, "has no test activations/test_sine.py"),
    "no test of an instrument": ({"src/livegrad/lab/data.py": ""}, "lab/data.py has no test lab/test_data.py"),
    "no line in the contents": ({"_toc.yml": "root: index\n"}, f"{MODULE} has no line in _toc.yml"),
    "no package": ({"src/livegrad/activations/__init__.py": None}, "src/livegrad/activations has no __init__.py"),
    "page not in the contents": ({"book/activations/cosine.md": ""}, "book/activations/cosine.md is not in _toc.yml"),
    "contents without page": ({"_toc.yml": ("index", "home")}, "_toc.yml lists home, which has no page"),
    "listed twice": (
        {"_toc.yml": ("parts:", "chapters:\n- file: activations/sine\nparts:")},
        "_toc.yml lists activations/sine more than once",
    ),
    "test of nothing": (
        {"tests/activations/test_cosine.py": ""},
        "tests/activations/test_cosine.py tests activations/cosine, which is neither",
    ),
    "test of no instrument": ({"src/livegrad/lab/plots.py": None}, "tests/lab/test_plots.py tests lab/plots"),
    "page too high": ({"book/about.md": ""}, "book/about.md must lie exactly one folder deep"),
    "page too deep": ({"book/a/b/c.md": ""}, "book/a/b/c.md must lie exactly one folder deep"),
    "camel case": ({"src/livegrad/activations/SineWave.py": ""}, "'SineWave' is not lower_snake"),
    "kebab page": ({"book/activations/sine-wave.md": ""}, "'sine-wave' is not lower_snake"),
    "numpy in a module": ({MODULE: "import numpy as np\n"}, f"{MODULE} imports numpy"),
    "numpy in a function": ({MODULE: "def f():\n    from numpy import sin\n"}, f"{MODULE} imports numpy"),
    "ours in a module": ({MODULE: "from livegrad.lab.plots import show\n"}, f"{MODULE} imports livegrad.lab.plots"),
    "relative import": ({MODULE: "from .relu import relu\n"}, f"{MODULE} imports .relu"),
    "cell imports the shelf": (
        {PAGE: ("livegrad.activations.sine import sine", "livegrad.activations import sine")},
        f"{PAGE}:11 imports from livegrad.activations; name the file",
    ),
    "instrument imports the shelf": (
        {"src/livegrad/lab/plots.py": "import livegrad.activations\n"},
        "src/livegrad/lab/plots.py:1 imports from livegrad.activations",
    ),
    "equation labeled twice": (
        {PAGE: ("## Built", "$$\nx\n$$ (eq-sine-y)\n## Built")},
        "uses the label eq-sine-y, which book/activations/sine.md:6 has",
    ),
    "figure named as a section": (
        {PAGE: ("fig-sine-y", "sec-sine-built")},
        f"{PAGE}:11 uses the label sec-sine-built, which {PAGE}:8 has",
    ),
    "label of another page": (
        {"book/index.md": ("# Home", "(sec-sine-built)=\n# Home")},
        "uses the label sec-sine-built, which book/activations/sine.md:8 has",
    ),
    "exercise labeled twice": (
        {PAGE: (":label: ex-sine-2", ":label: ex-sine-1")},
        "uses the label ex-sine-1",
    ),
    "exercise without label": ({PAGE: (":label: ex-sine-2\n", "")}, "has no solution with a code cell"),
    "solution missing": (
        {PAGE: ("{solution-start} ex-sine-2", "{solution-start} ex-sine-1")},
        "exercise ex-sine-2 has no solution with a code cell",
    ),
    "solution without code": (
        {PAGE: ("```{code-cell} ipython3\nassert sine(2) == 2\n```", "Two.")},
        "exercise ex-sine-2 has no solution with a code cell",
    ),
    "solution not executed": (
        {PAGE: ("ipython3\nassert sine(2)", "ipython3\n:tags: [skip-execution]\nassert sine(2)")},
        "exercise ex-sine-2 has no solution with a code cell that is executed",
    ),
    "page not executed": (
        {PAGE: ("description:", "mystnb: {execution_mode: 'off'}\ndescription:")},
        "exercise ex-sine-1 has no solution with a code cell that is executed",
    ),
    "solution proves nothing": (
        {PAGE: ("assert sine(2) == 2", "print(sine(2))  # assert")},
        "exercise ex-sine-2 has a solution that asserts nothing",
    ),
    "solution of nothing": (
        {PAGE: ("{solution-start} ex-sine-2", "{solution-start} ex-sine-9")},
        "solution of ex-sine-9, which is no exercise",
    ),
    "no description": ({PAGE: ("description: A page about the sine.", "title: x")}, "description must be 1 to 155"),
    "long description": ({PAGE: ("about", "about " * 30)}, "description must be 1 to 155"),
    "math in description": ({PAGE: ("the sine.\n", "$x$.\n")}, "description must be 1 to 155 characters without math"),
    "no citation": ({PAGE: ("{cite:t}`someone`", "Someone")}, f"{PAGE} must end with a section Sources"),
    "no sources": ({PAGE: ("## Sources", "## Origins")}, f"{PAGE} must end with a section Sources"),
    "too few exercises": (
        {PAGE: ("```{exercise} A check\n:label: ex-sine-2", "```{note}\n:name: x")},
        "must have 3 exercises in a section Exercises, got 2",
    ),
    "module not shown": ({PAGE: ("{module} activations/sine", "{note}")}, f"{PAGE} must show its module"),
    "another module shown": ({PAGE: ("{module} activations/sine", "{module} a/b")}, f"{PAGE} must show its module"),
    "removed cell": ({PAGE: ("hide-input", "remove-input")}, f"{PAGE}:11 has the tag remove-input; use hide-input"),
    "empty word": ({PAGE: ("The value is", "The value is just")}, f"{PAGE}:22 says 'just'"),
    "empty word in a directive": ({PAGE: ("What is it?", "It is obviously one.")}, "says 'obviously'"),
    "short glue": ({PAGE: ("sine.md::y:.1f", "y:.1f")}, f"{PAGE}:22 glues 'y:.1f'; write sine.md::y:.1f"),
    "unfinished": ({MODULE: "# TODO: write it\n"}, f"{MODULE}:1 holds 'TODO'"),
    "dead link": ({"README.md": ("LICENSE.txt", "LICENCE")}, "README.md links to LICENCE, which does not exist"),
    "path of a machine": ({PAGE: ("A line.", "See /home/me/x.")}, f"{PAGE}:15 holds '/home/'"),
}


def plant(root: Path, edits: dict[str, Edit]) -> Path:
    """Write the healthy tree into `root`, each file with its edit."""
    for name in HEALTHY | edits:
        old, edit = HEALTHY.get(name, ""), edits.get(name, ("", ""))
        if isinstance(edit, tuple):
            assert edit[0] in old
            edit = old.replace(*edit, 1)
        if edit is not None:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(edit, encoding="utf-8")
    return root


def test_a_healthy_tree_has_no_fault(tmp_path: Path) -> None:
    plant(tmp_path, {})
    assert [fault for rule in RULES for fault in rule(tmp_path)] == []


@pytest.mark.parametrize(("edits", "sentence"), FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_is_named(edits: dict[str, Edit], sentence: str, tmp_path: Path) -> None:
    plant(tmp_path, edits)
    faults = [fault for rule in RULES for fault in rule(tmp_path)]
    assert any(sentence in fault for fault in faults), faults


def test_every_rule_has_a_fault_that_it_alone_catches(tmp_path: Path) -> None:
    idle = {rule.__name__ for rule in RULES}
    for number, (edits, sentence) in enumerate(FAULTS.values()):
        root = plant(tmp_path / str(number), edits)
        caught = {rule.__name__ for rule in RULES if any(sentence in fault for fault in rule(root))}
        assert len(caught) == 1, (sentence, caught)
        idle -= caught
    assert not idle, idle


def test_blocks_are_read_with_their_options_their_lines_and_their_insides() -> None:
    cell = "```{code-cell} ipython3\n:tags: [hide-input]\nx = 1\n```"
    note = f"````{{note}} Title\n:class: dropdown\nInner text.\n{cell}\n````"
    blocks, prose = parse(f"Text.\n{note}\n```python\nnot prose\n```")
    assert blocks == [
        Block(2, "note", "Title", {"class": "dropdown"}, "Inner text.\n" + cell),
        Block(5, "code-cell", "ipython3", {"tags": ["hide-input"]}, "x = 1"),
        Block(10, "", "python", {}, "not prose"),
    ]
    assert prose == [(1, "Text."), (4, "Inner text.")]
