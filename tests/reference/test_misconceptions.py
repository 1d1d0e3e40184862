"""Every claim has a cell that tests it, a correct statement, and a source."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "book" / "reference" / "misconceptions.md"
SECTIONS = re.split(r"^### ", PAGE.read_text("utf-8"), flags=re.M)[1:]
CLAIMS = {section.splitlines()[0]: section for section in SECTIONS}
NUMBERS = {"Eighteen": 18, "Nineteen": 19, "Twenty": 20}


def test_there_are_at_least_twelve_and_the_description_counts_them() -> None:
    found = re.search(r"^description: (\w+) claims", PAGE.read_text("utf-8"), re.M)
    assert found
    assert NUMBERS[found[1]] == len(CLAIMS) >= 12


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_claim_is_tested_and_corrected_with_a_source(claim: str) -> None:
    section = CLAIMS[claim]
    assert re.fullmatch(r'".+"', claim)  # said by others
    cells = re.findall(r"^```\{code-cell\}.*?\n(.*?)^```$", section, re.S | re.M)
    assert any(re.search(r"^\s*assert ", cell, re.M) for cell in cells)
    assert "**True is:**" in section
    correct = section.split("**True is:**")[1]
    assert re.search(r"\{cite|\]\(https://", section)  # a source that is not ours
    assert re.search(r"\{cite|\{doc\}|\]\(https://", correct)
