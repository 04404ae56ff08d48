"""Learning-rate schedules in one figure: a few in one panel, many in a small panel each."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import plotly.graph_objects as go
from plotly.subplots import make_subplots

import hpsearch.reports.kit.theme as theme
from hpsearch.base.files import replace_text
from hpsearch.reports.kit.still import drawn_as_svg

COLUMNS = 5
WIDTH = 1200
"""Pixels of the still picture."""

DASHES = ("solid", "dash", "dot", "dashdot")
"""One after the other, so that lines are not told apart by colour alone."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """One schedule.

    Attributes:
        name: its option.
        lr: rate of each step as a share of ``optimizer.lr``.
        momentum: momentum, or first beta, of each step; None where it is left alone.
        steps_per_epoch: steps of an epoch.
    """

    name: str
    lr: tuple[float, ...]
    momentum: tuple[float, ...] | None
    steps_per_epoch: int

    def looks_like(self, other: "Drawn") -> bool:
        """Return whether rates and momenta are those of another, but for rounding."""
        return _alike(self.lr, other.lr) and _alike(self.momentum or (), other.momentum or ())

    def called(self, name: str) -> "Drawn":
        """Return the same by another name."""
        return replace(self, name=name)

    @property
    def peak(self) -> float:
        """The largest share."""
        return max(self.lr)

    @property
    def epochs(self) -> list[float]:
        """Where each step is, in epochs."""
        return [step / self.steps_per_epoch for step in range(len(self.lr))]


def _alike(one: Sequence[float], other: Sequence[float]) -> bool:
    close = (math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12) for a, b in zip(one, other, strict=False))
    return len(one) == len(other) and all(close)


def write_schedules(figure: go.Figure, folder: Path) -> tuple[Path, Path]:
    """Write a figure of schedules as a page and as a drawing.

    Args:
        figure: what `schedules_figure` or `arms_figure` drew.
        folder: where to write; made when it is missing.

    Returns:
        The paths of ``schedulers.html`` and ``schedulers.svg``.
    """
    html = replace_text(folder / "schedulers.html", figure.to_html(include_plotlyjs=True, full_html=True))
    return html, replace_text(folder / "schedulers.svg", drawn_as_svg(figure.to_plotly_json(), WIDTH))


def _top(drawn: Sequence[Drawn]) -> float:
    """Return where the rate axis ends: above what most schedules reach, because noise may go far beyond."""
    return 1.15 * max(1.0, statistics.median(each.peak for each in drawn))


def _end(drawn: Sequence[Drawn]) -> float:
    """Return where the epoch axis ends: a little beyond the last step, so that its number is drawn."""
    return 1.02 * max((len(each.lr) / each.steps_per_epoch for each in drawn), default=1.0)


def _title(each: Drawn, top: float) -> str:
    return each.name if each.peak <= top else f"{each.name} (to {each.peak:.1f})"


def arms_figure(drawn: Sequence[Drawn], title: str) -> go.Figure:
    """Draw schedules over one another, with a legend; more than there are colours in a panel each.

    Args:
        drawn: the schedules in order.
        title: the heading.

    Returns:
        A figure; where a schedule moves the momentum, that stands in a panel below.
    """
    if len(drawn) > len(theme.CATEGORIES):
        return schedules_figure(drawn, title)
    moves = any(each.momentum is not None for each in drawn)
    figure = make_subplots(2 if moves else 1, 1, shared_xaxes=True, vertical_spacing=0.1)
    for place, each in enumerate(drawn):
        style = {"color": theme.CATEGORIES[place], "dash": DASHES[place % len(DASHES)], "width": 2, "shape": "hv"}
        lines = [(1, "rate / optimizer.lr", each.lr)]
        if each.momentum is not None:
            lines.append((2, "momentum", each.momentum))
        for row, what, y in lines:
            hover = f"{each.name}<br>epoch %{{x:.2f}}<br>{what} %{{y:.4g}}<extra></extra>"
            trace = go.Scatter(
                x=each.epochs, y=y, name=each.name, line=style, showlegend=row == 1, hovertemplate=hover, mode="lines"
            )
            figure.add_trace(trace, row=row, col=1)
    _dress(figure, title, 620 if moves else 420)
    figure.update_layout(legend={"orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom"})
    figure.update_layout(margin={"l": 70, "r": 20, "t": 110, "b": 50})
    figure.update_xaxes(range=[0, _end(drawn)])
    figure.update_xaxes(title="epoch", row=2 if moves else 1, col=1)
    top = 1.05 * max(each.peak for each in drawn)
    figure.update_yaxes(range=[-0.04 * top, top], title="rate / optimizer.lr", row=1, col=1)
    if moves:
        figure.update_yaxes(title="momentum", row=2, col=1)
    return figure


def schedules_figure(drawn: Sequence[Drawn], title: str = "Learning-rate schedules") -> go.Figure:
    """Draw the schedules as a plotly figure.

    Args:
        drawn: the schedules in order.
        title: the heading.

    Returns:
        A figure with a panel per schedule, which share their axes.
    """
    count, top = math.ceil(len(drawn) / COLUMNS), _top(drawn)
    titles = [_title(each, top) for each in drawn]
    figure = make_subplots(
        count, COLUMNS, subplot_titles=titles, shared_xaxes="all", shared_yaxes="all", vertical_spacing=0.3 / count
    )
    for place, each in enumerate(drawn):
        lines = [("rate / optimizer.lr", each.lr, theme.BLUE, "solid")]
        if each.momentum is not None:
            lines.append(("momentum", each.momentum, theme.RED, "dot"))
        for name, y, colour, dash in lines:
            trace = go.Scatter(
                x=each.epochs,
                y=y,
                name=name,
                line={"color": colour, "dash": dash, "width": 2, "shape": "hv"},
                showlegend=False,
                hovertemplate=f"{each.name}<br>epoch %{{x:.2f}}<br>{name} %{{y:.4g}}<extra></extra>",
            )
            figure.add_trace(trace, row=place // COLUMNS + 1, col=place % COLUMNS + 1)
        if place + COLUMNS >= len(drawn):  # no panel is below this one
            figure.update_xaxes(showticklabels=True, row=place // COLUMNS + 1, col=place % COLUMNS + 1)
    _dress(figure, f"{title}: rate as a share of optimizer.lr over epochs; dotted: momentum", 150 * count + 100)
    figure.update_layout(margin={"l": 50, "r": 20, "t": 80, "b": 40})
    figure.update_xaxes(range=[0, _end(drawn)])
    figure.update_yaxes(range=[-0.04 * top, top])
    return figure


def _dress(figure: go.Figure, title: str, height: int) -> None:
    font = {"family": theme.FONT, "size": 12, "color": theme.INK}
    figure.update_layout(template="none", title=title, font=font, height=height)
    figure.update_xaxes(gridcolor=theme.GRID, zeroline=False)
    figure.update_yaxes(gridcolor=theme.GRID, zeroline=False)
