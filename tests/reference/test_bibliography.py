"""Every source has what is needed to find it, and is cited; every citation has its source."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

BOOK = Path(__file__).resolve().parents[2] / "book"
ENTRIES = {
    found[2]: (found[1].lower(), {name.lower() for name in re.findall(r"^\s*(\w+)\s*=", found[0], re.MULTILINE)})
    for found in re.finditer(r"^@(\w+)\{([^,\s]+),.*?^\}", (BOOK / "references.bib").read_text("utf-8"), re.M | re.S)
}
# Books and an article from before there were identifiers, and without an address of their own.
OLD = {"breiman1984", "minsky1969", "newman1986"}


def cited() -> set[str]:
    pages = (page.read_text("utf-8") for page in BOOK.rglob("*.md"))
    return {
        key.strip() for page in pages for keys in re.findall(r"\{cite:\w+\}`([^`]+)`", page) for key in keys.split(",")
    }


def test_what_is_cited_and_what_is_listed_are_the_same() -> None:
    assert len(ENTRIES) > 100
    assert cited() == set(ENTRIES)


@pytest.mark.parametrize("key", ENTRIES)
def test_a_source_has_authors_a_year_a_place_and_an_identifier(key: str) -> None:
    kind, fields = ENTRIES[key]
    assert fields >= {"author", "title", "year"}
    assert fields & {"journal", "booktitle", "publisher", "school", "institution", "howpublished", "eprint", "note"}, (
        kind
    )
    assert fields & {"doi", "eprint", "url"} or key in OLD


def test_all_authors_are_named() -> None:
    assert re.findall(r"^.*\band others\b.*$", (BOOK / "references.bib").read_text("utf-8"), re.M) == []
