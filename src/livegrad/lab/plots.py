"""Figures of the book: one palette, one style, and SVG that follows the page from light to dark."""

from __future__ import annotations

import html
import io
import itertools
import re
from typing import Any

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

# After Okabe and Ito's palette (2008), told apart with every kind of color vision, made a little darker or lighter
# so that each keeps a contrast of 3:1 to the page, white or dark. The same thing has the same color everywhere:
COLORS = {
    "relu": "#2f7fc1",
    "sigmoid": "#c2571a",
    "tanh": "#1b9173",
    "mish": "#b5568f",
    "silu": "#9a7b10",
    "gelu": "#4b8fa8",
    "linear": "#7d7d7d",
    "forward": "#2f7fc1",
    "backward": "#c2571a",
    "train": "#2f7fc1",
    "test": "#c2571a",
    "good": "#1b9173",
    "bad": "#cc4a4a",
    "reference": "#7d7d7d",
}
CYCLE = ["#2f7fc1", "#c2571a", "#1b9173", "#b5568f", "#9a7b10", "#cc4a4a", "#7d7d7d"]
LINES = ["-", "--", "-.", ":"]  # with the colors, so that figures also read in gray

# Narrow on purpose: on a phone a figure shrinks to about 340 pixels, and its letters with it.
STYLE: dict[str, Any] = {
    "figure.figsize": (5.6, 3.4),
    "figure.constrained_layout.use": True,
    "axes.prop_cycle": cycler(color=CYCLE),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlesize": 12.5,
    "axes.titlelocation": "left",
    "axes.labelsize": 12,
    "grid.color": "#888888",
    "grid.alpha": 0.25,
    "grid.linewidth": 0.6,
    "xtick.labelsize": 11,
    "ytick.labelsize": 11,
    "legend.frameon": False,
    "legend.fontsize": 11,
    "lines.linewidth": 1.9,
    "font.size": 11.5,
    "svg.fonttype": "none",
}
mpl.rcParams.update(STYLE)  # type: ignore[arg-type]  # plain strings as keys

_numbers = itertools.count(1)


def panels(rows: int = 1, columns: int = 1, **options: Any) -> tuple[Figure, Any]:
    """`plt.subplots` in the book's style: 5.6 inches wide, 3 high a row, unless `figsize` says otherwise."""
    options.setdefault("figsize", (5.6, 3 * rows + 0.3))
    return plt.subplots(rows, columns, **options)


def band(ax: Axes, x: ArrayLike, runs: ArrayLike, *, label: str, color: str | None = None, style: str = "-") -> None:
    """Median over seeds as a line, the range from the smallest to the largest as a band.

    Args:
        runs: shape (seeds, len(x)); NaN where a run is missing.
    """
    values: NDArray[np.float64] = np.asarray(runs, dtype=np.float64)
    if values.ndim != 2:
        raise ValueError(f"runs must have shape (seeds, points), got {values.shape}")
    (line,) = ax.plot(x, np.nanmedian(values, axis=0), style, label=label, color=color)
    low, high = np.nanmin(values, axis=0), np.nanmax(values, axis=0)
    ax.fill_between(x, low, high, color=line.get_color(), alpha=0.2, linewidth=0)


def to_svg(fig: Figure, alt: str, prefix: str) -> str:
    """The figure as an `<svg>` element: black becomes the page's text color, ids carry `prefix`."""
    for ax in fig.axes:
        ax.patch.set_alpha(0)
    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": prefix}):
        fig.savefig(
            buffer,
            format="svg",
            transparent=True,
            bbox_inches="tight",
            metadata={"Date": None, "Creator": None},
        )
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.S)
    svg = svg.replace("#000000", "currentColor").replace("#262626", "currentColor")
    svg = svg.replace("<text ", '<text fill="currentColor" ')
    svg = re.sub(r'\bid="', f'id="{prefix}-', svg)
    svg = re.sub(r"url\(#", f"url(#{prefix}-", svg)
    svg = re.sub(r'href="#', f'href="#{prefix}-', svg)
    width = re.search(r'width="([\d.]+)pt"', svg)
    size = f"width:{float(width[1]) / 72 * 96:.0f}px;" if width else ""
    return svg.replace(
        "<svg ",
        f'<svg role="img" aria-label="{html.escape(alt, quote=True)}" style="{size}max-width:100%;height:auto" ',
        1,
    )


def show(fig: Figure, alt: str) -> None:
    """Display `fig` in the page, as inline SVG in the page's own text color, and close it.

    Args:
        alt: what the picture shows, for those who cannot see it; one or two sentences.

    Raises:
        ValueError: `alt` is empty.
    """
    from IPython.display import HTML, display

    if not alt.strip():
        raise ValueError(f"alt must say what the figure shows, got {alt!r}")
    svg = to_svg(fig, alt, f"figure{next(_numbers)}")
    plt.close(fig)
    display(HTML(f'<div class="lg-figure">{svg}</div>'))
