"""Lighthouse on a page of each kind; `python benchmarks/pages.py` measures every page, its performance too.

What Lighthouse says does not hold on time alone, and is cheap, the neighbors ask of every page: weight, layout shift,
other hosts, errors, axe, descriptions, links.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from types import ModuleType

import pytest

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
KINDS = {
    "the home page": "index",
    "text and figures": "foundations/training",
    "the longest, an explorable": "foundations/gradient_descent",
    "tables": "reference/cheat_sheet",
    "links to everywhere": "reference/glossary",
    "the search": "search",
}


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmark_of_pages", ROOT / "benchmarks" / "pages.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_lighthouse_is_content_with_a_page_of_each_kind(benchmark: ModuleType, site: Path, chromium: str) -> None:
    if not benchmark.is_installed():
        reason = "Lighthouse is not installed: run `make lighthouse`"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    found = list(benchmark.measured(KINDS.values(), chromium, tries=1, site=site))
    assert [row["page"] for row in found] == [f"{page}.html" for page in KINDS.values()]
    for row in found:
        # Performance counts time, which a test does not judge: other programs would decide it. `make bench` does.
        assert row["scores"][0] > 0
        row["scores"][0] = 100
    assert {row["page"]: misses for row in found if (misses := benchmark.misses(row))} == {}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, []),
        ({"scores": [94, 100, 100, 100]}, ["performance 94 < 95"]),
        ({"scores": [95, 99, 98, 97], "missed": ["color-contrast"]},
         ["accessibility 99 < 100", "best practices 98 < 100", "SEO 97 < 100", "color-contrast"]),
        ({"bytes": 900_001}, ["900001 bytes > 900000"]),
        ({"shift": 0.0101}, ["layout shift 0.010 > 0.01"]),
        ({"foreign": 2}, ["2 requests to other hosts"]),
    ],
)  # fmt: skip
def test_what_a_page_misses_is_named(benchmark: ModuleType, change: dict[str, object], said: list[str]) -> None:
    whole = {"scores": [95, 100, 100, 100], "missed": [], "bytes": 900_000, "shift": 0.01, "foreign": 0}
    assert benchmark.misses(whole | change) == said
