"""The figures of an ablation: one file each, and here their order; the main one comes first."""

from collections.abc import Callable, Iterator

from hpsearch.reports.ablation.claims import claim_figures
from hpsearch.reports.ablation.figures.arms import arms
from hpsearch.reports.ablation.figures.curves import curves
from hpsearch.reports.ablation.figures.differences import differences
from hpsearch.reports.ablation.figures.layers import layers
from hpsearch.reports.ablation.figures.score_map import score_map
from hpsearch.reports.ablation.figures.search import searches
from hpsearch.reports.ablation.figures.target import target
from hpsearch.reports.ablation.numbers import Ablation
from hpsearch.reports.kit.canvas import Drawn

FIGURES: tuple[Callable[[Ablation], Iterator[Drawn]], ...] = (
    score_map,
    arms,
    differences,
    curves,
    target,
    layers,
    searches,
    lambda found: claim_figures(found.claims),
)
"""What yields figures, none where there is nothing to draw."""


def ablation_figures(found: Ablation) -> Iterator[Drawn]:
    """Yield the figures that apply to an ablation.

    Args:
        found: what it found.

    Yields:
        Name, title, how to read it, figure.
    """
    for figures in FIGURES:
        yield from figures(found)
