"""How much each hyperparameter matters: two methods side by side, with intervals, and what two keys do together."""

from collections.abc import Sequence

import hpsearch.reports.kit.theme as theme
from hpsearch.base.labels import labels, shorten
from hpsearch.reports.kit.canvas import Drawn, Trace, axis_style, draw, escape
from hpsearch.reports.kit.figure import Figure
from hpsearch.reports.summary.importance import Importance, Ranking, Share
from hpsearch.reports.summary.numbers import Findings, Summary

_ROW = 44
_TOGETHER = "interaction: "


def figure(found: Findings) -> Drawn | None:
    """Return what matters in a search over several hyperparameters, where a method has an answer."""
    importance = found.importance
    if importance is None or not (importance.fanova.shares or importance.ped.shares):
        return None
    return "importance", "What matters", _importance_aid(found.summary, importance), importance_figure(importance)


def importance_figure(importance: Importance) -> Figure:
    """Draw the share of each hyperparameter by both methods, and the interaction of the two strongest, as bars.

    Args:
        importance: what was found.

    Returns:
        The figure; a method that is refused has no bars.
    """
    rankings = [r for r in (importance.fanova, importance.ped) if r.shares]
    names = list(dict.fromkeys(s.name for r in rankings for s in r.shares))
    pair = importance.interaction
    rows_of = labels(names, 26) + ([_TOGETHER + shorten(pair.name, 40)] if pair else [])
    traces = [_bars(r, names, pair if r is importance.fanova else None) for r in rankings]
    rows = len(rows_of)
    y = axis_style(
        "", range=[rows - 0.4, -0.6], tickvals=list(range(rows)), ticktext=[_wrapped(text) for text in rows_of]
    )
    y |= {"showgrid": False, "ticks": "", "tickfont": {"color": theme.INK}}
    x = axis_style("share", range=[0, 1.02], tickformat=".0%")
    layout = {"xaxis": x, "yaxis": y, "barmode": "group", "bargap": 0.28, "height": 130 + _ROW * max(rows, 2)}
    return draw(traces, layout, _alt(importance, rankings))


def _bars(ranking: Ranking, names: Sequence[str], pair: Share | None) -> Trace:
    first = ranking.method == "fANOVA"
    rows = [(names.index(s.name), s) for s in ranking.shares] + ([(len(names), pair)] if pair else [])
    shares = [s for _, s in rows]
    what = "of the variance" if first else "of what sets the best apart"
    return {
        **{"type": "bar", "orientation": "h", "name": f"{ranking.method}, share {what}"},
        "y": [row for row, _ in rows],
        "x": [round(s.share, 4) for s in shares],
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [round(max(s.high - s.share, 0), 4) for s in shares],
            "arrayminus": [round(max(s.share - s.low, 0), 4) for s in shares],
            "color": theme.INK,
            "thickness": 1.2,
            "width": 4,
        },
        "marker": {"color": theme.BLUE if first else theme.CATEGORIES[4], "opacity": 0.85},
        "hovertext": [f"<b>{escape(s.name)}</b><br>{percent(s)}" for s in shares],
        "hovertemplate": "%{hovertext}<extra></extra>",
    }


def percent(share: Share) -> str:
    """Write a share with its interval: ``57 % (43–70 %)``."""
    return f"{100 * share.share:.0f} % ({100 * share.low:.0f}–{100 * share.high:.0f} %)"


def _wrapped(text: str) -> str:
    """Break the label of an interaction over two lines."""
    return escape(text).replace(_TOGETHER, f"{_TOGETHER.strip()}<br>")


def _alt(importance: Importance, rankings: Sequence[Ranking]) -> str:
    found = "; ".join(f"{r.method}: {', '.join(f'{s.name} {percent(s)}' for s in r.shares)}" for r in rankings)
    pair = importance.interaction
    together = f" Interaction of {pair.name}: {percent(pair)}." if pair else ""
    return f"Bar chart of the importance of each hyperparameter with 95 % intervals. {found}.{together}"


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
