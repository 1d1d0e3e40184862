import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from livegrad.lab import plots


@pytest.fixture
def shown(monkeypatch):
    outputs = []
    monkeypatch.setattr("IPython.display.display", lambda html: outputs.append(html.data))
    return outputs


def figure():
    fig, ax = plots.panels()
    ax.plot([0, 1], label="a line")
    ax.set_xlabel("x")
    ax.legend()
    return fig


def test_an_svg_takes_the_color_of_the_page_and_says_what_it_shows(shown):
    plots.show(figure(), alt='A line from 0 to 1, "rising"')
    (page,) = shown
    svg = ET.fromstring(re.search("<svg.*</svg>", page, re.S)[0])
    assert svg.get("role") == "img"
    assert svg.get("aria-label") == 'A line from 0 to 1, "rising"'
    assert "#000000" not in page
    assert "#ffffff" not in page
    assert page.count("currentColor") > 5


def test_two_figures_on_a_page_share_no_id_and_refer_to_their_own(shown):
    plots.show(figure(), alt="one")
    plots.show(figure(), alt="two")
    first, second = (set(re.findall(r'\bid="([^"]+)"', page)) for page in shown)
    assert first
    assert not first & second
    used = set(re.findall(r'(?:url\(|href=")#([^")]+)', shown[0]))
    assert used
    assert used <= first


def test_the_same_figure_is_drawn_to_the_same_text():
    assert plots.to_svg(figure(), "a", "p") == plots.to_svg(figure(), "a", "p")


def test_a_figure_without_words_is_refused():
    with pytest.raises(ValueError, match="alt must say what the figure shows"):
        plots.show(figure(), alt=" ")


def test_a_band_runs_from_the_smallest_to_the_largest_seed():
    _, ax = plots.panels()
    plots.band(ax, [0, 1], [[1, 5], [2, np.nan], [6, 7]], label="runs")
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), [2, 6])
    corners = ax.collections[0].get_paths()[0].vertices
    assert {tuple(c) for c in corners} >= {(0, 1), (0, 6), (1, 5), (1, 7)}
    with pytest.raises(ValueError, match="runs must have shape"):
        plots.band(ax, [0, 1], [1, 2], label="one seed")


def test_every_color_can_be_told_from_a_white_and_from_a_dark_page():
    def luminance(color):
        parts = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
        return np.where(parts <= 0.03928, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]

    for color in {*plots.COLORS.values(), *plots.CYCLE}:
        for page in ("#ffffff", "#14181e"):
            low, high = sorted([luminance(color), luminance(page)])
            assert (high + 0.05) / (low + 0.05) >= 3, (color, page)  # WCAG 2.2, 1.4.11: graphics need 3:1
