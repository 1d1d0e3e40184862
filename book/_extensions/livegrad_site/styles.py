"""One style sheet for the site, holding only the rules that its pages can use: one request, a tenth of the weight.

A rule is kept if every class and id in its selector occurs as a word in some page or script of the site. So a class
that a script sets is safe as long as its name stands somewhere in a script.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from posixpath import dirname, normpath, relpath

BUNDLE = "_static/styles/book.css"
# The theme links these itself, in a template that ours replaces.
THEME = ["_static/styles/theme.css", "_static/styles/pydata-sphinx-theme.css"]

WORD = re.compile(r"[\w-]+")
NAME = re.compile(r"[.#]((?:[\w-]|\\.)+)")
IMPORT = re.compile(r"""@import\s+(["'])(?![a-z]+:|/)([^"']+)\1\s*;""")
NESTED = ("@media", "@supports", "@layer", "@container")


def rules(css: str) -> Iterator[tuple[str, str | None]]:
    """The sheet's outermost rules as (what stands before the brace, what stands between the braces).

    A statement without braces, such as `@import`, comes with None.
    """
    depth, start, opened = 0, 0, 0
    for match in re.finditer(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|[{};]', css):
        mark = match[0]
        if mark == "{":
            depth += 1
            if depth == 1:
                opened = match.end()
        elif mark == "}":
            depth -= 1
            if depth == 0:
                yield css[start : opened - 1].strip(), css[opened : match.start()]
                start = match.end()
        elif mark == ";" and depth == 0:
            yield css[start : match.start()].strip(), None
            start = match.end()


def split_selectors(prelude: str) -> list[str]:
    """`a:is(b, c), d` as `a:is(b, c)` and `d`."""
    parts, depth = [""], 0
    for letter in prelude:
        depth += (letter in "([") - (letter in ")]")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def can_match(selector: str, words: set[str]) -> bool:
    # What stands in :not() or :is() need not occur for the rule to apply.
    while (bare := re.sub(r":[\w-]+\([^()]*\)|\[[^\]]*\]", "", selector)) != selector:
        selector = bare
    return all(name.replace("\\", "") in words for name in NAME.findall(selector))


def prune(css: str, words: set[str]) -> str:
    """The sheet without the rules that no page can use."""
    kept = []
    for prelude, body in rules(re.sub(r"/\*.*?\*/", "", css, flags=re.S)):
        if body is None:
            if not prelude.startswith("@charset"):
                kept.append(f"{prelude};")
        elif prelude.startswith(NESTED):
            if inner := prune(body, words):
                kept.append(f"{prelude}{{{inner}}}")
        elif prelude.startswith("@"):
            kept.append(f"{prelude}{{{body.strip()}}}")
        elif selectors := [s for s in split_selectors(prelude) if can_match(s, words)]:
            kept.append(f"{','.join(selectors)}{{{tighten(body)}}}")
    return "\n".join(kept)


def tighten(body: str) -> str:
    return re.sub(r"\s*\n\s*", "", body).strip()


def moved(css: str, old: str, new: str) -> str:
    """The sheet with its relative addresses as seen from the file `new` instead of `old`."""

    def address(match: re.Match[str]) -> str:
        url = match[2]
        if re.match(r"[a-z]+:|/|#", url):
            return match[0]
        return f"url({match[1]}{relpath(normpath(f'{dirname(old)}/{url}'), dirname(new))}{match[1]})"

    return re.sub(r"""url\((["']?)([^"')]+)\1\)""", address, css)


def read(site: Path, sheet: str) -> str:
    """The sheet as seen from the bundle, with what it imports in its place.

    A browser learns of an import only when the sheet is there: one more way to the host before anything is shown.
    """
    css = re.sub(r"/\*.*?\*/", "", (site / sheet).read_text("utf-8"), flags=re.S)
    return IMPORT.sub(lambda found: read(site, normpath(f"{dirname(sheet)}/{found[2]}")), moved(css, sheet, BUNDLE))


def bundle(site: Path, sheets: list[str], words: set[str]) -> None:
    """Write the sheets, given by their paths in the site and in their order, as one."""
    css = "\n".join(prune(read(site, sheet), words) for sheet in sheets)
    (site / BUNDLE).parent.mkdir(parents=True, exist_ok=True)
    (site / BUNDLE).write_text(css + "\n", "utf-8")
