"""Fine search: the ranges around the better coarse points, longer training."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from hpsearch.base.errors import ConfigError, check_float, check_int
from hpsearch.base.words import label
from hpsearch.reports.kit.canvas import FigureWithAid
from hpsearch.reports.summary.numbers import summarize
from hpsearch.study.stages import curves
from hpsearch.study.stages.base import Context, Finding, Verdict, need
from hpsearch.study.stages.common import (
    best_found,
    complete_points,
    counts,
    curve,
    nothing_trains,
    scores_figure,
    scores_of,
)

LATER = 1
"""Added to the recipe's seed: with the same one the points would lie in the narrower space as the coarse ones did in
theirs, and start from the same weights."""


@dataclass(frozen=True, slots=True)
class Fine:
    """Points in the narrowed space, trained at a constant learning rate; the better ones of them to the end.

    All points train for a share of the epochs, then the best `promote` go on from their checkpoints; the others stay
    where they are and are no candidates.

    Hands on ``candidates``, the best points; ``fine_curves``, theirs; ``fine_trials`` and ``fine_faults``,
    see `hpsearch.study.stages.curves.handed`; ``searched_score``, the mean of the best; ``looks``, how many
    scores on the validation set were compared so far.

    Args:
        points: settings to try.
        epochs: of each; null: as many as ``trainer.epochs``.
        sampler: an option of the group ``sampler``.
        screen: share of the epochs after which the points are compared.
        promote: how many go on from there; null: all, without a comparison.
        keep: how many points are handed on.
        on_fail: ``stop`` or ``continue``.
    """

    title: ClassVar[str] = "Search fine"
    question: ClassVar[str] = "Which point of the narrowed space is best after longer training?"
    gives: ClassVar[tuple[str, ...]] = (
        "fine_space",
        "candidates",
        "searched_score",
        "fine_curves",
        "fine_trials",
        "fine_faults",
        "looks",
    )
    needs: ClassVar[Mapping[str, str]] = {"fine_space": "coarse"}

    points: int = 12
    epochs: int | None = None
    sampler: str = "sobol"
    screen: float = 0.2
    promote: int | None = 4
    keep: int = 3
    on_fail: str = "stop"

    def __post_init__(self) -> None:
        check_int("stages.fine.points", self.points, 1)
        check_float("stages.fine.screen", self.screen, "(0, 1)")
        check_int("stages.fine.keep", self.keep, 1)
        if self.promote is not None:
            check_int("stages.fine.promote", self.promote, 1)
            if self.promote < self.keep:
                raise ConfigError(
                    f"stages.fine.promote = {self.promote}: must be at least stages.fine.keep = {self.keep}, "
                    "which must train to the end"
                )
        if self.epochs is not None:
            check_int("stages.fine.epochs", self.epochs, 1)

    def run(self, context: Context) -> Finding:
        """Search the narrowed space."""
        space = need(context, "fine_space", self.needs["fine_space"])
        table = context.search("fine", self._words(context.config()), space)
        points, numbers = complete_points(table), counts(table)
        if not points:
            return nothing_trains(table, "look at the errors in the trials, or widen the space of the coarse stage")
        best, metric = points[0], context.objective.metric
        of_them = "" if len(points) == numbers["points"] else f", {len(points)} of them trained to the end,"
        wider = sorted({each["key"] for each in table.study.get("extensions") or () if not each["failed"]})
        widened = f", {' and '.join(map(label, wider))} widened on the way," if wider else ""
        sentence = f"of {numbers['points']} points in the narrowed space{widened}{of_them} {best_found(best, metric)}"
        handed = (
            curves.handed(table, summarize(table))
            | {
                "fine_space": dict(table.study["space"]),  # its ranges may have been widened
                "candidates": [dict(point.params) for point in points[: self.keep]],
                "searched_score": best.mean,
                "looks": context.handed.get("looks", 0) + numbers["points"],
                "fine_curves": [curve(table, point.point, metric) for point in points[: self.keep]],
            }
        )
        return Finding(
            Verdict.PASS,
            sentence,
            {**numbers, "best": best.mean or 0.0},
            handed=handed,
            series=scores_of(points, space),
        )

    @staticmethod
    def figure(finding: Finding, metric: str) -> FigureWithAid | None:
        """Draw the scores of the points that trained to the end."""
        return scores_figure(finding.series, metric)

    def _words(self, configured: Mapping[str, Any]) -> list[str]:
        epochs = int(configured["trainer"]["epochs"]) if self.epochs is None else self.epochs
        seed = int(configured["seed"]) + LATER
        words = [f"sampler={self.sampler}", "scheduler=constant", "study.seeds=1", f"seed={seed}"]
        return [*words, *self._pruner(epochs), f"trainer.epochs={epochs}", f"budget.points={self.points}"]

    def _pruner(self, epochs: int) -> list[str]:
        first = math.ceil(self.screen * epochs)
        if self.promote is None or self.promote >= self.points or first >= epochs:
            return ["pruner=none"]
        return ["pruner=top_k_after", f"pruner.epochs={first}", f"pruner.k={self.promote}"]
