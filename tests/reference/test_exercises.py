"""The index of exercises lists what the pages ask, in the order of the book, and follows every change.

That every exercise has an executed solution that asserts something is a rule of tests/test_structure.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

# Sphinx, docutils and their extensions warn of their own future; ours is tested, not theirs.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")


def exercise(name: str, title: str, option: str = "") -> str:
    return f"```{{exercise}} {title}\n:label: ex-{name}\n{option}What?\n```\n\n"


TREE = "# Home\n\n```{toctree}\nz/later\na/sooner\nindex_of_all\n```\n"
INDEX = "# Index\n\n```{exercise-index}\n```\n"


def rows(page: str) -> list[list[str]]:
    """The rows of the table, without markup."""
    table = re.search(r"<table.*?exercise-index.*?</table>", page, re.S)
    assert table
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.S) for row in re.findall(r"<tr.*?</tr>", table[0], re.S)]
    return [[re.sub(r"<[^>]*>", "", cell).strip() for cell in row] for row in cells]


def test_the_index_follows_the_contents_and_links_to_each_exercise(book: Callable[..., Any]) -> None:
    later = "# Later\n\n" + exercise("l1", "First") + exercise("l2", "Middle") + exercise("l3", "Last")
    sooner = "# Sooner\n\n" + exercise("s1", "The sign of $x$", ":class: code\n") + exercise("s2", "Two")
    built = book(index=TREE, z__later=later, a__sooner=sooner, index_of_all=INDEX).build(numfig=True)
    assert built.warnings == ""
    page = built.page("index_of_all")
    table = rows(page)
    assert table[0] == ["Chapter", "Exercise", "Level"]
    assert table[1:4] == [["Later", "First", "check"], ["Middle", "practice"], ["Last", "code"]]
    assert table[4][0] == "Sooner"
    assert table[4][2] == "code"  # said by its class, against its place
    assert table[5] == ["Two", "code"]
    assert re.search(r'href="z/later.html#ex-l2"[^>]*>\s*<span>Middle', page)
    assert 'class="katex"' in page


def test_an_exercise_that_comes_or_goes_changes_the_index_alone(book: Callable[..., Any]) -> None:
    built = book(index=TREE, z__later="# Later\n\n" + exercise("l1", "First"), a__sooner="# S\n", index_of_all=INDEX)
    built.build(numfig=True)
    assert len(rows(built.page("index_of_all"))) == 2
    built.write(a__sooner="# S\n\n" + exercise("s1", "New")).build(numfig=True)
    assert rows(built.page("index_of_all"))[2] == ["S", "New", "check"]
    built.write(a__sooner="# S\n", z__later="# L\n").build(numfig=True)
    assert "There is no exercise yet." in built.page("index_of_all")
