"""Minimum ratio against training loss over the runs of a study, as a figure, a table and a sentence."""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

import hpsearch.reports.kit.theme as theme
from hpsearch.base.files import replace_text
from hpsearch.base.words import count, listed, number
from hpsearch.reports.curvature.numbers import STEP_GAIN, Curvature, Verdict
from hpsearch.reports.kit.spreadsheet import inert
from hpsearch.reports.kit.still import drawn_as_svg

WIDTH = 1100
"""Pixels of the still picture."""
NOT_CRITICAL = "no critical point"
KINDS: dict[str, tuple[str, str]] = {
    Verdict.MINIMUM.value: (theme.BLUE, "circle"),
    Verdict.SADDLE.value: (theme.RED, "x"),
    Verdict.MAXIMUM.value: (theme.GREEN, "triangle-up"),
    Verdict.UNDECIDED.value: (theme.INK, "square-open"),
    NOT_CRITICAL: (theme.MUTED, "circle-open"),
}
"""Colour and symbol of what a point is."""
RATIO = "minimum ratio: share of positive eigenvalues"
BOUNDS = "Bars: bounds of the ratio, each right with a chance of 95 %; the mark is their middle, no estimate."
LEAST_NORM = 1e-16
"""Norm of a gradient on a logarithmic axis where it is rounding."""


@dataclass(frozen=True, slots=True)
class RunCurvature:
    """The curvature at the weights that a run ended with.

    Attributes:
        run: POINT/SEED, with /FOLD.
        weights: name of the file they were read from.
        epoch: the epoch after which they were taken.
        ended: whether training ended with them; else they are the best or the last that were kept.
        found: the curvature.
    """

    run: str
    weights: str
    epoch: float
    ended: bool
    found: Curvature

    @property
    def kind(self) -> str:
        """What the point is: its verdict, or that it is no critical point."""
        return self.found.verdict.value if self.found.critical else NOT_CRITICAL


def said_of(runs: Sequence[RunCurvature]) -> str:
    """Say what the runs lie at.

    Args:
        runs: at least one.

    Returns:
        A sentence with the number of runs of every kind.
    """
    counts = Counter(each.kind for each in runs)
    parts = [f"{counts[kind]} at a {kind}" for kind in ("minimum", "saddle", "maximum") if counts[kind]]
    parts += [f"{counts[Verdict.UNDECIDED.value]} undecided"] if counts[Verdict.UNDECIDED.value] else []
    if counts[NOT_CRITICAL]:
        gain = f"a gradient step would gain more than {number(100 * STEP_GAIN)} %"
        parts.append(f"{counts[NOT_CRITICAL]} at no critical point, where {gain}")
    return f"{count(len(runs), 'run')}: {listed(parts)}."


def write_runs(runs: Sequence[RunCurvature], study: str, folder: Path) -> tuple[Path, ...]:
    """Write the runs of a study as a table, a page and a drawing.

    Args:
        runs: at least one.
        study: its name.
        folder: where to write.

    Returns:
        The paths of ``curvature.csv``, ``curvature.html`` and ``curvature.svg``.
    """
    figure = runs_figure(runs, study)
    table = replace_text(folder / "curvature.csv", _table(runs))
    html = replace_text(folder / "curvature.html", figure.to_html(include_plotlyjs=True, full_html=True))
    return table, html, replace_text(folder / "curvature.svg", drawn_as_svg(figure.to_plotly_json(), WIDTH))


def _table(runs: Sequence[RunCurvature]) -> str:
    rows: list[dict[str, Any]] = []
    for each in runs:
        found = each.found
        rows.append({
            **{"run": each.run, "weights": each.weights, "epoch": each.epoch, "ended": each.ended},
            **{"kind": each.kind, "loss": found.loss, "gradient_norm": found.gradient_norm},
            "step_gain": found.step_gain,
            **{"minimum_ratio_low": found.positive.low, "minimum_ratio_high": found.positive.high},
            **{"negative_share_low": found.negative.low, "negative_share_high": found.negative.high},
            **{"method": found.method, "parameters": found.parameters, "samples": found.samples},
        })
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: inert(value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def runs_figure(runs: Sequence[RunCurvature], study: str) -> go.Figure:
    """Draw training loss over the minimum ratio, and over the norm of the gradient.

    A bar spans the bounds of a ratio that is not known exactly. A critical point needs a small gradient: open circles
    are points where a step along it would still gain something.

    Args:
        runs: at least one.
        study: its name.

    Returns:
        A figure with two panels.
    """
    figure = make_subplots(1, 2, shared_yaxes=True, horizontal_spacing=0.05)
    for kind, (colour, symbol) in KINDS.items():
        chosen = [each for each in runs if each.kind == kind]
        if not chosen:
            continue
        losses = [each.found.loss for each in chosen]
        middles = [(each.found.positive.low + each.found.positive.high) / 2 for each in chosen]
        norms = [max(each.found.gradient_norm, LEAST_NORM) for each in chosen]
        bars = [end for each in chosen for end in (each.found.positive.low, each.found.positive.high, None)]
        levels = [level for loss in losses for level in (loss, loss, None)]
        line = {"color": colour, "width": 1}
        figure.add_trace(
            go.Scatter(x=bars, y=levels, mode="lines", line=line, hoverinfo="skip", showlegend=False), row=1, col=1
        )
        for panel, x in ((1, middles), (2, norms)):
            trace = go.Scatter(
                x=x,
                y=losses,
                mode="markers",
                name=kind,
                marker={"color": colour, "symbol": symbol, "size": 9},
                text=[_hover(each) for each in chosen],
                hovertemplate="%{text}<extra></extra>",
                showlegend=panel == 1,
            )
            figure.add_trace(trace, row=1, col=panel)
    style = {"gridcolor": theme.GRID, "zeroline": False}
    figure.update_xaxes(title=RATIO, range=[-0.03, 1.03], row=1, col=1, **style)
    figure.update_xaxes(title="norm of the gradient", type="log", row=1, col=2, **style)
    figure.update_yaxes(title="training loss", row=1, col=1, **style)
    figure.update_yaxes(row=1, col=2, **style)
    bounds = "" if all(each.found.positive.exact for each in runs) else f" {BOUNDS}"
    figure.update_layout(
        template="none",
        title={"text": f"{study}: minimum ratio and training loss", "subtitle": {"text": f"{said_of(runs)}{bounds}"}},
        font={"family": theme.FONT, "size": 12, "color": theme.INK},
        height=480,
        margin={"l": 84, "r": 20, "t": 100, "b": 90},
        legend={"orientation": "h", "y": -0.2},
    )
    return figure


def _hover(each: RunCurvature) -> str:
    found = each.found
    lines = (
        f"{each.run}: {each.kind}",
        f"minimum ratio {found.positive}{'' if found.positive.exact else ' (bounds)'}",
        f"training loss {number(found.loss)}",
        f"norm of the gradient {number(found.gradient_norm)}",
        found.reason,
    )
    return "<br>".join(lines)
