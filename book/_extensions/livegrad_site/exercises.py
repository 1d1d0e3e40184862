"""`{exercise-index}`: every exercise of the book in the order of the book, with its chapter and its difficulty."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.environment.collectors import EnvironmentCollector
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import make_refnode
from sphinx_exercise.nodes import exercise_subtitle, is_exercise_node

from .references import to_page

# In the order of the chapter guide: "from a check of understanding to a change of code". An exercise that breaks
# the order says so by its class, as in `:class: code`.
CHECK, PRACTICE, CODE = LEVELS = ("check", "practice", "code")


@dataclass
class Exercise:
    label: str
    title: list[nodes.Node]
    level: str


class exercise_index(nodes.General, nodes.Element):
    """Stands for the table until all pages are read."""


class ExerciseIndex(SphinxDirective):
    """```{exercise-index}```: the table."""

    def run(self) -> list[nodes.Node]:
        return [exercise_index()]


def level_of(place: int, count: int, classes: list[str]) -> str:
    """What its class says, else what its place among the `count` exercises of the page says."""
    said = [level for level in LEVELS if level in classes]
    if said:
        return said[0]
    return CHECK if place == 0 else CODE if place == count - 1 else PRACTICE


class ExerciseCollector(EnvironmentCollector):
    """Keeps what the pages ask: `env.livegrad_exercises`, by page."""

    def clear_doc(self, app: Sphinx, env: BuildEnvironment, docname: str) -> None:
        asked(env).pop(docname, None)
        indexes(env).discard(docname)

    def merge_other(self, app: Sphinx, env: BuildEnvironment, docnames: set[str], other: BuildEnvironment) -> None:
        asked(env).update({page: found for page, found in asked(other).items() if page in docnames})
        indexes(env).update(indexes(other) & set(docnames))

    def process_doc(self, app: Sphinx, doctree: nodes.document) -> None:
        if next(doctree.findall(exercise_index), None) is not None:
            indexes(app.env).add(app.env.docname)
        # Not from sphinx-exercise's registry: that one is filled before titles are translated.
        found = list(doctree.findall(is_exercise_node))
        if found:
            asked(app.env)[app.env.docname] = [
                Exercise(node["label"], title(node), level_of(place, len(found), node["classes"]))
                for place, node in enumerate(found)
            ]

    def get_updated_docs(self, app: Sphinx, env: BuildEnvironment) -> list[str]:
        """Have the index written again when an exercise came, went or changed."""
        state = [
            (page, env.titles[page].astext(), [(e.label, text(e), e.level) for e in found])
            for page, found in in_order(env)
        ]
        changed = state != getattr(env, "livegrad_exercises_shown", None)
        env.livegrad_exercises_shown = state  # type: ignore[attr-defined]
        return sorted(indexes(env)) if changed else []


def asked(env: BuildEnvironment) -> dict[str, list[Exercise]]:
    return env.__dict__.setdefault("livegrad_exercises", {})  # type: ignore[no-any-return]


def indexes(env: BuildEnvironment) -> set[str]:
    """The pages with the directive."""
    return env.__dict__.setdefault("livegrad_exercise_indexes", set())  # type: ignore[no-any-return]


def title(exercise: nodes.Element) -> list[nodes.Node]:
    """Its own title, or the word that all share."""
    own = next(exercise.findall(exercise_subtitle), None)
    return [child.deepcopy() for child in own.children] if own else [nodes.Text(exercise["title"])]


def text(exercise: Exercise) -> str:
    return "".join(node.astext() for node in exercise.title)


def in_order(env: BuildEnvironment) -> Iterator[tuple[str, list[Exercise]]]:
    """Pages with exercises, as the table of contents lists them; pages outside of it come last."""

    def walk(page: str) -> Iterator[str]:
        yield page
        for child in env.toctree_includes.get(page, []):
            yield from walk(child)

    for page in dict.fromkeys([*walk(env.config.root_doc), *sorted(asked(env))]):
        if page in asked(env):
            yield page, asked(env)[page]


class FillIndex(SphinxPostTransform):
    """Puts the table where the directive stood, before references are resolved (priority 10)."""

    default_priority = 5

    def run(self, **kwargs: Any) -> None:
        for place in list(self.document.findall(exercise_index)):
            place.replace_self(self.table() if asked(self.env) else nodes.paragraph("", "There is no exercise yet."))

    def table(self) -> nodes.table:
        group = nodes.tgroup("", *(nodes.colspec(colwidth=width) for width in (3, 5, 2)), cols=3)
        heads = (nodes.entry("", nodes.paragraph("", word)) for word in ("Chapter", "Exercise", "Level"))
        group += nodes.thead("", nodes.row("", *heads))
        body = nodes.tbody()
        for page, found in in_order(self.env):
            for number, exercise in enumerate(found):
                row = nodes.row()
                if number == 0:
                    row += nodes.entry("", nodes.paragraph("", "", to_page(self.env, page)), morerows=len(found) - 1)
                row += nodes.entry("", nodes.paragraph("", "", self.link(page, exercise)))
                row += nodes.entry("", nodes.paragraph("", exercise.level))
                body += row
        group += body
        return nodes.table("", group, classes=["exercise-index"])

    def link(self, page: str, exercise: Exercise) -> nodes.Node:
        shown = nodes.inline("", "", *(node.deepcopy() for node in exercise.title))
        return make_refnode(self.app.builder, self.env.docname, page, exercise.label, shown)


def setup(app: Sphinx) -> None:
    app.setup_extension("sphinx_exercise")
    app.add_node(exercise_index)
    app.add_directive("exercise-index", ExerciseIndex)
    app.add_env_collector(ExerciseCollector)
    app.add_post_transform(FillIndex)
