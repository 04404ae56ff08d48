"""Why a search ends: what it may cost is spent, its space is used up, or more points no longer find better ones."""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hpsearch.base.keys import PATIENCE, POINTS
from hpsearch.base.types import Objective
from hpsearch.base.words import count, duration, number, score
from hpsearch.search.ask_tell import AskTell
from hpsearch.search.plan import Plan
from hpsearch.search.points import OpenPoints
from hpsearch.search.results import Complete

_REST = "the rest is for fresh seeds (study.confirm)"


@dataclass(frozen=True, slots=True)
class Improvement:
    """The last complete point that was better than the one before it by more than the spread over seeds.

    Attributes:
        point: that point; None while no point is complete.
        spread: median over points of the standard deviation over their trials; None with one trial per point.
        since: points that have ended or wait since, all of them while no point is complete.
    """

    point: Complete | None
    spread: float | None
    since: int


def last_improvement(objective: Objective, complete: Sequence[Complete], settled: int) -> Improvement:
    """Return the last improvement of a search.

    The first complete point is one. A later one is better than the last improvement, and not only than the best so
    far, by more than the spread, so that many small steps add up to an improvement and chance alone makes few.

    Args:
        objective: what is searched for; the first objective counts.
        complete: the complete points.
        settled: how many points have ended or wait.
    """
    sds = [each.sd for each in complete if not math.isnan(each.sd)]
    spread = statistics.median(sds) if sds else None
    sign, last = (1 if objective.maximize else -1), None
    for each in sorted(complete, key=lambda one: (one.settled, one.point)):
        if last is None or sign * (each.mean - last.mean) > (spread or 0.0):
            last = each
    return Improvement(last, spread, settled - (last.settled if last else 0))


class Ending:
    """Says why a search asks for no further point, and why it starts nothing more.

    Args:
        plan: how much is searched.
        study: where points are asked.
        points: the open ones, and the results of those told.
        elapsed_sec: returns how long was searched so far.
    """

    def __init__(self, plan: Plan, study: AskTell, points: OpenPoints, elapsed_sec: Callable[[], float]) -> None:
        self._plan = plan
        self._study = study
        self._points = points
        self._elapsed_sec = elapsed_sec

    def why_no_more_points(self) -> str:
        """Return why no further point is asked for, with numbers, or the empty string."""
        limit = self._plan.points
        if why := self._study.why_used_up():
            return why
        if limit is not None and self._study.asked >= limit:
            return f"budget.points = {limit} is used up: {self._study.extent}"
        return self._why_patience_ends() or self.why_nothing_more()

    @property
    def raisable(self) -> dict[str, float]:
        """The limit on points that is used up, by its key; empty where there is no further point to ask for anyway."""
        if self._study.why_used_up():
            return {}
        if self._plan.points is not None and self._study.asked >= self._plan.points:
            return {POINTS: self._plan.points}
        return {PATIENCE: self._plan.patience} if self._plan.patience is not None and self._why_patience_ends() else {}

    def why_time_is_up(self) -> str:
        """Return why what runs is paused, and killed where it does not, or the empty string."""
        limit = self._plan.seconds
        if limit is None or (spent := self._elapsed_sec()) < limit:
            return ""
        return f"budget.seconds = {limit:g} is used up: {duration(spent)}, {self._study.extent}"

    def why_nothing_more(self) -> str:
        """Return why nothing further is started, neither a new point nor a paused one, or the empty string."""
        plan, best = self._plan, self._points.results.best
        if why := self.why_time_is_up():
            return why
        if plan.search_seconds is not None and (spent := self._elapsed_sec()) >= plan.search_seconds:
            return f"budget.seconds = {plan.seconds:g}: {duration(spent)} searched, {self._study.extent}; {_REST}"
        if plan.epochs is not None and (epochs := self._points.epochs) >= plan.epochs:
            return f"budget.epochs = {plan.epochs} is used up: {count(epochs, 'epoch')}, {self._study.extent}"
        if plan.search_epochs is not None and epochs >= plan.search_epochs:
            return f"budget.epochs = {plan.epochs}: {count(epochs, 'epoch')}, {self._study.extent}; {_REST}"
        if plan.target is not None and best and not plan.objective.better(plan.target, best.mean):
            reached = f"{plan.objective.metric} {score(best.mean)} at point {best.point}"
            return f"budget.target = {plan.target:g} is reached: {reached}, {self._study.extent}"
        return self._points.why_none_works()

    def _why_patience_ends(self) -> str:
        limit = self._plan.patience
        if limit is None or (settled := self._points.settled) < limit:
            return ""
        last = last_improvement(self._plan.objective, self._points.results.complete, settled)
        if last.since < limit:
            return ""
        more = f" ({last.since - limit} more than that)" if last.since > limit else ""
        none = f"budget.patience = {limit} is used up: none of the last {count(last.since, 'point')}{more}"
        if last.point is None:
            return f"{none} is complete"
        improved = f"{none} improved {self._plan.objective.metric} {score(last.point.mean)} (point {last.point.point})"
        if last.spread is None:
            return f"{improved}; of one trial per point no spread is known"
        return f"{improved} by more than {number(last.spread)}, the median sd over a point's trials"
