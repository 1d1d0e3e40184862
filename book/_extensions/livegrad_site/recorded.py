"""Recorded numbers (`glue`) as print sets them: Python writes -0.5 and 3.2e-06, a book −0.5 and 3.2 × 10⁻⁶.

Only what stands in the text is changed; in the outputs of cells a number is what Python printed.
"""

from __future__ import annotations

import re

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

MINUS, TIMES = "\N{MINUS SIGN}", "\N{NO-BREAK SPACE}\N{MULTIPLICATION SIGN}\N{NO-BREAK SPACE}"
SIGN = re.compile(r"(?<![\w.])-(?=\.?\d|inf)")
POWER = re.compile(r"(?<![\w.])(?P<factor>\d+(?:\.\d+)?)e(?P<sign>[+-]?)0*(?P<power>\d+)(?!\w)")


def typeset(text: str) -> list[nodes.Node]:
    """The pieces of a number as Python writes it, with a minus sign and a power of ten."""
    pieces: list[nodes.Node] = []
    end = 0
    for found in POWER.finditer(text):
        factor = "" if found["factor"] == "1" else found["factor"] + TIMES
        pieces.append(nodes.Text(SIGN.sub(MINUS, text[end : found.start()] + factor + "10")))
        power = (MINUS if found["sign"] == "-" else "") + found["power"]
        pieces.append(nodes.superscript("", power))
        end = found.end()
    if text[end:]:
        pieces.append(nodes.Text(SIGN.sub(MINUS, text[end:])))
    return pieces


class TypesetRecorded(SphinxPostTransform):
    """Runs after myst-nb has looked the numbers up (priority 5)."""

    default_priority = 6

    def run(self, **kwargs: object) -> None:
        for number in self.document.findall(nodes.inline):
            if "pasted-text" in number["classes"]:
                number[:] = typeset(number.astext())


def setup(app: Sphinx) -> None:
    app.add_post_transform(TypesetRecorded)
