"""Claim 1: the best effective rate is the same for every momentum."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import hpsearch.reports.ablation.claims.drawing as drawing
from hpsearch.reports.ablation.claims.claim import MOMENTUM, Claim, ClaimResult, Evidence, untested
from hpsearch.reports.ablation.claims.common import decide, lead, together
from hpsearch.reports.ablation.claims.rates import (
    TOLERANCE,
    Rates,
    decades,
    grid_step,
    rates_by_momentum,
    too_few_rates,
)
from hpsearch.reports.kit import theme
from hpsearch.reports.kit.canvas import Drawn, Layout, Trace, axis_style, draw

_LANE = 22  # pixels of a momentum


def effective_rate(evidence: Evidence) -> ClaimResult:
    """Test whether the best lr / (1 - m) is the same for every momentum m, within one step of the grid.

    Args:
        evidence: of the ablation.

    Returns:
        The result: supported when the best rates of all momenta agree within a step and none lies at an edge; not
        supported when two are more than a step apart and so are the ranges not told apart from them; undecided without
        two momenta.
    """
    groups = rates_by_momentum(evidence)
    if not groups:
        return untested(too_few_rates(evidence, MOMENTUM, "two momenta"))
    numbers: dict[str, float] = {}
    verdicts, texts = [], []
    for name, group in groups.items():
        step = grid_step([rates for _, rates in group])
        apart = decades(max(rates.best for _, rates in group), min(rates.best for _, rates in group))
        gap = max(_gap(a, b) for (_, a), (_, b) in combinations(group, 2))
        inside = all(rates.inside for _, rates in group)
        agree = apart <= step * (1 + TOLERANCE)
        verdicts.append(decide(agree and inside, gap > step and inside))
        for momentum, rates in group:
            key = f"{name + ', ' if name else ''}momentum {momentum:g}"
            numbers |= {f"best[{key}]": rates.best, f"best[{key}]_low": rates.low, f"best[{key}]_high": rates.high}
        numbers |= {f"decades_apart[{name}]": apart, f"step_decades[{name}]": step}
        listed = ", ".join(f"{r.best:.3g} ({r.low:.3g} to {r.high:.3g}) at momentum {m:g}" for m, r in group)
        edge = "" if inside else "; a best lies at the edge of what was tried"
        texts.append(f"{lead(name)}{listed}, {apart / step:.1f} grid steps apart{edge}")
    return ClaimResult(
        together(verdicts),
        "best effective rates with those not told apart from them: " + "; ".join(texts),
        numbers,
        {
            "metric": evidence.objective.metric,
            "groups": {name: [_series(m, rates) for m, rates in group] for name, group in groups.items()},
        },
    )


def _gap(a: Rates, b: Rates) -> float:
    """Return the decades between two ranges; 0 where they meet."""
    return max(0.0, decades(b.low, a.high), decades(a.low, b.high))


def _series(momentum: float, rates: Rates) -> Mapping[str, object]:
    return {
        "momentum": momentum,
        "x": list(rates.effective),
        "y": list(rates.scores),
        "stable": list(rates.stable),
        "diverged": list(rates.diverged),
        "best": rates.best,
        "low": rates.low,
        "high": rates.high,
    }


def _figure(results: Mapping[int, ClaimResult]) -> Drawn:
    """Draw the scores over effective rates, a pane per group and a line per momentum, and which rates are best.

    Args:
        results: of the claims.

    Returns:
        Below each pane a lane per momentum: a ring at the best rate, a bar over those not told apart from it, a cross
        where training diverged and an open square where it did not halve its loss.
    """
    series = results[CLAIM.number].series
    groups: Mapping[str, Sequence[Mapping[str, Any]]] = series["groups"]
    metric = series["metric"]
    momenta = sorted({line["momentum"] for lines in groups.values() for line in lines})
    panes = [((drawing.TITLE, drawing.PANE), (drawing.GAP, _LANE * len(lines) + 10)) for lines in groups.values()]
    height, domains = drawing.stack([pane for pair in panes for pane in pair])
    curves: list[Trace] = []
    marks: list[Trace] = []
    layout: Layout = {"height": height + drawing.MARGIN, "annotations": []}
    for index, (name, lines) in enumerate(groups.items()):
        upper, lower = drawing.y_axis(2 * index), drawing.y_axis(2 * index + 1)
        layout[drawing.layout_axis(2 * index)] = axis_style(metric, domain=domains[2 * index])
        layout[drawing.layout_axis(2 * index + 1)] = _momentum_lanes(lines, domains[2 * index + 1])
        layout["annotations"] += drawing.heading(name, upper)
        for lane, line in enumerate(lines):
            look = drawing.look(momenta.index(line["momentum"]), len(momenta))
            curves.append(_momentum_curve(line, upper, *look))
            marks += _momentum_marks(line, lane, lower, look[0])
    tried = [x for lines in groups.values() for line in lines for x in (*line["x"], *line["diverged"])]
    title = "effective rate lr / (1 − m), m the momentum"
    layout["xaxis"] = drawing.log_axis(title, tried, anchor=drawing.y_axis(2 * len(groups) - 1))
    best = "; ".join(
        lead(name) + ", ".join(f"{line['best']:.3g} at momentum {line['momentum']:g}" for line in lines)
        for name, lines in groups.items()
    )
    aid = (
        "A line per momentum. In the lanes below: a ring at the best rate, a bar over the rates not told apart "
        "from it, open squares where the training loss did not fall below half of its first value, crosses where "
        "training diverged. If claim 1 holds the rings stand above each other; training breaks at the first square "
        "or cross to the right of a ring (claim 2)."
    )
    alt = f"{metric} against the effective rate, best at {best}."
    figure = draw(drawing.once_in_legend([*curves, *marks]), layout, alt)
    return "claim-rates", f"Claims 1 and 2: {metric} against the effective rate", aid, figure


def _momentum_curve(line: Mapping[str, Any], axis: str, colour: str, dash: str, symbol: str) -> Trace:
    text = f"momentum {line['momentum']:g}"
    return {
        **{"type": "scatter", "mode": "lines+markers", "yaxis": axis, "legendgroup": text},
        **{"name": text, "x": line["x"], "y": line["y"]},
        "line": {"color": colour, "dash": dash, "width": 2},
        "marker": {"color": colour, "symbol": symbol, "size": 7},
        "hovertemplate": f"<b>{text}</b><br>rate %{{x:.4g}}: %{{y:.4g}}<extra></extra>",
    }


def _momentum_marks(line: Mapping[str, Any], lane: int, axis: str, colour: str) -> list[Trace]:
    """Return what stands in the lane of one momentum: the range, the best rate, the rates that broke."""
    flat = [x for x, stable in zip(line["x"], line["stable"], strict=True) if stable is False]
    shared = {"type": "scatter", "yaxis": axis}
    bar: Trace = {
        **{**shared, "mode": "lines", "name": "not told apart from it"},
        **{"x": [line["low"], line["high"]], "y": [lane, lane]},
        "line": {"color": theme.RULE, "width": 9},
        "hoverinfo": "skip",
    }
    marks = (
        ("best rate", [line["best"]], {"color": "rgba(0,0,0,0)", "size": 13, "line": {"color": theme.INK, "width": 2}}),
        ("loss not halved", flat, {"color": colour, "symbol": "square-open", "size": 10, "line": {"width": 2}}),
        ("diverged", line["diverged"], {"color": theme.RED, "symbol": "x", "size": 9}),
    )
    return [
        bar,
        *(
            {
                **{**shared, "mode": "markers", "name": name, "x": x, "y": [lane] * len(x), "marker": marker},
                "hovertemplate": f"momentum {line['momentum']:g}: {name} %{{x:.4g}}<extra></extra>",
            }
            for name, x, marker in marks
            if x
        ),
    ]


def _momentum_lanes(lines: Sequence[Mapping[str, Any]], domain: list[float]) -> Layout:
    texts = [f"m = {line['momentum']:g}" for line in lines]
    ticks = {"tickvals": list(range(len(lines))), "ticktext": texts, "range": [len(lines) - 0.4, -0.6]}
    return axis_style("", domain=domain, showgrid=False, **ticks)


CLAIM = Claim(
    number=1,
    statement="The best effective rate lr / (1 - momentum) is the same for every momentum, within one step of the "
    "grid.",
    factor=MOMENTUM,
    test=effective_rate,
    figure=_figure,
)
