"""Paired differences with their verdicts."""

from collections.abc import Iterator, Sequence

from hpsearch.reports.ablation.comparisons import Difference
from hpsearch.reports.ablation.figures.style import difference_text
from hpsearch.reports.ablation.numbers import Ablation
from hpsearch.reports.kit import theme
from hpsearch.reports.kit.canvas import MARKS, Drawn, Trace, axis_style, draw, escape
from hpsearch.reports.kit.figure import Figure
from hpsearch.reports.kit.lanes import error_bars, lanes_layout

_LOOKS = {
    "better": (theme.GREEN, "triangle-up"),
    "worse": (theme.RED, "triangle-down"),
    "may be equal": (theme.MUTED, "circle"),
    "undecided: drift": (theme.MUTED, "diamond"),
    "not compared": (theme.MUTED, "x"),
}
"""Colour and symbol of each verdict: none is told by colour alone."""


def differences(found: Ablation) -> Iterator[Drawn]:
    """Draw the paired difference of every arm from the reference.

    Args:
        found: the ablation.

    Yields:
        The figure; nothing where no arm is compared.
    """
    if found.reference is None or not any(each.difference.n for each in found.differences):
        return
    aid = (
        "Paired by seed, with 95 % intervals of single comparisons; colour and shape are the verdict after Holm's "
        "adjustment for all of them, so an interval may leave out 0 where the verdict is still that both may be equal."
    )
    figure = differences_figure(found.differences, found.objective.metric, "the reference")
    yield "differences", f"Differences from {found.reference.name}", aid, figure


def differences_figure(differences: Sequence[Difference], metric: str, other: str) -> Figure:
    """Draw the paired difference of every arm from the reference, or from its like in another study.

    Args:
        differences: with their intervals.
        metric: what differs.
        other: what they are taken from, in words.

    Returns:
        A lane per compared arm; colour and symbol say the verdict after Holm's adjustment.
    """
    compared = [each for each in differences if each.difference.n]
    traces: list[Trace] = []
    for verdict, (colour, symbol) in _LOOKS.items():
        group = [(lane, each) for lane, each in enumerate(compared) if each.verdict == verdict]
        if not group:
            continue
        means = [each.difference.mean for _, each in group]
        traces.append({
            **MARKS,
            "name": verdict,
            "x": means,
            "y": [lane for lane, _ in group],
            "marker": {"color": colour, "symbol": symbol, "size": 11},
            "error_x": error_bars(means, [each.difference.shown for _, each in group]),
            "hovertext": [_hover(each) for _, each in group],
        })
    zero = {"type": "line", "x0": 0, "x1": 0, "y0": 0, "y1": 1, "yref": "paper", "layer": "below"}
    zero["line"] = {"color": theme.INK, "width": 1, "dash": "dot"}
    layout = {
        "xaxis": axis_style(f"difference in {escape(metric)}"),
        "shapes": [zero],
        **lanes_layout([each.arm for each in compared]),
    }
    verdicts = "; ".join(f"{each.arm} {each.verdict}" for each in compared)
    return draw(traces, layout, f"Differences from {other} with intervals: {verdicts}.")


def _hover(own: Difference) -> str:
    p = f"p = {own.p_holm:.2g} after Holm" if own.p_holm is not None else escape(own.why)
    return f"<b>{escape(own.arm)}</b><br>{difference_text(own.difference)}<br>{p}"
