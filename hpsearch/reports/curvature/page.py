"""The curvature of a trial in one figure: the spectral density, and the loss along the bottom direction."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

import hpsearch.reports.kit.theme as theme
from hpsearch.base.files import replace_text
from hpsearch.reports.curvature.numbers import Curvature
from hpsearch.reports.kit.still import drawn_as_svg

FLOOR = 1e-6
"""Least density shown, as a share of the largest."""
WIDTH = 960
"""Pixels of the still picture."""
LABELS = (
    ("eigenvalue of the Hessian", "density"),
    ("distance along the lowest eigenvector", "training loss"),
)


def write_curvature(found: Curvature, run: str, folder: Path, name: str = "curvature") -> tuple[Path, Path]:
    """Write the figure as a page and as a drawing.

    Args:
        found: the curvature.
        run: name of the trial.
        folder: where to write; made when it is missing.
        name: of the files.

    Returns:
        The paths of ``NAME.html`` and ``NAME.svg``.
    """
    figure = curvature_figure(found, run)
    html = replace_text(folder / f"{name}.html", figure.to_html(include_plotlyjs=True, full_html=True))
    return html, replace_text(folder / f"{name}.svg", drawn_as_svg(figure.to_plotly_json(), WIDTH))


def _density(found: Curvature) -> tuple[list[float], list[float]]:
    """Return the density where it is large enough to be seen on a logarithmic axis."""
    least = FLOOR * max(found.density[1])
    return list(found.density[0]), [max(y, least) for y in found.density[1]]


def _outermost(found: Curvature) -> list[float]:
    return [value for value, _ in (*found.bottom, *found.top)]


def _parabola(found: Curvature) -> list[float]:
    """Return the loss that slope and smallest eigenvalue predict at the distances of the line."""
    line, bending = found.line, found.bottom[0][0]
    return [found.loss + line.slope * t + bending * t * t / 2 for t in line.distances]


def curvature_figure(found: Curvature, run: str) -> go.Figure:
    """Draw a curvature as a plotly figure.

    Args:
        found: the curvature.
        run: name of the trial.

    Returns:
        A figure with two panels.
    """
    figure = make_subplots(1, 2, horizontal_spacing=0.1)
    for panel, trace in _traces(found):
        figure.add_trace(trace, row=1, col=panel)
    spectrum = (f"{LABELS[0][0]}; share of positive ones: {found.positive}", LABELS[0][1])
    for panel, (across, up) in enumerate((spectrum, LABELS[1]), 1):
        figure.update_xaxes(title=across, gridcolor=theme.GRID, zeroline=False, row=1, col=panel)
        figure.update_yaxes(title=up, gridcolor=theme.GRID, zeroline=False, row=1, col=panel)
    figure.update_yaxes(type="log", row=1, col=1)
    figure.update_layout(
        template="none",
        title={"text": f"{run}: {found.verdict}", "subtitle": {"text": found.reason}},
        font={"family": theme.FONT, "size": 12, "color": theme.INK},
        height=480,
        margin={"l": 84, "r": 20, "t": 100, "b": 50},
        legend={"orientation": "h", "y": -0.18},
    )
    return figure


def _traces(found: Curvature) -> list[tuple[int, go.Scatter]]:
    """Return what is drawn, each with its panel."""
    (x, y), marks, along = _density(found), _outermost(found), found.line.distances
    ticks = {"color": theme.RED, "symbol": "line-ns-open", "size": 14}
    blue, dotted = {"color": theme.BLUE, "width": 2}, {"color": theme.MUTED, "dash": "dot", "width": 2}
    series: list[tuple[int, str, Sequence[float], Sequence[float], dict[str, Any]]] = [
        (1, "density", x, y, {"mode": "lines", "line": blue}),
        (1, "outermost eigenvalues", marks, [min(y)] * len(marks), {"mode": "markers", "marker": ticks}),
        (2, "by slope and smallest eigenvalue", along, _parabola(found), {"mode": "lines", "line": dotted}),
        (2, "training loss", along, found.line.losses, {"mode": "lines+markers", "line": blue}),
    ]
    end = "<br>%{x:.4g}: %{y:.4g}<extra></extra>"
    return [
        (panel, go.Scatter(x=xs, y=ys, name=name, hovertemplate=name + end, **style))
        for panel, name, xs, ys, style in series
    ]
