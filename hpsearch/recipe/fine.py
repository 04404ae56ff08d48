"""Fine search: the ranges around the better coarse points, longer training."""

from dataclasses import dataclass

from hpsearch.analysis.sweep import summarize
from hpsearch.analysis.words import settings
from hpsearch.errors import check_int
from hpsearch.recipe import curves
from hpsearch.recipe.base import Context, Finding, Verdict, need
from hpsearch.recipe.points import complete_points, counts, curve


@dataclass(frozen=True, slots=True)
class Fine:
    """Points in the narrowed space, trained at a constant learning rate.

    Hands on ``candidates``, the best points; ``fine_curves``, theirs; ``fine_trials`` and ``fine_faults``,
    see `hpsearch.recipe.curves.handed`; ``searched_score``, the mean of the best.

    Args:
        points: settings to try.
        epochs: of each; null: as many as ``trainer.epochs``.
        sampler: an option of the group ``sampler``.
        keep: how many points are handed on.
        on_fail: ``stop`` or ``continue``.
    """

    points: int = 12
    epochs: int | None = None
    sampler: str = "sobol"
    keep: int = 3
    on_fail: str = "stop"

    def __post_init__(self) -> None:
        check_int("stages.fine.points", self.points, 1)
        check_int("stages.fine.keep", self.keep, 1)
        if self.epochs is not None:
            check_int("stages.fine.epochs", self.epochs, 1)

    def run(self, context: Context) -> Finding:
        """Search the narrowed space."""
        space = need(context, "fine_space", "coarse")
        table = context.search("fine", self._words(), space)
        points, numbers = complete_points(table), counts(table)
        if not points:
            action = "look at the errors in the trials, or widen the space of the coarse stage"
            return Finding(
                Verdict.FAIL,
                f"none of {numbers['points']} points trained to the end",
                numbers,
                "nothing trains",
                action,
            )
        best = points[0]
        sentence = (
            f"of {numbers['points']} points in the narrowed space the best has {context.objective.metric} "
            f"{best.mean:.4g} at {settings(best.params)}"
        )
        handed = curves.handed(table, summarize(table)) | {
            "candidates": [dict(point.params) for point in points[: self.keep]],
            "searched_score": best.mean,
            "fine_curves": [curve(table, point.point, context.objective.metric) for point in points[: self.keep]],
        }
        series = {"params": [dict(p.params) for p in points], "scores": [p.mean for p in points], "space": dict(space)}
        return Finding(Verdict.PASS, sentence, {**numbers, "best": best.mean or 0.0}, handed=handed, series=series)

    def _words(self) -> list[str]:
        epochs = [] if self.epochs is None else [f"trainer.epochs={self.epochs}"]
        words = [f"sampler={self.sampler}", "pruner=none", "scheduler=constant", "study.seeds=1"]
        return [*words, *epochs, f"budget.points={self.points}"]
