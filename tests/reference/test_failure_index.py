"""Every failure is in the table of symptoms, is run and asserted, and says its cause, its fix and its chapter."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "book" / "reference" / "failure_index.md"
TEXT = PAGE.read_text("utf-8")
FOUND = re.findall(r"^\((sec-failure-\w+)\)=\n### [^\n]+\n(.*?)(?=^\(sec-|^## )", TEXT, re.S | re.M)
FAILURES = dict(FOUND)
NUMBERS = {"Twenty-five": 25, "Twenty-six": 26, "Twenty-seven": 27}


def test_the_description_counts_the_failures() -> None:
    found = re.search(r"my network\? (\S+) failures", TEXT)
    assert found
    assert NUMBERS[found[1]] == len(FAILURES) == len(FOUND) == len(re.findall(r"^### ", TEXT, re.M))


def test_the_table_leads_to_every_failure_once_and_in_order() -> None:
    rows = re.findall(r"^\| [^*|]+ \| \{ref\}`[^`<]+ <(sec-failure-\w+)>` \|$", TEXT, re.M)
    assert rows == list(FAILURES)


@pytest.mark.parametrize("label", FAILURES)
def test_a_failure_has_all_its_parts_and_a_chapter(label: str) -> None:
    section = FAILURES[label]
    at = [section.find(part) for part in ("**You see:**", "**Measure:**", "**Cause:**", "**Fix:**", "**Read:**")]
    assert -1 not in at
    assert at == sorted(at)
    chapters = re.findall(r"\{doc\}`\.\./(\w+/\w+)`", section[at[-1] :])
    assert chapters
    assert all((PAGE.parents[1] / f"{chapter}.md").exists() for chapter in chapters)
    cells = re.findall(r"^```\{code-cell\}.*?\n(.*?)^```$", section, re.S | re.M)
    assert any(re.search(r"^\s*assert ", cell, re.M) for cell in cells)
