"""Claim 5: one curve relates updates and examples to a target; its corner is the critical batch size."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

import hpsearch.reports.ablation.claims.targets as targets
from hpsearch.reports.ablation.claims.claim import BATCH, Claim, ClaimResult, ClaimVerdict, Evidence, untested
from hpsearch.reports.ablation.claims.common import decide, lead, together
from hpsearch.reports.kit import theme
from hpsearch.reports.kit.canvas import Trace
from hpsearch.statistics.intervals import RESAMPLES, resamples

_FAR = 8.0  # times the largest batch size; a corner further out is not drawn


def critical_batch_size(evidence: Evidence) -> ClaimResult:
    """Test whether (S / S_min - 1) (E / E_min - 1) = 1 relates updates S and examples E = B S to a target.

    Solved for S it is the line ``S = S_min + E_min / B``, fitted by least squares of relative deviations; its corner is
    the critical batch size ``E_min / S_min``. The interval is that of 2,000 resamples of the seeds that reached the
    target at every size. Source: McCandlish et al., An empirical model of large-batch training,
    https://arxiv.org/abs/1812.06162.

    Args:
        evidence: of the ablation.

    Returns:
        The result: supported when both constants are positive in 95 % of the resamples and the curve is within 20 % of
        the medians, not supported when it is further off; undecided where a target takes fewer than five epochs, for
        updates are counted to the end of one, and without three batch sizes that reached a target.
    """
    groups = targets.groups_at_target(evidence)
    if not groups:
        return untested(targets.too_few_at_target(evidence))
    numbers: dict[str, float] = {}
    verdicts, texts, series = [], [], {}
    for name, group in groups.items():
        sizes, updates, _ = targets.updates_by_seed(group)
        updates = updates[np.all(np.isfinite(updates), axis=1)]
        if not len(updates):
            verdicts.append(ClaimVerdict.UNDECIDED)
            texts.append(f"{lead(name)}no seed reached the target at every batch size")
            continue
        medians = np.median(updates, axis=0)
        line = _fit(sizes, medians[None])[0]
        misfit = math.sqrt(float(np.mean((line[0] / medians + line[1] / (sizes * medians) - 1) ** 2)))
        resampled = _fit(sizes, np.median(updates[resamples(len(updates), RESAMPLES)], axis=1))
        sound = resampled[(resampled > 0).all(axis=1)]
        decided = len(sound) >= 0.975 * len(resampled) and len(updates) > 1 and bool((line > 0).all())
        coarse = targets.coarseness(group)
        counted = targets.coarseness_text(coarse)
        fits, fine = misfit <= targets.MISFIT, coarse <= targets.MISFIT
        verdicts.append(decide(decided and fits and fine, fine and not fits))
        numbers |= {f"misfit[{name}]": misfit}
        series[name] = {"x": sizes.tolist(), "s_min": float(line[0]), "e_min": float(line[1])}
        if not decided:
            off = f"deviation from the curve {100 * misfit:.0f} %"
            texts.append(f"{lead(name)}no critical batch size can be told ({off}){counted}")
            continue
        low, high = np.quantile(sound[:, 1] / sound[:, 0], [0.025, 0.975])
        critical = float(line[1] / line[0])
        numbers |= {f"critical[{name}]": critical, f"critical[{name}]_low": float(low)}
        numbers |= {f"critical[{name}]_high": float(high)}
        series[name] |= {"critical": critical}
        texts.append(
            f"{lead(name)}critical batch size {critical:.0f} ({low:.0f} to {high:.0f}), at least {line[0]:.0f} updates "
            f"and {line[1]:.0f} examples, the curve within {100 * misfit:.0f} % of the medians{counted}"
        )
    return ClaimResult(together(verdicts), "; ".join(texts), numbers, {"groups": series})


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


def _fit(sizes: NDArray[np.float64], updates: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (S_min, E_min) `[row, 2]` of the lines ``S = S_min + E_min / B`` through rows of updates `[row, B]`."""
    design = np.stack([1 / updates, 1 / (sizes * updates)], axis=2)
    return np.asarray((np.linalg.pinv(design) @ np.ones((len(updates), len(sizes), 1)))[:, :, 0])


CLAIM = Claim(
    number=5,
    statement="(S / S_min - 1) (E / E_min - 1) = 1 relates updates and examples to a target; its corner is the "
    "critical batch size.",
    factor=BATCH,
    test=critical_batch_size,  # the figure of claim 4 draws the curve
)
