"""The figures of a study, one per file, in the order of its page."""

from collections.abc import Callable, Iterator

from hpsearch.reports.kit.canvas import Drawn
from hpsearch.reports.summary.figures import (
    contour,
    curves,
    diverged,
    fit,
    history,
    importance,
    layers,
    parallel,
    pareto,
    pruning,
    ranges,
    ranks,
    score,
    slices,
    timeline,
)
from hpsearch.reports.summary.numbers import Findings

FIGURES: tuple[Callable[[Findings], Drawn | None], ...] = (
    pareto.figure,
    score.figure,
    fit.figure,
    importance.figure,
    contour.figure,
    ranks.figure,
    slices.figure,
    diverged.figure,
    ranges.figure,
    pruning.figure,
    curves.figure,
    layers.figure,
    history.figure,
    parallel.figure,
    timeline.figure,
)
"""Each returns its figure, or None where it does not apply to a study."""


def figures(found: Findings) -> Iterator[Drawn]:
    """Yield the figures that apply to a study, the main one first; each is drawn when it is asked for."""
    for figure in FIGURES:
        drawn = figure(found)
        if drawn is not None:
            yield drawn
