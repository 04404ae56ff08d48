"""Every arm with every seed."""

from collections.abc import Iterator

from hpsearch.base.words import score
from hpsearch.reports.ablation.arms import Arm
from hpsearch.reports.ablation.figures.style import arm_hover
from hpsearch.reports.ablation.numbers import Ablation
from hpsearch.reports.kit import theme
from hpsearch.reports.kit.canvas import Drawn, Layout, Trace, axis_style, draw, escape
from hpsearch.reports.kit.lanes import lane_traces, lanes_layout


def arms(found: Ablation) -> Iterator[Drawn]:
    """Draw every arm: each seed, the mean, its interval.

    Args:
        found: the ablation.

    Yields:
        The figure: a lane per arm, in the order of the space; the reference is marked by a line.
    """
    traces: list[Trace] = []
    lost: list[Layout] = []
    for lane, arm in enumerate(found.arms):
        if not arm.finished:
            lost.append(_lost_note(lane, arm))
            continue
        is_reference = arm is found.reference
        traces += lane_traces(
            lane,
            arm.score.values,
            arm.replicates,
            arm.score.mean,
            arm.score.shown,
            arm_hover(arm, found),
            theme.INK if is_reference else theme.BLUE,
            ("circle", "diamond" if is_reference else "circle"),
        )
    metric = found.objective.metric
    layout = {
        "xaxis": axis_style(metric),
        "annotations": lost,
        "shapes": _reference_line(found),
        **lanes_layout([arm.name for arm in found.arms]),
    }
    means = "; ".join(f"{arm.name} {score(arm.score.mean, arm.score.sd)}" for arm in found.arms)
    aid = "Small marks are seeds, large ones their mean with its 95 % interval; the diamond is the reference."
    figure = draw(traces, layout, f"Dot plot of {metric} by arm, with every seed and intervals: {means}.")
    yield "arms", f"{metric} of every arm", aid, figure


def _lost_note(lane: int, arm: Arm) -> Layout:
    text = f"no finished trial, {arm.diverged} diverged" if arm.trials else "trained nowhere in the search before"
    font = {"color": theme.RED}
    return {"x": 0.5, "xref": "paper", "y": lane, "text": escape(text), "showarrow": False, "font": font}


def _reference_line(found: Ablation) -> list[Layout]:
    if found.reference is None or not found.reference.finished:
        return []
    at = found.reference.score.mean
    line = {"color": theme.MUTED, "width": 1, "dash": "dot"}
    return [{"type": "line", "x0": at, "x1": at, "y0": 0, "y1": 1, "yref": "paper", "layer": "below", "line": line}]
