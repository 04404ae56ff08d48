"""Claim 3: the best rate is proportional to the batch size."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

import hpsearch.reports.ablation.claims.drawing as drawing
from hpsearch.base.labels import labels
from hpsearch.base.types import Objective
from hpsearch.base.words import minus
from hpsearch.reports.ablation.claims.claim import (
    BATCH,
    MOMENTUM,
    Claim,
    ClaimResult,
    Evidence,
    untested,
)
from hpsearch.reports.ablation.claims.common import along_factor, decide, lead
from hpsearch.reports.ablation.claims.rates import Rates, grid_step, rates_of, too_few_rates
from hpsearch.reports.ablation.tuning import ArmSearch
from hpsearch.reports.kit.canvas import Drawn, Trace, draw, escape
from hpsearch.statistics.intervals import Interval
from hpsearch.statistics.peak import combined_interval

NEAR = 0.5
"""A slope that must be excluded: rates that grow as the root of the batch size are not in proportion to it."""


@dataclass(frozen=True, slots=True)
class _Peaks:
    """Best rates over batch sizes, in decades: a group of arms that differ in these alone."""

    sizes: tuple[float, ...]
    places: tuple[float, ...]
    intervals: tuple[Interval, ...]


def noise_scale(evidence: Evidence) -> ClaimResult:
    """Test whether the noise scale lr N / (B (1 - m)) is what counts: is the best rate proportional to batch size?

    The slope of log(best rate) on log(batch size), a line per group of the other factors with one slope for all, by
    least squares: 1 where the noise scale decides, 0 where the rate alone does, .5 where the root of the batch size
    does. A best rate is the top of a parabola through the scores around it, with its interval, of which that of the
    slope is made; it is as much wider as the best rates scatter more about the line than their intervals allow (Birge,
    Physical Review 1932). Wrong would be to support it where the slope is 0 or .5.

    Args:
        evidence: of the ablation.

    Returns:
        The result: supported when the 95 % interval of the slope holds 1 and lies above .5, not supported when it does
        not hold 1, undecided in between, where fewer than three sizes have a best rate with an interval, and without
        three batch sizes.
    """
    groups = along_factor(evidence.searches, BATCH, lambda search: search.levels)
    tried = {name: _rates(group, evidence.objective) for name, group in groups.items()}
    tried = {name: pairs for name, pairs in tried.items() if len(pairs) > 2}
    if not tried or not grid_step([rates for pairs in tried.values() for _, rates in pairs]):
        return untested(too_few_rates(evidence, BATCH, "three batch sizes"))
    peaks = {name: found for name, pairs in tried.items() if len((found := _peaks(pairs)).sizes) > 2}
    lost = [f"{lead(name)}{size:g}: {r.no_peak}" for name, pairs in tried.items() for size, r in pairs if r.no_peak]
    left_out = f"; without a best rate: {', '.join(lost)}" if lost else ""
    if not peaks:
        return untested(f"fewer than three batch sizes have a best rate with an interval{left_out}")
    exponent, interval = _exponent(list(peaks.values()))
    holds = interval.low <= 1 <= interval.high
    rate = "effective rate" if any(MOMENTUM in search.levels for search in evidence.searches) else "learning rate"
    listed = "; ".join(
        lead(name) + ", ".join(f"{10**place:.3g} at {size:g}" for size, place in zip(p.sizes, p.places, strict=True))
        for name, p in peaks.items()
    )
    power, least, most = (minus(f"{value:z.2f}") for value in (exponent, interval.low, interval.high))
    return ClaimResult(
        decide(holds and interval.low > NEAR, not holds),
        f"the best {rate} grows as batch size to the power {power} ({least} to {most}; 1 is in proportion, {NEAR:g} "
        f"its root): {listed}{left_out}",
        {"exponent": exponent, "exponent_low": interval.low, "exponent_high": interval.high},
        {
            "exponent": exponent,
            "rate": f"best {rate}",
            "groups": {
                name: {
                    "x": list(found.sizes),
                    "y": [10**place for place in found.places],
                    "low": [10**each.low for each in found.intervals],
                    "high": [10**each.high for each in found.intervals],
                }
                for name, found in peaks.items()
            },
        },
    )


def _rates(group: Sequence[tuple[float, ArmSearch]], objective: Objective) -> list[tuple[float, Rates]]:
    """Return the rates of every batch size where one trained."""
    tried = [(size, rates_of(s, float(s.levels.get(MOMENTUM) or 0.0), objective)) for size, s in group]
    return [(size, rates) for size, rates in tried if rates is not None]


def _peaks(pairs: Sequence[tuple[float, Rates]]) -> _Peaks:
    found = [(size, *peak) for size, rates in pairs if (peak := rates.peak())]
    sizes, places, intervals = zip(*found, strict=True) if found else ((), (), ())
    return _Peaks(tuple(sizes), tuple(places), tuple(intervals))


def _exponent(groups: Sequence[_Peaks]) -> tuple[float, Interval]:
    """Return the common slope of log best rate on log size with its interval."""
    x = np.concatenate([_centred(np.log10(each.sizes)) for each in groups])
    y = np.concatenate([_centred(np.asarray(each.places)) for each in groups])
    places = [place for each in groups for place in each.places]
    intervals = [interval for each in groups for interval in each.intervals]
    weights = x / float(x @ x)
    slope = float(weights @ places)
    known = np.array([(each.high - each.low) / 2 for each in intervals]) / float(ndtri(0.975))
    freedom = len(x) - len(groups) - 1
    chi = float(np.sum(((y - slope * x) / known) ** 2)) / freedom
    return slope, combined_interval(weights.tolist(), places, intervals, max(1.0, math.sqrt(chi)))


def _centred(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(values - values.mean())


def _figure(results: Mapping[int, ClaimResult]) -> Drawn:
    """Draw the best rate of every batch size, the fitted slope and the slope of 1, on logarithmic axes.

    Args:
        results: of the claims.

    Returns:
        A line and its own mark per group of the other factors.
    """
    series = results[CLAIM.number].series
    groups: Mapping[str, Mapping[str, Any]] = series["groups"]
    slope = series["exponent"]
    power = f"power {minus(f'{slope:z.2f}')}"
    traces: list[Trace] = []
    for index, (name, line) in enumerate(zip(labels(list(groups), drawing.NAME), groups.values(), strict=True)):
        colour, dash, symbol = drawing.look(index, len(groups))
        x, logs = np.array(line["x"]), np.log(line["y"])
        centred = np.log(x) - np.log(x).mean()
        text = escape(name) or "best rate"
        proportional: Trace = {
            **{"mode": "lines", "name": "in proportion", "y": np.exp(logs.mean() + centred).tolist()},
            **{"line": drawing.SCALING, "hoverinfo": "skip"},
        }
        fit: Trace = {
            **{"mode": "lines", "name": f"{text}: {power}"},
            "y": np.exp(logs.mean() + slope * centred).tolist(),
            "line": {"color": colour, "dash": dash, "width": 2},
            **{"hoverinfo": "skip", "showlegend": len(groups) < 2},
        }
        points: Trace = {
            **{"mode": "markers", "name": text, "y": line["y"], "error_y": _error_bars(line, colour)},
            "marker": {"color": colour, "symbol": symbol, "size": 10},
            "hovertemplate": f"<b>{text}</b><br>batch size %{{x}}: %{{y:.4g}}<extra></extra>",
        }
        traces += [{"type": "scatter", "x": line["x"], **trace} for trace in (proportional, fit, points)]
    sizes = [x for line in groups.values() for x in line["x"]]
    rates = [y for trace in traces for y in trace["y"]]
    axes = {"xaxis": drawing.log_axis("batch size", sizes), "yaxis": drawing.log_axis(series["rate"], rates)}
    aid = "Dotted: in proportion to the batch size, as the noise scale would have it; the other line is fitted."
    alt = f"The {series['rate']} grows as batch size to the {power}."
    figure = draw(drawing.once_in_legend(traces), {**axes, "height": 400}, alt)
    return "claim-best-rates", "Claim 3: the best rate of every batch size", aid, figure


def _error_bars(line: Mapping[str, Any], colour: str) -> Mapping[str, Any]:
    """Return the interval of every best rate as what plotly draws at its mark."""
    up = [high - y for high, y in zip(line["high"], line["y"], strict=True)]
    down = [y - low for low, y in zip(line["low"], line["y"], strict=True)]
    return {"type": "data", "symmetric": False, "array": up, "arrayminus": down, "color": colour, "thickness": 1}


CLAIM = Claim(
    number=3,
    statement="The noise scale lr N / (B (1 - momentum)) is what counts: the best rate is proportional to the batch "
    "size.",
    factor=BATCH,
    test=noise_scale,
    figure=_figure,
)
