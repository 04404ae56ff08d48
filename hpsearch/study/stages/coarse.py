"""Coarse search: the whole space, evenly spread points, a few epochs."""

from dataclasses import dataclass
from typing import ClassVar

from hpsearch.base.errors import check_choice, check_int
from hpsearch.base.words import settings
from hpsearch.search.space import Space
from hpsearch.study.stages.base import Context, Finding, Verdict
from hpsearch.study.stages.narrow import narrowed
from hpsearch.study.stages.points import complete_points, counts, scored
from hpsearch.study.stages.rates import RATE, within


@dataclass(frozen=True, slots=True)
class Coarse:
    """Evenly spread points over the space, with the range of learning rates that training allows.

    Hands on ``fine_space``, the ranges around the better points, see `hpsearch.study.stages.narrow`; ``coarse_best``;
    and ``looks``, how many scores on the validation set were compared so far.

    Args:
        points: settings to try.
        epochs: of each.
        sampler: ``sobol`` or ``random``.
        on_fail: ``stop`` or ``continue``.
    """

    gives: ClassVar[tuple[str, ...]] = ("fine_space", "coarse_best", "looks")

    points: int = 16
    epochs: int = 3
    sampler: str = "sobol"
    on_fail: str = "stop"

    def __post_init__(self) -> None:
        check_int("stages.coarse.points", self.points, 2)
        check_int("stages.coarse.epochs", self.epochs, 1)
        check_choice("stages.coarse.sampler", self.sampler, ("sobol", "random"))

    def run(self, context: Context) -> Finding:
        """Search, and narrow the ranges."""
        table = context.search("coarse", self._words(), _with_rates(context))
        points, numbers = complete_points(table), counts(table)
        if not points:
            sentence = f"none of {numbers['points']} points trained to the end"
            action = f"look at the errors in the trials, or search smaller values of {RATE}"
            return Finding(Verdict.FAIL, sentence, numbers, "nothing trains", action)
        space = Space.parse(table.study["space"])
        fine = narrowed(space, scored(points, context.objective.maximize))
        best = points[0]
        sentence = (
            f"of {numbers['points']} points over {self.epochs} epochs the best has {context.objective.metric} "
            f"{best.mean:.4g} at {settings(best.params)}"
        )
        series = {
            "params": [dict(p.params) for p in points],
            "scores": [p.mean for p in points],
            "space": space.to_dict(),
        }
        handed = {"fine_space": fine, "coarse_best": dict(best.params), "looks": numbers["points"]}
        return Finding(Verdict.PASS, sentence, {**numbers, "best": best.mean or 0.0}, handed=handed, series=series)

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
        inside = within(space[RATE], low, high)
        if inside is None:
            context.line(f"coarse: no rate of {RATE}={space[RATE]} lies from {low:.2g} to {high:.2g}, so all stay")
        space[RATE] = inside or space[RATE]
    return space
