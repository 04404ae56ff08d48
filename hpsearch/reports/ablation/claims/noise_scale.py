"""Claim 3: the best rate is proportional to the batch size."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

import hpsearch.reports.ablation.claims.drawing as drawing
from hpsearch.base.types import Objective
from hpsearch.base.words import minus
from hpsearch.reports.ablation.claims.claim import (
    BATCH,
    MOMENTUM,
    RATE,
    Claim,
    ClaimResult,
    ClaimVerdict,
    Evidence,
    untested,
)
from hpsearch.reports.ablation.claims.common import along_factor, decide, lead
from hpsearch.reports.ablation.claims.rates import Rates, grid_step, rates_of, too_few_rates
from hpsearch.reports.ablation.tuning import ArmSearch
from hpsearch.reports.kit.canvas import Drawn, Trace, draw, escape, shorten


def noise_scale(evidence: Evidence) -> ClaimResult:
    """Test whether the noise scale lr N / (B (1 - m)) is what counts: is the best rate proportional to batch size?

    The slope of log(best rate) on log(batch size), a line per group of the other factors with one slope for all, by
    least squares: 1 where the noise scale decides, 0 where the rate alone does. Its interval is Student's, yet never
    narrower than the grid allows: a best rate is known to a step h of it, which has standard deviation h / sqrt(12).

    Args:
        evidence: of the ablation.

    Returns:
        The result: supported when the 95 % interval of the slope holds 1 and not 0, not supported when it lies off 1,
        undecided when a best rate lies at the edge of what was tried, and without three batch sizes in a group.
    """
    groups = along_factor(evidence.searches, BATCH, lambda search: search.levels)
    best = {name: _best_rates(group, evidence.objective) for name, group in groups.items()}
    best = {name: pairs for name, pairs in best.items() if len(pairs) > 2}
    step = math.log(10) * grid_step([rates for pairs in best.values() for _, rates in pairs])
    if not step:
        return untested(too_few_rates(evidence, BATCH, "three batch sizes"))
    x = np.concatenate([_centred_logs([size for size, _ in pairs]) for pairs in best.values()])
    y = np.concatenate([_centred_logs([rates.best for _, rates in pairs]) for pairs in best.values()])
    freedom, squares = len(x) - len(best) - 1, float(x @ x)
    slope = float(x @ y) / squares
    error = math.sqrt(float(np.sum((y - slope * x) ** 2)) / freedom / squares)
    half = max(float(stdtrit(freedom, 0.975)) * error, float(ndtri(0.975)) * step / math.sqrt(12 * squares))
    low, high = slope - half, slope + half
    at_edge = any(RATE in search.at_edge for name in best for _, search in groups[name])
    holds = low <= 1 <= high
    verdict = decide(holds and low > 0, not holds)
    rate = "effective rate" if any(MOMENTUM in search.levels for search in evidence.searches) else "learning rate"
    edge = "; some best rates lie at the edge of what was tried" if at_edge else ""
    listed = "; ".join(
        lead(name) + ", ".join(f"{rates.best:.3g} at {size:g}" for size, rates in pairs) for name, pairs in best.items()
    )
    power, least, most = (minus(f"{value:z.2f}") for value in (slope, low, high))
    return ClaimResult(
        ClaimVerdict.UNDECIDED if at_edge else verdict,
        f"the best {rate} grows as batch size to the power {power} (95 % interval {least} to {most}; 1 would be in "
        f"proportion{edge}): {listed}",
        {"exponent": slope, "exponent_low": low, "exponent_high": high},
        {
            "exponent": slope,
            "rate": f"best {rate}",
            "groups": {
                name: {"x": [size for size, _ in pairs], "y": [rates.best for _, rates in pairs]}
                for name, pairs in best.items()
            },
        },
    )


def _best_rates(group: Sequence[tuple[float, ArmSearch]], objective: Objective) -> list[tuple[float, Rates]]:
    """Return the rates of every batch size where one trained."""
    tried = [(size, rates_of(s, float(s.levels.get(MOMENTUM) or 0.0), 0.0, objective)) for size, s in group]
    return [(size, rates) for size, rates in tried if rates is not None]


def _centred_logs(values: Sequence[float]) -> NDArray[np.float64]:
    logs = np.log(values)
    return np.asarray(logs - logs.mean())


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
    for index, (name, line) in enumerate(groups.items()):
        colour, dash, symbol = drawing.look(index, len(groups))
        x, logs = np.array(line["x"]), np.log(line["y"])
        centred = np.log(x) - np.log(x).mean()
        text = escape(shorten(name, drawing.NAME)) or "best rate"
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
            **{"mode": "markers", "name": text, "y": line["y"]},
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


CLAIM = Claim(
    number=3,
    statement="The noise scale lr N / (B (1 - momentum)) is what counts: the best rate is proportional to the batch "
    "size.",
    factor=BATCH,
    test=noise_scale,
    figure=_figure,
)
