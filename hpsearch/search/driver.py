"""The search's loop: ask, submit, collect reports, decide, tell. The only writer of the Optuna study.

A point is one Optuna trial; it is trained once per seed and fold, and its score is the mean of these trials. What is
told is recorded first: the event files say how trials ended, so a driver that was killed leaves nothing to guess.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import FrozenTrial
from optuna.trial import TrialState as OptunaState

from hpsearch.base import words
from hpsearch.base.errors import HpsearchError, StorageError
from hpsearch.base.outcome import is_cut_short, point_outcome
from hpsearch.base.types import (
    BestPoint,
    Clock,
    Decision,
    Objective,
    Observer,
    Progress,
    Report,
    TrialId,
    TrialResult,
    TrialSpec,
    TrialState,
    Widening,
)
from hpsearch.launch.base import Launcher
from hpsearch.search.extension import Extension, copied, widened
from hpsearch.search.judge import Judge
from hpsearch.search.pool import Finished, Interrupts, Pool, interrupts
from hpsearch.search.samplers import Queue, Unseen
from hpsearch.search.space import Space
from hpsearch.search.storage import OpenStore, owner
from hpsearch.search.tally import Tally
from hpsearch.tracking.events import Record, TrialRecord, read_trial, trial_files

POLL_SEC = 0.2
SYNC_SEC = 0.2
"""A power cut loses what happened in this time; a killed driver loses nothing."""
SHOW_SEC = 0.05
TIME_SEC = 2.0
"""A driver that is killed forgets at most so much of the time that it searched."""
TOLD = "told"
"""User attribute of a told point: state, trials (number by state), epochs, and of a complete one mean, sd and n."""
WIDENED_AT = "widened_at"
"""User attribute of an Optuna study: the number of points that were asked before its ranges were widened."""
MakeSpec = Callable[[int, Mapping[str, Any], int, int], TrialSpec]


@dataclass(frozen=True, slots=True)
class Plan:
    """How many points, each over which replicates, and when to stop.

    Attributes:
        objective: what is searched for.
        seeds: of the replicates.
        folds: of the cross-validation; ``(0,)`` for a single split.
        points: at most so many points; None: until the grid or the space is used up.
        seconds: start nothing new after so long.
        epochs: start nothing new after so many epochs of all trials together.
        target: start nothing new once a point's score is this good.
    """

    objective: Objective
    seeds: tuple[int, ...]
    folds: tuple[int, ...] = (0,)
    points: int | None = None
    seconds: float | None = None
    epochs: int | None = None
    target: float | None = None

    @property
    def replicates(self) -> list[tuple[int, int]]:
        """The (seed, fold) of every trial of a point; the first one is judged by pruners."""
        return [(seed, fold) for fold in self.folds for seed in self.seeds]


@dataclass
class Point:
    """An open point: asked, not yet told."""

    trial: optuna.Trial
    params: Mapping[str, Any]
    waiting: list[tuple[int, int]]
    open: set[TrialId] = field(default_factory=set)
    finished: dict[TrialId, Finished] = field(default_factory=dict)
    paused: Finished | None = None
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run of the driver ended."""

    interrupted: bool
    counts: Mapping[TrialState, int]
    best: BestPoint | None
    why: str


class Driver:
    """Runs one Optuna study to its end, from wherever it stands.

    Args:
        study: the Optuna study; its pruner judges the points.
        make_sampler: (points asked so far) -> the sampler; what it proposes is never a point that was seen before.
        store: written once per tick, before what the record says of the points it knows.
        space: what is searched.
        plan: how much.
        launcher: a started launcher.
        record: the study's event files.
        make_spec: (point, params, seed, fold) -> TrialSpec; raises ConfigError for values that cannot be trained.
        observer: shows progress.
        clock: seconds since the Unix epoch.
        seed: of the points that replace proposals seen before.
        extension: whether and how far ranges are widened at whose edge the best point lies.
        original: the space that the study began with, where its ranges were widened since.
        allowed: whether a key of the space may take a value.
        system: samples the load of the machine, at its own pace.
    """

    def __init__(
        self,
        *,
        study: optuna.Study,
        make_sampler: Callable[[int], BaseSampler],
        store: OpenStore,
        space: Space,
        plan: Plan,
        launcher: Launcher,
        record: Record,
        make_spec: MakeSpec,
        observer: Observer,
        clock: Clock,
        seed: int = 0,
        extension: Extension | None = None,
        original: Space | None = None,
        allowed: Callable[[str, Any], bool] = lambda *_: True,
        system: Callable[[float], Mapping[str, float] | None] = lambda _: None,
    ) -> None:
        self._name = study.study_name.partition("+")[0]
        self._make_sampler = make_sampler
        self._seed = seed
        self._store = store
        self._space = space
        self._original = original or space
        self._allowed = allowed
        self._plan = plan
        self._record = record
        self._make_spec = make_spec
        self._observer = observer
        self._clock = clock
        self._system = system
        self._pool = Pool(launcher, record, plan.objective, judge=self._decide, clock=clock, line=observer.line)
        self._judge = Judge(study.pruner, plan.objective)
        self._tally = Tally(plan.objective)
        self._points: dict[int, Point] = {}
        self._use(study)
        sampler = make_sampler(len(study.get_trials(deepcopy=False)))
        self._queue = sampler if isinstance(sampler, Queue) else None
        self._extension = None if self._queue is not None else extension
        self._started_at: float | None = None
        self._earlier_sec = float(study.user_attrs.get("seconds", 0.0))
        self._interrupts = Interrupts()
        self._pausing = False
        self._asked = 0
        self._files: Counter[int] = Counter()
        self._cells = 0
        self._synced_at = self._shown_at = self._timed_at = -math.inf
        self._on_disk = 0

    def run(self) -> Outcome:
        """Search until the plan is fulfilled or the user interrupts; a second interrupt raises KeyboardInterrupt.

        Returns:
            How it ended.
        """
        self._started_at = self._clock()
        with interrupts() as self._interrupts:
            try:
                while self._tick():
                    pass
            except BaseException:
                self._pool.abandon()
                raise
            finally:
                self._study.set_user_attr("seconds", self._elapsed_sec())
                self._record.flush()
                self._store.flush()
        why = self._why_done()
        interrupted = self._interrupts.count > 0 and (bool(self._points) or not why)
        paused = Counter({TrialState.PAUSED: self._waiting()})
        if paused.total():
            why = self._why_out_of_budget() or why
        return Outcome(interrupted, dict(self._tally.counts + paused), self._tally.best, why)

    def _waiting(self) -> int:
        """Return how many points the pruner has paused."""
        return sum(point.paused is not None for point in self._points.values())

    def _use(self, study: optuna.Study) -> None:
        """Search in a study from now on."""
        self._study = study
        self._study.sampler = Unseen(RandomSampler(seed=0), self._space, self._seed)  # for trials taken over half drawn
        self._widened_at = int(study.user_attrs.get(WIDENED_AT, 0))

    def _sample_anew(self) -> None:
        """Give the study a sampler that is seeded for the points it holds."""
        points = len(self._study.get_trials(deepcopy=False))
        self._study.sampler = Unseen(self._make_sampler(points), self._space, self._seed, self._observer.line)

    def _tick(self) -> bool:
        """Fill the slots, wait a little, handle what happened; return whether there is more to do."""
        if not self._interrupts.count:
            self._ask()
        elif not self._pausing:
            self._pause()
        self._keep_points()
        self._pool.submit()
        if load := self._system(self._clock()):
            self._record.study("system", self._clock(), metrics=load)
        self._record.write()
        self._show()
        if not self._pool.busy:
            self._close_paused()
            return False
        for finished in self._pool.poll(POLL_SEC):
            self._finished(finished)
        return True

    def _keep_points(self) -> None:
        """Write what was asked and told, and every now and then wait until it is on the disk.

        The disk learns of a point before its trials' ends, and of these before the point is told, so that a power cut
        leaves neither trials of unknown points nor, but for points younger than `SYNC_SEC`, a score without its curve.
        """
        now = self._clock()
        if self._plan.seconds is not None and not 0 <= now - self._timed_at < TIME_SEC:
            self._timed_at = now
            self._study.set_user_attr("seconds", self._elapsed_sec())
        if 0 <= now - self._synced_at < SYNC_SEC:
            self._store.write()
            return
        self._synced_at = now
        self._record.sync(below=self._on_disk)
        self._store.flush()
        self._on_disk = self._asked
        self._record.sync()

    def _elapsed_sec(self) -> float:
        """Return the time that drivers of this study have searched."""
        return self._earlier_sec + (0.0 if self._started_at is None else self._clock() - self._started_at)

    def _pause(self) -> None:
        self._pausing = True
        self._observer.line("stopping: running trials pause at the end of their epoch; once more to stop at once")
        self._pool.pause()

    # Asking

    def _ask(self) -> None:
        while self._pool.free > 0 and (self._next_replicate() or self._next_promoted() or self._next_point()):
            pass

    def _next_replicate(self) -> bool:
        for number in sorted(self._points):
            point = self._points[number]
            if point.waiting and point.paused is None and self._judged(point):
                self._add(point, point.waiting.pop(0))
                return True
        return False

    def _judged(self, point: Point) -> bool:
        """Return whether the replicate that the pruner judges is yet to start or has ended."""
        if self._judge.by_replicate:
            return not point.open
        return not self._judge.by_epoch or self._first(point) not in point.open

    def _first(self, point: Point) -> TrialId:
        return TrialId(point.trial.number, *self._plan.replicates[0])

    def _next_promoted(self) -> bool:
        """Let a paused point go on, where the pruner chooses one; beyond the budget only while none is complete.

        A search that spent everything on first epochs still brings its best point to the end.

        Returns:
            Whether one goes on.
        """
        if self._why_out_of_budget() and (self._tally.best is not None or not self._pool.idle):
            return False
        number = self._judge.promote(asking=not self._why_done())
        if number is None:
            return False
        point = self._points[number]
        assert point.paused is not None, f"point {number} is not paused"
        done, point.paused = point.paused, None
        self._judge.stands(number, TrialState.RUNNING)
        failures = int(done.result.facts.get("failures", 0))
        self._pool.add(replace(done.spec, attempt=done.spec.attempt + 1), done.curve, failures)
        return True

    def _close_paused(self) -> None:
        """Tell the points that were paused and never chosen, unless more budget or a resumed run may choose them."""
        if self._interrupts.count or self._why_out_of_budget():
            return
        for point in [each for each in self._points.values() if each.paused is not None]:
            assert point.paused is not None
            done = replace(point.paused, result=replace(point.paused.result, state=TrialState.PRUNED))
            point.paused = None
            self._record.state(
                done.spec.id, TrialState.PRUNED, self._clock(), reason="others were better", attempt=done.spec.attempt
            )
            self._note_finished(point, done)
            self._close_if_done(point)

    def _next_point(self) -> bool:
        if self._why_done():
            return False
        trial = self._study.ask(self._space.distributions())
        self._asked += 1
        trial.set_user_attr("owner", owner())
        self._open(trial)
        return True

    def _why_done(self) -> str:
        """Return why no further point is asked for, or the empty string."""
        plan, asked, size = self._plan, self._asked, self._space.size()
        if self._queue is not None and asked >= self._cells:
            return f"all {self._cells} points of the {self._queue.what} are done"
        if size is not None and asked >= size:
            return f"all {size} points of the space are done"
        if plan.points is not None and asked >= plan.points:
            return f"budget.points = {plan.points} is used up"
        return self._why_out_of_budget()

    def _why_out_of_budget(self) -> str:
        """Return why nothing further is started, new or paused, or the empty string."""
        plan, best = self._plan, self._tally.best
        if plan.seconds is not None and self._elapsed_sec() >= plan.seconds:
            return f"budget.seconds = {plan.seconds:g} is used up"
        if plan.epochs is not None and self._epochs() >= plan.epochs:
            return f"budget.epochs = {plan.epochs} is used up"
        if plan.target is not None and best and not plan.objective.better(plan.target, best.mean):
            return f"budget.target = {plan.target:g} is reached"
        return ""

    def _epochs(self) -> int:
        """Return the epochs trained so far by trials that have ended or wait."""
        return self._tally.epochs + sum(point.paused.epochs for point in self._points.values() if point.paused)

    def _open(self, trial: optuna.Trial) -> Point:
        point = Point(trial, self._space.active(trial.params), self._plan.replicates)
        self._points[trial.number] = point
        self._judge.opened(trial.number)
        return point

    def _add(self, point: Point, replicate: tuple[int, int]) -> None:
        spec = self._make_spec(point.trial.number, point.params, *replicate)
        point.open.add(spec.id)
        self._pool.add(spec)

    def _enqueue(self) -> None:
        if self._queue is None:
            return
        cells = self._queue.cells(self._space)
        self._cells = len(cells)
        for cell in cells[len(self._study.get_trials(deepcopy=False)) :]:
            self._study.enqueue_trial(cell)
        self._store.flush()

    # Resuming

    def resume(self) -> bool:
        """Take over what earlier drivers left: count what is told, go on with what is not.

        Returns:
            Whether there is something to do; `run` does it.

        Raises:
            StorageError: the record holds points that the search does not know.
        """
        asked = self._study.get_trials(deepcopy=False)
        self._files = self._known_files(len(asked))
        if self._files and max(self._files) >= len(asked):
            raise StorageError(
                f"{self._record.folder}: the event files know point {max(self._files)}, the search only {len(asked)} "
                "points; its journal was lost or replaced: restore it, or study.restart=true to start again"
            )
        for frozen in asked:
            self._asked += frozen.state is not OptunaState.WAITING
            if frozen.state.is_finished():
                self._recall(frozen)
            elif frozen.state is OptunaState.RUNNING:
                self._take_over(frozen)
        self._enqueue()
        self._sample_anew()
        self._extend()
        running = any(point.paused is None for point in self._points.values())
        may_go_on = self._tally.best is None or not self._why_out_of_budget()
        return running or (bool(self._points) and may_go_on) or not self._why_done()

    def _known_files(self, asked: int) -> Counter[int]:
        """Return the number of event files by point; of a point that was not asked only files that say something."""
        points = [(int(path.stem.partition("-")[0]), path) for path in trial_files(self._record.folder)]
        return Counter(point for point, path in points if point < asked or read_trial(path) is not None)

    def _recall(self, frozen: FrozenTrial) -> None:
        """Count a finished point."""
        attrs = frozen.user_attrs[TOLD]
        self._tally.counts.update({TrialState(state): n for state, n in attrs["trials"].items()})
        self._tally.epochs += attrs["epochs"]
        if self._judge.remembers:
            known = self._record.trial(TrialId(frozen.number, *self._plan.replicates[0]))
            self._judge.opened(frozen.number, known.curve(self._plan.objective.metric) if known else None)
            self._judge.stands(frozen.number, TrialState(attrs["state"]))
        if sum(attrs["trials"].values()) > self._files[frozen.number]:
            self._observer.line(f"event files of point {frozen.number} are missing; its score is kept")
        if TrialState(attrs["state"]) is TrialState.COMPLETE:
            self._tally.note_scores(frozen.values)
            self._tally.note_best(self._best(frozen.number, self._space.active(frozen.params), attrs))

    def _best(self, number: int, params: Mapping[str, Any], told: Mapping[str, Any]) -> BestPoint:
        return BestPoint(number, params, told["mean"], told["sd"], told["n"], self._plan.objective.metric)

    def _take_over(self, frozen: FrozenTrial) -> None:
        """Go on with a point that was running when its driver ended."""
        point = self._open(self._again(frozen._trial_id))
        point.trial.set_user_attr("owner", owner())
        records = {replicate: self._record.trial(TrialId(frozen.number, *replicate)) for replicate in point.waiting}
        point.waiting = [replicate for replicate, known in records.items() if known is None]
        for replicate, known in records.items():
            if known is not None:
                self._go_on(point, replicate, known)
        self._told_if_done(point)

    def _again(self, trial_id: int) -> optuna.Trial:
        """Return the running trial of a study as one that was asked just now."""
        trial = optuna.Trial(self._study, trial_id)
        for name, distribution in self._space.distributions().items():
            _suggest(trial, name, distribution)
        return trial

    def _go_on(self, point: Point, replicate: tuple[int, int], known: TrialRecord) -> None:
        spec = self._make_spec(point.trial.number, point.params, *replicate)
        spec = replace(spec, attempt=known.attempts)
        point.open.add(spec.id)
        curve = known.curve(self._plan.objective.metric)
        first = replicate == self._plan.replicates[0]
        if first:
            self._judge.opened(point.trial.number, curve)
        if known.state.finished:
            self._note_finished(point, _recorded(spec, known, curve))
        elif first and self._judge.pauses(point.trial.number):
            self._note_paused(point, _recorded(spec, known, curve))
        else:
            failures = int(known.facts.get("failures", 0))
            self._pool.add(replace(spec, attempt=known.attempts + 1), curve, failures)

    # Deciding

    def _decide(self, trial: TrialId, report: Report) -> Decision:
        if (trial.seed, trial.fold) != self._plan.replicates[0]:
            return Decision.CONTINUE
        return self._judge.after_report(self._points[trial.point].trial, report)

    def _finished(self, done: Finished) -> None:
        point = self._points[done.spec.id.point]
        if done.result.state is TrialState.PAUSED:
            if not self._interrupts.count:
                self._note_paused(point, done)
            return
        self._note_finished(point, done)
        self._close_if_done(point)

    def _note_paused(self, point: Point, done: Finished) -> None:
        point.paused = done
        self._judge.stands(point.trial.number, TrialState.PAUSED)

    def _note_finished(self, point: Point, done: Finished) -> None:
        if done.spec.id == self._first(point):
            self._judge.stands(point.trial.number, done.result.state)
        point.open.discard(done.spec.id)
        point.finished[done.spec.id] = done
        self._tally.counts[done.result.state] += 1
        self._tally.epochs += done.epochs
        if done.result.state is TrialState.COMPLETE and point.waiting:
            place = self._plan.replicates.index((done.spec.id.seed, done.spec.id.fold))
            point.stopped = self._judge.after_replicate(point.trial, place, done.score)
        if is_cut_short([done.result.state], point.stopped):
            point.waiting.clear()

    def _close_if_done(self, point: Point) -> None:
        if self._told_if_done(point):
            self._extend()

    def _told_if_done(self, point: Point) -> bool:
        """Tell a point whose trials have all ended; return whether it is one."""
        if point.open or point.waiting:
            return False
        self._tell(point)
        del self._points[point.trial.number]
        return True

    def _extend(self) -> None:
        """Widen the ranges at whose edge the best point lies, in a new Optuna study that holds all points so far."""
        best = self._tally.best
        if self._extension is None or best is None or self._asked - self._widened_at < self._extension.after:
            return
        if self._why_done():
            return
        widenings = self._extension.widenings(self._space, self._original, best.params, self._allowed)
        if not widenings:
            return
        self._space = widened(self._space, widenings)
        study = copied(self._study, self._name, self._space)
        study.set_user_attr(WIDENED_AT, self._asked)
        self._use(study)
        trials = study.get_trials(deepcopy=False)
        for number, point in self._points.items():
            point.trial = self._again(trials[number]._trial_id)
        self._sample_anew()
        for widening in widenings:
            expression = self._space.to_dict()[widening.name]
            self._record.study("extended", self._clock(), **asdict(widening), expression=expression)
            self._observer.line(_said(widening))

    # Telling

    def _tell(self, point: Point) -> None:
        trial = point.trial
        ended = list(point.finished.values())
        states = [done.result.state for done in ended]
        unknown = [math.nan] * len(self._plan.objective.others)
        penalties = self._tally.penalties([self._untrained(point), *unknown])
        outcome = point_outcome(states, list(map(self._scores, ended)), penalties, point.stopped)
        for place in outcome.unknown:
            metric = self._plan.objective.each[place].metric
            self._observer.line(f"point {trial.number} has no finite {metric}, so it is not compared: INFEASIBLE")
        told: dict[str, Any] = {
            "state": outcome.state,
            "trials": Counter(states),
            "epochs": sum(done.epochs for done in ended),
        }
        if outcome.state is TrialState.COMPLETE:
            told |= {"mean": outcome.mean, "sd": outcome.sd, "n": outcome.n}
        trial.set_user_attr(TOLD, told)
        if not trial.constraints:  # stored already by a driver that was killed before it told
            trial.set_constraint("infeasible", outcome.constraint)
        if outcome.values is None:
            pruned = outcome.state is TrialState.PRUNED
            self._study.tell(trial, state=OptunaState.PRUNED if pruned else OptunaState.FAIL)
            return
        self._study.tell(trial, outcome.values)
        if outcome.state is TrialState.COMPLETE:
            best = self._best(trial.number, point.params, told)
            self._tally.note_scores(outcome.values)
            if self._tally.note_best(best):
                self._record.study("best", self._clock(), **asdict(best))

    def _scores(self, done: Finished) -> list[float]:
        """Return a trial's scores, one per objective: beside the first, of reported metrics or of facts."""
        known = self._record.trial(done.spec.id) if self._plan.objective.others else None
        others = [
            objective.value(known.curve(objective.metric), known.facts) if known else math.nan
            for objective in self._plan.objective.others
        ]
        return [done.score, *others]

    def _untrained(self, point: Point) -> float:
        """Return what the untrained model scored; where smaller is better also its first training loss will do."""
        scores = [done.curve.get(0, math.nan) for done in point.finished.values()]
        if not self._plan.objective.maximize:
            scores += [float(done.result.facts.get("first_loss", math.nan)) for done in point.finished.values()]
        return next(filter(math.isfinite, scores), math.nan)

    # Showing

    def _show(self) -> None:
        now = self._clock()
        if self._pool.busy and 0 <= now - self._shown_at < SHOW_SEC:
            return
        self._shown_at = now
        running = self._pool.running()
        counts = self._tally.counts + Counter({TrialState.RUNNING: len(running), TrialState.PAUSED: self._waiting()})
        metric, best = self._plan.objective.metric, self._tally.best
        self._observer.update(Progress(self._name, self._total(), counts, running, best, self._elapsed_sec(), metric))

    def _total(self) -> int | None:
        limits: list[int] = []
        if self._queue is not None:
            limits.append(self._cells)
        if self._plan.points is not None:
            limits.append(self._plan.points)
        size = self._space.size()
        if size is not None:
            limits.append(size)
        return min(limits) * len(self._plan.replicates) if limits else None


def _recorded(spec: TrialSpec, known: TrialRecord, curve: Mapping[int, float]) -> Finished:
    score = math.nan if known.score is None else known.score
    return Finished(spec, TrialResult(known.state, known.reason, facts=known.facts), score, curve)


def _said(widening: Widening) -> str:
    low, high = widening.new
    return (
        f"the best {widening.key} = {words.number(widening.best)} lies at the {widening.side} end of its range: "
        f"now searched from {words.number(low)} to {words.number(high)}"
    )


def _suggest(trial: optuna.Trial, name: str, distribution: BaseDistribution) -> None:
    match distribution:
        case FloatDistribution(low=low, high=high, step=step, log=log):
            trial.suggest_float(name, low, high, step=step, log=log)
        case IntDistribution(low=low, high=high, step=step, log=log):
            trial.suggest_int(name, low, high, step=step, log=log)
        case CategoricalDistribution(choices=choices):
            trial.suggest_categorical(name, choices)
        case _:
            raise HpsearchError(f"{name}: a {type(distribution).__name__} cannot be searched")
