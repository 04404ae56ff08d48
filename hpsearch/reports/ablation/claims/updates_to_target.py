"""Claim 4: updates to a target fall with batch size, less and less, and large batches lose nothing."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import hpsearch.reports.ablation.claims.common as common
import hpsearch.reports.ablation.claims.drawing as drawing
import hpsearch.reports.ablation.claims.targets as targets
from hpsearch.base.keys import RETUNED
from hpsearch.base.types import Objective
from hpsearch.reports.ablation.arms import Arm, replicates_in_common, scores
from hpsearch.reports.ablation.claims.claim import BATCH, Claim, ClaimResult, ClaimVerdict, Evidence, untested
from hpsearch.reports.ablation.claims.critical_batch_size import CLAIM as CRITICAL_BATCH_SIZE
from hpsearch.reports.ablation.claims.critical_batch_size import curve_traces
from hpsearch.reports.kit import theme
from hpsearch.reports.kit.canvas import Drawn, Layout, Trace, draw
from hpsearch.statistics.intervals import Estimate

LOSS, RELATIVE_LOSS = 0.02, 0.05
"""Loss of score that must be excluded: of a metric between 0 and 1, and of others relative to the smallest batch's."""


def updates_to_target(evidence: Evidence) -> ClaimResult:
    """Test whether updates to a target fall with batch size, less and less; and at no loss.

    For each seed the local exponents d log(updates) / d log(batch size) between neighbouring sizes, -1 in proportion;
    the first is reported, not tested. They fall: the exponent from the smallest to the largest size is below 0. Less
    and less: the last exponent is above the first. No loss: the paired difference of the scores, largest minus smallest
    batch, the sign turned where smaller is better. Each is averaged over the groups of other factors. Wrong would be to
    support it where the loss equals its margin, `LOSS` or `RELATIVE_LOSS`, or the exponents are all the same.

    Args:
        evidence: of the ablation.

    Returns:
        The result: supported when each holds by its 95 % interval, that of the scores above minus the margin; not
        supported when one does not, or the largest batch scores worse by its interval. Undecided in an unfair
        comparison, where a seed of either size has no score, where too many updates lie between two evaluations, and
        without three batch sizes that reached a target.
    """
    groups = targets.groups_at_target(evidence)
    if not groups:
        return untested(targets.too_few_at_target(evidence))
    falls, firsts, lasts, bends, gaps = (list[dict[common.Replicate, float]]() for _ in range(5))
    for group in groups.values():
        sizes, updates, replicates = targets.updates_by_seed(group)
        logs, exponents = np.log(updates), np.diff(np.log(updates), axis=1) / np.diff(np.log(sizes))
        whole = (logs[:, -1] - logs[:, 0]) / math.log(sizes[-1] / sizes[0])
        parts = (whole, exponents[:, 0], exponents[:, -1], exponents[:, -1] - exponents[:, 0])
        for found, values in zip((falls, firsts, lasts, bends), parts, strict=True):
            found.append(dict(zip(replicates, values.tolist(), strict=True)))
        gaps.append(_score_gap(group[0][1][0], group[-1][1][0], evidence.objective))
    fall, first, last, bend, gap = map(common.over_groups, (falls, firsts, lasts, bends, gaps))
    coarse = max(map(targets.coarseness, groups.values()))
    fine = coarse <= targets.COARSE
    shapes = [common.lies_within(fall, high=0.0), common.lies_within(bend, low=0.0)] if fine else []
    margin = _margin([group[0][1][0] for group in groups.values()], evidence.objective)
    unfair = _unfair(evidence) or _lost([arm for group in groups.values() for arm in (group[0][1][0], group[-1][1][0])])
    scored = ClaimVerdict.UNDECIDED if unfair else _no_loss(gap, margin)
    open_end = f", which does not exclude a loss of {margin:.2g}" if scored == ClaimVerdict.UNDECIDED and gap.n else ""
    how = f", an unfair comparison: {unfair}" if unfair else open_end
    missed = sum(cost.to_target["updates"].missed for group in groups.values() for _, (_, cost) in group)
    left_out = f"; {missed} trials did not reach the target and are in no exponent" if missed else ""
    return ClaimResult(
        common.together([*(shapes or [ClaimVerdict.UNDECIDED]), scored]),
        f"updates fall as batch size to the power {common.interval_text(first)} between the smallest sizes and "
        f"{common.interval_text(last)} between the largest{targets.coarseness_text(coarse)}; the largest batch scores "
        f"{common.interval_text(gap, '+z.4f')} against the smallest{how}{left_out}",
        {
            **common.interval_numbers("exponent", fall),
            **common.interval_numbers("first_exponent", first),
            **common.interval_numbers("last_exponent", last),
            **common.interval_numbers("bend", bend),
            **common.interval_numbers("score_gap", gap),
            "missed": float(missed),
            "between_evaluations": coarse,
        },
        {"groups": {name: _series(group) for name, group in groups.items()}},
    )


def _lost(arms: Sequence[Arm]) -> str:
    """Return that seeds of the arms whose scores are compared have none; empty where each has one."""
    lost, of = sum(arm.trials - len(arm.replicates) for arm in arms), sum(arm.trials for arm in arms)
    return f"{lost} of {of} seeds at the ends have no score" if lost else ""


def _score_gap(small: Arm, large: Arm, objective: Objective) -> dict[common.Replicate, float]:
    """Return by how much the larger batch scores better, for each seed that both have."""
    common, sign = replicates_in_common([small, large]), 1 if objective.maximize else -1
    pairs = zip(common, scores(large, common), scores(small, common), strict=True)
    return {replicate: sign * (a - b) for replicate, a, b in pairs}


def _margin(smallest: Sequence[Arm], objective: Objective) -> float:
    """Return the loss of score that an interval must exclude; nan where no arm of the smallest batch has a score."""
    if objective.share:
        return LOSS
    means = [arm.score.mean for arm in smallest if arm.finished]
    return RELATIVE_LOSS * abs(float(np.mean(means))) if means else math.nan


def _no_loss(gap: Estimate, margin: float) -> ClaimVerdict:
    """Return whether the largest batch scores no worse: not where it is worse by any amount, or may be by a margin."""
    worse = common.lies_within(gap, high=0.0) == ClaimVerdict.SUPPORTED
    near = common.lies_within(gap, low=-margin) == ClaimVerdict.SUPPORTED
    return common.decide(near and not worse, worse)


def _series(group: targets.Group) -> Mapping[str, object]:
    trials = [
        (size, value)
        for size, times in targets.sizes_at_target(group)
        for value, there in zip(times.values, times.reached, strict=True)
        if there
    ]
    medians = [(size, times.median) for size, times in targets.sizes_at_target(group) if times.median is not None]
    return {
        "x": [size for size, _ in medians],
        "y": [median for _, median in medians],
        "trial_x": [size for size, _ in trials],
        "trial_y": [value for _, value in trials],
    }


def _unfair(evidence: Evidence) -> str:
    """Return why a large batch may score less for another reason than its size; empty where nothing else differs."""
    if evidence.nuisance.mode != RETUNED:
        return "nothing was retuned"
    if not (evidence.table.study["config"].get("trainer") or {}).get("steps"):
        return "at equal epochs it makes fewer updates"
    if any(search.at_edge for search in evidence.nuisance.searches):
        return "some best nuisance values lie at the edge of what was tried"
    return ""


def _figure(results: Mapping[int, ClaimResult]) -> Drawn | None:
    """Draw the updates to the target against batch size on logarithmic axes, a pane per group.

    Args:
        results: of the claims.

    Returns:
        Trials, their medians, what perfect scaling from the smallest batch would need, claim 5's fitted curve and its
        corner; None where too few reached the target for a median.
    """
    groups = {name: line for name, line in results[CLAIM.number].series["groups"].items() if line["x"]}
    if not groups:
        return None
    fitted = results.get(CRITICAL_BATCH_SIZE.number)
    curves: Mapping[str, Mapping[str, Any]] = {} if fitted is None else fitted.series["groups"]
    height, domains = drawing.stack([(drawing.TITLE, drawing.PANE + 30)] * len(groups))
    traces: list[Trace] = []
    layout: Layout = {"height": height + drawing.MARGIN, "annotations": []}
    for index, (name, line) in enumerate(groups.items()):
        curve = curve_traces(curves[name], line["x"]) if name in curves else []
        own = _updates_traces(line, curve)
        traces += [{"type": "scatter", "yaxis": drawing.y_axis(index), **trace} for trace in own]
        values = [y for trace in own for y in trace["y"]]
        layout[drawing.layout_axis(index)] = drawing.log_axis("updates to the target", values, domain=domains[index])
        layout["annotations"] += drawing.heading(name, drawing.y_axis(index))
    sizes = [x for trace in traces for x in trace["x"]]
    named = [x for line in groups.values() for x in line["x"]]
    layout["xaxis"] = drawing.log_axis("batch size", sizes, named, anchor=drawing.y_axis(len(groups) - 1))
    ends = "; ".join(
        f"{common.lead(name)}{line['y'][0]:.0f} at {line['x'][0]:g}, {line['y'][-1]:.0f} at {line['x'][-1]:g}"
        for name, line in groups.items()
    )
    aid = (
        "Small marks are trials that reached the target, large ones medians. Dotted: twice the batch, half the "
        "updates. Dashed: the curve of claim 5; the diamond is its corner, the critical batch size."
    )
    figure = draw(drawing.once_in_legend(traces), layout, f"Median updates to the target against batch size: {ends}.")
    return "claim-updates", "Claims 4 and 5: updates to the target against batch size", aid, figure


def _updates_traces(line: Mapping[str, Any], curve: Sequence[Trace]) -> list[Trace]:
    x, y = line["x"], line["y"]
    hover = "<br>batch size %{x}: %{y:.0f} updates<extra></extra>"
    perfect: Trace = {
        **{"mode": "lines", "name": "perfect scaling", "x": x, "y": [y[0] * x[0] / size for size in x]},
        **{"line": drawing.SCALING, "hoverinfo": "skip"},
    }
    trials: Trace = {
        **{"mode": "markers", "name": "trials", "x": line["trial_x"], "y": line["trial_y"]},
        "marker": {"color": theme.BLUE, "size": 5, "opacity": 0.5},
        "hovertemplate": f"trial{hover}",
    }
    medians: Trace = {
        **{"mode": "markers", "name": "median", "x": x, "y": y},
        "marker": {"color": theme.BLUE, "size": 10},
        "hovertemplate": f"<b>median</b>{hover}",
    }
    return [perfect, *curve[:1], trials, medians, *curve[1:]]


CLAIM = Claim(
    number=4,
    statement="Updates to a target fall with batch size, less and less; when every arm is retuned, the largest batch "
    f"scores no worse than the smallest, by {LOSS:g} at most.",
    factor=BATCH,
    test=updates_to_target,
    figure=_figure,
)
