"""Fonts cut down to what the pages use: of the theme's icons 5 kB of 300 stay, of the formulas' letters about half."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pydata_sphinx_theme
from fontTools import subset

FONTS = Path(pydata_sphinx_theme.__file__).parent / "theme/pydata_sphinx_theme/static/vendor/fontawesome/webfonts"
FORMULAS = "_static/katex/fonts"

logging.getLogger("fontTools.subset").setLevel(logging.WARNING)  # else a line for every table of the font


def codepoints(css: str, used: set[str]) -> set[int]:
    """The characters that the style sheet draws for the icon names in `used`, or for no name at all."""
    points = {0x20}
    for selector, body in re.findall(r"([^{}]+)\{([^{}]*)\}", css):
        names = set(re.findall(r"\bfa-[a-z0-9-]+", selector))
        if not names or names & used:
            points |= {int(code, 16) for code in re.findall(r'"\\([0-9a-f]{2,5})"', body)}
    return points


def cut(source: Path, target: Path, points: set[int], features: tuple[str, ...] = ()) -> None:
    options = subset.Options()
    options.flavor = "woff2"
    options.layout_features = list(features)
    options.ignore_missing_unicodes = True
    font = subset.load_font(str(source), options)
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=points)
    subsetter.subset(font)
    target.parent.mkdir(parents=True, exist_ok=True)
    subset.save_font(font, str(target), options)
    font.close()


def cut_all(site: Path, css: str, words: set[str]) -> None:
    for font in FONTS.glob("*.woff2"):  # from the package: the site's own may be cut already, by the build before
        cut(font, site / "_static/vendor/fontawesome/webfonts" / font.name, codepoints(css, words))


def cut_formulas(site: Path, source: Path, characters: set[str]) -> None:
    """KaTeX's fonts, from the folder `source`, with the characters that stand somewhere in a page."""
    points = {0x20, *map(ord, characters)}
    for font in source.glob("*.woff2"):
        cut(font, site / FORMULAS / font.name, points, ("*",))
