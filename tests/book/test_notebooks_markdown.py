"""What a resolved page says becomes Markdown that every notebook program shows."""

from __future__ import annotations

import pytest
from docutils import nodes
from livegrad_execution.markdown import Markdown, Piece, code_span, escape, expand_macros

MACROS = {
    r"\RR": r"\mathbb{R}",
    r"\norm": r"\left\lVert #1 \right\rVert",
    r"\pd": r"\frac{\partial #1}{\partial #2}",
    r"\E": r"\operatorname{\mathbb{E}}",
    r"\grad": r"\nabla",
    r"\gradnorm": r"\norm{\grad}",
}


@pytest.mark.parametrize(
    ("tex", "expected"),
    [
        (r"x \in \RR^n", r"x \in \mathbb{R}^n"),
        (r"\norm{x_{1}}", r"\left\lVert x_{1} \right\rVert"),
        (r"\norm x", r"\left\lVert x \right\rVert"),
        (r"\norm{\norm{x}}", r"\left\lVert \left\lVert x \right\rVert \right\rVert"),
        (r"\pd{L}{w_{ij}}", r"\frac{\partial L}{\partial w_{ij}}"),
        (r"\pd f\theta", r"\frac{\partial f}{\partial \theta}"),
        (r"\norm{\{x\}}", r"\left\lVert \{x\} \right\rVert"),
        (r"\Expect \exp", r"\Expect \exp"),
        (r"\grad L", r"\nabla L"),
        (r"\gradnorm", r"\left\lVert \nabla \right\rVert"),
    ],
)
def test_macros_of_the_book_are_written_out(tex: str, expected: str) -> None:
    assert expand_macros(tex, MACROS) == expected


@pytest.mark.parametrize(
    ("tex", "macros", "message"),
    [
        (r"\pd{a}", MACROS, r"macro \\pd must have 2 arguments, got 1"),
        (r"\norm{a", MACROS, r"macro \\norm must have its braces closed, got \{a"),
        (r"\a", {r"\a": r"x \a"}, r"macro must not contain itself, got \\a"),
        (r"\a", {r"\a": r"\b", r"\b": r"\a"}, "macros must end, got a cycle"),
    ],
)
def test_macros_that_cannot_be_written_out_are_refused(tex: str, macros: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        expand_macros(tex, macros)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a plain, (ordinary) sentence.", "a plain, (ordinary) sentence."),
        ("5 * 3 $ 2 [1] <b>", r"5 \* 3 \$ 2 \[1\] \<b>"),
        ("weight_decay and _x_", r"weight_decay and \_x\_"),
        ("back`tick and \\", "back\\`tick and \\\\"),
    ],
)
def test_signs_of_markup_in_plain_text_are_escaped(text: str, expected: str) -> None:
    assert escape(text) == expected


@pytest.mark.parametrize(("text", "expected"), [("x", "`x`"), ("a`b", "``a`b``"), ("`a`", "`` `a` ``")])
def test_code_in_a_line_may_hold_backticks(text: str, expected: str) -> None:
    assert code_span(text) == expected


def paragraph(*children: nodes.Node | str) -> nodes.paragraph:
    return nodes.paragraph("", "", *(nodes.Text(c) if isinstance(c, str) else c for c in children))


def written(*blocks: nodes.Node, **settings: object) -> str:
    writer = Markdown(page="shelf/topic", **settings)  # type: ignore[arg-type]
    return "\n\n".join(piece.text for piece in writer.pieces(nodes.section("", *blocks)))


def test_inline_markup() -> None:
    text = paragraph(
        "one ", nodes.strong("", "two"), " ", nodes.emphasis("", "three"), " ", nodes.math("", r"\RR_1"), " ",
        nodes.literal("", "a*b"), " x", nodes.superscript("", "2"), nodes.raw("", "<i>", format="html"),
    )  # fmt: skip
    assert written(text, macros=MACROS) == r"one **two** *three* $\mathbb{R}_1$ `a*b` x<sup>2</sup>"


@pytest.mark.parametrize(
    ("attributes", "local", "online"),
    [
        ({"refuri": "https://a.org/b"}, "[it](https://a.org/b)", "[it](https://a.org/b)"),
        ({"refuri": "../gradients/x.html#sec"}, "it", "[it](https://o.github.io/r/gradients/x.html#sec)"),
        ({"refuri": "other.html"}, "it", "[it](https://o.github.io/r/shelf/other.html)"),
        ({"refuri": "#eq"}, "it", "[it](https://o.github.io/r/shelf/topic.html#eq)"),
        ({"refid": "here"}, "it", "[it](https://o.github.io/r/shelf/topic.html#here)"),
    ],
)
def test_links_lead_to_the_published_site_or_nowhere(attributes: dict[str, str], local: str, online: str) -> None:
    reference = nodes.reference("", "it", **attributes)
    assert written(paragraph(reference.deepcopy())) == local
    assert written(paragraph(reference.deepcopy()), site="https://o.github.io/r/") == online


def test_equations_carry_the_pages_number() -> None:
    block = nodes.math_block("", "a = b", ids=["eq"], number=7)
    assert written(block.deepcopy()) == "$$\na = b \\tag{7}\n$$"
    assert written(block.deepcopy(), numbers={"displaymath": {"eq": (2, 7)}}) == "$$\na = b \\tag{2.7}\n$$"
    assert written(nodes.math_block("", "a = b")) == "$$\na = b\n$$"


def test_lists_nest() -> None:
    inner = nodes.bullet_list("", nodes.list_item("", paragraph("inner")))
    outer = nodes.enumerated_list(
        "", nodes.list_item("", paragraph("one")), nodes.list_item("", paragraph("two"), inner), start=3
    )
    assert written(outer) == "3. one\n\n4. two\n\n   - inner"


def test_a_paragraph_that_looks_like_a_list_stays_a_paragraph() -> None:
    assert written(paragraph("1. not an item"), paragraph("# no heading")) == "\\1. not an item\n\n\\# no heading"


def test_a_code_block_may_hold_fences() -> None:
    assert written(nodes.literal_block("", "```\nx", language="python")) == "````python\n```\nx\n````"


def cell(index: int, *outputs: nodes.Node) -> nodes.container:
    return nodes.container("", nodes.literal_block("", "ignored"), *outputs, nb_element="cell_code", cell_index=index)


def test_code_cells_interrupt_the_text_and_headings_start_it_anew() -> None:
    figure = nodes.figure("", nodes.image(uri="x.png"), nodes.caption("", "Look."), ids=["fig"])
    document = nodes.section(
        "",
        nodes.title("", "Top"),
        paragraph("a"),
        cell(1, figure),
        nodes.section("", nodes.title("", "Sub"), paragraph("b")),
    )
    writer = Markdown(page="shelf/topic", numbers={"figure": {"fig": (4,)}}, formats={"figure": "Fig. %s"})
    assert writer.pieces(document) == [
        Piece("# Top\n\na"), Piece(cell_index=1), Piece("**Fig. 4.** Look."), Piece("## Sub\n\nb")
    ]  # fmt: skip


def test_an_admonition_is_a_quotation_unless_it_holds_code() -> None:
    note = nodes.note("", paragraph("a"), paragraph("b"))
    assert written(note) == "> **Note**\n>\n> a\n>\n> b"
    solution = nodes.admonition("", nodes.title("", "Solution"), paragraph("a"), cell(3), paragraph("b"))
    writer = Markdown(page="shelf/topic")
    assert writer.pieces(nodes.section("", solution)) == [Piece("**Solution**\n\na"), Piece(cell_index=3), Piece("b")]


def test_the_title_of_a_card_stands_out() -> None:
    card = nodes.container("", nodes.container("", nodes.Text("Title"), classes=["sd-card-title"]), paragraph("text"))
    assert written(card) == "**Title**\n\ntext"


def test_a_table_has_a_head_and_keeps_bars_apart() -> None:
    def row(*texts: str) -> nodes.row:
        return nodes.row("", *(nodes.entry("", paragraph(text)) for text in texts))

    body = nodes.tgroup("", nodes.thead("", row("a", "b|c")), nodes.tbody("", row("1", "2")), cols=2)
    assert written(nodes.table("", body)) == "| a | b\\|c |\n| --- | --- |\n| 1 | 2 |"
