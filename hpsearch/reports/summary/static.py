"""The main figures as SVG for the README: the same study always gives the same bytes."""

from collections.abc import Callable, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

import hpsearch.reports.kit.theme as theme
from hpsearch.base.types import TrialTable
from hpsearch.base.words import number
from hpsearch.reports.kit.canvas import coordinate, parameter_axis, parameter_ticks, positive_span, shorten
from hpsearch.reports.kit.curves import curves_of, quantiles
from hpsearch.reports.kit.marks import drawn
from hpsearch.reports.kit.points import Point
from hpsearch.reports.kit.space import Axis
from hpsearch.reports.kit.svg import svg_text
from hpsearch.reports.summary.boundary import Stability
from hpsearch.reports.summary.figures.learning import MANY, curve_colour, top_points
from hpsearch.reports.summary.figures.pareto import LOG_SPAN
from hpsearch.reports.summary.importance import Importance
from hpsearch.reports.summary.pareto import Front
from hpsearch.reports.summary.sweep import Summary


def score_svg(summary: Summary) -> str:
    """Draw the score against the main hyperparameter, with seeds, mean, spread, stable range and diverged region.

    Args:
        summary: the study's result.

    Returns:
        SVG text.
    """
    return _svg(lambda ax, _: _score(ax, summary))


def curves_svg(table: TrialTable, summary: Summary) -> str:
    """Draw the objective over epochs, one line per trial, coloured by the main hyperparameter.

    Args:
        table: the study.
        summary: its result.

    Returns:
        SVG text; beyond 200 trials it shows quantiles and the best points.
    """
    return _svg(lambda ax, figure: _curves(ax, figure, table, summary))


def front_svg(front: Front) -> str:
    """Draw the primary objective against the second, with the Pareto front.

    Args:
        front: the front of a study with several objectives.

    Returns:
        SVG text.
    """
    return _svg(lambda ax, _: _front(ax, front))


def importance_svg(importance: Importance) -> str:
    """Draw the share of the variance of each hyperparameter and of the two strongest together, with intervals.

    Args:
        importance: with shares by fANOVA.

    Returns:
        SVG text.
    """
    return _svg(lambda ax, _: _importance(ax, importance))


def _svg(draw: Callable[[Axes, Figure], None]) -> str:
    return svg_text(lambda figure: draw(figure.add_subplot(), figure), (7.6, 4.1))


def _score(ax: Axes, summary: Summary) -> None:
    axis = summary.main or Axis("point", "point", "category", tuple(p.point for p in summary.points))
    shown = drawn(summary, [p for p in summary.points if axis.key in p.params or summary.main is None])
    place = {p.point: coordinate(axis, p.params.get(axis.key, p.point)) for p in shown}
    done = sorted((p for p in shown if p.mean is not None), key=lambda p: place[p.point])
    line = len(summary.axes) <= 1 and axis.numeric
    _parameter_axis(ax, axis)
    if summary.stability is not None:
        _regions(ax, summary.stability)
    _seeds(ax, shown, place)
    _means(ax, done, place, line)
    lost = [place[p.point] for p in shown if p.diverged]
    if lost:
        ax.plot(lost, [0.03] * len(lost), "x", color=theme.RED, label="diverged", transform=ax.get_xaxis_transform())
    if not summary.objective.maximize and positive_span([s for p in done for s in p.scores]) > 50:
        _log(ax)
    ax.set_ylabel(summary.objective.metric)
    if ax.get_legend_handles_labels()[0]:
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=6, frameon=False, fontsize=9, borderaxespad=0.2)


def _front(ax: Axes, front: Front) -> None:
    first, second = front.objectives[:2]
    inside = set(front.front)
    beaten = [row for point, row in front.values.items() if point not in inside]
    best = sorted((front.values[point] for point in front.front), key=lambda row: row[1])
    ax.plot([row[1] for row in beaten], [row[0] for row in beaten], "o", color=theme.MUTED, alpha=0.4, markersize=4)
    steps = "steps-pre" if second.maximize else "steps-post"
    line = "D:" if len(front.objectives) == 2 else "D"
    x, y = [row[1] for row in best], [row[0] for row in best]
    ax.plot(x, y, line, drawstyle=steps, color=theme.BLUE, label="Pareto front")
    if positive_span([row[1] for row in front.values.values()]) > LOG_SPAN:
        ax.set_xscale("log")
    ax.set_xlabel(f"{second.metric} ({'max' if second.maximize else 'min'})")
    ax.set_ylabel(f"{first.metric} ({'max' if first.maximize else 'min'})")
    ax.legend(frameon=False, fontsize=9)


def _importance(ax: Axes, importance: Importance) -> None:
    pair = importance.interaction
    shares = [*importance.fanova.shares, *([pair] if pair else [])]
    names = [shorten(s.name, 30) if s is not pair else "both: " + shorten(s.name, 40) for s in shares]
    low, high = [max(0.0, s.share - s.low) for s in shares], [max(0.0, s.high - s.share) for s in shares]
    rows = range(len(shares))
    ax.barh(rows, [s.share for s in shares], xerr=[low, high], color=theme.BLUE, alpha=0.8, ecolor=theme.INK, capsize=3)
    ax.set_yticks(rows, names)
    ax.invert_yaxis()
    ax.set_xlabel("share of the variance (fANOVA), with 95 % intervals")
    ax.set_xlim(0, None)


def _log(ax: Axes) -> None:
    ax.set_yscale("log")
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    ax.yaxis.set_minor_formatter(NullFormatter())


def _seeds(ax: Axes, points: Sequence[Point], place: dict[int, float]) -> None:
    seeds = [(place[p.point], s) for p in points for s in p.scores]
    if seeds and any(p.trials > 1 for p in points):
        ax.plot(*zip(*seeds, strict=True), "o", color=theme.BLUE, alpha=0.45, markersize=3.5, label="each seed")


def _means(ax: Axes, done: Sequence[Point], place: dict[int, float], line: bool) -> None:
    x = [place[p.point] for p in done]
    mean, sd = [p.mean or 0.0 for p in done], [p.sd or 0.0 for p in done]
    if line and any(sd):
        low, high = ([m + sign * s for m, s in zip(mean, sd, strict=True)] for sign in (-1, 1))
        ax.fill_between(x, low, high, color=theme.BLUE, alpha=0.16, linewidth=0, label="± 1 sd")
    elif any(sd):
        ax.errorbar(x, mean, sd, fmt="none", ecolor=theme.BLUE, elinewidth=1, alpha=0.6)
    ax.plot(x, mean, "o-" if line else "o", color=theme.BLUE, markersize=5, linewidth=1.6, label="mean")


def _regions(ax: Axes, stability: Stability) -> None:
    low, high = (stability.axis.unplace(place) for place in parameter_axis(stability.axis)["range"])
    if stability.stable is not None:
        ax.axvspan(stability.stable.low, stability.stable.high, color=theme.GREEN, alpha=0.08, lw=0, label="stable")
    for edge in stability.edges:
        outside = (edge.onset, high) if edge.side == "above" else (low, edge.onset)
        ax.axvspan(*outside, color=theme.RED, alpha=0.1, lw=0)
        ax.axvline(edge.estimate, color=theme.RED, ls="--", lw=1.2, label=f"edge ≈ {number(edge.estimate)}")


def _parameter_axis(ax: Axes, axis: Axis) -> None:
    ticks = parameter_ticks(axis)
    if axis.scale == "log":
        ax.set_xscale("log")
    ax.minorticks_off()
    ax.set_xticks([tick for tick, _ in ticks], [text for _, text in ticks])
    low, high = parameter_axis(axis)["range"]
    ax.set_xlim((10**low, 10**high) if axis.scale == "log" else (low, high))
    ax.set_xlabel(axis.name if axis.name == axis.key else f"{axis.name} ({axis.key})")


def _curves(ax: Axes, figure: Figure, table: TrialTable, summary: Summary) -> None:
    metric = summary.objective.metric
    curves = curves_of(table, metric) if metric in table.curves else []
    values: dict[int, Any] = {p.point: p.params.get(summary.main.key) if summary.main else None for p in summary.points}
    if len(curves) > MANY:
        x, (low, middle, high) = quantiles(curves, (0.05, 0.5, 0.95))
        ax.fill_between(x, low, high, color=theme.MUTED, alpha=0.15, linewidth=0, label="5–95 % of trials")
        ax.plot(x, middle, ":", color=theme.MUTED, label="median")
        top = top_points(summary)
        curves = [c for c in curves if c.point in top]
        ax.legend(frameon=False, fontsize=9)
    for c in curves:
        best = summary.best is not None and summary.best.point == c.point
        colour = curve_colour(summary.main, values[c.point])
        ax.plot(c.x, c.y, "-" if len(c.x) > 1 else "x", color=colour, linewidth=2.4 if best else 1)
    if not summary.objective.maximize and positive_span([v for c in curves for v in c.y.tolist()]) > 50:
        _log(ax)
    ax.set_xlabel("epoch")
    ax.set_ylabel(metric)
    if summary.main is not None and len(summary.main.values) > 1:
        _colour_key(ax, figure, summary.main)


def _colour_key(ax: Axes, figure: Figure, axis: Axis) -> None:
    if not axis.numeric:
        for value in axis.values[: len(theme.CATEGORIES)]:
            ax.plot([], [], color=curve_colour(axis, value), label=shorten(number(value)))
        ax.legend(frameon=False, fontsize=9)
        return
    colours = LinearSegmentedColormap.from_list("value", [colour for _, colour in theme.value_scale()])
    ends = Normalize(axis.place(axis.values[0]), axis.place(axis.values[-1]))
    bar = figure.colorbar(ScalarMappable(ends, colours), ax=ax, label=axis.name, pad=0.02)
    bar.outline.set_visible(False)
    ticks = parameter_ticks(axis)
    bar.set_ticks([axis.place(tick) for tick, _ in ticks], labels=[text for _, text in ticks])
