"""The glossary in the chapters: the first use of a term links to its entry and shows the definition on hover.

The entries are those of Sphinx's `{glossary}`, so `` {term}`gain` `` works too. The roles `th`, `vi` and `ko` say
in which language a word is, for fonts and for those who listen.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.environment.collectors import EnvironmentCollector
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.nodes import make_refnode

LANGUAGES = ("th", "vi", "ko")
NO_CHAPTERS = ("index", "reference/")
# Everyday words, or words with a second meaning in the book: linked by {term} alone.
NOT_LINKED = {"adam", "bias", "gain", "layer", "parameter", "weight"}
PLAIN = (nodes.paragraph, nodes.emphasis, nodes.strong)


@dataclass
class Term:
    name: str
    page: str
    anchor: str
    definition: str
    translations: list[str]


class foreign(nodes.inline):
    """Words in the language `lang`."""


def foreign_role(name: str) -> Any:
    def role(role: str, rawtext: str, text: str, *rest: Any, **more: Any) -> tuple[list[nodes.Node], list[Any]]:
        return [foreign(rawtext, text, lang=name)], []

    return role


class TermCollector(EnvironmentCollector):
    """Keeps the entries: `env.livegrad_terms`, by page."""

    def clear_doc(self, app: Sphinx, env: BuildEnvironment, docname: str) -> None:
        by_page(env).pop(docname, None)

    def merge_other(self, app: Sphinx, env: BuildEnvironment, docnames: set[str], other: BuildEnvironment) -> None:
        by_page(env).update({page: found for page, found in by_page(other).items() if page in docnames})

    def process_doc(self, app: Sphinx, doctree: nodes.document) -> None:
        page = app.env.docname
        found = [
            Term(
                term.astext(),
                page,
                term["ids"][0],
                next(item.findall(nodes.paragraph)).astext(),
                [word.astext() for word in item.findall(foreign)],
            )
            for glossary in doctree.findall(addnodes.glossary)
            for item in glossary.findall(nodes.definition_list_item)
            for term in item.findall(nodes.term)
        ]
        if found:
            by_page(app.env)[page] = found

    def get_updated_docs(self, app: Sphinx, env: BuildEnvironment) -> list[str]:
        """Have all pages written again when an entry came, went or changed."""
        before = getattr(env, "livegrad_terms_shown", {})
        env.livegrad_terms_shown = dict(by_page(env))  # type: ignore[attr-defined]
        return sorted(env.all_docs) if before != by_page(env) else []


def by_page(env: BuildEnvironment) -> dict[str, list[Term]]:
    return env.__dict__.setdefault("livegrad_terms", {})  # type: ignore[no-any-return]


class LinkTerms(SphinxPostTransform):
    """Runs after references are resolved (priority 10), so that it sees those made by {term}."""

    default_priority = 20
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        terms = {term.name.lower(): term for found in by_page(self.env).values() for term in found}
        here = self.env.docname
        linked = set()
        for reference in self.document.findall(nodes.reference):
            for name, term in terms.items():
                if reference.get("refuri", "").endswith(f"#{term.anchor}"):
                    reference["reftitle"] = term.definition
                    linked.add(name)
        if here.startswith(NO_CHAPTERS) or not terms:
            return
        own = here.rpartition("/")[2].replace("_", " ")
        self.link({name: t for name, t in terms.items() if name not in NOT_LINKED | linked | {own}})

    def link(self, terms: dict[str, Term]) -> None:
        # The longest name first: a "vanishing gradient" is no "gradient".
        names = "|".join(re.escape(name) for name in sorted(terms, key=len, reverse=True))
        pattern = re.compile(rf"(?<![\w-])({names})s?(?![\w-])", re.IGNORECASE)
        for text in list(self.prose()):
            if not terms:
                return
            parts = list(self.parts(text, terms, pattern))
            if len(parts) > 1 or parts[0] is not text:
                text.parent.replace(text, parts)

    def prose(self) -> Iterator[nodes.Text]:
        """The text of paragraphs, without links, code, formulas and tables."""
        for paragraph in self.document.findall(nodes.paragraph):
            if isinstance(paragraph.parent, nodes.section | nodes.list_item):
                for text in paragraph.findall(nodes.Text):
                    if all(isinstance(node, PLAIN) for node in lineage(text, paragraph)):
                        yield text

    def parts(self, text: nodes.Text, terms: dict[str, Term], pattern: re.Pattern[str]) -> Iterator[nodes.Node]:
        """The text, cut at the first use of each term that is not yet linked."""
        whole, end = str(text), 0
        for found in pattern.finditer(whole):
            term = terms.pop(found[1].lower(), None)
            if term is None:  # linked before
                continue
            if before := whole[end : found.start()]:
                yield nodes.Text(before)
            end = found.end()
            shown = nodes.Text(found[0])
            link = make_refnode(self.app.builder, self.env.docname, term.page, term.anchor, shown, term.definition)
            link["classes"].append("lg-term")
            yield link
        if end == 0:
            yield text
        elif end < len(whole):
            yield nodes.Text(whole[end:])


def lineage(node: nodes.Node, top: nodes.Element) -> Iterator[nodes.Element]:
    """What lies between a node and `top`, `top` included."""
    while node is not top:
        node = node.parent
        yield node


def visit_foreign(writer: Any, node: foreign) -> None:
    writer.body.append(f'<span lang="{html.escape(node["lang"])}">')


def depart_foreign(writer: Any, node: foreign) -> None:
    writer.body.append("</span>")


def pass_through(writer: Any, node: nodes.Element) -> None:
    """Builders that know no languages show the words."""


def setup(app: Sphinx) -> None:
    plain = dict.fromkeys(("latex", "text", "man", "texinfo"), (pass_through, pass_through))
    app.add_node(foreign, html=(visit_foreign, depart_foreign), epub=(visit_foreign, depart_foreign), **plain)
    for name in LANGUAGES:
        app.add_role(name, foreign_role(name))
    app.add_env_collector(TermCollector)
    app.add_post_transform(LinkTerms)
