"""What search engines and messengers are told: whole addresses, and none where the host is unknown."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import matplotlib.image
import pytest

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")

SITE = "https://owner.github.io/book/"
PAGES = {
    "index": "---\ndescription: About </script> & all.\n---\n# Home\n\n```{toctree}\npart/one\n```\n",
    "part__one": '# The "one" topic\n\nA first sentence that is long enough to stand for the page in a list.\n',
}


def properties(page: str) -> dict[str, str]:
    return dict(re.findall(r'<meta property="([^"]+)" content="([^"]*)" />', page))


def structured(page: str) -> dict[str, Any]:
    found = re.findall(r'<script type="application/ld\+json">(.*?)</script>', page)
    assert len(found) == 1
    return json.loads(found[0])  # type: ignore[no-any-return]


def test_a_published_book_has_cards_a_sitemap_and_a_page_for_wrong_addresses(
    book: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_REPOSITORY", "Owner/book")
    built = book(**PAGES).build()
    # The plain theme of these tests knows none of the buttons.
    assert [line for line in built.warnings.splitlines() if "unsupported theme option" not in line] == []
    card = properties(built.page("part/one"))
    assert card["og:url"] == f"{SITE}part/one.html"
    assert card["og:title"] == "The “one” topic"
    assert card["og:description"].startswith("A first sentence")
    picture = matplotlib.image.imread(built.root / "html" / card["og:image"].removeprefix(SITE))
    assert picture.shape[:2] == (630, 1200)
    data = structured(built.page("part/one"))
    assert (data["@type"], data["url"]) == ("Chapter", card["og:url"])
    assert data["isPartOf"] == {"@type": "Book", "name": data["isPartOf"]["name"], "url": SITE}
    home = structured(built.page())
    assert (home["@type"], home["description"]) == ("Book", "About </script> & all.")

    tree = ElementTree.parse(built.root / "html" / "sitemap.xml").getroot()
    assert [place.text for place in tree.iter("{http://www.sitemaps.org/schemas/sitemap/0.9}loc")] == [
        f"{SITE}index.html",
        f"{SITE}part/one.html",
    ]
    lost = built.page("404")
    assert f'<base href="{SITE}404.html" />' in lost
    assert f'href="{SITE}search.html"' in lost
    assert 'content="noindex"' in lost


def test_a_local_book_promises_no_address(book: Callable[..., Any]) -> None:
    built = book(**PAGES).build()
    assert built.warnings == ""
    assert {"og:url", "og:image"}.isdisjoint(properties(built.page("part/one")))
    assert structured(built.page("part/one"))["name"] == "The “one” topic"
    assert not (built.root / "html" / "sitemap.xml").exists()
    assert not (built.root / "html" / "404.html").exists()
