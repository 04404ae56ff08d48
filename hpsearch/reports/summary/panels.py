"""Which figures a study has, in which order, and how to read each."""

from collections.abc import Iterator

from hpsearch.base import words
from hpsearch.base.types import TrialState
from hpsearch.reports.kit.marks import MOST_POINTS, shown_of
from hpsearch.reports.kit.page import Drawn, Panel, panel
from hpsearch.reports.kit.space import Axis
from hpsearch.reports.summary.figures.effort import pruning_figure, ranges_figure
from hpsearch.reports.summary.figures.history import history_figure
from hpsearch.reports.summary.figures.importance import importance_figure
from hpsearch.reports.summary.figures.learning import MANY, curves_figure
from hpsearch.reports.summary.figures.pairs import MOST_PAIRED, contour_figure, diverged_figure, leading, rank_figure
from hpsearch.reports.summary.figures.parallel import MOST_LINES, parallel_figure
from hpsearch.reports.summary.figures.pareto import pareto_figure
from hpsearch.reports.summary.figures.score import score_figure
from hpsearch.reports.summary.figures.slices import MOST_SLICED, slices_figure
from hpsearch.reports.summary.figures.timeline import MOST_BARS, timeline_figure
from hpsearch.reports.summary.findings import Findings
from hpsearch.reports.summary.importance import Importance, Ranking
from hpsearch.reports.summary.ranges import ranged
from hpsearch.reports.summary.sweep import Summary

_FEW = 8  # complete points below which a map of them shows nothing
_LANE = 3  # values from which on a range has an inside


def panels(found: Findings) -> tuple[Panel, ...]:
    """Draw the figures that apply to a study, the main one first.

    Args:
        found: what the study supports.

    Returns:
        The figures with a line each on how to read them.
    """
    return tuple(panel(*parts) for parts in figures(found))


def figures(found: Findings) -> Iterator[Drawn]:
    """Yield the figures that apply to a study, the main one first; each is drawn when it is asked for."""
    yield from _results(found)
    yield from _search(found)
    yield from _course(found)


def _results(found: Findings) -> Iterator[Drawn]:
    summary = found.summary
    metric, name = summary.objective.metric, summary.main.name if summary.main else "point"
    front = summary.front
    if front is not None and front.front:
        aim = " and ".join(f"{o.metric} ({'larger' if o.maximize else 'smaller'} is better)" for o in front.objectives)
        aid = f"Diamonds: no other point is better in one of {aim} without being worse in another."
        aid += f" {words.count(front.left_out, 'point')} without a full result are left out." if front.left_out else ""
        aid += shown_of(MOST_POINTS, len(front.values), "points")
        yield "pareto", "Pareto front", aid, pareto_figure(summary, front)
    aid = _score_aid(summary) + shown_of(MOST_POINTS, len(summary.points), "points")
    yield "score", f"{metric} against {name}", aid, score_figure(summary)


def _search(found: Findings) -> Iterator[Drawn]:
    """Draw what only a search over several hyperparameters, or one with a pruner or extensions, has to show."""
    summary, importance = found.summary, found.importance
    if importance is not None and (importance.fanova.shares or importance.ped.shares):
        yield "importance", "What matters", _importance_aid(summary, importance), importance_figure(importance)
    if importance is not None and importance.surface is not None:
        yield _contour(summary, importance)
    axes = leading(summary, importance)
    ended = sum(p.mean is not None for p in summary.points)
    if len(axes) > 1 and ended >= _FEW:
        shown = shown_of(MOST_PAIRED, len(summary.points), "points")
        aid = "One mark per point, the stronger its colour the better it ranks; the ring is the best."
        yield "ranks", "Ranks over pairs of hyperparameters", aid + shown, rank_figure(summary, importance)
        shown = shown_of(MOST_SLICED, len(summary.points), "points")
        aid = "A slope or hump that stands out against the scatter is an effect; crosses have no score."
        yield "slices", "Slices", aid + shown, slices_figure(summary, axes)
    if len(axes) > 1 and any(p.state is TrialState.INFEASIBLE for p in summary.points):
        yield "diverged", "Where training diverges", _diverged_aid(summary), diverged_figure(summary, importance)
    lanes = [a for a in ranged(axes, found.table.study) if a.numeric and len(a.values) >= _LANE]
    if lanes and summary.near is not None and (len(axes) > 1 or summary.extensions):
        yield "ranges", "Where the best lies in its range", _ranges_aid(summary), ranges_figure(summary, lanes)
    if summary.pruning is not None:
        yield "pruning", "What pruning saved", _pruning_aid(summary), pruning_figure(summary.pruning)


def _contour(summary: Summary, importance: Importance) -> Drawn:
    assert importance.surface is not None
    first, second = (axis.name for axis in _axes_of(summary, importance.surface.keys))
    aid = (
        f"The {summary.objective.metric} that a forest of trees predicts, averaged over all other hyperparameters; "
        "dots are measured, in the same colours; the ring is the best."
    )
    title = f"{summary.objective.metric} over {first} and {second}"
    aid += shown_of(MOST_PAIRED, len(summary.points), "points")
    return "contour", title, aid, contour_figure(summary, importance.surface)


def _axes_of(summary: Summary, keys: tuple[str, ...]) -> list[Axis]:
    by_key = {axis.key: axis for axis in summary.axes}
    return [by_key[key] for key in keys]


def _course(found: Findings) -> Iterator[Drawn]:
    table, summary = found.table, found.summary
    metric, trials = summary.objective.metric, len(table.trials)
    points = shown_of(MOST_POINTS, len(summary.points), "points")
    yield "curves", "Learning curves", _curves_aid(summary, trials > MANY), curves_figure(table, summary)
    aid = f"Points in the order in which they were asked; the line is the best {metric} so far, the bars one sd."
    yield "history", "Course of the search", aid + points, history_figure(summary)
    aid = "One line per point, the stronger its colour the better it ranks; dotted red lines diverged."
    aid += shown_of(MOST_LINES, sum(p.mean is not None or p.diverged > 0 for p in summary.points), "points")
    yield "parallel", "Hyperparameters and results side by side", aid, parallel_figure(table, summary)
    aid = "When each trial ran, one lane per trial at work at the same time; gaps are waiting."
    aid += f" Shown: {MOST_BARS:,} of {trials:,} trials, evenly spaced." if trials > MOST_BARS else ""
    yield "timeline", "Timeline", aid, timeline_figure(table)


def _score_aid(summary: Summary) -> str:
    several = summary.replicates > 1
    text = "Each dot is one seed; the line is their mean, the band one sd." if several else "Each dot is one point."
    if several and len(summary.axes) > 1:
        text = "Each large dot is the mean of a point, its bar one sd; small dots are single seeds."
    if summary.stability is not None and summary.stability.stable is not None:
        text += " Green: every seed's last training loss is below half its first."
    if summary.stability is not None and summary.stability.edges:
        text += " Red: training diverges; the dashed edge is halfway from the last stable to the first diverged value."
    return text


def _curves_aid(summary: Summary, many: bool) -> str:
    text = f"Colour is the {summary.main.name}; the thick line is the best point." if summary.main else ""
    if many:
        text += " The bands hold all trials; only the best points are drawn singly."
    return f"{text} Smoothed is a centred average, with the raw curve faint behind it."


def _importance_aid(summary: Summary, importance: Importance) -> str:
    fanova, ped = importance.fanova, importance.ped
    parts = []
    if fanova.shares:
        parts.append(
            f"fANOVA: share of the variance of {summary.objective.metric} over the ranges tried that a key explains "
            f"alone ({_read(fanova, 'COMPLETE points')})"
        )
    if ped.shares:
        parts.append(
            f"PED-ANOVA: what sets the best tenth apart from {_read(ped, 'points')}, pruned and infeasible ones "
            "included, as shares of its sum"
        )
    text = ". ".join(parts)
    text += f". Whiskers: {importance.level:.0%} percentile intervals of {importance.resamples} bootstrap resamples."
    if fanova.refused:
        text += f" No fANOVA: {fanova.refused}."
    names = {axis.key: axis.name for axis in summary.axes}
    left = "; ".join(f"{names[key]} {why}" for key, why in fanova.left_out.items())
    return (text + (f" Not in fANOVA: {left}." if left else "")).replace("%", " %").replace("  %", " %")


def _read(ranking: Ranking, noun: str) -> str:
    if ranking.points < ranking.of:
        return f"a random {ranking.points:,} of {ranking.of:,} {noun}"
    return f"{ranking.points:,} {noun}"


def _diverged_aid(summary: Summary) -> str:
    edge = summary.frontier
    if edge is None:
        return "Crosses did not train. No single hyperparameter tells them from those that did."
    zone = f"between {words.number(edge.low)} and {words.number(edge.high)} (grey)"
    if edge.accuracy == 1:
        where = f"halfway between those that did and those that did not; {zone} there are none"
    else:
        where = f"where it tells most of them from those that did, {100 * edge.accuracy:.0f} %; {zone} are both kinds"
    return f"Crosses did not train. The dashed line divides {edge.axis.name} {where}."


def _ranges_aid(summary: Summary) -> str:
    near = summary.near
    assert near is not None
    text = (
        f"Ticks: {words.count(len(near.points), 'point')} of {near.of} within {near.tolerance:.2g} of the best "
        f"{summary.objective.metric} ({near.rule}). Red: the outer tenths, where a best value asks for a wider range."
    )
    return text + (" Dotted green: where a range ended before it was extended." if summary.extensions else "")


def _pruning_aid(summary: Summary) -> str:
    pruning = summary.pruning
    assert pruning is not None
    return (
        f"The golden area is what was saved: {pruning.saved:,} of {pruning.trained + pruning.saved:,} epochs "
        f"({pruning.share:.0%}), as {pruning.pruned:,} of {pruning.trials:,} trials stopped early."
    ).replace("%", " %")
