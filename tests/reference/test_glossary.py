"""The glossary is whole, and the first use of a term in a chapter leads to its entry."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PAGE = (Path(__file__).resolve().parents[2] / "book" / "reference" / "glossary.md").read_text("utf-8")
# Sphinx, docutils and their extensions warn of their own future; ours is tested, not theirs.
sphinx = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")


def entries() -> dict[str, str]:
    body = PAGE.split("```{glossary}\n")[1].split("```")[0]
    return dict(re.findall(r"^(\S.*)\n((?:  .*\n|\n(?=  ))+)", body, re.M))


def test_the_entries_stand_in_order_each_with_a_definition() -> None:
    names = list(entries())
    assert len(names) > 50
    assert names == sorted(names, key=str.lower)
    assert all(body.strip().endswith((".", "`")) and len(body.split("\n")[0]) > 20 for body in entries().values())


@pytest.mark.parametrize(("role", "script"), [("th", "THAI"), ("ko", "HANGUL")])
def test_foreign_words_are_written_in_their_script(role: str, script: str) -> None:
    words = re.findall(rf"\{{{role}\}}`([^`]+)`", PAGE)
    assert len(words) > 15
    for word in words:
        letters = [letter for letter in re.sub(r"\(Adam\)", "", word) if letter.isalpha()]
        assert letters
        assert all(unicodedata.name(letter).startswith(script) for letter in letters), word


def test_vietnamese_words_are_composed_latin() -> None:
    words = re.findall(r"\{vi\}`([^`]+)`", PAGE)
    assert len(words) > 30
    for word in words:
        assert unicodedata.is_normalized("NFC", word)
        assert all(unicodedata.name(letter).startswith("LATIN") for letter in word if letter.isalpha()), word


TREE = "# Home\n\nThe gradient.\n\n```{toctree}\nshelf/chapter\nshelf/gain\nreference/words\n```\n"
WORDS = """\
# Words

```{glossary}
gradient
  It points *up*.

  Korean {ko}`기울기`

vanishing gradient
  It is gone.

gain
  A factor.
```

{term}`gradient`
"""
CHAPTER = """\
# The gradient

`gradient` and $g$, a *vanishing gradient*, two Gradients, a third gradient, a gradient-like thing. The gain.

A paragraph without terms, and [a link to a gradient](https://example.org).
"""


def links(page: str) -> list[tuple[str, str, str]]:
    return re.findall(r'<a class="[^"]*lg-term[^"]*" href="([^"]*)" title="([^"]*)">(.*?)</a>', page)


@sphinx
def test_the_first_use_of_a_term_is_a_link_that_shows_its_definition(book: Callable[..., Any]) -> None:
    built = book(index=TREE, shelf__chapter=CHAPTER, shelf__gain="# G\n\n{term}`gain`\n", reference__words=WORDS)
    built.build()
    assert built.warnings == ""
    assert links(built.page("shelf/chapter")) == [
        ("../reference/words.html#term-vanishing-gradient", "It is gone.", "vanishing gradient"),
        ("../reference/words.html#term-gradient", "It points up.", "Gradients"),
    ]
    assert links(built.page("index")) == links(built.page("reference/words")) == []
    assert re.search(r'href="\.\./reference/words\.html#term-gain" title="A factor\."', built.page("shelf/gain"))
    assert '<span lang="ko">기울기</span>' in built.page("reference/words")


@sphinx
def test_a_changed_definition_changes_the_chapters(book: Callable[..., Any]) -> None:
    built = book(index=TREE, shelf__chapter=CHAPTER, shelf__gain="# G\n", reference__words=WORDS).build()
    built.write(reference__words=WORDS.replace("It is gone.", "It is small.")).build()
    assert 'title="It is small."' in built.page("shelf/chapter")
    built.write(reference__words="# Words\n").build()
    assert links(built.page("shelf/chapter")) == []


@sphinx
@pytest.mark.parametrize("builder", ["text", "latex", "epub"])
def test_other_builders_show_the_words_too(book: Callable[..., Any], builder: str) -> None:
    built = book(index=TREE, shelf__chapter=CHAPTER, shelf__gain="# G\n", reference__words=WORDS)
    built.build(builder, suppress_warnings=["epub.unknown_project_files", "epub"], version="1")
    output = "".join(f.read_text("utf-8", "replace") for f in (built.root / builder).rglob("*") if f.is_file())
    assert "기울기" in output
