"""The drawn timeline and the text below it are the same, and every entry has its primary source."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

BOOK = Path(__file__).resolve().parents[2] / "book"
PAGE = (BOOK / "reference" / "history.md").read_text("utf-8")
BIB = (BOOK / "references.bib").read_text("utf-8")
found = re.search(r"^TIMELINE = (\[.*?^\])", PAGE, re.S | re.M)
assert found
TIMELINE = ast.literal_eval(found[1])
ENTRIES = re.findall(r"^- \*\*(\d+), (.+?)\.\*\* (.+)$", PAGE, re.M)


def test_the_text_has_the_entries_of_the_figure_in_its_order() -> None:
    assert len(TIMELINE) > 40
    assert [(int(year), what) for year, what, _ in ENTRIES] == [(year, what) for year, _, what, _, _ in TIMELINE]


@pytest.mark.parametrize(("entry", "text"), list(zip(TIMELINE, ENTRIES, strict=True)), ids=lambda e: str(e[2])[:30])
def test_an_entry_cites_the_source_of_those_whom_it_names(
    entry: tuple[int, str, str, str, str], text: tuple[str, str, str]
) -> None:
    year, _, _, who, key = entry
    assert f"`{key}`" in text[2]
    source = re.search(rf"^@\w+\{{{key},(.*?)^\}}", BIB, re.S | re.M)
    assert source, f"{key} is not in references.bib"
    authors = re.search(r"author\s*=\s*\{(.*)\},", source[1])
    published = re.search(r"year\s*=\s*\{(\d+)\}", source[1])
    assert authors
    assert published
    surnames = [name.split(",")[0] for name in authors[1].split(" and ") if name != "others"]
    named = re.sub(r" et al\.", "", who).split(", ")
    assert surnames[: len(named)] == named
    if "et al." not in who:
        assert len(surnames) == len(named)
    # A preprint, report or thesis comes first, and the text says so where it does.
    assert int(published[1]) >= year
    if int(published[1]) > year:
        assert str(year) in text[2] or re.search(r"public since \w+", text[2])
    assert re.search(r"(doi|url)\s*=", source[1])
