"""SVG in the house style: the same drawing always gives the same bytes."""

import io
from collections.abc import Callable
from typing import Any

import matplotlib
from matplotlib.figure import Figure

import hpsearch.reports.kit.theme as theme

_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "hpsearch",
    "svg.fonttype": "none",
    "text.parse_math": False,  # a name may hold a dollar sign
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.edgecolor": theme.RULE,
    "axes.labelcolor": theme.MUTED,
    "axes.grid": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": theme.GRID,
    "xtick.color": theme.MUTED,
    "ytick.color": theme.MUTED,
    "text.color": theme.INK,
    "figure.facecolor": "white",
}


def svg_text(draw: Callable[[Figure], None], inches: tuple[float, float]) -> str:
    """Return what a function draws as SVG, in the house style and without a date.

    Args:
        draw: puts axes on an empty figure.
        inches: width and height.

    Returns:
        SVG text.
    """
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=inches, layout="constrained")
        draw(figure)
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    return text.getvalue()
