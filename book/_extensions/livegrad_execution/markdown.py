"""From a page resolved by Sphinx to plain Markdown with TeX between dollars."""

from __future__ import annotations

import dataclasses
import posixpath
import re
from collections.abc import Iterable, Mapping

from docutils import nodes

SILENT = (nodes.comment, nodes.raw, nodes.target, nodes.substitution_definition, nodes.meta, nodes.docinfo,
          nodes.system_message, nodes.Invisible)  # fmt: skip
QUOTED = {"note", "tip", "hint", "important", "warning", "caution", "danger", "error", "attention", "seealso"}
SKIPPED_CLASSES = {"toctree-wrapper", "sd-d-none"}
BUILT_IN_NUMBERS = {"figure": "Figure %s", "table": "Table %s"}


@dataclasses.dataclass
class Piece:
    """A stretch of Markdown, or the place of the code cell with this index."""

    text: str = ""
    cell_index: int | None = None


class Markdown:
    """Writes one page. `numbers` are Sphinx's numbers of its figures, tables and equations by kind and id."""

    def __init__(
        self,
        page: str,
        site: str | None = None,
        macros: Mapping[str, str] | None = None,
        numbers: Mapping[str, Mapping[str, tuple[int, ...]]] | None = None,
        formats: Mapping[str, str] | None = None,
    ) -> None:
        self.page, self.site = page, site
        self.macros, self.numbers = macros or {}, numbers or {}
        self.formats = {**BUILT_IN_NUMBERS, **(formats or {})}
        self._pieces: list[Piece] = []
        self._level = 0

    def pieces(self, document: nodes.Element) -> list[Piece]:
        """Return the page as Markdown and code cells in turn; each heading starts a new stretch."""
        self._pieces, self._level = [], 0
        self._flow(document)
        return [p for p in self._pieces if p.cell_index is not None or p.text.strip()]

    # ------------------------------------------------------------------ blocks that may hold code cells
    def _flow(self, node: nodes.Node) -> None:
        """Write a block at the top level, where a code cell can interrupt the text."""
        kind = getattr(node, "tagname", "")
        if isinstance(node, nodes.Element) and node.get("nb_element") == "cell_code":
            self._pieces.append(Piece(cell_index=node["cell_index"]))
            self._captions(node)
        elif isinstance(node, nodes.section):
            self._level += 1
            for child in node:
                self._flow(child)
            self._level -= 1
        elif isinstance(node, nodes.title) and isinstance(node.parent, nodes.section | nodes.document):
            self._pieces.append(Piece(f"{'#' * max(self._level, 1)} {self.inline(node)}"))
        elif isinstance(node, nodes.Element) and self._holds_cells(node):
            if kind in QUOTED or isinstance(node, nodes.Admonition) or "folded" in kind:
                self._admonition_with_cells(node)
            else:
                for child in node:
                    self._flow(child)
        elif text := self.block(node):
            self._add(text)

    def _add(self, text: str) -> None:
        if self._pieces and self._pieces[-1].cell_index is None:
            self._pieces[-1].text += "\n\n" + text
        else:
            self._pieces.append(Piece(text))

    def _admonition_with_cells(self, node: nodes.Element) -> None:
        """A quotation cannot hold code cells: give the title a line of its own and let the rest follow."""
        title, rest = self._title_and_rest(node)
        self._pieces.append(Piece(f"**{title}**"))
        for child in rest:
            self._flow(child)

    def _captions(self, node: nodes.Element) -> None:
        """Write what the page says below the figures of a cell's output; the output itself comes from running it."""
        for figure in node.findall(nodes.figure):
            for caption in figure.findall(nodes.caption):
                self._add(self._caption(figure, caption))

    def _holds_cells(self, node: nodes.Element) -> bool:
        return any(part.get("nb_element") == "cell_code" for part in node.findall(nodes.container))

    # ------------------------------------------------------------------ blocks
    def block(self, node: nodes.Node) -> str:
        """Return a block as Markdown, without blank lines around it; empty for what a notebook cannot show."""
        if isinstance(node, nodes.Text):
            return self.inline(node).strip()
        if not isinstance(node, nodes.Element) or isinstance(node, SILENT):
            return ""
        if SKIPPED_CLASSES & set(node.get("classes", ())) or node.get("nb_element"):
            return ""
        if "sd-card-title" in node.get("classes", ()):
            return f"**{self.inline(node).strip()}**"
        if writer := getattr(self, f"_{node.tagname}", None):
            return str(writer(node)).strip("\n")
        if node.tagname in QUOTED or isinstance(node, nodes.Admonition) or node.tagname == "folded":
            return self._quoted(node)
        if isinstance(node, nodes.TextElement):
            return self.inline(node).strip()
        return self._blocks(node)

    def _blocks(self, children: Iterable[nodes.Node]) -> str:
        return "\n\n".join(text for child in children if (text := self.block(child)))

    def _section(self, node: nodes.Element) -> str:
        return self._blocks(node)

    def _title(self, node: nodes.Element) -> str:
        return f"**{self.inline(node)}**"

    def _paragraph(self, node: nodes.Element) -> str:
        text = self.inline(node).strip()
        return re.sub(r"^(#+ |[-+] |\d+[.)] |>)", lambda m: "\\" + m[0], text)

    def _literal_block(self, node: nodes.Element) -> str:
        text = node.astext().rstrip("\n")
        fence = "`" * max(3, 1 + max(map(len, re.findall(r"`+", text)), default=0))
        language = node.get("language", "")
        return f"{fence}{'' if language in ('none', 'default') else language}\n{text}\n{fence}"

    def _module(self, node: nodes.Element) -> str:
        name = f"src/livegrad/{node['name']}.py"
        where = f"[`{name}`]({self.site}code/{node['name']}.py)" if self.site else f"`{name}`"
        return f"The file {where}:\n\n{self._blocks(node)}"

    def _math_block(self, node: nodes.Element) -> str:
        tag = ""
        if (number := self._number("displaymath", node)) or node.get("number"):
            tag = rf" \tag{{{number or node['number']}}}"
        return f"$$\n{self._tex(node).strip()}{tag}\n$$"

    def _bullet_list(self, node: nodes.Element) -> str:
        return self._items(node, lambda number: "- ")

    def _enumerated_list(self, node: nodes.Element) -> str:
        start = int(node.get("start", 1))
        return self._items(node, lambda number: f"{start + number}. ")

    def _items(self, node: nodes.Element, mark) -> str:  # type: ignore[no-untyped-def]
        texts = [
            mark(i) + self._blocks(item).replace("\n", "\n" + " " * len(mark(i)))
            for i, item in enumerate(node.children)
        ]
        texts = [re.sub(r"[ ]+$", "", text, flags=re.M) for text in texts]
        apart = "\n\n" if any("\n\n" in text for text in texts) else "\n"
        return apart.join(texts)

    def _definition_list(self, node: nodes.Element) -> str:
        lines = []
        for item in node:
            terms = ", ".join(self.inline(part) for part in item if isinstance(part, nodes.term))
            body = self._blocks(part for part in item if isinstance(part, nodes.definition))
            lines.append("- **" + terms + "**: " + body.replace("\n", "\n  "))
        return "\n".join(lines)

    def _block_quote(self, node: nodes.Element) -> str:
        return quote(self._blocks(node))

    def _transition(self, node: nodes.Element) -> str:
        return "---"

    def _quoted(self, node: nodes.Element) -> str:
        title, rest = self._title_and_rest(node)
        return quote("\n\n".join(filter(None, [f"**{title}**", self._blocks(rest)])))

    def _title_and_rest(self, node: nodes.Element) -> tuple[str, list[nodes.Node]]:
        head = node[0] if len(node) and "title" in getattr(node[0], "tagname", "") else None
        rest = [child for child in node if child is not head]
        if head is None:
            return node.tagname.capitalize(), rest
        # Sphinx's writers put the number of an exercise in front of its title; so do we.
        number = next((n for kind in self.numbers if (n := self._number(kind, node))), "")
        return (head["title"] % number if number and "%s" in head.get("title", "") else "") + self.inline(head), rest

    def _figure(self, node: nodes.Element) -> str:
        parts = []
        for child in node:
            parts.append(self._caption(node, child) if isinstance(child, nodes.caption) else self.block(child))
        return "\n\n".join(filter(None, parts))

    def _caption(self, figure: nodes.Element, caption: nodes.Element) -> str:
        number = self._number("figure", figure)
        text = self.inline(caption).strip()
        return f"**{self.formats['figure'] % number}.** {text}" if number else f"*{text}*"

    def _image(self, node: nodes.Element) -> str:
        alt, uri = node.get("alt", ""), node.get("uri", "")
        if re.match(r"https?:", uri):
            return f"![{alt}]({uri})"
        return f"![{alt}]({self.site}_images/{posixpath.basename(uri)})" if self.site else f"*[Picture: {alt}]*"

    def _table(self, node: nodes.Element) -> str:
        rows = []
        for row in node.findall(nodes.row):
            rows.append([re.sub(r"\s*\n\s*", " ", self._blocks(entry)).replace("|", r"\|") for entry in row])
        if not rows:
            return ""
        if not next(node.findall(nodes.thead), None):
            rows.insert(0, [""] * len(rows[0]))
        lines = ["| " + " | ".join(row) + " |" for row in rows]
        lines.insert(1, "|" + " --- |" * len(rows[0]))
        titles = [self._caption_of_table(node, part) for part in node if isinstance(part, nodes.title)]
        return "\n\n".join([*titles, "\n".join(lines)])

    def _caption_of_table(self, table: nodes.Element, title: nodes.Element) -> str:
        number = self._number("table", table)
        text = self.inline(title)
        return f"**{self.formats['table'] % number}.** {text}" if number else f"*{text}*"

    def _footnote(self, node: nodes.Element) -> str:
        label = next((part.astext() for part in node if isinstance(part, nodes.label)), "")
        return f"[{label}] " + self._blocks(part for part in node if not isinstance(part, nodes.label))

    _citation = _footnote

    def _number(self, kind: str, node: nodes.Element) -> str:
        for name in node.get("ids", ()):
            if number := self.numbers.get(kind, {}).get(name):
                return ".".join(map(str, number))
        return ""

    # ------------------------------------------------------------------ inside a line
    def inline(self, node: nodes.Node) -> str:
        """Return the text of a node with its markup."""
        if isinstance(node, nodes.Text):
            return escape(node.astext())
        if isinstance(node, nodes.math):
            return f"${self._tex(node).strip()}$"
        if isinstance(node, nodes.literal):
            return code_span(node.astext())
        if isinstance(node, nodes.reference):
            return self._reference(node)
        if isinstance(node, nodes.image):
            return self._image(node)
        if isinstance(node, nodes.footnote_reference):
            return f"[{node.astext()}]"
        if isinstance(node, SILENT) or not isinstance(node, nodes.Element):
            return ""
        text = "".join(self.inline(child) for child in node)
        marks = {nodes.strong: "**", nodes.emphasis: "*", nodes.title_reference: "*"}
        for kind, mark in marks.items():
            if isinstance(node, kind) and text.strip():
                return f"{mark}{text.strip()}{mark}"
        if isinstance(node, nodes.subscript | nodes.superscript):
            html = "sub" if isinstance(node, nodes.subscript) else "sup"
            return f"<{html}>{text}</{html}>"
        return text

    def _reference(self, node: nodes.Element) -> str:
        text, uri = "".join(self.inline(child) for child in node), node.get("refuri", "")
        if re.match(r"(https?|mailto):", uri):
            return f"[{text}]({uri})"
        if not self.site or not text:
            return text
        here = f"{self.page}.html"
        path = f"{here}#{node['refid']}" if node.get("refid") else self._path(uri, here)
        return f"[{text}]({self.site}{path})"

    def _path(self, uri: str, here: str) -> str:
        if not uri or uri.startswith("#"):
            return here + uri
        return posixpath.normpath(posixpath.join(posixpath.dirname(here), uri))

    def _tex(self, node: nodes.Element) -> str:
        return expand_macros(node.astext(), self.macros)


def quote(text: str) -> str:
    """Put a text behind Markdown's sign of a quotation."""
    return "\n".join(f"> {line}".rstrip() for line in text.splitlines())


def escape(text: str) -> str:
    """Keep Markdown from reading markup into plain text."""
    text = re.sub(r"([\\`*\[\]<$])", r"\\\1", text)
    return re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", text)


def code_span(text: str) -> str:
    """Put text between as many backticks as it needs."""
    ticks = "`" * (1 + max(map(len, re.findall(r"`+", text)), default=0))
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{ticks}{pad}{text}{pad}{ticks}"


def expand_macros(tex: str, macros: Mapping[str, str]) -> str:
    r"""Replace the book's own commands by what they stand for: notebooks know TeX but not our `\\norm{x}`.

    Arguments (#1, #2) are taken in braces or as one sign. Raises ValueError when an argument is missing or a
    macro contains itself.
    """
    for _ in range(10):
        changed = False
        for name, body in macros.items():
            pattern = re.escape(name) + (r"(?![A-Za-z])" if name[-1:].isalpha() else "")
            while match := re.search(pattern, tex):
                count = max((int(n) for n in re.findall(r"#(\d)", body)), default=0)
                arguments, end = _arguments(tex, match.end(), count, name)
                text = re.sub(r"#(\d)", lambda m, given=arguments: given[int(m[1]) - 1], body)
                if re.search(pattern, body):
                    raise ValueError(f"macro must not contain itself, got {name}")
                gap = " " if re.search(r"\\[A-Za-z]+$", text) and tex[end : end + 1].isalpha() else ""
                tex, changed = tex[: match.start()] + text + gap + tex[end:], True
        if not changed:
            return tex
    raise ValueError(f"macros must end, got a cycle among {sorted(macros)}")


def _arguments(tex: str, at: int, count: int, name: str) -> tuple[list[str], int]:
    found: list[str] = []
    for _ in range(count):
        while tex[at : at + 1].isspace():
            at += 1
        if at >= len(tex):
            raise ValueError(f"macro {name} must have {count} arguments, got {len(found)}")
        if tex[at] != "{":
            one = re.match(r"\\[A-Za-z]+|\\?.", tex[at:])
            found.append(one[0] if one else tex[at])
            at += len(found[-1])
            continue
        depth, end = 0, at
        while end < len(tex):
            depth += {"{": 1, "}": -1}.get(tex[end], 0) if tex[end - 1] != "\\" else 0
            end += 1
            if depth == 0:
                break
        if depth:
            raise ValueError(f"macro {name} must have its braces closed, got {tex[at:]}")
        found.append(tex[at + 1 : end - 1])
        at = end
    return found, at
