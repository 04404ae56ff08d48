"""The search's loop: ask, submit, collect reports, decide, tell. The only writer of the Optuna study.

A point is one Optuna trial; it is trained once per seed and fold, and its score is the mean of these trials. What is
told is recorded first: the event files say how trials ended, so a driver that was killed leaves nothing to guess.
"""

import math
import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial
from optuna.trial import TrialState as OptunaState

from hpsearch.errors import HpsearchError, StorageError
from hpsearch.launch.base import Launcher
from hpsearch.pool import Finished, Interrupts, Pool, interrupts
from hpsearch.search.samplers import Grid, Unseen
from hpsearch.search.space import Space
from hpsearch.search.storage import OpenStore, owner
from hpsearch.tracking.events import Record, TrialRecord, trial_files
from hpsearch.types import (
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
)

POLL_SEC = 0.2
MakeSpec = Callable[[int, Mapping[str, Any], int, int], TrialSpec]


@dataclass(frozen=True, slots=True)
class Plan:
    """How many points, each over which replicates, and when to stop.

    Attributes:
        objective: what is searched for.
        seeds: of the replicates.
        folds: of the cross-validation; ``(0,)`` for a single split.
        pruning: whether the first replicate of a point may be stopped early; the others then wait for its end.
        points: at most so many points; None: until the grid or the space is used up.
        seconds: start nothing new after so long.
        epochs: start nothing new after so many epochs of all trials together.
        target: start nothing new once a point's score is this good.
    """

    objective: Objective
    seeds: tuple[int, ...]
    folds: tuple[int, ...] = (0,)
    pruning: bool = False
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
        study: the Optuna study; its sampler is wrapped so that nothing is proposed twice.
        store: flushed once per tick, after the record.
        space: what is searched.
        plan: how much.
        launcher: a started launcher.
        record: the study's event files.
        make_spec: (point, params, seed, fold) -> TrialSpec; raises ConfigError for values that cannot be trained.
        observer: shows progress.
        clock: seconds since the Unix epoch.
        seed: of the points that replace proposals seen before.
        system: samples the load of the machine, at its own pace.
    """

    def __init__(
        self,
        *,
        study: optuna.Study,
        store: OpenStore,
        space: Space,
        plan: Plan,
        launcher: Launcher,
        record: Record,
        make_spec: MakeSpec,
        observer: Observer,
        clock: Clock,
        seed: int = 0,
        system: Callable[[float], Mapping[str, float] | None] = lambda _: None,
    ) -> None:
        self._study = study
        self._store = store
        self._space = space
        self._plan = plan
        self._record = record
        self._make_spec = make_spec
        self._observer = observer
        self._clock = clock
        self._system = system
        self._pool = Pool(launcher, record, plan.objective, judge=self._judge, clock=clock, line=observer.line)
        self._grid = study.sampler if isinstance(study.sampler, Grid) else None
        study.sampler = Unseen(study.sampler, space, seed)
        self._points: dict[int, Point] = {}
        self._counts: Counter[TrialState] = Counter()
        self._best: BestPoint | None = None
        self._worst: float | None = None
        self._epochs = 0
        self._started_at: float | None = None
        self._earlier_sec = float(study.user_attrs.get("seconds", 0.0))
        self._interrupts = Interrupts()
        self._pausing = False
        self._asked = 0
        self._files: Counter[int] = Counter()
        self._cells = 0

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
                self._store.flush()
        why = self._why_done()
        interrupted = self._interrupts.count > 0 and (bool(self._points) or not why)
        return Outcome(interrupted, dict(self._counts), self._best, why)

    def _tick(self) -> bool:
        """Fill the slots, wait a little, handle what happened; return whether there is more to do."""
        if not self._interrupts.count:
            self._ask()
        elif not self._pausing:
            self._pause()
        self._store.flush()
        self._pool.submit()
        if load := self._system(self._clock()):
            self._record.study("system", self._clock(), metrics=load)
        self._record.flush()
        self._show()
        if not self._pool.busy:
            return False
        for finished in self._pool.poll(POLL_SEC):
            self._finished(finished)
        return True

    def _elapsed_sec(self) -> float:
        """Return the time that drivers of this study have searched."""
        return self._earlier_sec + (0.0 if self._started_at is None else self._clock() - self._started_at)

    def _pause(self) -> None:
        self._pausing = True
        self._observer.line("stopping: running trials pause at the end of their epoch; once more to stop at once")
        self._pool.pause()

    # Asking

    def _ask(self) -> None:
        while self._pool.free > 0 and (self._next_replicate() or self._next_point()):
            pass

    def _next_replicate(self) -> bool:
        for number in sorted(self._points):
            point = self._points[number]
            if point.waiting and (not self._plan.pruning or self._judged(point)):
                self._add(point, point.waiting.pop(0))
                return True
        return False

    def _judged(self, point: Point) -> bool:
        """Return whether the first replicate, which pruners judge, is yet to start or has ended."""
        first = TrialId(point.trial.number, *self._plan.replicates[0])
        return first not in point.open

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
        if self._grid is not None and asked >= self._cells:
            return f"all {self._cells} points of the grid are done"
        if size is not None and asked >= size:
            return f"all {size} points of the space are done"
        if plan.points is not None and asked >= plan.points:
            return f"budget.points = {plan.points} is used up"
        if plan.seconds is not None and self._elapsed_sec() >= plan.seconds:
            return f"budget.seconds = {plan.seconds:g} is used up"
        if plan.epochs is not None and self._epochs >= plan.epochs:
            return f"budget.epochs = {plan.epochs} is used up"
        if plan.target is not None and self._best and not plan.objective.better(plan.target, self._best.mean):
            return f"budget.target = {plan.target:g} is reached"
        return ""

    def _open(self, trial: optuna.Trial) -> Point:
        point = Point(trial, self._space.active(trial.params), self._plan.replicates)
        self._points[trial.number] = point
        return point

    def _add(self, point: Point, replicate: tuple[int, int]) -> None:
        spec = self._make_spec(point.trial.number, point.params, *replicate)
        point.open.add(spec.id)
        self._pool.add(spec)

    def _queue_grid(self) -> None:
        if self._grid is None:
            return
        cells = self._space.grid(self._grid.points)
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
        self._files = Counter(int(path.stem.split("-")[0]) for path in trial_files(self._record.folder))
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
        self._queue_grid()
        return bool(self._points) or not self._why_done()

    def _recall(self, frozen: FrozenTrial) -> None:
        """Count a finished point."""
        attrs = frozen.user_attrs
        self._counts.update({TrialState(state): n for state, n in attrs["trials"].items()})
        self._epochs += attrs["epochs"]
        if sum(attrs["trials"].values()) > self._files[frozen.number]:
            self._observer.line(f"event files of point {frozen.number} are missing; its score is kept")
        if TrialState(attrs["state"]) is TrialState.COMPLETE:
            self._note_worst(attrs["mean"])
            params = self._space.active(frozen.params)
            self._note_best(
                BestPoint(frozen.number, params, attrs["mean"], attrs["sd"], attrs["n"], self._plan.objective.metric)
            )

    def _take_over(self, frozen: FrozenTrial) -> None:
        """Go on with a point that was running when its driver ended."""
        trial = optuna.Trial(self._study, frozen._trial_id)
        for name, distribution in self._space.distributions().items():
            _suggest(trial, name, distribution)
        trial.set_user_attr("owner", owner())
        point = self._open(trial)
        for replicate in list(point.waiting):
            known = self._record.trial(TrialId(frozen.number, *replicate))
            if known is not None:
                point.waiting.remove(replicate)
                self._go_on(point, replicate, known)
        self._close_if_done(point)

    def _go_on(self, point: Point, replicate: tuple[int, int], known: TrialRecord) -> None:
        spec = self._make_spec(point.trial.number, point.params, *replicate)
        point.open.add(spec.id)
        curve = known.curve(self._plan.objective.metric)
        if known.state.finished:
            self._note_finished(point, _recorded(spec, known, curve))
        else:
            self._pool.add(replace(spec, attempt=known.attempts + 1), curve, int(known.facts.get("failures", 0)))

    # Deciding

    def _judge(self, trial: TrialId, report: Report) -> Decision:
        metric = self._plan.objective.metric
        if not self._plan.pruning or (trial.seed, trial.fold) != self._plan.replicates[0] or report.epoch == 0:
            return Decision.CONTINUE
        asked = self._points[trial.point].trial
        asked.report(report.metrics[metric], step=report.epoch)
        return Decision.STOP if asked.should_prune() else Decision.CONTINUE

    def _finished(self, done: Finished) -> None:
        point = self._points[done.spec.id.point]
        if done.result.state is TrialState.PAUSED:
            return
        self._note_finished(point, done)
        self._close_if_done(point)

    def _note_finished(self, point: Point, done: Finished) -> None:
        if done.result.state is TrialState.PRUNED:
            point.waiting.clear()
        point.open.discard(done.spec.id)
        point.finished[done.spec.id] = done
        self._counts[done.result.state] += 1
        self._epochs += done.epochs

    def _close_if_done(self, point: Point) -> None:
        if point.open or point.waiting:
            return
        self._tell(point)
        del self._points[point.trial.number]

    # Telling

    def _tell(self, point: Point) -> None:
        trial = point.trial
        state = _state_of(point)
        scores = [done.score for done in point.finished.values() if done.result.state is TrialState.COMPLETE]
        trial.set_user_attr("state", state)
        trial.set_user_attr("trials", Counter(done.result.state for done in point.finished.values()))
        trial.set_user_attr("epochs", sum(done.epochs for done in point.finished.values()))
        if not trial.constraints:  # stored already by a driver that was killed before it told
            trial.set_constraint("infeasible", 1.0 if state is TrialState.INFEASIBLE else -1.0)
        if state is TrialState.COMPLETE:
            mean, sd = statistics.fmean(scores), _sd(scores)
            best = BestPoint(trial.number, point.params, mean, sd, len(scores), self._plan.objective.metric)
            for name in ("mean", "sd", "n"):
                trial.set_user_attr(name, getattr(best, name))
            self._study.tell(trial, best.mean)
            self._note_worst(best.mean)
            if self._note_best(best):
                self._record.study("best", self._clock(), **asdict(best))
        elif state is TrialState.INFEASIBLE:
            self._study.tell(trial, self._penalty(point))
        else:
            self._study.tell(trial, state=OptunaState.PRUNED if state is TrialState.PRUNED else OptunaState.FAIL)

    def _penalty(self, point: Point) -> float:
        """Return the worst finite score so far; none yet: that of the untrained model, or its first training loss."""
        if self._worst is not None:
            return self._worst
        untrained = [done.curve.get(0, math.nan) for done in point.finished.values()]
        if not self._plan.objective.maximize:
            untrained += [float(done.result.facts.get("first_loss", math.nan)) for done in point.finished.values()]
        return next(filter(math.isfinite, untrained), 0.0)

    def _note_worst(self, score: float) -> None:
        if math.isfinite(score) and (self._worst is None or self._plan.objective.better(self._worst, score)):
            self._worst = score

    def _note_best(self, point: BestPoint) -> bool:
        better = self._best is None or self._plan.objective.better(point.mean, self._best.mean)
        if better:
            self._best = point
        return better

    # Showing

    def _show(self) -> None:
        running = self._pool.running()
        counts = self._counts + Counter({TrialState.RUNNING: len(running)})
        name, elapsed_sec = self._study.study_name, self._elapsed_sec()
        metric = self._plan.objective.metric
        self._observer.update(Progress(name, self._total(), counts, running, self._best, elapsed_sec, metric))

    def _total(self) -> int | None:
        limits: list[int] = []
        if self._grid is not None:
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


def _state_of(point: Point) -> TrialState:
    """Return a point's state: the worst of its trials'."""
    states = {done.result.state for done in point.finished.values()}
    order = (TrialState.FAILED, TrialState.INFEASIBLE, TrialState.PRUNED, TrialState.COMPLETE)
    return next(state for state in order if state in states)


def _sd(scores: Sequence[float]) -> float:
    return statistics.stdev(scores) if len(scores) > 1 else float("nan")


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
