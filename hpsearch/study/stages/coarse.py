"""Coarse search: the whole space, evenly spread points, a few epochs."""

from dataclasses import dataclass
from typing import ClassVar

from hpsearch.base.errors import check_int
from hpsearch.reports.kit.canvas import FigureWithAid
from hpsearch.search.space import Space
from hpsearch.study.narrow import narrowed, within
from hpsearch.study.stages.base import Context, Finding, Verdict
from hpsearch.study.stages.common import (
    RATE,
    best_found,
    complete_points,
    counts,
    nothing_trains,
    scores_figure,
    scores_of,
)


@dataclass(frozen=True, slots=True)
class Coarse:
    """Evenly spread points over the space, with the range of learning rates that training allows.

    Hands on ``fine_space``, the ranges around the better points, see `hpsearch.study.narrow`; ``coarse_best``;
    and ``looks``, how many scores on the validation set were compared so far.

    Args:
        points: settings to try.
        epochs: of each.
        sampler: an option of the group ``sampler``; one that spreads its points evenly shows the whole space.
        on_fail: ``stop`` or ``continue``.
    """

    title: ClassVar[str] = "Search coarse"
    question: ClassVar[str] = "Which part of the space trains well within a few epochs?"
    gives: ClassVar[tuple[str, ...]] = ("fine_space", "coarse_best", "looks")

    points: int = 16
    epochs: int = 3
    sampler: str = "sobol"
    on_fail: str = "stop"

    def __post_init__(self) -> None:
        check_int("stages.coarse.points", self.points, 2)
        check_int("stages.coarse.epochs", self.epochs, 1)

    def run(self, context: Context) -> Finding:
        """Search, and narrow the ranges."""
        table = context.search("coarse", self._words(), _with_rates(context))
        points, numbers = complete_points(table), counts(table)
        if not points:
            return nothing_trains(table, f"look at the errors in the trials, or search smaller values of {RATE}")
        space, best, metric = Space.parse(table.study["space"]), points[0], context.objective.metric
        sentence = f"of {numbers['points']} points over {self.epochs} epochs {best_found(best, metric)}"
        handed = {
            "fine_space": narrowed(space, [point.params for point in points]),
            "coarse_best": dict(best.params),
            "looks": numbers["points"],
        }
        return Finding(
            Verdict.PASS,
            sentence,
            {**numbers, "best": best.mean or 0.0},
            handed=handed,
            series=scores_of(points, space.to_dict()),
        )

    @staticmethod
    def figure(finding: Finding, metric: str) -> FigureWithAid | None:
        """Draw the scores of all points."""
        return scores_figure(finding.series, metric)

    def _words(self) -> list[str]:
        return [
            *(f"sampler={self.sampler}", "pruner=none", "scheduler=constant", "study.seeds=1"),
            *(f"trainer.epochs={self.epochs}", f"budget.points={self.points}"),
        ]


def _with_rates(context: Context) -> dict[str, str]:
    """Return the recipe's space with the learning rates that were found to train."""
    space = dict(context.space)
    found = context.handed.get("lr_range")
    if found is not None and RATE in space:
        low, high = map(float, found)
        inside = within(RATE, space[RATE], low, high)
        if inside is None:
            context.line(f"coarse: no rate of {RATE}={space[RATE]} lies from {low:.2g} to {high:.2g}, so all stay")
        space[RATE] = inside or space[RATE]
    return space
