"""Claim 5: one curve relates updates and examples to a target; its corner is the critical batch size."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

import hpsearch.reports.ablation.claims.targets as targets
from hpsearch.reports.ablation.claims.claim import BATCH, Claim, ClaimResult, ClaimVerdict, Evidence, untested
from hpsearch.reports.ablation.claims.common import decide, lead, together
from hpsearch.reports.ablation.tuning import UPDATES
from hpsearch.reports.kit import theme
from hpsearch.reports.kit.canvas import Trace
from hpsearch.statistics.scaling import left_out_errors, levelling_off

_FAR = 8.0  # times the largest batch size; a corner further out is not drawn
SIZES, SPAN = 5, 100.0
"""Batch sizes, and the largest over the smallest, from which on the curve can be told from a power law."""
BETTER = 0.25
"""Share of the power law's error that the curve's may be at most."""
FINE = 0.1
"""Largest part of the updates to the target that may lie between two evaluations."""


def critical_batch_size(evidence: Evidence) -> ClaimResult:
    """Test whether (S / S_min - 1) (E / E_min - 1) = 1 relates updates S and examples E = B S to a target.

    Solved for S it is ``S = S_min + E_min / B``; its corner is the critical batch size ``E_min / S_min``. It is fitted
    to the medians over seeds, and each size is predicted from the others, by it and by a power law,
    `hpsearch.statistics.scaling.left_out_errors`. Wrong would be to support it where updates are a power of the batch
    size. Source: McCandlish et al., An empirical model of large-batch training, https://arxiv.org/abs/1812.06162.

    Args:
        evidence: of the ablation.

    Returns:
        The result: supported when the curve's error is at most a quarter of the power law's and its corner lies inside
        the sizes in every group, not supported when the power law's is at most a quarter of the curve's in one; else
        undecided, also of rates that were not tuned for updates to the target, where more than a tenth of the updates
        lies between two evaluations, and without five sizes over two decades that reached the target.
    """
    groups = {name: targets.reached(group) for name, group in targets.groups_at_target(evidence).items()}
    wide = {name: group for name, group in groups.items() if len(group) >= SIZES and group[-1][0] >= SPAN * group[0][0]}
    if not wide:
        return untested(_too_narrow(groups) if groups else targets.too_few_at_target(evidence))
    untuned = _not_tuned(evidence)
    numbers: dict[str, float] = {}
    verdicts, texts, series = [], [], {}
    for name, group in wide.items():
        sizes, updates, _ = targets.updates_by_seed(group)
        updates = updates[np.all(np.isfinite(updates), axis=1)]
        if not len(updates):
            verdicts.append(ClaimVerdict.UNDECIDED)
            texts.append(f"{lead(name)}no seed reached the target at every batch size")
            continue
        medians = np.median(updates, axis=0)
        curve, power = left_out_errors(sizes, medians)
        s_min, e_min = levelling_off(sizes, medians)
        corner = e_min / s_min if s_min else math.inf
        inside, coarse = sizes[0] < corner < sizes[-1], targets.coarseness(group)
        sound = coarse <= FINE and not untuned
        verdicts.append(decide(sound and inside and curve <= BETTER * power, sound and power <= BETTER * curve))
        numbers |= {f"curve_error[{name}]": curve, f"power_error[{name}]": power}
        numbers |= {f"critical[{name}]": corner} if inside else {}
        series[name] = {"x": sizes.tolist(), "s_min": s_min, "e_min": e_min, **({"critical": corner} if inside else {})}
        where = f"critical batch size {corner:.0f}{_range(sizes, medians)}" if inside else "no corner inside the sizes"
        texts.append(
            f"{lead(name)}a size left out is predicted within {100 * curve:.0f} % by the curve and {100 * power:.0f} % "
            f"by a power law; {where}{targets.coarseness_text(coarse, FINE)}"
        )
    return ClaimResult(together(verdicts), "; ".join(texts) + untuned, numbers, {"groups": series})


def _too_narrow(groups: Mapping[str, targets.Group]) -> str:
    sizes, span = max((len(group), group[-1][0] / group[0][0]) for group in groups.values())
    return (
        f"{sizes} batch sizes, the largest {span:.0f} times the smallest, reached the target: {SIZES} or more over a "
        f"factor of {SPAN:.0f} are needed (+study=critical_batch_size)"
    )


def _not_tuned(evidence: Evidence) -> str:
    """Return that the rates were not tuned for what is counted; empty where they were."""
    tuned = evidence.searches and evidence.nuisance.tuned_for == UPDATES
    return "" if tuned else "; the rates were not tuned for updates to the target (ablation.tune_for=updates)"


def _range(sizes: NDArray[np.float64], medians: NDArray[np.float64]) -> str:
    """Write between which values the corner lies as single sizes are left out."""
    corners = []
    for left in range(len(sizes)):
        s_min, e_min = levelling_off(np.delete(sizes, left), np.delete(medians, left))
        corners.append(e_min / s_min if s_min else math.inf)
    high = f"{max(corners):.0f}" if math.isfinite(max(corners)) else "any size"
    return f" ({min(corners):.0f} to {high} as single sizes are left out)"


def curve_traces(fit: Mapping[str, Any], sizes: Sequence[float]) -> list[Trace]:
    """Return the fitted curve over batch sizes and, unless it is far beyond them, a mark at its corner.

    Args:
        fit: one group of the series of this claim's result.
        sizes: the batch sizes, ascending.

    Returns:
        One trace or two, without axes.
    """
    corner = fit.get("critical", 0.0)
    near = sizes[0] / _FAR <= corner <= sizes[-1] * _FAR
    ends = [*sizes, corner] if near else sizes
    grid = np.geomspace(min(ends), max(ends) * (1.5 if max(ends) == corner else 1), 60)
    updates = fit["s_min"] + fit["e_min"] / grid
    curve: Trace = {
        **{"mode": "lines", "name": "fitted curve"},
        **{"x": grid[updates > 0].tolist(), "y": updates[updates > 0].tolist()},
        "line": {"color": theme.GREEN, "dash": "dash", "width": 2},
        "hoverinfo": "skip",
    }
    if not near:
        return [curve]
    diamond: Trace = {
        **{"mode": "markers+text", "name": "critical batch size", "x": [corner], "y": [2 * fit["s_min"]]},
        **{"text": [f"{corner:.0f}"], "textposition": "top center", "textfont": {"color": theme.INK}},
        "marker": {"color": theme.GREEN, "symbol": "diamond", "size": 13},
        "hovertemplate": "<b>critical batch size</b> %{x:.0f}<extra></extra>",
    }
    return [curve, diamond]


CLAIM = Claim(
    number=5,
    statement="(S / S_min - 1) (E / E_min - 1) = 1 relates updates and examples to a target; its corner is the "
    "critical batch size.",
    factor=BATCH,
    test=critical_batch_size,  # the figure of claim 4 draws the curve
)
