"""The end of a search over one seed: its best points are trained over seeds that nothing was chosen by."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from hpsearch.base.outcome import PointOutcome, point_outcome, rank_key
from hpsearch.base.replicates import NO_SEEDS
from hpsearch.base.types import BestPoint, MakeSpec, Objective, TrialId, TrialState
from hpsearch.base.words import count
from hpsearch.search.ask_tell import AskTell
from hpsearch.search.live import Finished, counted_scores
from hpsearch.search.plan import Environment, Plan
from hpsearch.search.points import OpenPoints
from hpsearch.search.results import Complete, recorded
from hpsearch.tracking.events import CONFIRM, read_study, trial_files
from hpsearch.tracking.record import Record

MOST, FEWEST = 5, 2
"""Points that are trained over fresh seeds, where there are so many."""
FAR = 5.0
"""Accuracies of one seed further from the best, in standard errors over the samples, are left out."""


def set_of_one_seed(objective: Objective, complete: Sequence[Complete], samples: int | None) -> list[int]:
    """Return the points of which one seed cannot say that they are not the best, as far as they are worth training.

    One seed says nothing of what others would change, so that none is shown to be worse; they are the five best. Of
    accuracies on m samples those are left out, but for the second, that fall short of the best by more than five times
    ``sqrt((p (1 - p) + q (1 - q)) / m)``: what other samples would change, and as much again for the seeds.

    Args:
        objective: what was searched for.
        complete: the complete points.
        samples: of which the scores are shares; None where they are none, or it is not known.

    Returns:
        Their numbers, the best first.
    """
    order = sorted(complete, key=lambda each: rank_key(objective, (each.mean,), each.sd, each.point))[:MOST]
    if samples is None:
        return [each.point for each in order]
    noise = [each.mean * (1 - each.mean) for each in order]
    far = [FAR * math.sqrt(max(noise[0] + own, 0.0) / samples) for own in noise]
    near = [abs(each.mean - order[0].mean) <= limit for each, limit in zip(order, far, strict=True)]
    return [each.point for place, (each, is_near) in enumerate(zip(order, near, strict=True)) if
            is_near or place < FEWEST]  # fmt: skip


class Confirmation:
    """Trains the best points of a search over fresh seeds once it has ended.

    The best one comes first: where its seeds change nothing, the others are not trained again. What samplers and
    pruners know is unchanged.

    Args:
        plan: how much; without `Plan.fresh` nothing is done.
        study: where points were asked.
        points: whose results there are, and whose pool trains.
        record: the study's event files.
        make_spec: (point, params, seed, fold) -> TrialSpec.
        environment: who is told, and the time.
    """

    def __init__(
        self,
        plan: Plan,
        study: AskTell,
        points: OpenPoints,
        record: Record,
        make_spec: MakeSpec,
        environment: Environment,
    ) -> None:
        self._plan, self._study, self._points, self._record = plan, study, points, record
        self._make_spec, self._environment = make_spec, environment
        self._open: set[TrialId] = set()
        self._ended: dict[TrialId, Finished] = {}

    def __contains__(self, trial: TrialId) -> bool:
        """Return whether a trial is one over a fresh seed, and was started."""
        return trial in self._open

    @property
    def unfinished(self) -> int:
        """How many of its trials were started and have not ended."""
        return len(self._open)

    @property
    def size(self) -> int:
        """How many trials it has so far."""
        return len(self._open) + len(self._ended)

    def resume(self) -> bool:
        """Take over what earlier drivers trained.

        Returns:
            Whether there is something to do, once the search asks for no further point.
        """
        if not self._plan.fresh:
            return False
        for path in trial_files(self._record.folder):
            point, seed, fold = map(int, path.stem.split("-"))
            if seed in self._plan.fresh:
                self._take_over(TrialId(point, seed, fold))
        todo = bool(self._open) or bool(self._next())
        if not todo:
            self._conclude("")
        return todo

    def _take_over(self, trial: TrialId) -> None:
        known = self._record.trial(trial)
        if known is None:
            return
        spec = replace(self._spec(trial), attempt=known.attempts)
        curve = known.curve(self._plan.objective.metric)
        again = known.state.finished and self._plan.allow_again(known.ended_by)
        if known.state.finished and not again:
            self._note(recorded(self._plan.objective, spec, known, curve))
            return
        self._open.add(trial)
        if again:
            self._record.again(trial, self._environment.clock())
            self._points.pool.add(replace(spec, attempt=known.attempts + 1), curve)
        else:
            self._points.pool.go_on(spec, curve)

    def _spec(self, trial: TrialId) -> Any:
        params = self._study.space.active(self._study.trials()[trial.point].params)
        return replace(self._make_spec(trial.point, params, trial.seed, trial.fold), purpose=CONFIRM, judged=False)

    def begin(self, why_not: str) -> bool:
        """Queue the trials that come next; without any, say which point is best over the fresh seeds.

        Args:
            why_not: why nothing more may start; empty where it may.

        Returns:
            Whether there are any.
        """
        trials = [] if why_not else self._next()
        if not trials:
            self._conclude(why_not)
            return False
        if not self.size:
            chosen, seeds = self._chosen(), count(len(self._plan.fresh), "fresh seed")
            of = count(len(self._points.results.complete), "complete point")
            self._environment.observer.line(f"the best {len(chosen)} of {of} are trained over {seeds}")
        self._say("")
        for trial in trials:
            self._open.add(trial)
            self._points.pool.add(self._spec(trial))
        return True

    def ended(self, done: Finished) -> None:
        """Note a trial of it that has ended."""
        self._open.discard(done.spec.id)
        self._note(done)

    def _note(self, done: Finished) -> None:
        self._ended[done.spec.id] = done
        self._points.results.add_trials({done.result.state: 1}, done.spent)

    def _chosen(self) -> list[int]:
        """Return the points to train, the best first; none where nothing was chosen."""
        complete = self._points.results.complete
        if not self._plan.fresh or len(complete) < FEWEST:
            return []
        return set_of_one_seed(self._plan.objective, complete, self._samples(complete[0].point))

    def _samples(self, point: int) -> int | None:
        """Return of how many samples scores are shares, where these stand for themselves."""
        known = self._record.trial(TrialId(point, self._plan.seeds[0]))
        if known is None or self._plan.objective.metric != "valid/acc":
            return None
        data = known.config.get("data", {})
        size = known.facts.get("data.valid_size")
        alone = not (data.get("groups") or data.get("time") or known.facts.get("data.valid_steps"))
        return int(size) if isinstance(size, int | float) and alone else None

    def _next(self) -> list[TrialId]:
        """Return the trials to start, of whole points as far as the epochs reach."""
        chosen = self._chosen()
        lacking = [[trial for trial in self._trials(point) if trial not in self._ended] for point in chosen]
        if not any(lacking) or (not lacking[0] and self._changes_nothing(chosen[0])):
            return []
        found: list[TrialId] = []
        for of_point in lacking[:1] if lacking[0] else lacking[1:]:
            if not self._fits(found + of_point):
                break
            found += of_point
        return found

    def _trials(self, point: int) -> list[TrialId]:
        return [TrialId(point, seed) for seed in self._plan.fresh]

    def _fits(self, trials: Sequence[TrialId]) -> bool:
        if self._plan.epochs is None or not trials:
            return True
        known = self._record.trial(TrialId(trials[0].point, self._plan.seeds[0]))
        each = max((report.epoch for report in known.reports), default=1) if known else 1
        return self._points.epochs + len(trials) * each <= self._plan.epochs

    def _changes_nothing(self, point: int) -> bool:
        """Return whether the trials of a point over all seeds measured the same."""
        spec = self._spec(TrialId(point, self._plan.seeds[0]))
        known = self._record.trial(spec.id)
        if known is None:
            return False
        first = recorded(self._plan.objective, spec, known, known.curve(self._plan.objective.metric))
        return len(counted_scores([first, *self._of(point)], self._record)) == 1

    def _of(self, point: int) -> list[Finished]:
        return [self._ended[trial] for trial in self._trials(point) if trial in self._ended]

    def _conclude(self, why_not: str) -> None:
        """Keep the best point over the fresh seeds, and record why there are not more."""
        chosen = self._chosen()
        if not chosen:
            return
        whole = [point for point in chosen if len(self._of(point)) == len(self._plan.fresh)]
        alike = bool(whole) and whole[0] == chosen[0] and self._changes_nothing(chosen[0])
        spent = f"budget.epochs = {self._plan.epochs} is used up" if len(whole) < len(chosen) else ""
        self._say(NO_SEEDS if alike else why_not or spent)
        outcomes = {} if alike else {point: self._outcome(point) for point in whole}
        best = self._best({point: each for point, each in outcomes.items() if each.state is TrialState.COMPLETE})
        self._points.results.confirmed = best
        if best is not None and _differs(best, read_study(self._record.folder).get("best") or {}):
            self._record.study("best", self._environment.clock(), **asdict(best))

    def _outcome(self, point: int) -> PointOutcome:
        ended = self._of(point)
        return point_outcome([each.result.state for each in ended], counted_scores(ended, self._record), penalties=())

    def _best(self, outcomes: Mapping[int, PointOutcome]) -> BestPoint | None:
        if not outcomes:
            return None
        objective = self._plan.objective
        number, found = min(
            outcomes.items(), key=lambda each: rank_key(objective, (each[1].mean,), each[1].sd, each[0])
        )
        params = self._study.space.active(self._study.trials()[number].params)
        return BestPoint(number, params, found.mean, found.sd, found.n, objective.metric)

    def _say(self, why: str) -> None:
        """Record which points are trained over which seeds, and why not all of them, where that is news."""
        fields = {"points": self._chosen(), "seeds": list(self._plan.fresh), "why": why}
        self._record.write()
        known = read_study(self._record.folder).get(CONFIRM) or {}
        if any(known.get(name) != value for name, value in fields.items()):
            self._record.study(CONFIRM, self._environment.clock(), **fields)


def _differs(best: BestPoint, known: Mapping[str, Any]) -> bool:
    return (best.point, best.n) != (known.get("point"), known.get("n"))
