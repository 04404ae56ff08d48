"""The points that were asked and not told yet: which of their trials start, wait, go on and stop."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import optuna
from optuna.trial import FrozenTrial

from hpsearch.base.environment import names_in
from hpsearch.base.epochs import epochs_of
from hpsearch.base.outcome import GIVEN_UP, Failures, is_cut_short, point_outcome
from hpsearch.base.types import BestPoint, Decision, MakeSpec, Report, TrialId, TrialState
from hpsearch.launch.base import Launcher
from hpsearch.search.answers import Answers
from hpsearch.search.ask_tell import AskTell
from hpsearch.search.by_hand import SKIPPED
from hpsearch.search.failing import FailedPoint, FirstFailures
from hpsearch.search.live import Finished, counted_scores
from hpsearch.search.open_answers import OpenAnswers
from hpsearch.search.open_ask_tell import OpenAskTell
from hpsearch.search.open_point import HEDGED, WAITS_AT, OpenedPoints, Point
from hpsearch.search.plan import Environment, Plan
from hpsearch.search.pool import Pool
from hpsearch.search.pruners import PruneRule
from hpsearch.search.results import Results, curve_of, limited_values, outcome_attrs, recorded, violations
from hpsearch.tracking.events import TrialRecord
from hpsearch.tracking.record import Record

TOLD = "told"
"""User attribute of a told point: see `outcome_attrs`."""


class OpenPoints:
    """Trains the points of a search, one trial per seed and fold, and tells what they have come to.

    Args:
        plan: how much.
        study: where points are asked and told.
        launcher: a started launcher.
        record: the study's event files.
        make_spec: (point, params, seed, fold) -> TrialSpec; raises ConfigError for values that cannot be trained.
        environment: who is shown what, and the time.

    Attributes:
        pool: runs their trials.
        results: of all points that were told.
    """

    def __init__(
        self,
        plan: Plan,
        study: AskTell,
        launcher: Launcher,
        record: Record,
        make_spec: MakeSpec,
        environment: Environment,
    ) -> None:
        self._plan = plan
        self._study = study
        self._launcher, self._record = launcher, record
        self._make_spec = make_spec
        self._observer, self._clock = environment.observer, environment.clock
        self._rule = PruneRule(study.study.pruner, plan.objective)
        self._first_replicate = plan.replicates[0]
        self._first_failures = FirstFailures(plan.failures)
        self._points = OpenedPoints()
        self.results = Results(plan.objective)
        self.pool = Pool(
            launcher,
            record,
            plan.objective,
            decide=self._decide,
            clock=self._clock,
            line=self._observer.line,
            limits=plan.limits,
            timer=environment.timer,
            answers=self._answers(make_spec),
        )

    def _answers(self, make_spec: MakeSpec) -> Answers | None:
        if not isinstance(self._study, OpenAskTell):
            return None
        return OpenAnswers(self._points, self._study, self._record, make_spec, self._clock)

    @property
    def unfinished(self) -> int:
        """How many trials were started and neither ended nor were paused by the pruner."""
        return sum(len(point.open) for point in self._points.values() if point.paused is None)

    def __len__(self) -> int:
        """Return how many points are open."""
        return len(self._points)

    @property
    def paused(self) -> list[int]:
        """The points that the pruner has paused."""
        return self._points.paused

    @property
    def number_paused(self) -> int:
        """How many points the pruner has paused."""
        return self._points.number_paused

    @property
    def epochs(self) -> float:
        """The epochs trained so far by trials that have ended or wait."""
        return self.results.epochs + sum(point.paused.spent for point in self._points.values() if point.paused)

    def why_none_works(self) -> str:
        """Return the error that the first points failed of alike, or the empty string."""
        if not self._first_failures:
            return ""
        running = [trial.epoch for trial in self.pool.running()]
        waiting = [point.paused.epochs for point in self._points.values() if point.paused]
        return self._first_failures.why(max(running + waiting, default=0))

    @property
    def settled(self) -> int:
        """How many points have ended or wait."""
        return self._study.asked - len(self) + self.number_paused

    # What starts

    def open(self, trial: optuna.Trial) -> Point:
        """Take up a point that was asked."""
        point = Point(trial, self._study.space.active(trial.params), self._plan.replicates)
        self._points[trial.number] = point
        self._rule.opened(trial.number)
        return point

    def start_replicate(self) -> bool:
        """Start a further trial of the lowest point that waits for one; return whether there was one."""
        for point in self._points.in_order(self._plan.rounds):
            if not point.waiting or point.paused is not None or not self._is_judged(point):
                self._points.set_aside(point)
            else:
                number = point.trial.number
                spec = self._make_spec(number, point.params, *point.waiting.pop(0))
                first = spec.id == self._first(point)
                if first:
                    self._rule.opened(number, epochs=epochs_of(spec.config))
                point.open.add(spec.id)
                self.pool.add(replace(spec, judged=first and self._rule.by_epoch))
                return True
        return False

    def _is_judged(self, point: Point) -> bool:
        """Return whether the replicate that the pruner judges is yet to start or has ended."""
        if self._rule.by_replicate:
            return not point.open
        return not self._rule.by_epoch or self._first(point) not in point.open

    def _first(self, point: Point) -> TrialId:
        return TrialId(point.trial.number, *self._first_replicate)

    def promote(self, asking: bool) -> bool:
        """Let a paused point go on where the pruner chooses one.

        Args:
            asking: whether new points may still be asked for.

        Returns:
            Whether one goes on.
        """
        number = self._rule.promote(asking)
        if number is None:
            return False
        point = self._points[number]
        done = self._points.go_on(point)
        point.judged = done.epochs
        self._rule.note_state(number, TrialState.RUNNING)
        point.keep(self._rule.candidate(number))
        self.pool.add(replace(done.spec, attempt=done.spec.attempt + 1), done.curve)
        return True

    # What is taken over

    def may_run_again(self, frozen: FrozenTrial) -> bool:
        """Return whether a point was told because of a limit that has been raised since."""
        return frozen.state.is_finished() and self._plan.allow_again(frozen.user_attrs[TOLD].get("ended_by", {}))

    def take_over(self, frozen: FrozenTrial) -> None:
        """Go on with a point that was running when its driver ended."""
        point = self.open(self._study.reopen(frozen))
        records = {replicate: self._record.trial(TrialId(frozen.number, *replicate)) for replicate in point.waiting}
        point.waiting = [replicate for replicate, known in records.items() if known is None]
        for replicate, known in records.items():
            if known is not None:
                self._go_on(point, replicate, known)
        if SKIPPED in frozen.user_attrs:
            self.skip(frozen.number)
        else:
            self._tell_if_done(point)

    def _go_on(self, point: Point, replicate: tuple[int, int], known: TrialRecord) -> None:
        spec = self._make_spec(point.trial.number, point.params, *replicate)
        spec = replace(spec, attempt=known.attempts)
        point.open.add(spec.id)
        curve = known.curve(self._plan.objective.metric)
        first = replicate == self._first_replicate
        if first:
            scores, epochs = curve_of(self._plan.objective, known), epochs_of(spec.config)
            self._rule.opened(point.trial.number, scores, epochs, point.hedged, point.waits_at)
        if known.state is TrialState.PRUNED and self._plan.allow_again(known.ended_by):
            reason = "waits again: there is more budget"
            self._record.state(spec.id, TrialState.PAUSED, self._clock(), reason=reason)
            self._note_paused(
                point, recorded(self._plan.objective, spec, replace(known, state=TrialState.PAUSED), curve)
            )
        elif known.state.finished and self._plan.allow_again(known.ended_by):
            self._record.again(spec.id, self._clock())
            self.pool.add(replace(spec, attempt=known.attempts + 1), curve)
        elif known.state.finished:
            self._note_finished(point, recorded(self._plan.objective, spec, known, curve))
        elif first and self._rule.waits(point.trial.number) and spec.id not in self._launcher.kept:
            if known.state is TrialState.RUNNING:  # its driver ended before it read that the trial had paused
                self._record.state(spec.id, TrialState.PAUSED, known.reports[-1].time, reason=known.reason)
            self._note_paused(point, recorded(self._plan.objective, spec, known, curve))
        else:
            self.pool.go_on(spec, curve)

    def recall(self, frozen: FrozenTrial) -> None:
        """Count a point that was told."""
        attrs = frozen.user_attrs[TOLD]
        state = TrialState(attrs["state"])
        if state is not TrialState.FAILED:
            self._first_failures.forget()
        elif self._plan.recalls_failures:
            self._recall_failure(frozen.number)
        self.results.add_trials({TrialState(each): n for each, n in attrs["trials"].items()}, attrs["epochs"])
        if self._rule.by_epoch:
            known = self._record.trial(TrialId(frozen.number, *self._first_replicate))
            self._rule.opened(frozen.number)
            if known is not None:
                config, params = known.config, self._study.space.active(frozen.params)
                if names_in(config):  # the record has the variables of the environment, and not their values
                    config = self._make_spec(frozen.number, params, *self._first_replicate).config
                scores, epochs = curve_of(self._plan.objective, known), epochs_of(config)
                hedged, waits_at = frozen.user_attrs.get(HEDGED, 0), frozen.user_attrs.get(WAITS_AT)
                self._rule.opened(frozen.number, scores, epochs, hedged, waits_at)
            self._rule.note_state(frozen.number, state)
        if state is TrialState.COMPLETE:
            self.pool.wanted.seen.update(each.metric for each in self._plan.objective.each)
            best = self._best(frozen.number, self._study.space.active(frozen.params), attrs)
            self.results.add_point(best, frozen.values, attrs["settled"])

    def _recall_failure(self, number: int) -> None:
        for replicate in self._plan.replicates:
            known = self._record.trial(TrialId(number, *replicate))
            if known is not None and known.state is TrialState.FAILED:
                epoch = max((report.epoch for report in known.reports), default=0)
                failed_at = Failures.of(known.facts).failed_at
                self._first_failures.add(FailedPoint(number, epoch, failed_at, known.reason))
                return

    def reopen(self) -> None:
        """Go on in the present Optuna study, which holds all points of the one before."""
        trials = self._study.trials()
        for number, point in self._points.items():
            point.trial = self._study.reopen(trials[number])

    # What is decided

    def _decide(self, trial: TrialId, report: Report) -> Decision:
        if not self._rule.by_epoch or (trial.seed, trial.fold) != self._first_replicate:
            return Decision.CONTINUE
        point = self._points[trial.point]
        if report.epoch <= point.judged:
            return Decision.CONTINUE
        if report.declined:
            self._rule.note_state(trial.point, TrialState.RUNNING)
        known = self._record.trial(trial) if self._plan.objective.others else None
        decision = self._rule.after_report(point.trial, report, known.facts if known else None)
        point.keep(self._rule.candidate(trial.point))
        return decision

    def ended(self, done: Finished) -> bool:
        """Note a trial that left the pool; return whether its point was told."""
        point = self._points[done.spec.id.point]
        if done.result.state is TrialState.PAUSED:
            self._note_paused(point, done)
            return False
        self._note_finished(point, done)
        return self._tell_if_done(point)

    def skip(self, number: int) -> None:
        """Give up a point that was asked: none of its trials starts, those that run are stopped; all are on record."""
        point = self._points[number]
        for replicate in point.waiting:
            spec = self._make_spec(number, point.params, *replicate)
            point.open.add(spec.id)
            self.pool.add(spec)
        point.waiting.clear()
        point.stopped = True
        if point.paused is not None:
            self._end_paused(point, GIVEN_UP, {})
        for trial in sorted(point.open):
            if (done := self.pool.skip(trial, GIVEN_UP)) is not None:
                self._note_finished(point, done)
        self._tell_if_done(point)

    def _end_paused(self, point: Point, reason: str, ended_by: Mapping[str, float]) -> None:
        done = self._points.go_on(point)
        done = replace(done, result=replace(done.result, state=TrialState.PRUNED, reason=reason, ended_by=ended_by))
        self.pool.end_waiting(done.spec.id)
        self._record.state(
            done.spec.id,
            TrialState.PRUNED,
            self._clock(),
            reason=reason,
            attempt=done.spec.attempt,
            ended_by=ended_by,
        )
        self._note_finished(point, done)

    def drop(self, number: int, ended_by: Mapping[str, float]) -> bool:
        """End a paused point for those that were better at its epoch; without any it stays paused.

        Args:
            number: of the point.
            ended_by: the limit without which it would wait longer, by its key.

        Returns:
            Whether it was told.
        """
        point = self._points[number]
        assert point.paused is not None, f"point {number} is not paused"
        reason = self._rule.why_dropped(number)
        if not reason:
            return False
        self._end_paused(point, reason, ended_by)
        return self._tell_if_done(point)

    def _note_paused(self, point: Point, done: Finished) -> None:
        self._points.pause(point, done)
        self._rule.note_state(point.trial.number, TrialState.PAUSED)

    def _note_finished(self, point: Point, done: Finished) -> None:
        state = done.result.state
        if done.spec.id == self._first(point):
            self._rule.note_state(point.trial.number, state)
        point.open.discard(done.spec.id)
        self._points.look_again(point)
        point.finished[done.spec.id] = done
        self.results.add_trials({state: 1}, done.spent)
        if state is TrialState.COMPLETE and point.waiting:
            replicate = self._plan.replicates.index((done.spec.id.seed, done.spec.id.fold))
            point.stopped = self._rule.after_replicate(point.trial, replicate, done.score)
        if is_cut_short([state], point.stopped):
            point.waiting.clear()

    # What is told

    def _tell_if_done(self, point: Point) -> bool:
        """Tell a point whose trials have all ended; return whether it is one."""
        if point.open or point.waiting:
            return False
        self._tell(point, list(point.finished.values()))
        del self._points[point.trial.number]
        return True

    def _tell(self, point: Point, ended: Sequence[Finished]) -> None:
        number, objective = point.trial.number, self._plan.objective
        states = [done.result.state for done in ended]
        penalties = self.results.penalties(point.untrained(objective))
        raised = any(done.result.failed_at for done in ended)
        outcome = point_outcome(
            states,
            counted_scores(ended, self._record),
            penalties,
            stopped=point.stopped,
            raised=raised,
            violations=violations(objective, [self._measured(done) for done in ended]),
        )
        ended_by = {key: sec for done in ended for key, sec in done.result.ended_by.items()}
        attrs = outcome_attrs(outcome, states, sum(done.spent for done in ended), self.settled + 1, ended_by)
        point.trial.set_user_attr(TOLD, attrs)
        self._note_failure(outcome.state, ended)
        self._study.tell(point.trial, outcome)
        if outcome.state is TrialState.COMPLETE and outcome.values is not None:
            best = self._best(number, point.params, attrs)
            if self.results.add_point(best, outcome.values, attrs["settled"]):
                self._record.study("best", self._clock(), **asdict(best))

    def _measured(self, done: Finished) -> dict[str, float]:
        objective = self._plan.objective
        known = self._record.trial(done.spec.id) if objective.limits else None
        return limited_values(objective, known, done.result.facts)

    def _note_failure(self, state: TrialState, ended: Sequence[Finished]) -> None:
        if state is not TrialState.FAILED:
            self._first_failures.forget()
            return
        done = next(each for each in ended if each.result.state is TrialState.FAILED)
        failed = FailedPoint(done.spec.id.point, done.epochs, done.result.failed_at, done.result.reason)
        self._first_failures.add(failed)

    def _best(self, number: int, params: Mapping[str, Any], attrs: Mapping[str, Any]) -> BestPoint:
        return BestPoint(number, params, attrs["mean"], attrs["sd"], attrs["n"], self._plan.objective.metric)
