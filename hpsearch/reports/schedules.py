"""Every learning-rate schedule in one figure: a small panel each."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import plotly.graph_objects as go
from plotly.subplots import make_subplots

import hpsearch.reports.kit.theme as theme
from hpsearch.base.files import replace_text
from hpsearch.reports.kit.still import still

COLUMNS = 5
WIDTH = 1200
"""Pixels of the still picture."""


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

    @property
    def peak(self) -> float:
        """The largest share."""
        return max(self.lr)

    @property
    def epochs(self) -> list[float]:
        """Where each step is, in epochs."""
        return [step / self.steps_per_epoch for step in range(len(self.lr))]


def write_schedules(drawn: Sequence[Drawn], folder: Path) -> tuple[Path, Path]:
    """Write the figure as a page and as a drawing.

    Args:
        drawn: the schedules in order.
        folder: where to write; made when it is missing.

    Returns:
        The paths of ``schedulers.html`` and ``schedulers.svg``.
    """
    figure = schedules_figure(drawn)
    html = replace_text(folder / "schedulers.html", figure.to_html(include_plotlyjs=True, full_html=True))
    return html, replace_text(folder / "schedulers.svg", still(figure, WIDTH))


def _top(drawn: Sequence[Drawn]) -> float:
    """Return where the rate axis ends: above what most schedules reach, because noise may go far beyond."""
    return 1.15 * max(1.0, statistics.median(each.peak for each in drawn))


def _end(drawn: Sequence[Drawn]) -> float:
    """Return where the epoch axis ends: a little beyond the last step, so that its number is drawn."""
    return 1.02 * max((len(each.lr) / each.steps_per_epoch for each in drawn), default=1.0)


def _title(each: Drawn, top: float) -> str:
    return each.name if each.peak <= top else f"{each.name} (to {each.peak:.1f})"


def schedules_figure(drawn: Sequence[Drawn]) -> go.Figure:
    """Draw the schedules as a plotly figure.

    Args:
        drawn: the schedules in order.

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
    figure.update_layout(
        template="none",
        title="Learning-rate schedules: rate as a share of optimizer.lr over epochs; dotted: momentum",
        font={"family": theme.FONT, "size": 12, "color": theme.INK},
        height=150 * count + 100,
        margin={"l": 50, "r": 20, "t": 80, "b": 40},
    )
    figure.update_xaxes(gridcolor=theme.GRID, zeroline=False, range=[0, _end(drawn)])
    figure.update_yaxes(gridcolor=theme.GRID, zeroline=False, range=[-0.04 * top, top])
    return figure
