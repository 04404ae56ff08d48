"""Lanes below each other: every seed of something, its mean and the interval of that."""

from collections.abc import Sequence

from hpsearch.base.labels import labels
from hpsearch.base.words import score
from hpsearch.reports.kit import theme
from hpsearch.reports.kit.canvas import MARKS, Layout, Trace, axis_style, escape
from hpsearch.statistics.intervals import Interval

_HEIGHT = 34  # pixels of a lane
_NAME = 44


def lane_traces(
    lane: int,
    scores: Sequence[float],
    replicates: Sequence[tuple[int, int]],
    mean: float,
    interval: Interval | None,
    hover: str,
    colour: str,
    symbols: tuple[str, str] = ("circle", "circle"),
    size: int = 11,
) -> list[Trace]:
    """Draw what stands in one lane.

    Args:
        lane: its number, from the top.
        scores: one per replicate.
        replicates: seed and fold of each.
        mean: their mean.
        interval: of the mean; None where there is none.
        hover: text of the mean.
        colour: of all of it.
        symbols: of seeds and of the mean.
        size: of the mean's mark in pixels.

    Returns:
        The seeds, a little below, and the mean with its interval.
    """
    shared = {**MARKS, "showlegend": False}
    return [
        {
            **shared,
            "x": list(scores),
            "y": [lane + 0.24] * len(scores),
            "hovertext": [f"seed {seed}: {score(value)}" for (seed, _), value in zip(replicates, scores, strict=True)],
            "marker": {"color": colour, "symbol": symbols[0], "size": size - 5, "opacity": 0.5},
        },
        {
            **shared,
            "x": [mean],
            "y": [lane],
            "hovertext": [hover],
            "marker": {"color": colour, "symbol": symbols[1], "size": size},
            "error_x": {**error_bars([mean], [interval]), "color": colour},
        },
    ]


def error_bars(means: Sequence[float], intervals: Sequence[Interval | None]) -> Layout:
    """Return the bars of means from the lower to the upper end of their intervals, of no length where there is none."""
    pairs = list(zip(means, intervals, strict=True))
    return {
        "type": "data",
        "symmetric": False,
        "array": [0.0 if interval is None else interval.high - mean for mean, interval in pairs],
        "arrayminus": [0.0 if interval is None else mean - interval.low for mean, interval in pairs],
        "thickness": 2,
        "width": 6,
    }


def lanes_layout(names: Sequence[str]) -> Layout:
    """Return the y axis and the height of a figure with a lane per name, the first one on top."""
    texts = list(map(escape, labels(names, _NAME)))
    rows = max(len(names), 2)
    y = axis_style("", tickvals=list(range(len(texts))), ticktext=texts, tickfont={"color": theme.INK})
    return {"yaxis": {**y, "range": [rows - 0.4, -0.6]}, "height": 120 + _HEIGHT * rows}
