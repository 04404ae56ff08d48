"""What the figures of several claims share: panes below each other, logarithmic axes, lines told apart."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from hpsearch.base.labels import shorten
from hpsearch.base.words import number
from hpsearch.reports.kit import theme
from hpsearch.reports.kit.canvas import Layout, Trace, axis_style, escape, round_ticks

PANE, TITLE, GAP, MARGIN = 210, 34, 12, 94  # pixels; the margin is that around all panes
NAME = 40
SCALING = {"color": theme.MUTED, "dash": "dot", "width": 1.5}
_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "triangle-down", "cross", "star")
_DASHES = ("solid", "dash", "dot", "dashdot")
_FEWEST = 3  # ticks of a scale
_FEW = 8  # values beside an axis that names each of them


def look(index: int, of: int) -> tuple[str, str, str]:
    """Return colour, dash and symbol of one line of several, so that none is told by colour alone."""
    colour = theme.value_colour(index / max(of - 1, 1))
    return colour, _DASHES[index % len(_DASHES)], _SYMBOLS[index % len(_SYMBOLS)]


def stack(parts: Sequence[tuple[int, int]]) -> tuple[int, list[list[float]]]:
    """Return the height of panes below each other, each with a gap above, and their parts of it from the foot up."""
    whole = sum(gap + size for gap, size in parts)
    top, domains = whole, []
    for gap, size in parts:
        top -= gap + size
        domains.append([top / whole, (top + size) / whole])
    return whole, domains


def y_axis(index: int) -> str:
    """Return plotly's name of a y axis in a trace: ``y``, ``y2``, ``y3``."""
    return f"y{index + 1}" if index else "y"


def layout_axis(index: int) -> str:
    """Return the key of a y axis in a layout: ``yaxis``, ``yaxis2``, ``yaxis3``."""
    return f"yaxis{index + 1}" if index else "yaxis"


def heading(name: str, axis: str) -> list[Layout]:
    """Return the name of a group above its pane; nothing for the only group."""
    corner = {"x": 0, "xref": "x domain", "y": 1, "yref": f"{axis} domain", "xanchor": "left", "yanchor": "bottom"}
    font = {"color": theme.INK, "size": 13}
    return [{**corner, "text": escape(shorten(name, NAME)), "showarrow": False, "font": font}] if name else []


def log_axis(
    title: str, values: Sequence[float], named: Sequence[float] = (), texts: Any = number, **changes: Any
) -> Layout:
    """Return a logarithmic axis around values, with a tick at each named one or, of many, at round numbers."""
    known = sorted(set(named or values))
    low, high = np.log10(min(values)), np.log10(max(values))
    pad = 0.05 * (high - low) or 0.2
    ends = float(10 ** (low - pad)), float(10 ** (high + pad))
    each = title == "batch size" and len(known) <= _FEW
    ticks = known if each else round_ticks(True, *ends)
    if not each and len(ticks) < _FEWEST:
        decades = range(math.floor(math.log10(ends[0])), math.ceil(math.log10(ends[1])))
        fine = (digit * 10.0**decade for decade in decades for digit in (1, 1.5, 2, 3, 4, 5, 6, 8))
        ticks = [tick for tick in fine if ends[0] <= tick <= ends[1]] or ticks
    style = {"type": "log", "range": [float(low - pad), float(high + pad)], "tickmode": "array", "tickvals": ticks}
    return axis_style(title, **style, ticktext=[texts(tick) for tick in ticks], **changes)


def once_in_legend(traces: Sequence[Trace]) -> list[Trace]:
    """Return traces of which each name stands in the legend once, and is switched with all that share it."""
    seen: set[str] = set()
    kept = []
    for trace in traces:
        name = trace["name"]
        shown = trace.get("showlegend", True) and name not in seen
        kept.append({**trace, "legendgroup": name, "showlegend": shown})
        seen.add(name)
    return kept
