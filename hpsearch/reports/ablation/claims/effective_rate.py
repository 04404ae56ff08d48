"""Claim 1: the best effective rate is the same for every momentum."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import hpsearch.reports.ablation.claims.drawing as drawing
from hpsearch.reports.ablation.claims.claim import MOMENTUM, Claim, ClaimResult, ClaimVerdict, Evidence, untested
from hpsearch.reports.ablation.claims.common import decide, lead, together
from hpsearch.reports.ablation.claims.rates import Rates, grid_step, rates_by_momentum, too_few_rates
from hpsearch.reports.kit import theme
from hpsearch.reports.kit.canvas import Drawn, Layout, Trace, axis_style, draw
from hpsearch.statistics.comparisons import ALPHA
from hpsearch.statistics.intervals import Interval
from hpsearch.statistics.peak import combined_interval

_LANE = 22  # pixels of a momentum
_RING = {"color": "rgba(0,0,0,0)", "size": 13, "line": {"color": theme.INK, "width": 2}}


@dataclass(frozen=True, slots=True)
class _Ratio:
    """The best effective rate of one momentum over that of a smaller one, in decades."""

    smaller: float
    larger: float
    value: float
    interval: Interval

    @property
    def reach(self) -> float:
        """How far from a ratio of 1 it may be."""
        return max(abs(self.interval.low), abs(self.interval.high))


def effective_rate(evidence: Evidence) -> ClaimResult:
    """Test whether the best lr / (1 - m) is the same for every momentum m, within one step of the grid.

    The best rate of a momentum is the top of a parabola through the scores of the rates around it, over the seeds of
    the search, `hpsearch.statistics.peak.parabola_peak`. The ratio of two has its interval from theirs. Wrong would be
    to support it where two best rates are a step apart or more.

    Args:
        evidence: of the ablation.

    Returns:
        The result: supported when the 95 % interval of the ratio of every two momenta lies within one step of 1, not
        supported when one lies beyond (of k pairs at the level 5 % / k), else undecided; also where no curve fits.
    """
    groups = rates_by_momentum(evidence)
    if not groups:
        return untested(too_few_rates(evidence, MOMENTUM, "two momenta"))
    numbers: dict[str, float] = {}
    verdicts, texts, series = [], [], {}
    for name, group in groups.items():
        step = grid_step([rates for _, rates in group])
        missing = [f"momentum {momentum:g}: {rates.no_peak}" for momentum, rates in group if rates.no_peak]
        series[name] = [_series(momentum, rates) for momentum, rates in group]
        numbers |= _numbers(name, group)
        if missing:
            verdicts.append(ClaimVerdict.UNDECIDED)
            texts.append(f"{lead(name)}no best rate with an interval ({', '.join(missing)})")
            continue
        ratios = _ratios(group)
        apart = any(_outside(each.interval, step) for each in _ratios(group, 1 - ALPHA / len(ratios)))
        widest = max(ratios, key=lambda ratio: ratio.reach)
        verdicts.append(decide(widest.reach < step, apart))
        numbers |= {f"ratio[{name}]": 10**widest.value, f"step[{name}]": 10**step}
        numbers |= {f"ratio[{name}]_low": 10**widest.interval.low, f"ratio[{name}]_high": 10**widest.interval.high}
        texts.append(
            f"{lead(name)}that of momentum {widest.larger:g} is {10**widest.value:.2f} "
            f"({10**widest.interval.low:.2f} to {10**widest.interval.high:.2f}) times that of {widest.smaller:g}, a "
            f"step of the grid {10**step:.2f} times"
        )
    return ClaimResult(
        together(verdicts),
        "best effective rates: " + "; ".join(texts),
        numbers,
        {"metric": evidence.objective.metric, "groups": series},
    )


def _ratios(group: Sequence[tuple[float, Rates]], level: float = 0.95) -> list[_Ratio]:
    found = [(momentum, peak) for momentum, rates in group if (peak := rates.peak(level))]
    return [
        _Ratio(a, b, high[0] - low[0], combined_interval([-1, 1], [low[0], high[0]], [low[1], high[1]]))
        for (a, low), (b, high) in combinations(found, 2)
    ]


def _outside(interval: Interval, step: float) -> bool:
    return interval.low > step or interval.high < -step


def _numbers(name: str, group: Sequence[tuple[float, Rates]]) -> dict[str, float]:
    numbers: dict[str, float] = {}
    for momentum, rates in group:
        key, peak = f"{name + ', ' if name else ''}momentum {momentum:g}", rates.peak()
        if peak:
            place, interval = peak
            numbers |= {f"best[{key}]": 10**place}
            numbers |= {f"best[{key}]_low": 10**interval.low, f"best[{key}]_high": 10**interval.high}
    return numbers


def _series(momentum: float, rates: Rates) -> Mapping[str, object]:
    peak = rates.peak()
    return {
        "momentum": momentum,
        "x": list(rates.effective),
        "y": list(rates.scores),
        "stable": list(rates.stable),
        "diverged": list(rates.diverged),
        "best": 10 ** peak[0] if peak else None,
        "low": 10 ** peak[1].low if peak else None,
        "high": 10 ** peak[1].high if peak else None,
    }


def _figure(results: Mapping[int, ClaimResult]) -> Drawn:
    """Draw the scores over effective rates, a pane per group and a line per momentum, and which rates are best.

    Args:
        results: of the claims.

    Returns:
        Below each pane a lane per momentum: a ring at the best rate by the fitted curve, a bar over its interval, a
        cross where training diverged and an open square where a seed did not train.
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
        lead(name)
        + ", ".join(
            f"{'not known' if line['best'] is None else format(line['best'], '.3g')} at momentum {line['momentum']:g}"
            for line in lines
        )
        for name, lines in groups.items()
    )
    aid = (
        "A line per momentum. In the lanes below: a ring at the best rate by a parabola through the scores "
        "around it, a bar over its 95 % interval, open squares where the training loss made less than half of the "
        "largest fall of the arm, crosses where "
        "training diverged. If claim 1 holds the rings stand above each other; training fails at the first square "
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
    known = line["best"] is not None
    bar: Trace = {
        **{**shared, "mode": "lines", "name": "95 % interval of the best rate"},
        **{"x": [line["low"], line["high"]] if known else [], "y": [lane, lane] if known else []},
        "line": {"color": theme.RULE, "width": 9},
        "hoverinfo": "skip",
    }
    marks = (
        (
            "best rate",
            [line["best"]] if known else [],
            {"color": "rgba(0,0,0,0)", "size": 13, "line": {"color": theme.INK, "width": 2}},
        ),
        ("not trained", flat, {"color": colour, "symbol": "square-open", "size": 10, "line": {"width": 2}}),
        ("diverged", line["diverged"], {"color": theme.RED, "symbol": "x", "size": 9}),
    )
    return [
        *([bar] if known else []),
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
